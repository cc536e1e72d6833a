"""Models that fit their data exactly: double descent, least-norm solutions, and what flatness does not say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array


def _signal(features: int, of: int, decay: float) -> float:
    """Share of a signal of unit size that lies in the first features, the j-th weighing j^−decay."""
    weights = [j**-decay for j in range(1, of + 1)]
    return math.fsum(weights[:features]) / math.fsum(weights)


@verifier
def min_norm_risk(
    samples: int, features: int, of: int, noise: float = 0.0, decay: float = 0.0
) -> dict[str, float]:
    """Expected test error of the least-norm least-squares fit on some of a linear model's normal features.

    The signal has unit variance, spread over all `of` features as j^−decay; the first `features` are used.
    `risk` is the squared error of a fresh label, noise included; bias and variance are over training sets.
    Formula: with signal s in the features used and u = 1 − s + σ² outside of them, u · (1 + p/(n − p − 1))
    for p ≤ n − 2, s · (1 − n/p) + u · (1 + n/(p − n − 1)) for p ≥ n + 2, infinite between.
    Unit: risk=1, bias=1, variance=1
    Source: belkin2020
    """
    arguments.counts(samples=samples, features=features, **{"of − features + 1": of - features + 1})
    arguments.non_negative(noise=noise, decay=decay)
    if abs(features - samples) < 2:
        raise ValueError(f"the expected error is infinite where {features} features meet {samples} samples")
    used = _signal(features, of, decay)
    rest = 1 - used + noise**2
    if features < samples:
        bias = 1 - used
        variance = rest * features / (samples - features - 1)
    else:
        kept = samples / features
        bias = used * (1 - kept) ** 2 + 1 - used
        variance = used * kept * (1 - kept) + rest * samples / (features - samples - 1)
    return {"risk": bias + variance + noise**2, "bias": bias, "variance": variance}


def _target(x: Array) -> Array:
    return np.asarray(np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2])


@verifier(tolerance=1e-5)
def random_features(
    features: int,
    samples: int = 100,
    noise: float = 0.3,
    ridge: float = 0.0,
    inputs: int = 5,
    seeds: int = 15,
) -> dict[str, float]:
    """Errors of linear regression on random ReLU features of a smooth target, median over seeded draws.

    Formula: the least-norm w of least ‖Φw − y‖², or (ΦᵀΦ + λ)⁻¹Φᵀy; `test` is the mean squared error
    against the noiseless target on fresh inputs, `train` against the noisy labels.
    Unit: test=1, train=1
    Source: simulation with seeds
    """
    arguments.counts(features=features, samples=samples, seeds=seeds)
    arguments.counts(3, inputs=inputs)
    arguments.non_negative(noise=noise, ridge=ridge)
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, fresh = rng.standard_normal((samples, inputs)), rng.standard_normal((500, inputs))
        labels = _target(x) + noise * rng.standard_normal(samples)
        weights, shift = rng.standard_normal((inputs, features)), rng.standard_normal(features)
        train, test = (
            np.maximum(data @ weights / math.sqrt(inputs) + shift, 0) / math.sqrt(features)
            for data in (x, fresh)
        )
        left, singular, right = np.linalg.svd(train, full_matrices=False)
        rank = np.linalg.matrix_rank(train)
        inverse = singular[:rank] / (singular[:rank] ** 2 + ridge)
        found = right[:rank].T @ (inverse * (left[:, :rank].T @ labels))
        rows.append((np.mean((test @ found - _target(fresh)) ** 2), np.mean((train @ found - labels) ** 2)))
    test_error, train_error = np.median(np.array(rows), axis=0)
    return {"test": float(test_error), "train": float(train_error)}


Step = Callable[[Array, int], Array]


def descend(matrix: Array, labels: Array, start: Array, rule: str, steps: int, seed: int) -> Array:
    """Minimise ‖Xw − y‖² from a start: full gradients, one random row at a time, or Adam."""
    rng = np.random.default_rng(seed)
    w = start.astype(np.float64)
    first, second = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, steps + 1):
        if rule == "sgd":
            row = int(rng.integers(len(labels)))
            w = w - (matrix[row] @ w - labels[row]) / float(matrix[row] @ matrix[row]) * matrix[row]
            continue
        slope = matrix.T @ (matrix @ w - labels)
        if rule == "gd":
            w = w - slope / float(np.linalg.norm(matrix, 2) ** 2)
            continue
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        scale = np.sqrt(second / (1 - 0.999**step)) + 1e-12
        # a rate that falls to zero lets Adam settle on one of the solutions
        w = w - 0.05 * (1 - step / steps) * first / (1 - 0.9**step) / scale
    return np.asarray(w)


def _problem(rows: int, columns: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, columns)), rng.standard_normal(rows)


@verifier
def descent_takes_the_nearest_solution(
    rows: int = 5, columns: int = 12, seeds: int = 3, steps: int = 6000, tolerance: float = 1e-6
) -> dict[str, int | float]:
    """Check that gradient descent and SGD end at the interpolating solution nearest to their start.

    Formula: w∞ = w₀ + X⁺(y − Xw₀), which is the least-norm solution X⁺y from zero: every step is a
    combination of rows of X, so the part of w₀ outside of their span never changes.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        matrix, labels = _problem(rows, columns, seed)
        for start in (np.zeros(columns), np.ones(columns)):
            nearest = start + np.linalg.pinv(matrix) @ (labels - matrix @ start)
            for rule in ("gd", "sgd"):
                found = descend(matrix, labels, start, rule, steps, seed)
                gap = float(np.abs(found - nearest).max())
                assert gap < tolerance, f"{rule} ends {gap:.2g} from the nearest solution"
    return {"rows": rows, "columns": columns, "seeds": seeds, "tolerance": tolerance}


@verifier(tolerance=1e-3)
def norm_reached(rule: str, rows: int = 5, columns: int = 12, seed: int = 0, steps: int = 6000) -> float:
    """Norm of the solution that an optimiser finds from zero, over that of the least-norm solution.

    Formula: ‖w∞‖ / ‖X⁺y‖, one for gradient descent and SGD. Adam's rate falls linearly to zero.
    Unit: 1
    Source: definition
    """
    arguments.counts(rows=rows, steps=steps, **{"columns − rows": columns - rows})
    arguments.one_of("rule", rule, ("gd", "sgd", "adam"))
    matrix, labels = _problem(rows, columns, seed)
    found = descend(matrix, labels, np.zeros(columns), rule, steps, seed)
    residual = float(np.abs(matrix @ found - labels).max())
    if residual > 1e-4:
        raise ValueError(f"{steps} steps leave a residual of {residual:.2g}")
    return float(np.linalg.norm(found) / np.linalg.norm(np.linalg.pinv(matrix) @ labels))


@verifier
def sharpness(scale: float, product: float = 1.0) -> float:
    """Largest curvature of (a·max(b, 0) − c)²/2 at a minimum a = c/t, b = t: one function, any sharpness.

    Formula: the Hessian at a·b = c is vvᵀ with v = (b, a), so its largest eigenvalue is a² + b².
    Unit: 1
    Source: dinh2017
    """
    arguments.positive(scale=scale, product=product)
    return scale**2 + (product / scale) ** 2
