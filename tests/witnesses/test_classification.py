"""Independent ways to the numbers of verifiers/classification.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import classification


def labelled(hits: int, predicted: int, actual: int) -> tuple[list[int], list[int]]:
    """Truth and prediction, item by item, with three true negatives."""
    truth = [1] * hits + [0] * (predicted - hits) + [1] * (actual - hits) + [0] * 3
    given = [1] * predicted + [0] * (actual - hits + 3)
    return truth, given


@witnesses("classification.precision_recall")
@pytest.mark.parametrize("counts", [(8, 10, 12), (0, 3, 2), (4, 4, 9), (0, 0, 0), (0, 0, 2), (1, 5, 1)])
@pytest.mark.parametrize("beta", [1, 2, 0.5])
def test_scores_equal_scikit_learn(counts: tuple[int, int, int], beta: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth, given = labelled(*counts)
    expected = metrics.precision_recall_fscore_support(
        truth, given, beta=beta, average="binary", zero_division=0
    )
    got = classification.precision_recall(*counts, beta)
    assert [got["precision"], got["recall"], got["f"]] == pytest.approx(list(expected[:3]), abs=1e-12)
    if beta == 1:
        assert got == classification.precision_recall(*counts)


@witnesses("classification.f1_averages")
@pytest.mark.parametrize("table", [[[8, 2], [1, 9]], [[5, 1, 0], [2, 7, 3], [0, 0, 4]], [[3, 0], [2, 0]]])
def test_averages_equal_scikit_learn(table: list[list[int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    items = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    truth, given = zip(*items, strict=True)
    got = classification.f1_averages(table)
    for average in ("macro", "micro"):
        expected = metrics.f1_score(truth, given, average=average, zero_division=0)
        assert got[average] == pytest.approx(expected, rel=1e-12)
    assert classification.f1_averages([[0, 0], [0, 0]]) == {"macro": 0, "micro": 0}


@witnesses("classification.predictive_value", "classification.allowed_false_positive_rate")
@pytest.mark.parametrize(
    ("recall", "false", "base"), [(956, 4, 1), (900, 100, 200), (1000, 0, 500), (0, 500, 9)]
)
def test_precision_equals_a_count_of_a_million_requests(recall: int, false: int, base: int) -> None:
    """Rates are in thousandths, so that all the counts are whole."""
    caught, alarms = recall * base, false * (1000 - base)
    expected = Fraction(caught, caught + alarms)
    got = classification.predictive_value(recall / 1000, false / 1000, base / 1000)
    assert got == pytest.approx(float(expected), rel=1e-12)
    if caught:
        allowed = classification.allowed_false_positive_rate(recall / 1000, float(expected), base / 1000)
        assert allowed == pytest.approx(false / 1000, abs=1e-12)


@witnesses("classification.false_alarms", "classification.stacked_filters")
def test_blocks_equal_a_simulation() -> None:
    rng = np.random.default_rng(0)
    harmless = rng.random(200_000) > 0.2
    fires = rng.random((3, 200_000)) < np.array([[0.1], [0.02], [0.3]])
    blocked = (harmless & fires[0]).sum()
    assert classification.false_alarms(200_000, 0.1, 0.2) == pytest.approx(blocked, rel=0.03)
    assert classification.false_alarms(10, 0.5) == 5
    assert classification.false_alarms(0, 0.5) == 0
    assert classification.stacked_filters([0.1, 0.02, 0.3]) == pytest.approx(fires.any(0).mean(), abs=0.005)
    assert classification.stacked_filters([0.25]) == 0.25


@witnesses("classification.stacked_filters")
@pytest.mark.parametrize("rates", [[0.4], [0.4, 0.85], [0.5, 0.0, 0.25]])
def test_stacked_filters_equal_the_sum_over_all_outcomes(rates: list[float]) -> None:
    fires = 0.0
    for outcome in product((True, False), repeat=len(rates)):
        chance = math.prod(r if hit else 1 - r for r, hit in zip(rates, outcome, strict=True))
        fires += chance * any(outcome)
    assert classification.stacked_filters(rates) == pytest.approx(fires)


@witnesses("classification.calibration_error")
@pytest.mark.parametrize("bins", [1, 5, 10])
def test_calibration_error_equals_bins_filled_by_numpy(bins: int) -> None:
    rng = np.random.default_rng(bins)
    confidences = rng.integers(0, 21, 300) / 20
    correct = (rng.random(300) < 0.5 + 0.4 * np.sin(9 * confidences)).astype(int)
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.digitize(confidences, edges, right=True), 1, bins)
    expected = 0.0
    for place in range(1, bins + 1):
        inside = places == place
        if inside.any():
            gap = abs(correct[inside].mean() - confidences[inside].mean())
            expected += inside.mean() * gap
    got = classification.calibration_error(confidences.tolist(), correct.tolist(), bins)
    assert got == pytest.approx(expected, abs=1e-9)
    default = classification.calibration_error(confidences.tolist(), correct.tolist())
    assert (bins == 10) == (default == got)
    # 0.07 · 100 is a hair above 7 in binary, yet 0.07 closes the seventh bin
    assert classification.calibration_error([0.065, 0.07], [1, 0], 100) == pytest.approx(0.865 / 2)
    assert classification.calibration_error([0.0, 0.05], [1, 0]) == pytest.approx(0.95 / 2)
    assert classification.calibration_error([0.05, 0.15], [0, 1]) == pytest.approx((0.05 + 0.85) / 2)
    assert classification.calibration_error([0.0, 0.0, 1.0], [0, 1, 1]) == pytest.approx(1 / 3)


@witnesses("classification.brier_score", "classification.roc_auc")
def test_scores_of_probabilities_equal_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for size in (5, 40):
        for _ in range(10):
            scores = (rng.integers(0, 9, size) / 8).tolist()
            labels = [0, 1, *rng.integers(0, 2, size - 2).tolist()]
            expected = metrics.brier_score_loss(labels, scores)
            assert classification.brier_score(scores, labels) == pytest.approx(expected, abs=1e-12)
            expected = metrics.roc_auc_score(labels, scores)
            assert classification.roc_auc(scores, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: classification.precision_recall(-1, 1, 1),
        lambda: classification.precision_recall(2, 1, 2),
        lambda: classification.precision_recall(2, 2, 1),
        lambda: classification.precision_recall(1, 1, 1, 0),
        lambda: classification.f1_averages([[1]]),
        lambda: classification.f1_averages([[1, 2], [3]]),
        lambda: classification.f1_averages([[1, 2, -1], [0, 1, 2], [0, 0, 1]]),
        lambda: classification.predictive_value(1.1, 0.1, 0.1),
        lambda: classification.predictive_value(0.1, 1.1, 0.1),
        lambda: classification.predictive_value(0.1, 0.1, 1.1),
        lambda: classification.predictive_value(0.0, 0.0, 0.5),
        lambda: classification.allowed_false_positive_rate(1.1, 0.5, 0.5),
        lambda: classification.allowed_false_positive_rate(0.5, 0, 0.5),
        lambda: classification.allowed_false_positive_rate(0.5, 1.1, 0.5),
        lambda: classification.allowed_false_positive_rate(0.5, 0.5, 1),
        lambda: classification.false_alarms(-1, 0.5),
        lambda: classification.false_alarms(1, 1.5),
        lambda: classification.false_alarms(1, 0.5, 1.5),
        lambda: classification.stacked_filters([]),
        lambda: classification.stacked_filters([1.1]),
        lambda: classification.calibration_error([], []),
        lambda: classification.calibration_error([0.5], [1, 0]),
        lambda: classification.calibration_error([0.5], [2]),
        lambda: classification.calibration_error([1.5], [1]),
        lambda: classification.calibration_error([0.5], [1], 0),
        lambda: classification.brier_score([0.5], [0.5]),
        lambda: classification.brier_score([-0.5], [0]),
        lambda: classification.brier_score([], []),
        lambda: classification.roc_auc([0.5], [1]),
        lambda: classification.roc_auc([0.5], [0]),
        lambda: classification.roc_auc([0.5, 1], [0]),
        lambda: classification.roc_auc([float("nan"), 1], [0, 1]),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
