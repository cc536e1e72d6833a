"""Independent ways to the numbers of verifiers/reliability.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import reliability


def up(chances: list[float], works: Callable[[tuple[bool, ...]], bool]) -> float:
    """Add the chances of all states of the parts in which the whole works."""
    total = 0.0
    for state in product((True, False), repeat=len(chances)):
        if works(state):
            total += math.prod(p if part else 1 - p for p, part in zip(chances, state, strict=True))
    return total


@witnesses("reliability.series", "reliability.parallel")
@pytest.mark.parametrize("chances", [[0.9], [0.99, 0.5], [0.9, 0.8, 0.7], [1.0, 0.25], [0.0, 0.5]])
def test_series_and_parallel_equal_a_sum_over_states(chances: list[float]) -> None:
    assert reliability.series(*chances) == pytest.approx(up(chances, all))
    assert reliability.parallel(*chances) == pytest.approx(up(chances, any))


@witnesses("reliability.at_least")
@pytest.mark.parametrize("parts", [1, 3, 5])
@pytest.mark.parametrize("availability", [0.0, 0.3, 0.9, 1.0])
def test_at_least_equals_a_sum_over_states(parts: int, availability: float) -> None:
    for needed in range(parts + 1):
        expected = up([availability] * parts, lambda state, needed=needed: sum(state) >= needed)
        assert reliability.at_least(needed, parts, availability) == pytest.approx(expected)


@witnesses("reliability.repairable")
@pytest.mark.parametrize(("works", "broken"), [(9, 1), (3, 5), (2, 0)])
def test_repairable_is_the_share_of_a_timeline(works: int, broken: int) -> None:
    timeline = ([1] * works + [0] * broken) * 7
    assert reliability.repairable(works, broken) == pytest.approx(sum(timeline) / len(timeline))


@witnesses("reliability.downtime")
@pytest.mark.parametrize(("permille", "days"), [(999, 30), (990, 365), (1000, 7), (0, 2)])
def test_downtime_equals_a_share_of_a_time_span(permille: int, days: int) -> None:
    expected = timedelta(days=days).total_seconds() * (1000 - permille) / 1000
    assert reliability.downtime(permille / 1000, days) == pytest.approx(expected)
    month = timedelta(days=30).total_seconds() * (1000 - permille) / 1000
    assert reliability.downtime(permille / 1000) == pytest.approx(month)


@witnesses("reliability.nines")
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_nines_count_the_nines_written(count: int) -> None:
    assert reliability.nines(float("0." + "9" * count)) == pytest.approx(count)


def test_no_nines_at_all() -> None:
    assert reliability.nines(0) == 0
    assert 0 < reliability.nines(0.5) < 1


@witnesses("reliability.burn_rate", "reliability.budget_lasts")
@pytest.mark.parametrize(("errors", "target", "days"), [(0.01, 0.999, 30), (0.05, 0.95, 28), (1.0, 0.9, 7)])
def test_budget_lasts_until_the_errors_of_a_period_are_made(errors: float, target: float, days: int) -> None:
    per_second = 10
    allowed = (1 - target) * per_second * days * 24 * 3600
    until = allowed / (per_second * errors)
    assert reliability.budget_lasts(errors, target, days) == pytest.approx(until)
    assert reliability.burn_rate(errors, target) == pytest.approx(days * 24 * 3600 / until)
    assert reliability.budget_lasts(errors, target) == pytest.approx(until * 30 / days)


def test_no_errors_burn_nothing() -> None:
    assert reliability.burn_rate(0, 0.9) == 0
    assert reliability.burn_rate(0.3, 0) == pytest.approx(0.3)


@witnesses("reliability.all_steps", "reliability.chain_effects")
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("p", [0.0, 0.4, 0.95, 1.0])
def test_chain_equals_a_sum_over_all_outcomes(p: float, steps: int) -> None:
    whole = half = effects = 0.0
    for outcome in product((True, False), repeat=steps):
        weight = math.prod(p if worked else 1 - p for worked in outcome)
        done = outcome.index(False) if False in outcome else steps
        whole += weight * (done == steps)
        half += weight * (0 < done < steps)
        effects += weight * done
    assert reliability.all_steps(p, steps) == pytest.approx(whole)
    found = reliability.chain_effects(p, steps)
    assert found["success"] == pytest.approx(whole)
    assert found["half_done"] == pytest.approx(half)
    assert found["effects"] == pytest.approx(effects)
    assert reliability.all_steps(p, 0) == 1


@witnesses("reliability.step_success")
@pytest.mark.parametrize(("target", "steps"), [(0.9, 10), (0.5, 1), (0.99, 3), (0.0, 2), (1.0, 4)])
def test_steps_of_that_success_reach_the_target(target: float, steps: int) -> None:
    step = reliability.step_success(target, steps)
    assert math.prod([step] * steps) == pytest.approx(target)


@witnesses("reliability.longest_chain")
@pytest.mark.parametrize("step", [0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.2])
@pytest.mark.parametrize("power", [0, 1, 2, 3, 7])
def test_longest_chain_equals_a_count_by_multiplying(step: float, power: int) -> None:
    for target in (step**power, min(1.0, math.nextafter(step**power, 1)), 0.5, 0.9, 0.01):
        steps, product_ = 0, step
        while product_ >= target:
            steps, product_ = steps + 1, step ** (steps + 2)
        assert reliability.longest_chain(step, target) == steps
        if target == 0.5:
            assert reliability.longest_chain(step) == steps


@witnesses("reliability.guard_leak")
@pytest.mark.parametrize("policy", ["open", "closed"])
def test_guard_leak_equals_counts_of_a_thousand_calls(policy: str) -> None:
    leaked = blocked = 0
    for call in range(1000):
        broken, unsafe = call % 10 == 0, call // 10 % 4 == 0
        runs = (policy == "open") if broken else not unsafe
        leaked += runs and unsafe
        blocked += not runs and not unsafe
    found = reliability.guard_leak(0.1, 0.25, policy)
    assert found["leaked"] == pytest.approx(leaked / 1000)
    assert found["blocked"] == pytest.approx(blocked / 1000)
    assert reliability.guard_leak(0.1, 0.25) == reliability.guard_leak(0.1, 0.25, "open")


def test_full_availability_has_no_number_of_nines() -> None:
    with pytest.raises(ValueError, match="unavailability"):
        reliability.nines(1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: reliability.series(),
        lambda: reliability.series(1.1),
        lambda: reliability.parallel(),
        lambda: reliability.parallel(0.5, -0.1),
        lambda: reliability.at_least(-1, 2, 0.5),
        lambda: reliability.at_least(3, 2, 0.5),
        lambda: reliability.at_least(1, 2, 1.5),
        lambda: reliability.repairable(0, 1),
        lambda: reliability.repairable(1, -1),
        lambda: reliability.downtime(1.1),
        lambda: reliability.downtime(0.9, 0),
        lambda: reliability.nines(1),
        lambda: reliability.nines(-0.1),
        lambda: reliability.burn_rate(1.1, 0.5),
        lambda: reliability.burn_rate(0.1, 1),
        lambda: reliability.burn_rate(0.1, -0.1),
        lambda: reliability.budget_lasts(0, 0.9),
        lambda: reliability.budget_lasts(0.1, 0.9, 0),
        lambda: reliability.all_steps(1.1, 2),
        lambda: reliability.all_steps(0.5, -1),
        lambda: reliability.step_success(1.1, 1),
        lambda: reliability.step_success(0.5, 0),
        lambda: reliability.longest_chain(0, 0.5),
        lambda: reliability.longest_chain(1, 0.5),
        lambda: reliability.longest_chain(0.5, 0),
        lambda: reliability.longest_chain(0.5, 1.1),
        lambda: reliability.chain_effects(0.5, 0),
        lambda: reliability.guard_leak(1.1, 0.5),
        lambda: reliability.guard_leak(0.5, 1.1),
        lambda: reliability.guard_leak(0.5, 0.5, "ajar"),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
