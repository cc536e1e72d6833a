"""Why greedy decoding need not repeat itself: sums in another order round to other numbers."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments

Array = np.ndarray[Any, np.dtype[Any]]


def split_sum(terms: Array, parts: int) -> Array:
    """Sum each row of fp32 terms, one after the other within each part, then over the parts."""
    pieces = np.split(terms.T, parts)
    return np.asarray(reduce(np.add, [reduce(np.add, piece) for piece in pieces]))


def _products(sums: int, terms: int, seed: int) -> Array:
    a, b = np.random.default_rng(seed).standard_normal((2, sums, terms)).astype(np.float32)
    return np.asarray(a * b)


@verifier
def split_sums(terms: int, parts: int, sums: int = 500, seed: int = 0) -> dict[str, float]:
    """Compare fp32 dot products summed in one go with the same ones summed in parts.

    Formula: share of equal bits, and the largest difference, over random dot products; the number of
    parts is what a kernel changes with the size of the batch.
    Unit: 1
    Source: goldberg1991
    """
    arguments.counts(sums=sums)
    arguments.counts(0, seed=seed)
    arguments.divides(terms, parts, "terms")
    products = _products(sums, terms, seed)
    whole, split = split_sum(products, 1), split_sum(products, parts)
    return {"equal": float((whole == split).mean()), "largest": float(np.abs(whole - split).max())}


@verifier
def flipped_choices(gap: float, terms: int = 1024, parts: int = 8, pairs: int = 500, seed: int = 0) -> float:
    """Share of choices between two logits, their true values a small gap apart, that the order of sums flips.

    Formula: share of pairs whose greater logit in fp32 changes when both are summed in parts.
    Unit: 1
    Source: goldberg1991
    """
    arguments.non_negative(gap=gap)
    arguments.counts(pairs=pairs)
    arguments.counts(0, seed=seed)
    arguments.divides(terms, parts, "terms")
    products = _products(pairs, terms, seed)
    # the rival has the same terms in another order, and one more that makes the gap
    rng = np.random.default_rng(seed + 1)
    rival = rng.permuted(products, axis=1)
    leads = [split_sum(products, count) > split_sum(rival, count) + np.float32(gap) for count in (1, parts)]
    return float((leads[0] != leads[1]).mean())
