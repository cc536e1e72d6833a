"""Independent ways to the numbers of verifiers/token_cost.py."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import token_cost


def bill(tokens_in: int, tokens_out: int, price_in: float, price_out: float) -> float:
    """Add up the price of every single token."""
    return sum(price_in / 1e6 for _ in range(tokens_in)) + sum(price_out / 1e6 for _ in range(tokens_out))


@witnesses("token_cost.call", "token_cost.monthly", "token_cost.traffic")
@pytest.mark.parametrize(
    ("reads", "writes", "prices"), [(700, 30, (3, 15)), (0, 11, (2.5, 10)), (5, 0, (7, 0))]
)
def test_calls_cost_what_their_tokens_cost_one_by_one(
    reads: int, writes: int, prices: tuple[float, float]
) -> None:
    one = bill(reads, writes, *prices)
    assert token_cost.call(reads, writes, *prices) == pytest.approx(one)
    assert token_cost.call(reads, writes, *prices, calls=7) == pytest.approx(sum(one for _ in range(7)))
    assert token_cost.call(reads, writes, *prices, calls=0) == 0
    assert token_cost.call(10**6, 10**6, *prices) == sum(prices)
    month = sum(one for _day in range(30) for _request in range(4))
    assert token_cost.monthly(4, reads, writes, *prices) == pytest.approx(month)
    assert token_cost.monthly(4, reads, writes, *prices, days=3) == pytest.approx(month / 10)
    hour = sum(one for _second in range(60) for _request in range(5))
    assert token_cost.traffic(5, 60, reads, writes, *prices) == pytest.approx(hour)
    assert (
        token_cost.traffic(0, 60, reads, writes, *prices)
        == 0
        == token_cost.traffic(5, 0, reads, writes, *prices)
    )


@witnesses("token_cost.blended_price")
@pytest.mark.parametrize("written", [0, 3, 10])
def test_blended_price_is_the_bill_over_the_tokens(written: int) -> None:
    expected = bill(10 - written, written, 2, 7) / 10 * 1e6
    assert token_cost.blended_price(2, 7, written / 10) == pytest.approx(expected)


@witnesses("token_cost.cost_per_success")
def test_cost_per_success_equals_simulated_tries() -> None:
    chance = random.Random(1)
    solved = tries = 0
    while solved < 20_000:
        tries += 1
        solved += chance.random() < 0.4
    assert token_cost.cost_per_success(3, 0.4) == pytest.approx(3 * tries / solved, rel=0.02)
    assert token_cost.cost_per_success(3, 1) == 3


def conversation(turns: int, added: int, base: int) -> list[int]:
    """Lengths of the prompts of a loop, from lists of real tokens."""
    history = ["base"] * base
    lengths = []
    for _ in range(turns):
        history += ["new"] * added
        lengths.append(len(history))
    return lengths


@witnesses("token_cost.loop_tokens")
@pytest.mark.parametrize(("turns", "added", "base"), [(1, 5, 0), (4, 3, 7), (10, 300, 1), (3, 0, 2)])
def test_loop_tokens_equal_those_of_a_growing_list(turns: int, added: int, base: int) -> None:
    lengths = conversation(turns, added, base)
    assert token_cost.loop_tokens(turns, added, base) == sum(lengths)
    assert isinstance(token_cost.loop_tokens(turns, added, base), int)
    assert token_cost.loop_tokens(turns, added) == sum(conversation(turns, added, 0))
    if added:
        for window in {base or 1, base + added, base + 2 * added + 1, 10**6}:
            assert token_cost.loop_tokens(turns, added, base, window) == sum(min(n, window) for n in lengths)


@witnesses("token_cost.loop_ratio")
@pytest.mark.parametrize(("turns", "added"), [(1, 9), (3, 5), (8, 20)])
def test_loop_ratio_equals_prompts_over_the_first_one(turns: int, added: int) -> None:
    prompts = [10 + added * turn for turn in range(turns)]
    assert token_cost.loop_ratio(turns, added / 10) == pytest.approx(sum(prompts) / prompts[0])
    assert token_cost.loop_ratio(turns, 0) == turns


@witnesses("token_cost.loop_cost")
@pytest.mark.parametrize("turns", [1, 2, 5])
@pytest.mark.parametrize(("write", "read"), [(1.0, 1.0), (1.25, 0.1), (2.0, 0.5)])
def test_loop_cost_equals_tokens_that_remember_whether_they_were_sent(
    turns: int, write: float, read: float
) -> None:
    base, added, output, price_in, price_out = 40, 7, 3, 5.0, 11.0
    known: set[tuple[int, int]] = set()
    prompt = [(0, number) for number in range(base)]
    dollars = 0.0
    for turn in range(1, turns + 1):
        dollars += sum((read if token in known else write) * price_in for token in prompt) / 1e6
        dollars += output * price_out / 1e6
        known.update(prompt)
        prompt = prompt + [(turn, number) for number in range(added)]
    got = token_cost.loop_cost(turns, base, added, output, price_in, price_out, write, read)
    assert got == pytest.approx(dollars)
    if write == read == 1:
        assert token_cost.loop_cost(turns, base, added, output, price_in, price_out) == got


@witnesses("token_cost.routing_saving", "token_cost.batch_saving")
@pytest.mark.parametrize(("share", "ratio"), [(0, 5), (0.25, 4), (0.75, 10), (1, 2)])
def test_savings_equal_bills_of_a_hundred_requests(share: float, ratio: float) -> None:
    cheap = round(100 * share)
    paid = [1 / ratio] * cheap + [1.0] * (100 - cheap)
    assert token_cost.routing_saving(share, ratio) == pytest.approx(1 - sum(paid) / 100)
    batched = [0.6] * cheap + [1.0] * (100 - cheap)
    assert token_cost.batch_saving(share, 0.4) == pytest.approx(1 - sum(batched) / 100)


@witnesses("token_cost.cascade_cost")
def test_cascade_cost_is_the_mean_over_all_outcomes() -> None:
    costs, passes = (1.0, 4.0, 30.0), (0.6, 0.5, 0.9)
    mean = 0.0
    for outcome in product((True, False), repeat=3):
        weight = 1.0
        for passed, p in zip(outcome, passes, strict=True):
            weight *= p if passed else 1 - p
        tried = outcome.index(True) + 1 if True in outcome else 3
        mean += weight * sum(costs[:tried])
    assert token_cost.cascade_cost(costs, passes) == pytest.approx(mean)
    assert token_cost.cascade_cost([], []) == 0
    assert token_cost.cascade_cost([2, 3], [1, 0]) == 2
    assert token_cost.cascade_cost([2, 3], [0, 0]) == 5


@witnesses("token_cost.cascade_break_even")
@pytest.mark.parametrize(("cheap", "dear"), [(1, 10), (3, 4), (0, 2)])
def test_cascade_breaks_even_where_both_ways_cost_the_same(cheap: float, dear: float) -> None:
    p = token_cost.cascade_break_even(cheap, dear)
    assert token_cost.cascade_cost([cheap, dear], [p, 1]) == pytest.approx(dear)
    assert token_cost.cascade_cost([cheap, dear], [p + 0.01, 1]) < dear


@witnesses("token_cost.cascade_order_is_best")
def test_swapping_neighbours_never_helps_the_order_by_cost_over_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(5)
    for _ in range(50):
        stages = sorted(
            ((chance.random(), 0.1 + 0.8 * chance.random()) for _ in range(4)), key=lambda s: s[0] / s[1]
        )
        mean = token_cost.cascade_cost(*zip(*stages, strict=True))
        for at in range(3):
            other = [*stages[:at], stages[at + 1], stages[at], *stages[at + 2 :]]
            assert token_cost.cascade_cost(*zip(*other, strict=True)) >= mean - 1e-12
    assert token_cost.cascade_order_is_best() == {"stages": 5, "seeds": 6, "tolerance": 1e-12}
    token_cost.cascade_order_is_best(tolerance=0.0)
    monkeypatch.setattr(
        token_cost, "cost_per_pass", lambda costs, passes: sorted(range(len(costs)), key=lambda i: costs[i])
    )
    with pytest.raises(AssertionError, match="cheaper"):
        token_cost.cascade_order_is_best()


@witnesses("token_cost.break_even_calls")
@pytest.mark.parametrize(("fixed", "before", "after"), [(100, 3, 1), (7, 0.5, 0.25), (0, 1, 0)])
def test_break_even_calls_make_both_ways_cost_the_same(fixed: float, before: float, after: float) -> None:
    calls = token_cost.break_even_calls(fixed, before, after)
    assert fixed + calls * after == pytest.approx(calls * before)


@pytest.mark.parametrize(
    "call",
    [
        lambda: token_cost.call(-1, 0, 1, 1),
        lambda: token_cost.call(0, -1, 1, 1),
        lambda: token_cost.call(0, 0, -1, 1),
        lambda: token_cost.call(0, 0, 1, -1),
        lambda: token_cost.call(0, 0, 1, 1, calls=-1),
        lambda: token_cost.monthly(-1, 0, 0, 1, 1),
        lambda: token_cost.monthly(-1, 0, 0, 1, 1, days=-1),
        lambda: token_cost.traffic(-1, -1, 0, 0, 1, 1),
        lambda: token_cost.blended_price(-1, 1, 0.5),
        lambda: token_cost.blended_price(1, -1, 0.5),
        lambda: token_cost.blended_price(1, 1, 1.1),
        lambda: token_cost.cost_per_success(-1, 0.5),
        lambda: token_cost.cost_per_success(1, 0),
        lambda: token_cost.cost_per_success(1, 1.1),
        lambda: token_cost.loop_tokens(0, 1),
        lambda: token_cost.loop_tokens(1, -1),
        lambda: token_cost.loop_tokens(1, 1, -1),
        lambda: token_cost.loop_tokens(1, 1, 5, window=4),
        lambda: token_cost.loop_tokens(1, 1, 0, window=0),
        lambda: token_cost.loop_ratio(0, 1),
        lambda: token_cost.loop_ratio(1, -0.1),
        lambda: token_cost.loop_cost(0, 1, 1, 1, 1, 1),
        lambda: token_cost.loop_cost(1, -1, 1, 1, 1, 1),
        lambda: token_cost.loop_cost(1, 1, -1, 1, 1, 1),
        lambda: token_cost.loop_cost(1, 1, 1, -1, 1, 1),
        lambda: token_cost.loop_cost(1, 1, 1, 1, -1, 1),
        lambda: token_cost.loop_cost(1, 1, 1, 1, 1, 1, write=-1),
        lambda: token_cost.routing_saving(1.1, 2),
        lambda: token_cost.routing_saving(0.5, 0),
        lambda: token_cost.batch_saving(1.1, 0.5),
        lambda: token_cost.batch_saving(0.5, 1.1),
        lambda: token_cost.cascade_cost([1], [0.5, 0.5]),
        lambda: token_cost.cascade_cost([-1], [0.5]),
        lambda: token_cost.cascade_cost([1], [1.5]),
        lambda: token_cost.cascade_break_even(-1, 1),
        lambda: token_cost.cascade_break_even(1, 0),
        lambda: token_cost.break_even_calls(-1, 2, 1),
        lambda: token_cost.break_even_calls(1, 2, -1),
        lambda: token_cost.break_even_calls(1, 2, 2),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: token_cost.loop_tokens(1, 0, 0),
        lambda: token_cost.loop_cost(1, 0, 0, 0, 0, 0, 0, 0),
        lambda: token_cost.loop_ratio(1, 0) - 1,
        lambda: token_cost.monthly(0, 1, 1, 1, 1),
        lambda: token_cost.monthly(1, 1, 1, 1, 1, days=0),
        lambda: token_cost.blended_price(0, 0, 1),
        lambda: token_cost.cost_per_success(0, 1),
    ],
)
def test_least_arguments_are_allowed(call: Any) -> None:
    assert call() == 0
