"""Independent ways to the numbers of verifiers/filters.py: messages counted one by one."""

from __future__ import annotations

import pytest

from proofdeck import witnesses
from verifiers import filters


@witnesses("filters.passed")
def test_shares_equal_a_count_of_ten_thousand_messages() -> None:
    violations, benign = 200, 9800
    stopped, wrongly = 200 * 40 // 100, 9800 // 100
    passed = violations - stopped + benign - wrongly
    assert filters.passed(0.02, 0.4, 0.01) == pytest.approx(passed / 10_000)
    assert filters.passed(0.02, 0.4) == filters.passed(0.02, 0.4, 0.0) == pytest.approx(0.992)
    assert filters.passed(1, 1, 0) == filters.passed(0, 0, 1) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: filters.passed(1.1, 0),
        lambda: filters.passed(0, 1.1),
        lambda: filters.passed(0, 0, 1.1),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
