"""Locality-sensitive hashing of MinHash bands: the S-curve, its threshold and errors, and the work left."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments, minhash


def _missed(similarity: float, bands: int, rows: int) -> float:
    return float((1 - similarity**rows) ** bands)


@verifier
def probability(similarity: float, bands: int, rows: int) -> float:
    """Probability that two documents agree in at least one band, and so get compared.

    Formula: 1 − (1 − s^r)^b.
    Unit: 1
    Source: leskovec2020
    """
    arguments.shares(similarity=similarity)
    arguments.counts(bands=bands, rows=rows)
    if similarity == 1:
        return 1.0
    return -math.expm1(bands * math.log1p(-(similarity**rows)))  # 1 − (…)^b loses what is far below 1


@verifier
def similarity_at(probability: float, bands: int, rows: int) -> float:
    """Similarity of which a given share of pairs becomes candidates.

    Formula: (1 − (1 − p)^(1/b))^(1/r).
    Unit: 1
    Source: leskovec2020
    """
    arguments.shares(probability=probability)
    arguments.counts(bands=bands, rows=rows)
    return float((1 - (1 - probability) ** (1 / bands)) ** (1 / rows))


@verifier
def threshold(bands: int, rows: int) -> float:
    """Similarity around which the S-curve rises most steeply, by the usual approximation.

    Formula: (1/b)^(1/r).
    Unit: 1
    Source: leskovec2020
    """
    arguments.counts(bands=bands, rows=rows)
    return float(bands ** (-1 / rows))


@verifier
def steepest(bands: int, rows: int) -> float:
    """Similarity at which the S-curve rises most steeply, exactly.

    Formula: ((r − 1) / (b·r − 1))^(1/r).
    Unit: 1
    Source: definition
    """
    arguments.counts(bands=bands)
    arguments.counts(2, rows=rows)
    return float(((rows - 1) / (bands * rows - 1)) ** (1 / rows))


def _missed_area(similarity: float, bands: int, rows: int) -> float:
    """Return ∫₀^t (1 − s^r)^b ds, by the recursion in b that integration by parts gives."""
    area = similarity
    for band in range(1, bands + 1):
        area = (similarity * _missed(similarity, band, rows) + band * rows * area) / (1 + band * rows)
    return area


@verifier
def errors(similarity: float, bands: int, rows: int) -> dict[str, float]:
    """Areas by which the S-curve misses a step at the wanted similarity: pairs let in, and pairs lost.

    Formula: ∫₀^t P(s) ds and ∫_t^1 (1 − P(s)) ds, P(s) = 1 − (1 − s^r)^b.
    Unit: 1
    Source: zhu2016
    """
    arguments.shares(similarity=similarity)
    arguments.counts(bands=bands, rows=rows)
    below = _missed_area(similarity, bands, rows)
    return {"false_positive": similarity - below, "false_negative": _missed_area(1, bands, rows) - below}


@verifier
def best_bands(similarity: float, permutations: int, weight: float = 0.5) -> dict[str, int]:
    """Bands and rows, of at most so many permutations, whose S-curve is nearest to a step.

    Formula: argmin over b · r ≤ k of w · false positives + (1 − w) · false negatives.
    Unit: 1
    Source: zhu2016
    """
    arguments.shares(similarity=similarity, weight=weight)
    arguments.counts(permutations=permutations)

    def cost(shape: tuple[int, int]) -> float:
        found = errors(similarity, *shape)
        return weight * found["false_positive"] + (1 - weight) * found["false_negative"]

    shapes = [(b, r) for b in range(1, permutations + 1) for r in range(1, permutations // b + 1)]
    bands, rows = min(shapes, key=cost)
    return {"bands": bands, "rows": rows}


@verifier
def comparisons(documents: int, similarity: float, bands: int, rows: int) -> float:
    """Expected number of pairs left to compare, were all pairs of one similarity.

    Formula: n · (n − 1) / 2 · (1 − (1 − s^r)^b).
    Unit: 1
    Source: leskovec2020
    """
    return minhash.pairs(documents) * probability(similarity, bands, rows)


@verifier
def simulated(shared: int, alone: int, bands: int, rows: int, trials: int = 500, seed: int = 0) -> float:
    """Share of trials in which two sets with `shared` common and `alone` own members share a band.

    Unit: 1
    Source: leskovec2020
    """
    arguments.counts(0, shared=shared, alone=alone)
    arguments.counts(members=shared + alone, bands=bands, rows=rows, trials=trials)
    universe = shared + 2 * alone
    sets = (range(shared + alone), (*range(shared), *range(shared + alone, universe)))
    first, second = minhash.minima(sets, universe, trials * bands * rows, seed)
    agree = (first == second).reshape(trials, bands, rows)
    return float(agree.all(axis=2).any(axis=1).mean())
