"""Witnesses of `verifiers/moments.py`: PyTorch's Adam on the same gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import moments, optimisers


class Adam:
    """PyTorch's own step on one weight, without the class that takes seconds to load a compiler."""

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999) -> None:
        import torch

        self.weight, self.first, self.second = torch.zeros(3, 1, dtype=torch.float64)
        self.steps, self.betas = torch.zeros(()), {"beta1": beta1, "beta2": beta2}

    def step(self, gradient: float) -> None:
        import torch
        from torch.optim.adam import adam

        slope = torch.full_like(self.weight, gradient)
        adam(
            [self.weight], [slope], [self.first], [self.second], [], [self.steps], foreach=False, amsgrad=False, **self.betas,
            lr=1.0, weight_decay=0.0, eps=1e-15, maximize=False,
        )  # fmt: skip


@witnesses("moments.update_after_spike")
@pytest.mark.parametrize("betas", [{}, {"beta2": 0.95}, {"beta1": 0.8}])
def test_torch_takes_the_same_steps_after_a_spike(betas: dict[str, float]) -> None:
    pytest.importorskip("torch")
    adam = Adam(**betas)
    # as after a million gradients of one
    adam.steps += 1e6
    adam.first += 1
    adam.second += 1
    for after in range(60):
        before = adam.weight.item()
        adam.step(1.0 if after else 50.0)
        ours = moments.update_after_spike(50.0, after, **betas)
        assert before - adam.weight.item() == pytest.approx(ours, rel=1e-5)


@witnesses("moments.lasting_slowdown")
@pytest.mark.parametrize(
    "spike, share, beta2",
    [
        (100, 0.5, 0.999),
        (100, 0.5, 0.95),
        (30, 0.9, 0.99),
        (10, 0.99, 0.1),
        (2, 1 - 1e-12, 0.99),
        (1e15, 0.5, 0.999),
    ],
)
def test_slow_steps_end_where_a_run_through_them_says(spike: float, share: float, beta2: float) -> None:
    first = np.cumprod(np.full(100_000, 0.9)) / 0.9 * 0.1 * (spike - 1) + 1
    second = np.cumprod(np.full(100_000, beta2)) / beta2 * (1 - beta2) * (spike**2 - 1) + 1
    slow = np.nonzero(first / np.sqrt(second) < share)[0]
    assert moments.lasting_slowdown(spike, share, beta2=beta2) == slow[-1] + 1


def test_a_small_spike_slows_nothing() -> None:
    assert moments.lasting_slowdown(1.5) == 0
    assert moments.lasting_slowdown(1.0) == 0


def test_slowdowns_by_hand() -> None:
    """With no first moment and a second one that halves, a spike of 7 leaves 1 + 48/2, 1 + 48/4, 1 + 48/8, 4.

    The fourth of these steps is half a step, which is back at a share of one half.
    """
    assert moments.update_after_spike(7, 0, 0.0, 0.5) == 7 / 5
    assert moments.update_after_spike(7, 3, 0.0, 0.5) == 1 / 2
    assert moments.lasting_slowdown(7, beta1=0.0, beta2=0.5) == 3
    # a second moment that forgets at once holds back the spike's own step alone: 1.9 / 10
    assert moments.lasting_slowdown(10, beta2=1e-9) == 1


def test_wrong_arguments_are_refused_by_name() -> None:
    for name, wrong in (
        ("spike − 1", {"spike": 0.9}),
        ("share", {"share": 0.0}),
        ("1 − share", {"share": 1.0}),
        ("beta1", {"beta1": 1.5}),
        ("beta2", {"beta2": 0.0}),
        ("1 − beta2", {"beta2": 1.0}),
    ):
        with pytest.raises(ValueError, match=f"^{name} "):
            moments.lasting_slowdown(**({"spike": 9.0} | wrong))
    fine: dict[str, Any] = {"spike": 10, "after": 1}
    for name, value in (("spike", 0.0), ("after", -1), ("beta1", 1.5), ("beta2", -0.5)):
        with pytest.raises(ValueError, match=f"^{name} "):
            moments.update_after_spike(**(fine | {name: value}))
    for name, value in (("beta", 1.5), ("batch", 0), ("new_batch", 0)):
        with pytest.raises(ValueError, match=f"^{name} "):
            moments.scaled_beta(**({"beta": 0.9, "batch": 1, "new_batch": 2} | {name: value}))
    with pytest.raises(ValueError, match=r"^clean_steps "):
        moments.nan_stays(0)


@witnesses("moments.scaled_beta")
def test_memory_in_samples_is_kept() -> None:
    for beta, ratio in ((0.999, 8), (0.95, 2), (0.99, 0.5)):
        scaled = moments.scaled_beta(beta, 32, 32 * ratio)
        assert ratio / (1 - scaled) == pytest.approx(1 / (1 - beta))
    # and for long memories it is what κ small steps would leave
    assert moments.scaled_beta(0.999, 1, 8) == pytest.approx(0.999**8, abs=1e-4)
    # a memory of two batches is one batch of twice the size, and no memory
    assert moments.scaled_beta(0.5, 1, 2) == 0
    with pytest.raises(ValueError, match="shorter"):
        moments.scaled_beta(0.9, 1, 16)


@witnesses("moments.nan_stays")
def test_torch_keeps_a_nan_too() -> None:
    pytest.importorskip("torch")
    assert moments.nan_stays(50)["clean_steps"] == 50
    adam = Adam()
    for gradient in (1.0, math.nan, *[1.0] * 50):
        adam.step(gradient)
    assert math.isnan(adam.weight.item())
    assert math.isnan(adam.first.item())


def test_an_optimiser_that_skips_a_nan_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    def skipping(state: optimisers.State, gradient: float, to: optimisers.Settings) -> None:
        optimisers.adam(state, 0.0 if math.isnan(gradient) else gradient, to)

    monkeypatch.setattr(optimisers, "known_rule", lambda name: skipping)
    with pytest.raises(AssertionError, match="recovered"):
        moments.nan_stays(5)


def test_an_optimiser_without_state_forgets_it() -> None:
    with pytest.raises(AssertionError, match="forgotten"):
        moments.nan_stays(5, optimiser="sgd")
