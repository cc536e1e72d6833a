"""Rewards with a penalty for harm beyond a threshold."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments


@verifier
def penalised_reward(reward: float, harm: float, threshold: float, weight: float) -> float:
    """Reward less a penalty that grows with the harm above a threshold.

    Formula: r − λ · max(0, harm − threshold).
    Unit: 1
    Source: definition
    """
    arguments.shares(harm=harm, threshold=threshold)
    arguments.non_negative(weight=weight)
    arguments.finite(reward=reward)
    return reward - weight * max(0.0, harm - threshold)


@verifier
def penalty_slope(harm: float, threshold: float, weight: float) -> float:
    """Derivative of the penalised reward by the harm: none below the threshold.

    Formula: −λ · [harm > threshold].
    Unit: 1
    Source: definition
    """
    arguments.shares(harm=harm, threshold=threshold)
    arguments.non_negative(weight=weight)
    return -weight if harm > threshold else 0.0
