"""Independent ways to the numbers of verifiers/fusion.py."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import fusion


@witnesses("fusion.rrf")
def test_score_equals_exact_fractions() -> None:
    for ranks in ([1], [1, 10], [3, 3, 50]):
        for constant in (60, 0, 10):
            expected = sum(Fraction(1, constant + rank) for rank in ranks)
            assert fusion.rrf(ranks, constant) == pytest.approx(float(expected), rel=1e-15)
    assert fusion.rrf([4]) == 1 / 64


@witnesses("fusion.fused")
def test_fused_ranks_equal_a_count_by_hand() -> None:
    """a: 1/61 + 1/63; b: 1/62 + 1/61, c: 1/63, d: 1/62 — so b, a, d, c."""
    assert fusion.fused([["a", "b", "c"], ["b", "d", "a"]]) == {"b": 1, "a": 2, "d": 3, "c": 4}
    assert fusion.fused([["a", "b"], ["b", "a"]]) == {"a": 1, "b": 2}
    # with a constant of zero one first place beats two second places: 1 > 1/2 + 1/3
    assert fusion.fused([["x", "y"], ["u", "z", "y"]], 0) == {"u": 1, "x": 2, "y": 3, "z": 4}
    assert fusion.fused([["x", "y"], ["u", "z", "y"]])["y"] == 1


@pytest.mark.parametrize(("twice", "before"), [("a", True), ("z", False)])
def test_sixty_makes_two_ranks_of_62_worth_one_first_rank(twice: str, before: bool) -> None:
    """1/61 = 1/122 + 1/122: a tie, settled by name; another constant would not tie."""
    fillers = [[f"{name}{rank}" for rank in range(60)] for name in "pq"]
    ranks = fusion.fused([["m", *fillers[0], twice], ["n", *fillers[1], twice]])
    assert (ranks[twice] < ranks["m"]) == before


@witnesses("fusion.blended")
def test_blend_equals_scikit_learn_scaling() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    dense, sparse = np.array([0.2, 0.9, 0.5]), np.array([12.0, 3.0, 30.0])
    scaled = preprocessing.minmax_scale(np.stack([dense, sparse], 1))
    ranges = [(0.2, 0.9), (3.0, 30.0)]
    for row in range(3):
        expected = np.average(scaled[row], weights=[3, 1])
        got = fusion.blended([dense[row], sparse[row]], [3, 1], ranges)
        assert got == pytest.approx(expected, abs=1e-12)


@witnesses("fusion.kept_after_rescaling", "fusion.rank_fusion_ignores_scale")
@pytest.mark.parametrize(("blend", "factor"), [("score", 10), ("score", 0.3), ("rank", 7), ("score", 1)])
def test_kept_results_equal_a_sort_by_hand(blend: str, factor: float) -> None:
    for seed, items, k in ((0, 200, 10), (3, 60, 5), (4, 7, 7)):
        first, second = np.random.default_rng(seed).standard_normal((2, items)).tolist()

        def best(a: list[float], b: list[float] = second, items: int = items, k: int = k) -> set[int]:
            if blend == "score":
                values = [x + y for x, y in zip(a, b, strict=True)]
            else:
                ranks = [{v: r for r, v in enumerate(sorted(s, reverse=True), 1)} for s in (a, b)]
                values = [1 / (60 + ranks[0][x]) + 1 / (60 + ranks[1][y]) for x, y in zip(a, b, strict=True)]
            return set(sorted(range(items), key=lambda i: (-values[i], i))[:k])

        expected = len(best(first) & best([factor * value for value in first]))
        assert fusion.kept_after_rescaling(blend, factor, items, k, seed) == expected
        if blend == "rank" or factor == 1:
            assert expected == k


def test_rescaling_changes_a_blend_of_scores_by_default() -> None:
    assert fusion.kept_after_rescaling("rank", 10) == 10
    kept = fusion.kept_after_rescaling("score", 10)
    assert kept == fusion.kept_after_rescaling("score", 10, 200, 10, 0) < 10


def test_scale_check_passes_and_fails_for_a_blend_of_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    fusion.rank_fusion_ignores_scale()
    fusion.rank_fusion_ignores_scale([2.0], seeds=1)
    monkeypatch.setitem(fusion.BLENDS, "rank", fusion.by_score)
    with pytest.raises(AssertionError):
        fusion.rank_fusion_ignores_scale()


def test_rank_blend_puts_a_double_first_above_all() -> None:
    scores = fusion.by_rank(np.array([3.0, 1.0, 2.0]), np.array([0.9, 0.1, 0.2]))
    assert scores.tolist() == pytest.approx([2 / 61, 2 / 63, 2 / 62], rel=1e-12)


@witnesses("fusion.ends_first", "fusion.distance_to_end")
@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_order_equals_filling_from_both_ends(count: int) -> None:
    """Deal the ranks out, the best first, alternately to the front and to the back."""
    places: list[int] = [0] * count
    low, high = 0, count - 1
    for rank in range(1, count + 1):
        if rank % 2:
            places[low] = rank
            low += 1
        else:
            places[high] = rank
            high -= 1
    assert fusion.ends_first(count) == places
    for rank in range(1, count + 1):
        at = places.index(rank)
        assert fusion.distance_to_end(count, rank) == min(len(places[:at]), len(places[at + 1 :]))
        assert fusion.distance_to_end(count, rank, ends=False) == min(rank - 1, count - rank)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fusion.rrf([]),
        lambda: fusion.rrf([0]),
        lambda: fusion.rrf([1], -1),
        lambda: fusion.fused([]),
        lambda: fusion.fused([["a", "a"]]),
        lambda: fusion.blended([1], [1, 2], [(0, 1)]),
        lambda: fusion.blended([1], [1], [(0, 1), (0, 1)]),
        lambda: fusion.blended([1], [-1], [(0, 1)]),
        lambda: fusion.blended([1], [0], [(0, 1)]),
        lambda: fusion.blended([1, 1], [2, -1], [(0, 1), (0, 1)]),
        lambda: fusion.blended([1], [1], [(1, 1)]),
        lambda: fusion.blended([2], [1], [(0, 1)]),
        lambda: fusion.blended([-1], [1], [(0, 1)]),
        lambda: fusion.blended([1], [1], [(0, float("inf"))]),
        lambda: fusion.blended([float("nan")], [1], [(0, 1)]),
        lambda: fusion.kept_after_rescaling("scores", 1),
        lambda: fusion.kept_after_rescaling("score", 0),
        lambda: fusion.kept_after_rescaling("score", 1, items=9),
        lambda: fusion.kept_after_rescaling("score", 1, k=0),
        lambda: fusion.rank_fusion_ignores_scale([]),
        lambda: fusion.rank_fusion_ignores_scale(seeds=0),
        lambda: fusion.ends_first(0),
        lambda: fusion.distance_to_end(3, 4),
        lambda: fusion.distance_to_end(3, 0),
        lambda: fusion.distance_to_end(0, 1),
        lambda: fusion.distance_to_end(3, 0, ends=False),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
