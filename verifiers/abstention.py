"""Guessing or abstaining: what grading rewards, and how many facts were never seen in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments


@verifier
def guess_score(confidence: float, penalty: float = 0.0) -> float:
    """Expected score of an answer: one point if right, minus a penalty if wrong; abstaining scores zero.

    Formula: p − (1 − p) · penalty, p the probability of being right.
    Unit: 1
    Source: kalai2025, definition
    """
    arguments.shares(confidence=confidence)
    arguments.non_negative(penalty=penalty)
    return confidence - (1 - confidence) * penalty


@verifier
def threshold(penalty: float) -> float:
    """Confidence from which answering scores more than abstaining.

    Formula: penalty / (1 + penalty).
    Unit: 1
    Source: kalai2025, definition
    """
    arguments.non_negative(penalty=penalty)
    return penalty / (1 + penalty)


@verifier
def exam(confidences: Sequence[float], answer_from: float, penalty: float = 0.0) -> dict[str, float]:
    """What a calibrated model that abstains below a confidence scores, and how often it is wrong.

    Formula: means over all questions of p, 1 − p and p − (1 − p)·penalty where p ≥ answer_from, else 0;
    precision is right over answered, one where nothing is answered.
    Unit: 1
    Source: definition
    """
    if not confidences:
        raise ValueError("no questions")
    arguments.shares(answer_from=answer_from)
    arguments.shares(**{f"confidences[{i}]": p for i, p in enumerate(confidences)})
    given = [p for p in confidences if p >= answer_from]
    count = len(confidences)
    right, answered = sum(given) / count, len(given) / count
    score = sum(guess_score(p, penalty) for p in confidences if p >= answer_from) / count
    return {
        "score": score,
        "right": right,
        "wrong": answered - right,
        "answered": answered,
        "precision": right / answered if given else 1.0,
    }


@verifier
def seen_once(facts: int, mentions: int, exponent: float = 1.0) -> dict[str, float]:
    """Expected share of mentions in a corpus whose fact occurs only once, and the chance of an unseen fact.

    Formula: p_i ∝ i^−exponent; once = Σ p_i (1 − p_i)^(n−1) = (expected facts seen once)/n; unseen =
    Σ p_i (1 − p_i)^n: the probability that one more mention is of a fact not seen before.
    Unit: once=1, unseen=1
    Source: good1953
    """
    arguments.counts(facts=facts, mentions=mentions)
    arguments.non_negative(exponent=exponent)
    weights = np.arange(1, facts + 1, dtype=float) ** -exponent
    p = weights / weights.sum()
    missed = (1 - p) ** (mentions - 1)
    return {"once": float((p * missed).sum()), "unseen": float((p * missed * (1 - p)).sum())}


@verifier
def once_estimates_unseen(
    facts: Sequence[int] = (10, 1000, 20000),
    mentions: Sequence[int] = (10, 1000, 20000),
    exponents: Sequence[float] = (0.0, 0.5, 1.0, 2.0),
    tolerance: float = 1e-15,
) -> dict[str, object]:
    """Check that the share of facts seen once bounds the chance of an unseen one, nearly with equality.

    Formula: 0 ≤ once − unseen ≤ 1/n, as the difference is Σ p_i² (1 − p_i)^(n−1) and p·(1 − p)^(n−1) ≤ 1/n.
    Unit: check
    Source: good1953
    """
    for size in facts:
        for count in mentions:
            for exponent in exponents:
                found = seen_once(size, count, exponent)
                gap = found["once"] - found["unseen"]
                assert -tolerance <= gap <= 1 / count, (
                    f"{size} facts, {count} mentions, exponent {exponent}: {gap}"
                )
    return {"facts": list(facts), "mentions": list(mentions), "exponents": list(exponents)}
