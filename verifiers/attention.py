"""Attention scores and their scale: variance, saturation, alignment after training."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier

Array = npt.NDArray[np.floating]
SCALES: dict[str, Callable[[int], float]] = {
    "none": lambda d: 1.0,
    "sqrt": lambda d: math.sqrt(d),
    "linear": lambda d: float(d),
}


def _divisor(d_k: int, scale: str) -> float:
    if d_k < 1:
        raise ValueError(f"d_k must be at least 1, not {d_k}")
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}; known: {', '.join(SCALES)}")
    return SCALES[scale](d_k)


@verifier
def score_variance(d_k: int, mean: float = 0.0, scale: str = "none") -> float:
    """Variance of q · k over a divisor, all components independent with variance one.

    `scale` divides by 1 ("none"), √d_k ("sqrt") or d_k ("linear").

    Formula: d_k · ((1 + mean²)² - mean⁴) / divisor² = d_k · (1 + 2 · mean²) / divisor².
    Unit: 1
    Source: definition
    """
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
    if not -1 <= correlation <= 1:
        raise ValueError(f"a correlation lies between -1 and 1, not at {correlation}")
    return correlation * d_k / _divisor(d_k, scale)


def softmax(scores: Array) -> Array:
    """Softmax along the last axis, the largest score subtracted first."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


@verifier(tolerance=1e-6)
def saturation(d_k: int, keys: int = 32, scale: str = "none") -> dict[str, float]:
    """Largest weight, and trace of the softmax's Jacobian, averaged over random queries.

    Given a Gaussian q, its scores with Gaussian keys are independent N(0, |q|²), and |q|² is
    chi-square with d_k degrees: drawing those is exact and needs no d_k-wide vectors.

    Formula: top = E[max p]; trace = E[Σ p(1 - p)] = E[1 - Σ p²], at most 1 - 1/keys.
    Unit: top=1, trace=1
    Source: definition
    """
    if keys < 2:
        raise ValueError(f"a choice needs at least 2 keys, not {keys}")
    divisor = _divisor(d_k, scale)
    rng = np.random.default_rng(0)
    norms = np.sqrt(rng.chisquare(d_k, size=(20_000, 1)))
    weights = softmax(norms * rng.standard_normal((20_000, keys)) / divisor)
    return {
        "top": float(weights.max(axis=1).mean()),
        "trace": float((1 - (weights**2).sum(axis=1)).mean()),
    }


@verifier(tolerance=1e-6)
def query_gradient(d_k: int, keys: int = 32, scale: str = "none") -> dict[str, float]:
    """Norm of the loss gradient at q, mean and median over random queries.

    The gradient at the weights is standard normal. dq = Σ dS_j k_j / divisor; along q each k_j
    is fixed by its score, across q the sum is Gaussian with |dS|² times d_k - 1 degrees.

    Formula: |dq|² = ((Σ dS_j z_j)² + |dS|² · χ²(d_k - 1)) / divisor², dS = p ∘ (g - p · g).
    Unit: mean=1, median=1
    Source: definition
    """
    if d_k < 2 or keys < 2:
        raise ValueError(f"needs d_k and keys of at least 2: {d_k}, {keys}")
    divisor = _divisor(d_k, scale)
    rng = np.random.default_rng(0)
    norms = np.sqrt(rng.chisquare(d_k, size=(20_000, 1)))
    along, upstream = rng.standard_normal((2, 20_000, keys))
    weights = softmax(norms * along / divisor)
    scores = weights * (upstream - (weights * upstream).sum(axis=1, keepdims=True))
    across = (scores**2).sum(axis=1) * rng.chisquare(d_k - 1, size=20_000)
    gradient = np.sqrt((scores * along).sum(axis=1) ** 2 + across) / divisor
    return {"mean": float(gradient.mean()), "median": float(np.median(gradient))}


