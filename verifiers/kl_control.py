"""Reward with a KL penalty: the policy that is best, and estimators of the penalty with their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, information
from verifiers.calculus import Array, agree, complex_step, log_softmax, random_logits, softmax

# of the log-ratio ln(p/reference), at samples of p
ESTIMATORS: dict[str, Callable[[Any], Any]] = {
    "k1": lambda gap: gap,
    "k2": lambda gap: gap**2 / 2,
    "k3": lambda gap: np.exp(-gap) - 1 + gap,
}


def _reference(reference: Sequence[float], others: int, what: str) -> Array:
    arguments.distribution(reference, "reference")
    arguments.positive(**{f"reference[{index}]": share for index, share in enumerate(reference)})
    if others != len(reference):
        raise ValueError(f"{len(reference)} actions and {others} {what}")
    return np.array(reference, dtype=float)


def tilt(reference: Array, rewards: Array, beta: float) -> Array:
    """The policy with the largest reward less β times its KL divergence from the reference."""
    return softmax(np.log(reference) + rewards / beta)


def _best(reference: Sequence[float], rewards: Sequence[float], beta: float) -> list[float]:
    arguments.positive(beta=beta)
    arguments.finite(**{f"rewards[{index}]": reward for index, reward in enumerate(rewards)})
    shares = _reference(reference, len(rewards), "rewards")
    return [float(p) for p in tilt(shares, np.array(rewards, dtype=float), beta)]


def objective(logits: Array, reference: Array, rewards: Array, beta: float) -> Any:
    """Expected reward of softmax(z) less β·KL(softmax(z) ‖ reference)."""
    log_p = log_softmax(logits)
    return (np.exp(log_p) * (rewards - beta * (log_p - np.log(reference)))).sum()


@verifier(tolerance=1e-9)
def tilted(reference: Sequence[float], rewards: Sequence[float], beta: float, action: int = 0) -> float:
    """Probability of an action under the best policy for a reward with a KL penalty.

    Formula: π*(a) = reference(a)·exp(r(a)/β)/Z.
    Unit: 1
    Source: rafailov2023
    """
    best = _best(reference, rewards, beta)
    arguments.counts(0, action=action, **{"actions − action − 1": len(best) - action - 1})
    return best[action]


@verifier(tolerance=1e-9)
def tilted_policy(reference: Sequence[float], rewards: Sequence[float], beta: float) -> dict[str, float]:
    """What the best policy for a reward with a KL penalty reaches, and how far it moves for it.

    Formula: reward E_π*[r], kl KL(π* ‖ reference), objective reward − β·kl = β·ln Z, Z = E_ref[exp(r/β)].
    Unit: reward=1, kl=nat, objective=1
    Source: rafailov2023
    """
    best = _best(reference, rewards, beta)
    reward = math.fsum(p * r for p, r in zip(best, rewards, strict=True))
    kl = information.kl_divergence(best, reference)
    return {"reward": reward, "kl": kl, "objective": reward - beta * kl}


@verifier
def closed_form_is_best(
    actions: int = 5,
    betas: Sequence[float] = (0.1, 1.0, 10.0),
    seeds: int = 5,
    steps: Sequence[float] = (0.01, 1.0),
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check that reference·exp(r/β)/Z maximises reward less β·KL, and that the reward can be read off it.

    Formula: at π* the objective's gradient is zero and its value β ln Z; every other policy has less, by
    β·KL(π ‖ π*); r(a) = β ln(π*(a)/reference(a)) + β ln Z, where differences of rewards need no Z.
    Unit: check
    Source: rafailov2023; derivative by complex step
    """
    for seed in range(seeds):
        rewards, reference = random_logits(actions, seed, scale=1.0)
        direction = np.random.default_rng(seed).standard_normal(actions)
        for beta in betas:
            best = np.log(tilt(reference, rewards, beta))
            value = objective(best, reference, rewards, beta)
            at = partial(objective, reference=reference, rewards=rewards, beta=beta)
            slope = complex_step(at, best)
            agree(slope, 0.0, tolerance, "the gradient at the closed form")
            offset = beta * np.log((reference * np.exp(rewards / beta)).sum())
            agree(value, offset, tolerance, "the value at the closed form")
            agree(beta * (best - np.log(reference)) + offset, rewards, tolerance, "the reward read off it")
            for step in steps:
                other = log_softmax(best + step * direction)
                lost = beta * (np.exp(other) * (other - best)).sum()
                assert lost > 0, "another policy does not lose"
                agree(value - objective(other, reference, rewards, beta), lost, tolerance, "what it loses")
    tried = ", ".join(f"{beta:g}" for beta in betas)
    return {"actions": actions, "betas": tried, "seeds": seeds, "tolerance": tolerance}


