"""How large a step may be: curvature, momentum, noise and the batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments, optimisers


@verifier
def stable_learning_rate(curvature: float, beta: float = 0.0, averaged: bool = False) -> float:
    """Largest learning rate at which gradient descent does not diverge along a direction.

    Formula: 2(1 + β)/λ with heavy-ball momentum β, 2/λ without; where the velocity is a mean of
    gradients, as in Adam with a frozen preconditioner, 2(1 + β)/((1 − β)·λ), λ of the preconditioned Hessian.
    Unit: 1
    Source: cohen2022, definition
    """
    arguments.positive(curvature=curvature, **{"1 − beta": 1 - beta})
    arguments.non_negative(beta=beta)
    share = 1 - beta if averaged else 1
    return 2 * (1 + beta) / (share * curvature)


@verifier
def quadratic(
    optimiser: str,
    learning_rate: float,
    curvature: float = 1.0,
    weight: float = 1.0,
    steps: int = 200,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> dict[str, float]:
    """Run an optimiser on a parabola; return the largest distance from its minimum after a step, and the last.

    Formula: gradient λ·w, the rules of `optimisers.weight_after`.
    Unit: largest=1, last=1
    Source: definition
    """
    arguments.counts(steps=steps)
    arguments.positive(curvature=curvature)
    arguments.finite(weight=weight)
    settings = optimisers.Settings(learning_rate, beta1, beta2, epsilon=1e-8, weight_decay=0.0)
    settings.check()
    rule, state = optimisers.known_rule(optimiser), optimisers.State(weight)
    largest = 0.0
    for _ in range(steps):
        rule(state, curvature * state.weight, settings)
        largest = max(largest, abs(state.weight))
    return {"largest": largest, "last": abs(state.weight)}


@verifier
def averaged_update(mean: float, noise: float, batch: int = 1) -> float:
    """Mean of a normalised update, as Adam's, in learning rates, when gradients are noisy.

    Formula: E[g]/√E[g²] = μ/√(μ² + σ²/B): grows as √B while noise dominates, and ends at one.
    Unit: 1
    Source: malladi2022
    """
    arguments.positive(mean=mean)
    arguments.non_negative(noise=noise)
    arguments.counts(batch=batch)
    return mean / math.hypot(mean, noise / math.sqrt(batch))


@verifier
def scaled_learning_rate(
    learning_rate: float, batch: float, new_batch: float, optimiser: str = "sgd"
) -> float:
    """Learning rate for another batch size, while the noise of the gradient dominates.

    Formula: η·(B′/B) for SGD, η·√(B′/B) for adaptive optimisers.
    Unit: 1
    Source: goyal2017, malladi2022
    """
    arguments.positive(learning_rate=learning_rate, batch=batch, new_batch=new_batch)
    ratio = new_batch / batch
    factors = {"sgd": ratio, "adam": math.sqrt(ratio)}
    return learning_rate * factors[arguments.one_of("optimiser", optimiser, factors)]


@verifier
def noise_scale(small_batch: int, small_square: float, big_batch: int, big_square: float) -> dict[str, float]:
    """Simple gradient noise scale from the mean squared norms of gradients of two batch sizes.

    Formula: E‖g_B‖² = ‖G‖² + tr Σ/B, solved for both; the scale is tr Σ/‖G‖², the batch at which noise
    and signal are equal.
    Unit: signal=1, noise=1, scale=1
    Source: mccandlish2018
    """
    arguments.counts(small_batch=small_batch, **{"big_batch − small_batch": big_batch - small_batch})
    arguments.positive(small_square=small_square, big_square=big_square)
    signal = (big_batch * big_square - small_batch * small_square) / (big_batch - small_batch)
    noise = (small_square - big_square) / (1 / small_batch - 1 / big_batch)
    arguments.positive(signal=signal)
    arguments.non_negative(noise=noise)
    return {"signal": signal, "noise": noise, "scale": noise / signal}


@verifier
def steps_for_batch(batch: float, noise_scale: float) -> dict[str, float]:
    """Steps and samples to a given loss at a batch size, over the least possible number of each.

    Formula: steps/S_min = 1 + B_noise/B; samples/E_min = 1 + B/B_noise.
    Unit: steps=1, samples=1
    Source: mccandlish2018
    """
    arguments.positive(batch=batch, noise_scale=noise_scale)
    return {"steps": 1 + noise_scale / batch, "samples": 1 + batch / noise_scale}


def least_squares_error(
    inputs: np.ndarray[tuple[int, int], np.dtype[np.float64]], fan_out: int, learning_rate: float, steps: int
) -> float:
    """Distance from the solution over that at the start, after gradient descent on a linear layer."""
    rows, fan_in = inputs.shape
    generator = np.random.default_rng([rows, fan_in])
    away = start = generator.standard_normal((fan_in, fan_out))
    for _ in range(steps):
        away = away - learning_rate / rows * (inputs.T @ (inputs @ away))
    return float(np.linalg.norm(away) / np.linalg.norm(start))


@verifier
def limit_ignores_fan_out(
    fan_in: int = 16,
    fan_outs: Sequence[int] = (1, 8, 128),
    samples: int = 256,
    margin: float = 0.05,
    steps: int = 400,
) -> dict[str, object]:
    """Check that a linear layer's largest stable learning rate is set by its inputs, not by its width.

    Formula: just below 2/λ_max of XᵀX/n gradient descent approaches the solution, just above it diverges,
    for any number of outputs.
    Unit: check
    Source: definition
    """
    inputs = np.random.default_rng(fan_in).standard_normal((samples, fan_in))
    limit = stable_learning_rate(float(np.linalg.eigvalsh(inputs.T @ inputs / samples).max()))
    for fan_out in fan_outs:
        below, above = (
            least_squares_error(inputs, fan_out, limit * (1 + side), steps) for side in (-margin, margin)
        )
        assert below < 1, f"fan-out {fan_out}: no approach just below the limit"
        assert above > 1, f"fan-out {fan_out}: no divergence just above the limit"
    widths = ", ".join(map(str, fan_outs))
    return {"fan_in": fan_in, "fan_out": widths, "samples": samples, "margin": margin}
