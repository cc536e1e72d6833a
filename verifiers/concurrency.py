"""Parallel tool calls and sub-agents: speedup, makespan, batches of reads, queues in slices."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, groupby, product

from proofdeck import verifier
from verifiers import arguments


@verifier
def amdahl(parallel_share: float, workers: float) -> float:
    """Speedup where only a share of the time runs in parallel.

    Formula: 1 / ((1 − p) + p / k).
    Unit: 1
    Source: amdahl1967
    """
    arguments.shares(parallel_share=parallel_share)
    arguments.positive(workers=workers)
    return 1 / ((1 - parallel_share) + parallel_share / workers)


@verifier
def amdahl_limit(parallel_share: float) -> float:
    """Speedup with ever more workers.

    Formula: 1 / (1 − p).
    Unit: 1
    Source: amdahl1967
    """
    arguments.shares(parallel_share=parallel_share)
    arguments.positive(serial_share=1 - parallel_share)
    return 1 / (1 - parallel_share)


@verifier
def makespan(durations: Sequence[float], workers: int | None = None) -> float:
    """Time until all tasks are done, each started in order as soon as one of the workers is free.

    Without a number of workers all start at once, and the longest counts.

    Unit: s
    Source: graham1969
    """
    arguments.counts(tasks=len(durations))
    arguments.non_negative(**{f"durations[{index}]": time for index, time in enumerate(durations)})
    many = len(durations) if workers is None else workers
    arguments.counts(workers=many)
    free = [0.0] * many
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


@verifier
def turn_speedup(model: float, durations: Sequence[float], workers: int | None = None) -> float:
    """Speedup of a whole agent turn when only its tool calls run in parallel.

    Formula: (model time + Σ tool times) / (model time + makespan).
    Unit: 1
    Source: definition
    """
    arguments.positive(model=model)
    return (model + makespan(durations, 1)) / (model + makespan(durations, workers))


def split_batches(calls: str, parallel: str = "R") -> list[str]:
    """Group neighbouring calls of a parallel kind; any other call stands alone."""
    batches: list[str] = []
    for together, run in groupby(calls, lambda call: call in parallel):
        group = "".join(run)
        batches += [group] if together else list(group)
    return batches


@verifier
def batches(calls: str, parallel: str = "R") -> dict[str, int]:
    """Batches into which a list of calls, a letter each, is cut, and the length of the longest.

    Letters in `parallel` (R, the reads) may share a batch with their neighbours; others run alone, in order.

    Unit: batches=1, longest=1
    Source: definition
    """
    found = split_batches(calls, parallel)
    return {"batches": len(found), "longest": max(map(len, found), default=0)}


@verifier
def batched_time(calls: str, durations: Sequence[float], parallel: str = "R") -> float:
    """Time of a list of calls that runs batch after batch, each as long as its longest call.

    Unit: s
    Source: definition
    """
    if len(calls) != len(durations):
        raise ValueError(f"{len(durations)} durations for {len(calls)} calls")
    rest = list(durations)
    total = 0.0
    for batch in split_batches(calls, parallel):
        total += makespan(rest[: len(batch)])
        del rest[: len(batch)]
    return total


def confirm_partition(partition: Callable[[str], list[str]], length: int) -> int:
    """Check a partition of every string of reads and writes up to a length; return how many there are."""
    strings = 0
    for size in range(length + 1):
        for letters in product("RW", repeat=size):
            calls = "".join(letters)
            found = partition(calls)
            strings += 1
            assert "".join(found) == calls, f"{calls}: order is lost"
            assert all(batch == "W" or set(batch) == {"R"} for batch in found), (
                f"{calls}: a write is not alone"
            )
            assert "R|R" not in "|".join(found), f"{calls}: neighbouring reads are apart"
    return strings


@verifier
def partition_is_sound(length: int = 12) -> dict[str, int]:
    """Check that batches keep the order, that writes run alone, and that no reads are parted needlessly.

    Unit: check
    Source: definition
    """
    return {"length": length, "strings": confirm_partition(split_batches, length)}


def served(jobs: Sequence[tuple[float, float]], quantum: float) -> list[float]:
    """When each job (arrival, work) ends on one server that turns to the next after a quantum of work."""
    ends: dict[int, float] = {}
    waiting: deque[tuple[int, float]] = deque()
    coming = 0
    while waiting or coming < len(jobs):
        if not waiting:
            time = jobs[coming][0]
            waiting.append((coming, jobs[coming][1]))
            coming += 1
        job, work = waiting.popleft()
        time += min(work, quantum)
        while coming < len(jobs) and jobs[coming][0] <= time:
            waiting.append((coming, jobs[coming][1]))
            coming += 1
        if work > quantum:
            waiting.append((job, work - quantum))
        ends[job] = time
    return [ends[job] for job in range(len(jobs))]


@verifier
def head_of_line(
    short: float, long: float, long_share: float, load: float, quantum: float | None = None,
    requests: int = 10_000, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Simulate short requests queueing with a few long ones: first come first served, or cut in pieces.

    Requests arrive by a Poisson process that keeps the server busy for the share `load` of the time.

    Unit: short_p95=s, long_mean=s
    Source: definition
    """
    arguments.positive(short=short, long=long, load=load, idle=1 - load, long_share=long_share)
    arguments.shares(long_share=long_share)
    arguments.counts(requests=requests)
    if quantum is not None:
        arguments.positive(quantum=quantum)
    chance = random.Random(seed)
    mean = long_share * long + (1 - long_share) * short
    drawn = [(chance.expovariate(load / mean), chance.random() < long_share) for _ in range(requests)]
    arrivals = list(accumulate(gap for gap, _ in drawn))
    jobs = [(arrivals[n], long if is_long else short) for n, (_, is_long) in enumerate(drawn)]
    spent = [end - arrivals[n] for n, end in enumerate(served(jobs, quantum or math.inf))]
    of_short = sorted(spent[n] for n, (_, is_long) in enumerate(drawn) if not is_long)
    of_long = [spent[n] for n, (_, is_long) in enumerate(drawn) if is_long]
    arguments.counts(short_requests=len(of_short), long_requests=len(of_long))
    return {
        "short_p95": of_short[math.ceil(0.95 * len(of_short)) - 1],
        "long_mean": math.fsum(of_long) / len(of_long),
    }
