"""Independent ways to the numbers of verifiers/retries.py."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import retries


@witnesses("retries.success", "retries.mean_attempts")
@pytest.mark.parametrize("attempts", [1, 2, 4])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_attempts_equal_a_sum_over_all_outcomes(p: float, attempts: int) -> None:
    works = tries = 0.0
    for outcome in product((True, False), repeat=attempts):
        weight = math.prod(p if worked else 1 - p for worked in outcome)
        works += weight * any(outcome)
        tries += weight * (outcome.index(True) + 1 if True in outcome else attempts)
    assert retries.success(p, attempts) == pytest.approx(works)
    assert retries.mean_attempts(p, attempts) == pytest.approx(tries)


def call_layers(chance: random.Random, p: float, attempts: int, layers: int) -> tuple[int, bool]:
    """Make one request through layers that retry; return calls of the last one, and whether it worked."""
    if layers == 0:
        return 1, chance.random() < p
    calls = 0
    for _ in range(attempts):
        more, worked = call_layers(chance, p, attempts, layers - 1)
        calls += more
        if worked:
            return calls, True
    return calls, False


@witnesses("retries.amplification")
@pytest.mark.parametrize(
    ("p", "attempts", "layers"), [(0.0, 3, 3), (0.0, 4, 1), (0.3, 2, 2), (0.5, 3, 2), (1.0, 5, 2)]
)
def test_amplification_equals_simulated_layers(p: float, attempts: int, layers: int) -> None:
    chance = random.Random(11)
    runs = [call_layers(chance, p, attempts, layers) for _ in range(6000)]
    found = retries.amplification(p, attempts, layers)
    assert found["calls"] == pytest.approx(sum(calls for calls, _ in runs) / len(runs), rel=0.04)
    assert found["success"] == pytest.approx(sum(worked for _, worked in runs) / len(runs), abs=0.02)
    if p == 0:
        assert found["calls"] == attempts**layers


def test_one_layer_is_the_default() -> None:
    assert retries.amplification(0.4, 3)["calls"] == pytest.approx(retries.mean_attempts(0.4, 3))


@witnesses("retries.backoff", "retries.longest_wait")
@pytest.mark.parametrize(
    ("base", "factor", "cap"), [(1, 2.0, 30), (0.5, 3.0, 4), (2, 1.0, 1.5), (1, 2.0, None)]
)
def test_pauses_equal_repeated_multiplication(base: float, factor: float, cap: float | None) -> None:
    pauses, pause = [], float(base)
    for _ in range(7):
        pauses.append(pause if cap is None or pause < cap else cap)
        pause *= factor
    assert [retries.backoff(base, i, factor, cap) for i in range(7)] == pytest.approx(pauses)
    for attempts in (1, 2, 6):
        clock = 0.0
        for attempt in range(attempts):
            clock += 10
            clock += pauses[attempt] if attempt < attempts - 1 else 0
        assert retries.longest_wait(10, attempts, base, factor, cap) == pytest.approx(clock)
    if factor == 2:
        assert retries.backoff(base, 3) == 8 * base
        assert retries.longest_wait(0, 4, base) == 7 * base


def lock_race(kind: str, clients: int, base: float, cap: float, delay: float, seed: int) -> tuple[int, float]:
    """The same race with a list of pending steps instead of running processes."""
    chance = random.Random(seed)

    def hop() -> float:
        return abs(chance.gauss(delay, delay / 5))

    version = writes = 0
    pending = [(hop(), number, "read") for number in range(clients)]
    seen: dict[int, int] = {}
    lost = dict.fromkeys(range(clients), 0)
    last = dict.fromkeys(range(clients), base)
    clock = 0.0
    while pending:
        pending.sort()
        clock, number, step = pending.pop(0)
        if step == "read":
            seen[number] = version
            pending.append((clock + hop(), number, "answer"))
        elif step == "answer":
            pending.append((clock + hop(), number, "write"))
        elif step == "write":
            writes += 1
            if seen[number] == version:
                version += 1
                continue
            full = min(cap, base * 2 ** lost[number])
            if kind == "none":
                sleep = full
            elif kind == "full":
                sleep = chance.uniform(0, full)
            elif kind == "equal":
                sleep = chance.uniform(full / 2, full)
            else:
                sleep = min(cap, chance.uniform(base, last[number] * 3))
            lost[number] += 1
            last[number] = sleep
            pending.append((clock + hop() + sleep, number, "again"))
        else:
            pending.append((clock + hop(), number, "read"))
    return writes, clock


@witnesses("retries.contention")
@pytest.mark.parametrize("kind", retries.JITTERS)
def test_contention_equals_a_race_of_pending_steps(kind: str) -> None:
    cases: tuple[tuple[int, float, float, float], ...] = (
        (1, 0.01, 1, 0.01),
        (12, 0.005, 0.05, 0.01),
        (9, 0.002, 3, 0.02),
    )
    for clients, base, cap, delay in cases:
        races = [lock_race(kind, clients, base, cap, delay, seed) for seed in range(3)]
        found = retries.contention(kind, clients, base, cap, delay, seeds=3)
        assert found["writes"] == pytest.approx(sum(writes for writes, _ in races) / 3)
        assert found["makespan"] == pytest.approx(sum(time for _, time in races) / 3)


def test_contention_defaults() -> None:
    found = retries.contention("full", seeds=1)
    assert found == retries.contention("full", 100, 0.005, 2, 0.01, 1)
    assert retries.contention("full", 20) == retries.contention("full", 20, seeds=8)


def test_clients_without_rivals_write_once_after_three_messages() -> None:
    """Lonely clients of many seeds need three messages, each of the mean delay and a fifth about it."""
    found = retries.contention("full", 1, delay=0.01, seeds=400)
    assert found["makespan"] == pytest.approx(0.03, abs=4 * 0.002 * math.sqrt(3 / 400))
    assert found["writes"] == 1


def test_rare_success_takes_all_attempts() -> None:
    assert retries.mean_attempts(1e-17, 3) == 3
    assert retries.mean_attempts(1e-9, 2) == pytest.approx(2 - 1e-9, rel=1e-15)


@witnesses("retries.breaker")
@pytest.mark.parametrize(
    ("outage", "rate", "threshold", "cooldown"),
    [(60, 10, 5, 10), (7, 2, 1, 1.5), (3, 1, 9, 2), (5, 4, 2, 0), (0, 1, 1, 1), (10, 5, 3, 0.2)],
)
def test_breaker_equals_a_state_machine_in_milliseconds(
    outage: float, rate: float, threshold: int, cooldown: float
) -> None:
    state, failures, opened, sent, refused = "closed", 0, 0, 0, 0
    for now in range(0, round(outage * 1000), round(1000 / rate)):
        if state == "open" and now - opened >= cooldown * 1000:
            state = "half-open"
        if state == "open":
            refused += 1
            continue
        sent += 1
        failures += 1
        if state == "half-open" or failures >= threshold:
            state, opened = "open", now
    assert retries.breaker(outage, rate, threshold, cooldown) == {"sent": sent, "refused": refused}


@witnesses("retries.delivery")
@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize(
    ("lost", "silent"),
    [
        (Fraction(1, 10), Fraction(1, 5)),
        (Fraction(0), Fraction(1, 2)),
        (Fraction(1, 3), Fraction(0)),
        (Fraction(1), Fraction(1)),
        (Fraction(0), Fraction(1)),
    ],
)
def test_delivery_equals_a_sum_over_what_each_message_meets(
    lost: Fraction, silent: Fraction, attempts: int
) -> None:
    chances = {"lost": lost, "unseen": (1 - lost) * silent, "seen": (1 - lost) * (1 - silent)}
    total = dict.fromkeys(("confirmed", "never", "runs", "duplicated"), Fraction(0))
    for fate in product(chances, repeat=attempts):
        weight = math.prod((chances[each] for each in fate), start=Fraction(1))
        made = fate[: fate.index("seen") + 1] if "seen" in fate else fate
        runs = sum(each != "lost" for each in made)
        total["confirmed"] += weight * ("seen" in fate)
        total["never"] += weight * (runs == 0)
        total["runs"] += weight * runs
        total["duplicated"] += weight * (runs > 1)
    found = retries.delivery(float(lost), float(silent), attempts)
    assert found == pytest.approx({key: float(value) for key, value in total.items()}, abs=1e-12)


@witnesses("retries.keyed_retries_run_once")
def test_keys_make_a_list_of_retries_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    real = retries.run_once
    store: dict[str, int] = {}
    effects: list[str] = []
    keys = ["a", "b", "a", "c", "b", "a"]
    results = [retries.run_once(store, key, effects) for key in keys]
    assert effects == list(dict.fromkeys(keys))
    assert results == [1, 2, 1, 3, 2, 1]
    assert retries.keyed_retries_run_once() == {"keys": 4, "calls": 40, "seeds": 5}

    def run_again(store: dict[str, int], key: str, effects: list[str]) -> int:
        effects.append(key)
        return 0

    monkeypatch.setattr(retries, "run_once", run_again)
    with pytest.raises(AssertionError, match="ran twice"):
        retries.keyed_retries_run_once()

    def forget_result(store: dict[str, int], key: str, effects: list[str]) -> int:
        store[key] = store.get(key, 0) + 1
        effects += [key] if store[key] == 1 else []
        return store[key]

    monkeypatch.setattr(retries, "run_once", forget_result)
    with pytest.raises(AssertionError, match="another result"):
        retries.keyed_retries_run_once()
    real_then_forgotten = {"key 0": forget_result}
    monkeypatch.setattr(
        retries,
        "run_once",
        lambda store, key, effects: real_then_forgotten.get(key, real)(store, key, effects),
    )
    with pytest.raises(AssertionError, match="another result"):
        retries.keyed_retries_run_once()


@pytest.mark.parametrize(
    "call",
    [
        lambda: retries.success(1.1, 1),
        lambda: retries.success(0.5, 0),
        lambda: retries.mean_attempts(-0.1, 1),
        lambda: retries.mean_attempts(1.1, 1),
        lambda: retries.mean_attempts(0, 0),
        lambda: retries.amplification(0.5, 1, 0),
        lambda: retries.amplification(1.5, 1),
        lambda: retries.backoff(1, -1),
        lambda: retries.backoff(0, 1),
        lambda: retries.backoff(1, 1, 0),
        lambda: retries.backoff(1, 1, 2, 0),
        lambda: retries.longest_wait(1, 0, 1),
        lambda: retries.longest_wait(-1, 1, 1),
        lambda: retries.contention("half", 1, seeds=1),
        lambda: retries.contention("full", 0, seeds=1),
        lambda: retries.contention("full", 1, seeds=0),
        lambda: retries.contention("full", 1, 0, seeds=1),
        lambda: retries.contention("full", 1, cap=0, seeds=1),
        lambda: retries.contention("full", 1, delay=0, seeds=1),
        lambda: retries.breaker(-1, 1, 1, 1),
        lambda: retries.breaker(1, 0, 1, 1),
        lambda: retries.breaker(1, 1, 0, 1),
        lambda: retries.breaker(1, 1, 1, -1),
        lambda: retries.delivery(1.1, 0, 1),
        lambda: retries.delivery(0, 1.1, 1),
        lambda: retries.delivery(0, 0, 0),
        lambda: retries.delivery(-0.5, 0.5, 1),
        lambda: retries.delivery(0.5, -0.5, 1),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
