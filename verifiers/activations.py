"""Activation functions: slopes, saturation, dead units, and the pieces that depth folds."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count, pairwise

from proofdeck import verifier
from verifiers import arguments, formats


def _sigmoid(x: float) -> float:
    # neither exponential overflows, and no difference of nearly equal numbers is taken
    return math.exp(min(x, 0.0)) / (1 + math.exp(-abs(x)))


def _gelu_slope(x: float) -> float:
    density = math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return 0.5 * math.erfc(-x / math.sqrt(2)) + x * density


SLOPES: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda x: _sigmoid(x) * _sigmoid(-x),
    "tanh": lambda x: 4 * _sigmoid(2 * x) * _sigmoid(-2 * x),
    "relu": lambda x: float(x > 0),
    "silu": lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    "gelu": _gelu_slope,
}
VALUES: dict[str, Callable[[float], float]] = {
    "sigmoid": _sigmoid,
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
}


@verifier
def value(activation: str, x: float) -> float:
    """An activation function's value.

    Formula: sigmoid 1/(1 + e^−x); tanh; relu max(x, 0); silu x·sigmoid(x); gelu x·Φ(x).
    Unit: 1
    Source: hendrycks2016, ramachandran2017
    """
    arguments.finite(x=x)
    return VALUES[arguments.one_of("activation", activation, VALUES)](x)


@verifier
def slope(activation: str, x: float) -> float:
    """An activation function's derivative; of ReLU at zero, zero.

    Formula: sigmoid σ(1 − σ); tanh 1 − tanh²; silu σ + x·σ(1 − σ); gelu Φ(x) + x·φ(x).
    Unit: 1
    Source: hendrycks2016, ramachandran2017
    """
    arguments.finite(x=x)
    return SLOPES[arguments.one_of("activation", activation, SLOPES)](x)


@verifier
def sigmoid_saturates_at(dtype: str = "fp32") -> int:
    """Least whole input whose sigmoid comes out as one in a format, so that σ(1 − σ) is exactly zero.

    Formula: least x where 1 + e^−x rounds to 1.
    Unit: 1
    Source: definition
    """
    return next(x for x in count() if formats.round_to(1 + math.exp(-x), dtype) == 1)


@verifier
def dead_share(mean: float, examples: int, deviation: float = 1.0) -> float:
    """Expected share of ReLU units that no example of a batch activates, for independent normal pre-activations.

    Formula: Φ(−mean/deviation)^examples.
    Unit: 1
    Source: definition
    """
    arguments.positive(deviation=deviation)
    arguments.counts(examples=examples)
    arguments.finite(mean=mean)
    return float((0.5 * math.erfc(mean / deviation / math.sqrt(2))) ** examples)


def tent(x: float) -> float:
    """A network of two ReLU units: 2x up to one half, then back down."""
    return 2 * max(x, 0.0) - 4 * max(x - 0.5, 0.0)


@verifier
def folded_pieces(layers: int) -> int:
    """Count the linear pieces of a tent of two ReLU units, composed with itself `layers` times, on [0, 1].

    Formula: 2^layers, by 2 · layers units; on a line one layer of as many units makes at most one piece more
    than it has units.
    Unit: 1
    Source: telgarsky2016
    """
    arguments.counts(layers=layers)
    if layers > 14:
        raise ValueError(f"{layers} folds have too many pieces to count them")
    # slopes between the points of a dyadic grid twice as fine as the pieces
    points = 2 ** (layers + 1)
    outputs = []
    for i in range(points + 1):
        x = i / points
        for _ in range(layers):
            x = tent(x)
        outputs.append(x)
    slopes = [after - before for before, after in pairwise(outputs)]
    return 1 + sum(int(before != after) for before, after in pairwise(slopes))
