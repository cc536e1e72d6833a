"""Dropout in training: its backward, the factor that is forgotten, the penalty it amounts to, stochastic depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dropout
from verifiers.calculus import Array, agree, complex_step, listed


def _rate(p: float) -> None:
    arguments.shares(p=p)
    arguments.positive(**{"1 − p": 1 - p})


def forward(x: Array, kept: Array, p: float) -> Array:
    """Inverted dropout of x by the coins `kept`."""
    return np.asarray(x * kept / (1 - p))


def backward(upstream: Array, kept: Array, p: float) -> Array:
    """Gradient at the input of dropout: the same coins, the same factor."""
    return np.asarray(upstream * kept / (1 - p))


def _loss(weights: Array, kept: Array, p: float, x: Array) -> complex:
    return complex(np.tanh(weights @ forward(x, kept, p)).sum())


@verifier
def backward_reuses_the_mask(
    widths: Sequence[int] = (4, 16, 64),
    rates: Sequence[float] = (0.1, 0.5),
    seeds: int = 4,
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check that dropout's gradient is the upstream one times the forward's mask over 1 − p, and no other mask's.

    The dropped vector enters a linear layer with tanh; gradients are held against the complex step.

    Formula: dL/dx = dL/dy ∘ m / (1 − p).
    Shapes: x, m [d].
    Unit: check
    Source: srivastava2014; derivative by complex step
    """
    for width, p, seed in product(widths, rates, range(seeds)):
        rng = np.random.default_rng(seed)
        x, weights = rng.standard_normal(width), rng.standard_normal((width, width))
        kept, fresh = (rng.random((2, width)) >= p).astype(float)
        kept[0], fresh[0] = 1, 0  # coins that differ for certain
        upstream = (1 - np.tanh(weights @ forward(x, kept, p)) ** 2) @ weights
        truth = complex_step(partial(_loss, weights, kept, p), x)
        agree(backward(upstream, kept, p), truth, tolerance, "dropout's backward")
        wrong = np.abs(backward(upstream, fresh, p) - truth).max()
        assert wrong > tolerance, "a fresh mask gave the same gradient"
    tried = {"widths": listed(widths), "rates": listed(rates)}
    return tried | {"seeds": seeds, "tolerance": tolerance}


@verifier
def forgotten_scale(p: float, layers: int = 1) -> float:
    """How many times larger a linear stack's output is at inference than its mean in training, without the factor.

    Every layer drops its input, and neither side divides or multiplies; no norm in between.

    Formula: (1 − p)^(−layers).
    Unit: 1
    Source: srivastava2014
    """
    _rate(p)
    arguments.counts(layers=layers)
    return float((1 - p) ** -layers)


@verifier
def relative_noise(p: float, coins: int = 1) -> float:
    """Deviation over mean of a sum of equal terms, after dropout with so many independent coins.

    Dropout tosses a coin a unit; stochastic depth one for all units of a branch.

    Formula: √(p / ((1 − p) · coins)).
    Unit: 1
    Source: definition
    """
    _rate(p)
    arguments.counts(coins=coins)
    return math.sqrt(p / ((1 - p) * coins))


@verifier
def row_sum_std(p: float, weights: Sequence[float]) -> float:
    """Deviation of the sum of a row of attention weights after inverted dropout; its mean stays one.

    Formula: √(p / (1 − p) · Σ a²).
    Unit: 1
    Source: definition
    """
    _rate(p)
    arguments.distribution(weights, "weights")
    return math.sqrt(p / (1 - p) * sum(weight**2 for weight in weights))


@verifier
def squared_error_gains_a_ridge_penalty(
    inputs: Sequence[int] = (3, -1, 4),
    weights: Sequence[int] = (2, 7, -5),
    target: int = 6,
    percent: int = 30,
) -> dict[str, str]:
    """Check that dropout on the inputs of a linear regression adds p/(1 − p) · Σ w²x² to its error: all masks, exactly.

    Formula: E (t − w·x̃)² = (t − w·x)² + p/(1 − p) · Σ w_i² x_i².
    Unit: check
    Source: srivastava2014
    """
    p = Fraction(percent, 100)
    terms = list(zip(inputs, weights, strict=True))
    total = Fraction(0)
    for coins in product((True, False), repeat=len(terms)):
        chance, output = Fraction(1), Fraction(0)
        for (x, weight), kept in zip(terms, coins, strict=True):
            chance *= 1 - p if kept else p
            output += weight * dropout.inverted(Fraction(x), kept, p)
        total += chance * (target - output) ** 2
    plain = Fraction(target - sum(x * weight for x, weight in terms)) ** 2
    penalty = p / (1 - p) * sum((weight * x) ** 2 for x, weight in terms)
    assert total == plain + penalty, f"the expected error is {total}, not {plain + penalty}"
    return {"masks": str(2 ** len(terms)), "p": f"{percent} %"}


@verifier
def expected_depth(blocks: int, last: float = 0.5) -> float:
    """Blocks that stochastic depth runs on average, when survival falls linearly from one to `last`.

    Formula: Σ_l 1 − l/L · (1 − last) = L − (1 − last)(L + 1)/2.
    Unit: 1
    Source: huang2016
    """
    arguments.counts(blocks=blocks)
    arguments.shares(last=last)
    return blocks - (1 - last) * (blocks + 1) / 2
