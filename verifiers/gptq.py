"""GPTQ: rounding a weight column by column, the rest making up for each error."""

from __future__ import annotations

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.quantisation import Array, largest_code


def correlated_inputs(samples: int, columns: int, correlation: float, seed: int) -> Array:
    """Normal inputs [samples, columns] of which every two columns have the given correlation."""
    arguments.counts(2, samples=samples, columns=columns)
    arguments.counts(0, seed=seed)
    arguments.shares(correlation=correlation)
    generator = np.random.default_rng(seed)
    common, own = generator.standard_normal((samples, 1)), generator.standard_normal((samples, columns))
    return np.asarray(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)


def compensate(inverse: Array, error: float | Array) -> Array:
    """Change of the weights not rounded yet that best undoes an error in the first of them."""
    return np.asarray(np.multiply.outer(error, inverse[0, 1:] / inverse[0, 0]))


def round_columns(w: Array, hessian: Array, steps: Array) -> Array:
    """Weights [rows, columns] rounded from left to right, each error passed on to the right."""
    w = w.copy()
    for column in range(w.shape[1]):
        rounded = np.rint(w[:, column] / steps) * steps
        inverse = np.linalg.inv(hessian[column:, column:])
        w[:, column + 1 :] += compensate(inverse, rounded - w[:, column])
        w[:, column] = rounded
    return w


@verifier
def error(
    bits: int = 4,
    correlation: float = 0.5,
    columns: int = 32,
    rows: int = 64,
    samples: int = 256,
    seed: int = 0,
) -> dict[str, float]:
    """Relative error, on the calibration inputs, of weights rounded to nearest and by GPTQ on the same grid.

    Formula: ‖X·(Ŵ − W)ᵀ‖/‖X·Wᵀ‖, one absmax scale an output; GPTQ rounds column q, with error e, and
    adds e·H⁻¹[q, q+1:]/H⁻¹[q, q] to the columns after it, H = XᵀX of the columns from q on, not damped.
    Unit: nearest=1, gptq=1, gain=1
    Source: frantar2023
    """
    arguments.counts(rows=rows)
    arguments.positive(**{"1 − correlation": 1 - correlation})
    x = correlated_inputs(samples, columns, correlation, seed)
    if samples < columns:
        raise ValueError(f"{samples} inputs do not determine {columns} columns")
    w = np.random.default_rng([seed, rows]).standard_normal((rows, columns))
    steps = abs(w).max(axis=1) / largest_code(bits)
    nearest = np.rint(w / steps[:, None]) * steps[:, None]
    rounded = round_columns(w, x.T @ x, steps)
    errors = [float(np.linalg.norm(x @ (v - w).T) / np.linalg.norm(x @ w.T)) for v in (nearest, rounded)]
    return {"nearest": errors[0], "gptq": errors[1], "gain": errors[0] / errors[1]}


@verifier
def compensation_is_least_squares(
    columns: int = 8,
    samples: int = 40,
    correlations: tuple[float, ...] = (0.0, 0.5, 0.9),
    seeds: int = 4,
    tolerance: float = 1e-9,
) -> dict[str, object]:
    """Check that GPTQ's update of the later weights is the one that undoes most of a rounding error.

    Formula: argmin over δ of ‖e·x₀ + X₁·δ‖ = e·H⁻¹[0, 1:]/H⁻¹[0, 0], x₀ the rounded weight's inputs and X₁
    the others'.
    Unit: check
    Source: frantar2023
    """
    for correlation in correlations:
        for seed in range(seeds):
            x = correlated_inputs(samples, columns, correlation, seed)
            best = np.linalg.lstsq(x[:, 1:], -x[:, 0], rcond=None)[0]
            update = compensate(np.linalg.inv(x.T @ x), 1.0)
            assert np.allclose(update, best, rtol=tolerance, atol=tolerance), "another update is better"
    return {
        "columns": columns,
        "correlations": ", ".join(map(str, correlations)),
        "seeds": seeds,
        "tolerance": tolerance,
    }
