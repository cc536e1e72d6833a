"""Independent ways to the numbers of verifiers/trajectories.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import trajectories


@witnesses("trajectories.success")
@pytest.mark.parametrize(("step", "steps", "tries"), [(0.9, 5, 1), (0.6, 3, 2), (0.3, 2, 4), (0.5, 0, 1)])
def test_success_equals_simulated_runs(step: float, steps: int, tries: int) -> None:
    rng = np.random.default_rng(0)
    runs = (rng.random((100_000, steps, tries)) < step).any(2).all(1)
    assert trajectories.success(step, steps, tries) == pytest.approx(runs.mean(), abs=0.006)
    assert tries > 1 or trajectories.success(step, steps) == trajectories.success(step, steps, 1)


@witnesses("trajectories.efficiency", "trajectories.score", "trajectories.score_per_cost")
def test_scores_equal_sums_by_hand() -> None:
    assert trajectories.efficiency(5, 12) == 5 / 12
    assert trajectories.efficiency(5, 5) == trajectories.efficiency(5, 3) == 1
    for weights in ((0.5, 0.3, 0.2), (2, 1, 1)):
        parts = np.array([1.0, 5 / 12, 0.8])
        expected = float(parts @ np.array(weights) / sum(weights))
        assert trajectories.score(1, 5, 12, 0.8, weights) == pytest.approx(expected, rel=1e-12)
        priced = trajectories.score_per_cost(1, 5, 12, 0.8, 0.25, weights)
        assert priced == pytest.approx(4 * expected, rel=1e-12)
    assert trajectories.score(0.5, 1, 4, 0.3) == pytest.approx(0.25 + 0.075 + 0.06)
    assert trajectories.score_per_cost(0.5, 1, 4, 0.3, 2) == pytest.approx((0.25 + 0.075 + 0.06) / 2)


@witnesses("trajectories.efficiency_rewards_short_ways")
def test_efficiency_check_passes_and_fails_for_the_inverse_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    trajectories.efficiency_rewards_short_ways()
    for wrong in (
        lambda optimal, taken: taken / optimal,
        lambda optimal, taken: optimal / taken,
        lambda optimal, taken: 1.0,
        lambda optimal, taken: 1.0 if taken <= optimal else 0.5,
        lambda optimal, taken: min(1.0, (optimal + 1) / taken),
        lambda optimal, taken: min(1.0, taken / 30),
        lambda optimal, taken: 1.0 if taken <= optimal else 2 - taken / 30,
        lambda optimal, taken: 1.0 if taken <= optimal else taken / 40,
    ):
        monkeypatch.setitem(trajectories.EFFICIENCY, "wrong", wrong)
        with pytest.raises(AssertionError):
            trajectories.efficiency_rewards_short_ways()


@pytest.mark.parametrize(
    "call",
    [
        lambda: trajectories.success(1.1, 1),
        lambda: trajectories.success(0.5, -1),
        lambda: trajectories.success(0.5, 1, 0),
        lambda: trajectories.efficiency(0, 1),
        lambda: trajectories.efficiency(1, 0),
        lambda: trajectories.score(1.1, 1, 1, 1),
        lambda: trajectories.score(1, 1, 1, -0.1),
        lambda: trajectories.score(1, 1, 1, 1, (1, 1)),
        lambda: trajectories.score_per_cost(1, 1, 1, 1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
