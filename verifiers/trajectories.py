"""Agents' trajectories: success over many steps, retries, efficiency, and scores that add them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proofdeck import verifier
from verifiers import arguments, reliability, retries
from verifiers.judging import weighted_mean

Efficiency = Callable[[int, int], float]


@verifier
def success(step: float, steps: int, tries: int = 1) -> float:
    """Chance that every step of a trajectory succeeds, each tried several times if need be, independently.

    Formula: (1 − (1 − p)^tries)^steps.
    Unit: 1
    Source: definition
    """
    return reliability.all_steps(retries.success(step, tries), steps)


@verifier
def efficiency(optimal: int, taken: int) -> float:
    """Steps that would have been enough over steps taken, at most one.

    Formula: min(1, optimal / taken).
    Unit: 1
    Source: definition
    """
    arguments.counts(optimal=optimal, taken=taken)
    return min(1.0, optimal / taken)


@verifier
def score(
    success: float, optimal: int, taken: int, tools: float, weights: Sequence[float] = (0.5, 0.3, 0.2)
) -> float:
    """Weighted score of a trajectory: its success, efficiency, and choice of tools.

    Formula: (w₁ success + w₂ min(1, optimal / taken) + w₃ tools) / Σ w.
    Unit: 1
    Source: definition
    """
    arguments.shares(success=success, tools=tools)
    return weighted_mean((success, efficiency(optimal, taken), tools), weights)


@verifier
def score_per_cost(
    success: float,
    optimal: int,
    taken: int,
    tools: float,
    cost: float,
    weights: Sequence[float] = (0.5, 0.3, 0.2),
) -> float:
    """Weighted score of a trajectory for each unit of what it cost.

    Formula: score / cost.
    Unit: 1
    Source: definition
    """
    arguments.positive(cost=cost)
    return score(success, optimal, taken, tools, weights) / cost


EFFICIENCY: dict[str, Efficiency] = {"optimal over taken": efficiency}


@verifier
def efficiency_rewards_short_ways(
    optimal: int = 5, short: Sequence[int] = (1, 3, 5), wasteful: Sequence[int] = (6, 7, 8, 12, 30)
) -> dict[str, object]:
    """Check that efficiency never rises with the steps taken, is one at best, and falls beyond the best.

    Unit: check
    Source: definition
    """
    for name, rule in EFFICIENCY.items():
        best = {rule(optimal, taken) for taken in short}
        assert best == {1}, f"{name} of the shortest ways is {best}"
        wasted = [rule(optimal, taken) for taken in wasteful]
        falling = wasted == sorted({*wasted}, reverse=True) and wasted[0] < 1
        assert falling, f"{name} does not fall with every wasted step"
    return {"optimal": optimal, "taken": ", ".join(map(str, (*short, *wasteful)))}
