"""Availability, error budgets, and what becomes of a small failure rate over many steps or parts."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments

DAY = 86_400


@verifier
def series(*availabilities: float) -> float:
    """Availability of a chain of parts that must all work, failing independently.

    Formula: Π aᵢ.
    Unit: 1
    Source: definition
    """
    _shares(availabilities)
    return math.prod(availabilities)


@verifier
def parallel(*availabilities: float) -> float:
    """Availability of parts of which one suffices, failing independently.

    Formula: 1 − Π (1 − aᵢ).
    Unit: 1
    Source: definition
    """
    _shares(availabilities)
    return 1 - math.prod(1 - availability for availability in availabilities)


def _shares(numbers: tuple[float, ...]) -> None:
    arguments.counts(parts=len(numbers))
    arguments.shares(**{f"part {index}": number for index, number in enumerate(numbers)})


@verifier
def at_least(needed: int, parts: int, availability: float) -> float:
    """Availability of equal, independent parts of which `needed` must work.

    Formula: Σᵢ₌ₖⁿ C(n, i) · aⁱ · (1 − a)ⁿ⁻ⁱ.
    Unit: 1
    Source: definition
    """
    arguments.counts(0, needed=needed, spare=parts - needed)
    arguments.shares(availability=availability)
    return math.fsum(
        math.comb(parts, up) * availability**up * (1 - availability) ** (parts - up)
        for up in range(needed, parts + 1)
    )


@verifier
def repairable(to_failure: float, to_repair: float) -> float:
    """Availability from the mean time to failure, of working after a repair, and the mean time to repair.

    Formula: MTTF / (MTTF + MTTR), where MTTF + MTTR is the mean time between failures.
    Unit: 1
    Source: definition
    """
    arguments.positive(to_failure=to_failure)
    arguments.non_negative(to_repair=to_repair)
    return to_failure / (to_failure + to_repair)


@verifier
def downtime(availability: float, days: float = 30) -> float:
    """Time of failure that a target of availability allows in a period: the error budget.

    Formula: (1 − availability) · days · 86400.
    Unit: s
    Source: beyer2016
    """
    arguments.shares(availability=availability)
    arguments.positive(days=days)
    return (1 - availability) * days * DAY


@verifier
def nines(availability: float) -> float:
    """Number of nines of an availability.

    Formula: −log₁₀(1 − availability).
    Unit: 1
    Source: definition
    """
    arguments.shares(availability=availability)
    arguments.positive(unavailability=1 - availability)
    return -math.log10(1 - availability)


@verifier
def burn_rate(error_rate: float, target: float) -> float:
    """How many times faster than allowed the error budget of a target is used up.

    Formula: error rate / (1 − target).
    Unit: 1
    Source: beyer2018
    """
    arguments.shares(error_rate=error_rate, target=target)
    arguments.positive(budget=1 - target)
    return error_rate / (1 - target)


@verifier
def budget_lasts(error_rate: float, target: float, days: float = 30) -> float:
    """Time until a steady error rate has used up the error budget of `days` days.

    Formula: days · 86400 / burn rate.
    Unit: s
    Source: beyer2018
    """
    arguments.positive(error_rate=error_rate, days=days)
    return days * DAY / burn_rate(error_rate, target)


@verifier
def all_steps(step_success: float, steps: int) -> float:
    """Chance that a chain of independent steps succeeds as a whole.

    Formula: pⁿ.
    Unit: 1
    Source: definition
    """
    arguments.shares(step_success=step_success)
    arguments.counts(0, steps=steps)
    return step_success**steps


@verifier
def step_success(target: float, steps: int) -> float:
    """Success of each step that a chain of steps needs for a target.

    Formula: target^(1/n).
    Unit: 1
    Source: definition
    """
    arguments.shares(target=target)
    arguments.counts(steps=steps)
    return float(target ** (1 / steps))


@verifier
def longest_chain(step_success: float, target: float = 0.5) -> int:
    """Most steps for which the whole chain still succeeds with at least `target`.

    Formula: the largest n with pⁿ ≥ target.
    Unit: 1
    Source: definition
    """
    arguments.positive(step_success=step_success, target=target, failure=1 - step_success)
    arguments.shares(target=target)
    steps = math.ceil(math.log(target) / math.log(step_success))
    # the quotient of logarithms may miss a whole number by its last bit, on either side
    while step_success**steps < target:
        steps -= 1
    return steps


@verifier
def chain_effects(step_success: float, steps: int) -> dict[str, float]:
    """What a chain of steps without rollback leaves behind when it stops at its first failure.

    Formula: success pⁿ; half done (some effect, not all) p − pⁿ; mean effects Σₖ₌₁ⁿ pᵏ.
    Unit: success=1, half_done=1, effects=1
    Source: definition
    """
    arguments.counts(steps=steps)
    whole = all_steps(step_success, steps)
    return {
        "success": whole,
        "half_done": step_success - whole,
        "effects": math.fsum(step_success**done for done in range(1, steps + 1)),
    }


@verifier
def guard_leak(fails: float, unsafe: float, policy: str = "open") -> dict[str, float]:
    """Shares of calls that slip through, and that are stopped for nothing, when a guard itself fails.

    A working guard judges rightly; a failed one lets everything through (open) or nothing (closed).

    Formula: leaked = fails · unsafe (open); blocked = fails · (1 − unsafe) (closed).
    Unit: leaked=1, blocked=1
    Source: definition
    """
    arguments.shares(fails=fails, unsafe=unsafe)
    arguments.one_of("policy", policy, ("open", "closed"))
    if policy == "open":
        return {"leaked": fails * unsafe, "blocked": 0.0}
    return {"leaked": 0.0, "blocked": fails * (1 - unsafe)}
