"""Independent ways to the numbers of verifiers/response_time.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import response_time


@witnesses("response_time.timing")
@pytest.mark.parametrize(("tokens", "per_pass"), [(1, 1), (9, 1), (9, 4), (201, 2)])
def test_times_equal_a_clock_that_runs_through_the_passes(tokens: int, per_pass: int) -> None:
    clock, seen = 0.5, [0.5]
    while len(seen) < tokens:
        clock += 0.03
        seen += [clock] * per_pass
    got = response_time.timing(0.5, 0.03, tokens, per_pass)
    assert got["first"] == seen[0]
    assert got["whole"] == pytest.approx(seen[-1], rel=1e-9)
    if tokens > 1:
        assert got["each"] == pytest.approx(np.diff(seen).sum() / (len(seen) - 1), rel=1e-9)
    if per_pass == 1:
        assert got == response_time.timing(0.5, 0.03, tokens)


@pytest.mark.parametrize(
    "call",
    [
        lambda: response_time.timing(0, 1, 1),
        lambda: response_time.timing(1, 0, 1),
        lambda: response_time.timing(1, 1, 0),
        lambda: response_time.timing(1, 1, 1, 0.9),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
