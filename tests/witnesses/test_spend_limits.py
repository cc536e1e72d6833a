"""Independent ways to the numbers of verifiers/spend_limits.py."""

from __future__ import annotations

import random
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import spend_limits


def cents(first: int, growth: int, turns: int) -> list[int]:
    """Cost of each turn in cents."""
    return [first + growth * turn for turn in range(turns)]


@witnesses("spend_limits.turns")
@pytest.mark.parametrize(
    ("budget", "first", "growth"), [(1000, 15, 3), (100, 10, 0), (9, 10, 1), (10, 10, 5), (25, 10, 5)]
)
def test_turns_are_the_most_whose_sum_fits(budget: int, first: int, growth: int) -> None:
    fitting = [n for n in range(200) if sum(cents(first, growth, n)) <= budget]
    assert spend_limits.turns(budget / 100, first / 100, growth / 100) == max(fitting)


@witnesses("spend_limits.forecast")
@pytest.mark.parametrize(
    ("budget", "first", "growth", "at"),
    [
        (1000, 15, 3, 0.5),
        (1000, 10, 0, 0.5),
        (500, 7, 2, 0.25),
        (40, 10, 0, 1.0),
        (100, 30, 10, 0.5),
        (100, 30, 10, 0.99),
    ],
)
def test_forecast_equals_a_ledger_in_cents(budget: int, first: int, growth: int, at: float) -> None:
    booked: list[int] = []
    for cost in cents(first, growth, 200):
        if sum(booked) >= at * budget or sum(booked) + cost > budget:
            break
        booked.append(cost)
    later = cents(first, growth, 200)[len(booked) :]
    actual = next(n for n in range(200) if sum(later[: n + 1]) > budget - sum(booked))
    rest = budget - sum(booked)
    by_mean = next(n for n in range(2000) if (n + 1) * sum(booked) > rest * len(booked))
    by_last = next(n for n in range(2000) if (n + 1) * booked[-1] > rest)
    assert spend_limits.forecast(budget / 100, first / 100, growth / 100, at) == {
        "turns": len(booked), "by_mean": by_mean, "by_last": by_last, "actual": actual,
    }  # fmt: skip
    if at == 0.5:
        assert spend_limits.forecast(budget / 100, first / 100, growth / 100)["turns"] == len(booked)


@witnesses("spend_limits.guarded")
def test_guarded_equals_a_ledger_in_cents() -> None:
    chance = random.Random(4)
    for _ in range(200):
        costs = [chance.randrange(1, 6) for _ in range(12)]
        cap = chance.randrange(0, 40)
        late, turns = 0, 0
        while late < cap and turns < len(costs):
            late += costs[turns]
            turns += 1
        found = spend_limits.guarded(cap / 100, [cost / 100 for cost in costs])
        assert found == {"turns": turns, "spent": late / 100, "over": max(0, late - cap) / 100}
        early, turns = 0, 0
        while cap - early >= 6 and turns < len(costs):
            early += costs[turns]
            turns += 1
        found = spend_limits.guarded(cap / 100, [cost / 100 for cost in costs], worst=0.06)
        assert found == {"turns": turns, "spent": early / 100, "over": 0}
    assert spend_limits.guarded(10, [10, 1])["turns"] == 1
    assert spend_limits.guarded(10, [10, 1], worst=10)["turns"] == 1
    assert spend_limits.guarded(10, [0, 0, 12], worst=12)["turns"] == 0
    assert spend_limits.guarded(10, [0], worst=0)["turns"] == 1


@witnesses("spend_limits.admitted")
def test_admitted_equals_requests_paid_one_by_one() -> None:
    for limit in range(0, 30):
        left, paid = limit, 0
        while left >= 7 and paid < 3:
            left, paid = left - 7, paid + 1
        assert spend_limits.admitted(limit / 10, 0.7, 3) == paid
        assert spend_limits.admitted(limit / 10, 0.7, 3, "falsy") == (paid if limit else 3)
    assert spend_limits.admitted(None, 1, 9) == 9 == spend_limits.admitted(None, 1, 9, "falsy")
    assert spend_limits.admitted(5, 1, 0) == 0


