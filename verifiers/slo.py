"""Service-level objectives: error budgets, how fast they burn, and when an alert fires."""

from __future__ import annotations

from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


@verifier
def burn_rate(error_rate: float, objective: float) -> float:
    """How many times faster than allowed the error budget is spent.

    Formula: error rate / (1 − objective).
    Unit: 1
    Source: beyer2018
    """
    arguments.shares(error_rate=error_rate)
    arguments.positive(objective=objective, **{"1 - objective": 1 - objective})
    return error_rate / (1 - objective)


@verifier
def budget_spent(burn_rate: float, window: float, period: float = 30 * 86400.0) -> float:
    """Share of the period's error budget that a burn rate spends within a window.

    Formula: burn rate · window / period.
    Unit: 1
    Source: beyer2018
    """
    arguments.non_negative(burn_rate=burn_rate)
    arguments.positive(window=window, period=period)
    return burn_rate * window / period


@verifier
def time_to_exhaustion(burn_rate: float, period: float = 30 * 86400.0) -> float:
    """Time after which a constant burn rate has spent the whole budget.

    Formula: period / burn rate.
    Unit: s
    Source: beyer2018
    """
    arguments.positive(burn_rate=burn_rate, period=period)
    return period / burn_rate


@verifier
def alert_threshold(budget_share: float, window: float, period: float = 30 * 86400.0) -> float:
    """Burn rate that spends a share of the budget within a window: where to set an alert.

    Formula: share · period / window.
    Unit: 1
    Source: beyer2018
    """
    arguments.shares(budget_share=budget_share)
    arguments.positive(window=window, period=period)
    return budget_share * period / window


@verifier
def alerting_minutes(
    outage: int,
    error_rate: float,
    objective: float = 0.999,
    threshold: float = 14.4,
    long: int = 60,
    short: int | None = None,
) -> dict[str, int]:
    """Minutes until an alert fires in an outage, and for which it goes on after its end.

    Each window is the mean error rate of its last minutes; the alert fires while every window burns
    at the threshold or faster. −1 stands for never.

    Unit: until=1, after=1
    Source: beyer2018
    """
    arguments.counts(outage=outage, long=long)
    arguments.shares(error_rate=error_rate)
    arguments.positive(objective=objective, threshold=threshold, **{"1 - objective": 1 - objective})
    windows = [long]
    if short is not None:
        arguments.counts(short=short, **{"long - short": long - short})
        windows.append(short)
    # as the decimals that were written: 0.0144 over a budget of 1 − 0.999 is a hair below 14.4 in binary
    rate, limit = Fraction(str(error_rate)), Fraction(str(threshold)) * (1 - Fraction(str(objective)))
    calm = [0] * long
    failing = [*calm, *[1] * outage, *calm]
    firing = []
    for minute in range(long, len(failing)):
        firing.append(all(sum(failing[minute - n : minute]) * rate >= limit * n for n in windows))
    if not any(firing):
        return {"until": -1, "after": -1}
    last = max(minute for minute, fires in enumerate(firing) if fires)
    return {"until": firing.index(True), "after": last - outage}
