"""Independent ways to the numbers of verifiers/context_budget.py."""

from __future__ import annotations

import functools
import operator
import random
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import context_budget


@witnesses("context_budget.left", "context_budget.held", "context_budget.trigger_share")
def test_budgets_equal_lists_of_tokens() -> None:
    window = ["free"] * 100
    for part in (40, 25, 0):
        del window[:part]
    assert context_budget.left(100, 40, 25, 0) == len(window)
    assert context_budget.left(100) == 100
    assert context_budget.left(10, 7, 7) == -4
    history = ["base"] * 6
    for _ in range(5):
        history += ["turn"] * 9
    assert context_budget.held(5, 9, 6) == len(history)
    assert context_budget.held(5, 9) == len(history) - 6
    used = [tokens for tokens in range(1, 41) if 40 - tokens >= 15]
    assert context_budget.trigger_share(40, 15) == pytest.approx(max(used) / 40)
    assert context_budget.trigger_share(40, 0) == 1
    assert context_budget.trigger_share(40, 40) == 0


@witnesses("context_budget.calls_that_fit")
@pytest.mark.parametrize(
    ("window", "per_call", "base", "reserve"),
    [(100, 9, 10, 5), (100, 10, 0, 0), (50, 60, 0, 0), (30, 7, 20, 10)],
)
def test_calls_that_fit_equal_calls_added_one_by_one(
    window: int, per_call: int, base: int, reserve: int
) -> None:
    used, calls = base, 0
    while used + per_call <= window - reserve:
        used, calls = used + per_call, calls + 1
    assert context_budget.calls_that_fit(window, per_call, base, reserve) == calls
    if not base + reserve:
        assert context_budget.calls_that_fit(window, per_call) == calls


@witnesses("context_budget.compaction")
@pytest.mark.parametrize("base", [0, 13])
@pytest.mark.parametrize("reserve", [0, 17])
@pytest.mark.parametrize(("per_call", "freed"), [(9, 0.6), (30, 0.25), (7, 1.0), (45, 0.5), (70, 0.5)])
def test_compaction_equals_lists_of_old_and_new_tokens(
    base: int, reserve: int, per_call: int, freed: float
) -> None:
    window, calls = 100, 25
    history: list[int] = []
    cycles, before_first, most = 0, 0, 0
    for call in range(calls):
        while len(history) + base + reserve + per_call > window:
            if cycles == 0:
                before_first = call
            cycles += 1
            kept = int(len(history) * (1 - freed))
            history = history[len(history) - kept :]
        history.extend([call] * per_call)
        most = max(most, base + len(history))
    found = context_budget.compaction(window, per_call, calls, freed, base, reserve)
    assert found == {"cycles": cycles, "first_after": before_first, "held": base + len(history), "most": most}
    assert most <= window - reserve
    if base == reserve == 0:
        assert context_budget.compaction(window, per_call, calls, freed) == found


def test_shares_are_of_the_decimal_as_written() -> None:
    """In binary 100 · 0.29 falls short of 29, 100 · (1 − 0.9) of 10, and 100 · 1.15 of 115."""
    assert context_budget.truncated(200, 100, head=0.29) == {"front": 29, "end": 71, "dropped": 100}
    assert context_budget.compaction(100, 50, 3, freed=0.9)["held"] == 60
    assert context_budget.output_escalation(110, 100, 1, factor=1.15)["limit"] == 115


def test_compaction_without_need() -> None:
    assert context_budget.compaction(10, 5, 2, 0.5) == {"cycles": 0, "first_after": 0, "held": 10, "most": 10}
    assert context_budget.compaction(10, 10, 1, 0.5)["cycles"] == 0


@witnesses("context_budget.summary_limit")
@pytest.mark.parametrize(("chunk", "ratio"), [(1000, 0.2), (500, 0.5), (10, 0.9), (70, 0.0)])
def test_summary_limit_is_reached_by_rewriting(chunk: int, ratio: float) -> None:
    length = 0.0
    for _ in range(500):
        length = (length + chunk) * ratio
    assert context_budget.summary_limit(chunk, ratio) == pytest.approx(length)


