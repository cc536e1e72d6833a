"""Derivatives by the complex step and by differences, to hold closed forms against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from verifiers import arguments

Array = np.ndarray[Any, np.dtype[Any]]
Scalar = Callable[[Array], Any]


def vector(name: str, numbers: Sequence[float]) -> Array:
    """The numbers as an array; ValueError unless every one is finite."""
    arguments.finite(**{f"{name}[{index}]": number for index, number in enumerate(numbers)})
    return np.array(numbers, dtype=float)


def log_softmax(logits: Array) -> Array:
    """Log-softmax along the last axis: subtract the maximum, then the log of the sum. Complex logits pass."""
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: Array) -> Array:
    """Softmax along the last axis, with the maximum subtracted first."""
    powers = np.exp(logits - logits.real.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def complex_step(function: Scalar, at: Array, step: float = 1e-30) -> Array:
    """Gradient of an analytic function without subtraction, exact to rounding."""
    directions = np.eye(len(at)) * 1j * step
    return np.array([function(at + d).imag / step for d in directions])


def differences(function: Callable[[Array], Any], at: Array, step: float = 1e-5) -> Array:
    """Central differences: the gradient of a number, or the Jacobian of a vector, a column for each input."""
    directions = np.eye(len(at)) * step
    columns = [(function(at + d).real - function(at - d).real) / (2 * step) for d in directions]
    return np.stack(columns, axis=-1)


def agree(ours: Any, truth: Any, tolerance: float, what: str) -> None:
    """Raise AssertionError, naming `what`, unless all numbers agree to `tolerance`."""
    error = float(np.abs(np.asarray(ours) - np.asarray(truth)).max())
    assert error <= tolerance, f"{what} is off by {error:.3g}"


def confirm_gradient(
    ours: Array, function: Scalar, at: Array, tolerance: float, what: str, coarse: float = 1e-6
) -> None:
    """Hold a closed-form gradient against the complex step, to `tolerance`, and against differences."""
    agree(ours, complex_step(function, at), tolerance, what)
    agree(ours, differences(function, at), coarse, f"{what}, by differences,")


def random_logits(classes: int, seed: int, scale: float = 3.0) -> tuple[Array, Array]:
    """Random logits and a random distribution of the same size."""
    generator = np.random.default_rng([classes, seed])
    weights = generator.exponential(size=classes)
    return scale * generator.standard_normal(classes), weights / weights.sum()


def listed(numbers: Sequence[float]) -> str:
    """The numbers tried, as a check reports them: `2, 5, 50`."""
    return ", ".join(f"{number:g}" for number in numbers)
