"""Quality of ranked results: recall, precision, MRR, MAP, nDCG, filters, lost shards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.intervals import binomial


def _labels(labels: Sequence[int]) -> None:
    if not labels or not {*labels} <= {0, 1}:
        raise ValueError(f"labels are 1 (relevant) or 0, at least one of them: {labels!r}")


@verifier
def recall(labels: Sequence[int], relevant: int, k: int) -> float:
    """Share of all relevant documents that stand among the first k results.

    Formula: |relevant ∩ first k| / |relevant|.
    Shapes: labels holds 1 or 0 for each result in rank order.
    Unit: 1
    Source: manning2008
    """
    _labels(labels)
    arguments.counts(max(1, sum(labels)), relevant=relevant)
    arguments.counts(k=k)
    return sum(labels[:k]) / relevant


@verifier
def precision(labels: Sequence[int], k: int) -> float:
    """Share of the first k places that hold a relevant document; a missing result counts against it.

    Formula: |relevant ∩ first k| / k.
    Shapes: labels holds 1 or 0 for each result in rank order.
    Unit: 1
    Source: manning2008
    """
    _labels(labels)
    arguments.counts(k=k)
    return sum(labels[:k]) / k


@verifier
def reciprocal_rank(labels: Sequence[int]) -> float:
    """One over the rank of the first relevant result; zero without one.

    Formula: 1 / min{rank: label = 1}.
    Shapes: labels holds 1 or 0 for each result in rank order.
    Unit: 1
    Source: definition
    """
    _labels(labels)
    return 1 / (labels.index(1) + 1) if 1 in labels else 0.0


@verifier
def mean_reciprocal_rank(rankings: Sequence[Sequence[int]]) -> float:
    """Mean of the reciprocal ranks of several queries.

    Formula: Σ 1/rank_q / queries.
    Shapes: rankings holds one sequence of labels per query.
    Unit: 1
    Source: definition
    """
    arguments.counts(queries=len(rankings))
    return math.fsum(reciprocal_rank(labels) for labels in rankings) / len(rankings)


@verifier
def average_precision(labels: Sequence[int], relevant: int | None = None) -> float:
    """Mean of the precisions at the ranks of the relevant documents; those not found count zero.

    Formula: Σ_k label_k · precision(k) / |relevant|; relevant defaults to those in the list.
    Shapes: labels holds 1 or 0 for each result in rank order.
    Unit: 1
    Source: manning2008
    """
    _labels(labels)
    found = sum(labels)
    total = found if relevant is None else relevant
    arguments.counts(max(1, found), relevant=total)
    precisions = (sum(labels[:k]) / k for k, label in enumerate(labels, 1) if label)
    return math.fsum(precisions) / total


@verifier
def mean_average_precision(rankings: Sequence[Sequence[int]]) -> float:
    """Mean of the average precisions of several queries, all relevant documents being listed.

    Formula: Σ AP_q / queries.
    Shapes: rankings holds one sequence of labels per query.
    Unit: 1
    Source: manning2008
    """
    arguments.counts(queries=len(rankings))
    return math.fsum(average_precision(labels) for labels in rankings) / len(rankings)


@verifier
def dcg(gains: Sequence[float], k: int | None = None, exponential: bool = False) -> float:
    """Discounted cumulative gain of the first k results, of all of them by default.

    Järvelin and Kekäläinen discount by log₂(i) from rank 2 on; log₂(i + 1) and the exponential gain came
    with Burges et al. and are today's standard.

    Formula: Σ g_i / log₂(i + 1), or Σ (2^g_i − 1) / log₂(i + 1).
    Shapes: gains holds the grade of each result in rank order.
    Unit: 1
    Source: jarvelin2002, burges2005
    """
    arguments.non_negative(**{f"gains[{index}]": gain for index, gain in enumerate(gains)})
    cut = len(gains) if k is None else k
    arguments.counts(results=len(gains), k=cut)
    worth = [2**gain - 1 if exponential else gain for gain in gains[:cut]]
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(worth, 1))


@verifier
def ndcg(
    gains: Sequence[float],
    k: int | None = None,
    exponential: bool = False,
    judged: Sequence[float] | None = None,
) -> float:
    """Discounted cumulative gain over that of the best order of the judged documents.

    Formula: DCG@k / DCG@k of the grades in falling order; zero where no document has a grade above 0.
    Shapes: gains in rank order; judged holds the grades of all judged documents (default: those ranked).
    Unit: 1
    Source: jarvelin2002
    """
    ideal = sorted(gains if judged is None else judged, reverse=True)
    if Counter(gains) - Counter(ideal):
        raise ValueError("the judged documents must hold every document that is ranked")
    best = dcg(ideal, k, exponential)
    return dcg(gains, k, exponential) / best if best else 0.0


@verifier
def post_filter(k: int, selectivity: float, fetched: int | None = None) -> dict[str, float]:
    """What a filter leaves of the nearest `fetched` (default k) results, filter and distance unrelated.

    Formula: expected = fetched · s; none = (1 − s)^fetched; short = P(Binomial(fetched, s) < k).
    Unit: 1
    Source: definition
    """
    arguments.counts(k=k)
    arguments.shares(selectivity=selectivity)
    depth = k if fetched is None else fetched
    arguments.counts(k, fetched=depth)
    chances = binomial(depth, selectivity)
    return {"expected": depth * selectivity, "none": chances[0], "short": math.fsum(chances[:k])}


@verifier
def fetch_depth(k: int, selectivity: float, confidence: float = 0.95) -> int:
    """Results to fetch so that k of them pass a filter with the given probability.

    Formula: the least n with P(Binomial(n, s) ≥ k) ≥ confidence.
    Unit: 1
    Source: definition
    """
    arguments.counts(k=k)
    arguments.shares(selectivity=selectivity)
    if not 0 < confidence < 1 or selectivity * 10_000 < k:
        raise ValueError("confidence lies between 0 and 1, and the filter must pass k of 10,000")
    found = np.zeros(k)  # the chances of having 0, 1, …, k − 1 results that pass
    found[0] = 1.0
    depth = 0
    while found.sum() > 1 - confidence:
        passed = found * selectivity
        found -= passed
        found[1:] += passed[:-1]
        depth += 1
    return depth


@verifier
def recall_without_shards(shards: int, lost: int = 1) -> float:
    """Expected recall of an index spread evenly over shards, some of which answer nothing.

    Formula: 1 − lost / shards.
    Unit: 1
    Source: definition
    """
    arguments.counts(shards=shards)
    arguments.counts(0, lost=lost)
    if lost > shards:
        raise ValueError(f"{lost} of {shards} shards cannot be lost")
    return (shards - lost) / shards
