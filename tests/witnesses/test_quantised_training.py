"""Witnesses of `verifiers/quantised_training.py`: autograd and PyTorch's own quantised layers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import quantised_training as training

torch = pytest.importorskip("torch")


def rounded(w: Any, bits: int) -> Any:
    step = w.detach().abs().max() / (2 ** (bits - 1) - 1)
    return w + (torch.round(w.detach() / step) * step - w.detach())


def descend(x: Any, y: Any, start: list[Any], bits: int | None, steps: int) -> list[Any]:
    """Heavy-ball descent by autograd at a rate falling from 0.1 to 0."""
    weights = [w.clone().requires_grad_() for w in start]
    speeds = [torch.zeros_like(w) for w in start]
    for step in range(steps):
        first, second = weights if bits is None else (rounded(w, bits) for w in weights)
        loss = torch.nn.functional.mse_loss(torch.tanh(x @ first) @ second, y)
        gradients = torch.autograd.grad(loss, weights)
        rate = 0.1 * (steps - step) / steps
        with torch.no_grad():
            for weight, speed, gradient in zip(weights, speeds, gradients, strict=True):
                speed.mul_(0.9).sub_(rate * gradient)
                weight.add_(speed)
    return [w.detach() for w in weights]


@witnesses("quantised_training.ptq_against_qat")
@pytest.mark.parametrize(
    "bits, steps, extra, hidden, samples, seed", [(3, 12, 9, 5, 20, 0), (8, 3, 20, 2, 7, 4)]
)
def test_training_equals_autograd(
    bits: int, steps: int, extra: int, hidden: int, samples: int, seed: int
) -> None:
    normal = np.random.default_rng(seed).standard_normal
    x, fresh, teacher = (torch.tensor(normal(s)) for s in ((samples, 4), (samples, 4), (4, 3)))
    start = [torch.tensor(normal((4, hidden))) / 2, torch.tensor(normal((hidden, 3))) / hidden**0.5]
    y, truth = torch.sin(x @ teacher), torch.sin(fresh @ teacher)

    def error(weights: list[Any]) -> float:
        return float(torch.nn.functional.mse_loss(torch.tanh(fresh @ weights[0]) @ weights[1], truth))

    base = descend(x, y, start, None, steps)
    expected = {
        "float": error(base),
        "more": error(descend(x, y, base, None, extra)),
        "ptq": error([rounded(w, bits) for w in base]),
        "qat": error([rounded(w, bits) for w in descend(x, y, base, bits, extra)]),
    }
    ours = training.ptq_against_qat(bits, steps, extra, hidden, samples, seed)
    assert ours == pytest.approx(expected, rel=1e-8)


@witnesses("quantised_training.ptq_against_qat")
def test_defaults() -> None:
    assert training.ptq_against_qat(4) == training.ptq_against_qat(4, 600, 400, 16, 200, 0)
    assert training.ptq_against_qat(4, 1, 1, 1, 2)["ptq"] > 0


@witnesses("quantised_training.straight_through_passes_gradients")
def test_other_estimates_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    training.straight_through_passes_gradients()
    w = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    (training.straight_through(w, 0.3) ** 2).sum().backward()
    assert torch.allclose(w.grad, 2 * torch.round(w.detach() / 0.3) * 0.3)
    for broken, message in (
        (lambda w, step: w, "forward"),
        (lambda w, step: (w / step).round() * step, "another"),
        (lambda w, step: 2 * w + ((w / step).round() * step - 2 * w).detach(), "another"),
    ):
        monkeypatch.setattr(training, "straight_through", broken)
        with pytest.raises(AssertionError, match=message):
            training.straight_through_passes_gradients()
    monkeypatch.undo()
    monkeypatch.setattr(torch, "round", torch.clone)  # as if rounding had a gradient
    with pytest.raises(AssertionError, match="has a gradient"):
        training.straight_through_passes_gradients()


@witnesses("quantised_training.dynamic_quantisation_swaps_children")
def test_a_deprecation_of_pytorchs_does_not_reach_the_caller() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training.dynamic_quantisation_swaps_children()


@witnesses("quantised_training.dynamic_quantisation_swaps_children")
@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated", "ignore:torch.quantize_per")
def test_which_modules_become_integer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    training.dynamic_quantisation_swaps_children()
    quantise = torch.ao.quantization.quantize_dynamic
    linear = torch.nn.Linear(4, 4)
    assert type(quantise(linear, {torch.nn.Linear})) is torch.nn.Linear
    (inner,) = quantise(torch.nn.Sequential(linear), {torch.nn.Linear})
    assert isinstance(inner, torch.ao.nn.quantized.dynamic.Linear)
    for broken in (
        lambda module, kinds: module,
        lambda module, kinds: torch.nn.Sequential(quantise(module, kinds), torch.nn.ReLU()),
    ):
        monkeypatch.setattr(torch.ao.quantization, "quantize_dynamic", broken)
        with pytest.raises(AssertionError, match="swapped is"):
            training.dynamic_quantisation_swaps_children()


@pytest.mark.parametrize(
    "call",
    [
        lambda: training.ptq_against_qat(1),
        lambda: training.ptq_against_qat(4, steps=0),
        lambda: training.ptq_against_qat(4, extra=0),
        lambda: training.ptq_against_qat(4, hidden=0),
        lambda: training.ptq_against_qat(4, samples=1),
        lambda: training.ptq_against_qat(4, seed=-1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        call()
