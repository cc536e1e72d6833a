"""Geometry of embeddings: cosine, dot product and distance, high dimensions, truncation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.sequences import paired

Array = np.ndarray[Any, np.dtype[Any]]
Metric = Callable[[Array, Array], Array]


def unit(vectors: Array) -> Array:
    """Scale every vector to length one."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def dot(items: Array, query: Array) -> Array:
    """Dot product of every item with the query."""
    return np.asarray(items @ query)


def cosine(items: Array, query: Array) -> Array:
    """Cosine of every item with the query."""
    return np.asarray(unit(items) @ unit(query))


def nearness(items: Array, query: Array) -> Array:
    """Minus the squared Euclidean distance of every item from the query."""
    return np.asarray(-((items - query) ** 2).sum(1))


METRICS: dict[str, Metric] = {"dot": dot, "cosine": cosine, "euclidean": nearness}


def nearest(items: Array, query: Array, k: int, metric: str = "dot") -> list[int]:
    """Return the places of the k nearest items, the nearest first."""
    return [int(place) for place in np.argsort(-METRICS[metric](items, query), kind="stable")[:k]]


def _cosine(cosine: float) -> None:
    if not -1 <= cosine <= 1:
        raise ValueError(f"a cosine lies between −1 and 1, not at {cosine}")


@verifier
def similarity(a: Sequence[float], b: Sequence[float], metric: str = "cosine") -> float:
    """Cosine, dot product or Euclidean distance of two vectors.

    Formula: a·b / (‖a‖ ‖b‖), a·b, or ‖a − b‖.
    Shapes: a (d), b (d).
    Unit: 1
    Source: definition
    """
    arguments.one_of("metric", metric, METRICS)
    pairs = paired(a=a, b=b)
    arguments.counts(dims=len(pairs))
    arguments.finite(**{f"{name}[{i}]": x for name, row in (("a", a), ("b", b)) for i, x in enumerate(row)})
    if metric == "euclidean":
        return math.dist(a, b)
    product = math.fsum(x * y for x, y in pairs)
    if metric == "dot":
        return product
    lengths = math.hypot(*a) * math.hypot(*b)
    arguments.positive(length=lengths)
    return product / lengths


