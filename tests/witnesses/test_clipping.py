"""Witnesses of `verifiers/clipping.py`: PyTorch's clipping of real gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from proofdeck import witnesses
from verifiers import clipping

torch = pytest.importorskip("torch")
utils = torch.nn.utils


def parameters() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.zeros(size, dtype=torch.float64) for size in (3, 5, 1)]
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return weights


@witnesses("clipping.global_norm", "clipping.factor")
@pytest.mark.parametrize("limit", [0.1, 1.0, 2.0, 100.0])
def test_the_factor_equals_that_of_torch(limit: float) -> None:
    weights = parameters()
    before = [weight.grad.clone() for weight in weights]
    norms = [weight.grad.norm().item() for weight in weights]
    total = utils.clip_grad_norm_(weights, limit).item()
    assert clipping.global_norm(norms) == pytest.approx(total, rel=1e-12)
    ours = clipping.factor(norms, limit)
    for weight, gradient in zip(weights, before, strict=True):
        # PyTorch adds 1e-6 to the norm
        assert (weight.grad / gradient).mean().item() == pytest.approx(ours, rel=1e-5)
    assert clipping.factor(norms) == clipping.factor(norms, 1.0)
    assert clipping.factor([limit], limit) == 1 and clipping.factor([0.0], limit) == 1


@witnesses("clipping.alignment")
@pytest.mark.parametrize("limit", [0.05, 0.5, 50.0])
def test_alignment_equals_that_of_torchs_clipped_gradients(limit: float) -> None:
    gradient = [3.0, -0.1, 0.4]
    for how, clip in {"norm": utils.clip_grad_norm_, "value": utils.clip_grad_value_}.items():
        weight = torch.zeros(3, dtype=torch.float64)
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        clip([weight], limit)
        theirs = torch.cosine_similarity(weight.grad, torch.tensor(gradient).double(), dim=0).item()
        assert clipping.alignment(gradient, limit, how) == pytest.approx(theirs, abs=1e-7)
    assert clipping.alignment(gradient, limit) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("limit", [0.5, 50.0])
def test_clipped_gradients_equal_torchs(limit: float) -> None:
    for ours, clip in (
        (clipping.by_norm, utils.clip_grad_norm_),
        (clipping.by_value, utils.clip_grad_value_),
    ):
        weight = torch.zeros(3, dtype=torch.float64)
        weight.grad = torch.tensor([3.0, -0.1, -4.0], dtype=torch.float64)
        expected = ours(weight.grad.clone().numpy(), limit)
        clip([weight], limit)
        assert expected == pytest.approx(weight.grad.numpy(), rel=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: clipping.global_norm((1.0, -1.0)),
        lambda: clipping.global_norm(()),
        lambda: clipping.factor(()),
        lambda: clipping.factor((1.0,), 0.0),
        lambda: clipping.alignment((1.0, 2.0), 0.0),
        lambda: clipping.alignment((0.0, 0.0), 1.0),
        lambda: clipping.alignment((1.0, math.nan), 1.0),
        lambda: clipping.alignment((1.0, 2.0), 1.0, "sign"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
