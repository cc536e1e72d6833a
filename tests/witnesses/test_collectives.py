"""Collectives played through message by message, and their times added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import collectives


def halving(count: int, size: int, gather: bool) -> tuple[int, int]:
    """Play recursive halving, and doubling back; return messages in a row and elements one device sent."""
    held, rounds, moved = size, 0, 0
    distance = count // 2
    while distance:
        held //= 2  # keeps one half of what it holds, sends the other to its partner
        rounds, moved, distance = rounds + 1, moved + held, distance // 2
    while gather and held < size:
        rounds, moved, held = rounds + 1, moved + held, 2 * held
    return rounds, moved


def ring(count: int, size: int, collective: str) -> tuple[int, int]:
    """Play a ring; return messages in a row and elements that one device sent."""
    piece = size // count
    passes = {"all_reduce": 2}.get(collective, 1)
    return passes * (count - 1), sum(piece for _ in range(passes) for _ in range(count - 1))


@witnesses("collectives.sent", "collectives.steps", "collectives.seconds", "collectives.bus_bandwidth")
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("collective", ["all_reduce", "reduce_scatter", "all_gather", "all_to_all"])
def test_a_ring_sends_one_piece_a_step(count: int, collective: str) -> None:
    size = 24 * 5
    steps, moved = ring(count, size, collective)
    assert collectives.sent(size, count, collective) == moved
    assert collectives.steps(count, collective) == steps
    assert collectives.steps(count, collective, "ring") == steps
    told = collectives.seconds(size, count, 50.0, 0.25, collective)
    assert told == pytest.approx(steps * 0.25 + moved / 50)
    assert collectives.seconds(size, count, 50.0, collective=collective) == pytest.approx(moved / 50)
    assert collectives.bus_bandwidth(size, count, 4.0, collective) == moved / 4
    if collective == "all_reduce":
        assert collectives.sent(size, count) == moved
        assert collectives.steps(count) == steps
        assert collectives.seconds(size, count, 50.0, 0.25) == told
        assert collectives.bus_bandwidth(size, count, 4.0) == moved / 4


@witnesses("collectives.sent", "collectives.steps")
@pytest.mark.parametrize("count", [1, 2, 4, 8, 64])
def test_halving_sends_as_much_in_fewer_steps(count: int) -> None:
    for collective in ("all_reduce", "reduce_scatter"):
        rounds, moved = halving(count, 640, collective == "all_reduce")
        assert collectives.steps(count, collective, "halving") == rounds
        assert collectives.sent(640, count, collective) == moved
        told = collectives.seconds(640, count, 10.0, 1.0, collective, "halving")
        assert told == pytest.approx(rounds + moved / 10)


def test_impossible_collectives_are_refused() -> None:
    assert collectives.sent(0, 1) == 0
    for wrong in ((-1, 2), (1, 0), (1, 2.0), (1, 2, "all_sum")):
        with pytest.raises(ValueError):
            collectives.sent(*wrong)
    for count in (3, 6, 12):
        with pytest.raises(ValueError, match="power of two"):
            collectives.steps(count, "all_reduce", "halving")
    for steps in ((0,), (2, "sum"), (2, "all_reduce", "tree")):
        with pytest.raises(ValueError):
            collectives.steps(*steps)
    for times in ((1, 2, 0), (1, 2, -1), (1, 2, 1, -1)):
        with pytest.raises(ValueError):
            collectives.seconds(*times)
    assert collectives.seconds(1, 2, 1, 0) == 1
    for seconds in (0, -1):
        with pytest.raises(ValueError):
            collectives.bus_bandwidth(1, 2, seconds)


@witnesses("collectives.ring_all_reduce_sums")
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_ring_leaves_the_sum_everywhere(count: int) -> None:
    buffers = [np.random.default_rng(i).standard_normal(4 * count) for i in range(count)]
    kept = [buffer.copy() for buffer in buffers]
    results, moved = collectives.ring_all_reduce(buffers)
    assert all(np.array_equal(one, other) for one, other in zip(buffers, kept, strict=True))
    np.testing.assert_allclose(results, [np.sum(buffers, axis=0)] * count, atol=1e-12)
    assert moved == [2 * (count - 1) * 4] * count
    assert collectives.ring_all_reduce_sums()["devices"] == "(1, 2, 3, 4, 8)"


def _unsummed(buffers: Sequence[Any]) -> tuple[list[Any], list[int]]:
    return list(buffers), collectives_ring(buffers)[1]


def _one_wrong(buffers: Sequence[Any]) -> tuple[list[Any], list[int]]:
    results, moved = collectives_ring(buffers)
    results[-1] = np.append(results[-1][:-1], results[-1][-1] + 1e-9)
    return results, moved


def _too_much(buffers: Sequence[Any]) -> tuple[list[Any], list[int]]:
    results, moved = collectives_ring(buffers)
    return results, [*moved[:-1], moved[-1] + 1]


collectives_ring = collectives.ring_all_reduce


@pytest.mark.parametrize(("broken", "told"), [(_unsummed, "sum"), (_one_wrong, "sum"), (_too_much, "sent")])
def test_the_rings_check_notices_a_broken_one(
    monkeypatch: pytest.MonkeyPatch, broken: Any, told: str
) -> None:
    monkeypatch.setattr(collectives, "ring_all_reduce", broken)
    with pytest.raises(AssertionError, match=told):
        collectives.ring_all_reduce_sums()


def test_the_rings_check_allows_its_tolerance_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(buffers: Sequence[Any]) -> tuple[list[Any], list[int]]:
        return [np.sum(buffers, axis=0) + 0.5 for _ in buffers], collectives_ring(buffers)[1]

    monkeypatch.setattr(collectives, "ring_all_reduce", off)
    zero = {"devices": (1,), "pieces": 3}
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Zeros())
    collectives.ring_all_reduce_sums(**zero, tolerance=0.5)
    with pytest.raises(AssertionError):
        collectives.ring_all_reduce_sums(**zero, tolerance=0.49)


class Zeros:
    """A generator of nothing but zeros."""

    def standard_normal(self, shape: tuple[int, ...]) -> Any:
        return np.zeros(shape)


@witnesses("collectives.all_reduce_is_scatter_and_gather")
@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_the_passes_of_a_ring_are_a_scatter_and_a_gather(count: int) -> None:
    buffers = [np.random.default_rng(i).standard_normal(3 * count) for i in range(count)]
    held = collectives.split(buffers)
    assert [[len(piece) for piece in pieces] for pieces in held] == [[3] * count] * count
    moved = collectives.ring_pass(held, 0, True)
    assert moved == [ring(count, 3 * count, "reduce_scatter")[1]] * count
    whole = np.sum(buffers, axis=0)
    for device in range(count):
        turn = (device + 1) % count
        np.testing.assert_allclose(held[device][turn], whole[3 * turn : 3 * turn + 3], atol=1e-12)
    moved = collectives.ring_pass(held, 1, False)
    assert moved == [ring(count, 3 * count, "all_gather")[1]] * count
    for pieces in held:
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-12)
    assert np.array_equal(buffers[0], np.random.default_rng(0).standard_normal(3 * count))


def test_the_check_of_both_passes_tells_what_it_tried() -> None:
    told = collectives.all_reduce_is_scatter_and_gather((2, 3), pieces=2, tolerance=1e-9)
    assert told == {"devices": "(2, 3)", "pieces": 2, "tolerance": 1e-9}


right_pass = collectives.ring_pass


def _bent(step: int, by: float) -> Any:
    """Return a pass that adds to one entry of the last device's pieces, or to what it sent."""

    def broken(pieces: Any, first: int, add: bool) -> list[int]:
        moved = right_pass(pieces, first, add)
        if first == step:
            pieces[-1][0] = pieces[-1][0] + by
        return moved

    return broken


