"""Gradients of the softmax: closed forms against autograd and differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, differences, listed, softmax

Array = npt.NDArray[np.float64]
Shapes = tuple[tuple[int, int], ...]


def softmax_jacobian(p: Array) -> Array:
    """Jacobian at output p [n]: diag(p) - p pᵀ, [n, n]."""
    return np.diag(p) - np.outer(p, p)


def softmax_backward(p: Array, dp: Array) -> Array:
    """Gradient at the scores, row by row, from weights p and their gradient dp [..., n]."""
    return np.asarray(p * (dp - (p * dp).sum(axis=-1, keepdims=True)))


@verifier
def softmax_jacobian_is_exact(
    sizes: Sequence[int] = (2, 5, 40),
    scale: float = 3.0,
    autograd_tolerance: float = 1e-12,
    difference_tolerance: float = 1e-8,
) -> dict[str, str | float]:
    """Check diag(p) - p pᵀ against autograd in float64 and against central differences.

    Formula: ∂p_i / ∂z_j = p_i · (δ_ij - p_j).
    Unit: check
    Source: definition
    """
    import torch

    for n in sizes:
        scores = np.random.default_rng(n).standard_normal(n) * scale
        ours = softmax_jacobian(softmax(scores))
        agree(ours, differences(softmax, scores), difference_tolerance, "the Jacobian by differences")
        exact = torch.func.jacrev(lambda z: torch.softmax(z, 0))(torch.from_numpy(scores))
        agree(ours, exact.numpy(), autograd_tolerance, "the Jacobian by autograd")
    return {
        "n": listed(sizes),
        "autograd_tolerance": autograd_tolerance,
        "difference_tolerance": difference_tolerance,
    }


@verifier
def jacobian_structure(
    sizes: Sequence[int] = (2, 5, 40), tolerance: float = 1e-13, difference_tolerance: float = 1e-8
) -> dict[str, str]:
    """Check that the Jacobian is symmetric, semidefinite, of rank n - 1, its rows summing to zero.

    It is the Hessian of the log-sum-exp, whose gradient the softmax is.

    Formula: J = Jᵀ, J 1 = 0, x · J x = variance of x under p.
    Unit: check
    Source: definition
    """
    for n in sizes:
        scores, x = np.random.default_rng(n).standard_normal((2, n))
        p = softmax(scores)
        jacobian = softmax_jacobian(p)
        slope = differences(lambda z: np.log(np.exp(z).sum()), scores)
        agree(p, slope, difference_tolerance, "the slope of the log-sum-exp")
        agree(jacobian, differences(softmax, scores), difference_tolerance, "its Hessian")
        assert np.array_equal(jacobian, jacobian.T), "not symmetric"
        agree(jacobian @ np.ones(n), np.zeros(n), tolerance, "a row's sum")
        agree(x @ jacobian @ x, p @ (x - p @ x) ** 2, tolerance, "x · J x")
        assert np.linalg.matrix_rank(jacobian) == n - 1, "rank is not n - 1"
    return {"n": listed(sizes)}


@verifier
def softmax_backward_is_exact(
    shapes: Shapes = ((1, 7), (6, 6), (3, 50)), scale: float = 2.0, tolerance: float = 1e-12
) -> dict[str, str | float]:
    """Check dS = P ∘ (dP - rowsum(P ∘ dP)) against autograd in float64.

    Unit: check
    Source: definition
    """
    import torch

    for rows, columns in shapes:
        scores, upstream = np.random.default_rng(columns).standard_normal((2, rows, columns)) * scale
        leaf = torch.from_numpy(scores).requires_grad_()
        (exact,) = torch.autograd.grad(torch.softmax(leaf, 1), leaf, torch.from_numpy(upstream))
        agree(softmax_backward(softmax(scores), upstream), exact.numpy(), tolerance, "dS")
    return {"shapes": ", ".join(f"{m}x{n}" for m, n in shapes), "tolerance": tolerance}


@verifier
def explicit_jacobian_entries(rows: int, keys: int) -> int:
    """Entries of the softmax Jacobians of an attention matrix [rows, keys], one block a row.

    Formula: rows · keys².
    Unit: 1
    Source: definition
    """
    arguments.counts(rows=rows, keys=keys)
    return rows * keys**2


@verifier(tolerance=1e-6)
def jacobian_norm(weights: tuple[float, ...], temperature: float = 1.0) -> float:
    """Spectral norm of the Jacobian of softmax(z / temperature) where it outputs `weights`.

    Formula: largest eigenvalue of (diag(p) - p pᵀ) / temperature.
    Unit: 1
    Source: definition
    """
    arguments.distribution(weights, "weights")
    arguments.positive(temperature=temperature)
    return float(np.linalg.eigvalsh(softmax_jacobian(np.array(weights)))[-1]) / temperature


@verifier
def jacobian_norm_is_at_most_half(
    n: int = 8,
    concentrations: Sequence[float] = (0.05, 0.5, 5.0),
    draws: int = 300,
    seed: int = 0,
    most: float = 0.5,
    tolerance: float = 1e-12,
) -> dict[str, str | int]:
    """Check Gershgorin's bound 2 p (1 - p) ≤ 1/2 on the Jacobian's norm over many distributions.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    for concentration in concentrations:
        for p in rng.dirichlet([concentration] * n, size=draws):
            norm = np.linalg.eigvalsh(softmax_jacobian(p))[-1]
            bound = (2 * p * (1 - p)).max()
            assert norm <= bound + tolerance, f"norm {norm:.3g} exceeds {bound:.3g}"
            assert bound <= most, f"the bound {bound:.3g} exceeds {most}"
    return {"n": n, "dirichlet": listed(concentrations), "trials": draws * len(concentrations)}


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
    wrong = WRONG[arguments.one_of("form", form, WRONG)]
    scores, upstream = np.random.default_rng(0).standard_normal((2, 16, 16))
    p = softmax(scores)
    right = softmax_backward(p, upstream)
    return float(np.linalg.norm(wrong(p, upstream) - right) / np.linalg.norm(right))


@verifier
def gradient_is_shift_invariant(
    rows: int = 20, keys: int = 30, seed: int = 0, tolerance: float = 1e-13
) -> dict[str, int | float]:
    """Check that dS sums to zero over a row, and is zero where dP is constant over the row.

    Unit: check
    Source: definition
    """
    scores, upstream = np.random.default_rng(seed).standard_normal((2, rows, keys))
    p = softmax(scores)
    agree(softmax_backward(p, upstream).sum(axis=1), np.zeros(rows), tolerance, "a row's sum")
    constant = np.ones((rows, keys))
    agree(softmax_backward(p, constant), np.zeros((rows, keys)), tolerance, "the answer to a constant")
    return {"rows": rows, "keys": keys, "tolerance": tolerance}


@verifier
def rows_do_not_mix(rows: int = 6, keys: int = 6, row: int = 2, seed: int = 0) -> dict[str, int]:
    """Check that row i of dS depends on row i of P and dP alone.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    scores, upstream = rng.standard_normal((2, rows, keys))
    p = softmax(scores)
    before = softmax_backward(p, upstream)
    p[row], upstream[row] = softmax(rng.standard_normal(keys)), rng.standard_normal(keys)
    moved = (softmax_backward(p, upstream) != before).any(axis=1)
    assert not moved[np.arange(rows) != row].any(), "a row's gradient depends on another row"
    assert moved[row], "the row's own gradient did not move"
    return {"rows": rows, "keys": keys}
