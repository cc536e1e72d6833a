"""Independent ways to the numbers of verifiers/retrieval.py."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import retrieval


@witnesses("retrieval.recall", "retrieval.precision", "retrieval.reciprocal_rank")
def test_counts_of_every_short_ranking_equal_those_of_sets() -> None:
    for labels in product((0, 1), repeat=5):
        for missing, k in product((0, 1, 3), (1, 2, 5, 7)):
            ranked = [f"d{place}" for place in range(5)]
            relevant = {name for name, label in zip(ranked, labels, strict=True) if label}
            relevant |= {f"unseen{index}" for index in range(missing)}
            head = set(ranked[:k])
            if relevant:
                share = Fraction(len(head & relevant), len(relevant))
                assert retrieval.recall(labels, len(relevant), k) == float(share)
            assert retrieval.precision(labels, k) == float(Fraction(len(head & relevant), k))
        ranks = [rank for rank, name in enumerate(ranked, start=1) if name in relevant]
        assert retrieval.reciprocal_rank(labels) == (1 / ranks[0] if ranks else 0)


@witnesses("retrieval.mean_reciprocal_rank", "retrieval.mean_average_precision")
def test_means_over_queries() -> None:
    rankings = [[0, 1, 0], [1, 0, 1], [0, 0, 1, 1]]
    assert retrieval.mean_reciprocal_rank(rankings) == pytest.approx((1 / 2 + 1 + 1 / 3) / 3, rel=1e-15)
    by_hand = (Fraction(1, 2) + (1 + Fraction(2, 3)) / 2 + (Fraction(1, 3) + Fraction(2, 4)) / 2) / 3
    assert retrieval.mean_average_precision(rankings) == pytest.approx(float(by_hand), rel=1e-15)


@witnesses("retrieval.average_precision")
def test_average_precision_equals_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for labels in product((0, 1), repeat=6):
        if any(labels):
            expected = metrics.average_precision_score(labels, range(6, 0, -1))
            assert retrieval.average_precision(labels) == pytest.approx(expected, rel=1e-12)
            found = sum(labels)
            assert retrieval.average_precision(labels, found + 2) == pytest.approx(
                expected * found / (found + 2), rel=1e-12
            )


@witnesses("retrieval.ndcg", "retrieval.dcg")
@pytest.mark.parametrize("k", [1, 3, 6, 9, None])
def test_gain_equals_scikit_learn(k: int | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(30):
        gains = [int(gain) for gain in rng.integers(0, 4, 6)]
        order = [range(6, 0, -1)]
        for exponential in (False, True):
            worth = [2**gain - 1 for gain in gains] if exponential else gains
            expected = metrics.dcg_score([worth], order, k=k)
            assert retrieval.dcg(gains, k, exponential) == pytest.approx(expected, rel=1e-12)
            expected = metrics.ndcg_score([worth], order, k=k)
            assert retrieval.ndcg(gains, k, exponential) == pytest.approx(expected, rel=1e-12)


@witnesses("retrieval.ndcg")
def test_a_document_that_was_missed_lowers_the_ideal_share() -> None:
    """The ideal order of grades 3, 2, 1 begins with the missed 3: (2 + 1/log₂3) / (3 + 2/log₂3)."""
    expected = (2 + 1 / np.log2(3)) / (3 + 2 / np.log2(3))
    assert retrieval.ndcg([2, 1], k=2, judged=[1, 3, 2]) == pytest.approx(expected, rel=1e-12)
    assert retrieval.ndcg([2, 1], judged=[2, 1]) == 1
    assert retrieval.ndcg([0, 0]) == 0
    assert retrieval.dcg([3]) == 3


@witnesses("retrieval.post_filter", "retrieval.fetch_depth")
def test_filtering_equals_enumeration_of_what_passes() -> None:
    for k, fetched, share in product((1, 2, 3), (3, 5), (Fraction(0), Fraction(1, 4), Fraction(1))):
        expected = none = short = Fraction(0)
        for passes in product((0, 1), repeat=fetched):
            chance = share ** sum(passes) * (1 - share) ** (fetched - sum(passes))
            expected += chance * sum(passes)
            none += chance * (not any(passes))
            short += chance * (sum(passes) < k)
        found = retrieval.post_filter(k, float(share), fetched)
        assert found["expected"] == pytest.approx(float(expected), abs=1e-12)
        assert found["none"] == pytest.approx(float(none), abs=1e-12)
        assert found["short"] == pytest.approx(float(short), abs=1e-12)
    alone = retrieval.post_filter(4, 0.5)
    assert alone["expected"] == 2 and alone["short"] == pytest.approx(1 - 0.5**4)


@witnesses("retrieval.fetch_depth")
@pytest.mark.parametrize(("k", "share"), [(1, 0.5), (1, 0.01), (5, 0.2), (10, 0.05), (3, 1.0)])
def test_depth_equals_a_quantile_of_the_negative_binomial(k: int, share: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    for confidence in (0.5, 0.9, 0.95):
        expected = k + stats.nbinom.ppf(confidence, k, share)
        assert retrieval.fetch_depth(k, share, confidence) == expected
    assert retrieval.fetch_depth(k, share) == k + stats.nbinom.ppf(0.95, k, share)


def test_depth_stops_where_the_confidence_is_just_reached() -> None:
    assert retrieval.fetch_depth(1, 0.5, 0.75) == 2


def test_depth_takes_filters_that_pass_k_of_ten_thousand() -> None:
    assert retrieval.fetch_depth(1, 1e-4, 0.5) == 6932
    for share in (9.9995e-5, 0.0):
        with pytest.raises(ValueError):
            retrieval.fetch_depth(1, share)


@witnesses("retrieval.recall_without_shards")
def test_lost_shards_equal_a_simulation() -> None:
    rng = np.random.default_rng(0)
    homes = rng.integers(0, 20, 200_000)
    for lost in (0, 1, 7):
        assert retrieval.recall_without_shards(20, lost) == pytest.approx((homes >= lost).mean(), abs=0.005)
    assert retrieval.recall_without_shards(4) == 0.75
    assert retrieval.recall_without_shards(4, 4) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: retrieval.recall([], 1, 1),
        lambda: retrieval.recall([0, 2], 1, 1),
        lambda: retrieval.recall([1, 1], 1, 2),
        lambda: retrieval.recall([0], 0, 1),
        lambda: retrieval.recall([1], 1, 0),
        lambda: retrieval.precision([-1], 1),
        lambda: retrieval.precision([0, 2], 1),
        lambda: retrieval.precision([1], 0),
        lambda: retrieval.reciprocal_rank([]),
        lambda: retrieval.mean_reciprocal_rank([]),
        lambda: retrieval.mean_average_precision([]),
        lambda: retrieval.average_precision([0, 0]),
        lambda: retrieval.average_precision([0, 0], 0),
        lambda: retrieval.average_precision([1, 1], 1),
        lambda: retrieval.average_precision([2], 2),
        lambda: retrieval.dcg([]),
        lambda: retrieval.dcg([], 5),
        lambda: retrieval.ndcg([], 5),
        lambda: retrieval.dcg([-1]),
        lambda: retrieval.dcg([1], 0),
        lambda: retrieval.ndcg([2, 1], judged=[2, 2]),
        lambda: retrieval.post_filter(0, 0.5),
        lambda: retrieval.post_filter(1, 1.1),
        lambda: retrieval.post_filter(3, 0.5, 2),
        lambda: retrieval.fetch_depth(0, 0.5),
        lambda: retrieval.fetch_depth(1, 1.5),
        lambda: retrieval.fetch_depth(1, 0.5, 1.0),
        lambda: retrieval.fetch_depth(1, 0.5, 0.0),
        lambda: retrieval.recall_without_shards(0),
        lambda: retrieval.recall_without_shards(0, 0),
        lambda: retrieval.recall_without_shards(3, 4),
        lambda: retrieval.recall_without_shards(3, -1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
