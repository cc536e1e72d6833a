"""What a learning-rate schedule does where nothing stops it: at its first step, and past its end."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments


@verifier
def unclamped_cosine(step: int, total: int, peak: float = 1.0, warmup: int = 0, floor: float = 0.0) -> float:
    """Learning rate of a cosine schedule whose progress is not limited to one: past the end it rises again.

    Formula: peak · (floor + (1 − floor) · (1 + cos(π · (step − W)/(total − W))) / 2), floor a share of the
    peak; the period is twice the decay.
    Unit: 1
    Source: loshchilov2017
    """
    arguments.counts(0, step=step, warmup=warmup)
    arguments.counts(warmup + 1, total=total)
    arguments.positive(peak=peak)
    arguments.shares(floor=floor)
    if step < warmup:
        return peak * step / warmup
    progress = (step - warmup) / (total - warmup)
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)


@verifier
def first_rate(warmup: int, from_one: bool = False, peak: float = 1.0) -> float:
    """Learning rate of the first step of a linear warmup, counted from zero or from one.

    Counted from zero the first step changes nothing.

    Formula: peak · 0 / W, or peak · 1 / W.
    Unit: 1
    Source: definition
    """
    arguments.counts(warmup=warmup)
    arguments.positive(peak=peak)
    return peak * from_one / warmup


@verifier
def back_at(total: int, warmup: int = 0) -> dict[str, int]:
    """The steps, beyond its end, at which an unclamped cosine is back at its peak, and next at its floor.

    Formula: 2T − W and 3T − 2W.
    Unit: 1
    Source: loshchilov2017
    """
    arguments.counts(0, warmup=warmup)
    arguments.counts(warmup + 1, total=total)
    return {"peak": 2 * total - warmup, "floor": 3 * total - 2 * warmup}
