"""Independent ways to the numbers of verifiers/schedule_overrun.py: torch's periodic cosine and warmup."""

from __future__ import annotations

from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import schedule_overrun

TOTAL, WARMUP = 30, 6


def torch_rates(steps: int, peak: float, floor: float) -> list[float]:
    """Return the rates of torch's linear warmup, then of its cosine annealing, which is periodic."""
    torch = pytest.importorskip("torch")
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    schedulers = torch.optim.lr_scheduler
    warm = schedulers.LambdaLR(optimiser, lambda step: min(step / WARMUP, 1.0))
    rates = []
    for _ in range(WARMUP):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        warm.step()
    cosine = schedulers.CosineAnnealingLR(optimiser, TOTAL - WARMUP, eta_min=floor * peak)
    for _ in range(steps - WARMUP):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        cosine.step()
    return rates


@witnesses("schedule_overrun.unclamped_cosine", "schedule_overrun.back_at")
@pytest.mark.parametrize("peak, floor", [(1.0, 0.0), (0.5, 0.1)])
def test_rates_equal_torchs_periodic_annealing(peak: float, floor: float) -> None:
    steps = 3 * TOTAL
    rates = torch_rates(steps, peak, floor)
    found = [schedule_overrun.unclamped_cosine(step, TOTAL, peak, WARMUP, floor) for step in range(steps)]
    assert found == pytest.approx(rates, abs=1e-9)
    again = schedule_overrun.back_at(TOTAL, WARMUP)
    assert rates[again["peak"]] == pytest.approx(peak) and max(rates[TOTAL:]) == rates[again["peak"]]
    assert rates[again["floor"]] == pytest.approx(peak * floor, abs=1e-9)
    assert again["floor"] - again["peak"] == again["peak"] - TOTAL


def test_defaults_start_at_a_peak_of_one() -> None:
    assert schedule_overrun.unclamped_cosine(0, 1) == 1 and schedule_overrun.unclamped_cosine(1, 1) == 0
    assert schedule_overrun.unclamped_cosine(1, 2) == 0.5
    assert schedule_overrun.back_at(1) == {"peak": 2, "floor": 3}


@witnesses("schedule_overrun.first_rate")
def test_first_rate_equals_torchs_first_step() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.zeros(1, requires_grad=True)
    for from_one in (False, True):
        optimiser = torch.optim.SGD([weight], lr=0.5)
        torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step, add=int(from_one): (step + add) / 8)
        rate = optimiser.param_groups[0]["lr"]
        assert schedule_overrun.first_rate(8, from_one, 0.5) == rate
    assert schedule_overrun.first_rate(8) == 0 and schedule_overrun.first_rate(1, True) == 1


def test_wrong_arguments_are_refused() -> None:
    right: dict[str, Any] = {"step": 1, "total": 3, "peak": 1.0, "warmup": 2, "floor": 0.0}
    assert schedule_overrun.unclamped_cosine(**right) == 0.5
    for wrong in ({"step": -1}, {"total": 2}, {"peak": 0}, {"warmup": -1}, {"floor": 1.1}):
        with pytest.raises(ValueError):
            schedule_overrun.unclamped_cosine(**{**right, **wrong})
    for call in (
        lambda: schedule_overrun.first_rate(0),
        lambda: schedule_overrun.first_rate(1, peak=0),
        lambda: schedule_overrun.back_at(2, 2),
        lambda: schedule_overrun.back_at(2, -1),
    ):
        with pytest.raises(ValueError):
            call()
    assert schedule_overrun.back_at(3, 2) == {"peak": 4, "floor": 5}
