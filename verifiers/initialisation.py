"""Initialisation schemes, and what a stack of layers makes of a signal under each."""

from __future__ import annotations

import math

import numpy as np

from proofdeck import verifier
from verifiers import arguments

SCHEMES = ("he", "xavier", "lecun", "heuristic")


@verifier
def std(scheme: str, fan_in: int, fan_out: int | None = None) -> float:
    """Standard deviation of a weight; only "xavier" looks at `fan_out`, and needs it.

    Formula: he √(2/fan_in); xavier √(2/(fan_in + fan_out)); lecun √(1/fan_in); heuristic, uniform within
    ±1/√fan_in as linear layers of PyTorch are by default, √(1/(3·fan_in)).
    Unit: 1
    Source: he2015, glorot2010
    """
    arguments.one_of("scheme", scheme, SCHEMES)
    arguments.counts(fan_in=fan_in)
    if fan_out is not None:
        arguments.counts(fan_out=fan_out)
    if scheme == "xavier":
        if fan_out is None:
            raise ValueError("xavier needs fan_out")
        return math.sqrt(2 / (fan_in + fan_out))
    return math.sqrt({"he": 2, "lecun": 1, "heuristic": 1 / 3}[scheme] / fan_in)


@verifier
def bound(scheme: str, fan_in: int, fan_out: int | None = None) -> float:
    """Largest weight where a scheme draws uniformly instead of normally, of the same variance.

    Formula: √3 · std.
    Unit: 1
    Source: glorot2010
    """
    return math.sqrt(3) * std(scheme, fan_in, fan_out)


@verifier
def relu_moments(deviation: float = 1.0) -> dict[str, float]:
    """Mean, second moment, variance and their roots of a ReLU's output, for a centred normal input.

    The second moment halves exactly, which is what He's factor of two makes up for; the variance does not.

    Formula: mean s/√(2π), second moment s²/2, variance s²(1/2 − 1/(2π)).
    Unit: mean=1, second=1, rms=1, variance=1, std=1
    Source: he2015
    """
    arguments.positive(deviation=deviation)
    mean, second = deviation / math.sqrt(2 * math.pi), deviation**2 / 2
    spread = second - mean**2
    return {
        "mean": mean,
        "second": second,
        "rms": math.sqrt(second),
        "variance": spread,
        "std": math.sqrt(spread),
    }


@verifier(tolerance=1e-6)
def propagated(
    scheme: str, layers: int, activation: str = "linear", width: int = 256, samples: int = 64
) -> dict[str, float]:
    """Simulate standard deviation and root mean square after a stack of square layers, standard normal in.

    Weights are normal with the scheme's deviation, and there are no biases; `activation` is "linear", "relu" or
    "tanh".

    Shapes: x (samples, width), weights (width, width).
    Unit: std=1, rms=1
    Source: glorot2010, he2015
    """
    arguments.one_of("activation", activation, ("linear", "relu", "tanh"))
    arguments.counts(layers=layers, width=width, samples=samples)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, width))
    for _ in range(layers):
        x = x @ (rng.standard_normal((width, width)) * std(scheme, width, width))
        if activation == "relu":
            x = np.maximum(x, 0)
        elif activation == "tanh":
            x = np.tanh(x)
    return {"std": float(x.std()), "rms": float(np.sqrt((x**2).mean()))}


@verifier
def scaled_residual(layers: int, base: float = 0.02) -> float:
    """Deviation of the weights that write into the residual stream, in GPT-2's scheme.

    Formula: base / √(2 · layers), two branches a layer.
    Unit: 1
    Source: radford2019
    """
    arguments.counts(layers=layers)
    arguments.positive(base=base)
    return base / math.sqrt(2 * layers)
