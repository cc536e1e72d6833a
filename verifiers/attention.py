"""Attention scores and their scale: variance, saturation, alignment after training."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, listed

Array = npt.NDArray[np.floating]
SCALES: dict[str, Callable[[int], float]] = {"none": lambda d: 1.0, "sqrt": math.sqrt, "linear": float}


def _divisor(d_k: int, scale: str) -> float:
    arguments.counts(d_k=d_k)
    return SCALES[arguments.one_of("scale", scale, SCALES)](d_k)


@verifier
def score_variance(d_k: int, mean: float = 0.0, scale: str = "none") -> float:
    """Variance of q · k over a divisor, all components independent with variance one.

    `scale` divides by 1 ("none"), √d_k ("sqrt") or d_k ("linear").

    Formula: d_k · ((1 + mean²)² - mean⁴) / divisor² = d_k · (1 + 2 · mean²) / divisor².
    Unit: 1
    Source: definition
    """
    arguments.finite(mean=mean)
    return d_k * (1 + 2 * mean**2) / _divisor(d_k, scale) ** 2


@verifier
def score_std(d_k: int, mean: float = 0.0, scale: str = "none") -> float:
    """Standard deviation of q · k over a divisor, under the assumptions of `score_variance`.

    Formula: √variance.
    Unit: 1
    Source: definition
    """
    return math.sqrt(score_variance(d_k, mean, scale))


@verifier
def score_mean(d_k: int, correlation: float, scale: str = "sqrt") -> float:
    """Mean of q · k over a divisor, zero-mean unit components correlated pair by pair.

    Formula: correlation · d_k / divisor.
    Unit: 1
    Source: yang2022
    """
    arguments.finite(correlation=correlation)
    arguments.shares(**{"|correlation|": abs(correlation)})
    return correlation * d_k / _divisor(d_k, scale)


def softmax(scores: Array) -> Array:
    """Softmax along the last axis, the largest score subtracted first."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


@verifier(tolerance=1e-6)
def saturation(
    d_k: int, keys: int = 32, scale: str = "none", draws: int = 20_000, seed: int = 0
) -> dict[str, float]:
    """Largest weight, and trace of the softmax's Jacobian, averaged over random queries.

    Given a Gaussian q, its scores with Gaussian keys are independent N(0, |q|²), and |q|² is
    chi-square with d_k degrees: drawing those is exact and needs no d_k-wide vectors.

    Formula: top = E[max p]; trace = E[Σ p(1 - p)] = E[1 - Σ p²], at most 1 - 1/keys.
    Unit: top=1, trace=1
    Source: definition
    """
    arguments.counts(2, keys=keys)
    arguments.counts(draws=draws)
    divisor = _divisor(d_k, scale)
    rng = np.random.default_rng(seed)
    norms = np.sqrt(rng.chisquare(d_k, size=(draws, 1)))
    weights = softmax(norms * rng.standard_normal((draws, keys)) / divisor)
    return {
        "top": float(weights.max(axis=1).mean()),
        "trace": float((1 - (weights**2).sum(axis=1)).mean()),
    }


@verifier(tolerance=1e-6)
def jacobian_entries(d_k: int, keys: int = 32, scale: str = "none") -> dict[str, float]:
    """Mean size of the softmax Jacobian's entries on and off its diagonal, over random queries.

    Every row of diag(p) - p pᵀ sums to zero, so the entries off the diagonal add up to the trace.

    Formula: diagonal = trace / keys; off_diagonal = trace / (keys · (keys - 1)).
    Unit: diagonal=1, off_diagonal=1
    Source: definition
    """
    trace = saturation(d_k, keys, scale)["trace"]
    return {"diagonal": trace / keys, "off_diagonal": trace / (keys * (keys - 1))}


@verifier(tolerance=1e-6)
def query_gradient(
    d_k: int, keys: int = 32, scale: str = "none", draws: int = 20_000, seed: int = 0
) -> dict[str, float]:
    """Norm of the loss gradient at q, mean and median over random queries.

    The gradient at the weights is standard normal. dq = Σ dS_j k_j / divisor; along q each k_j
    is fixed by its score, across q the sum is Gaussian with |dS|² times d_k - 1 degrees.

    Formula: |dq|² = ((Σ dS_j z_j)² + |dS|² · χ²(d_k - 1)) / divisor², dS = p ∘ (g - p · g).
    Unit: mean=1, median=1
    Source: definition
    """
    arguments.counts(2, d_k=d_k, keys=keys)
    arguments.counts(draws=draws)
    divisor = _divisor(d_k, scale)
    rng = np.random.default_rng(seed)
    norms = np.sqrt(rng.chisquare(d_k, size=(draws, 1)))
    along, upstream = rng.standard_normal((2, draws, keys))
    weights = softmax(norms * along / divisor)
    scores = weights * (upstream - (weights * upstream).sum(axis=1, keepdims=True))
    across = (scores**2).sum(axis=1) * rng.chisquare(d_k - 1, size=draws)
    gradient = np.sqrt((scores * along).sum(axis=1) ** 2 + across) / divisor
    return {"mean": float(gradient.mean()), "median": float(np.median(gradient))}