@witnesses("context_budget.fact_survives")
def test_facts_survive_as_often_as_in_a_simulation() -> None:
    chance = random.Random(2)
    alive = sum(all(chance.random() < 0.8 for _ in range(4)) for _ in range(20_000))
    assert context_budget.fact_survives(0.8, 4) == pytest.approx(alive / 20_000, abs=0.01)
    assert context_budget.fact_survives(0.3, 0) == 1


@witnesses("context_budget.delegated")
def test_delegated_equals_concatenated_texts() -> None:
    inside, summaries = [["token"] * 50 for _ in range(4)], [["token"] * 8 for _ in range(4)]
    found = context_budget.delegated(4, 50, 8)
    assert found["inline"] == len(functools.reduce(operator.iadd, inside, []))
    assert found["delegated"] == len(functools.reduce(operator.iadd, summaries, []))
    assert found["ratio"] == len(functools.reduce(operator.iadd, inside, [])) / len(
        functools.reduce(operator.iadd, summaries, [])
    )
    assert context_budget.delegated(1, 0, 1)["ratio"] == 0 == context_budget.summary_limit(0, 0.5)


@witnesses("context_budget.truncated", "context_budget.truncation_keeps_both_ends")
@pytest.mark.parametrize("head", [0.0, 0.25, 0.5, 1.0])
def test_truncation_equals_counting_places_from_both_ends(head: float) -> None:
    for tokens in range(9):
        for limit in range(11):
            found = context_budget.truncated(tokens, limit, head)
            if tokens <= limit:
                assert found == {"front": tokens, "end": 0, "dropped": 0}
                continue
            front = max(n for n in range(limit + 1) if n <= limit * head)
            assert found == {"front": front, "end": limit - front, "dropped": tokens - limit}
            if head == 0.5:
                assert context_budget.truncated(tokens, limit) == found


