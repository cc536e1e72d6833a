"""Budgets of agents: forecasts, guards before and after the call, shared and nested caps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


def _exact(**numbers: float) -> list[Fraction]:
    """Money as it is written, so that 0.1 divides 1 ten times."""
    arguments.non_negative(**numbers)
    return [Fraction(repr(number)) for number in numbers.values()]


@verifier
def turns(budget: float, first: float, growth: float) -> int:
    """Whole turns that a budget pays when each turn costs `growth` more than the one before.

    Formula: the largest n with n · first + growth · n · (n − 1) / 2 ≤ budget.
    Unit: 1
    Source: definition
    """
    arguments.positive(first=first)
    left, cost, more = _exact(budget=budget, first=first, growth=growth)
    count = 0
    while cost <= left:
        left -= cost
        cost += more
        count += 1
    return count


@verifier
def forecast(budget: float, first: float, growth: float, at: float = 0.5) -> dict[str, int]:
    """Turns left, told once the share `at` of the budget is spent: by the mean turn, by the last, in truth.

    Formula: mean: ⌊left / (spent / n)⌋; last: ⌊left / cost of turn n⌋.
    Unit: turns=1, by_mean=1, by_last=1, actual=1
    Source: definition
    """
    arguments.shares(at=at)
    every = turns(budget, first, growth)
    whole, cost, more, share = _exact(budget=budget, first=first, growth=growth, at=at)
    spent, count, last = Fraction(0), 0, cost
    while spent < share * whole and count < every:
        last = cost + count * more
        spent += last
        count += 1
    arguments.counts(turns=count)
    return {
        "turns": count,
        "by_mean": math.floor((whole - spent) * count / spent),
        "by_last": math.floor((whole - spent) / last),
        "actual": every - count,
    }


@verifier
def guarded(cap: float, costs: Sequence[float], worst: float | None = None) -> dict[str, float]:
    """Spend turn by turn under a cap that is checked before each turn.

    Without `worst` the check knows only what is booked, and may stop a turn late. With `worst`, the most that
    a turn can cost, it stops while that would no longer fit.

    Unit: turns=1, spent=$, over=$
    Source: definition
    """
    (limit,) = _exact(cap=cap)
    reserve: Fraction | None = None
    if worst is not None:
        (reserve,) = _exact(worst=worst)
    spent, count = Fraction(0), 0
    for cost in costs:
        (booked,) = _exact(cost=cost)
        if reserve is not None and booked > reserve:
            raise ValueError(f"a turn costs {cost}, more than the worst case {worst}")
        if spent >= limit if reserve is None else spent + reserve > limit:
            break
        spent += booked
        count += 1
    return {"turns": count, "spent": float(spent), "over": float(max(Fraction(0), spent - limit))}


@verifier
def admitted(limit: float | None, cost: float, requests: int, unlimited: str = "none") -> int:
    """Requests admitted under a limit that the code takes as absent where it is `none`, or where `falsy`.

    A limit of 0 is falsy: tested for truth, it admits everything.

    Formula: all requests if unlimited, else min(requests, ⌊limit / cost⌋).
    Unit: 1
    Source: definition
    """
    arguments.counts(0, requests=requests)
    arguments.positive(cost=cost)
    arguments.one_of("test for a missing limit", unlimited, ("none", "falsy"))
    if limit is None or (unlimited == "falsy" and not limit):
        return requests
    whole, each = _exact(limit=limit, cost=cost)
    return min(requests, math.floor(whole / each))


@verifier
def children_spend(children: int, child_cap: float, cost: float, parent_cap: float | None = None) -> float:
    """Most that children spend in calls of `cost`, each child within its own cap.

    With `parent_cap` each call is first reserved from the parent's budget, which all of them share.

    Formula: min(children · ⌊child cap / cost⌋, ⌊parent cap / cost⌋) · cost.
    Unit: $
    Source: definition
    """
    arguments.counts(children=children)
    arguments.positive(cost=cost)
    own, each = _exact(child_cap=child_cap, cost=cost)
    calls = children * math.floor(own / each)
    if parent_cap is not None:
        (shared,) = _exact(parent_cap=parent_cap)
        calls = min(calls, math.floor(shared / each))
    return float(calls * each)


@verifier
def concurrent_overshoot(cap: float, cost: float, workers: int) -> float:
    """Spending above the cap when workers check the booked total together and then all call.

    Formula: ⌈cap / (workers · cost)⌉ · workers · cost − cap.
    Unit: $
    Source: definition
    """
    arguments.counts(workers=workers)
    arguments.positive(cost=cost)
    limit, each = _exact(cap=cap, cost=cost)
    return float(math.ceil(limit / (workers * each)) * workers * each - limit)


@verifier
def tree_agents(fan_out: int, depth: int) -> int:
    """Agents of a tree in which each agent above the last level starts `fan_out` others.

    Formula: Σᵢ₌₀^depth fan_outⁱ.
    Unit: 1
    Source: definition
    """
    arguments.counts(0, fan_out=fan_out, depth=depth)
    return sum(fan_out**level for level in range(depth + 1))
