"""The clipped surrogate of PPO and GRPO: its value, its slope and what it does not bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array, agree, differences, log_softmax, random_logits, softmax


def surrogate_of(ratios: Array, advantages: Array, epsilon: float) -> Array:
    """The smaller of the plain and the clipped objective, sample by sample."""
    clipped = np.clip(ratios, 1 - epsilon, 1 + epsilon)
    return np.asarray(np.minimum(ratios * advantages, clipped * advantages))


def slope_of(ratios: Array, advantages: Array, epsilon: float) -> Array:
    """Derivative of the surrogate in the ratio: the advantage, or zero where moving on gains nothing."""
    bound = np.where(advantages > 0, ratios > 1 + epsilon, ratios < 1 - epsilon)
    return np.where(bound, 0.0, advantages)


def group_objective(
    actions: Sequence[int],
    advantages: Array,
    old: Array,
    reference: Array,
    epsilon: float,
    beta: float,
    logits: Array,
) -> float:
    """Clipped surrogate of a group less the k3 penalty towards the reference, as GRPO maximises."""
    chosen = list(actions)
    log_p = log_softmax(logits)[chosen]
    gap = reference[chosen] - log_p
    penalty = np.exp(gap) - gap - 1
    return float((surrogate_of(np.exp(log_p - old[chosen]), advantages, epsilon) - beta * penalty).mean())


@verifier
def surrogate(ratio: float, advantage: float, epsilon: float = 0.2) -> float:
    """PPO's clipped objective of one sample.

    Formula: min(ρ·A, clip(ρ, 1 − ε, 1 + ε)·A).
    Unit: 1
    Source: schulman2017
    """
    arguments.positive(ratio=ratio, **{"1 − epsilon": 1 - epsilon})
    arguments.non_negative(epsilon=epsilon)
    arguments.finite(advantage=advantage)
    return float(surrogate_of(np.array(ratio), np.array(advantage), epsilon))


@verifier
def slope(ratio: float, advantage: float, epsilon: float = 0.2) -> float:
    """Derivative of PPO's clipped objective in the ratio: what still pushes a sample.

    Formula: A, but 0 where A > 0 and ρ > 1 + ε, and where A < 0 and ρ < 1 − ε.
    Unit: 1
    Source: schulman2017
    """
    arguments.positive(ratio=ratio, **{"1 − epsilon": 1 - epsilon})
    arguments.non_negative(epsilon=epsilon)
    arguments.finite(advantage=advantage)
    return float(slope_of(np.array(ratio), np.array(advantage), epsilon))


@verifier
def slope_is_exact(
    ratios: Sequence[float] = (0.3, 0.79, 0.81, 1.0, 1.19, 1.21, 3.0),
    advantages: Sequence[float] = (-2.0, -0.5, 0.5, 2.0),
    epsilon: float = 0.2,
    tolerance: float = 1e-8,
) -> dict[str, object]:
    """Check the slope of the clipped objective on a grid of ratios and advantages.

    Formula: A, but 0 where A > 0 and ρ > 1 + ε, and where A < 0 and ρ < 1 − ε.
    Unit: check
    Source: schulman2017; derivative by differences
    """
    for a in advantages:
        for ratio in ratios:
            at, sign = np.array([ratio]), np.array([a])
            found = differences(partial(surrogate_of, advantages=sign, epsilon=epsilon), at)
            agree(
                slope_of(at, sign, epsilon), found, tolerance, f"the slope at ratio {ratio}, advantage {a},"
            )
    return {"ratios": len(ratios), "advantages": len(advantages), "epsilon": epsilon, "tolerance": tolerance}


@verifier
def first_update_is_plain(
    actions: int = 5, group: int = 6, seeds: int = 5, epsilon: float = 0.2, tolerance: float = 1e-8
) -> dict[str, object]:
    """Check that the first update after sampling is a plain policy gradient: no clip, no old policy in it.

    Formula: at ρ = 1 the gradient in the logits is (1/n) Σ A_i·(e_i − p): each sample's ln p has A/n.
    Unit: check
    Source: schulman2017; derivative by differences
    """
    for seed in range(seeds):
        logits, _ = random_logits(actions, seed)
        generator = np.random.default_rng(seed)
        drawn = generator.integers(actions, size=group)
        advantages = generator.standard_normal(group)
        old = log_softmax(logits)
        objective = partial(group_objective, drawn.tolist(), advantages, old, old, epsilon, 0.0)
        plain = advantages @ (np.eye(actions)[drawn] - softmax(logits)) / group
        agree(plain, differences(objective, logits), tolerance, "the plain policy gradient")
    return {"actions": actions, "group": group, "seeds": seeds, "tolerance": tolerance}


@verifier
def reference_enters_by_penalty_alone(
    actions: int = 5, group: int = 4, beta: float = 0.04, epsilon: float = 0.2, seed: int = 0
) -> dict[str, object]:
    """Check that a GRPO loss without its KL term does not know any reference policy.

    Formula: with β = 0 another reference changes nothing; with β > 0 it changes the objective.
    Unit: check
    Source: shao2024
    """
    logits, near = random_logits(actions, seed)
    drawn = np.random.default_rng(seed).integers(actions, size=group).tolist()
    far = np.flip(near)

    def objective(weight: float, reference: Array) -> float:
        ones = np.ones(group)
        return group_objective(drawn, ones, log_softmax(logits), np.log(reference), epsilon, weight, logits)

    assert objective(0.0, near) == objective(0.0, far), "the reference matters without a penalty"
    assert objective(beta, near) != objective(beta, far), "the penalty does not know the reference"
    return {"actions": actions, "group": group, "beta": beta}


@verifier(tolerance=1e-6)
def overshoot(
    learning_rate: float,
    steps: int = 100,
    epsilon: float = 0.2,
    actions: int = 8,
    group: int = 8,
    seed: int = 0,
) -> float:
    """Largest |ratio − 1| while gradient ascent maximises the clipped objective on one fixed batch.

    Formula: softmax policy, normal advantages, `steps` steps; the clip only takes the push away where it
    binds, so a step can carry ratios past 1 ± ε, and shared logits move the ratios of other samples.
    Unit: 1
    Source: schulman2017, definition
    """
    arguments.positive(learning_rate=learning_rate, epsilon=epsilon, **{"1 − epsilon": 1 - epsilon})
    arguments.counts(steps=steps)
    arguments.counts(2, actions=actions, group=group)
    generator = np.random.default_rng(seed)
    logits = generator.standard_normal(actions)
    old = log_softmax(logits)
    drawn = generator.integers(actions, size=group)
    advantages = generator.standard_normal(group)
    furthest = 0.0
    for _ in range(steps):
        ratios = np.exp(log_softmax(logits) - old)[drawn]
        push = slope_of(ratios, advantages, epsilon) * ratios
        logits = logits + learning_rate * push @ (np.eye(actions)[drawn] - softmax(logits)) / group
        moved = np.exp(log_softmax(logits) - old)[drawn]
        furthest = max(furthest, float(abs(moved - 1).max()))
    return furthest


@verifier
def trust_region(epsilon: float) -> dict[str, float]:
    """Log-probability change at which the clip stops pushing, up and down.

    Formula: ln(1 + ε), −ln(1 − ε).
    Unit: up=nat, down=nat
    Source: schulman2017
    """
    arguments.non_negative(epsilon=epsilon)
    arguments.positive(**{"1 − epsilon": 1 - epsilon})
    return {"up": math.log1p(epsilon), "down": -math.log1p(-epsilon)}
