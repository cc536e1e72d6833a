"""Independent ways to the numbers of verifiers/prompt_cache.py."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import prompt_cache


def agreeing(old: Sequence[str], new: Sequence[str]) -> int:
    """Longest length at which both begin alike."""
    return max(length for length in range(len(old) + 1) if old[:length] == new[:length])


def factors(uses: int, misses: int, write: float, read: float) -> list[float]:
    """What each use of a prefix is charged, the misses first."""
    return [write if number < misses else read for number in range(uses)]


@witnesses("prompt_cache.cost", "prompt_cache.saving")
@pytest.mark.parametrize(("uses", "misses"), [(1, 1), (1, 0), (5, 2), (50, 50), (9, 0)])
@pytest.mark.parametrize(("write", "read"), [(1.25, 0.1), (1.0, 0.5), (2.0, 0.0), (0.0, 0.25)])
def test_cost_and_saving_equal_a_list_of_charges(uses: int, misses: int, write: float, read: float) -> None:
    charged = factors(uses, misses, write, read)
    dollars = sum(300 * factor * 4 / 1e6 + 20 * 4 / 1e6 for factor in charged)
    assert prompt_cache.cost(300, uses, 4, write, read, misses, fresh=20) == pytest.approx(dollars)
    dollars = sum(300 * factor * 4 / 1e6 for factor in charged)
    assert prompt_cache.cost(300, uses, 4, write, read, misses) == pytest.approx(dollars)
    plain = 300 * 4 / 1e6 * uses
    assert prompt_cache.saving(uses, write, read, misses) == pytest.approx(1 - dollars / plain)
    in_all = (dollars + plain) / (2 * plain)  # half of the prompt is never cached
    assert prompt_cache.saving(uses, write, read, misses, prefix_share=0.5) == pytest.approx(1 - in_all)


def test_one_miss_is_the_default() -> None:
    assert prompt_cache.cost(10**6, 3, 1, 2, 0.5) == 3
    assert prompt_cache.saving(4, 2, 0.5) == pytest.approx(1 - 3.5 / 4)


@witnesses("prompt_cache.break_even_reads", "prompt_cache.break_even_uses")
@pytest.mark.parametrize("write", [0.5, 1.0, 1.25, 1.9, 2.0, 3.7])
@pytest.mark.parametrize("read", [0.0, 0.1, 0.25, 0.5, 0.9])
def test_break_even_is_where_running_totals_cross(write: float, read: float) -> None:
    reads = prompt_cache.break_even_reads(write, read)
    assert write + reads * read == pytest.approx(1 + reads)
    cached, plain, uses = round(write * 100), 100, 1  # in hundredths, so that a tie is one
    while cached >= plain:
        cached, plain, uses = cached + round(read * 100), plain + 100, uses + 1
    assert prompt_cache.break_even_uses(write, read) == uses


@witnesses("prompt_cache.hit_rate")
def test_hit_rate_equals_a_cache_that_forgets() -> None:
    chance = random.Random(3)
    for _ in range(20):
        gaps = [chance.randrange(0, 10) for _ in range(chance.randrange(1, 12))]
        times, now = [0], 0
        for gap in gaps:
            now += gap
            times.append(now)
        expires, hits = -1, 0
        for time in times:
            hits += time <= expires
            expires = time + 5
        assert prompt_cache.hit_rate(gaps, 5) == pytest.approx(hits / len(times))
    assert prompt_cache.hit_rate([], 1) == 0


@witnesses("prompt_cache.poisson_hit_rate")
@pytest.mark.parametrize(("rate", "lifetime"), [(0.01, 300), (2, 0.1), (0.001, 60)])
def test_poisson_hit_rate_equals_a_simulation(rate: float, lifetime: float) -> None:
    chance = random.Random(7)
    gaps = [chance.expovariate(rate) for _ in range(40_000)]
    got = prompt_cache.poisson_hit_rate(rate, lifetime)
    assert got == pytest.approx(prompt_cache.hit_rate(gaps, lifetime), abs=0.01)
    assert got == pytest.approx(1 - math.exp(-rate * lifetime))


@witnesses("prompt_cache.shared_prefix")
def test_shared_prefix_equals_the_common_prefix_of_texts() -> None:
    chance = random.Random(9)
    for _ in range(200):
        old, new = ("".join(chance.choices("ab", k=chance.randrange(6))) for _ in range(2))
        assert prompt_cache.shared_prefix(old, new) == agreeing(old, new)
    assert prompt_cache.shared_prefix(["Bash", "Edit"], ["Bash", "Fetch"]) == 1


@witnesses("prompt_cache.shuffled_prefix")
@pytest.mark.parametrize("items", [1, 2, 3, 6])
def test_shuffled_prefix_is_the_mean_over_all_orders(items: int) -> None:
    orders = list(permutations(range(items)))
    shared = [next((i for i, item in enumerate(order) if item != i), items) for order in orders]
    assert prompt_cache.shuffled_prefix(items) == pytest.approx(sum(shared) / len(orders))


@witnesses("prompt_cache.cached_tokens")
@pytest.mark.parametrize(("minimum", "step"), [(10, 4), (0, 3), (7, 1)])
def test_cached_tokens_equal_the_largest_allowed_length(minimum: int, step: int) -> None:
    allowed = range(minimum, 200, step)
    for shared in range(60):
        longest = max((length for length in allowed if length <= shared), default=0)
        assert prompt_cache.cached_tokens(shared, minimum, step) == longest


@witnesses("prompt_cache.layout")
@pytest.mark.parametrize("order", list(permutations(prompt_cache.PARTS)))
@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("sizes", [(6, 5, 3, 4), (1, 2, 0, 5), (3, 0, 2, 0), (4, 1, 1, 2)])
def test_layout_equals_single_letters_compared(
    order: tuple[str, ...], changes: bool, sizes: tuple[int, ...]
) -> None:
    calls, static, dynamic, added = sizes
    before: list[str] = []
    tokens = hits = same = 0
    for call in range(calls):
        letters = {
            "static": [f"s{i}" for i in range(static)],
            "dynamic": [f"d{i}{call if changes else ''}" for i in range(dynamic)],
            "history": [f"h{turn}.{i}" for turn in range(call) for i in range(added)],
        }
        prompt = letters[order[0]] + letters[order[1]] + letters[order[2]]
        hits += agreeing(before, prompt)
        tokens += len(prompt)
        same += call > 0 and before == prompt
        before = prompt
    found = prompt_cache.layout(calls, static, dynamic, added, order, changes, write=1.25, read=0.2)
    assert (found["tokens"], found["read"], found["same_prompts"]) == (tokens, hits, same)
    assert found["hit_share"] == pytest.approx(hits / tokens)
    assert found["cost_share"] == pytest.approx((0.2 * hits + 1.25 * (tokens - hits)) / tokens)


def test_layout_defaults() -> None:
    usual = prompt_cache.layout(6, 5, 3, 4)
    assert usual == prompt_cache.layout(6, 5, 3, 4, ["static", "dynamic", "history"], True, 1, 0.1)
    assert usual != prompt_cache.layout(6, 5, 3, 4, changes=False)


@pytest.mark.parametrize(
    "call",
    [
        lambda: prompt_cache.cost(-1, 1, 1, 1, 1),
        lambda: prompt_cache.cost(1, 1, 1, 1, 1, fresh=-1),
        lambda: prompt_cache.cost(1, 1, -1, 1, 1),
        lambda: prompt_cache.cost(1, 0, 1, 1, 1, misses=0),
        lambda: prompt_cache.cost(1, 2, 1, 1, 1, misses=-1),
        lambda: prompt_cache.cost(1, 2, 1, 1, 1, misses=3),
        lambda: prompt_cache.cost(1, 2, 1, -1, 1),
        lambda: prompt_cache.cost(1, 2, 1, 1, -1),
        lambda: prompt_cache.saving(2, 1, 1, prefix_share=1.1),
        lambda: prompt_cache.break_even_reads(-1, 0.1),
        lambda: prompt_cache.break_even_reads(1, -0.1),
        lambda: prompt_cache.break_even_reads(1.25, 1),
        lambda: prompt_cache.break_even_uses(1.25, 1),
        lambda: prompt_cache.hit_rate([1], 0),
        lambda: prompt_cache.hit_rate([-1], 1),
        lambda: prompt_cache.poisson_hit_rate(0, 1),
        lambda: prompt_cache.poisson_hit_rate(1, 0),
        lambda: prompt_cache.shuffled_prefix(0),
        lambda: prompt_cache.cached_tokens(-1, 0, 1),
        lambda: prompt_cache.cached_tokens(1, -1, 1),
        lambda: prompt_cache.cached_tokens(1, 0, 0),
        lambda: prompt_cache.layout(0, 1, 1, 1),
        lambda: prompt_cache.layout(1, -1, 1, 1),
        lambda: prompt_cache.layout(1, 1, -1, 1),
        lambda: prompt_cache.layout(1, 1, 1, -1),
        lambda: prompt_cache.layout(1, 0, 0, 1),
        lambda: prompt_cache.layout(1, 1, 1, 1, write=-1),
        lambda: prompt_cache.layout(1, 1, 1, 1, read=-1),
        lambda: prompt_cache.layout(1, 1, 1, 1, order=["static", "history"]),
        lambda: prompt_cache.layout(1, 1, 1, 1, order=["static", "history", "history"]),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


def test_a_conversation_has_whole_calls() -> None:
    for calls in (0, -1, 1.5):
        with pytest.raises(ValueError, match="calls must be"):
            prompt_cache.layout(calls, 1, 1, 1)  # type: ignore[arg-type]


def test_least_arguments_are_allowed() -> None:
    assert prompt_cache.cost(0, 1, 0, 0, 0, 0, 0) == 0
    assert prompt_cache.layout(1, 1, 0, 0, write=0, read=0)["cost_share"] == 0
    assert prompt_cache.saving(1, 0, 0, 1, 0) == 0
