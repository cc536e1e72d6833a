"""Gradients of the softmax: closed forms against autograd and differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier

Array = npt.NDArray[np.float64]


def softmax(scores: Array) -> Array:
    """Softmax along the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def softmax_jacobian(p: Array) -> Array:
    """Jacobian at output p [n]: diag(p) - p pᵀ, [n, n]."""
    return np.diag(p) - np.outer(p, p)


def softmax_backward(p: Array, dp: Array) -> Array:
    """Gradient at the scores, row by row, from weights p and their gradient dp [..., n]."""
    return np.asarray(p * (dp - (p * dp).sum(axis=-1, keepdims=True)))


def differences(function: Callable[[Array], Array], x: Array, step: float = 1e-5) -> Array:
    """Central differences of a function at x [n]: column j is the change along x_j."""
    shifts = step * np.eye(x.size)
    columns = [(function(x + shift) - function(x - shift)) / (2 * step) for shift in shifts]
    return np.stack(columns, axis=-1)


def close(name: str, got: Array, expected: Array, tolerance: float) -> None:
    """Raise AssertionError where two arrays differ by `tolerance` or more."""
    error = float(np.abs(got - expected).max())
    assert error < tolerance, f"{name} is off by {error:.2g}, more than {tolerance:g}"


def compare_jacobian(jacobian: Callable[[Array], Array]) -> dict[str, str | int | float]:
    """Compare a Jacobian, given p, with autograd in float64 and with central differences."""
    import torch

    for n in (2, 5, 40):
        scores = np.random.default_rng(n).standard_normal(n) * 3
        got = jacobian(softmax(scores))
        close("difference", got, differences(softmax, scores), 1e-8)
        leaf = torch.from_numpy(scores)
        exact = torch.func.jacrev(lambda z: torch.softmax(z, 0))(leaf)
        close("autograd", got, exact.numpy(), 1e-12)
    return {"n": "2, 5, 40", "autograd_tolerance": 1e-12, "difference_tolerance": 1e-8}


@verifier
def softmax_jacobian_is_exact() -> dict[str, str | int | float]:
    """Check diag(p) - p pᵀ against autograd in float64 and against central differences.

    Formula: ∂p_i / ∂z_j = p_i · (δ_ij - p_j).
    Unit: check
    Source: definition
    """
    return compare_jacobian(softmax_jacobian)


@verifier
def jacobian_structure() -> dict[str, str]:
    """Check that the Jacobian is symmetric, semidefinite, of rank n - 1, its rows summing to zero.

    It is the Hessian of the log-sum-exp, whose gradient the softmax is.

    Formula: J = Jᵀ, J 1 = 0, x · J x = variance of x under p.
    Unit: check
    Source: definition
    """
    for n in (2, 5, 40):
        rng = np.random.default_rng(n)
        scores, x = rng.standard_normal((2, n))
        p = softmax(scores)
        jacobian = softmax_jacobian(p)
        close("log-sum-exp", p, differences(lambda z: np.log(np.exp(z).sum()), scores), 1e-8)
        close("Hessian", jacobian, differences(softmax, scores), 1e-8)
        assert np.array_equal(jacobian, jacobian.T), "not symmetric"
        close("row sum", jacobian.sum(axis=1), np.zeros(n), 1e-15)
        close("x · J x", x @ jacobian @ x, p @ (x - p @ x) ** 2, 1e-13)
        assert np.linalg.matrix_rank(jacobian, tol=1e-12) == n - 1, "rank is not n - 1"
    return {"n": "2, 5, 40"}


def compare_backward(backward: Callable[[Array, Array], Array]) -> dict[str, str | float]:
    """Compare a row-wise softmax backward with autograd over a matrix of scores [m, n]."""
    import torch

    for rows, columns in ((1, 7), (6, 6), (3, 50)):
        rng = np.random.default_rng(columns)
        scores, upstream = rng.standard_normal((2, rows, columns)) * 2
        leaf = torch.from_numpy(scores).requires_grad_()
        weights = torch.softmax(leaf, -1)
        (exact,) = torch.autograd.grad(weights, leaf, torch.from_numpy(upstream))
        close("dS", backward(softmax(scores), upstream), exact.numpy(), 1e-12)
    return {"shapes": "1x7, 6x6, 3x50", "tolerance": 1e-12}


@verifier
def softmax_backward_is_exact() -> dict[str, str | float]:
    """Check dS = P ∘ (dP - rowsum(P ∘ dP)) against autograd in float64.

    Unit: check
    Source: definition
    """
    return compare_backward(softmax_backward)


