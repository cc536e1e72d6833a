"""Batches of requests: slots left idle by static batches, padding, and steps that grow with the batch."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments

EULER = 0.5772156649015329
KINDS = ("exponential", "uniform", "constant")


@verifier
def harmonic(n: int) -> float:
    """Harmonic number: the mean of the longest of n exponential lengths of mean one.

    Formula: 1 + 1/2 + … + 1/n, beyond a thousand terms by ln n + γ + 1/(2n) − 1/(12n²).
    Unit: 1
    Source: definition
    """
    arguments.counts(n=n)
    if n <= 1000:
        return math.fsum(1 / k for k in range(1, n + 1))
    return math.log(n) + EULER + 1 / (2 * n) - 1 / (12 * n**2)


@verifier
def static_utilisation(batch: int, lengths: str = "exponential") -> float:
    """Expected share of busy slots when a batch runs until its longest reply is done.

    Formula: E[length] / E[max of B]: 1 / H_B exponential, (B + 1) / 2B uniform from zero, 1 constant.
    Unit: 1
    Source: yu2022
    """
    arguments.counts(batch=batch)
    arguments.one_of("distribution of lengths", lengths, KINDS)
    if lengths == "exponential":
        return 1 / harmonic(batch)
    return (batch + 1) / (2 * batch) if lengths == "uniform" else 1.0


@verifier
def batch_for_speedup(speedup: float) -> int:
    """Fewest slots for which refilling them at once beats static batches of exponential lengths by a factor.

    Formula: the least B with H_B ≥ speedup, which floating point still tells up to a factor of 30.
    Unit: 1
    Source: definition
    """
    arguments.positive(**{"speedup - 1": speedup - 1})
    arguments.non_negative(**{"30 - speedup": 30 - speedup})
    # H_n > ln n, so e^speedup slots are enough
    return bisect_left(range(int(math.exp(speedup))), speedup, key=harmonic)


def draw_lengths(kind: str, count: int, mean: int, seed: int) -> list[int]:
    """Draw reply lengths of at least one token."""
    import random

    arguments.one_of("distribution of lengths", kind, KINDS)
    arguments.counts(requests=count, mean=mean)
    source = random.Random(seed)
    if kind == "exponential":
        return [math.ceil(source.expovariate(1 / mean)) for _ in range(count)]
    if kind == "uniform":
        return [source.randint(1, 2 * mean - 1) for _ in range(count)]
    return [mean] * count


def _check(lengths: Sequence[int], batch: int) -> None:
    arguments.counts(batch=batch, requests=len(lengths))
    for length in lengths:
        arguments.counts(length=length)


def batches(lengths: Sequence[int], batch: int) -> Iterator[Sequence[int]]:
    """Yield the lengths in their order, `batch` at a time."""
    for start in range(0, len(lengths), batch):
        yield lengths[start : start + batch]


def static_steps(lengths: Sequence[int], batch: int) -> int:
    """Return the decode steps of batches that each run until their longest reply is done."""
    return sum(max(group) for group in batches(lengths, batch))


def continuous_steps(lengths: Sequence[int], batch: int) -> int:
    """Return the decode steps when a finished reply's slot goes to the next request at once."""
    slots = [0] * batch
    for length in lengths:
        heapq.heapreplace(slots, slots[0] + length)
    return max(slots)


@verifier
def schedule(lengths: Sequence[int], batch: int) -> dict[str, float]:
    """Decode steps and busy share of the slots, with static batches and with continuous batching.

    Unit: static_steps=1, continuous_steps=1, static_utilisation=1, continuous_utilisation=1, speedup=1
    Source: yu2022
    """
    _check(lengths, batch)
    static, continuous = static_steps(lengths, batch), continuous_steps(lengths, batch)
    busy = sum(lengths) / batch
    return {
        "static_steps": static,
        "continuous_steps": continuous,
        "static_utilisation": busy / static,
        "continuous_utilisation": busy / continuous,
        "speedup": static / continuous,
    }


@verifier
def simulate(
    batch: int, lengths: str = "exponential", requests: int = 20_000, mean: int = 200, seed: int = 0
) -> dict[str, float]:
    """The same for random reply lengths, all requests waiting from the start.

    Unit: static_steps=1, continuous_steps=1, static_utilisation=1, continuous_utilisation=1, speedup=1
    Source: yu2022
    """
    return schedule(draw_lengths(lengths, requests, mean, seed), batch)


@verifier
def padding_share(lengths: Sequence[int], batch: int, by_length: bool = False) -> float:
    """Share of the tokens of padded batches that is padding, in order of arrival or sorted by length.

    Formula: 1 − Σ lengths / Σ over batches of (requests · longest).
    Unit: 1
    Source: definition
    """
    _check(lengths, batch)
    ordered = sorted(lengths) if by_length else lengths
    padded = sum(len(group) * max(group) for group in batches(ordered, batch))
    return 1 - sum(lengths) / padded


@verifier
def step_time(batch: int, fixed: float, per_request: float) -> float:
    """Time of a decode step: reading the weights once, and something for each request.

    Formula: t = t_w + B · t_r.
    Unit: s
    Source: definition
    """
    arguments.counts(0, batch=batch)
    arguments.positive(fixed=fixed, per_request=per_request)
    return fixed + batch * per_request


@verifier
def throughput(batch: int, fixed: float, per_request: float) -> float:
    """Tokens a second of a decoding batch.

    Formula: B / (t_w + B · t_r), which tends to 1 / t_r.
    Unit: token/s
    Source: definition
    """
    return batch / step_time(batch, fixed, per_request)


@verifier
def throughput_gain(before: int, after: int, fixed: float, per_request: float) -> float:
    """Factor by which tokens a second grow from one batch size to another.

    Unit: 1
    Source: definition
    """
    arguments.counts(before=before)
    return throughput(after, fixed, per_request) / throughput(before, fixed, per_request)


@verifier
def batch_within(target: float, fixed: float, per_request: float) -> int:
    """Largest batch whose decode step stays within a time; 0 where reading the weights alone takes longer.

    Formula: floor((t − t_w) / t_r).
    Unit: 1
    Source: definition
    """
    arguments.positive(target=target, fixed=fixed, per_request=per_request)
    # as the decimals that were written: rounding noise must not cost a slot
    left = Fraction(str(target)) - Fraction(str(fixed))
    return max(0, math.floor(left / Fraction(str(per_request))))


@verifier
def device_multiplier(batch: float, speedup: float, fixed: float, per_request: float) -> float:
    """Factor of devices that keeps the throughput when steps must be `speedup` times faster.

    A smaller batch makes the step faster and each device less productive; below the time to read the
    weights no number of devices helps.

    Formula: (B / t) / (B' / t') with t' = t / speedup and B' = (t' − t_w) / t_r.
    Unit: 1
    Source: definition
    """
    arguments.positive(batch=batch, speedup=speedup, fixed=fixed, per_request=per_request)
    before = fixed + batch * per_request
    after = before / speedup
    if after <= fixed:
        raise ValueError(f"a step cannot take {after} s: the weights alone take {fixed} s")
    return batch / before / ((after - fixed) / per_request / after)
