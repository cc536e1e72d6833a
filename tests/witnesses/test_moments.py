"""Witnesses of `verifiers/moments.py`: PyTorch's Adam on the same gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import moments


@witnesses("moments.update_after_spike")
@pytest.mark.parametrize("beta2", [0.999, 0.95])
def test_torch_takes_the_same_steps_after_a_spike(beta2: float) -> None:
    torch = pytest.importorskip("torch")
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([w], lr=1.0, betas=(0.9, beta2), eps=1e-15)
    quiet, before = 20000, 0.0
    for step in range(quiet + 60):
        w.grad = torch.full_like(w, 50.0 if step == quiet else 1.0)
        adam.step()
        if step >= quiet:
            ours = moments.update_after_spike(50.0, step - quiet, beta2=beta2)
            assert before - w.item() == pytest.approx(ours, rel=1e-5)
        before = w.item()


@witnesses("moments.lasting_slowdown")
@pytest.mark.parametrize("spike, share, beta2", [(100, 0.5, 0.999), (100, 0.5, 0.95), (30, 0.9, 0.99)])
def test_slow_steps_end_where_a_run_through_them_says(spike: float, share: float, beta2: float) -> None:
    first = np.cumprod(np.full(20000, 0.9)) / 0.9 * 0.1 * (spike - 1) + 1
    second = np.cumprod(np.full(20000, beta2)) / beta2 * (1 - beta2) * (spike**2 - 1) + 1
    slow = np.nonzero(first / np.sqrt(second) < share)[0]
    assert moments.lasting_slowdown(spike, share, beta2=beta2) == slow[-1] + 1


def test_a_small_spike_slows_nothing() -> None:
    assert moments.lasting_slowdown(1.5) == 0
    for wrong in ({"spike": 0.0}, {"spike": 9.0, "share": 1.0}, {"spike": 9.0, "beta2": 1.0}):
        with pytest.raises(ValueError):
            moments.lasting_slowdown(**wrong)
    with pytest.raises(ValueError):
        moments.update_after_spike(10, -1)


@witnesses("moments.scaled_beta")
def test_memory_in_samples_is_kept() -> None:
    for beta, ratio in ((0.999, 8), (0.95, 2), (0.99, 0.5)):
        scaled = moments.scaled_beta(beta, 32, 32 * ratio)
        assert ratio / (1 - scaled) == pytest.approx(1 / (1 - beta))
    # and for long memories it is what κ small steps would leave
    assert moments.scaled_beta(0.999, 1, 8) == pytest.approx(0.999**8, abs=1e-4)
    with pytest.raises(ValueError, match="shorter"):
        moments.scaled_beta(0.9, 1, 16)


@witnesses("moments.nan_stays")
def test_torch_keeps_a_nan_too() -> None:
    torch = pytest.importorskip("torch")
    assert moments.nan_stays(50)["clean_steps"] == 50
    w = torch.ones(1, requires_grad=True)
    adam = torch.optim.Adam([w])
    for gradient in (1.0, math.nan, *[1.0] * 50):
        w.grad = torch.full_like(w, gradient)
        adam.step()
    assert math.isnan(w.item())
    assert math.isnan(adam.state[w]["exp_avg"].item())


def test_an_optimiser_without_state_forgets_it() -> None:
    with pytest.raises(AssertionError, match="forgotten"):
        moments.nan_stays(5, optimiser="sgd")
