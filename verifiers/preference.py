"""Learning from preferences: the Bradley–Terry reward model, DPO and its relatives, and their cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, precision
from verifiers.calculus import Array, confirm_gradient, log_softmax

METHODS = {
    # models trained in the last stage, models frozen beside them, stages of post-training
    "sft": (1, 0, 1),
    "dpo": (1, 1, 2),
    "simpo": (1, 0, 2),
    "orpo": (1, 0, 1),
    "ppo": (2, 2, 3),
    "grpo": (1, 2, 3),
    "grpo-verifiable": (1, 1, 2),
}


def _softplus(x: float) -> float:
    """ln(1 + exp(x)) without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def dpo_of(log_probs: Array, beta: float) -> Any:
    """DPO loss from chosen, rejected, and both under the reference."""
    margin = beta * ((log_probs[0] - log_probs[2]) - (log_probs[1] - log_probs[3]))
    return np.log1p(np.exp(-margin))


def dpo_gradient_of(log_probs: Array, beta: float) -> Array:
    """Closed form of the DPO loss's gradient in its four log-probabilities."""
    margin = (log_probs[0] - log_probs[2]) - (log_probs[1] - log_probs[3])
    return np.asarray(-beta * preference(0.0, beta * margin) * np.array([1.0, -1.0, -1.0, 1.0]))


@verifier
def preference(reward: float, other: float) -> float:
    """Probability that an answer is preferred to another one, by Bradley and Terry.

    Formula: σ(r − r′) = exp(r)/(exp(r) + exp(r′)).
    Unit: 1
    Source: bradley1952
    """
    arguments.finite(reward=reward, other=other)
    return math.exp(-_softplus(other - reward))


@verifier
def reward_loss(chosen: float, rejected: float, margin: float = 0.0) -> float:
    """Loss of a reward model on a pair.

    Formula: −ln σ(r_chosen − r_rejected − margin).
    Unit: nat
    Source: ouyang2022, touvron2023b
    """
    arguments.finite(chosen=chosen, rejected=rejected)
    arguments.non_negative(margin=margin)
    return _softplus(rejected + margin - chosen)


@verifier
def dpo_loss(
    chosen: float, rejected: float, reference_chosen: float, reference_rejected: float, beta: float = 0.1
) -> float:
    """DPO loss of a pair from the log-probabilities of both answers under the policy and the reference.

    Formula: −ln σ(β·((ln π_c − ln ref_c) − (ln π_r − ln ref_r))); it knows their difference alone.
    Unit: nat
    Source: rafailov2023
    """
    arguments.positive(beta=beta)
    arguments.finite(
        chosen=chosen,
        rejected=rejected,
        reference_chosen=reference_chosen,
        reference_rejected=reference_rejected,
    )
    return _softplus(beta * ((rejected - reference_rejected) - (chosen - reference_chosen)))


@verifier
def dpo_slope(margin: float, beta: float = 0.1) -> float:
    """Derivative of the DPO loss by the chosen answer's log-probability; by the rejected one's it is minus that.

    Formula: −β·σ(−β·m), m the difference of the two log-ratios.
    Unit: 1
    Source: rafailov2023
    """
    arguments.positive(beta=beta)
    return -beta * preference(0.0, beta * margin)


@verifier
def ipo_loss(margin: float, beta: float = 0.1) -> float:
    """IPO loss: the margin is drawn to one value instead of pushed up without end.

    Formula: (m − 1/(2β))².
    Unit: 1
    Source: azar2024
    """
    arguments.positive(beta=beta)
    arguments.finite(margin=margin)
    return (margin - 1 / (2 * beta)) ** 2


@verifier
def simpo_loss(
    chosen: float,
    rejected: float,
    chosen_length: int,
    rejected_length: int,
    beta: float = 2.0,
    target: float = 1.0,
) -> float:
    """SimPO loss: no reference, log-probabilities by token, and a target margin.

    Formula: −ln σ(β·(ln π_c/|c| − ln π_r/|r|) − γ).
    Unit: nat
    Source: meng2024
    """
    arguments.positive(beta=beta)
    arguments.non_negative(target=target)
    arguments.finite(chosen=chosen, rejected=rejected)
    arguments.counts(chosen_length=chosen_length, rejected_length=rejected_length)
    return _softplus(target - beta * (chosen / chosen_length - rejected / rejected_length))


@verifier
def orpo_penalty(chosen: float, rejected: float) -> float:
    """Odds-ratio term that ORPO adds to the SFT loss, from mean log-probabilities by token.

    Formula: −ln σ(logit P_c − logit P_r), logit P = ln P − ln(1 − P).
    Unit: nat
    Source: hong2024
    """
    arguments.positive(**{"−chosen": -chosen, "−rejected": -rejected})
    odds = [log_p - math.log(-math.expm1(log_p)) for log_p in (chosen, rejected)]
    return _softplus(odds[1] - odds[0])