@witnesses("spend_limits.children_spend")
@pytest.mark.parametrize("parent", [None, 0, 9, 10, 37, 500])
def test_children_spend_equals_a_shuffled_simulation(parent: int | None) -> None:
    chance = random.Random(6)
    for children in (1, 3, 8):
        for cap, cost in ((20, 3), (9, 9), (2, 3)):
            spent = dict.fromkeys(range(children), 0)
            for _ in range(2000):
                child = chance.randrange(children)
                fits_parent = parent is None or sum(spent.values()) + cost <= parent
                if spent[child] + cost <= cap and fits_parent:
                    spent[child] += cost
            got = spend_limits.children_spend(
                children, cap / 10, cost / 10, None if parent is None else parent / 10
            )
            assert got == pytest.approx(sum(spent.values()) / 10)


@witnesses("spend_limits.concurrent_overshoot")
@pytest.mark.parametrize(
    ("cap", "cost", "workers"), [(100, 3, 4), (12, 3, 4), (10, 1, 1), (5, 7, 3), (0, 2, 2)]
)
def test_overshoot_equals_workers_that_look_together(cap: int, cost: int, workers: int) -> None:
    booked = 0
    while booked < cap:
        booked += sum(cost for _ in range(workers))
    got = spend_limits.concurrent_overshoot(cap / 10, cost / 10, workers)
    assert got == pytest.approx((booked - cap) / 10)
    assert got < workers * cost / 10


@witnesses("spend_limits.tree_agents")
@pytest.mark.parametrize(("fan_out", "depth"), [(50, 1), (50, 2), (3, 4), (1, 5), (0, 3), (7, 0)])
def test_tree_agents_equals_a_walk_level_by_level(fan_out: int, depth: int) -> None:
    level, agents = ["root"], 1
    for _ in range(depth):
        level = [f"{name}.{number}" for name in level for number in range(fan_out)]
        agents += len(level)
    assert spend_limits.tree_agents(fan_out, depth) == agents


@pytest.mark.parametrize(
    "call",
    [
        lambda: spend_limits.turns(1, 0, 0),
        lambda: spend_limits.turns(-1, 1, 0),
        lambda: spend_limits.turns(1, 1, -1),
        lambda: spend_limits.forecast(1, 0.1, 0, at=0),
        lambda: spend_limits.forecast(1, 0.1, 0, at=1.01),
        lambda: spend_limits.forecast(1, 2, 0),
        lambda: spend_limits.guarded(-1, []),
        lambda: spend_limits.guarded(1, [-1]),
        lambda: spend_limits.guarded(1, [0.5], worst=0.4),
        lambda: spend_limits.guarded(1, [0.5], worst=0),
        lambda: spend_limits.guarded(1, [0.5], worst=-1),
        lambda: spend_limits.guarded(1, [0], worst=False),
        lambda: spend_limits.admitted(1, 0, 1),
        lambda: spend_limits.admitted(1, 1, -1),
        lambda: spend_limits.admitted(-1, 1, 1),
        lambda: spend_limits.admitted(1, 1, 1, "zero"),
        lambda: spend_limits.children_spend(0, 1, 1),
        lambda: spend_limits.children_spend(1, -1, 1),
        lambda: spend_limits.children_spend(1, 1, 0),
        lambda: spend_limits.children_spend(1, 1, 1, -1),
        lambda: spend_limits.concurrent_overshoot(1, 1, 0),
        lambda: spend_limits.concurrent_overshoot(1, 0, 1),
        lambda: spend_limits.concurrent_overshoot(-1, 1, 1),
        lambda: spend_limits.tree_agents(-1, 1),
        lambda: spend_limits.tree_agents(1, -1),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
