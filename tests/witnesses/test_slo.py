"""Independent ways to the numbers of verifiers/slo.py."""

from __future__ import annotations

from fractions import Fraction

import pytest

from proofdeck import witnesses
from verifiers import slo


@witnesses(
    "slo.burn_rate",
    "slo.budget_spent",
    "slo.time_to_exhaustion",
    "slo.alert_threshold",
)
def test_budgets_equal_counts_of_failed_requests() -> None:
    """A period of 720 hours with 1,000 requests an hour may lose 1 in 1,000: 720 of them."""
    budget = 720 * 1000 // 1000
    failed_in_an_hour = 5
    assert slo.burn_rate(failed_in_an_hour / 1000, 0.999) == pytest.approx(failed_in_an_hour / 1)
    spent = Fraction(failed_in_an_hour, budget)
    assert slo.budget_spent(5, 3600) == pytest.approx(float(spent))
    assert slo.budget_spent(5, 1, 100) == 0.05
    hours = 0
    while failed_in_an_hour * hours < budget:
        hours += 1
    assert slo.time_to_exhaustion(5) == pytest.approx(hours * 3600)
    assert slo.time_to_exhaustion(5, 100) == 20
    per_hour = Fraction(2, 100) * budget
    assert slo.alert_threshold(0.02, 3600) == pytest.approx(float(per_hour / 1))
    assert slo.alert_threshold(0.02, 10, 1000) == 2
    assert slo.budget_spent(0, 1) == 0


def minutes(outage: int, rate: float, budget: float, threshold: float, windows: list[int]) -> dict[str, int]:
    """Ask each minute, from the start of the outage, whether all windows burn too fast."""
    failing = [
        all(
            Fraction(sum(0 <= then < outage for then in range(now - window, now)), window) * Fraction(rate)
            >= Fraction(threshold) * Fraction(budget)
            for window in windows
        )
        for now in range(outage + max(windows) + 1)
    ]
    if True not in failing:
        return {"until": -1, "after": -1}
    return {
        "until": failing.index(True),
        "after": max(0, max(t for t, on in enumerate(failing) if on) - outage),
    }


@witnesses("slo.alerting_minutes")
@pytest.mark.parametrize(("long", "short"), [(60, None), (60, 5), (30, 29), (10, 1)])
@pytest.mark.parametrize(("outage", "rate"), [(1, 1.0), (20, 0.5), (45, 0.02), (200, 0.25), (7, 0.125)])
def test_alerts_equal_those_of_a_minute_by_minute_replay(
    long: int, short: int | None, outage: int, rate: float
) -> None:
    windows = [long] if short is None else [long, short]
    for objective, threshold in ((0.9375, 2.0), (0.5, 1.0), (0.9375, 3.5)):
        expected = minutes(outage, rate, 1 - objective, threshold, windows)
        assert slo.alerting_minutes(outage, rate, objective, threshold, long, short) == expected


def test_defaults_are_the_hourly_page_of_three_nines() -> None:
    for outage, rate in ((10, 1.0), (30, 0.1), (90, 0.0145), (90, 0.0143), (90, 0.02)):
        named = slo.alerting_minutes(outage, rate, 0.999, 14.4, 60, None)
        assert slo.alerting_minutes(outage, rate) == named
    assert slo.alerting_minutes(10, 0.0) == {"until": -1, "after": -1}
    # 0.0144 over a budget of 0.001 is just the threshold, but not in binary
    assert slo.alerting_minutes(90, 0.0144) == {"until": 60, "after": 0}


@pytest.mark.parametrize(
    "call",
    [
        lambda: slo.burn_rate(1.1, 0.9),
        lambda: slo.burn_rate(0.1, 1.0),
        lambda: slo.burn_rate(0.1, 0.0),
        lambda: slo.budget_spent(-1, 1),
        lambda: slo.budget_spent(1, 0),
        lambda: slo.budget_spent(1, 1, 0),
        lambda: slo.time_to_exhaustion(0),
        lambda: slo.time_to_exhaustion(1, 0),
        lambda: slo.alert_threshold(1.1, 1),
        lambda: slo.alert_threshold(0.1, 0),
        lambda: slo.alert_threshold(0.1, 1, 0),
        lambda: slo.alerting_minutes(0, 0.1),
        lambda: slo.alerting_minutes(1, 1.1),
        lambda: slo.alerting_minutes(1, 0.1, 0.0),
        lambda: slo.alerting_minutes(1, 0.1, 1.0),
        lambda: slo.alerting_minutes(1, 0.1, threshold=0),
        lambda: slo.alerting_minutes(1, 0.1, long=0),
        lambda: slo.alerting_minutes(1, 0.1, long=5, short=5),
        lambda: slo.alerting_minutes(1, 0.1, long=5, short=6),
        lambda: slo.alerting_minutes(1, 0.1, long=5, short=0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
