"""What one head can express: scores of the rank of its width, outputs that average its values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.attention import softmax
from verifiers.calculus import agree

Array = npt.NDArray[np.floating]


@verifier
def score_rank(d_k: int, queries: int, keys: int) -> int:
    """Rank of one head's matrix of scores Q Kᵀ, for queries and keys in general position.

    Formula: min(d_k, queries, keys).
    Unit: 1
    Source: bhojanapalli2020
    """
    arguments.counts(d_k=d_k, queries=queries, keys=keys)
    return min(d_k, queries, keys)


def scores(q: Array, k: Array) -> Array:
    """Unscaled scores q kᵀ [m, n] of queries q [m, d] and keys k [n, d]."""
    return q @ k.T


@verifier
def one_component_knows_two_keys(
    queries: int = 6, keys: int = 6, seeds: int = 8, threshold: float = 1e-12
) -> dict[str, int]:
    """Check that with d_k = 1 every query's favourite is the largest or the smallest key.

    The scores have rank one; the weights, an exponential of them, are of full rank all the same.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        q, k = rng.standard_normal((queries, 1)), rng.standard_normal((keys, 1))
        found = scores(q, k)
        extremes = {int(k.argmin()), int(k.argmax())}
        assert np.linalg.matrix_rank(found) == 1, "the scores are not of rank one"
        assert set(found.argmax(axis=1).tolist()) <= extremes, "a middle key is some query's favourite"
        rank = np.linalg.matrix_rank(softmax(found), tol=threshold)
        assert rank == min(queries, keys), f"the weights are of rank {rank}"
    return {"queries": queries, "keys": keys, "seeds": seeds}


def attend(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    """Weights [m, n] of queries [m, d] on keys [n, d], and outputs of values [n, d_v]."""
    weights = softmax(scores(q, k))
    return weights, weights @ v


@verifier
def outputs_are_averages_of_values(
    shapes: tuple[tuple[int, int, int, int], ...] = ((10, 10, 64, 64), (3, 8, 4, 5)),
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, str | float]:
    """Check that weights are distributions over the keys and that no output leaves the values' range.

    `shapes` holds queries, keys, d_k and d_v; the output is [queries, d_v].

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    for queries, keys, d_k, d_v in shapes:
        q, k = rng.standard_normal((queries, d_k)), rng.standard_normal((keys, d_k))
        v = rng.standard_normal((keys, d_v))
        weights, output = attend(q, k, v)
        assert output.shape == (queries, d_v), f"the output has shape {output.shape}"
        assert (weights >= 0).all(), "a weight is negative"
        agree(weights.sum(axis=1), 1, tolerance, "row sum")
        agree(np.clip(output, v.min(axis=0), v.max(axis=0)), output, tolerance, "range")
    listed = ", ".join("x".join(map(str, shape)) for shape in shapes)
    return {"queries, keys, d_k, d_v": listed, "tolerance": tolerance}
