"""Independent ways to the numbers of verifiers/races.py."""

from __future__ import annotations

import math
import random
from itertools import permutations
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import races


def orders(*steps: int) -> set[tuple[int, ...]]:
    """Every order in which the steps of threads, named by number, can run."""
    return set(permutations([thread for thread, count in enumerate(steps) for _ in range(count)]))


@witnesses("races.interleavings")
@pytest.mark.parametrize("steps", [(), (0, 2), (2, 2), (1, 2, 3), (3, 3), (1, 1, 1, 1)])
def test_interleavings_equal_their_number_written_out(steps: tuple[int, ...]) -> None:
    assert races.interleavings(*steps) == len(orders(*steps))
    assert isinstance(races.interleavings(*steps), int)


@witnesses("races.lost_update_share")
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_lost_updates_equal_all_schedules_run(threads: int) -> None:
    lost = 0
    schedules = orders(*[2] * threads)
    for schedule in schedules:
        shared, seen = 0, {}
        for thread in schedule:
            if thread in seen:
                shared = seen[thread] + 1
            else:
                seen[thread] = shared
        lost += shared != threads
    assert races.lost_update_share(threads) == pytest.approx(lost / len(schedules))


@witnesses("races.fan_out")
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_fan_out_equals_threads_and_futures(tasks: int) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    with ThreadPoolExecutor() as pool:
        waited = [future.result() for future in [pool.submit(str, n) for n in range(tasks)]]
        held = Event()
        futures = [pool.submit(held.wait) for _ in range(tasks)]
        done = sum(future.done() for future in futures)
        held.set()
    assert races.fan_out(tasks, background=False) == {
        "summaries": len(waited), "finished": tasks, "in_the_end": tasks,
    }  # fmt: skip
    assert races.fan_out(tasks, background=True) == {"summaries": 0, "finished": done, "in_the_end": tasks}


@witnesses("races.conflict_found")
def test_conflicts_equal_a_comparison_of_all_pairs() -> None:
    chance = random.Random(3)
    for _ in range(300):
        edits = []
        for number in range(chance.randint(0, 5)):
            start = number + chance.random()
            edits.append([chance.choice("ab"), chance.choice("xyz"), start, start + chance.randrange(4)])
        chance.shuffle(edits)
        pairs = [
            max(one[2], other[2])
            for one in edits
            for other in edits
            if one[1] == other[1] and one[0] != other[0]
        ]
        found = races.conflict_found(edits)
        assert found["claims"] == min(pairs, default=math.inf)
        assert found["merge"] == (max(edit[3] for edit in edits) if pairs else math.inf)


@pytest.mark.parametrize(
    "call",
    [
        lambda: races.interleavings(1, -1),
        lambda: races.interleavings(2, 2.0),
        lambda: races.interleavings(2, True),
        lambda: races.lost_update_share(0),
        lambda: races.fan_out(0, True),
        lambda: races.conflict_found([["a", "x", -1, 2]]),
        lambda: races.conflict_found([["a", "x", 2, 1]]),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
