"""Witnesses of `verifiers/speculative.py`: simulation of drafts and passes, on a clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import speculative


def enumerated(rates: list[Fraction], bonus: bool = True) -> Fraction:
    """Go through every course of a pass: which drafts would pass their test, and what is emitted."""
    mean = Fraction(0)
    for course in itertools.product((True, False), repeat=len(rates)):
        chance = Fraction(1)
        for passed, rate in zip(course, rates, strict=True):
            chance *= rate if passed else 1 - rate
        accepted = course.index(False) if False in course else len(course)
        emitted = accepted + 1 if accepted < len(course) or bonus else accepted
        mean += chance * emitted
    return mean


@witnesses("speculative.expected_tokens", "speculative.tokens_by_position", "speculative.limit_tokens")
@pytest.mark.parametrize("tenths", [0, 3, 7, 10])
@pytest.mark.parametrize("drafts", [1, 2, 5])
def test_tokens_by_enumeration(tenths: int, drafts: int) -> None:
    rate = Fraction(tenths, 10)
    assert speculative.expected_tokens(tenths / 10, drafts) == pytest.approx(
        float(enumerated([rate] * drafts))
    )
    without = float(enumerated([rate] * drafts, bonus=False))
    assert speculative.expected_tokens(tenths / 10, drafts, bonus=False) == pytest.approx(without)
    falling = [rate / (1 + place) for place in range(drafts)]
    ours = speculative.tokens_by_position(tuple(map(float, falling)))
    assert ours == pytest.approx(float(enumerated(falling)))
    if tenths < 10:
        limit = speculative.limit_tokens(tenths / 10)
        assert limit == pytest.approx(speculative.expected_tokens(tenths / 10, 200))
    assert speculative.tokens_by_position(()) == 1


@witnesses("speculative.simulated", "speculative.expected_tokens")
def test_simulated_passes_one_by_one() -> None:
    for rate, drafts, passes, seed in ((0.7, 5, 400, 3), (0.0, 2, 50, 0), (1.0, 3, 1, 1)):
        tokens = []
        for row in np.random.default_rng(seed).random((passes, drafts)):
            count = 0
            while count < drafts and row[count] < rate:
                count += 1
            tokens.append(count + 1)
        ours = speculative.simulated(rate, drafts, passes, seed)
        assert ours == {"mean": pytest.approx(np.mean(tokens)), "least": min(tokens), "most": max(tokens)}
    assert speculative.simulated(0.7, 5) == speculative.simulated(0.7, 5, 20_000, 0)
    assert speculative.simulated(0.7, 5)["mean"] == pytest.approx(
        speculative.expected_tokens(0.7, 5), abs=0.03
    )


@witnesses("speculative.speedup", "speculative.extra_arithmetic")
@pytest.mark.parametrize(
    "rate, drafts, cost, pass_cost", [(0.8, 5, 0.02, 1.0), (0.3, 4, 0.1, 1.5), (0.6, 1, 0.0, 0.5)]
)
def test_speedup_on_a_clock(rate: float, drafts: int, cost: float, pass_cost: float) -> None:
    random = np.random.default_rng(0)
    tokens = drafted = checked = passes = 0
    seconds = 0.0
    while tokens < 12_000:
        accepted = int(np.argmin([*(random.random(drafts) < rate), False]))
        tokens += accepted + 1
        seconds += sum([cost] * drafts) + pass_cost
        drafted, checked, passes = drafted + drafts, checked + drafts + 1, passes + 1
    assert speculative.speedup(rate, drafts, cost, pass_cost) == pytest.approx(tokens / seconds, rel=0.05)
    arithmetic = (drafted * cost + checked) / tokens
    assert speculative.extra_arithmetic(rate, drafts, cost) == pytest.approx(arithmetic, rel=0.05)
    assert speculative.speedup(rate, drafts, cost) == speculative.speedup(rate, drafts, cost, 1.0)


@witnesses("speculative.best_drafts")
@pytest.mark.parametrize("rate, cost", [(0.8, 0.02), (0.5, 0.1), (0.95, 0.0), (0.3, 0.3), (0.9, 0.05)])
def test_best_length_by_trying(rate: float, cost: float) -> None:
    speeds = {0: 1.0}
    for drafts in range(1, 13):
        tokens = float(enumerated([Fraction(rate).limit_denominator(100)] * drafts)) if drafts < 9 else None
        tokens = tokens or sum(rate**k for k in range(drafts + 1))
        speeds[drafts] = tokens / (drafts * cost + 1)
    best = max(speeds, key=lambda drafts: (round(speeds[drafts], 12), -drafts))
    assert speculative.best_drafts(rate, cost, limit=12) == best
    assert speculative.best_drafts(1.0, 0.0) == speculative.best_drafts(1.0, 0.0, 64) == 64
    assert speculative.best_drafts(1.0, 0.0, 1) == 1
    assert speculative.best_drafts(0.2, 0.2, 3) == speculative.best_drafts(0.0, 0.0) == 0


@witnesses("speculative.worthwhile_above_cost")
def test_a_wrong_best_length_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    speculative.worthwhile_above_cost()
    # one draft: (1 + α) tokens in 1 + c passes' time
    for rate, cost in ((0.3, 0.2), (0.2, 0.3)):
        assert (speculative.speedup(rate, 1, cost) > 1) == (rate > cost)
        assert speculative.speedup(rate, 1, cost) == pytest.approx((1 + rate) / (1 + cost))
    speculative.worthwhile_above_cost(rates=(0.25,), costs=(0.25,))  # equal: nothing gained
    monkeypatch.setattr(speculative, "best_drafts", lambda rate, cost, limit: int(rate > 2 * cost))
    with pytest.raises(AssertionError, match="a gain is"):
        speculative.worthwhile_above_cost()


@pytest.mark.parametrize(
    "call",
    [
        lambda: speculative.expected_tokens(1.1, 4),
        lambda: speculative.expected_tokens(0.5, 0),
        lambda: speculative.tokens_by_position((0.5, 1.1)),
        lambda: speculative.speedup(0.5, 4, -0.1),
        lambda: speculative.speedup(0.5, 4, 0.1, 0.0),
        lambda: speculative.extra_arithmetic(0.5, 4, -0.1),
        lambda: speculative.best_drafts(0.5, 0.1, 0),
        lambda: speculative.limit_tokens(1.0),
        lambda: speculative.limit_tokens(-0.1),
        lambda: speculative.simulated(1.1, 4),
        lambda: speculative.simulated(0.5, 0),
        lambda: speculative.simulated(0.5, 4, passes=0),
        lambda: speculative.simulated(0.5, 4, seed=-1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        call()
