"""Independent ways to the numbers of verifiers/agreement.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import agreement

TABLES = (
    [[45, 5], [5, 45]],
    [[20, 5], [10, 15]],
    [[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]],
    [[3, 0, 2], [1, 7, 0], [4, 1, 2]],
)


def rated(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """The items of a table, one by one."""
    items = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    first, second = zip(*items, strict=True)
    return list(first), list(second)


@witnesses("agreement.kappa", "agreement.observed")
@pytest.mark.parametrize("table", TABLES)
def test_kappa_equals_scikit_learn(table: list[list[int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = rated(table)
    for weights in ("none", "linear", "quadratic"):
        expected = metrics.cohen_kappa_score(first, second, weights=None if weights == "none" else weights)
        assert agreement.kappa(table, weights) == pytest.approx(expected, abs=1e-12)
    assert agreement.kappa(table) == agreement.kappa(table, "none")
    assert agreement.observed(table) == np.mean(np.array(first) == np.array(second))
    shares = [[count / 64 for count in row] for row in table]
    assert agreement.kappa(shares) == pytest.approx(agreement.kappa(table), abs=1e-12)


def test_chance_agreement_is_a_kappa_of_exactly_zero() -> None:
    assert agreement.kappa(TABLES[2]) == 0 == agreement.kappa([[4, 2], [2, 1]], "linear")


@witnesses("agreement.kappa_below")
@pytest.mark.parametrize(("kappa", "prevalence"), [(0.7, 0.5), (0.2, 0.3), (0.0, 0.9), (1.0, 0.4)])
def test_chance_of_a_low_kappa_equals_the_sum_over_all_orders(kappa: float, prevalence: float) -> None:
    """Go through every sequence of six pairs of ratings."""
    split = prevalence * (1 - prevalence) * (1 - kappa)
    chances = {
        (1, 1): prevalence - split, (1, 0): split, (0, 1): split, (0, 0): 1 - prevalence - split,
    }  # fmt: skip
    for threshold in (0.0, 0.4, 0.6, 1.0):
        total = 0.0
        for items in itertools.product(chances, repeat=6):
            n11, n10, n01, n00 = (items.count(pair) for pair in chances)
            # kappa of a two by two table: 2 (ad − bc) / ((a + b)(b + d) + (a + c)(c + d))
            above = 2 * (n11 * n00 - n10 * n01)
            below = (n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)
            if below and above < threshold * below - 1e-9:
                total += float(np.prod([chances[pair] for pair in items]))
        assert agreement.kappa_below(kappa, 6, threshold, prevalence) == pytest.approx(total, abs=1e-12)


@witnesses("agreement.kappa_below")
def test_chance_of_a_low_kappa_equals_a_simulation() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    low = []
    for _ in range(300):
        first = rng.integers(0, 2, 60)
        second = np.where(rng.random(60) < 0.15, 1 - first, first)
        low.append(metrics.cohen_kappa_score(first, second) < 0.6)
    assert agreement.kappa_below(0.7, 60, 0.6) == pytest.approx(np.mean(low), abs=0.06)
    assert agreement.kappa_below(0.7, 60, 0.6) == agreement.kappa_below(0.7, 60, 0.6, 0.5)
    assert agreement.kappa_below(0.0, 1, 0.0) == 0
    assert 0 < agreement.kappa_below(0.9, 300, 0.6) < 1e-4


@witnesses("agreement.scores")
def test_scores_equal_numpy() -> None:
    rng = np.random.default_rng(0)
    for size in (2, 3, 40):
        first, second = rng.standard_normal((2, size))
        got = agreement.scores(first.tolist(), second.tolist())
        assert got["correlation"] == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-12)
        assert got["bias"] == pytest.approx((second - first).mean(), abs=1e-12)
        assert got["error"] == pytest.approx(np.abs(second - first).mean(), rel=1e-12)


@witnesses("agreement.always_one_class")
@pytest.mark.parametrize("prevalence", [0.5, 0.95, 0.01])
def test_a_rater_without_judgement_agrees_by_chance(prevalence: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth = [1] * round(100 * prevalence) + [0] * round(100 - 100 * prevalence)
    always = [1] * len(truth)
    got = agreement.always_one_class(prevalence)
    assert got["agreement"] == pytest.approx(metrics.accuracy_score(truth, always), rel=1e-12)
    assert got["kappa"] == metrics.cohen_kappa_score(truth, always) == 0


@witnesses("agreement.shifted_rater")
@pytest.mark.parametrize(("levels", "shift"), [(5, 2), (2, 1), (3, 5), (10, 1)])
def test_a_constant_shift_equals_scikit_learn(levels: int, shift: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    grades = np.arange(1, levels + 1)
    got = agreement.shifted_rater(levels, shift)
    assert got["kappa"] == pytest.approx(metrics.cohen_kappa_score(grades, grades + shift), abs=1e-12)
    assert got["correlation"] == pytest.approx(np.corrcoef(grades, grades + shift)[0, 1], rel=1e-12)
    assert got["bias"] == got["error"] == shift


def test_the_number_of_levels_is_named() -> None:
    with pytest.raises(ValueError, match="levels must be at least 2"):
        agreement.shifted_rater(1, 1)


def test_a_kappa_of_just_the_threshold_is_not_below_it() -> None:
    """One item has no kappa; two have kappas of 1 and of −1, or 0 where a rater says one thing only."""
    assert agreement.kappa_below(0.0, 1, 1.0) == pytest.approx(0.5)
    assert agreement.kappa_below(0.0, 2, 1.0) == pytest.approx(3 / 4)
    assert agreement.kappa_below(0.0, 2, 0.0) == pytest.approx(1 / 8)
    assert agreement.kappa_below(0.0, 2, -1.0) == 0


def test_a_prevalence_of_one_is_named() -> None:
    with pytest.raises(ValueError, match="1 − prevalence must be above 0"):
        agreement.always_one_class(1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: agreement.observed([[1, 2]]),
        lambda: agreement.observed([[1, 2], [3]]),
        lambda: agreement.observed([[0, 0], [0, 0]]),
        lambda: agreement.kappa([[3, -1], [1, 2]]),
        lambda: agreement.kappa([[3, float("inf")], [1, 2]]),
        lambda: agreement.kappa([]),
        lambda: agreement.kappa([[5, 0], [0, 0]]),
        lambda: agreement.kappa([[5, 1], [1, 5]], "cubic"),
        lambda: agreement.kappa_below(1.1, 5, 0.5),
        lambda: agreement.kappa_below(0.5, 0, 0.5),
        lambda: agreement.kappa_below(0.5, 301, 0.5),
        lambda: agreement.kappa_below(0.5, 5, 1.1),
        lambda: agreement.kappa_below(0.5, 5, -1.1),
        lambda: agreement.kappa_below(0.5, 5, float("nan")),
        lambda: agreement.kappa_below(0.5, 5, 0.5, 0),
        lambda: agreement.kappa_below(0.5, 5, 0.5, 1),
        lambda: agreement.scores([1], [1, 2]),
        lambda: agreement.scores([1, 1], [1, 2]),
        lambda: agreement.scores([1, 2], [2, 2]),
        lambda: agreement.scores([1], [2]),
        lambda: agreement.scores([1, 2, 3], [1, float("nan"), 2]),
        lambda: agreement.scores([1, 2, 3], [1, float("inf"), 2]),
        lambda: agreement.always_one_class(0),
        lambda: agreement.always_one_class(1),
        lambda: agreement.shifted_rater(1, 1),
        lambda: agreement.shifted_rater(3, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
