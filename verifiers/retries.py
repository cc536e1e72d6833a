"""Retries: success, amplification, backoff and jitter, circuit breakers, duplicated effects."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


@verifier
def success(each: float, attempts: int) -> float:
    """Chance that one of several independent attempts succeeds.

    Formula: 1 − (1 − p)ᵏ.
    Unit: 1
    Source: definition
    """
    arguments.shares(each=each)
    arguments.counts(attempts=attempts)
    return 1 - (1 - each) ** attempts


@verifier
def mean_attempts(each: float, attempts: int) -> float:
    """Mean number of attempts made, the last allowed one ending the loop whatever comes.

    Formula: Σᵢ₌₀ᵏ⁻¹ (1 − p)ⁱ = (1 − (1 − p)ᵏ) / p, and k for p = 0.
    Unit: 1
    Source: definition
    """
    arguments.shares(each=each)
    arguments.counts(attempts=attempts)
    # the sum is exact for rates so small that 1 − (1 − p)ᵏ rounds to nothing
    return math.fsum((1 - each) ** failed for failed in range(attempts))


@verifier
def amplification(each: float, attempts: int, layers: int = 1) -> dict[str, float]:
    """Calls that reach the last of several layers for one request, when every layer retries.

    Formula: per layer, calls ← calls · mean attempts and p ← 1 − (1 − p)ᵏ; kᴸ where everything fails.
    Unit: calls=1, success=1
    Source: beyer2016
    """
    arguments.counts(layers=layers)
    calls, working = 1.0, each
    for _ in range(layers):
        calls *= mean_attempts(working, attempts)
        working = success(working, attempts)
    return {"calls": calls, "success": working}


@verifier
def backoff(base: float, retry: int, factor: float = 2.0, cap: float | None = None) -> float:
    """Pause before a retry, numbered from 0, that grows by a factor up to a cap.

    Formula: min(cap, base · factorⁱ).
    Unit: s
    Source: brooker2015
    """
    arguments.counts(0, retry=retry)
    arguments.positive(base=base, factor=factor)
    pause = base * factor**retry
    if cap is None:
        return pause
    arguments.positive(cap=cap)
    return min(cap, pause)


@verifier
def longest_wait(
    timeout: float, attempts: int, base: float, factor: float = 2.0, cap: float | None = None
) -> float:
    """Time until a caller gives up: every attempt runs into its timeout, every pause is full.

    Formula: attempts · timeout + Σ min(cap, base · factorⁱ) over attempts − 1 pauses.
    Unit: s
    Source: definition
    """
    arguments.counts(attempts=attempts)
    arguments.non_negative(timeout=timeout)
    return attempts * timeout + sum(backoff(base, retry, factor, cap) for retry in range(attempts - 1))


JITTERS = ("none", "full", "equal", "decorrelated")


def pause(kind: str, base: float, cap: float, retry: int, last: float, chance: random.Random) -> float:
    """Pause before a retry under a kind of jitter; `last` is the pause before it."""
    if kind == "decorrelated":
        return min(cap, chance.uniform(base, 3 * last))
    whole = backoff(base, retry, 2.0, cap)
    if kind == "none":
        return whole
    least = whole / 2 if kind == "equal" else 0.0
    return chance.uniform(least, whole)


@dataclass
class Row:
    """A row under an optimistic lock: its version, and the writes tried on it."""

    version: int = 0
    writes: int = 0


def client(
    kind: str, base: float, cap: float, row: Row, chance: random.Random, delay: float
) -> Generator[float, None, None]:
    """Read a version, write under the condition that it still holds, retry; yields each time to wait."""

    def hop() -> float:
        return abs(chance.gauss(delay, delay / 5))

    last, retry = base, 0
    while True:
        yield hop()  # the request to read
        version = row.version
        yield hop()  # its reply
        yield hop()  # the request to write
        row.writes += 1
        if row.version == version:
            row.version += 1
            return
        last = pause(kind, base, cap, retry, last, chance)
        retry += 1
        yield hop() + last  # the refusal, and the pause


@verifier
def contention(
    kind: str, clients: int = 100, base: float = 0.005, cap: float = 2.0, delay: float = 0.01, seeds: int = 8
) -> dict[str, float]:
    """Simulate clients that update one row under an optimistic lock and back off when they lose.

    Messages take the mean time `delay` each way, give or take a fifth. Means over seeds of the writes tried
    until everyone has succeeded, and of the time that this takes.

    Unit: writes=1, makespan=s
    Source: brooker2015
    """
    arguments.one_of("jitter", kind, JITTERS)
    arguments.counts(clients=clients, seeds=seeds)
    arguments.positive(base=base, cap=cap, delay=delay)
    tried, makespan = 0, 0.0
    for seed in range(seeds):
        chance = random.Random(seed)
        row = Row()
        running = [client(kind, base, cap, row, chance, delay) for _ in range(clients)]
        waiting = [(next(process), number) for number, process in enumerate(running)]
        heapq.heapify(waiting)
        while waiting:
            time, number = heapq.heappop(waiting)
            for wait in running[number]:
                heapq.heappush(waiting, (time + wait, number))
                break
        tried += row.writes
        makespan += time
    return {"writes": tried / seeds, "makespan": makespan / seeds}


@verifier
def breaker(outage: float, per_second: float, threshold: int, cooldown: float) -> dict[str, int]:
    """Requests that reach a dead service behind a circuit breaker, and those refused at once.

    It opens after `threshold` failures in a row; after each cooldown one request is let through as a probe,
    and its failure opens it again. Requests come at 0, 1 / rate, 2 / rate, …

    Unit: sent=1, refused=1
    Source: definition
    """
    arguments.non_negative(outage=outage, cooldown=cooldown)
    arguments.positive(per_second=per_second)
    arguments.counts(threshold=threshold)
    step = 1 / Fraction(repr(per_second))
    end, pause_after = Fraction(repr(outage)), Fraction(repr(cooldown))
    sent = refused = 0
    opens = time = Fraction(0)
    while time < end:
        if sent < threshold or time >= opens:
            sent += 1
            opens = time + pause_after
        else:
            refused += 1
        time += step
    return {"sent": sent, "refused": refused}


@verifier
def delivery(lost_request: float, lost_reply: float, attempts: int) -> dict[str, float]:
    """At-least-once delivery: chances that a retried call is confirmed, never runs, or runs twice or more.

    The caller repeats the call until a reply comes, at most `attempts` times; requests and replies are lost
    independently.

    Formula: q = (1 − r) · s runs unseen: never = rᵏ, confirmed = 1 − (r + q)ᵏ, mean runs = (1 − r) · tries.
    Unit: confirmed=1, never=1, runs=1, duplicated=1
    Source: definition
    """
    arguments.shares(lost_request=lost_request, lost_reply=lost_reply)
    arguments.counts(attempts=attempts)
    unseen = (1 - lost_request) * lost_reply
    silent = lost_request + unseen
    seen = 1 - silent
    never = lost_request**attempts
    # exactly one run: it is the last try and is confirmed, or no reply ever comes
    once = sum(lost_request**before for before in range(attempts)) * seen
    once += attempts * unseen * lost_request ** (attempts - 1)
    return {
        "confirmed": 1 - silent**attempts,
        "never": never,
        "runs": (1 - lost_request) * mean_attempts(seen, attempts),
        "duplicated": 1 - never - once,
    }


def run_once(store: dict[str, int], key: str, effects: list[str]) -> int:
    """Run an effect unless its key has been seen; give the first result again."""
    if key not in store:
        effects.append(key)
        store[key] = len(effects)
    return store[key]


@verifier
def keyed_retries_run_once(keys: int = 4, calls: int = 40, seeds: int = 5) -> dict[str, int]:
    """Check that under idempotency keys any sequence of retries runs each effect once, with one result.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        chance = random.Random(seed)
        store: dict[str, int] = {}
        effects: list[str] = []
        results: dict[str, set[int]] = {}
        for _ in range(calls):
            key = f"key {chance.randrange(keys)}"
            results.setdefault(key, set()).add(run_once(store, key, effects))
        assert len(effects) == len(set(effects)), f"seed {seed}: an effect ran twice"
        assert all(len(found) == 1 for found in results.values()), f"seed {seed}: a retry got another result"
    return {"keys": keys, "calls": calls, "seeds": seeds}
