"""Independent ways to the numbers of verifiers/gradients.py."""

from __future__ import annotations

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
def test_quotient_rule_gives_the_jacobian_and_its_diagonal_alone_is_caught() -> None:
    pytest.importorskip("torch")
    p = gradients.softmax(np.random.default_rng(0).standard_normal(9))
    assert np.allclose(gradients.softmax_jacobian(p), quotient_rule(p), atol=1e-15)
    gradients.compare_jacobian(quotient_rule)
    with pytest.raises(AssertionError, match="off by"):
        gradients.compare_jacobian(lambda p: np.diag(p * (1 - p)))


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
    monkeypatch.setattr(gradients, "softmax_jacobian", np.diag)
    with pytest.raises(AssertionError, match="Hessian"):
        gradients.jacobian_structure()


@witnesses("gradients.softmax_backward_is_exact")
def test_backward_equals_jacobian_products_and_wrong_forms_are_caught() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    p, upstream = gradients.softmax(rng.standard_normal((5, 8))), rng.standard_normal((5, 8))
    rows = [quotient_rule(p[i]) @ upstream[i] for i in range(5)]
    assert np.allclose(gradients.softmax_backward(p, upstream), rows, atol=1e-15)
    for wrong in gradients.WRONG.values():
        with pytest.raises(AssertionError, match="off by"):
            gradients.compare_backward(wrong)


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
    monkeypatch.setattr(gradients, "softmax_jacobian", np.diag)
    with pytest.raises(AssertionError, match="exceeds"):
        gradients.jacobian_norm_is_at_most_half()


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
def test_autograd_rows_sum_to_zero_and_the_diagonal_alone_is_caught() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(5, 9, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad((torch.softmax(scores, 1) ** 3).sum(), scores)
    assert gradient.sum(1).abs().max() < 1e-14
    (constant,) = torch.autograd.grad(4 * torch.softmax(scores, 1).sum(), scores)
    assert constant.abs().max() < 1e-14
    for form in ("diagonal", "no_row_sum"):
        with pytest.raises(AssertionError, match="off by"):
            gradients.compare_invariance(gradients.WRONG[form])


@witnesses("gradients.rows_do_not_mix")
def test_autograd_keeps_rows_apart_and_the_mixed_form_is_caught() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(4, 6, dtype=torch.float64)
    full = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), scores)
    for i in range(4):
        for other in set(range(4)) - {i}:
            assert torch.count_nonzero(full[i, :, other, :]) == 0
    with pytest.raises(AssertionError, match="another row"):
        gradients.compare_rows(gradients.WRONG["mixed_rows"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: gradients.explicit_jacobian_entries(0, 4),
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
