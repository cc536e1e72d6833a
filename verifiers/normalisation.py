"""Layer normalisation and RMSNorm: forward, backward, and what they ignore."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, models
from verifiers.calculus import agree, listed
from verifiers.parameters import by_part

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
BACKWARD: dict[str, Callable[..., Array]] = {"layer": layer_norm_backward, "rms": rms_norm_backward}


def jacobian(function: Callable[[Array], Array], at: Array) -> Array:
    """Jacobian of an analytic vector function by complex steps, exact to rounding; [out, in]."""
    step = np.sqrt(np.finfo(float).tiny)
    rows = [function(at + d).imag / step for d in np.eye(len(at)) * 1j * step]
    return np.stack(rows, axis=1)


def problem(width: int, seed: int) -> tuple[Array, Array]:
    """An input and the gradient that arrives at its norm, both [d]."""
    x, upstream = np.random.default_rng([width, seed]).standard_normal((2, width))
    return x, upstream


@verifier
def backward_is_exact(
    widths: tuple[int, ...] = (3, 16, 64),
    seeds: int = 3,
    eps: tuple[float, ...] = (0, 1e-5, 0.5),
    tolerance: float = 1e-11,
) -> dict[str, str | int | float]:
    """Check both closed-form input gradients against derivatives taken by complex step.

    Formula: LayerNorm (g − mean(g) − x̂·mean(g·x̂))/σ; RMSNorm (g − x̂·mean(g·x̂))/rms, with
    g = γ ⊙ dL/dy and σ, rms the roots with epsilon under them.
    Shapes: x, g [d].
    Unit: check
    Source: ba2016, zhang2019; derivative by complex step
    """
    for kind, forward in FORWARD.items():
        for width in widths:
            for seed in range(seeds):
                for term in eps:
                    x, g = problem(width, seed)
                    true = g @ jacobian(partial(forward, eps=term), x)
                    agree(
                        BACKWARD[kind](x, g, term), true, tolerance, f"{kind} norm, d={width}: the gradient"
                    )
    return {"d": listed(widths), "seeds": seeds, "eps": listed(eps), "tolerance": tolerance}


@verifier
def gradient_misses_two_directions(
    widths: tuple[int, ...] = (8, 64, 256), seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, str | int | float]:
    """Check that LayerNorm's input gradient sums to zero and is orthogonal to the output.

    Formula: Σ dx = 0 and Σ dx·x̂ = 0 without epsilon: shift and scale of x do not reach the loss.
    Unit: check
    Source: ba2016
    """
    for width in widths:
        for seed in range(seeds):
            x, g = problem(width, seed)
            dx = BACKWARD["layer"](x, g)
            size = float(np.linalg.norm(dx))
            agree(dx.mean() / size, 0, tolerance, "the gradient's mean")
            agree((dx * layer_norm(x)).mean() / size, 0, tolerance, "the gradient along x̂")
    return {"d": listed(widths), "seeds": seeds, "tolerance": tolerance}


@verifier
def jacobian_rank(kind: str, width: int) -> int:
    """Rank of a norm's Jacobian, without epsilon: how many directions of the input reach the output.

    Formula: d − 2 for LayerNorm (shift and scale are lost), d − 1 for RMSNorm (scale).
    Unit: 1
    Source: definition
    """
    forward = FORWARD[arguments.one_of("norm", kind, FORWARD)]
    arguments.counts(3, width=width)
    arguments.counts(0, **{"512 - width": 512 - width})
    matrix = jacobian(forward, problem(width, 0)[0])
    return int(np.linalg.matrix_rank(matrix))


@verifier
def scale_cancels(
    width: int = 64, scales: tuple[float, ...] = (0.01, 7, 1000), seeds: int = 4, tolerance: float = 1e-9
) -> dict[str, str | int | float]:
    """Check that scaling the input leaves the output and divides the gradient by the scale, without epsilon.

    Formula: N(a·x) = N(x), and the Jacobian at a·x is that at x divided by a, for a > 0.
    Unit: check
    Source: ba2016
    """
    for kind, forward in FORWARD.items():
        for seed in range(seeds):
            x, g = problem(width, seed)
            for a in scales:
                agree(forward(a * x), forward(x), tolerance, f"{kind} norm at scale {a:g}: the output")
                scaled, plain = BACKWARD[kind](a * x, g), BACKWARD[kind](x, g)
                agree(a * scaled, plain, tolerance, f"{kind} norm at scale {a:g}: the gradient")
    return {"d": width, "seeds": seeds, "scales": listed(scales), "tolerance": tolerance}


@verifier
def rms_is_layer_norm_of_centred(
    widths: tuple[int, ...] = (8, 64, 256), seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, str | int | float]:
    """Check that RMSNorm of a vector whose mean was removed equals its LayerNorm.

    Formula: RMSNorm(x − mean(x)) = LayerNorm(x), without gain and bias.
    Unit: check
    Source: zhang2019
    """
    for width in widths:
        for seed in range(seeds):
            x, _g = problem(width, seed)
            agree(FORWARD["rms"](x - x.mean()), FORWARD["layer"](x), tolerance, f"d={width}: the output")
    return {"d": listed(widths), "seeds": seeds, "tolerance": tolerance}


def batch_norm(x: Array) -> Array:
    """Normalise each feature over all tokens of the batch, as batch normalisation trains."""
    return np.asarray((x - x.mean(0)) / x.std(0))


@verifier
def tokens_do_not_mix(
    tokens: int = 6, width: int = 32, factor: float = 3, seeds: int = 4, least: float = 0.1
) -> dict[str, int]:
    """Check that a token's LayerNorm ignores all other tokens, and that its batch norm in training does not.

    Formula: changing rows 1…n of x leaves row 0 of LN(x) bit for bit.
    Shapes: x [tokens, d].
    Unit: check
    Source: ba2016
    """
    for seed in range(seeds):
        x = np.random.default_rng(seed).standard_normal((tokens, width))
        other = x.copy()
        other[1:] *= factor
        for kind, forward in FORWARD.items():
            assert np.array_equal(forward(x)[0], forward(other)[0]), f"{kind} norm mixes tokens"
        moved = float(abs(batch_norm(x)[0] - batch_norm(other)[0]).max())
        assert moved > least, "batch norm should have felt the other tokens"
    return {"tokens": tokens, "d": width, "seeds": seeds}


@verifier
def output_rms(variance: float, eps: float = 1e-5) -> float:
    """Root mean square of LayerNorm's output, before gain and bias, for an input variance.

    Formula: sqrt(v/(v + ε)).
    Unit: 1
    Source: ba2016
    """
    arguments.non_negative(variance=variance, eps=eps)
    arguments.positive(**{"variance + eps": variance + eps})
    return math.sqrt(variance / (variance + eps))


@verifier
def parameters(model: str, kind: str | None = None) -> dict[str, int]:
    """Norms of a model, and their parameters; `kind` replaces its own by "layer" or "rms".

    Formula: (norms a layer · layers + 1) · d for RMSNorm's gain, twice that with LayerNorm's bias; two norms
    a layer unless the model has more, and in multi-head latent attention one for each compressed vector.
    Unit: norms=1, parameters=param
    Source: definition
    """
    shape = models.get(model)
    if kind is not None:
        shape = replace(shape, norm_bias=arguments.one_of("norm", kind, FORWARD) == "layer")
    compressed = 1 + bool(shape.latent.q_rank) if shape.latent else 0
    return {"norms": shape.layers * (shape.norms + compressed) + 1, "parameters": by_part(shape)["norm"]}
