"""Independent ways to the numbers of verifiers/eviction.py."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import eviction

TRACE = [random.Random(5).randint(0, 9) for _ in range(300)]


def by_rule(keys: list[int], capacity: int, policy: str) -> int:
    """Rank all held keys by when they came, were last used or how often, and drop the first."""
    held: set[int] = set()
    came: dict[int, int] = {}
    found = 0
    for now, key in enumerate(keys):
        found += key in held
        if key not in held:
            if len(held) == capacity:
                past = keys[:now]
                rule = {
                    "fifo": lambda k: came[k],
                    "lru": lambda k, past=past: max(i for i, other in enumerate(past) if other == k),
                    "lfu": lambda k, past=past: (past.count(k), came[k]),
                }[policy]
                held.remove(min(held, key=rule))
            held.add(key)
            came[key] = now
    return found


@witnesses("eviction.trace_hit_rate")
@pytest.mark.parametrize("policy", eviction.POLICIES)
@pytest.mark.parametrize("capacity", [1, 3, 9, 10])
def test_hits_equal_those_of_a_cache_that_ranks_all_entries(policy: str, capacity: int) -> None:
    found = eviction.trace_hit_rate(TRACE, capacity, policy)
    assert found == by_rule(TRACE, capacity, policy) / len(TRACE)
    if policy == "lru":
        call = lru_cache(maxsize=capacity)(lambda key: key)
        for key in TRACE:
            call(key)
        assert found == call.cache_info().hits / len(TRACE)
        assert eviction.trace_hit_rate(TRACE, capacity) == found


@witnesses("eviction.ideal_hit_rate")
def test_the_most_popular_items_draw_the_share_that_sampling_shows() -> None:
    numpy_zipf = np.arange(1, 51) ** -1.3
    rng = np.random.default_rng(0)
    drawn = rng.choice(50, size=100_000, p=numpy_zipf / numpy_zipf.sum())
    assert eviction.ideal_hit_rate(50, 7, 1.3) == pytest.approx((drawn < 7).mean(), abs=0.005)
    assert eviction.ideal_hit_rate(4, 2) == pytest.approx(1.5 / (1 + 1 / 2 + 1 / 3 + 1 / 4))
    assert eviction.ideal_hit_rate(4, 2, 0) == 0.5
    assert eviction.ideal_hit_rate(1, 1) == 1


@witnesses("eviction.zipf_hit_rate")
@pytest.mark.parametrize("policy", eviction.POLICIES)
def test_simulated_hits_equal_a_replay_of_the_same_requests(policy: str) -> None:
    popularity = np.cumsum(np.arange(1, 21) ** -0.8)
    source = random.Random(3)
    keys = [int(np.searchsorted(popularity / popularity[-1], source.random(), "right")) for _ in range(400)]
    counted = by_rule(keys, 5, policy) - by_rule(keys[:80], 5, policy)
    assert eviction.zipf_hit_rate(20, 5, 0.8, policy, 400, 3) == counted / 320


def test_defaults_are_a_recency_cache_with_a_skew_of_one() -> None:
    named = eviction.zipf_hit_rate(50, 5, 1.0, "lru", 20_000, 0)
    assert eviction.zipf_hit_rate(50, 5) == named
    assert eviction.zipf_hit_rate(3, 3, requests=1, seed=4) == 0


@witnesses("eviction.che_hit_rate")
@pytest.mark.parametrize(("items", "capacity", "skew"), [(200, 20, 1.0), (100, 60, 0.7), (50, 1, 0.0)])
def test_ches_approximation_comes_near_a_simulated_cache(items: int, capacity: int, skew: float) -> None:
    source = random.Random(1)
    weights = [rank**-skew for rank in range(1, items + 1)]
    call = lru_cache(maxsize=capacity)(lambda key: key)
    for key in source.choices(range(items), weights, k=40_000):
        call(key)
    simulated = call.cache_info().hits / 40_000
    assert eviction.che_hit_rate(items, capacity, skew) == pytest.approx(simulated, abs=0.01)
    if skew == 1:
        assert eviction.che_hit_rate(items, capacity) == eviction.che_hit_rate(items, capacity, 1.0)
    if not skew:
        assert eviction.che_hit_rate(items, capacity, skew) == pytest.approx(capacity / items)


def bitmap(kind: str, room: int, longest: int, requests: int, seed: int) -> float:
    """Mark slots one by one; a strip needs a run of free slots, pages need free slots anywhere."""
    source = random.Random(seed)
    free = [True] * room
    held: list[list[int]] = []
    shares = []

    def find(size: int) -> list[int] | None:
        if kind == "paged":
            slots = [slot for slot in range(room) if free[slot]][:size]
            return slots if len(slots) == size else None
        for begin in range(room - size + 1):
            if all(free[begin : begin + size]):
                return list(range(begin, begin + size))
        return None

    for _ in range(requests):
        size = int(source.random() * longest) + 1
        slots = find(size)
        if slots is None:
            shares.append(free.count(False) / room)
        while slots is None:
            gone = held.pop(source.randrange(len(held)))
            for slot in gone:
                free[slot] = True
            slots = find(size)
        for slot in slots:
            free[slot] = False
        held.append(slots)
        if kind == "contiguous":
            held.sort()
    return sum(shares) / len(shares)


@witnesses("eviction.external_fragmentation")
@pytest.mark.parametrize(
    ("room", "longest", "requests", "seed"), [(64, 16, 80, 0), (50, 30, 60, 2), (20, 20, 40, 1)]
)
def test_fragmentation_equals_that_of_a_map_of_slots(
    room: int, longest: int, requests: int, seed: int
) -> None:
    found = eviction.external_fragmentation(room, longest, requests, seed)
    assert found["contiguous"] == pytest.approx(bitmap("contiguous", room, longest, requests, seed))
    assert found["paged"] >= found["contiguous"] - 0.05
    assert found["paged"] == pytest.approx(bitmap("paged", room, longest, requests, seed))


def test_defaults_hold_2048_slots() -> None:
    assert eviction.external_fragmentation() == eviction.external_fragmentation(2048, 256, 500, 0)


def test_a_count_of_no_requests_is_named() -> None:
    with pytest.raises(ValueError, match="requests must be"):
        eviction.external_fragmentation(10, 5, 0)


def test_places_in_gaps_of_the_exact_size() -> None:
    assert eviction.place("contiguous", [(2, 3), (7, 1)], 2, 10) == 0
    assert eviction.place("contiguous", [(0, 3), (5, 3)], 2, 10) == 3
    assert eviction.place("contiguous", [(0, 3), (4, 3)], 3, 10) == 7
    assert eviction.place("contiguous", [(0, 3), (4, 3)], 4, 10) is None
    assert eviction.place("paged", [(0, 3), (4, 3)], 4, 10) == 0
    assert eviction.place("paged", [(0, 3), (4, 3)], 5, 10) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: eviction.trace_hit_rate([], 1),
        lambda: eviction.trace_hit_rate([1], 0),
        lambda: eviction.trace_hit_rate([1], 1, "mru"),
        lambda: eviction.ideal_hit_rate(0, 1),
        lambda: eviction.ideal_hit_rate(1, 0),
        lambda: eviction.ideal_hit_rate(1, 1, -1.0),
        lambda: eviction.zipf_hit_rate(5, 0),
        lambda: eviction.zipf_hit_rate(0, 1),
        lambda: eviction.zipf_hit_rate(5, 1, requests=0),
        lambda: eviction.zipf_hit_rate(5, 1, policy="mru"),
        lambda: eviction.che_hit_rate(5, 0),
        lambda: eviction.che_hit_rate(5, 5),
        lambda: eviction.external_fragmentation(0, 1, 10),
        lambda: eviction.external_fragmentation(10, 0, 10),
        lambda: eviction.external_fragmentation(10, 11, 100),
        lambda: eviction.external_fragmentation(10, 5, 0),
        lambda: eviction.external_fragmentation(1000, 9, 2),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot|unknown|never filled"):
        call()  # type: ignore[operator]