def test_check_notices_a_broken_truncation(monkeypatch: pytest.MonkeyPatch) -> None:
    found = context_budget.truncation_keeps_both_ends()
    assert found == {"tokens": "0 to 12", "heads": "0.0, 0.3, 0.5, 1.0"}
    broken = [
        (lambda tokens, limit, head: tokens[: int(limit * head)], "kept"),
        (lambda tokens, limit, head: tokens[::-1][:limit], "out of order"),
        (lambda tokens, limit, head: tokens[:: max(1, len(tokens) // max(1, limit))][:limit], "gap|kept"),
        (lambda tokens, limit, head: [0] * min(limit, len(tokens)), "out of order"),
    ]  # fmt: skip
    for function, message in broken:
        monkeypatch.setattr(context_budget, "middle_cut", function)
        with pytest.raises(AssertionError, match=message):
            context_budget.truncation_keeps_both_ends()


def test_check_allows_one_gap_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_gaps(tokens: list[int], limit: int, head: float) -> list[int]:
        tried.add((len(tokens), limit, head))
        return [0, 2] if broken and len(tokens) == 4 and limit == 2 else middle(tokens, limit, head)

    tried: set[tuple[int, int, float]] = set()
    broken = False
    middle = context_budget.middle_cut
    monkeypatch.setattr(context_budget, "middle_cut", two_gaps)
    context_budget.truncation_keeps_both_ends(3, (0.5, 1.0))
    assert tried == {
        (tokens, limit, head) for tokens in range(4) for limit in range(4) for head in (0.5, 1.0)
    }
    broken = True
    with pytest.raises(AssertionError, match="more than one gap"):
        context_budget.truncation_keeps_both_ends()


@witnesses("context_budget.output_escalation")
@pytest.mark.parametrize("factor", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("needed", [5, 10, 11, 20, 21, 80, 81, 500])
def test_escalation_equals_a_list_of_limits(needed: int, factor: float) -> None:
    limits = [10]
    while limits[-1] < needed and len(limits) < 4:
        limits.append(int(10 * factor ** len(limits)))
    found = context_budget.output_escalation(needed, 10, 3, factor)
    assert found == {"calls": len(limits), "limit": limits[-1], "complete": limits[-1] >= needed}
    if factor == 2:
        assert context_budget.output_escalation(needed, 10, 3) == found
    assert context_budget.output_escalation(11, 10, 0)["calls"] == 1


@witnesses("context_budget.recoveries")
@pytest.mark.parametrize(
    ("overflows", "allowed", "reset_after", "survived", "gave_up"),
    [
        ((20, 80), 1, None, 1, 80),
        ((20, 80), 1, 1, 2, 0),
        ((20, 80), 1, 59, 2, 0),
        ((20, 80), 1, 60, 1, 80),
        ((20, 21, 22), 2, 1, 2, 22),
        ((20, 21, 23, 24, 25), 2, 1, 4, 25),
        ((3,), 0, None, 0, 3),
        ((), 1, None, 0, 0),
        ((1, 2), 2, None, 2, 0),
    ],
)
def test_recoveries_of_cases_worked_by_hand(
    overflows: tuple[int, ...], allowed: int, reset_after: int | None, survived: int, gave_up: int
) -> None:
    found = context_budget.recoveries(overflows, allowed, reset_after)
    assert found == {"survived": survived, "gave_up": gave_up}
    if allowed == 1 and reset_after is None:
        assert context_budget.recoveries(overflows) == found


def test_recoveries_equal_a_walk_over_every_turn() -> None:
    chance = random.Random(8)
    for _ in range(100):
        allowed, reset = chance.randint(0, 3), chance.randint(1, 3)
        overflows = tuple(sorted(chance.sample(range(1, 25), chance.randint(1, 10))))
        left, calm, survived, gave_up = allowed, 0, 0, 0
        for turn in range(1, 25):
            if turn not in overflows:
                calm += 1
                left = allowed if calm >= reset else left
                continue
            if left == 0:
                gave_up = turn
                break
            left, calm, survived = left - 1, 0, survived + 1
        found = context_budget.recoveries(overflows, allowed, reset)
        assert found == {"survived": survived, "gave_up": gave_up}


@pytest.mark.parametrize(
    "call",
    [
        lambda: context_budget.left(0),
        lambda: context_budget.left(1, -1),
        lambda: context_budget.trigger_share(10, 11),
        lambda: context_budget.trigger_share(10, -1),
        lambda: context_budget.trigger_share(0, 0),
        lambda: context_budget.calls_that_fit(10, 0),
        lambda: context_budget.calls_that_fit(10, 1, -1),
        lambda: context_budget.calls_that_fit(10, 1, 0, -1),
        lambda: context_budget.calls_that_fit(10, 1, 6, 5),
        lambda: context_budget.held(-1, 1),
        lambda: context_budget.held(1, -1),
        lambda: context_budget.held(1, 1, -1),
        lambda: context_budget.compaction(10, 0, 1, 0.5),
        lambda: context_budget.compaction(10, 1, 0, 0.5),
        lambda: context_budget.compaction(10, 1, 1, 0),
        lambda: context_budget.compaction(10, 1, 1, 1.1),
        lambda: context_budget.compaction(10, 1, 1, 0.5, -1),
        lambda: context_budget.compaction(10, 1, 1, 0.5, 0, -1),
        lambda: context_budget.compaction(10, 5, 1, 0.5, 3, 3),
        lambda: context_budget.summary_limit(-1, 0.5),
        lambda: context_budget.summary_limit(1, 1),
        lambda: context_budget.summary_limit(1, -0.1),
        lambda: context_budget.fact_survives(1.1, 1),
        lambda: context_budget.fact_survives(0.5, -1),
        lambda: context_budget.delegated(0, 1, 1),
        lambda: context_budget.delegated(1, -1, 1),
        lambda: context_budget.delegated(1, 1, 0),
        lambda: context_budget.truncated(-1, 1),
        lambda: context_budget.truncated(1, -1),
        lambda: context_budget.truncated(1, 1, 1.1),
        lambda: context_budget.output_escalation(0, 1, 1),
        lambda: context_budget.output_escalation(1, 0, 1),
        lambda: context_budget.output_escalation(1, 1, -1),
        lambda: context_budget.output_escalation(1, 1, 1, 0.9),
        lambda: context_budget.recoveries((1,), -1),
        lambda: context_budget.recoveries((0,)),
        lambda: context_budget.recoveries((1,), 1, 0),
        lambda: context_budget.recoveries((-1,), 2),
        lambda: context_budget.recoveries((2, 2), 2),
        lambda: context_budget.recoveries((3, 2), 2),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