@verifier(tolerance=1e-9)
def estimator(policy: Sequence[float], reference: Sequence[float], name: str = "k3") -> dict[str, float]:
    """Mean, bias and variance of a one-sample estimator of KL(policy ‖ reference), samples from the policy.

    Formula: with δ = ln(p/reference): k1 δ, unbiased; k2 δ²/2, biased; k3 e^(−δ) − 1 + δ, never
    negative, and unbiased where the policy can take every action, else too low by what the reference
    gives to the others. `negative` is the probability of a negative estimate.
    Unit: mean=nat, bias=nat, variance=1, negative=1
    Source: schulman2020
    """
    arguments.one_of("estimator", name, ESTIMATORS)
    exact = information.kl_divergence(policy, reference)
    p = np.array(policy, dtype=float)[np.array(policy) > 0]
    q = _reference(reference, len(policy), "probabilities")[np.array(policy) > 0]
    estimates = ESTIMATORS[name](np.log(p / q))
    mean = float(p @ estimates)
    return {
        "mean": mean,
        "bias": mean - exact,
        "variance": float(p @ (estimates - mean) ** 2),
        "negative": float(p @ (estimates < 0)),
    }


def loss_gradient(name: str, logits: Array, reference: Array) -> Array:
    """Expected gradient of a sampled estimator used as a loss: the samples are fixed, the policy moves."""
    p = softmax(logits)

    def loss(z: Array) -> Any:
        return (p * ESTIMATORS[name](log_softmax(z) - np.log(reference))).sum()

    return complex_step(loss, logits)


@verifier
def gradients_of_estimators(actions: int = 5, seeds: int = 5, tolerance: float = 1e-12) -> dict[str, object]:
    """Check what KL estimators teach when they are differentiated as losses at samples of the policy.

    Formula: k1: zero, as E[∇ln p] = 0; k2: the gradient of KL(p ‖ reference), p·(ln(p/r) − KL); k3: that of
    the reversed KL(reference ‖ p), p − reference.
    Unit: check
    Source: tang2025, liu2025kl; derivative by complex step
    """
    for seed in range(seeds):
        logits, reference = random_logits(actions, seed, scale=1.0)
        p = softmax(logits)
        gap = np.log(p / reference)
        wanted = {"k1": np.zeros(actions), "k2": p * (gap - p @ gap), "k3": p - reference}
        for name, expected in wanted.items():
            ours = loss_gradient(name, logits, reference)
            agree(ours, expected, tolerance, f"the gradient of {name}")
    return {"actions": actions, "seeds": seeds, "tolerance": tolerance}


@verifier(tolerance=1e-6)
def after_penalty(
    policy: Sequence[float],
    reference: Sequence[float],
    name: str = "k1",
    steps: int = 500,
    learning_rate: float = 0.5,
    batch: int = 16,
    seed: int = 0,
) -> dict[str, float]:
    """KL divergence before and after descending a sampled penalty and nothing else.

    Formula: z ← z − η·∇ mean estimator, the samples drawn from the policy of the moment and held fixed.
    Unit: before=nat, after=nat
    Source: definition
    """
    before = information.kl_divergence(policy, reference)
    arguments.one_of("estimator", name, ESTIMATORS)
    arguments.counts(steps=steps, batch=batch)
    arguments.positive(learning_rate=learning_rate, **{f"p[{i}]": p for i, p in enumerate(policy)})
    target = np.log(_reference(reference, len(policy), "probabilities"))
    # derivative of the estimator in the log-ratio
    slopes: dict[str, Callable[[Array], Array]] = {
        "k1": np.ones_like,
        "k2": lambda gap: gap,
        "k3": lambda gap: 1 - np.exp(-gap),
    }
    logits = np.log(np.array(policy, dtype=float))
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        p = softmax(logits)
        drawn = generator.choice(len(p), size=batch, p=p)
        push = slopes[name](np.log(p[drawn]) - target[drawn])
        logits = logits - learning_rate / batch * push @ (np.eye(len(p))[drawn] - p)
    return {"before": before, "after": information.kl_divergence(softmax(logits).tolist(), reference)}
