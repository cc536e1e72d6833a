"""Layer normalisation and RMSNorm: forward, backward, and what they ignore."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import models

Array = np.ndarray[Any, np.dtype[Any]]


def layer_norm(x: Array, eps: float = 0.0) -> Array:
    """Normalise the last axis to mean zero and variance one, without gain and bias."""
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps))


def rms_norm(x: Array, eps: float = 0.0) -> Array:
    """Divide the last axis by its root mean square, without gain."""
    return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + eps))


def layer_norm_backward(x: Array, upstream: Array, eps: float = 0.0) -> Array:
    """Closed form of the input gradient; `upstream` is dL/dy times the gain."""
    normed = layer_norm(x, eps)
    sigma = np.sqrt(x.var(-1, keepdims=True) + eps)
    mean = upstream.mean(-1, keepdims=True)
    along = (upstream * normed).mean(-1, keepdims=True)
    return np.asarray((upstream - mean - normed * along) / sigma)


def rms_norm_backward(x: Array, upstream: Array, eps: float = 0.0) -> Array:
    """Closed form of the input gradient; `upstream` is dL/dy times the gain."""
    normed = rms_norm(x, eps)
    scale = np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    return np.asarray((upstream - normed * (upstream * normed).mean(-1, keepdims=True)) / scale)


FORWARD: dict[str, Callable[..., Array]] = {"layer": layer_norm, "rms": rms_norm}
BACKWARD: dict[str, Callable[..., Array]] = {
    "layer": lambda x, g, eps=0.0: layer_norm_backward(x, g, eps),
    "rms": lambda x, g, eps=0.0: rms_norm_backward(x, g, eps),
}


def jacobian(function: Callable[[Array], Array], at: Array) -> Array:
    """Jacobian of an analytic vector function by complex steps, exact to rounding; [out, in]."""
    step = 1e-30
    rows = [function(at + d).imag / step for d in np.eye(len(at)) * 1j * step]
    return np.stack(rows, axis=1)


def _sample(width: int, seed: int) -> Array:
    """A vector with a mean, a scale and one outlier, as hidden states have."""
    x = 3 * np.random.default_rng([width, seed]).standard_normal(width) + 0.7
    x[seed % width] *= 10
    return np.asarray(x)


@verifier
def backward_is_exact() -> dict[str, object]:
    """Check both closed-form input gradients against derivatives taken by complex step.

    Formula: LayerNorm (g − mean(g) − x̂·mean(g·x̂))/σ; RMSNorm (g − x̂·mean(g·x̂))/rms, with
    g = γ ⊙ dL/dy.
    Shapes: x, g [d].
    Unit: check
    Source: ba2016, zhang2019; derivative by complex step
    """
    for kind, forward in FORWARD.items():
        for width in (3, 16, 64):
            for seed in range(3):
                for eps in (0.0, 1e-5, 0.5):
                    x, g = _sample(width, seed), _sample(width, seed + 100)
                    true = g @ jacobian(partial(forward, eps=eps), x)
                    error = float(abs(BACKWARD[kind](x, g, eps) - true).max())
                    assert error < 1e-11, f"{kind} norm: gradient off by {error} at d={width}"
    return {"d": "3, 16, 64", "seeds": 3, "eps": "0, 1e-5, 0.5", "tolerance": 1e-11}


@verifier
def gradient_misses_two_directions() -> dict[str, object]:
    """Check that LayerNorm's input gradient sums to zero and is orthogonal to the output.

    Formula: Σ dx = 0 and Σ dx·x̂ = 0 without epsilon: shift and scale of x do not reach the loss.
    Unit: check
    Source: ba2016
    """
    for width in (8, 64, 256):
        for seed in range(4):
            x, g = _sample(width, seed), _sample(width, seed + 100)
            dx = BACKWARD["layer"](x, g)
            size = float(np.linalg.norm(dx)) * math.sqrt(width)
            assert abs(dx.sum()) < 1e-12 * size, "the gradient has a mean"
            assert abs((dx * layer_norm(x)).sum()) < 1e-12 * size, "the gradient points along x̂"
    return {"d": "8, 64, 256", "seeds": 4, "tolerance": 1e-12}


@verifier
def jacobian_rank(kind: str, width: int) -> int:
    """Rank of a norm's Jacobian: how many directions of the input reach the output.

    Formula: d − 2 for LayerNorm (shift and scale are lost), d − 1 for RMSNorm (scale).
    Unit: 1
    Source: definition
    """
    if kind not in FORWARD:
        raise ValueError(f"unknown norm {kind!r}; 'layer' or 'rms'")
    if not 3 <= width <= 512:
        raise ValueError("width must lie between 3 and 512")
    matrix = jacobian(FORWARD[kind], _sample(width, 0))
    return int(np.linalg.matrix_rank(matrix, tol=1e-10 * float(np.linalg.norm(matrix))))


@verifier
def scale_cancels() -> dict[str, object]:
    """Check that scaling the input leaves the output and divides the gradient by the scale.

    Formula: N(a·x) = N(x), and the Jacobian at a·x is that at x divided by a, for a > 0.
    Unit: check
    Source: ba2016
    """
    for kind, forward in FORWARD.items():
        for seed in range(4):
            x, g = _sample(64, seed), _sample(64, seed + 100)
            for a in (0.01, 7.0, 1000.0):
                same = np.allclose(forward(a * x), forward(x), rtol=1e-10, atol=1e-12)
                assert same, f"{kind} norm feels the scale {a}"
                scaled, plain = BACKWARD[kind](a * x, g), BACKWARD[kind](x, g)
                assert np.allclose(a * scaled, plain, rtol=1e-9, atol=1e-12), "gradient is not 1/a"
    return {"d": 64, "seeds": 4, "scales": "0.01, 7, 1000", "tolerance": 1e-9}


@verifier
def rms_is_layer_norm_of_centred() -> dict[str, object]:
    """Check that RMSNorm of a vector whose mean was removed equals its LayerNorm.

    Formula: RMSNorm(x − mean(x)) = LayerNorm(x), without gain and bias.
    Unit: check
    Source: zhang2019
    """
    for width in (8, 64, 256):
        for seed in range(4):
            x = _sample(width, seed)
            centred = FORWARD["rms"](x - x.mean())
            error = float(abs(centred - FORWARD["layer"](x)).max())
            assert error < 1e-12, f"they differ by {error} at d={width}"
    return {"d": "8, 64, 256", "seeds": 4, "tolerance": 1e-12}


def batch_norm(x: Array) -> Array:
    """Normalise each feature over all tokens of the batch, as batch normalisation trains."""
    return np.asarray((x - x.mean(0)) / x.std(0))


@verifier
def tokens_do_not_mix() -> dict[str, object]:
    """Check that a token's LayerNorm ignores all other tokens, and that its batch norm does not.

    Formula: changing rows 1…n of x leaves row 0 of LN(x) bit for bit.
    Shapes: x [tokens, d].
    Unit: check
    Source: ba2016
    """
    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((6, 32))
        other = x.copy()
        other[1:] *= 3
        for kind, forward in FORWARD.items():
            assert (forward(x)[0] == forward(other)[0]).all(), f"{kind} norm mixes tokens"
        moved = float(abs(batch_norm(x)[0] - batch_norm(other)[0]).max())
        assert moved > 0.1, "batch norm should have felt the other tokens"
    return {"tokens": 6, "d": 32, "seeds": 4}


@verifier
def output_rms(variance: float, eps: float = 1e-5) -> float:
    """Root mean square of LayerNorm's output, before gain and bias, for an input variance.

    Formula: sqrt(v/(v + ε)).
    Unit: 1
    Source: ba2016
    """
    if variance < 0 or eps < 0 or variance + eps == 0:
        raise ValueError("variance and eps must not be negative, nor both zero")
    return math.sqrt(variance / (variance + eps))


@verifier
def parameters(model: str, kind: str = "rms") -> dict[str, float]:
    """Parameters in a model's norms: two a layer and one before the head.

    Formula: (2·layers + 1)·d for RMSNorm's gain, twice that with LayerNorm's bias.
    Unit: norms=1, parameters=param
    Source: definition
    """
    if kind not in FORWARD:
        raise ValueError(f"unknown norm {kind!r}; 'layer' or 'rms'")
    shape = models.get(model)
    norms = 2 * shape.layers + 1
    return {"norms": norms, "parameters": norms * shape.d_model * (1 if kind == "rms" else 2)}
