"""Merging ranked lists: reciprocal rank fusion, blended scores, and the order of passages in a prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.sequences import paired

Array = np.ndarray[Any, np.dtype[Any]]
Blend = Callable[[Array, Array], Array]


@verifier
def rrf(ranks: Sequence[int], constant: float = 60) -> float:
    """Score of a document by reciprocal rank fusion, from its rank in each list that holds it.

    Formula: Σ 1 / (constant + rank).
    Unit: 1
    Source: cormack2009
    """
    arguments.counts(lists=len(ranks))
    arguments.counts(**{f"ranks[{index}]": rank for index, rank in enumerate(ranks)})
    arguments.non_negative(constant=constant)
    return math.fsum(1 / (constant + rank) for rank in ranks)


@verifier
def fused(rankings: Sequence[Sequence[str]], constant: float = 60) -> dict[str, int]:
    """Rank of each document after reciprocal rank fusion of several lists; ties go by name.

    Formula: order by Σ 1 / (constant + rank in each list that holds it), falling.
    Shapes: rankings holds lists of names, the best first.
    Unit: 1
    Source: cormack2009
    """
    arguments.counts(lists=len(rankings))
    ranks: dict[str, list[int]] = {}
    for ranking in rankings:
        if len(set(ranking)) < len(ranking):
            raise ValueError(f"a list names a document twice: {ranking!r}")
        for rank, name in enumerate(ranking, 1):
            ranks.setdefault(name, []).append(rank)
    order = sorted(ranks, key=lambda name: (-rrf(ranks[name], constant), name))
    return {name: rank for rank, name in enumerate(order, 1)}


@verifier
def blended(scores: Sequence[float], weights: Sequence[float], ranges: Sequence[Sequence[float]]) -> float:
    """Hybrid score of a document: each retriever's score, scaled to its range, in a weighted mean.

    Formula: Σ w_i (s_i − min_i) / (max_i − min_i) / Σ w_i.
    Shapes: scores (n), weights (n), ranges (n, 2): least and largest score of each retriever.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(**{f"weights[{index}]": weight for index, weight in enumerate(weights)})
    arguments.positive(weight=math.fsum(weights))
    parts = []
    for score, weight, (low, high) in paired(scores=scores, weights=weights, ranges=ranges):
        arguments.positive(**{"largest - least score": high - low})
        if not low <= score <= high:
            raise ValueError(f"the score {score} must lie in its range, {low} to {high}")
        parts.append(weight * (score - low) / (high - low))
    return math.fsum(parts) / math.fsum(weights)


def _best(values: Array, k: int) -> set[int]:
    """Places of the k largest values."""
    return set(np.argsort(-values, kind="stable")[:k].tolist())


def _reciprocal_ranks(scores: Array) -> Array:
    """One over 60 plus the rank of each score."""
    return np.asarray(1 / (60 + 1 + np.argsort(np.argsort(-scores))))


def by_rank(first: Array, second: Array) -> Array:
    """Blend of two retrievers that sees only their ranks."""
    return np.asarray(_reciprocal_ranks(first) + _reciprocal_ranks(second))


def by_score(first: Array, second: Array) -> Array:
    """Blend of two retrievers that adds their raw scores."""
    return np.asarray(first + second)


BLENDS: dict[str, Blend] = {"rank": by_rank, "score": by_score}


@verifier
def kept_after_rescaling(blend: str, factor: float, items: int = 200, k: int = 10, seed: int = 0) -> int:
    """Of the first k results of two blended retrievers, how many stay when one's scores are rescaled.

    Formula: |top-k(blend(a, b)) ∩ top-k(blend(factor · a, b))| for independent normal scores a, b.
    Unit: 1
    Source: definition
    """
    mix = BLENDS[arguments.one_of("blend", blend, BLENDS)]
    arguments.positive(factor=factor)
    arguments.counts(k=k)
    arguments.counts(k, items=items)
    first, second = np.random.default_rng(seed).standard_normal((2, items))
    return len(_best(mix(first, second), k) & _best(mix(factor * first, second), k))


@verifier
def rank_fusion_ignores_scale(
    factors: Sequence[float] = (0.01, 0.5, 10.0, 1000.0), items: int = 200, k: int = 10, seeds: int = 4
) -> dict[str, object]:
    """Check that rescaling one retriever's scores never changes a fusion of ranks.

    Unit: check
    Source: cormack2009
    """
    arguments.counts(factors=len(factors), seeds=seeds)
    for factor in factors:
        for seed in range(seeds):
            kept = kept_after_rescaling("rank", factor, items, k, seed)
            assert kept == k, f"scaled by {factor}, {k - kept} of {k} results change"
    return {"factors": ", ".join(map(str, factors)), "seeds": seeds}


@verifier
def ends_first(count: int) -> list[int]:
    """Ranks in the order that puts the best passages at both ends of a prompt, which models use best.

    Formula: 1, 3, 5, …, 6, 4, 2.
    Unit: 1
    Source: liu2023
    """
    arguments.counts(count=count)
    ranks = range(1, count + 1)
    return [*ranks[::2], *ranks[1::2][::-1]]


@verifier
def distance_to_end(count: int, rank: int, ends: bool = True) -> int:
    """How many passages lie between a passage of given rank and the nearer end of the prompt.

    Formula: min(position − 1, count − position), ranks in order or with the best at both ends.
    Unit: 1
    Source: liu2023
    """
    arguments.counts(count=count, rank=rank)
    if rank > count:
        raise ValueError(f"there is no rank {rank} among {count} passages")
    before = ends_first(count).index(rank) if ends else rank - 1
    return min(before, count - 1 - before)
