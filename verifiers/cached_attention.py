"""Attention with and without a cache, on small arrays: what the checks of key/value caches compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from verifiers.attention import softmax

Array = npt.NDArray[np.float64]
Decoder = Callable[[Array, Array, Array], Array]


def attend(q: Array, keys: Array, values: Array) -> Array:
    """Attend from one query a head, q [h, d], to keys and values [g, t, d], h a multiple of g."""
    group, _ = divmod(q.shape[0], keys.shape[0])
    keys, values = np.repeat(keys, group, axis=0), np.repeat(values, group, axis=0)
    weights = softmax(np.einsum("hd,htd->ht", q, keys) / np.sqrt(q.shape[1]))
    return np.asarray(np.einsum("ht,htd->hd", weights, values))


def decode(q: Array, k: Array, v: Array) -> Array:
    """Decode step by step: append one row to the cache, then attend to all rows so far."""
    keys, values = k[:, :0], v[:, :0]
    rows = []
    for t in range(q.shape[1]):
        keys = np.concatenate([keys, k[:, t : t + 1]], axis=1)
        values = np.concatenate([values, v[:, t : t + 1]], axis=1)
        rows.append(attend(q[:, t], keys, values))
    return np.stack(rows, axis=1)


def masked_attention(q: Array, k: Array, v: Array, window: int | None = None) -> Array:
    """Attend from all positions at once, q [h, t, d], k and v [g, t, d], with a causal mask.

    With `window`, a position sees that many keys at most, its own included.
    """
    group, _ = divmod(q.shape[0], k.shape[0])
    k, v = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
    seen = np.tri(q.shape[1], dtype=bool)
    if window is not None:
        seen &= ~np.tri(q.shape[1], k=-window, dtype=bool)
    return np.asarray(softmax(np.where(seen, scores, -np.inf)) @ v)


def causal_attention(q: Array, k: Array, v: Array) -> Array:
    """Attend from all positions at once to themselves and all before them."""
    return masked_attention(q, k, v)


def last_row(q: Array, k: Array, v: Array) -> Array:
    """Return the last position's row of causal attention."""
    return np.asarray(causal_attention(q, k, v)[:, -1])


def problems(heads: Sequence[int], tokens: int, width: int) -> Iterator[tuple[Array, Array, Array]]:
    """Yield random queries, keys and values, one problem for each number of key/value heads.

    The first of `heads` is that of the queries.
    """
    query_heads = heads[0]
    for seed, groups in enumerate(heads):
        rng = np.random.default_rng(seed)
        shapes = ((query_heads, tokens, width), (groups, tokens, width), (groups, tokens, width))
        q, k, v = (rng.standard_normal(shape) for shape in shapes)
        yield q, k, v