@verifier
def unit_metrics_agree(
    items: int = 500, dims: int = 64, k: int = 10, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that unit vectors rank alike by cosine, dot product and distance: ‖a − b‖² = 2 − 2 a·b.

    Unit: check
    Source: definition
    """
    arguments.counts(items=items, dims=dims, k=k, seeds=seeds)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        vectors, query = unit(rng.standard_normal((items, dims))), unit(rng.standard_normal(dims))
        error = np.abs(METRICS["euclidean"](vectors, query) - 2 * METRICS["dot"](vectors, query) + 2).max()
        assert error < tolerance, f"‖a − b‖² misses 2 − 2 a·b by {error}"
        for metric in METRICS:
            alike = nearest(vectors, query, k, metric) == nearest(vectors, query, k)
            assert alike, f"unit vectors rank otherwise by {metric}"
    return {"items": items, "dims": dims, "seeds": seeds, "tolerance": tolerance}


@verifier
def cosine_ignores_length(
    factors: Sequence[float] = (0.01, 7.0, 1e4), items: int = 100, dims: int = 64, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that scaling a query or the items by a positive factor leaves every cosine as it was.

    Unit: check
    Source: definition
    """
    arguments.counts(factors=len(factors), items=items, dims=dims)
    rng = np.random.default_rng(items)
    vectors, query = rng.standard_normal((items, dims)), rng.standard_normal(dims)
    before = METRICS["cosine"](vectors, query)
    for factor in factors:
        for after in (
            METRICS["cosine"](factor * vectors, query),
            METRICS["cosine"](vectors, factor * query),
        ):
            assert np.abs(after - before).max() < tolerance, f"a factor of {factor} changes the cosine"
    return {"factors": ", ".join(map(str, factors)), "items": items, "dims": dims, "tolerance": tolerance}


@verifier
def shared_top(
    metric: str,
    other: str,
    spread: float,
    items: int = 1000,
    dims: int = 64,
    k: int = 10,
    seed: int = 0,
) -> int:
    """Of the k nearest items by one metric, how many are among the k nearest by another.

    Formula: |top-k ∩ top-k| for random directions of log-normal length, σ = spread (0: unit vectors).
    Unit: 1
    Source: definition
    """
    for name in (metric, other):
        arguments.one_of("metric", name, METRICS)
    arguments.non_negative(spread=spread)
    arguments.counts(k=k, dims=dims)
    arguments.counts(k, items=items)
    rng = np.random.default_rng(seed)
    directions = unit(rng.standard_normal((items, dims)))
    vectors = directions * np.exp(spread * rng.standard_normal((items, 1)))
    query = unit(rng.standard_normal(dims))
    return len(set(nearest(vectors, query, k, metric)) & set(nearest(vectors, query, k, other)))


@verifier
def cosine_deviation(dims: int) -> float:
    """Standard deviation of the cosine of two random directions.

    Formula: 1 / √d.
    Unit: 1
    Source: definition
    """
    arguments.counts(dims=dims)
    return 1 / math.sqrt(dims)


@verifier(tolerance=1e-6)
def cosine_tail(dims: int, cosine: float, steps: int = 2000) -> float:
    """Probability that two random directions have a cosine above a given one.

    Formula: ∫ sin(θ)^(d − 2) dθ from 0 to arccos(cosine), over that from 0 to π, by Simpson's rule in
    at least 20 √d steps.
    Unit: 1
    Source: definition
    """
    arguments.counts(2, dims=dims)
    arguments.counts(20 * math.isqrt(dims), steps=steps)
    _cosine(cosine)
    weights = np.array([1.0, *[4.0, 2.0] * (steps - 1), 4.0, 1.0])

    def area(angle: float) -> float:
        values = np.sin(np.linspace(0, angle, weights.size)) ** (dims - 2)
        return float(weights @ values * angle)

    return area(math.acos(cosine)) / area(math.pi)


@verifier
def passages_above(query: Sequence[float], passages: Sequence[Sequence[float]], threshold: float) -> int:
    """How many passages reach a cosine with the query; none means that the answer is "not found".

    Formula: |{p: q·p / (‖q‖ ‖p‖) ≥ threshold}|.
    Shapes: query (d), passages (n, d).
    Unit: 1
    Source: definition
    """
    _cosine(threshold)
    return sum(similarity(query, passage) >= threshold for passage in passages)


@verifier
def truncated_bytes_share(dims: int, kept: int) -> float:
    """Share of memory and of multiplications that embeddings cut to their first dimensions still take.

    Formula: kept / dims.
    Unit: 1
    Source: kusupati2022
    """
    arguments.counts(dims=dims, kept=kept)
    if kept > dims:
        raise ValueError(f"{dims} dimensions cannot be cut to {kept}")
    return kept / dims


@verifier
def truncated_recall(
    dims: int,
    kept: int,
    decay: float,
    items: int = 1000,
    k: int = 10,
    queries: int = 20,
    noise: float = 0.3,
    seed: int = 0,
) -> float:
    """Recall of the k nearest items when embeddings are cut to their first dimensions and rescaled.

    Formula: mean |top-k(first kept dimensions) ∩ top-k| / k; coordinate i has deviation i^(−decay), and
    a query is an item with noise of that share.
    Unit: 1
    Source: kusupati2022
    """
    truncated_bytes_share(dims, kept)
    arguments.non_negative(decay=decay, noise=noise)
    arguments.counts(k=k, queries=queries)
    arguments.counts(max(k, queries), items=items)
    rng = np.random.default_rng(seed)
    scale = np.arange(1, dims + 1) ** -float(decay)
    vectors = rng.standard_normal((items, dims)) * scale
    asked = vectors[:queries] + noise * scale * rng.standard_normal((queries, dims))
    found = 0
    for query in asked:
        whole = nearest(vectors, query, k, "cosine")
        found += len({*whole} & {*nearest(vectors[:, :kept], query[:kept], k, "cosine")})
    return found / (k * queries)
