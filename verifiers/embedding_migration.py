"""Changing the embedding model: recall across models, stale vectors, and the bytes of two indexes."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, vector_index
from verifiers.embeddings import nearest, unit

Array = np.ndarray[Any, np.dtype[Any]]


def rotation(dims: int, rng: np.random.Generator) -> Array:
    """Return a random orthogonal map: another model, of the same geometry in other axes."""
    return np.asarray(np.linalg.qr(rng.standard_normal((dims, dims)))[0])


@verifier
def recall(
    stale: float,
    query: str = "new",
    items: int = 1000,
    dims: int = 64,
    k: int = 10,
    queries: int = 40,
    seed: int = 0,
) -> float:
    """Recall of the k nearest items in an index where a share of the vectors comes from the old model.

    Formula: mean |found ∩ true top-k| / k; the models differ by a random rotation, the true neighbours
    are those within one model.
    Unit: 1
    Source: definition
    """
    arguments.shares(stale=stale)
    model = arguments.one_of("model", query, ("old", "new"))
    arguments.counts(k=k, dims=dims, queries=queries)
    arguments.counts(max(k, queries), items=items)
    rng = np.random.default_rng(seed)
    old = unit(rng.standard_normal((items, dims)))
    new = old @ rotation(dims, rng)
    is_old = rng.permutation(items) < round(stale * items)
    index = np.where(is_old[:, None], old, new)
    own = old if model == "old" else new
    found = 0
    for asked in unit(own[:queries] + unit(rng.standard_normal((queries, dims)))):
        found += len({*nearest(index, asked, k)} & {*nearest(own, asked, k)})
    return found / (k * queries)


@verifier
def chance_recall(items: int, k: int) -> float:
    """Recall of k results drawn at random.

    Formula: k / items.
    Unit: 1
    Source: definition
    """
    arguments.counts(k=k)
    arguments.counts(k, items=items)
    return k / items


@verifier
def extra_bytes(items: int, daily: int, days: int, dims: int, dtype: str = "fp32") -> dict[str, int]:
    """Bytes that a change of model holds besides the old index while both are written.

    Formula: backfill = items · d · bytes; dual write = daily · days · d · bytes; extra = their sum.
    Unit: B
    Source: definition
    """
    arguments.counts(0, items=items, daily=daily, days=days)
    backfill = vector_index.raw_bytes(items, dims, dtype)
    written = vector_index.raw_bytes(daily * days, dims, dtype)
    return {"backfill": backfill, "dual write": written, "extra": backfill + written}
