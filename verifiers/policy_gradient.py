"""Policy gradients: REINFORCE and its baselines, generalised advantages and groups of samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array, agree, complex_step, log_softmax, random_logits, softmax

Baseline = Callable[[Array], Array]
"""Baselines of a group of samples from their rewards."""


def _finite(**series: Sequence[float]) -> None:
    """Raise ValueError unless every number of every series is finite."""
    for name, numbers in series.items():
        arguments.finite(**{f"{name}[{index}]": number for index, number in enumerate(numbers)})


def leave_one_out(rewards: Array) -> Array:
    """Mean of the other samples' rewards."""
    return np.asarray((rewards.sum() - rewards) / (len(rewards) - 1))


def group_mean(rewards: Array) -> Array:
    """Mean of all samples' rewards, each sample's own among them."""
    return np.full(len(rewards), rewards.mean())


def expected_estimate(policy: Array, rewards: Array, group: int, baseline: Baseline) -> Array:
    """Mean of the REINFORCE estimate over every group of samples, with its probability; in the logits."""
    total = np.zeros_like(policy)
    for actions in product(range(len(policy)), repeat=group):
        advantages = rewards[list(actions)] - baseline(rewards[list(actions)])
        scores = np.eye(len(policy))[list(actions)] - policy  # gradient of ln p in the logits
        total += np.prod(policy[list(actions)]) * (advantages @ scores) / group
    return total


def true_gradient(logits: Array, rewards: Array) -> Array:
    """Gradient of the expected reward in the logits."""
    return complex_step(lambda z: (np.exp(log_softmax(z)) * rewards).sum(), logits)


def centred(values: Array) -> Array:
    """Values less their mean; exactly zero where all are equal, though the mean is rounded."""
    return np.where(np.ptp(values) > 0, values - values.mean(), 0.0)


def discounted(rewards: Sequence[float], gamma: float) -> list[float]:
    """Sum of the rewards from each step on, later ones discounted."""
    sums = [0.0]
    for reward in reversed(rewards):
        sums.append(reward + gamma * sums[-1])
    return sums[:0:-1]


@verifier
def discounted_return(rewards: Sequence[float], gamma: float = 1.0, step: int = 0) -> float:
    """Sum of the rewards from a step on, later ones discounted.

    Formula: G_t = r_t + γ·G_{t+1}.
    Unit: 1
    Source: sutton2018
    """
    arguments.shares(gamma=gamma)
    arguments.counts(0, step=step, **{"rewards − step − 1": len(rewards) - step - 1})
    _finite(rewards=rewards)
    return discounted(rewards, gamma)[step]


@verifier
def largest_centred_return(rewards: Sequence[float], gamma: float = 1.0) -> float:
    """Largest advantage in one episode when the mean of its own returns is the baseline.

    Formula: max |G_t − mean of G|; zero for a reward at the end alone and γ = 1: nothing is learned.
    Unit: 1
    Source: definition
    """
    arguments.counts(steps=len(rewards))
    arguments.shares(gamma=gamma)
    _finite(rewards=rewards)
    return float(abs(centred(np.array(discounted(rewards, gamma)))).max())


@verifier
def advantage(
    rewards: Sequence[float],
    values: Sequence[float],
    step: int = 0,
    gamma: float = 1.0,
    smoothing: float = 0.95,
) -> float:
    """Generalised advantage estimate of a step; one more value than rewards, the last zero if it ended.

    Formula: Σ_k (γλ)^k δ_{t+k}, δ_t = r_t + γ·V_{t+1} − V_t.
    Unit: 1
    Source: schulman2016
    """
    arguments.shares(gamma=gamma, smoothing=smoothing)
    arguments.counts(0, step=step, **{"rewards − step − 1": len(rewards) - step - 1})
    if len(values) != len(rewards) + 1:
        raise ValueError(f"{len(rewards)} rewards need {len(rewards) + 1} values, not {len(values)}")
    _finite(rewards=rewards, values=values)
    expected = np.array(values, dtype=float)
    errors = np.array(rewards) + gamma * expected[1:] - expected[:-1]
    return discounted(errors[step:].tolist(), gamma * smoothing)[0]


def standardised(rewards: Array, free: int, epsilon: float) -> Array:
    """Rewards less their mean, over their standard deviation with n − free; NaN where that does not exist."""
    away = centred(rewards)
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.divide(away @ away, len(rewards) - free))
        return np.asarray(away / (spread + epsilon))


@verifier
def group_advantage(
    rewards: Sequence[float], sample: int = 0, spread: str = "sample", epsilon: float = 0.0
) -> float:
    """Advantage of a sample within its group, as in GRPO.

    Formula: (r − mean)/(s + ε), s the standard deviation with n − 1 (sample), with n (population), or no
    division (none); an error where s is zero and ε is, or where one reward has no s with n − 1.
    Unit: 1
    Source: shao2024, liu2025
    """
    arguments.counts(0, sample=sample, **{"rewards − sample − 1": len(rewards) - sample - 1})
    arguments.non_negative(epsilon=epsilon)
    _finite(rewards=rewards)
    group = np.array(rewards, dtype=float)
    if arguments.one_of("spread", spread, ("sample", "population", "none")) == "none":
        return float(centred(group)[sample])
    advantage = float(standardised(group, int(spread == "sample"), epsilon)[sample])
    if math.isnan(advantage):
        raise ValueError(f"the rewards {rewards} have no {spread} standard deviation to divide by")
    return advantage