@verifier
def largest_weight(keys: int, bound: float) -> float:
    """Largest attention weight that scores within ±`bound` can give one of `keys` keys.

    Formula: e^bound / (e^bound + (keys - 1) · e^-bound).
    Unit: 1
    Source: definition
    """
    arguments.counts(keys=keys)
    arguments.non_negative(bound=bound)
    return 1 / (1 + (keys - 1) * math.exp(-2 * bound))


def softmax_jacobian(weights: Array) -> Array:
    """Jacobian of the softmax at its output p [n]: diag(p) - p pᵀ, [n, n]."""
    return np.diag(weights) - np.outer(weights, weights)


@verifier
def one_hot_kills_every_entry(
    keys: int = 16,
    score_std: tuple[float, ...] = (0.1, 1, 8, 32),
    trials: int = 50,
    seed: int = 0,
    tolerance: float = 1e-15,
) -> dict[str, int | str]:
    """Check that no entry of the softmax's Jacobian exceeds 1 - max p, on the diagonal or off it.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    for sharpness in score_std:
        for weights in softmax(sharpness * rng.standard_normal((trials, keys))):
            excess = np.abs(softmax_jacobian(weights)).max() + weights.max() - 1
            assert excess <= tolerance, f"an entry exceeds 1 - max p by {excess:.3g}"
    return {"keys": keys, "score_std": listed(score_std), "trials": trials * len(score_std)}


def causal(tokens: int) -> Array:
    """Mask [t, t] of which keys each query sees: itself and those before."""
    return np.tril(np.ones((tokens, tokens), dtype=bool))


def keys_and_values(x: Array, projections: Array, visible: Array) -> Array:
    """Keys and values [layers, 2, t, d] of residual layers [layers, 3, d, d] over tokens x [t, d]."""
    rows = []
    for query, key, value in projections:
        q, k, v = x @ query, x @ key, x @ value
        x = np.tanh(x + softmax(np.where(visible, q @ k.T, -np.inf)) @ v)
        rows.append(np.stack([k, v]))
    return np.stack(rows)


@verifier
def causal_mask_freezes_earlier_rows(
    tokens: int = 9,
    layers: int = 3,
    width: int = 16,
    prefixes: tuple[int, ...] = (1, 2, 5, 8),
    spread: float = 0.25,
    seed: int = 1,
    tolerance: float = 1e-12,
) -> dict[str, str | int | float]:
    """Check that later tokens leave earlier keys and values alone, if and only if masked out.

    In a stack of residual layers: from the second on, keys and values depend on what was attended to.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((tokens, width))
    projections = rng.normal(0, spread, (layers, 3, width, width))
    shifts = {"causal": 0.0, "none": 0.0}
    for length in prefixes:
        for name, mask in (("causal", causal(tokens)), ("none", np.full((tokens, tokens), True))):
            whole = keys_and_values(x, projections, mask)[:, :, :length]
            alone = keys_and_values(x[:length], projections, mask[:length, :length])
            shifts[name] = max(shifts[name], float(np.abs(alone - whole).max()))
    agree(shifts["causal"], 0, tolerance, "with later tokens masked, an earlier row")
    assert shifts["none"] > tolerance, "without a mask, too, earlier rows stay as they were"
    return {"layers": layers, "tokens": tokens, "masks": ", ".join(shifts), "tolerance": tolerance}


@verifier
def saturation_is_not_overflow(
    widths: tuple[int, ...] = (64, 1024, 65_536),
    keys: int = 32,
    rows: int = 2000,
    most_trace: float = 0.02,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> dict[str, str | int]:
    """Check that huge unscaled scores give finite weights in float32 but hardly any gradient.

    The mean trace of the Jacobian is taken at the last width.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    for d_k in widths:
        scores = (rng.standard_normal((rows, keys)) * math.sqrt(d_k)).astype(np.float32)
        weights = softmax(scores)
        assert np.isfinite(weights).all(), f"d_k = {d_k}: overflow"
        agree(weights.sum(axis=1), np.ones(rows), tolerance, "row sum")
    trace = float((1 - (weights**2).sum(axis=1)).mean())
    assert trace < most_trace, f"the Jacobian's trace is still {trace:.2g}"
    return {"d_k": listed(widths), "dtype": "float32", "keys": keys}
