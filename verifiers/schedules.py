"""Learning-rate schedules: warmup, then constant, linear, cosine, inverse square root or WSD."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree

DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "wsd": lambda progress: 1 - progress,
    "wsd-sqrt": lambda progress: 1 - math.sqrt(progress),
}
INVERSE = "inverse-sqrt"


def factor(kind: str, step: float, total: int, warmup: int, decay: int, floor: float) -> float:
    """Learning rate over its peak."""
    if step < warmup:
        return step / warmup
    if kind == INVERSE:
        return math.sqrt(warmup / step)
    first = total - decay if decay else warmup
    progress = max(0.0, (step - first) / (total - first))
    return floor + (1 - floor) * DECAYS[kind](progress)


def _check(kind: str, total: int, warmup: int, decay: int, floor: float) -> None:
    arguments.one_of("schedule", kind, (*DECAYS, INVERSE))
    arguments.counts(0, warmup=warmup, decay=decay)
    arguments.counts(**{"total − warmup": total - warmup})
    arguments.counts(0, **{"total − warmup − decay": total - warmup - decay})
    arguments.shares(floor=floor)
    if bool(decay) != kind.startswith("wsd"):
        raise ValueError("a WSD schedule, and no other, needs the number of its decay steps")
    if kind == INVERSE and (floor or not warmup):
        raise ValueError("an inverse square root needs a warmup, and has no floor")


@verifier
def learning_rate(
    kind: str, step: int, total: int, peak: float = 1.0, warmup: int = 0, decay: int = 0, floor: float = 0.0
) -> float:
    """Learning rate at a step of a schedule; `floor` is the last rate as a share of the peak.

    Formula: warmup step/W; then, at progress x from the start of the decay to the end: linear 1 − x,
    cosine (1 + cos πx)/2, inverse-sqrt √(W/step); wsd: at the peak until the last `decay` steps, there
    1 − x, or 1 − √x for wsd-sqrt.
    Unit: 1
    Source: loshchilov2017, vaswani2017, hu2024minicpm, hagele2024
    """
    _check(kind, total, warmup, decay, floor)
    arguments.counts(0, step=step, **{"total − step": total - step})
    arguments.positive(peak=peak)
    return peak * factor(kind, step, total, warmup, decay, floor)


@verifier
def mean_rate(kind: str, total: int, warmup: int = 0, decay: int = 0, floor: float = 0.0) -> float:
    """Mean of a schedule over the run (its integral), as a share of the peak: how far the weights can travel.

    Formula: W/2 for the warmup, T − W for a constant rate, half of it (and the floor) for linear and
    cosine, 2(√(WT) − W) for the inverse square root, D/2 for a linear and D/3 for a square-root decay; by T.
    Unit: 1
    Source: definition
    """
    _check(kind, total, warmup, decay, floor)
    if kind == INVERSE:
        return (warmup / 2 + 2 * (math.sqrt(warmup * total) - warmup)) / total
    under = {"constant": 1.0, "linear": 1 / 2, "cosine": 1 / 2, "wsd": 1 / 2, "wsd-sqrt": 1 / 3}[kind]
    tail = decay or total - warmup
    return (warmup / 2 + total - warmup - tail + tail * (floor + (1 - floor) * under)) / total


@verifier
def warmup_share(warmup: float, total: float) -> float:
    """Share of a run that its warmup takes, both in steps or both in tokens.

    Formula: W / T.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(warmup=warmup, **{"total − warmup": total - warmup})
    arguments.positive(total=total)
    return warmup / total


@verifier
def noam_peak(d_model: int, warmup: int) -> float:
    """Largest learning rate of the original transformer's schedule, at the end of its warmup.

    Formula: d_model^(−½) · min(step^(−½), step · W^(−3/2)) at step W: (d_model · W)^(−½).
    Unit: 1
    Source: vaswani2017
    """
    arguments.counts(d_model=d_model, warmup=warmup)
    return 1 / math.sqrt(d_model * warmup)


@verifier
def schedules_are_continuous(
    total: int = 1000,
    warmup: int = 100,
    decay: int = 200,
    floors: Sequence[float] = (0.0, 0.1),
    step: float = 1e-9,
    tolerance: float = 1e-4,
) -> dict[str, object]:
    """Check that no schedule jumps: it peaks where the warmup ends, never exceeds it and ends at the floor.

    Formula: factor(W) = 1; |factor(t) − factor(t − dt)| → 0 at every step; factor(T) = floor.
    Unit: check
    Source: definition
    """
    for kind in (*DECAYS, INVERSE):
        for floor in floors:
            shape = (total, warmup, decay if kind.startswith("wsd") else 0, floor)
            agree(factor(kind, warmup, *shape), 1.0, 0.0, f"{kind} after the warmup")
            for t in range(1, total + 1):
                here, just_before = (factor(kind, moment, *shape) for moment in (t, t - step))
                agree(here, just_before, tolerance, f"{kind}, to the left of step {t},")
                assert here <= 1, f"{kind} exceeds its peak at step {t}"
            if kind not in ("constant", INVERSE):
                agree(factor(kind, total, *shape), floor, tolerance, f"{kind} at the end")
    return {"total": total, "warmup": warmup, "decay": decay, "tolerance": tolerance}
