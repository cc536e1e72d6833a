"""Independent ways to the numbers of verifiers/safety.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proofdeck import witnesses
from verifiers import safety


@witnesses("safety.penalised_reward", "safety.penalty_slope")
@pytest.mark.parametrize("weight", [10.0, 0.5, 0.0])
def test_reward_is_flat_and_then_falls_in_a_line(weight: float) -> None:
    """Walk up from the threshold in small steps, each of which costs weight times its length."""
    for threshold in (0.1, 0.5):
        reward, steps = 0.8, 1000
        for step in range(steps + 1):
            harm = step / steps
            if harm > threshold + 0.5 / steps:
                reward -= weight / steps
            got = safety.penalised_reward(0.8, harm, threshold, weight)
            assert got == pytest.approx(reward, abs=1e-9)
            if abs(harm - threshold) > 1e-3 and 0 < harm < 1:
                h = 1e-6
                rise = safety.penalised_reward(0.8, harm + h, threshold, weight)
                fall = safety.penalised_reward(0.8, harm - h, threshold, weight)
                assert safety.penalty_slope(harm, threshold, weight) == pytest.approx(
                    (rise - fall) / (2 * h), abs=1e-6
                )
    assert safety.penalty_slope(0.5, 0.5, 3) == 0
    assert safety.penalised_reward(2, 0, 0, 1) == 2


@pytest.mark.parametrize(
    "function",
    [lambda *a: safety.penalised_reward(1, *a), lambda *a: safety.penalty_slope(*a)],
)
@pytest.mark.parametrize(
    "wrong", [(1.1, 0.1, 1), (-0.1, 0.1, 1), (0.5, 1.1, 1), (0.5, -0.1, 1), (0.5, 0.1, -1)]
)
def test_wrong_arguments_are_refused(function: Callable[..., object], wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        function(*wrong)


def test_a_reward_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="reward"):
        safety.penalised_reward(float("nan"), 0.5, 0.1, 1)
