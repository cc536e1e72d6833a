"""Classifiers and guardrails: precision, recall, base rates, calibration, ROC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments
from verifiers.sequences import paired


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@verifier
def precision_recall(hits: int, predicted: int, actual: int, beta: float = 1) -> dict[str, float]:
    """Precision, recall and F-score from hits, predicted and actual positives; zero for nothing of nothing.

    Formula: P = hits / predicted, R = hits / actual, F = (1 + β²) hits / (β² actual + predicted).
    Unit: 1
    Source: manning2008
    """
    arguments.counts(0, hits=hits)
    arguments.counts(hits, predicted=predicted, actual=actual)
    arguments.positive(beta=beta)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, actual),
        "f": _ratio((1 + beta**2) * hits, beta**2 * actual + predicted),
    }


def _labelled(values: Sequence[float], labels: Sequence[int]) -> list[tuple[float, int]]:
    pairs = paired(predictions=values, labels=labels)
    arguments.counts(predictions=len(pairs))
    if not {*labels} <= {0, 1}:
        raise ValueError(f"labels are 0 or 1: {labels!r}")
    return pairs


@verifier
def f1_averages(table: Sequence[Sequence[int]]) -> dict[str, float]:
    """Macro and micro averages of the F1 of several classes; micro is accuracy.

    Formula: macro = mean of 2 n_cc / (row_c + column_c); micro = Σ n_cc / n.
    Shapes: table (classes, classes), actual class by row and predicted one by column.
    Unit: 1
    Source: manning2008
    """
    arguments.counts(2, classes=len(table))
    if any(len(row) != len(table) for row in table):
        raise ValueError("a square table is needed: actual classes by predicted ones")
    arguments.counts(0, **{f"table[{i}][{j}]": n for i, row in enumerate(table) for j, n in enumerate(row)})
    scores = [
        precision_recall(actual[place], sum(row[place] for row in table), sum(actual))["f"]
        for place, actual in enumerate(table)
    ]
    hits = sum(row[place] for place, row in enumerate(table))
    return {"macro": math.fsum(scores) / len(table), "micro": _ratio(hits, sum(map(sum, table)))}


@verifier
def predictive_value(recall: float, false_positive_rate: float, base_rate: float) -> float:
    """Precision of a detector by Bayes' rule: the share of its alarms that are true.

    Formula: r π / (r π + f (1 − π)).
    Unit: 1
    Source: definition
    """
    arguments.shares(recall=recall, false_positive_rate=false_positive_rate, base_rate=base_rate)
    true = recall * base_rate
    alarms = true + false_positive_rate * (1 - base_rate)
    arguments.positive(alarms=alarms)
    return true / alarms


@verifier
def allowed_false_positive_rate(recall: float, precision: float, base_rate: float) -> float:
    """Largest false-positive rate that still gives a wanted precision.

    Formula: r π (1 − P) / (P (1 − π)).
    Unit: 1
    Source: definition
    """
    arguments.shares(recall=recall, precision=precision, base_rate=base_rate)
    arguments.positive(precision=precision, **{"1 − base_rate": 1 - base_rate})
    return recall * base_rate * (1 - precision) / (precision * (1 - base_rate))


@verifier
def false_alarms(requests: int, false_positive_rate: float, base_rate: float = 0) -> float:
    """Expected harmless requests that a guardrail blocks.

    Formula: requests · (1 − π) · f.
    Unit: 1
    Source: definition
    """
    arguments.counts(0, requests=requests)
    arguments.shares(false_positive_rate=false_positive_rate, base_rate=base_rate)
    return requests * (1 - base_rate) * false_positive_rate


@verifier
def stacked_filters(rates: Sequence[float]) -> float:
    """Chance that at least one of independent filters fires: false positives add up, and so do catches.

    Formula: 1 − Π (1 − rate_i).
    Unit: 1
    Source: definition
    """
    arguments.counts(filters=len(rates))
    arguments.shares(**{f"rates[{index}]": rate for index, rate in enumerate(rates)})
    return 1 - math.prod(1 - rate for rate in rates)


@verifier
def calibration_error(confidences: Sequence[float], correct: Sequence[int], bins: int = 10) -> float:
    """Expected calibration error over bins of equal width, each open below and closed above.

    Formula: Σ_bins |Σ correct − Σ confidence| / n.
    Shapes: confidences (n), correct (n) of 0 and 1.
    Unit: 1
    Source: guo2017
    """
    pairs = _labelled(confidences, correct)
    arguments.shares(**{f"confidences[{index}]": value for index, value in enumerate(confidences)})
    arguments.counts(bins=bins)
    gaps: dict[int, list[float]] = {}
    for confidence, label in pairs:
        # as the decimal that was written: 0.07 · 100 is a hair above 7 in binary
        place = max(1, math.ceil(Fraction(str(confidence)) * bins))
        gaps.setdefault(place, []).append(label - confidence)
    return math.fsum(abs(math.fsum(gap)) for gap in gaps.values()) / len(correct)


@verifier
def brier_score(probabilities: Sequence[float], outcomes: Sequence[int]) -> float:
    """Mean squared distance of probabilities from what happened: half of Brier's, which adds both classes.

    Formula: Σ (p − outcome)² / n.
    Shapes: probabilities (n), outcomes (n) of 0 and 1.
    Unit: 1
    Source: brier1950
    """
    pairs = _labelled(probabilities, outcomes)
    arguments.shares(**{f"probabilities[{index}]": p for index, p in enumerate(probabilities)})
    return math.fsum((p - y) ** 2 for p, y in pairs) / len(pairs)


@verifier
def roc_auc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties by half.

    Formula: (#{s⁺ > s⁻} + ½ #{s⁺ = s⁻}) / (positives · negatives).
    Shapes: scores (n), labels (n) of 0 and 1.
    Unit: 1
    Source: fawcett2006
    """
    pairs = _labelled(scores, labels)
    arguments.finite(**{f"scores[{index}]": score for index, score in enumerate(scores)})
    positives = [score for score, label in pairs if label]
    negatives = [score for score, label in pairs if not label]
    arguments.counts(positives=len(positives), negatives=len(negatives))
    wins = sum((good > bad) + (good >= bad) for good in positives for bad in negatives)
    return wins / (2 * len(positives) * len(negatives))
