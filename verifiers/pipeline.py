"""Pipeline parallelism: bubbles, micro-batches in flight, and schedules played through."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


@verifier
def bubble(stages: int, microbatches: int, chunks: int = 1) -> float:
    """Share of a step that each stage is idle, with GPipe or 1F1B; `chunks` of layers a stage interleave.

    Stages are equally fast, and what they send takes no time.

    Formula: (p − 1) / (v · m + p − 1).
    Unit: 1
    Source: huang2019, narayanan2021
    """
    arguments.counts(stages=stages, microbatches=microbatches, chunks=chunks)
    return (stages - 1) / (chunks * microbatches + stages - 1)


@verifier
def bubble_overhead(stages: int, microbatches: int, chunks: int = 1) -> float:
    """Idle time of a step over the time that its work takes without a bubble.

    Formula: (p − 1) / (v · m).
    Unit: 1
    Source: narayanan2021
    """
    arguments.counts(stages=stages, microbatches=microbatches, chunks=chunks)
    return (stages - 1) / (chunks * microbatches)


@verifier
def microbatches_for(stages: int, share: float, chunks: int = 1) -> int:
    """Fewest micro-batches with which the bubble takes no more than a share of the step.

    Formula: ceil((p − 1) · (1 / share − 1) / v).
    Unit: 1
    Source: narayanan2021
    """
    arguments.counts(stages=stages, chunks=chunks)
    arguments.positive(share=share)
    arguments.shares(share=share)
    told = Fraction(repr(share))  # the decimal as written, so that 0.3 is three tenths
    return max(1, math.ceil((stages - 1) * (1 / told - 1) / chunks))


@verifier
def in_flight(stages: int, microbatches: int, stage: int = 0, schedule: str = "1f1b") -> int:
    """Micro-batches whose activations a stage holds at once, at most; stages are counted from 0.

    Formula: m with GPipe; min(m, p − stage) with 1F1B.
    Unit: 1
    Source: narayanan2021
    """
    arguments.counts(stages=stages, microbatches=microbatches)
    arguments.counts(0, stage=stage)
    if stage >= stages:
        raise ValueError(f"there is no stage {stage} among {stages}")
    if arguments.one_of("schedule", schedule, ("gpipe", "1f1b")) == "gpipe":
        return microbatches
    return min(microbatches, stages - stage)


@verifier
def held_layers(layers: int, stages: int, microbatches: int, stage: int = 0, schedule: str = "1f1b") -> int:
    """Layers' activations, each of one micro-batch, that a stage holds at once.

    Formula: layers / p · micro-batches in flight: on the first stage of 1F1B all the layers, as without
    a pipeline, once there are as many micro-batches as stages.
    Unit: 1
    Source: korthikanti2022
    """
    arguments.divides(layers, stages, "layers")
    return layers // stages * in_flight(stages, microbatches, stage, schedule)


def _order(stages: int, microbatches: int, stage: int, schedule: str) -> list[tuple[str, int]]:
    """What a stage does, in its order: forwards and backwards of micro-batches."""
    warm = in_flight(stages, microbatches, stage, schedule)
    order = [("forward", index) for index in range(warm)]
    for index in range(microbatches):
        order.append(("backward", index))
        if warm + index < microbatches:
            order.append(("forward", warm + index))
    return order


@verifier
def simulate(
    stages: int, microbatches: int, schedule: str = "1f1b", forward: float = 1.0, backward: float = 2.0
) -> dict[str, float]:
    """Play a schedule through: time of the step, idle share of the stages, most micro-batches held.

    Unit: seconds=s, idle=1, held=1
    Source: huang2019, narayanan2021
    """
    arguments.counts(stages=stages)
    arguments.positive(forward=forward, backward=backward)
    todo = [_order(stages, microbatches, stage, schedule) for stage in range(stages)]
    cost = {"forward": forward, "backward": backward}
    # what comes before the first stage, and after the last, is there from the start
    ended = {("forward", -1, index): 0.0 for index in range(microbatches)}
    ended |= {("backward", stages, index): 0.0 for index in range(microbatches)}
    clock, most = [0.0] * stages, list[int]()
    held: list[set[int]] = [set() for _ in todo]
    while any(todo):
        for stage, waiting in enumerate(todo):
            if not waiting:
                continue
            kind, index = waiting[0]
            before = (kind, stage + (1 if kind == "backward" else -1), index)
            if before not in ended:
                continue
            waiting.pop(0)
            clock[stage] = max(clock[stage], ended[before]) + cost[kind]
            ended[kind, stage, index] = clock[stage]
            held[stage] ^= {index}  # taken up by a forward, let go by a backward
            most.append(len(held[stage]))
    total = max(clock)
    busy = microbatches * (forward + backward)
    return {"seconds": total, "idle": 1 - busy / total, "held": max(most)}


@verifier
def formula_equals_schedule(
    shapes: tuple[tuple[int, int], ...] = ((1, 3), (2, 1), (4, 8), (4, 2), (8, 8), (16, 64)),
    tolerance: float = 1e-12,
) -> dict[str, str | float]:
    """Check the bubble's share against schedules played through: GPipe and 1F1B are equally long.

    Unit: check
    Source: narayanan2021
    """
    for stages, microbatches in shapes:
        for schedule in ("gpipe", "1f1b"):
            played = simulate(stages, microbatches, schedule)
            told = bubble(stages, microbatches)
            assert abs(played["idle"] - told) <= tolerance, f"{schedule}: {played['idle']}, not {told}"
            held = in_flight(stages, microbatches, 0, schedule)
            assert played["held"] == held, f"{schedule}: {played['held']} held, not {held}"
    return {"stages, micro-batches": str(shapes), "tolerance": tolerance}
