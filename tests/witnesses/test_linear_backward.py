"""Witnesses of `verifiers/linear_backward.py`: autograd, and FLOPs counted by PyTorch."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import linear_backward


@witnesses("linear_backward.gradients_are_exact")
def test_autograd_gives_the_same_gradients() -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    y = w @ x
    upstream = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    theirs = torch.autograd.grad(y, (w, x), upstream)
    ours = linear_backward.backward(*(t.detach().numpy() for t in (w, x, upstream)))
    for mine, other in zip(ours, theirs, strict=True):
        assert np.abs(mine - other.numpy()).max() < 1e-12
    assert linear_backward.gradients_are_exact()["shapes"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda w, x, g: (g @ x.T / x.shape[1], w.T @ g),
        lambda w, x, g: (g @ x.T, w.T @ g * 1.000001),
        lambda w, x, g: ((x @ g.T), w.T @ g),
    ],
)
def test_wrong_rules_are_found(wrong: linear_backward.Rule) -> None:
    with pytest.raises(AssertionError):
        linear_backward.compare(wrong, ((3, 4, 2),), 1e-12)


def test_a_gradient_must_come_back_for_either_tensor() -> None:
    half = cast(linear_backward.Rule, lambda w, x, g: (g @ x.T,))
    with pytest.raises(ValueError, match="shorter"):
        linear_backward.compare(half, ((3, 4, 2),), 1e-12)


def test_the_check_fails_on_a_wrong_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_backward, "backward", lambda w, x, g: (g @ x.T, -(w.T @ g)))
    with pytest.raises(AssertionError, match="instead of"):
        linear_backward.gradients_are_exact()


@witnesses("linear_backward.chain_flops")
@pytest.mark.parametrize("widths", [(5, 4, 3, 1), (6, 6, 6, 6, 2), (2, 7, 9)])
def test_torch_counts_the_same_flops(widths: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode
    jacobians = [torch.ones(b, a) for a, b in pairwise(widths)]
    for mode in ("forward", "reverse"):
        with counter(display=False) as counted:
            if mode == "forward":
                product = jacobians[0]
                for jacobian in jacobians[1:]:
                    product = jacobian @ product
            else:
                product = jacobians[-1]
                for jacobian in reversed(jacobians[:-1]):
                    product = product @ jacobian
        assert counted.get_total_flops() == linear_backward.chain_flops(widths, mode)


def test_wrong_arguments_are_refused() -> None:
    for widths, mode in (((3, 1), "reverse"), ((3, 0, 1), "reverse"), ((3, 2, 1), "sideways")):
        with pytest.raises(ValueError):
            linear_backward.chain_flops(widths, mode)
