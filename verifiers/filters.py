"""Filters in sequence: what each lets through, and how much traffic reaches the next one."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments


@verifier
def passed(base_rate: float, recall: float, false_positive_rate: float = 0.0) -> float:
    """Share of all messages that a filter lets through to the next one.

    Formula: base · (1 − recall) + (1 − base) · (1 − false-positive rate).
    Unit: 1
    Source: definition
    """
    arguments.shares(base_rate=base_rate, recall=recall, false_positive_rate=false_positive_rate)
    return base_rate * (1 - recall) + (1 - base_rate) * (1 - false_positive_rate)