def _chatty(step: int) -> Any:
    def broken(pieces: Any, first: int, add: bool) -> list[int]:
        moved = right_pass(pieces, first, add)
        return [*moved[:-1], moved[-1] + (first == step)]

    return broken


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (_bent(0, 1e-9), "scattered sums"),
        (_bent(0, -1e-9), "scattered sums"),
        (_bent(1, 1e-9), "gathered sums"),
        (_chatty(0), "scatter$"),
        (_chatty(1), "gather$"),
        (lambda pieces, first, add: right_pass(pieces, first, False), "scattered sums"),
        (lambda pieces, first, add: right_pass(pieces, 0, add), "gathered sums"),
    ],
)
def test_the_check_of_both_passes_notices_a_broken_one(
    monkeypatch: pytest.MonkeyPatch, broken: Any, told: str
) -> None:
    monkeypatch.setattr(collectives, "ring_pass", broken)
    with pytest.raises(AssertionError, match=told):
        collectives.all_reduce_is_scatter_and_gather((4,))


@pytest.mark.parametrize("collective", ["all_reduce", "reduce_scatter", "all_gather"])
def test_the_check_of_both_passes_notices_wrong_counts(
    monkeypatch: pytest.MonkeyPatch, collective: str
) -> None:
    monkeypatch.setitem(collectives.PASSES, collective, 3)
    with pytest.raises(AssertionError):
        collectives.all_reduce_is_scatter_and_gather((4,))


def test_the_check_of_both_passes_allows_its_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Zeros())
    monkeypatch.setattr(collectives, "ring_pass", _bent(0, 0.5))
    collectives.all_reduce_is_scatter_and_gather((1,), tolerance=0.5)
    with pytest.raises(AssertionError, match="scattered sums"):
        collectives.all_reduce_is_scatter_and_gather((1,), tolerance=0.49)
    monkeypatch.setattr(collectives, "ring_pass", _bent(1, 0.5))
    collectives.all_reduce_is_scatter_and_gather((1,), tolerance=0.5)
    with pytest.raises(AssertionError, match="gathered sums"):
        collectives.all_reduce_is_scatter_and_gather((1,), tolerance=0.49)


def test_an_all_to_all_is_not_halved() -> None:
    assert collectives.steps(4, "all_to_all") == 3
    with pytest.raises(ValueError, match="passes pieces on"):
        collectives.steps(4, "all_to_all", "halving")
    with pytest.raises(ValueError, match="passes pieces on"):
        collectives.seconds(1, 4, 1, 1, "all_to_all", "halving")
