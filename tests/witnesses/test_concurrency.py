"""Independent ways to the numbers of verifiers/concurrency.py."""

from __future__ import annotations

import asyncio
import random
import re
from itertools import product
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import concurrency


@witnesses("concurrency.amdahl", "concurrency.amdahl_limit")
@pytest.mark.parametrize("parallel", [0, 30, 80, 99])
@pytest.mark.parametrize("workers", [1, 3, 10])
def test_amdahl_equals_a_schedule_of_a_hundred_units(parallel: int, workers: int) -> None:
    serial = 100 - parallel
    shares = [parallel / workers for _ in range(workers)]
    assert concurrency.amdahl(parallel / 100, workers) == pytest.approx(100 / (serial + max(shares)))
    assert concurrency.amdahl_limit(parallel / 100) == pytest.approx(100 / serial)
    assert concurrency.amdahl(parallel / 100, 1e12) == pytest.approx(concurrency.amdahl_limit(parallel / 100))
    assert concurrency.amdahl(1, workers) == pytest.approx(workers)


class Clock:
    """An event loop whose time jumps to the next timer, so that sleeping takes no time."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        select = self.loop._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None) -> Any:
            self.now += timeout or 0
            return select(0)

        self.loop._selector.select = jump  # type: ignore[attr-defined]
        self.loop.time = lambda: self.now  # type: ignore[method-assign]

    def run(self, durations: list[float], workers: int) -> float:
        async def all_tasks() -> None:
            gate = asyncio.Semaphore(workers)

            async def task(duration: float) -> None:
                async with gate:
                    await asyncio.sleep(duration)

            await asyncio.gather(*map(task, durations))

        try:
            self.loop.run_until_complete(all_tasks())
        finally:
            self.loop.close()
        return self.now


@witnesses("concurrency.makespan", "concurrency.turn_speedup")
@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_makespan_equals_asyncio_behind_a_semaphore(workers: int) -> None:
    chance = random.Random(workers)
    for _ in range(5):
        durations = [chance.randrange(1, 30) / 10 for _ in range(chance.randint(1, 8))]
        time = Clock().run(durations, workers)
        assert concurrency.makespan(durations, workers) == pytest.approx(time, abs=1e-6)
        alone = Clock().run(durations, 1)
        got = concurrency.turn_speedup(2.5, durations, workers)
        assert got == pytest.approx((2.5 + alone) / (2.5 + time), abs=1e-6)
        together = Clock().run(durations, len(durations))
        assert concurrency.makespan(durations) == pytest.approx(together, abs=1e-6)
        assert concurrency.turn_speedup(2.5, durations) == pytest.approx(
            (2.5 + alone) / (2.5 + together), abs=1e-6
        )


@witnesses("concurrency.batches", "concurrency.batched_time")
@pytest.mark.parametrize("parallel", ["R", "RS"])
def test_batches_equal_runs_found_by_a_pattern(parallel: str) -> None:
    for size in range(5):
        for letters in product("RWS", repeat=size):
            calls = "".join(letters)
            runs = re.findall(f"[{parallel}]+|.", calls)
            found = concurrency.batches(calls, parallel)
            assert found == {"batches": len(runs), "longest": max(map(len, runs), default=0)}
            durations = [float(i + 1) for i in range(size)]
            ends = [sum(len(run) for run in runs[: n + 1]) for n in range(len(runs))]
            time = sum(max(durations[end - len(run) : end]) for run, end in zip(runs, ends, strict=True))
            assert concurrency.batched_time(calls, durations, parallel) == pytest.approx(time)
            if parallel == "R":
                assert concurrency.batches(calls) == found
                assert concurrency.batched_time(calls, durations) == pytest.approx(time)


@witnesses("concurrency.partition_is_sound")
def test_runs_found_by_a_pattern_pass_the_check_and_others_fail() -> None:
    assert concurrency.confirm_partition(lambda calls: re.findall("R+|W", calls), 7) == 2**8 - 1
    assert concurrency.partition_is_sound(5) == {"length": 5, "strings": 63}
    assert concurrency.partition_is_sound()["strings"] == 8191
    for broken, message in (
        (lambda calls: list(calls), "are apart"),
        (lambda calls: re.findall("R+|W+", calls), "not alone"),
        (lambda calls: [calls] if calls else [], "not alone"),
        (lambda calls: sorted(re.findall("R+|W", calls)), "order is lost"),
        (lambda calls: re.findall("W?R+|W", calls), "not alone"),
    ):
        with pytest.raises(AssertionError, match=message):
            concurrency.confirm_partition(broken, 4)


def turns(jobs: list[tuple[int, int]], quantum: int) -> list[int]:
    """Serve jobs tick by tick; whoever has used a whole quantum goes to the end."""
    left = [work for _, work in jobs]
    ends = [0] * len(jobs)
    queue: list[int] = []
    used = 0
    for tick in range(1000):
        queue += [n for n, (arrival, _) in enumerate(jobs) if arrival == tick]
        if queue and used == quantum:
            queue.append(queue.pop(0))
            used = 0
        if queue:
            left[queue[0]] -= 1
            used += 1
            if left[queue[0]] == 0:
                ends[queue.pop(0)] = tick + 1
                used = 0
    return ends


@pytest.mark.parametrize("quantum", [1, 2, 3, 50])
def test_slices_equal_a_server_moved_by_single_ticks(quantum: int) -> None:
    chance = random.Random(quantum)
    for _ in range(30):
        arrivals = sorted(chance.randrange(30) for _ in range(8))
        jobs = [(at, chance.randint(1, 7)) for at in arrivals]
        assert concurrency.served(jobs, quantum) == turns(jobs, quantum), jobs


def test_first_come_first_served_cuts_nothing_even_where_long_is_short() -> None:
    swapped = concurrency.head_of_line(10, 1, 0.8, 0.6, requests=500)
    assert swapped == concurrency.head_of_line(10, 1, 0.8, 0.6, quantum=10, requests=500)
    assert swapped != concurrency.head_of_line(10, 1, 0.8, 0.6, quantum=1, requests=500)


@witnesses("concurrency.head_of_line")
@pytest.mark.parametrize("load", [0.3, 0.6])
def test_waits_behind_long_requests_equal_theory(load: float) -> None:
    """First come, first served waits by Pollaczek and Khinchine; thin slices give work / (1 - load)."""
    short, long, share = 1.0, 10.0, 0.2
    mean, square = share * long + (1 - share) * short, share * long**2 + (1 - share) * short**2
    wait = load / mean * square / (2 * (1 - load))
    found = concurrency.head_of_line(short, long, share, load, requests=40_000)
    assert found["long_mean"] == pytest.approx(long + wait, rel=0.07)
    sliced = concurrency.head_of_line(short, long, share, load, quantum=0.5, requests=20_000)
    assert sliced["long_mean"] == pytest.approx(long / (1 - load), rel=0.12)
    assert sliced["short_p95"] < found["short_p95"]


def test_percentile_and_mean_are_those_of_the_same_requests() -> None:
    chance = random.Random(0)
    jobs, time = [], 0.0
    for _ in range(507):
        time += chance.expovariate(0.5 / (0.1 * 7 + 0.9 * 2))
        jobs.append((time, 7.0 if chance.random() < 0.1 else 2.0))
    for quantum in (None, 1.5):
        ends = concurrency.served(jobs, 100 if quantum is None else quantum)
        spent = [(work, end - at) for end, (at, work) in zip(ends, jobs, strict=True)]
        found = concurrency.head_of_line(2, 7, 0.1, 0.5, quantum, requests=507)
        of_short = sorted(each for work, each in spent if work == 2)
        rank = next(n for n in range(1, 508) if 20 * n >= 19 * len(of_short))
        assert found["short_p95"] == pytest.approx(of_short[rank - 1])
        of_long = [each for work, each in spent if work == 7]
        assert found["long_mean"] == pytest.approx(sum(of_long) / len(of_long))
    assert 19 * len(of_short) % 20
    sizes = []

    def remember(jobs: list[Any], quantum: float) -> list[float]:
        sizes.append(len(jobs))
        return [at + work for at, work in jobs]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concurrency, "served", remember)
        concurrency.head_of_line(2, 7, 0.1, 0.5)
    assert sizes == [10_000]
    usual = concurrency.head_of_line(2, 7, 0.1, 0.5)
    assert usual == concurrency.head_of_line(2, 7, 0.1, 0.5, None, 10_000, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: concurrency.amdahl(1.1, 2),
        lambda: concurrency.amdahl(0.5, 0),
        lambda: concurrency.amdahl_limit(1),
        lambda: concurrency.amdahl_limit(-0.1),
        lambda: concurrency.makespan([]),
        lambda: concurrency.makespan([-1]),
        lambda: concurrency.makespan([1], 0),
        lambda: concurrency.makespan([1], True),
        lambda: concurrency.makespan([1], 1.5),
        lambda: concurrency.makespan([], 1),
        lambda: concurrency.turn_speedup(0, [1]),
        lambda: concurrency.batched_time("RR", [1]),
        lambda: concurrency.head_of_line(0, 1, 0.5, 0.5),
        lambda: concurrency.head_of_line(1, 0, 0.5, 0.5),
        lambda: concurrency.head_of_line(1, 2, 0, 0.5),
        lambda: concurrency.head_of_line(1, 2, 1.1, 0.5),
        lambda: concurrency.head_of_line(1, 2, 0.5, 0),
        lambda: concurrency.head_of_line(1, 2, 0.5, 1),
        lambda: concurrency.head_of_line(1, 2, 0.5, 0.5, -1),
        lambda: concurrency.head_of_line(1, 2, 0.5, 0.5, 0),
        lambda: concurrency.head_of_line(1, 2, 1, 0.5),
        lambda: concurrency.head_of_line(1, 2, 1e-9, 0.5, requests=10),
        lambda: concurrency.head_of_line(1, 2, 0.5, 0.5, requests=0),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


def test_the_wrong_argument_of_a_simulation_is_named() -> None:
    with pytest.raises(ValueError, match="long_share must lie"):
        concurrency.head_of_line(1, 2, 1.1, 0.5)
    with pytest.raises(ValueError, match=r"^requests must be at least 1"):
        concurrency.head_of_line(1, 2, 0.5, 0.5, requests=0)
    with pytest.raises(ValueError, match="short_requests must be at least 1"):
        concurrency.head_of_line(1, 2, 1, 0.5, requests=9)
    with pytest.raises(ValueError, match="long_requests must be at least 1"):
        concurrency.head_of_line(1, 2, 1e-9, 0.5, requests=9)
