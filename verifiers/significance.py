"""Tests of significance: McNemar's, many comparisons at once, and the luck of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from proofdeck import verifier
from verifiers import arguments
from verifiers.intervals import binomial


@verifier
def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of the hypothesis that two systems are equal, from what only one solves.

    Formula: min(1, 2 · P(Binomial(b + c, ½) ≤ min(b, c))).
    Unit: 1
    Source: mcnemar1947
    """
    arguments.counts(0, only_first=only_first, only_second=only_second)
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**n)))


@verifier
def family_wise_error(alpha: float, tests: int) -> float:
    """Probability of at least one false positive among independent tests of hypotheses that hold.

    Formula: 1 − (1 − α)^m.
    Unit: 1
    Source: definition
    """
    arguments.shares(alpha=alpha)
    arguments.counts(tests=tests)
    return 1 - (1 - alpha) ** tests


@verifier
def bonferroni(alpha: float, tests: int) -> float:
    """Level of each test that keeps the chance of any false positive at α at most, however they depend.

    Formula: α / m.
    Unit: 1
    Source: dunn1961
    """
    arguments.shares(alpha=alpha)
    arguments.counts(tests=tests)
    return alpha / tests


def _ordered(p_values: Sequence[float]) -> list[float]:
    arguments.counts(tests=len(p_values))
    arguments.shares(**{f"p_values[{index}]": p for index, p in enumerate(p_values)})
    return sorted(p_values)


@verifier
def holm(p_values: Sequence[float], alpha: float = 0.05) -> int:
    """Hypotheses that Holm's procedure rejects, the chance of any false rejection being α at most.

    Formula: reject in rising order while p_(i) ≤ α / (m − i + 1).
    Unit: 1
    Source: holm1979
    """
    arguments.shares(alpha=alpha)
    ordered = _ordered(p_values)
    for index, p in enumerate(ordered):
        if p > alpha / (len(ordered) - index):
            return index
    return len(ordered)


@verifier
def benjamini_hochberg(p_values: Sequence[float], rate: float = 0.05) -> int:
    """Hypotheses that are rejected with an expected share of false rejections of a rate at most.

    Tests are independent, or depend positively on each other.

    Formula: max{i: p_(i) ≤ i · rate / m}.
    Unit: 1
    Source: benjamini1995
    """
    arguments.shares(rate=rate)
    ordered = _ordered(p_values)
    m = len(ordered)
    return max((rank for rank, p in enumerate(ordered, 1) if p <= rank * rate / m), default=0)


@verifier
def best_of_equals(models: int, p: float, n: int) -> float:
    """Expected score of the best of equal, independent models on n questions: selection lifts it above p.

    Formula: Σ_{k ≥ 1} (1 − P(X < k)^models) / n, X Binomial(n, p).
    Unit: 1
    Source: definition
    """
    arguments.counts(models=models, n=n)
    arguments.shares(p=p)
    below = accumulate(binomial(n, p)[:-1])
    return math.fsum(1 - mass**models for mass in below) / n
