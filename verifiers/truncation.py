"""Which tokens a truncation rule keeps: top-k, top-p, min-p."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

from verifiers import arguments

RULES = ("top-k", "top-p", "min-p")


SLACK = 1 - 1e-12
"""By how much a threshold is lowered so that a rounded number that should stand on it does."""


def count_kept(ordered: Sequence[Any], rule: str, threshold: Any) -> int:
    """How many of the probabilities, the largest first, a rule keeps.

    Works on floats and on Fractions; top-p keeps the shortest prefix whose mass reaches p.
    """
    if rule == "top-k":
        return min(int(threshold), len(ordered))
    if rule == "min-p":
        return sum(p >= threshold * ordered[0] for p in ordered)
    return min(bisect_left(list(accumulate(ordered)), threshold) + 1, len(ordered))


def count_kept_rounded(ordered: Sequence[float], rule: str, threshold: float) -> int:
    """`count_kept` for rounded probabilities: one that should stand exactly on the threshold is kept."""
    if rule == "top-p" and threshold == 1:
        return len(ordered)  # a tail lighter than the slack belongs to it
    return count_kept(ordered, rule, threshold if rule == "top-k" else threshold * SLACK)


def check_rule(rule: str, threshold: float) -> None:
    arguments.one_of("rule", rule, RULES)
    arguments.positive(threshold=threshold)
    if rule == "top-k" and threshold != int(threshold):
        raise ValueError(f"top-k needs a whole number, not {threshold}")
    if rule != "top-k":
        arguments.shares(threshold=threshold)


def decimal(number: float) -> Fraction:
    """The number that a literal was written as, not the binary one nearest to it."""
    return Fraction(repr(float(number)))
