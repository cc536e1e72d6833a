"""Witnesses of `verifiers/objectives.py`: PyTorch's losses and autograd in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import losses, objectives

torch = pytest.importorskip("torch")
functional = torch.nn.functional


@witnesses("objectives.of_probability")
@pytest.mark.parametrize("probability", [0.01, 0.3, 1.0])
def test_losses_of_a_probability_equal_torch(probability: float) -> None:
    shares = torch.tensor([[probability, 1 - probability]], dtype=torch.float64)
    first = torch.tensor([0])
    nats = functional.nll_loss(shares.log(), first).item()
    assert objectives.of_probability(probability) == pytest.approx(nats, abs=1e-15)
    halved = functional.mse_loss(shares, functional.one_hot(first, 2).double(), reduction="sum").item() / 2
    assert objectives.of_probability(probability, "squared") == pytest.approx(halved, abs=1e-15)
    focal = objectives.of_probability(probability, "focal", focus=1.5)
    assert focal == pytest.approx(nats * (1 - probability) ** 1.5, abs=1e-15)
    assert objectives.of_probability(probability, "focal", focus=0.0) == pytest.approx(nats)
    assert objectives.of_probability(probability, "focal") == pytest.approx(nats * (1 - probability) ** 2)


@witnesses("objectives.slope")
@pytest.mark.parametrize("target", [0, 1, 3])
def test_slopes_equal_autograd_through_a_softmax(target: int) -> None:
    wanted = functional.one_hot(torch.tensor(target), 4).double()
    for name, loss in {
        "cross-entropy": lambda p: -p[target].log(),
        "squared": lambda p: ((p - wanted) ** 2).sum(),
    }.items():
        logits = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64, requires_grad=True)
        loss(torch.softmax(logits, 0)).backward()
        ours = objectives.slope(tuple(logits.tolist()), target, name)
        assert ours == pytest.approx(logits.grad[target].item(), rel=1e-12)
    assert objectives.slope((0.0, 0.0), 1) == pytest.approx(-0.5)
    # two classes are a sigmoid whose error is counted twice
    share = 1 / (1 + math.exp(-0.7))
    assert objectives.slope((0.7, 0.0), 0) == pytest.approx(losses.slope(share))
    squared = objectives.slope((0.7, 0.0), 0, "squared")
    assert squared == pytest.approx(2 * losses.slope(share, "squared"))


@witnesses("objectives.z_loss")
@pytest.mark.parametrize("logits", [(5.0, 0.0), (0.0, 0.0, 0.0), (-900.0, -901.0)])
def test_z_loss_equals_torch(logits: tuple[float, ...]) -> None:
    log_z = torch.logsumexp(torch.tensor(logits, dtype=torch.float64), 0).item()
    assert objectives.z_loss(logits, coefficient=0.3) == pytest.approx(0.3 * log_z**2)
    assert objectives.z_loss(logits) == pytest.approx(1e-4 * log_z**2)


@witnesses("objectives.z_loss_gradient")
def test_z_loss_gradient_equals_autograd_and_a_wrong_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = objectives.z_loss_gradient(classes=(3,), seeds=2, coefficients=(0.5,))
    assert (tried["classes"], tried["coefficients"], tried["seeds"]) == ("3", "0.5", 2)
    logits = torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    (0.2 * torch.logsumexp(logits, 0) ** 2).backward()
    ours = objectives.z_loss_gradient_in_logits(logits.detach().numpy(), 0.2)
    assert ours == pytest.approx(logits.grad.numpy(), rel=1e-12)
    correct = objectives.z_loss_gradient_in_logits
    monkeypatch.setattr(
        objectives, "z_loss_gradient_in_logits", lambda z, c: np.sign(z.max()) * correct(z, c)
    )
    with pytest.raises(AssertionError, match="ln Z"):  # wrong where the largest logit is below zero
        objectives.z_loss_gradient(classes=(2,), seeds=20)


@pytest.mark.parametrize(
    "call",
    [
        lambda: objectives.of_probability(0.0),
        lambda: objectives.of_probability(1.01),
        lambda: objectives.of_probability(0.5, "hinge"),
        lambda: objectives.of_probability(0.5, "focal", focus=-1.0),
        lambda: objectives.slope((1.0,), 0),
        lambda: objectives.slope((1.0, 2.0), 2),
        lambda: objectives.slope((1.0, 2.0), -1),
        lambda: objectives.slope((1.0, math.nan), 0),
        lambda: objectives.z_loss((1.0, math.inf)),
        lambda: objectives.slope((1.0, 2.0), 0, "hinge"),
        lambda: objectives.z_loss((1.0,)),
        lambda: objectives.z_loss((1.0, 2.0), 0.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_a_sure_and_right_prediction_costs_nothing() -> None:
    assert all(objectives.of_probability(1.0, loss) == 0 for loss in ("cross-entropy", "squared", "focal"))
    assert math.isfinite(objectives.of_probability(5e-324))
