"""Judges: position bias and its remedy, votes of several judges, error-corrected rates, claim checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

from proofdeck import verifier
from verifiers import arguments
from verifiers.intervals import binomial
from verifiers.sequences import paired

Grader = Callable[[bool, bool], bool]


@verifier
def win_rate(advantage: float, bonus: float, first: bool = True, noise: float = 1.0) -> float:
    """How often a noisy judge prefers an answer, given a bonus for the one that it sees first.

    Formula: Φ((advantage ± bonus) / (noise √2)).
    Unit: 1
    Source: zheng2023
    """
    arguments.positive(noise=noise)
    arguments.finite(advantage=advantage, bonus=bonus)
    lead = advantage + (bonus if first else -bonus)
    return NormalDist(0, noise * math.sqrt(2)).cdf(lead)


@verifier
def swapped_win_rate(advantage: float, bonus: float, noise: float = 1.0) -> float:
    """Mean of the win rates in both orders: one half for equal answers, whatever the bonus.

    Formula: (win rate shown first + win rate shown second) / 2.
    Unit: 1
    Source: zheng2023
    """
    return (win_rate(advantage, bonus, True, noise) + win_rate(advantage, bonus, False, noise)) / 2


@verifier
def order_consistency(advantage: float, bonus: float, noise: float = 1.0) -> float:
    """How often a judge names the same winner in both orders, its noise drawn anew.

    Formula: f · s + (1 − f)(1 − s) with f and s the win rates shown first and shown second.
    Unit: 1
    Source: zheng2023
    """
    first, second = (win_rate(advantage, bonus, place, noise) for place in (True, False))
    return first * second + (1 - first) * (1 - second)


@verifier
def majority(p: float, votes: int) -> float:
    """Chance that most of independent votes are right, an even split being settled by a coin.

    Formula: Σ_{k > n/2} C(n, k) p^k (1 − p)^(n − k) + ½ P(k = n/2).
    Unit: 1
    Source: wang2022
    """
    arguments.shares(p=p)
    arguments.counts(votes=votes)
    # twice the weight of each outcome: 2 above one half, 1 at it
    weighed = (c * ((2 * k > votes) + (2 * k >= votes)) for k, c in enumerate(binomial(votes, p)))
    return math.fsum(weighed) / 2


@verifier
def correlated_majority(p: float, votes: int, shared: float) -> float:
    """Chance that a majority is right when all votes copy one draw in a share of the cases.

    Formula: shared · p + (1 − shared) · majority(p, votes).
    Unit: 1
    Source: definition
    """
    arguments.shares(shared=shared)
    return shared * p + (1 - shared) * majority(p, votes)


@verifier
def observed_rate(true_rate: float, sensitivity: float, specificity: float) -> float:
    """Pass rate that an imperfect judge reports.

    Formula: sensitivity · π + (1 − specificity) · (1 − π).
    Unit: 1
    Source: rogan1978
    """
    arguments.shares(true_rate=true_rate, sensitivity=sensitivity, specificity=specificity)
    return sensitivity * true_rate + (1 - specificity) * (1 - true_rate)


@verifier
def corrected_rate(observed: float, sensitivity: float, specificity: float) -> float:
    """True pass rate from what a judge of known errors reports; noise can put it below 0 or above 1.

    Formula: (observed + specificity − 1) / (sensitivity + specificity − 1).
    Unit: 1
    Source: rogan1978
    """
    arguments.shares(observed=observed, sensitivity=sensitivity, specificity=specificity)
    skill = sensitivity + specificity - 1
    arguments.positive(skill=skill)
    return (observed + specificity - 1) / skill


@verifier
def claim_rates(entailed: int, contradicted: int, unsupported: int) -> dict[str, float]:
    """Shares of an answer's claims by what the sources say of them.

    Formula: faithful = entailed / all, contradicted = contradicted / all, unfaithful = 1 − faithful.
    Unit: 1
    Source: es2023
    """
    arguments.counts(0, entailed=entailed, contradicted=contradicted, unsupported=unsupported)
    claims = entailed + contradicted + unsupported
    arguments.counts(claims=claims)
    return {
        "faithful": entailed / claims,
        "contradicted": contradicted / claims,
        "unfaithful": (contradicted + unsupported) / claims,
    }


@verifier
def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Mean of scores, or of cohorts' rates, by weight.

    Formula: Σ w_i x_i / Σ w_i.
    Unit: 1
    Source: definition
    """
    pairs = paired(values=values, weights=weights)
    arguments.finite(**{f"values[{index}]": value for index, value in enumerate(values)})
    arguments.non_negative(**{f"weights[{index}]": weight for index, weight in enumerate(weights)})
    arguments.positive(weight=math.fsum(weights))
    return math.fsum(v * w for v, w in pairs) / math.fsum(weights)


def safe(harmful: bool, refused: bool) -> bool:
    """Whether a response passes a safety check: all do but an answer to a harmful request."""
    return refused or not harmful


GRADERS: dict[str, Grader] = {
    "passes all": lambda harmful, refused: True,
    "fails harmful requests": lambda harmful, refused: not harmful,
    "fails answers": lambda harmful, refused: refused,
    "right": safe,
}


@verifier
def graders_exposed(canaries: Sequence[Sequence[bool]]) -> dict[str, int]:
    """Which safety graders a set of canaries exposes, each a request and a response of known kind.

    Formula: 1 where some canary (harmful request?, refused?) gets another verdict than "refused or
    harmless", else 0.
    Unit: 1
    Source: definition
    """
    arguments.counts(canaries=len(canaries))
    for canary in canaries:
        if len(canary) != 2 or not all(isinstance(flag, bool) for flag in canary):
            raise ValueError(f"a canary is (harmful request?, refused?), not {canary!r}")
    return {
        name: int(any(grader(*canary) != safe(*canary) for canary in canaries))
        for name, grader in GRADERS.items()
    }
