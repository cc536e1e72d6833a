"""Independent ways to the numbers of verifiers/lsh.py: datasketch, SciPy, and simulated bands."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import lsh

SHAPES = [(20, 5), (9, 13), (3, 2), (1, 4)]


@witnesses("lsh.probability")
@pytest.mark.parametrize("bands, rows", SHAPES)
@pytest.mark.parametrize("similarity", [0.3, 0.8])
def test_probability_equals_simulated_bands(bands: int, rows: int, similarity: float) -> None:
    trials = 5000
    agree = np.random.default_rng(1).random((trials, bands, rows)) < similarity
    found = agree.all(axis=2).any(axis=1).mean()
    expected = lsh.probability(similarity, bands, rows)
    assert abs(found - expected) < 4 * math.sqrt(0.25 / trials)
    assert lsh.probability(0, bands, rows) == 0 and lsh.probability(1, bands, rows) == 1
    unlike = Fraction(1, 1000)  # of which so few agree that only exact fractions tell them from none
    exact = 1 - (1 - unlike**rows) ** bands
    assert lsh.probability(float(unlike), bands, rows) == pytest.approx(float(exact), rel=1e-12)


@witnesses("lsh.similarity_at")
@pytest.mark.parametrize("bands, rows", SHAPES)
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.99])
def test_similarity_at_equals_a_root_of_the_curve(bands: int, rows: int, probability: float) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    root = optimize.brentq(lambda s: lsh.probability(s, bands, rows) - probability, 0, 1, xtol=1e-14)
    assert lsh.similarity_at(probability, bands, rows) == pytest.approx(root, rel=1e-9)
    assert lsh.similarity_at(0, bands, rows) == 0 and lsh.similarity_at(1, bands, rows) == 1


@witnesses("lsh.threshold", "lsh.steepest")
@pytest.mark.parametrize("bands, rows", SHAPES[:3])
def test_steepest_point_equals_the_maximum_of_the_slope(bands: int, rows: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")

    def slope(s: float) -> float:
        step = 1e-5
        return (lsh.probability(s + step, bands, rows) - lsh.probability(s - step, bands, rows)) / step

    best = optimize.minimize_scalar(lambda s: -slope(s), bounds=(0.01, 0.99), method="bounded").x
    assert lsh.steepest(bands, rows) == pytest.approx(best, abs=2e-3)
    # at the usual threshold a band is expected to agree: b · s^r = 1
    assert bands * lsh.threshold(bands, rows) ** rows == pytest.approx(1)
    assert lsh.threshold(bands, rows) == pytest.approx(best, abs=0.15)


def test_threshold_of_one_band_is_equality() -> None:
    assert lsh.threshold(1, 3) == lsh.steepest(1, 3) == 1 and lsh.threshold(4, 1) == 0.25


@witnesses("lsh.errors")
@pytest.mark.parametrize("bands, rows", SHAPES)
@pytest.mark.parametrize("similarity", [0.2, 0.7])
def test_errors_equal_scipys_integrals(bands: int, rows: int, similarity: float) -> None:
    integrate = pytest.importorskip("scipy.integrate")
    found = lsh.errors(similarity, bands, rows)
    below, _ = integrate.quad(lsh.probability, 0, similarity, args=(bands, rows))
    above, _ = integrate.quad(lsh.probability, similarity, 1, args=(bands, rows))
    assert found["false_positive"] == pytest.approx(below, abs=1e-7)
    assert found["false_negative"] == pytest.approx(1 - similarity - above, abs=1e-7)


@witnesses("lsh.best_bands")
@pytest.mark.parametrize("similarity", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("permutations, weight", [(128, 0.5), (64, 0.9), (30, 0.1)])
def test_best_bands_equal_those_of_datasketch(similarity: float, permutations: int, weight: float) -> None:
    datasketch = pytest.importorskip("datasketch")
    theirs = datasketch.MinHashLSH(similarity, permutations, weights=(weight, 1 - weight))
    assert lsh.best_bands(similarity, permutations, weight) == {"bands": theirs.b, "rows": theirs.r}
    assert lsh.best_bands(similarity, permutations) == lsh.best_bands(similarity, permutations, 0.5)


def test_best_bands_use_up_the_permutations_where_that_is_best() -> None:
    assert lsh.best_bands(0.0, 5) == {"bands": 5, "rows": 1}
    assert lsh.best_bands(1.0, 5) == {"bands": 1, "rows": 5}
    assert lsh.best_bands(0.5, 1) == {"bands": 1, "rows": 1}


@witnesses("lsh.comparisons")
def test_comparisons_equal_a_sum_over_pairs() -> None:
    total = sum(lsh.probability(0.4, 6, 3) for i in range(30) for j in range(i))
    assert lsh.comparisons(30, 0.4, 6, 3) == pytest.approx(total)


@witnesses("lsh.simulated")
@pytest.mark.parametrize("shared, alone", [(8, 1), (4, 6)])
@pytest.mark.parametrize("bands, rows", [(5, 4), (8, 2)])
def test_simulated_agrees_with_the_curve(shared: int, alone: int, bands: int, rows: int) -> None:
    trials = 800
    expected = lsh.probability(shared / (shared + 2 * alone), bands, rows)
    found = lsh.simulated(shared, alone, bands, rows, trials, 4)
    assert abs(found - expected) < 4 * math.sqrt(0.25 / trials)
    default = lsh.simulated(shared, alone, bands, rows)
    assert default == lsh.simulated(shared, alone, bands, rows, 500, 0)


def test_simulated_ends() -> None:
    assert lsh.simulated(3, 0, 1, 1, 1) == 1 and lsh.simulated(0, 3, 2, 2, 5) == 0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="permutations"):
        lsh.best_bands(0.5, 0)
    assert lsh.probability(0.5, 1, 1) == lsh.similarity_at(0.5, 1, 1) == 0.5
    assert lsh.steepest(1, 2) == 1 and lsh.threshold(1, 1) == 1
    assert lsh.comparisons(1, 0.5, 1, 1) == 0
    for call in (
        lambda: lsh.probability(1.1, 1, 1),
        lambda: lsh.probability(-0.5, 1, 2),
        lambda: lsh.probability(0.5, 0, 1),
        lambda: lsh.probability(0.5, 1, 0),
        lambda: lsh.similarity_at(1.1, 1, 1),
        lambda: lsh.similarity_at(0.5, 0, 1),
        lambda: lsh.similarity_at(0.5, 1, 0),
        lambda: lsh.threshold(0, 1),
        lambda: lsh.threshold(1, 0),
        lambda: lsh.steepest(0, 2),
        lambda: lsh.steepest(1, 1),
        lambda: lsh.errors(1.1, 1, 1),
        lambda: lsh.errors(0.5, 0, 1),
        lambda: lsh.errors(0.5, 1, 0),
        lambda: lsh.best_bands(1.1, 1),
        lambda: lsh.best_bands(0.5, 1, 1.1),
        lambda: lsh.simulated(-1, 2, 1, 1),
        lambda: lsh.simulated(2, -1, 1, 1),
        lambda: lsh.simulated(0, 0, 1, 1),
        lambda: lsh.simulated(1, 1, 0, 1),
        lambda: lsh.simulated(1, 1, 1, 0),
        lambda: lsh.simulated(1, 1, 1, 1, 0),
        lambda: lsh.simulated(1, 1, 1, 1, 1, -1),
    ):
        with pytest.raises(ValueError):
            call()