@verifier
def largest_weight(keys: int, bound: float) -> float:
    """Largest attention weight that scores within ±`bound` can give one of `keys` keys.

    Formula: e^bound / (e^bound + (keys - 1) · e^-bound).
    Unit: 1
    Source: definition
    """
    if keys < 1 or bound < 0:
        raise ValueError(f"needs at least one key and a bound of zero or more: {keys}, {bound}")
    return 1 / (1 + (keys - 1) * math.exp(-2 * bound))


def softmax_jacobian(weights: Array) -> Array:
    """Jacobian of the softmax at its output p [n]: diag(p) - p pᵀ, [n, n]."""
    return np.diag(weights) - np.outer(weights, weights)


def compare_with_bound(jacobian: Callable[[Array], Array]) -> dict[str, int | str]:
    """Check every entry of a Jacobian against one minus the largest weight."""
    rng = np.random.default_rng(0)
    for sharpness in (0.1, 1.0, 8.0, 32.0):
        for _trial in range(50):
            weights = softmax(sharpness * rng.standard_normal(16))
            bound = 1 - weights.max()
            largest = np.abs(jacobian(weights)).max()
            assert largest <= bound + 1e-15, f"an entry of {largest:.3g} exceeds {bound:.3g}"
    return {"keys": 16, "score_std": "0.1, 1, 8, 32", "trials": 200}


@verifier
def one_hot_kills_every_entry() -> dict[str, int | str]:
    """Check that no entry of the softmax's Jacobian exceeds 1 - max p, on the diagonal or off it.

    Unit: check
    Source: definition
    """
    return compare_with_bound(softmax_jacobian)


def keys_and_values(x: Array, visible: Callable[[int], Array]) -> Array:
    """Keys and values [layers, 2, t, d] of three random residual layers over tokens x [t, d]."""
    rng = np.random.default_rng(0)
    rows = []
    for _layer in range(3):
        q, k, v = x @ rng.standard_normal((3, x.shape[1], x.shape[1])) / math.sqrt(x.shape[1])
        scores = np.where(visible(len(x)), q @ k.T / math.sqrt(x.shape[1]), -np.inf)
        x = np.tanh(x + softmax(scores) @ v)
        rows.append(np.stack([k, v]))
    return np.stack(rows)


def compare_prefix(visible: Callable[[int], Array]) -> None:
    """Compare the rows of a prefix with those of the same tokens in a longer sequence."""
    x = np.random.default_rng(1).standard_normal((9, 16))
    whole = keys_and_values(x, visible)
    for length in range(1, len(x)):
        error = np.abs(keys_and_values(x[:length], visible) - whole[:, :, :length]).max()
        assert error < 1e-12, f"a later token moves the rows of the first {length} by {error:.2g}"


@verifier
def causal_mask_freezes_earlier_rows() -> dict[str, str | int | float]:
    """Check that later tokens leave earlier keys and values alone, if and only if masked out.

    Three residual layers: from the second on, keys and values depend on what was attended to.

    Unit: check
    Source: definition
    """
    compare_prefix(lambda t: np.tril(np.ones((t, t), dtype=bool)))
    try:
        compare_prefix(lambda t: np.ones((t, t), dtype=bool))
    except AssertionError:
        return {"layers": 3, "tokens": 9, "masks": "causal, none", "tolerance": 1e-12}
    raise AssertionError("without a mask, too, earlier rows stay as they were")


@verifier
def saturation_is_not_overflow() -> dict[str, str | int]:
    """Check that huge unscaled scores give finite weights in float32 but hardly any gradient.

    The mean trace of the Jacobian is taken at the largest width.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(0)
    for d_k in (64, 1024, 65_536):
        scores = (rng.standard_normal((2000, 32)) * math.sqrt(d_k)).astype(np.float32)
        weights = softmax(scores)
        assert np.isfinite(weights).all(), f"d_k = {d_k}: overflow"
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-6), f"d_k = {d_k}: sums are not 1"
    trace = float((1 - (weights**2).sum(axis=1)).mean())
    assert trace < 0.02, f"the Jacobian's trace is still {trace:.2g}"
    return {"d_k": "64, 1024, 65536", "dtype": "float32", "keys": 32}
