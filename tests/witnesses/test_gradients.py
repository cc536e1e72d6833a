"""Independent ways to the numbers of verifiers/gradients.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import gradients


def quotient_rule(p: np.ndarray) -> np.ndarray:
    """Jacobian of e^z / Σ e^z by the quotient rule, from unnormalised exponentials."""
    e, total = 7.0 * p, 7.0
    n = len(p)
    rows = [[(e[i] * (i == j) * total - e[i] * e[j]) / total**2 for j in range(n)] for i in range(n)]
    return np.array(rows)


@witnesses("gradients.softmax_jacobian_is_exact")
def test_quotient_rule_gives_the_jacobian_and_its_diagonal_alone_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    p = gradients.softmax(np.random.default_rng(0).standard_normal(9))
    assert np.allclose(gradients.softmax_jacobian(p), quotient_rule(p), atol=1e-15)
    tried = gradients.softmax_jacobian_is_exact(sizes=(3, 4), difference_tolerance=1e-7)
    assert tried == {"n": "3, 4", "autograd_tolerance": 1e-12, "difference_tolerance": 1e-7}
    monkeypatch.setattr(gradients, "softmax_jacobian", quotient_rule)
    gradients.softmax_jacobian_is_exact()
    for broken, told in (
        (lambda p: np.diag(p * (1 - p)), "differences"),
        (lambda p: quotient_rule(p) + 1e-10, "autograd"),
    ):
        monkeypatch.setattr(gradients, "softmax_jacobian", broken)
        with pytest.raises(AssertionError, match=told):
            gradients.softmax_jacobian_is_exact()


def test_jacobians_are_taken_where_scores_have_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    seen: list[np.ndarray] = []
    monkeypatch.setattr(gradients, "softmax_jacobian", lambda p: seen.append(p) or quotient_rule(p))
    gradients.softmax_jacobian_is_exact(sizes=(4,), scale=3.0)
    powers = np.exp(3 * np.random.default_rng(4).standard_normal(4))
    assert seen[0] == pytest.approx(powers / powers.sum())


@witnesses("gradients.jacobian_structure")
def test_structure_holds_in_exact_fractions(monkeypatch: pytest.MonkeyPatch) -> None:
    p = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    jacobian = [[p[i] * ((i == j) - p[j]) for j in range(3)] for i in range(3)]
    assert all(sum(row) == 0 for row in jacobian)
    x = [Fraction(2), Fraction(-1), Fraction(5)]
    quadratic = sum(x[i] * jacobian[i][j] * x[j] for i in range(3) for j in range(3))
    mean = sum(a * b for a, b in zip(p, x, strict=True))
    assert quadratic == sum(a * (b - mean) ** 2 for a, b in zip(p, x, strict=True))
    # rank two: one leading minor of order two is not zero, and the rows sum to zero
    assert jacobian[0][0] * jacobian[1][1] != jacobian[0][1] * jacobian[1][0]
    assert gradients.jacobian_structure(sizes=(3, 7)) == {"n": "3, 7"}

    def fails(told: str, broken: Callable[[np.ndarray], np.ndarray], **arguments: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(gradients, "softmax_jacobian", broken)
            with pytest.raises(AssertionError, match=told):
                gradients.jacobian_structure(**arguments)  # type: ignore[arg-type]

    fails("its Hessian", np.diag)
    fails("not symmetric", lambda p: quotient_rule(p) + 1e-10 * np.triu(np.ones((len(p), len(p)))))
    fails("a row's sum", lambda p: quotient_rule(p) + 1e-10 * np.eye(len(p)))
    fails("x · J x", lambda p: quotient_rule(p) * (1 + 1e-10))
    loose = {"sizes": (2,), "tolerance": 9.0, "difference_tolerance": 9.0}
    fails("rank", lambda p: np.zeros((2, 2)), **loose)
    fails("rank", lambda p: np.eye(2), **loose)
    monkeypatch.setattr(gradients, "softmax", lambda scores: np.exp(scores))
    with pytest.raises(AssertionError, match="log-sum-exp"):
        gradients.jacobian_structure()


def test_structure_is_looked_at_along_a_random_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, ...]] = []
    monkeypatch.setattr(gradients, "agree", lambda ours, truth, *of: seen.append((ours, truth, *of)))
    gradients.jacobian_structure(sizes=(4,), tolerance=0.25, difference_tolerance=0.5)
    scores, x = np.random.default_rng(4).standard_normal((2, 4))
    p = np.exp(scores) / np.exp(scores).sum()
    variance = sum(p[i] * (x[i] - sum(p * x)) ** 2 for i in range(4))
    assert [entry[2] for entry in seen] == [0.5, 0.5, 0.25, 0.25]
    assert seen[0][0] == pytest.approx(p) and seen[0][1] == pytest.approx(p, rel=1e-6)
    assert seen[1][1] == pytest.approx(quotient_rule(p), abs=1e-8)
    assert seen[2][0] == pytest.approx(np.zeros(4), abs=1e-15) and list(seen[2][1]) == [0] * 4
    assert seen[3][0] == pytest.approx(variance) and seen[3][1] == pytest.approx(variance)


@witnesses("gradients.softmax_backward_is_exact")
def test_backward_equals_jacobian_products_and_wrong_forms_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    p, upstream = gradients.softmax(rng.standard_normal((5, 8))), rng.standard_normal((5, 8))
    rows = [quotient_rule(p[i]) @ upstream[i] for i in range(5)]
    assert np.allclose(gradients.softmax_backward(p, upstream), rows, atol=1e-15)
    assert gradients.softmax_backward(p[0], upstream[0]) == pytest.approx(rows[0])
    tried = gradients.softmax_backward_is_exact(shapes=((2, 3), (1, 4)), tolerance=1e-11)
    assert tried == {"shapes": "2x3, 1x4", "tolerance": 1e-11}
    for wrong in gradients.WRONG.values():
        monkeypatch.setattr(gradients, "softmax_backward", wrong)
        with pytest.raises(AssertionError, match="dS is off by"):
            gradients.softmax_backward_is_exact()
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    monkeypatch.setattr(gradients, "agree", lambda *of: None)
    monkeypatch.setattr(gradients, "softmax_backward", lambda *of: seen.append(of))
    gradients.softmax_backward_is_exact(shapes=((2, 3),), scale=2.0)
    scores, upstream = 2 * np.random.default_rng(3).standard_normal((2, 2, 3))
    assert seen[0][0] == pytest.approx(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    assert np.array_equal(seen[0][1], upstream)


@witnesses("gradients.explicit_jacobian_entries")
@pytest.mark.parametrize(("rows", "keys"), [(1, 4), (3, 3), (2, 5)])
def test_entries_equal_the_blocks_of_torch(rows: int, keys: int) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(rows, keys, dtype=torch.float64)
    full = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), scores)
    assert gradients.explicit_jacobian_entries(rows, keys) == torch.count_nonzero(full).item()


@witnesses("gradients.jacobian_norm")
@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.25, 0.25, 0.25, 0.25), (0.9, 0.06, 0.04), (1.0, 0.0)])
def test_norm_equals_the_largest_singular_value_by_power_iteration(
    weights: tuple[float, ...],
) -> None:
    jacobian = quotient_rule(np.array(weights))
    x = np.random.default_rng(0).standard_normal(len(weights))
    for _step in range(200):
        x = jacobian @ x
        x /= max(np.linalg.norm(x), 1e-300)
    norm = np.linalg.norm(jacobian @ x)
    assert gradients.jacobian_norm(weights) == pytest.approx(norm, abs=1e-12)


@witnesses("gradients.jacobian_norm")
def test_norm_at_a_temperature_equals_that_of_autograd() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda z: torch.softmax(z / 0.2, 0), scores)
    weights = tuple(torch.softmax(scores / 0.2, 0).tolist())
    norm = torch.linalg.matrix_norm(jacobian, 2).item()
    assert gradients.jacobian_norm(weights, temperature=0.2) == pytest.approx(norm, rel=1e-9)


@witnesses("gradients.jacobian_norm_is_at_most_half")
def test_outputs_never_move_more_than_half_as_far_as_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Lipschitz constant from pairs of scores, with no Jacobian in sight."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    first = 3 * torch.randn(3000, 8, generator=generator, dtype=torch.float64)
    second = first + 10 ** torch.empty(3000, 1, dtype=torch.float64).uniform_(
        -3, 1, generator=generator
    ) * torch.randn(3000, 8, generator=generator, dtype=torch.float64)
    moved = (torch.softmax(first, 1) - torch.softmax(second, 1)).norm(dim=1)
    assert (moved <= 0.5 * (first - second).norm(dim=1) + 1e-12).all()
    # and one half is reached: two equal scores, moved apart
    tie = torch.tensor([0.0, 0.0, -80.0], dtype=torch.float64)
    step = torch.tensor([1e-4, -1e-4, 0.0], dtype=torch.float64)
    ratio = (torch.softmax(tie + step, 0) - torch.softmax(tie, 0)).norm() / step.norm()
    assert ratio.item() == pytest.approx(0.5, abs=1e-6)
    tried = gradients.jacobian_norm_is_at_most_half(n=3, concentrations=(0.5, 2.0), draws=5)
    assert tried == {"n": 3, "dirichlet": "0.5, 2", "trials": 10}
    monkeypatch.setattr(gradients, "softmax_jacobian", np.diag)
    with pytest.raises(AssertionError, match="exceeds"):
        gradients.jacobian_norm_is_at_most_half()


@pytest.mark.parametrize("excess, holds", [(0.0, True), (0.9e-3, True), (1.1e-3, False)])
def test_the_norm_is_held_against_gershgorins_bound(
    excess: float, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_the_bound(p: np.ndarray) -> np.ndarray:
        return np.diag([max(2 * q - 2 * q * q for q in p) + excess, -1.0])

    monkeypatch.setattr(gradients, "softmax_jacobian", at_the_bound)
    if holds:
        gradients.jacobian_norm_is_at_most_half(draws=20, tolerance=1e-3)
    else:
        with pytest.raises(AssertionError, match=r"norm .* exceeds"):
            gradients.jacobian_norm_is_at_most_half(draws=20, tolerance=1e-3)


def test_a_tie_of_two_reaches_one_half(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ties:
        def dirichlet(self, alpha: list[float], size: int) -> list[np.ndarray]:
            assert (alpha, size) == ([0.7, 0.7], 3)
            return [np.array([0.5, 0.5])] * size

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Ties())
    gradients.jacobian_norm_is_at_most_half(n=2, concentrations=(0.7,), draws=3, tolerance=0.0)
    with pytest.raises(AssertionError, match=r"the bound 0\.5 exceeds 0\.499"):
        gradients.jacobian_norm_is_at_most_half(n=2, concentrations=(0.7,), draws=3, most=0.499)


@witnesses("gradients.wrong_form_error")
def test_wrong_forms_are_as_far_from_autograd_as_said() -> None:
    torch = pytest.importorskip("torch")
    scores, upstream = np.random.default_rng(0).standard_normal((2, 16, 16))
    leaf = torch.from_numpy(scores).requires_grad_()
    weights = torch.softmax(leaf, -1)
    (right,) = torch.autograd.grad(weights, leaf, torch.from_numpy(upstream))
    p, g = weights.detach().numpy(), upstream
    rows = {
        "diagonal": [np.diag(p[i] - p[i] ** 2) @ g[i] for i in range(16)],
        "no_row_sum": [np.diag(p[i]) @ g[i] for i in range(16)],
        "mixed_rows": [
            np.diag(p[i]) @ g[i] - sum((p[i] @ p[j]) * g[j] for j in range(16)) for i in range(16)
        ],
    }
    for form, wrong in rows.items():
        error = np.linalg.norm(np.array(wrong) - right.numpy()) / np.linalg.norm(right.numpy())
        assert gradients.wrong_form_error(form) == pytest.approx(error, rel=1e-9)


@witnesses("gradients.gradient_is_shift_invariant")
def test_autograd_rows_sum_to_zero_and_the_diagonal_alone_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(5, 9, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad((torch.softmax(scores, 1) ** 3).sum(), scores)
    assert gradient.sum(1).abs().max() < 1e-14
    (constant,) = torch.autograd.grad(4 * torch.softmax(scores, 1).sum(), scores)
    assert constant.abs().max() < 1e-14
    tried = gradients.gradient_is_shift_invariant(rows=2, keys=3)
    assert tried == {"rows": 2, "keys": 3, "tolerance": 1e-13}
    right = gradients.softmax_backward
    answers_constants = right(np.array([[0.25, 0.75]]), np.array([[1.0, 3.0]]))
    assert answers_constants.tolist() == [[-0.375, 0.375]]
    for broken, told in (
        (gradients.WRONG["diagonal"], "a row's sum"),
        (gradients.WRONG["no_row_sum"], "a row's sum"),
        (lambda p, dp: right(p, dp) + np.eye(*p.shape) - np.roll(np.eye(*p.shape), 1, axis=1), "a constant"),
    ):
        monkeypatch.setattr(gradients, "softmax_backward", broken)
        with pytest.raises(AssertionError, match=told):
            gradients.gradient_is_shift_invariant()


@witnesses("gradients.rows_do_not_mix")
def test_autograd_keeps_rows_apart_and_the_mixed_form_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(4, 6, dtype=torch.float64)
    full = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), scores)
    for i in range(4):
        for other in set(range(4)) - {i}:
            assert torch.count_nonzero(full[i, :, other, :]) == 0
    for row in (0, 2, 4):
        assert gradients.rows_do_not_mix(rows=5, keys=3, row=row) == {"rows": 5, "keys": 3}
    right = gradients.softmax_backward

    def leaks_to(row: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        return lambda p, dp: right(p, dp) + (np.arange(6) == row)[:, None] * dp.sum() * np.eye(6)[0]

    for broken, told in (
        (gradients.WRONG["mixed_rows"], "another row"),
        (leaks_to(0), "another row"),
        (leaks_to(5), "another row"),
        (lambda p, dp: np.zeros_like(p), "did not move"),
    ):
        monkeypatch.setattr(gradients, "softmax_backward", broken)
        with pytest.raises(AssertionError, match=told):
            gradients.rows_do_not_mix()
    # new weights alone, or a new upstream gradient alone, move the row as well
    for formula in (lambda p, dp: p.copy(), lambda p, dp: dp.copy()):
        monkeypatch.setattr(gradients, "softmax_backward", formula)
        gradients.rows_do_not_mix(keys=4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: gradients.explicit_jacobian_entries(0, 4),
        lambda: gradients.explicit_jacobian_entries(4, 0),
        lambda: gradients.explicit_jacobian_entries(2.5, 4),  # type: ignore[arg-type]
        lambda: gradients.jacobian_norm((math.nan, 0.5)),
        lambda: gradients.jacobian_norm((0.5, 0.5), temperature=math.nan),
        lambda: gradients.jacobian_norm((0.5, 0.5), temperature=-0.1),
        lambda: gradients.jacobian_norm((0.5, 0.6)),
        lambda: gradients.jacobian_norm((1.5, -0.5)),
        lambda: gradients.jacobian_norm(()),
        lambda: gradients.jacobian_norm((1.0,), temperature=0.0),
        lambda: gradients.wrong_form_error("magic"),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