@verifier
def dpo_gradient(
    betas: Sequence[float] = (0.1, 1.0), spread: float = 5.0, seeds: int = 10, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check the gradient of the DPO loss in its four log-probabilities.

    Formula: −β·σ(−β·m)·(1, −1, −1, 1) for chosen, rejected and both under the reference.
    Unit: check
    Source: rafailov2023; derivative by complex step
    """
    for seed in range(seeds):
        at = spread * np.random.default_rng(seed).standard_normal(4)
        for beta in betas:
            ours = dpo_gradient_of(at, beta)
            confirm_gradient(ours, partial(dpo_of, beta=beta), at, tolerance, "the gradient")
    return {"betas": ", ".join(f"{beta:g}" for beta in betas), "seeds": seeds, "tolerance": tolerance}


@verifier(tolerance=1e-6)
def dpo_trained(
    features: Sequence[Sequence[float]],
    chosen: int = 0,
    rejected: int = 1,
    beta: float = 0.1,
    steps: int = 2000,
    learning_rate: float = 1.0,
) -> dict[str, float]:
    """Train a softmax policy by DPO on one pair, its logits linear in the answers' features.

    Formula: logits Φ·w from w = 0, which is also the reference; the loss moves w along φ_c − φ_r, so what
    happens to the chosen answer itself hangs on what shares its features. Give the rows of Φ; unit vectors
    make a table.
    Unit: chosen_before=1, chosen=1, rejected=1, margin=nat
    Source: rafailov2023, razin2025
    """
    matrix = np.array(features, dtype=float)
    if matrix.ndim != 2 or not np.isfinite(matrix).all() or chosen == rejected:
        raise ValueError("each answer needs a row of finite features, and the rejected one another row")
    arguments.counts(2, answers=len(matrix))
    arguments.counts(0, chosen=chosen, rejected=rejected)
    arguments.counts(
        **{"answers − chosen": len(matrix) - chosen, "answers − rejected": len(matrix) - rejected}
    )
    arguments.counts(steps=steps)
    arguments.positive(beta=beta, learning_rate=learning_rate)
    along = matrix[chosen] - matrix[rejected]
    weights = np.zeros(len(along))
    for _ in range(steps):
        weights = weights - learning_rate * dpo_slope(float(along @ weights), beta) * along
    p = np.exp(log_softmax(matrix @ weights))
    return {
        "chosen_before": 1 / len(matrix),
        "chosen": float(p[chosen]),
        "rejected": float(p[rejected]),
        "margin": float(along @ weights),
    }


@verifier
def models(method: str) -> dict[str, int]:
    """Models in memory, all of the policy's size, and stages of training after pre-training, by method.

    Formula: policy and, for PPO, a value model are trained; reference and reward model are frozen; stages
    are SFT, the reward model's training and the method's own. Bytes a parameter of the policy:
    mixed-precision Adam for the trained, 2 for the frozen.
    Unit: trained=1, frozen=1, stages=1, states=B/param
    Source: ouyang2022, rafailov2023, shao2024, meng2024, hong2024
    """
    trained, frozen, stages = METHODS[arguments.one_of("method", method, METHODS)]
    recipe = precision.bytes_per_parameter("mixed")
    states = trained * recipe["total"] + frozen * recipe["weights"]
    return {"trained": trained, "frozen": frozen, "stages": stages, "states": states}


@verifier
def reference_needs_no_graph(seed: int = 0, size: int = 4) -> dict[str, object]:
    """Check what happens to a DPO reference that is evaluated inside the loss.

    Formula: left as it was, it gets a gradient and the graph keeps its activations; frozen or detached
    it gets none, and the policy's gradient is the same.
    Unit: check
    Source: definition; autograd
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(size, generator=generator, dtype=torch.float64)
    weights = {way: start.clone().requires_grad_(way != "frozen") for way in ("open", "frozen", "detached")}
    pushes: list[Any] = []
    for way, reference in weights.items():
        policy = (2 * start).requires_grad_()
        log_ref = torch.log_softmax(reference, 0)
        assert log_ref.requires_grad == (way != "frozen"), f"{way}: the graph holds the reference or not"
        gap = torch.log_softmax(policy, 0) - (log_ref.detach() if way == "detached" else log_ref)
        loss: Any = torch.nn.functional.softplus(gap[1] - gap[0])
        loss.backward()
        pushes.append(policy.grad)
        assert (reference.grad is not None) == (way == "open"), f"{way}: the reference has a gradient or not"
    assert all(torch.equal(push, pushes[0]) for push in pushes), "the policy's gradient differs"
    return {"ways": ", ".join(weights), "size": size}
