"""Filters in sequence: what each lets through, and how much traffic reaches the next one."""

from __future__ import annotations

from collections.abc import Sequence

from proofdeck import verifier
from verifiers import arguments


@verifier
def caught(recalls: Sequence[float]) -> float:
    """Share of the violations that at least one of several independent filters catches.

    Formula: 1 − Π (1 − recall).
    Unit: 1
    Source: definition
    """
    missed = 1.0
    for recall in recalls:
        arguments.shares(recall=recall)
        missed *= 1 - recall
    return 1 - missed


@verifier
def passed(base_rate: float, recall: float, false_positive_rate: float = 0.0) -> float:
    """Share of all messages that a filter lets through to the next one.

    Formula: base · (1 − recall) + (1 − base) · (1 − false-positive rate).
    Unit: 1
    Source: definition
    """
    arguments.shares(base_rate=base_rate, recall=recall, false_positive_rate=false_positive_rate)
    return base_rate * (1 - recall) + (1 - base_rate) * (1 - false_positive_rate)


@verifier
def precision(base_rate: float, recall: float, false_positive_rate: float) -> float:
    """Share of the messages that a filter stops which are violations, by Bayes.

    Formula: base · recall / (base · recall + (1 − base) · false-positive rate).
    Unit: 1
    Source: definition
    """
    stopped = 1 - passed(base_rate, recall, false_positive_rate)
    arguments.positive(stopped=stopped)
    return base_rate * recall / stopped