@verifier
def standardised_rewards(
    group: int = 8, seeds: int = 10, factor: float = 3.0, epsilon: float = 1e-8, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check what standardising does to any rewards, of a group or of a whole batch, and where it breaks.

    Formula: mean 0 and standard deviation 1, whatever the scale and offset of the rewards; 0/0 where all
    are equal, and zeros with an ε; no sample standard deviation of a single reward.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rewards = np.random.default_rng(seed).standard_normal(group)
        for free in (0, 1):
            ours = standardised(rewards, free, 0.0)
            agree(ours.mean(), 0.0, tolerance, "the mean")
            agree(ours.std(ddof=free), 1.0, tolerance, "the standard deviation")
            moved = standardised(factor * rewards + factor, free, 0.0)
            agree(moved, ours, tolerance, "another scale and offset of the rewards")
    equal = np.ones(group)
    assert np.isnan(standardised(equal, 0, 0.0)).all(), "equal rewards have advantages without an epsilon"
    agree(standardised(equal, 0, epsilon), 0.0, 0.0, "an advantage among equal rewards")
    assert math.isnan(standardised(equal[:1], 1, epsilon).item()), "a single reward has a standard deviation"
    return {"group": group, "seeds": seeds, "tolerance": tolerance}


@verifier
def binary_advantages(success_rate: float) -> dict[str, float]:
    """Advantages in a group where a share of the samples is right, rewarded by one, the others by zero.

    Formula: right √((1 − p)/p), wrong −√(p/(1 − p)), divided by the population's standard deviation.
    Unit: right=1, wrong=1
    Source: shao2024
    """
    arguments.positive(success_rate=success_rate, **{"1 − success_rate": 1 - success_rate})
    odds = success_rate / (1 - success_rate)
    return {"right": 1 / math.sqrt(odds), "wrong": -math.sqrt(odds)}


@verifier
def own_reward_shrinkage(group: int) -> float:
    """Factor on the expected gradient when the group's mean, the sample itself included, is the baseline.

    Formula: (K − 1)/K; the mean of the other samples has none.
    Unit: 1
    Source: kool2019
    """
    arguments.counts(group=group)
    return (group - 1) / group


@verifier
def baselines_and_bias(
    actions: int = 3, groups: Sequence[int] = (2, 3, 4), seeds: int = 3, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check, over every possible group of samples, which baselines leave the gradient as it is.

    Formula: E[∇ln p·(r − b)] = ∇E[r] for any constant and for the mean of the other samples; with the
    sample itself in the mean it is (K − 1)/K of that.
    Unit: check
    Source: williams1992, kool2019
    """
    for group in groups:
        for seed in range(seeds):
            logits, rewards = random_logits(actions, seed, scale=1.0)
            truth = true_gradient(logits, rewards)
            shrunk = own_reward_shrinkage(group) * truth
            wanted: dict[str, tuple[Baseline, Array]] = {
                "no baseline": (np.zeros_like, truth),
                "a constant": (np.ones_like, truth),
                "the mean of the others": (leave_one_out, truth),
                "the mean of all": (group_mean, shrunk),
            }
            for name, (baseline, expected) in wanted.items():
                ours = expected_estimate(softmax(logits), rewards, group, baseline)
                agree(ours, expected, tolerance, f"the gradient with {name}")
    return {"actions": actions, "groups": ", ".join(map(str, groups)), "seeds": seeds, "tolerance": tolerance}


def _policy(logits: Sequence[float], rewards: Sequence[float], least: int) -> tuple[Array, Array]:
    """Probabilities and rewards of at least so many actions."""
    arguments.counts(least, actions=len(logits))
    if len(logits) != len(rewards):
        raise ValueError(f"{len(logits)} actions have {len(rewards)} rewards")
    _finite(logits=logits, rewards=rewards)
    return softmax(np.array(logits, dtype=float)), np.array(rewards, dtype=float)


@verifier(tolerance=1e-9)
def estimate_variance(logits: Sequence[float], rewards: Sequence[float], baseline: float = 0.0) -> float:
    """Variance of a one-sample REINFORCE estimate, summed over the logits.

    Formula: Σ_a p_a (r_a − b)²·‖e_a − p‖² − ‖∇E[r]‖².
    Unit: 1
    Source: williams1992
    """
    p, r = _policy(logits, rewards, least=1)
    arguments.finite(baseline=baseline)
    scores = np.eye(len(p)) - p
    estimates = (r - baseline)[:, None] * scores
    return float(p @ (estimates**2).sum(axis=1) - ((p @ estimates) ** 2).sum())


@verifier(tolerance=1e-9)
def best_baseline(logits: Sequence[float], rewards: Sequence[float]) -> float:
    """The constant baseline with the least variance of a one-sample estimate, in general not the mean reward.

    Formula: Σ p_a·r_a·‖e_a − p‖² / Σ p_a·‖e_a − p‖².
    Unit: 1
    Source: greensmith2004
    """
    p, r = _policy(logits, rewards, least=2)
    weights = p * ((np.eye(len(p)) - p) ** 2).sum(axis=1)
    return float(np.average(r, weights=weights))
