"""Long runs simulated failure by failure and step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import training_runs as runs


@witnesses("training_runs.between_failures", "training_runs.cluster_between_failures")
def test_failures_are_counted_in_a_simulation() -> None:
    generator = np.random.default_rng(0)
    for days, mean in ((50, 3.0), (400, 24.0)):
        gaps = generator.exponential(mean, 20_000)
        moments = np.cumsum(gaps)
        events = int((moments <= days * 24).sum())
        told = runs.between_failures(days, events)
        assert told == pytest.approx(days * 86400 / events)
        assert told == pytest.approx(mean * 3600, rel=0.2)
    assert runs.between_failures(54, 419, 0.5) == pytest.approx(2 * runs.between_failures(54, 419))
    # the first failure among many devices
    firsts = generator.exponential(1000.0, (2000, 50)).min(axis=1)
    assert runs.cluster_between_failures(1000.0, 50) == 20 * 3600
    assert firsts.mean() == pytest.approx(20, rel=0.1)


@witnesses("training_runs.cost", "training_runs.wall_clock", "training_runs.goodput_gap")
def test_every_device_of_every_hour_is_paid() -> None:
    bill = sum(1.25 for _hour in range(7) for _device in range(5))
    assert runs.cost(7, 5, 1.25) == bill
    assert (runs.cost(7, 5), runs.cost(7), runs.cost(0)) == (35, 7, 0)
    assert runs.wall_clock(35, 5) == 7 * 3600
    # ten days at 70 % and at 90 %: count the hours that are lost
    lost = [round(24 * 10 * (1 - share)) for share in (0.7, 0.9)]
    gap = runs.goodput_gap(10, 0.7, 0.9, 5, 1.25)
    assert gap["wall"] == pytest.approx((lost[0] - lost[1]) * 3600)
    assert gap["device_time"] == pytest.approx(5 * gap["wall"])
    assert gap["dollars"] == pytest.approx(runs.cost(lost[0] - lost[1], 5, 1.25))
    assert runs.goodput_gap(10, 0.9, 0.7, 5, 1.25)["wall"] == pytest.approx(-gap["wall"])


@witnesses("training_runs.step_time")
def test_a_step_is_six_flops_a_parameter_and_token() -> None:
    forward, backward = 2 * 405e9, 4 * 405e9
    each = (forward + backward) * 4e6 / 16384  # FLOPs of a device
    assert runs.step_time(405e9, 4e6, 16384, 400e12) == pytest.approx(each / 400e12)
    assert runs.step_time(1, 1, 1, 1) == 6


@witnesses("training_runs.goodput", "training_runs.run_utilisation")
def test_goodput_and_utilisation_of_one_trace() -> None:
    """Steps of two seconds; some are rolled back; in between the run waits."""
    peak, needed = 100.0, 90.0  # FLOP/s of the machine, FLOPs of a step
    trace = [("step", 2.0)] * 30 + [("rolled back", 2.0)] * 5 + [("wait", 20.0), ("restart", 10.0)]
    wall = sum(seconds for _, seconds in trace)
    kept = [seconds for kind, seconds in trace if kind == "step"]
    goodput = runs.goodput(sum(kept), wall)
    assert goodput == 60 / 100
    whole = len(kept) * needed / (wall * peak)
    stepping = needed / (2.0 * peak)
    assert runs.run_utilisation(goodput, stepping) == pytest.approx(whole)
    assert runs.goodput(0, 1) == 0 and runs.goodput(3, 3) == 1


@witnesses("training_runs.lost_work", "training_runs.checkpoint_overhead", "training_runs.waste")
@pytest.mark.parametrize(
    ("interval", "stall", "mean", "restart"), [(600, 12, 40_000, 0), (300, 30, 20_000, 90)]
)
def test_waste_of_a_simulated_run(interval: float, stall: float, mean: float, restart: float) -> None:
    generator = np.random.default_rng(int(interval))
    saved = wall = undone = 0.0
    failures = 0
    while failures < 4000:
        until = generator.exponential(mean)
        cycles, rest = divmod(until, interval + stall)
        saved += cycles * interval
        wall += until + restart
        undone += min(rest, interval)
        failures += 1
    assert undone / failures == pytest.approx(runs.lost_work(interval), rel=0.1)
    told = runs.waste(interval, stall, mean, restart)
    assert told == pytest.approx(wall / saved - 1, rel=0.1)
    without = runs.waste(interval, stall, mean)
    assert told - without == pytest.approx(restart / mean)
    assert without == pytest.approx(stall / interval + interval / (2 * mean))
    assert runs.checkpoint_overhead(interval, stall) == stall / interval


@witnesses("training_runs.best_interval", "training_runs.interval_for_overhead")
def test_the_best_interval_is_found_by_trying_all() -> None:
    for stall, mean in ((10, 20_000), (180, 11_000), (3, 1e6)):
        tried = np.linspace(1, 60_000, 600_000)
        losses = stall / tried + tried / (2 * mean)
        assert runs.best_interval(stall, mean) == pytest.approx(tried[losses.argmin()], rel=1e-3)
    for stall, share in ((180, 0.01), (1.5, 0.02)):
        assert runs.checkpoint_overhead(runs.interval_for_overhead(stall, share), stall) == pytest.approx(
            share
        )


CALLS: list[tuple[str, tuple[float, ...]]] = [
    ("between_failures", (1, 1, 1)),
    ("cluster_between_failures", (1, 1)),
    ("step_time", (1, 1, 1, 1)),
    ("lost_work", (1,)),
    ("interval_for_overhead", (1, 1)),
    ("best_interval", (1, 1)),
]


@pytest.mark.parametrize(("name", "smallest"), CALLS)
def test_numbers_must_be_above_zero(name: str, smallest: tuple[float, ...]) -> None:
    function = getattr(runs, name)
    assert math.isfinite(function(*smallest))
    for index in range(len(smallest)):
        with pytest.raises(ValueError):
            function(*smallest[:index], 0, *smallest[index + 1 :])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("between_failures", (1, 1, 1.1)),
        ("cost", (-1,)),
        ("cost", (1, 0)),
        ("cost", (1, 1, -1)),
        ("wall_clock", (-1, 1)),
        ("wall_clock", (1, 0)),
        ("step_time", (1, 1, 1.5, 1)),
        ("goodput", (1, 0)),
        ("goodput", (2, 1)),
        ("goodput", (-1, 1)),
        ("goodput", (True, 1)),
        ("goodput", (math.nan, 1)),
        ("run_utilisation", (1.1, 0.5)),
        ("run_utilisation", (0.5, -0.1)),
        ("goodput_gap", (0, 0.5, 0.6, 1, 1)),
        ("goodput_gap", (1, -0.5, 0.6, 1, 1)),
        ("goodput_gap", (1, 0.5, 1.6, 1, 1)),
        ("goodput_gap", (1, 0.5, 0.6, 0, 1)),
        ("goodput_gap", (1, 0.5, 0.6, 1, -1)),
        ("checkpoint_overhead", (0, 1)),
        ("checkpoint_overhead", (1, -1)),
        ("waste", (0, 1, 1)),
        ("waste", (1, -1, 1)),
        ("waste", (1, 1, 0)),
        ("waste", (1, 1, 1, -1)),
    ],
)
def test_impossible_runs_are_refused(name: str, wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        getattr(runs, name)(*wrong)
    assert runs.checkpoint_overhead(1, 0) == 0
    assert runs.goodput_gap(1, 0, 1, 1, 0)["dollars"] == 0
