"""The backward of a linear layer, and what a gradient costs from either end of a chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array

Rule = Callable[[Array, Array, Array], tuple[Array, Array]]


def backward(weight: Array, x: Array, upstream: Array) -> tuple[Array, Array]:
    """Gradients in W and x of a loss whose gradient in y = W x is `upstream`; columns are samples."""
    return np.asarray(upstream @ x.T), np.asarray(weight.T @ upstream)


def loss(weight: Array, x: Array) -> Array:
    """Some smooth loss of y = W x with another slope everywhere."""
    y = weight @ x
    return np.asarray(np.sum(np.sin(y) + y**2 / 3))


def compare(rule: Rule, shapes: Sequence[tuple[int, int, int]], tolerance: float) -> None:
    """Compare a rule's gradients with complex-step derivatives of the loss, entry by entry."""
    for seed, (outputs, inputs, samples) in enumerate(shapes):
        rng = np.random.default_rng(seed)
        weight, x = rng.standard_normal((outputs, inputs)), rng.standard_normal((inputs, samples))
        y = weight @ x
        found = rule(weight, x, np.cos(y) + 2 * y / 3)
        for which, (place, gradient) in enumerate(zip((weight, x), found, strict=True)):
            assert gradient.shape == place.shape, f"gradient {gradient.shape} of a tensor {place.shape}"
            for index in np.ndindex(*place.shape):
                moved = [weight.astype(complex), x.astype(complex)]
                moved[which][index] += 1e-30j
                exact = float(loss(*moved).imag) / 1e-30
                assert abs(exact - gradient[index]) < tolerance, f"{gradient[index]} instead of {exact}"


@verifier
def gradients_are_exact(
    shapes: Sequence[tuple[int, int, int]] = ((3, 4, 1), (5, 2, 6), (1, 7, 3)), tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check dL/dW = (dL/dy) xᵀ and dL/dx = Wᵀ (dL/dy) for y = W x, summed over samples in columns.

    Shapes: W [out, in], x [in, samples], dL/dy [out, samples].
    Unit: check
    Source: definition; derivative by complex step
    """
    compare(backward, shapes, tolerance)
    return {"shapes": len(shapes), "tolerance": tolerance}


@verifier
def chain_flops(widths: Sequence[int], mode: str) -> int:
    """FLOPs of the chained Jacobians of a network, multiplied from the loss back or from the input on.

    `widths` are those of the input, the layers between, and the output (one for a scalar loss).
    Formula: reverse: Σ 2·out·w_i·w_{i+1}, a row for each output; forward: Σ 2·in·w_i·w_{i+1}, a column
    for each input; the first product is the Jacobian itself and free.
    Unit: FLOP
    Source: griewank2000
    """
    arguments.counts(3, **{"number of widths": len(widths)})
    arguments.counts(**{f"widths[{index}]": width for index, width in enumerate(widths)})
    arguments.one_of("mode", mode, ("forward", "reverse"))
    if mode == "reverse":
        products = [2 * widths[-1] * a * b for a, b in pairwise(widths[:-1])]
    else:
        products = [2 * widths[0] * a * b for a, b in pairwise(widths[1:])]
    return sum(products)