@verifier
def explicit_jacobian_entries(rows: int, keys: int) -> int:
    """Entries of the softmax Jacobians of an attention matrix [rows, keys], one block a row.

    Formula: rows · keys².
    Unit: 1
    Source: definition
    """
    if rows < 1 or keys < 1:
        raise ValueError(f"needs at least one row and one key: {rows}, {keys}")
    return rows * keys**2


@verifier(tolerance=1e-6)
def jacobian_norm(weights: tuple[float, ...], temperature: float = 1.0) -> float:
    """Euclidean norm of the Jacobian of softmax(z / temperature) where it outputs `weights`.

    Formula: largest eigenvalue of (diag(p) - p pᵀ) / temperature.
    Unit: 1
    Source: definition
    """
    p = np.array(weights, dtype=float)
    if p.ndim != 1 or p.size == 0 or (p < 0).any() or abs(p.sum() - 1) > 1e-9:
        raise ValueError(f"weights are not a distribution: {weights}")
    if temperature <= 0:
        raise ValueError(f"a temperature is above zero, not {temperature}")
    return float(np.linalg.eigvalsh(softmax_jacobian(p))[-1]) / temperature


@verifier
def jacobian_norm_is_at_most_half() -> dict[str, str | int]:
    """Check Gershgorin's bound 2 p (1 - p) ≤ 1/2 on the Jacobian's norm over many distributions.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(0)
    for concentration in (0.05, 0.5, 5.0):
        for p in rng.dirichlet([concentration] * 8, size=300):
            norm = np.linalg.eigvalsh(softmax_jacobian(p))[-1]
            bound = (2 * p * (1 - p)).max()
            assert norm <= bound + 1e-12, f"norm {norm:.3g} exceeds {bound:.3g}"
            assert bound <= 0.5, f"the bound {bound:.3g} exceeds one half"
    return {"n": 8, "dirichlet": "0.05, 0.5, 5", "trials": 900}


WRONG: dict[str, Callable[[Array, Array], Array]] = {
    "diagonal": lambda p, dp: p * (1 - p) * dp,
    "no_row_sum": lambda p, dp: p * dp,
    "mixed_rows": lambda p, dp: p * dp - p @ p.T @ dp,
}


@verifier(tolerance=1e-6)
def wrong_form_error(form: str) -> float:
    """Relative error of a wrong softmax backward on random attention rows [16, 16].

    "diagonal": P(1 - P) ∘ dP; "no_row_sum": P ∘ dP; "mixed_rows": P ∘ dP - P Pᵀ dP.

    Formula: ‖wrong - right‖ / ‖right‖.
    Unit: 1
    Source: definition
    """
    if form not in WRONG:
        raise ValueError(f"unknown form {form!r}; known: {', '.join(WRONG)}")
    scores, upstream = np.random.default_rng(0).standard_normal((2, 16, 16))
    p, right = softmax(scores), softmax_backward(softmax(scores), upstream)
    return float(np.linalg.norm(WRONG[form](p, upstream) - right) / np.linalg.norm(right))


def compare_invariance(backward: Callable[[Array, Array], Array]) -> dict[str, int | float]:
    """Check that a backward's rows sum to zero, and that a constant gradient passes as zero."""
    rng = np.random.default_rng(0)
    p, upstream = softmax(rng.standard_normal((20, 30))), rng.standard_normal((20, 30))
    close("row sum", backward(p, upstream).sum(axis=1), np.zeros(20), 1e-13)
    close("answer to a constant", backward(p, np.ones((20, 30))), np.zeros((20, 30)), 1e-13)
    return {"rows": 20, "keys": 30, "tolerance": 1e-13}


@verifier
def gradient_is_shift_invariant() -> dict[str, int | float]:
    """Check that dS sums to zero over a row, and is zero where dP is constant over the row.

    Unit: check
    Source: definition
    """
    return compare_invariance(softmax_backward)


def compare_rows(backward: Callable[[Array, Array], Array]) -> dict[str, int]:
    """Check that changing P and dP in one row leaves dS in every other row alone."""
    rng = np.random.default_rng(0)
    p, upstream = softmax(rng.standard_normal((6, 6))), rng.standard_normal((6, 6))
    before = backward(p, upstream)
    p[2], upstream[2] = softmax(rng.standard_normal(6)), rng.standard_normal(6)
    others = [0, 1, 3, 4, 5]
    moved = np.abs(backward(p, upstream) - before)
    assert moved[others].max() == 0, "a row's gradient depends on another row"
    assert moved[2].max() > 0, "the row's own gradient did not move"
    return {"rows": 6, "keys": 6}


@verifier
def rows_do_not_mix() -> dict[str, int]:
    """Check that row i of dS depends on row i of P and dP alone.

    Unit: check
    Source: definition
    """
    return compare_rows(softmax_backward)
