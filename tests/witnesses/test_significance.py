"""Independent ways to the numbers of verifiers/significance.py."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import significance

stats = pytest.importorskip("scipy.stats")


@witnesses("significance.mcnemar")
def test_p_value_equals_scipy() -> None:
    for b, c in product(range(8), repeat=2):
        expected = stats.binomtest(b, b + c).pvalue if b + c else 1
        assert significance.mcnemar(b, c) == pytest.approx(expected, rel=1e-12)
    assert significance.mcnemar(700, 600) == pytest.approx(stats.binomtest(700, 1300).pvalue, rel=1e-9)


@witnesses("significance.family_wise_error", "significance.bonferroni")
@pytest.mark.parametrize(("alpha", "tests"), [(0.05, 1), (0.05, 20), (0.425, 5)])
def test_family_error_equals_simulated_tests(alpha: float, tests: int) -> None:
    p_values = np.random.default_rng(0).random((100_000, tests))
    share = (p_values < alpha).any(1).mean()
    assert significance.family_wise_error(alpha, tests) == pytest.approx(share, abs=0.005)
    corrected = significance.bonferroni(alpha, tests)
    assert corrected * tests == pytest.approx(alpha)
    assert (p_values < corrected).any(1).mean() <= alpha + 0.005


def adjusted_by_holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values: the running maximum of p times the number of hypotheses not yet rejected."""
    order = sorted(p_values)
    raised = [p * (len(order) - place) for place, p in enumerate(order)]
    return [max(raised[: place + 1]) for place in range(len(raised))]


@witnesses("significance.holm", "significance.benjamini_hochberg")
def test_rejections_equal_adjusted_p_values() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 12):
        for _ in range(50):
            p_values = (rng.random(size) ** 4).tolist()
            for level in (0.05, 0.2):
                assert significance.holm(p_values, level) == sum(
                    p <= level for p in adjusted_by_holm(p_values)
                )
                raised = stats.false_discovery_control(p_values)
                got = significance.benjamini_hochberg(p_values, level)
                assert got == int((raised <= level).sum())
    assert significance.holm([0.04, 0.01]) == 2
    assert significance.holm([0.06, 0.01]) == 1
    assert significance.benjamini_hochberg([0.04, 0.06]) == 0
    assert significance.benjamini_hochberg([0.05, 0.05]) == 2


def test_a_p_value_of_just_the_level_is_rejected() -> None:
    assert significance.holm([0.25, 0.5], 0.5) == 2
    assert significance.benjamini_hochberg([0.25, 0.75], 0.5) == 1


@witnesses("significance.best_of_equals")
@pytest.mark.parametrize(("models", "p", "n"), [(1, 0.7, 100), (10, 0.7, 100), (3, 0.5, 1), (5, 0.2, 7)])
def test_best_of_equals_equals_a_simulated_leaderboard(models: int, p: float, n: int) -> None:
    scores = np.random.default_rng(0).binomial(n, p, (50_000, models)) / n
    assert significance.best_of_equals(models, p, n) == pytest.approx(scores.max(1).mean(), abs=0.005)
    assert models > 1 or significance.best_of_equals(models, p, n) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: significance.mcnemar(-1, 1),
        lambda: significance.mcnemar(1, -1),
        lambda: significance.family_wise_error(1.1, 1),
        lambda: significance.family_wise_error(0.5, 0),
        lambda: significance.bonferroni(-0.1, 1),
        lambda: significance.bonferroni(0.5, 0),
        lambda: significance.holm([]),
        lambda: significance.holm([1.1]),
        lambda: significance.holm([0.1], 1.1),
        lambda: significance.benjamini_hochberg([]),
        lambda: significance.benjamini_hochberg([0.1], -1),
        lambda: significance.best_of_equals(0, 0.5, 1),
        lambda: significance.best_of_equals(1, 0.5, 0),
        lambda: significance.best_of_equals(1, 1.5, 1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
