"""Pipelines drawn as a grid of time slots, one by one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import pipeline

SHAPES = [(1, 1), (1, 4), (2, 1), (2, 3), (3, 5), (4, 2), (4, 8), (5, 4), (8, 8)]


def grid(stages: int, microbatches: int, one_forward_one_backward: bool) -> tuple[int, list[int]]:
    """Advance slot by slot, each of one forward's time, a backward taking two; time and most held a stage.

    A stage takes a backward as soon as there is one; 1F1B starts no more forwards than would be ahead of
    the stages below.
    """
    forwards = [0] * stages  # done by each stage
    backwards = [0] * stages
    busy: list[tuple[str, int] | None] = [None] * stages  # what runs, and slots left
    most = [0] * stages
    slot = 0
    while backwards != [microbatches] * stages:
        ready_f = [microbatches if s == 0 else forwards[s - 1] for s in range(stages)]
        ready_b = [forwards[s] if s == stages - 1 else backwards[s + 1] for s in range(stages)]
        for s in range(stages):
            if busy[s]:
                continue
            ahead = forwards[s] - backwards[s]
            limit = stages - s if one_forward_one_backward else microbatches
            all_forward = forwards[s] == microbatches
            may_back = ready_b[s] > backwards[s] and (one_forward_one_backward or all_forward)
            if may_back and (ahead >= limit or all_forward):
                busy[s] = ("b", 2)
            elif forwards[s] < ready_f[s] and ahead < limit:
                busy[s] = ("f", 1)
        slot += 1
        for s in range(stages):
            if busy[s]:
                kind, left = busy[s]  # type: ignore[misc]
                busy[s] = (kind, left - 1) if left > 1 else None
                if left == 1 and kind == "f":
                    forwards[s] += 1
                elif left == 1:
                    backwards[s] += 1
                most[s] = max(most[s], forwards[s] - backwards[s])
    return slot, most


@witnesses("pipeline.bubble", "pipeline.bubble_overhead", "pipeline.in_flight", "pipeline.simulate")
@pytest.mark.parametrize(("stages", "microbatches"), SHAPES)
@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_a_grid_of_slots_gives_time_bubble_and_what_is_held(
    stages: int, microbatches: int, schedule: str
) -> None:
    slots, most = grid(stages, microbatches, schedule == "1f1b")
    work = 3 * microbatches
    assert pipeline.bubble(stages, microbatches) == float(1 - Fraction(work, slots))
    assert pipeline.bubble_overhead(stages, microbatches) == float(Fraction(slots - work, work))
    played = pipeline.simulate(stages, microbatches, schedule)
    assert played["seconds"] == slots
    assert played["idle"] == pytest.approx(float(1 - Fraction(work, slots)), abs=1e-15)
    assert played["held"] == max(most)
    told = [pipeline.in_flight(stages, microbatches, stage, schedule) for stage in range(stages)]
    assert told == most
    if schedule == "1f1b":
        assert [pipeline.in_flight(stages, microbatches, s) for s in range(stages)] == most
        assert pipeline.in_flight(stages, microbatches) == most[0]
        assert pipeline.simulate(stages, microbatches) == played


def test_other_durations_stretch_the_schedule() -> None:
    for stages, microbatches in SHAPES:
        for schedule in ("gpipe", "1f1b"):
            played = pipeline.simulate(stages, microbatches, schedule, forward=3.0, backward=5.0)
            assert played["seconds"] == 8 * (microbatches + stages - 1)
            assert played["idle"] == pytest.approx(pipeline.bubble(stages, microbatches), abs=1e-12)
            short = pipeline.simulate(stages, microbatches, schedule, forward=0.125, backward=0.125)
            assert short["seconds"] == (microbatches + stages - 1) / 4


@pytest.mark.parametrize(("stages", "microbatches", "chunks"), [(4, 8, 2), (4, 4, 3), (2, 2, 4), (8, 16, 2)])
def test_interleaving_divides_the_bubble_by_the_chunks(stages: int, microbatches: int, chunks: int) -> None:
    """The ramp up and down is stages - 1 pieces of work, each a chunk long."""
    work = Fraction(microbatches * 3)
    ramp = (stages - 1) * Fraction(3, chunks)
    assert pipeline.bubble_overhead(stages, microbatches, chunks) == pytest.approx(float(ramp / work))
    assert pipeline.bubble(stages, microbatches, chunks) == pytest.approx(float(ramp / (work + ramp)))


@witnesses("pipeline.microbatches_for")
@pytest.mark.parametrize("stages", [1, 2, 3, 4, 7, 8, 16])
@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("share", [1, 0.75, 0.5, 0.3, 0.2727, 0.2, 0.1, 1 / 7, 0.01])
def test_micro_batches_are_added_until_the_bubble_is_small(stages: int, chunks: int, share: float) -> None:
    count = 1
    while Fraction(stages - 1, chunks * count + stages - 1) > Fraction(str(share)):
        count += 1
    assert pipeline.microbatches_for(stages, share, chunks) == count
    if chunks == 1:
        assert pipeline.microbatches_for(stages, share) == count


@witnesses("pipeline.held_layers")
def test_the_first_stage_holds_as_much_as_an_undivided_model() -> None:
    for layers, stages in ((8, 4), (32, 8), (6, 1), (6, 6)):
        for microbatches in (1, 2, 8, 40):
            for stage in range(stages):
                for schedule in ("gpipe", "1f1b"):
                    most = grid(stages, microbatches, schedule == "1f1b")[1][stage]
                    told = pipeline.held_layers(layers, stages, microbatches, stage, schedule)
                    assert told == most * layers / stages
                    assert isinstance(told, int)
            first = pipeline.held_layers(layers, stages, microbatches)
            assert first == layers * min(1, microbatches / stages)


@witnesses("pipeline.formula_equals_schedule")
@pytest.mark.parametrize("name", ["bubble", "in_flight"])
def test_the_check_notices_a_wrong_formula(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert pipeline.formula_equals_schedule()["tolerance"] == 1e-12
    right = getattr(pipeline, name)
    kept = pipeline._order

    def order(*shape: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, name, right)
            return kept(*shape)

    monkeypatch.setattr(pipeline, "_order", order)
    for wrong in (lambda *a: right(*a) + 1e-9, lambda *a: right(*a) - 1e-9):
        monkeypatch.setattr(pipeline, name, wrong)
        with pytest.raises(AssertionError):
            pipeline.formula_equals_schedule()


def test_the_check_plays_both_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[tuple[Any, ...]] = []
    right = pipeline.simulate
    monkeypatch.setattr(pipeline, "simulate", lambda *a: played.append(a) or right(*a))
    pipeline.formula_equals_schedule(((2, 3), (4, 4)), tolerance=1e-12)
    expected = [(p, m, schedule) for p, m in ((2, 3), (4, 4)) for schedule in ("gpipe", "1f1b")]
    assert played == expected
    # idle differs by exactly the tolerance: still allowed
    monkeypatch.setattr(pipeline, "simulate", lambda *a: {"idle": 0.75, "held": 1})
    monkeypatch.setattr(pipeline, "bubble", lambda *a: 0.5)
    pipeline.formula_equals_schedule(((1, 1),), tolerance=0.25)
    with pytest.raises(AssertionError):
        pipeline.formula_equals_schedule(((1, 1),), tolerance=0.24)


@pytest.mark.parametrize("name", ["bubble", "bubble_overhead"])
def test_impossible_pipelines_are_refused(name: str) -> None:
    function = getattr(pipeline, name)
    assert function(1, 1, 1) == 0
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1.5, 1, 1)):
        with pytest.raises(ValueError):
            function(*wrong)


def test_impossible_schedules_are_refused() -> None:
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        *(
            (pipeline.microbatches_for, wrong)
            for wrong in ((0, 0.5), (2, 0), (2, 1.1), (2, -0.1), (2, 0.5, 0))
        ),
        *(
            (pipeline.in_flight, wrong)
            for wrong in ((0, 1), (1, 0), (2, 1, -1), (2, 1, 2), (2, 1, 0, "2f2b"))
        ),
        *((pipeline.simulate, wrong) for wrong in ((0, 1), (True, 1), (1, 0))),
        *((pipeline.simulate, wrong) for wrong in ((1, 1, "gpipe", 0), (1, 1, "1f1b", 1, 0))),
        (pipeline.held_layers, (7, 2, 1)),
    ]
    for function, wrong in calls:
        with pytest.raises(ValueError):
            function(*wrong)
    assert pipeline.in_flight(2, 1, 1) == 1
