"""Moving scale between activations and weights before rounding: SmoothQuant and AWQ."""

from __future__ import annotations

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.quantisation import Array, absmax
from verifiers.quantisation_outliers import outlier_activations, relative_error


def migrate(x: Array, w: Array, scale: Array) -> tuple[Array, Array]:
    """Activations divided and the weights' input rows multiplied by one factor a channel."""
    return x / scale, scale[:, None] * w


def smoothing(x: Array, w: Array, alpha: float) -> Array:
    """SmoothQuant's factor of each channel."""
    return np.asarray(abs(x).max(axis=0) ** alpha / abs(w).max(axis=1) ** (1 - alpha))


def salience(x: Array, exponent: float) -> Array:
    """AWQ's factor of each channel: its mean magnitude to a power, centred on one."""
    means = abs(x).mean(axis=0) ** exponent
    return np.asarray(means / np.sqrt(means.max() * means.min()))


@verifier
def smoothing_factor(activation_max: float, weight_max: float, alpha: float = 0.5) -> float:
    """SmoothQuant's factor by which a channel's activations are divided and its weights multiplied.

    Formula: s = max|X_j|^α / max|W_j|^(1−α); at α = 1/2 both maxima become √(max|X_j|·max|W_j|).
    Unit: 1
    Source: xiao2023
    """
    arguments.positive(activation_max=activation_max, weight_max=weight_max)
    arguments.shares(alpha=alpha)
    return float(activation_max**alpha / weight_max ** (1 - alpha))


@verifier
def smoothquant(
    alpha: float = 0.5,
    bits: int = 8,
    outliers: int = 3,
    factor: float = 30.0,
    channels: int = 256,
    outputs: int = 128,
    tokens: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Relative error of an integer product of activations with outlier channels, before and after smoothing.

    Formula: ‖X̂·Ŵ − X·W‖/‖X·W‖, one scale for all of X and one an output of W; after: the same on
    X/s and s·W.
    Unit: before=1, after=1, gain=1
    Source: xiao2023
    """
    arguments.shares(alpha=alpha)
    x, w = outlier_activations(tokens, channels, outputs, outliers, factor, seed)
    before, after = (
        relative_error(absmax(a, bits) @ absmax(b, bits, axis=0), x @ w)
        for a, b in ((x, w), migrate(x, w, smoothing(x, w, alpha)))
    )
    return {"before": before, "after": after, "gain": before / after}


@verifier
def awq(
    scale: float,
    bits: int = 4,
    outliers: int = 3,
    factor: float = 30.0,
    channels: int = 256,
    outputs: int = 128,
    tokens: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Relative output error of rounded weights when the outlier channels' weights are scaled up first.

    Formula: ‖X·diag(1/s)·round(diag(s)·W) − X·W‖/‖X·W‖, s = `scale` on the outlier channels and 1
    elsewhere, one absmax scale an output; activations stay unrounded.
    Unit: before=1, after=1, gain=1
    Source: lin2024
    """
    arguments.positive(scale=scale)
    x, w = outlier_activations(tokens, channels, outputs, outliers, factor, seed)
    scales = np.where(np.arange(channels) < outliers, scale, 1.0)
    before, after = (
        relative_error(a @ absmax(b, bits, axis=0), x @ w) for a, b in ((x, w), migrate(x, w, scales))
    )
    return {"before": before, "after": after, "gain": before / after}


@verifier
def awq_search(
    steps: int = 20,
    bits: int = 4,
    outliers: int = 3,
    factor: float = 30.0,
    channels: int = 256,
    outputs: int = 128,
    tokens: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """The exponent of the activations' magnitude that makes the best weight scales, by grid search.

    Formula: s_j = (mean |X_j|)^β, normalised; β in 0, 1/steps, …, 1 with the least output error.
    Unit: exponent=1, before=1, after=1
    Source: lin2024
    """
    arguments.counts(steps=steps)
    x, w = outlier_activations(tokens, channels, outputs, outliers, factor, seed)
    errors = []
    for step in range(steps + 1):
        a, b = migrate(x, w, salience(x, step / steps))
        errors.append(relative_error(a @ absmax(b, bits, axis=0), x @ w))
    best = int(np.argmin(errors))
    return {"exponent": best / steps, "before": errors[0], "after": errors[best]}


@verifier
def scaling_keeps_product(
    alphas: tuple[float, ...] = (0.0, 0.5, 0.8, 1.0),
    size: int = 32,
    outliers: int = 3,
    factor: float = 30.0,
    seeds: int = 4,
    tolerance: float = 1e-11,
) -> dict[str, object]:
    """Check that scale moved from activations to weights leaves the unrounded product as it was.

    Formula: (X·diag(1/s))·(diag(s)·W) = X·W.
    Unit: check
    Source: xiao2023
    """
    for alpha in alphas:
        for seed in range(seeds):
            x, w = outlier_activations(size, size, size, outliers, factor, seed)
            a, b = migrate(x, w, smoothing(x, w, alpha))
            assert not np.allclose(a, x), "nothing was moved"
            assert np.allclose(a @ b, x @ w, rtol=tolerance, atol=tolerance), "the product changed"
    return {"alphas": ", ".join(map(str, alphas)), "size": size, "seeds": seeds, "tolerance": tolerance}


@verifier
def half_balances_maxima(
    size: int = 32, outliers: int = 3, factor: float = 30.0, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that α = 1/2 gives every channel of activations and weights the same largest magnitude.

    Formula: max|X_j|/s_j = max|W_j|·s_j = √(max|X_j|·max|W_j|).
    Unit: check
    Source: xiao2023
    """
    for seed in range(seeds):
        x, w = outlier_activations(size, size, size, outliers, factor, seed)
        a, b = migrate(x, w, smoothing(x, w, 0.5))
        middle = np.sqrt(abs(x).max(axis=0) * abs(w).max(axis=1))
        for largest in (abs(a).max(axis=0), abs(b).max(axis=1)):
            assert np.allclose(largest, middle, rtol=tolerance, atol=tolerance), "the maxima differ"
    return {"size": size, "seeds": seeds, "tolerance": tolerance}
