"""Independent ways to the numbers of verifiers/embeddings.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import embeddings


@witnesses("embeddings.similarity")
def test_similarity_equals_scipy() -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    rng = np.random.default_rng(0)
    for dims in (1, 2, 9):
        a, b = rng.standard_normal((2, dims)).tolist()
        assert embeddings.similarity(a, b) == pytest.approx(1 - distance.cosine(a, b), abs=1e-12)
        assert embeddings.similarity(a, b, "euclidean") == pytest.approx(distance.euclidean(a, b), rel=1e-12)
        exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True))
        assert embeddings.similarity(a, b, "dot") == pytest.approx(float(exact), rel=1e-12)
    assert embeddings.similarity([0, 0], [1, 1], "dot") == 0
    assert embeddings.similarity([0, 0], [3, 4], "euclidean") == 5


@witnesses("embeddings.unit_metrics_agree")
def test_identity_of_the_sphere_in_exact_numbers() -> None:
    """Points of the circle with rational coordinates: ‖a − b‖² is 2 − 2 a·b without any rounding."""
    points = []
    for m in range(1, 6):
        for n in range(-5, 6):
            t = Fraction(n, m)
            points.append(((1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)))
    for a in points:
        for b in points:
            square = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
            assert square == 2 - 2 * sum(x * y for x, y in zip(a, b, strict=True))


def test_metric_check_passes_and_fails_for_broken_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings.unit_metrics_agree()
    right = embeddings.METRICS["euclidean"]
    for metric, wrong in (
        ("euclidean", lambda items, query: -np.abs(items - query).sum(-1)),
        ("euclidean", lambda items, query: right(items, query) / 2),
        ("euclidean", lambda items, query: right(items, query) - 1e-6),
        ("cosine", lambda items, query: -embeddings.cosine(items, query)),
        ("cosine", lambda items, query: items[:, 0]),
        # one item alone is off, too little to change the order
        ("euclidean", lambda items, query: right(items, query) - 1e-9 * (items == items[3]).all(1)),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(embeddings.METRICS, metric, wrong)
            with pytest.raises(AssertionError):
                embeddings.unit_metrics_agree()


def test_an_error_of_just_the_tolerance_is_too_much() -> None:
    embeddings.unit_metrics_agree(1, 1, 1, 1)
    embeddings.cosine_ignores_length([1.0], 1, 1)
    for call in (
        lambda: embeddings.unit_metrics_agree(1, 1, 1, 1, tolerance=0),
        lambda: embeddings.cosine_ignores_length([1.0], tolerance=0),
    ):
        with pytest.raises(AssertionError):
            call()


@witnesses("embeddings.cosine_ignores_length")
def test_length_check_passes_and_fails_for_the_dot_product(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings.cosine_ignores_length()

    def half(items: np.ndarray, query: np.ndarray) -> np.ndarray:
        return embeddings.unit(items) @ query

    def other_half(items: np.ndarray, query: np.ndarray) -> np.ndarray:
        return items @ embeddings.unit(query)

    def one(items: np.ndarray, query: np.ndarray) -> np.ndarray:
        return np.where(
            np.arange(len(items)) == 3, items @ query, embeddings.unit(items) @ embeddings.unit(query)
        )

    for wrong in (embeddings.dot, half, other_half, one):
        monkeypatch.setitem(embeddings.METRICS, "cosine", wrong)
        with pytest.raises(AssertionError):
            embeddings.cosine_ignores_length()


@witnesses("embeddings.shared_top")
@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0])
def test_shared_results_equal_sorts_by_hand(spread: float) -> None:
    for seed, items, dims, k in ((0, 300, 64, 10), (2, 50, 3, 20)):
        rng = np.random.default_rng(seed)
        directions = rng.standard_normal((items, dims))
        lengths = np.exp(spread * rng.standard_normal((items, 1)))
        asked = rng.standard_normal(dims)
        cosines, dots = [], []
        for direction, length in zip(directions, lengths, strict=True):
            cosines.append(direction @ asked / math.sqrt(direction @ direction) / math.sqrt(asked @ asked))
            dots.append(cosines[-1] * length[0])
        best = [set(sorted(range(items), key=lambda i: -v[i])[:k]) for v in (cosines, dots)]
        expected = len(best[0] & best[1])
        assert embeddings.shared_top("cosine", "dot", spread, items, dims, k, seed) == expected
        assert embeddings.shared_top("dot", "cosine", spread, items, dims, k, seed) == expected
        assert spread or expected == k
        if spread:
            assert embeddings.shared_top("dot", "dot", spread, items, dims, k, seed) == k


def test_shared_results_by_default() -> None:
    got = embeddings.shared_top("cosine", "dot", 0.5)
    assert got == embeddings.shared_top("cosine", "dot", 0.5, 1000, 64, 10, 0) == 3
    for spread in (0.01, 0.05, 0.1, 0.2, 0.3):
        named = embeddings.shared_top("cosine", "dot", spread, 1000, 64, 10, 0)
        assert embeddings.shared_top("cosine", "dot", spread) == named
    assert embeddings.shared_top("cosine", "cosine", 0.5) == 10
    assert embeddings.shared_top("cosine", "cosine", 0, items=3, k=3) == 3


@witnesses("embeddings.cosine_deviation", "embeddings.cosine_tail")
@pytest.mark.parametrize("dims", [2, 3, 16, 300])
def test_spread_of_cosines_equals_simulated_directions(dims: int) -> None:
    rng = np.random.default_rng(dims)
    a, b = rng.standard_normal((2, 100_000 // dims + 2000, dims))
    cosines = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    assert embeddings.cosine_deviation(dims) == pytest.approx(cosines.std(), rel=0.06)
    for cosine in (0.0, 0.1, 0.5):
        share = (cosines > cosine).mean()
        assert embeddings.cosine_tail(dims, cosine) == pytest.approx(share, abs=0.03)


@witnesses("embeddings.cosine_tail")
@pytest.mark.parametrize("dims", [2, 3, 5, 64, 768])
def test_tail_equals_the_beta_distribution(dims: int) -> None:
    """(1 + cosine) / 2 follows Beta((d − 1)/2, (d − 1)/2)."""
    stats = pytest.importorskip("scipy.stats")
    for cosine in (-1.0, -0.3, 0.0, 0.05, 0.1, 0.7, 1.0):
        expected = stats.beta.sf((1 + cosine) / 2, (dims - 1) / 2, (dims - 1) / 2)
        assert embeddings.cosine_tail(dims, cosine) == pytest.approx(expected, rel=1e-6, abs=1e-12)
        # in three dimensions the tail is (1 − cosine) / 2, by Archimedes, and Simpson needs few steps
    assert embeddings.cosine_tail(3, 0.4, steps=20) == pytest.approx(0.3, abs=1e-6)


@witnesses("embeddings.cosine_tail")
def test_tail_equals_the_simpson_rule_of_scipy() -> None:
    simpson = pytest.importorskip("scipy.integrate").simpson
    for dims, cosine, steps in ((3, 0.4, 20), (6, -0.2, 41), (9, 0.8, 60)):
        areas = []
        for end in (math.acos(cosine), math.pi):
            angles = np.linspace(0, end, 2 * steps + 1)
            areas.append(simpson(np.sin(angles) ** (dims - 2), x=angles))
        assert embeddings.cosine_tail(dims, cosine, steps) == pytest.approx(areas[0] / areas[1], rel=1e-11)
    assert embeddings.cosine_tail(10_000, 0.03) == embeddings.cosine_tail(10_000, 0.03, 2000)
    for cosine in (1.01, -1.01):
        with pytest.raises(ValueError, match="a cosine lies between"):
            embeddings.cosine_tail(5, cosine)
        with pytest.raises(ValueError, match="a cosine lies between"):
            embeddings.passages_above([1, 0], [[1, 0]], cosine)


@pytest.mark.parametrize("dims", [400, 10_000])
def test_tail_has_as_many_steps_as_the_dimensions_need(dims: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    steps, cosine = 20 * math.isqrt(dims), 3 / math.sqrt(dims)
    expected = stats.beta.sf((1 + cosine) / 2, (dims - 1) / 2, (dims - 1) / 2)
    assert embeddings.cosine_tail(dims, cosine, steps) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="steps"):
        embeddings.cosine_tail(dims, cosine, steps - 1)


@witnesses("embeddings.passages_above")
def test_passages_are_counted_by_their_angle() -> None:
    query = (1.0, 0.0)
    passages = [(math.cos(t), math.sin(t)) for t in (0, 0.5, 1.0, 1.5, 2.5)]
    for limit, expected in ((0.2, 1), (0.7, 2), (1.2, 3), (2.0, 4), (3.0, 5)):
        assert embeddings.passages_above(query, passages, math.cos(limit)) == expected
    assert embeddings.passages_above((0, 2), [(0, 5), (5, 0)], 1.0) == 1
    assert embeddings.passages_above((0, 2), [], 0.5) == 0


@witnesses("embeddings.truncated_bytes_share")
def test_share_equals_the_bytes_of_a_slice() -> None:
    whole = np.zeros((3, 1536), np.float32)
    for kept in (1, 512, 1536):
        cut = np.ascontiguousarray(whole[:, :kept])
        assert embeddings.truncated_bytes_share(1536, kept) == cut.nbytes / whole.nbytes


@witnesses("embeddings.truncated_recall")
@pytest.mark.parametrize(
    ("kept", "decay", "noise"), [(16, 0.0, 0.3), (16, 1.0, 0.3), (5, 0.5, 0.1), (64, 0.5, 2)]
)
def test_truncated_recall_equals_scikit_learn_neighbours(kept: int, decay: float, noise: float) -> None:
    neighbours = pytest.importorskip("sklearn.neighbors").NearestNeighbors
    for seed, items, k, queries in ((0, 300, 10, 20), (5, 40, 3, 7)):
        rng = np.random.default_rng(seed)
        scale = np.array([1 / place**decay for place in range(1, 65)])
        corpus = rng.standard_normal((items, 64)) * scale
        asked = corpus[:queries] + rng.standard_normal((queries, 64)) * scale * noise
        found = [
            neighbours(n_neighbors=k, metric="cosine", algorithm="brute")
            .fit(corpus[:, :dims])
            .kneighbors(asked[:, :dims], return_distance=False)
            for dims in (64, kept)
        ]
        expected = np.mean([len({*a} & {*b}) / k for a, b in zip(*found, strict=True)])
        got = embeddings.truncated_recall(64, kept, decay, items, k, queries, noise, seed)
        assert got == pytest.approx(expected, abs=1e-12)
        assert kept < 64 or got == 1


def test_every_query_is_an_item() -> None:
    with pytest.raises(ValueError, match="items must be at least 6"):
        embeddings.truncated_recall(8, 4, 0, items=5, k=2, queries=6)


def test_truncated_recall_by_default() -> None:
    got = embeddings.truncated_recall(64, 16, 0.5)
    assert got == embeddings.truncated_recall(64, 16, 0.5, 1000, 10, 20, 0.3, 0)
    assert 0 < got < 1
    assert embeddings.truncated_recall(4, 4, 0, items=5, k=5, queries=5) == 1
    assert embeddings.truncated_recall(4, 4, 0, items=5, k=2, queries=5) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: embeddings.similarity([1], [1, 2]),
        lambda: embeddings.similarity([1], [1], "manhattan"),
        lambda: embeddings.similarity([0, 0], [1, 1]),
        lambda: embeddings.similarity([], [], "dot"),
        lambda: embeddings.similarity([1, math.nan], [1, 1], "dot"),
        lambda: embeddings.similarity([1, 1], [1, math.inf], "euclidean"),
        lambda: embeddings.shared_top("cos", "dot", 0.5),
        lambda: embeddings.shared_top("dot", "l2", 0.5),
        lambda: embeddings.shared_top("dot", "dot", -0.5),
        lambda: embeddings.shared_top("dot", "dot", 0.5, k=0),
        lambda: embeddings.shared_top("dot", "dot", 0.5, dims=0),
        lambda: embeddings.shared_top("dot", "dot", 0.5, items=9),
        lambda: embeddings.cosine_deviation(0),
        lambda: embeddings.cosine_tail(1, 0.5),
        lambda: embeddings.cosine_tail(2, 1.01),
        lambda: embeddings.cosine_tail(2, -1.01),
        lambda: embeddings.cosine_tail(2, 0.5, steps=0),
        lambda: embeddings.passages_above((1, 2), [(1,)], 0.5),
        lambda: embeddings.passages_above((1, 2), [(1, 2)], 1.01),
        lambda: embeddings.passages_above((1, 2), [(1, 2)], math.nan),
        lambda: embeddings.unit_metrics_agree(seeds=0),
        lambda: embeddings.unit_metrics_agree(items=0),
        lambda: embeddings.unit_metrics_agree(dims=0),
        lambda: embeddings.unit_metrics_agree(k=0),
        lambda: embeddings.cosine_ignores_length([]),
        lambda: embeddings.cosine_ignores_length(items=0),
        lambda: embeddings.cosine_ignores_length(dims=0),
        lambda: embeddings.truncated_bytes_share(8, 9),
        lambda: embeddings.truncated_bytes_share(8, 0),
        lambda: embeddings.truncated_bytes_share(0, 0),
        lambda: embeddings.truncated_recall(8, 9, 0),
        lambda: embeddings.truncated_recall(8, 4, -1),
        lambda: embeddings.truncated_recall(8, 4, 0, noise=-1),
        lambda: embeddings.truncated_recall(8, 4, 0, k=0),
        lambda: embeddings.truncated_recall(8, 4, 0, queries=0),
        lambda: embeddings.truncated_recall(8, 4, 0, items=9),
        lambda: embeddings.truncated_recall(8, 4, 0, items=19),
        lambda: embeddings.truncated_recall(8, 4, 0, items=5, k=6, queries=5),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
