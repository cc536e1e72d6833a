"""Witnesses of `verifiers/schedules.py`: the schedules of transformers, and sums over their steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import schedules

optimization = pytest.importorskip("transformers.optimization")

RUNS = [(100, 10), (100, 0), (37, 1), (50, 49)]


def theirs(kind: str, step: int, total: int, warmup: int, decay: int, floor: float) -> float:
    shared: dict[str, Any] = {"num_warmup_steps": warmup}
    if kind == "inverse-sqrt":
        shared["timescale"] = warmup
        return float(optimization._get_inverse_sqrt_schedule_lr_lambda(step, **shared))
    if kind == "constant":
        return float(optimization._get_constant_schedule_with_warmup_lr_lambda(step, **shared))
    if kind.startswith("wsd"):
        shared |= {"num_stable_steps": total - warmup - decay, "num_decay_steps": decay, "num_cycles": 0.5}
        shared |= {"warmup_type": "linear", "min_lr_ratio": floor}
        shape = {"wsd": "linear", "wsd-sqrt": "1-sqrt"}[kind]
        return float(optimization._get_wsd_scheduler_lambda(step, **shared, decay_type=shape))
    shared["num_training_steps"] = total
    if kind == "linear":
        fall = optimization._get_linear_schedule_with_warmup_lr_lambda(step, **shared)
        return float(fall if step < warmup else floor + (1 - floor) * fall)
    cosine = optimization._get_cosine_schedule_with_warmup_lr_lambda
    return float(cosine(step, **shared, num_cycles=0.5, min_lr_rate=floor))


@witnesses("schedules.learning_rate")
@pytest.mark.parametrize("kind", ["constant", "linear", "cosine", "wsd", "wsd-sqrt", "inverse-sqrt"])
@pytest.mark.parametrize("total, warmup", RUNS)
def test_schedules_equal_those_of_transformers(kind: str, total: int, warmup: int) -> None:
    if kind == "inverse-sqrt" and not warmup:
        return
    for floor in (0.0,) if kind in ("constant", "inverse-sqrt") else (0.0, 0.1, 1.0):
        for decay in (1, (total - warmup) // 2, total - warmup) if kind.startswith("wsd") else (0,):
            if kind.startswith("wsd") and (not decay or (floor and warmup)):
                continue  # transformers starts the warmup of WSD at the floor
            for step in {0, 1, warmup // 2, warmup, warmup + 1, total // 2, total - 1, total}:
                ours = schedules.learning_rate(kind, step, total, 3.0, warmup, decay, floor)
                expected = 3 * theirs(kind, step, total, warmup, decay, floor)
                assert ours == pytest.approx(expected, rel=1e-12, abs=1e-15), (step, floor, decay)


def test_defaults_of_a_schedule() -> None:
    assert schedules.learning_rate("linear", 25, 100) == 0.75
    assert schedules.learning_rate("linear", 100, 100) == 0
    assert schedules.learning_rate("cosine", 0, 100) == 1
    assert schedules.learning_rate("constant", 50, 100, floor=0.5) == 1


@witnesses("schedules.mean_rate")
@pytest.mark.parametrize("kind", ["constant", "linear", "cosine", "wsd", "wsd-sqrt", "inverse-sqrt"])
@pytest.mark.parametrize(
    "warmup, decay, floor", [(200, 500, 0.0), (500, 100, 0.0), (200, 1800, 0.2), (0, 300, 0.1)]
)
def test_means_equal_sums_over_the_steps(kind: str, warmup: int, decay: int, floor: float) -> None:
    if kind == "inverse-sqrt":
        warmup, floor = warmup or 40, 0.0
    decay = decay if kind.startswith("wsd") else 0
    rates = [schedules.learning_rate(kind, t, 2000, 1.0, warmup, decay, floor) for t in range(2001)]
    measured = np.trapezoid(rates) / 2000
    if not warmup:
        assert schedules.mean_rate(kind, 2000, decay=decay, floor=floor) == pytest.approx(measured, rel=2e-4)
    assert schedules.mean_rate(kind, 2000, warmup, decay, floor) == pytest.approx(measured, rel=2e-4)
    if not floor:
        assert schedules.mean_rate(kind, 2000, warmup, decay) == schedules.mean_rate(
            kind, 2000, warmup, decay, 0.0
        )


@witnesses("schedules.warmup_share")
def test_the_share_is_that_of_the_steps_that_rise() -> None:
    rates = [schedules.learning_rate("cosine", t, 400, warmup=30) for t in range(401)]
    rising = int((np.diff(rates) > 0).sum())
    assert schedules.warmup_share(30, 400) == rising / 400
    assert schedules.warmup_share(0, 400) == 0 and schedules.warmup_share(400, 400) == 1


@witnesses("schedules.noam_peak")
@pytest.mark.parametrize("d_model, warmup", [(512, 4000), (1024, 10), (3, 1)])
def test_the_peak_is_the_largest_of_the_transformers_schedule(d_model: int, warmup: int) -> None:
    steps = np.arange(1, 3 * warmup + 2)
    rates = d_model**-0.5 * np.minimum(steps**-0.5, steps * warmup**-1.5)
    assert schedules.noam_peak(d_model, warmup) == pytest.approx(rates.max(), rel=1e-12)


@witnesses("schedules.schedules_are_continuous")
def test_schedules_that_jump_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    small: dict[str, Any] = {"total": 20, "warmup": 5, "decay": 4}
    # the steepest part of a square root needs a coarse look
    assert schedules.schedules_are_continuous(**small) == small | {"tolerance": 1e-4}
    correct = schedules.factor

    def fails(told: str, broken: Callable[..., float], **arguments: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(schedules, "factor", broken)
            with pytest.raises(AssertionError, match=told):
                schedules.schedules_are_continuous(**small | arguments)

    fails("after the warmup", lambda *of: 0.999 * correct(*of))
    fails("to the left of step 11", lambda kind, step, *of: correct(kind, step, *of) / (1 + (step >= 11)))
    fails("exceeds its peak at step 7", lambda kind, step, *of: 1 + max(0, step - 6) * 1e-5)
    fails("at the end", lambda *of: 1.0, floors=(0.5,))
    held = {"linear": 1.0, "cosine": 1.0, "wsd": 1.0, "wsd-sqrt": 1.0}
    for kind in held:  # each of those that fall has to reach its floor
        fails(f"{kind} at the end", lambda k, *of, kind=kind: 1.0 if k == kind else correct(k, *of))
    seen = set()
    with monkeypatch.context() as patch:
        patch.setattr(
            schedules, "factor", lambda k, step, *of: seen.add((k, step, *of)) or correct(k, step, *of)
        )
        schedules.schedules_are_continuous(**small, floors=(0.25,))
    for kind in ("linear", "constant", "inverse-sqrt"):
        assert {entry[1:] for entry in seen if entry[0] == kind} >= {
            (t, 20, 5, 0, 0.25) for t in range(1, 21)
        }
    for kind in ("wsd", "wsd-sqrt"):
        assert {entry[1:] for entry in seen if entry[0] == kind} >= {
            (t, 20, 5, 4, 0.25) for t in range(1, 21)
        }
    assert all(0 < step <= 20 for _, step, *_ in seen) and any(step % 1 for _, step, *_ in seen)
    left = {step % 1 for _, step, *_ in seen} - {0}
    assert all(math.isclose(step, 1 - 1e-9) for step in left)


@pytest.mark.parametrize(
    "call",
    [
        lambda: schedules.learning_rate("step", 1, 10),
        lambda: schedules.learning_rate("linear", -1, 10),
        lambda: schedules.learning_rate("linear", 11, 10),
        lambda: schedules.learning_rate("linear", 1, 10, peak=0.0),
        lambda: schedules.learning_rate("linear", 1, 10, warmup=10),
        lambda: schedules.learning_rate("linear", 1, 10, warmup=-1),
        lambda: schedules.learning_rate("linear", 1, 10, floor=1.1),
        lambda: schedules.learning_rate("linear", 1, 10, decay=2),
        lambda: schedules.learning_rate("wsd", 1, 10),
        lambda: schedules.learning_rate("wsd", 1, 10, decay=-1),
        lambda: schedules.learning_rate("wsd", 1, 10, warmup=5, decay=6),
        lambda: schedules.learning_rate("inverse-sqrt", 1, 10),
        lambda: schedules.learning_rate("inverse-sqrt", 1, 10, warmup=2, floor=0.1),
        lambda: schedules.mean_rate("linear", 10, warmup=10),
        lambda: schedules.warmup_share(-1, 10),
        lambda: schedules.warmup_share(11, 10),
        lambda: schedules.warmup_share(0, 0),
        lambda: schedules.noam_peak(0, 10),
        lambda: schedules.noam_peak(512, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
