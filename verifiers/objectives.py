"""The loss of a token by its probability or logits: squared error, focal weight and the z-loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import (
    Array,
    confirm_gradient,
    listed,
    log_softmax,
    random_logits,
    softmax,
    vector,
)


def _logsumexp(logits: Array) -> complex:
    return complex(logits[0] - log_softmax(logits)[0])


def _z_loss(coefficient: float, logits: Array) -> complex:
    return coefficient * _logsumexp(logits) ** 2


def z_loss_gradient_in_logits(logits: Array, coefficient: float) -> Array:
    """Closed form of the gradient of c·logsumexp(z)² in z."""
    return np.asarray(2 * coefficient * _logsumexp(logits).real * softmax(logits))


@verifier
def of_probability(probability: float, loss: str = "cross-entropy", focus: float = 2.0) -> float:
    """Loss of one token by the probability that the model gave to it.

    Formula: cross-entropy −ln p; squared error (1 − p)²; focal −(1 − p)^γ ln p.
    Unit: 1
    Source: lin2017, definition
    """
    arguments.shares(probability=probability)
    arguments.positive(probability=probability)
    arguments.non_negative(focus=focus)
    nats = -math.log(probability)
    losses = {
        "cross-entropy": nats,
        "squared": (1 - probability) ** 2,
        "focal": (1 - probability) ** focus * nats,
    }
    return float(losses[arguments.one_of("loss", loss, losses)])


@verifier(tolerance=1e-9)
def slope(logits: Sequence[float], target: int, loss: str = "cross-entropy") -> float:
    """Derivative of a loss by the target's logit, when a softmax gives the probabilities.

    Formula: cross-entropy: p_c − 1; squared error Σ (p_k − y_k)²: 2·p_c·(p_c − 1 − Σ p_k·(p_k − y_k)), with
    two classes twice that of `losses.slope`, whose sigmoid has one error only.
    Unit: 1
    Source: definition
    """
    arguments.counts(2, classes=len(logits))
    arguments.counts(0, target=target, **{"classes − 1 − target": len(logits) - 1 - target})
    p = softmax(vector("logits", logits))
    miss = p.copy()
    miss[target] -= 1
    slopes = {"cross-entropy": miss[target], "squared": 2 * p[target] * (miss[target] - p @ miss)}
    return float(slopes[arguments.one_of("loss", loss, slopes)])


@verifier(tolerance=1e-9)
def z_loss(logits: Sequence[float], coefficient: float = 1e-4) -> float:
    """Penalty that keeps the softmax's normaliser near one, and so the logits from drifting.

    Formula: c · ln²Z, Z = Σ exp(z_k).
    Unit: 1
    Source: chowdhery2022
    """
    arguments.positive(coefficient=coefficient)
    arguments.counts(2, classes=len(logits))
    return _z_loss(coefficient, vector("logits", logits)).real


@verifier
def z_loss_gradient(
    classes: Sequence[int] = (2, 5, 50),
    seeds: int = 4,
    coefficients: Sequence[float] = (1e-4, 0.5),
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check the gradient of the z-loss in the logits: it lowers all of them or raises all, each by its share.

    Formula: 2·c·ln Z · p.
    Shapes: z, p [K].
    Unit: check
    Source: chowdhery2022; derivative by complex step
    """
    for size in classes:
        for seed in range(seeds):
            logits, _ = random_logits(size, seed)
            for c in coefficients:
                ours = z_loss_gradient_in_logits(logits, c)
                confirm_gradient(ours, partial(_z_loss, c), logits, tolerance, "2c·ln Z·p")
    tried = {"classes": listed(classes), "coefficients": listed(coefficients)}
    return tried | {"seeds": seeds, "tolerance": tolerance}
