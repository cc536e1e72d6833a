"""Independent ways to the numbers of verifiers/filters.py: messages counted one by one."""

from __future__ import annotations

import itertools
import math

import pytest

from proofdeck import witnesses
from verifiers import filters


@witnesses("filters.caught")
@pytest.mark.parametrize("recalls", [[], [0.4], [0.4, 0.85], [0.5, 0.0, 0.25]])
def test_caught_equals_the_sum_over_all_outcomes(recalls: list[float]) -> None:
    caught = 0.0
    for outcome in itertools.product((True, False), repeat=len(recalls)):
        chance = math.prod(r if hit else 1 - r for r, hit in zip(recalls, outcome, strict=True))
        caught += chance * any(outcome)
    assert filters.caught(recalls) == pytest.approx(caught)


@witnesses("filters.passed", "filters.precision")
def test_shares_equal_a_count_of_ten_thousand_messages() -> None:
    violations, benign = 200, 9800
    stopped, wrongly = 200 * 40 // 100, 9800 // 100
    passed = violations - stopped + benign - wrongly
    assert filters.passed(0.02, 0.4, 0.01) == pytest.approx(passed / 10_000)
    assert filters.precision(0.02, 0.4, 0.01) == pytest.approx(stopped / (stopped + wrongly))
    assert filters.passed(0.02, 0.4) == filters.passed(0.02, 0.4, 0.0) == pytest.approx(0.992)
    assert filters.passed(1, 1, 0) == filters.passed(0, 0, 1) == 0
    assert filters.precision(1, 1, 0) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: filters.caught([1.1]),
        lambda: filters.passed(1.1, 0),
        lambda: filters.passed(0, 1.1),
        lambda: filters.passed(0, 0, 1.1),
        lambda: filters.precision(0.5, 0, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
