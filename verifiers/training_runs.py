"""Long training runs on many devices: failures, goodput, checkpoints, and what they cost."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments

HOUR = 3600.0
DAY = 24 * HOUR


@verifier
def between_failures(days: float, events: float, share: float = 1.0) -> float:
    """Mean time between failures of one kind, by how many there were and that kind's share of them.

    Formula: time / (events · share).
    Unit: s
    Source: definition
    """
    arguments.positive(days=days, events=events, share=share)
    arguments.shares(share=share)
    return days * DAY / (events * share)


@verifier
def cluster_between_failures(device_hours: float, devices: int) -> float:
    """Mean time until some device of a cluster fails, each failing independently.

    Formula: a device's mean time / devices.
    Unit: s
    Source: definition
    """
    arguments.positive(device_hours=device_hours)
    arguments.counts(devices=devices)
    return device_hours * HOUR / devices


@verifier
def cost(hours: float, devices: int = 1, dollars_per_hour: float = 1.0) -> float:
    """Price of devices for a time by the wall clock.

    Formula: hours · devices · price of a device's hour.
    Unit: $
    Source: definition
    """
    arguments.non_negative(hours=hours, dollars_per_hour=dollars_per_hour)
    arguments.counts(devices=devices)
    return hours * devices * dollars_per_hour


@verifier
def wall_clock(device_hours: float, devices: int) -> float:
    """Time by the wall clock that a number of device hours takes a cluster.

    Formula: device hours / devices.
    Unit: s
    Source: definition
    """
    arguments.non_negative(device_hours=device_hours)
    arguments.counts(devices=devices)
    return device_hours * HOUR / devices


@verifier
def step_time(params: float, tokens: float, devices: int, rate: float) -> float:
    """Time for some tokens of training, by the FLOP/s that each device delivers.

    Formula: 6 · N · tokens / (devices · rate).
    Unit: s
    Source: kaplan2020
    """
    arguments.positive(params=params, tokens=tokens, rate=rate)
    arguments.counts(devices=devices)
    return 6 * params * tokens / (devices * rate)


@verifier
def goodput(useful: float, wall: float) -> float:
    """Share of the wall clock that advances the accepted run; steps rolled back or repeated do not count.

    Formula: time of the steps kept / wall-clock time.
    Unit: 1
    Source: definition
    """
    arguments.positive(wall=wall)
    arguments.non_negative(useful=useful)
    arguments.shares(goodput=useful / wall)
    return useful / wall


@verifier
def run_utilisation(goodput: float, step_utilisation: float) -> float:
    """Utilisation (MFU) of a whole run from that of its steps: goodput is no MFU, it multiplies one.

    Formula: goodput · MFU while stepping.
    Unit: 1
    Source: definition
    """
    arguments.shares(goodput=goodput, step_utilisation=step_utilisation)
    return goodput * step_utilisation


@verifier
def goodput_gap(
    days: float, before: float, after: float, devices: int, dollars_per_hour: float
) -> dict[str, float]:
    """What a difference in goodput is worth over a run of given length.

    Formula: (after − before) · time, by the wall clock, summed over devices, and in money.
    Unit: wall=s, device_time=s, dollars=$
    Source: definition
    """
    arguments.positive(days=days)
    arguments.shares(before=before, after=after)
    arguments.counts(devices=devices)
    arguments.non_negative(dollars_per_hour=dollars_per_hour)
    wall = (after - before) * days * DAY
    device_time = wall * devices
    return {"wall": wall, "device_time": device_time, "dollars": device_time / HOUR * dollars_per_hour}


@verifier
def lost_work(interval: float) -> float:
    """Work that a failure at a random moment undoes on average, in the unit of the checkpoints' interval.

    Formula: interval / 2.
    Unit: 1
    Source: young1974
    """
    arguments.positive(interval=interval)
    return interval / 2


@verifier
def checkpoint_overhead(interval: float, stall: float) -> float:
    """Time that saving adds to training: the stall of each checkpoint over the work between two.

    Formula: stall / interval.
    Unit: 1
    Source: young1974
    """
    arguments.positive(interval=interval)
    arguments.non_negative(stall=stall)
    return stall / interval


@verifier
def interval_for_overhead(stall: float, share: float) -> float:
    """Work between two checkpoints at which saving adds a given share of time.

    Formula: stall / share.
    Unit: s
    Source: young1974
    """
    arguments.positive(stall=stall, share=share)
    return stall / share


@verifier
def best_interval(stall: float, between_failures: float) -> float:
    """Work between checkpoints that loses least time to saving and to failures, where failures are rare.

    Formula: √(2 · stall · mean time between failures).
    Unit: s
    Source: young1974
    """
    arguments.positive(stall=stall, between_failures=between_failures)
    return math.sqrt(2 * stall * between_failures)


@verifier
def waste(interval: float, stall: float, between_failures: float, restart: float = 0.0) -> float:
    """Share of the time lost to checkpoints, to undone work and to restarts, where failures are rare.

    Formula: stall / interval + (interval / 2 + restart) / mean time between failures.
    Unit: 1
    Source: young1974
    """
    arguments.positive(between_failures=between_failures)
    arguments.non_negative(restart=restart)
    undone = (lost_work(interval) + restart) / between_failures
    return checkpoint_overhead(interval, stall) + undone
