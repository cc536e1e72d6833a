"""Tests of `verifiers/calculus.py`: autograd, and that a wrong derivative does not pass."""

from __future__ import annotations

import math

import numpy as np
import pytest

from verifiers import calculus

torch = pytest.importorskip("torch")


def test_softmax_and_its_log_equal_torch_at_any_size() -> None:
    for logits in ([0.0, 1.0, -2.0], [1000.0, 999.0, -1000.0], [5.0]):
        theirs = torch.tensor(logits, dtype=torch.float64)
        assert np.allclose(calculus.log_softmax(np.array(logits)), torch.log_softmax(theirs, 0), atol=1e-13)
        assert np.allclose(calculus.softmax(np.array(logits)), torch.softmax(theirs, 0), atol=1e-15)


def test_softmaxes_go_along_the_last_axis() -> None:
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 50
    logits[0, 1, 2] = -torch.inf
    assert np.allclose(calculus.softmax(logits.numpy()), torch.softmax(logits, -1), rtol=1e-13, atol=0)
    assert np.allclose(calculus.log_softmax(logits.numpy()), torch.log_softmax(logits, -1), rtol=1e-13)
    far = np.array([[1e4, 0.0], [0.0, 1.0]])  # each row by its own maximum
    assert calculus.softmax(far)[1] == pytest.approx(calculus.softmax(far[1]))
    assert calculus.log_softmax(far)[1] == pytest.approx(calculus.log_softmax(far[1]))


def test_softmax_of_complex_logits_is_differentiable() -> None:
    moved = calculus.softmax(np.array([1.0, 0.0]) + 1e-30j * np.array([1.0, 0.0]))
    share = 1 / (1 + math.exp(-1))
    assert moved.imag / 1e-30 == pytest.approx(share * (1 - share) * np.array([1, -1]), rel=1e-12)


def test_vectors_are_of_finite_numbers() -> None:
    assert calculus.vector("x", (1, -2.5)).tolist() == [1.0, -2.5]
    assert calculus.vector("x", (1, 2)).dtype == np.float64 and len(calculus.vector("x", ())) == 0
    for wrong in ((math.nan, 1.0), (1.0, math.inf), (0.0, -math.inf), (True,), ("1",)):
        with pytest.raises(ValueError, match=r"x\[[01]\] must be a finite number"):
            calculus.vector("x", wrong)


def test_differences_give_a_jacobian_column_by_column() -> None:
    at = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    exact = torch.autograd.functional.jacobian(lambda x: torch.stack([x[0] * x[1], x[2].sin()]), at)
    ours = calculus.differences(lambda x: np.array([x[0] * x[1], np.sin(x[2])]), at.numpy())
    assert ours.shape == (2, 3) and ours == pytest.approx(exact.numpy(), abs=1e-9)


def test_log_softmax_keeps_the_imaginary_part_of_complex_logits() -> None:
    step = 1e-30
    moved = calculus.log_softmax(np.array([1.0, 0.0]) + 1j * step * np.array([1.0, 0.0]))
    share = 1 / (1 + math.exp(-1))
    assert moved.imag / step == pytest.approx([1 - share, -share], rel=1e-12)


def test_derivatives_equal_autograd() -> None:
    at = np.array([0.3, -1.2, 2.0])
    leaf = torch.tensor(at, requires_grad=True)
    (leaf.sin() * leaf.flip(0).exp()).sum().backward()

    def function(x: np.ndarray) -> complex:
        return (np.sin(x) * np.exp(x[::-1])).sum()

    assert calculus.complex_step(function, at) == pytest.approx(leaf.grad.numpy(), rel=1e-13)
    assert calculus.differences(function, at) == pytest.approx(leaf.grad.numpy(), rel=1e-8)
    # what the steps leave of a cube at zero is their square
    zero = np.zeros(1)
    assert calculus.complex_step(lambda x: (x**3).sum(), zero) == pytest.approx([-1e-60], rel=1e-9, abs=0)
    assert calculus.differences(lambda x: (x**3).sum(), zero) == pytest.approx([1e-10], rel=1e-9, abs=0)
    assert calculus.differences(function, at, step=0.1) != pytest.approx(leaf.grad.numpy(), rel=1e-5)


def test_agreement_ends_at_the_tolerance() -> None:
    calculus.agree([1.0, 2.0], [1.0, 2.5], 0.5, "it")
    calculus.agree(3.0, 3.0, 0.0, "it")
    with pytest.raises(AssertionError, match=r"it is off by 0\.5"):
        calculus.agree([1.0, 2.0], [1.0, 2.5], 0.499, "it")
    with pytest.raises(AssertionError, match="off by nan"):
        calculus.agree(math.nan, 1.0, 1e9, "it")


def test_a_gradient_is_held_against_both_derivatives() -> None:
    at = np.array([0.5, 2.0])

    def square(x: np.ndarray) -> complex:
        return (x**2).sum()

    calculus.confirm_gradient(2 * at, square, at, 1e-12, "it")
    with pytest.raises(AssertionError, match="it is off"):  # too fine an error for differences
        calculus.confirm_gradient(2 * at + 1e-9, square, at, 1e-12, "it")
    # blind to imaginary steps, which only differences notice
    with pytest.raises(AssertionError, match="by differences"):
        calculus.confirm_gradient(0 * at, lambda x: (x.real**2).sum() + 0j, at, 1e-12, "it")
    with pytest.raises(AssertionError, match="by differences"):
        calculus.confirm_gradient(
            2 * at, lambda x: (x**2).sum() + 3e-6 * x.real.sum(), at, 1e-12, "it", coarse=1e-6
        )
    calculus.confirm_gradient(
        2 * at, lambda x: (x**2).sum() + 3e-7 * x.real.sum(), at, 1e-12, "it", coarse=1e-6
    )
    with pytest.raises(AssertionError, match="by differences"):  # the default is as fine
        calculus.confirm_gradient(2 * at, lambda x: (x**2).sum() + 1.2e-6 * x.real.sum(), at, 1e-12, "it")


def test_random_logits_are_seeded_spread_and_come_with_a_distribution() -> None:
    logits, shares = calculus.random_logits(4000, seed=1)
    assert logits.std() == pytest.approx(3, rel=0.05) and abs(logits.mean()) < 0.2
    assert shares.sum() == pytest.approx(1) and shares.min() > 0 and len(shares) == 4000
    again, _ = calculus.random_logits(4000, seed=1, scale=1.0)
    assert again * 3 == pytest.approx(logits)
    assert calculus.random_logits(4000, seed=2)[0][0] != logits[0]


def test_numbers_tried_are_listed_briefly() -> None:
    assert calculus.listed((2, 5, 50)) == "2, 5, 50"
    assert calculus.listed((0.0, 0.1, 1e-4)) == "0, 0.1, 0.0001"
