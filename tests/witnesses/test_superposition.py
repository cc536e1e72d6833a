"""Independent ways to the numbers of verifiers/superposition.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import superposition


@witnesses("superposition.interference")
@pytest.mark.parametrize(("active", "width"), [(0, 8), (1, 16), (9, 64), (30, 32)])
def test_interference_equals_that_of_random_directions(active: int, width: int) -> None:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((1500, active + 1, width))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    readings = np.einsum("nd,nkd->n", directions[:, 0], directions[:, 1:])
    assert superposition.interference(active, width) == pytest.approx(np.sqrt((readings**2).mean()), rel=0.05)


@witnesses("superposition.least_overlap")
def test_known_frames_reach_the_bound_and_nothing_gets_below() -> None:
    """Three directions in the plane, and the four corners of a tetrahedron, meet the bound."""
    angles = np.arange(3) * 2 * np.pi / 3
    triangle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    for frame in (triangle, tetrahedron):
        features, width = frame.shape
        largest = np.abs(frame @ frame.T)[~np.eye(features, dtype=bool)].max()
        assert superposition.least_overlap(features, width) == pytest.approx(largest, rel=1e-12)
    for seed in range(20):
        rows = np.random.default_rng(seed).standard_normal((6, 3))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        assert np.abs(rows @ rows.T)[~np.eye(6, dtype=bool)].max() >= superposition.least_overlap(6, 3)
    assert [superposition.least_overlap(n, 4) for n in (1, 3, 4)] == [0, 0, 0]
    assert superposition.least_overlap(1, 1) == 0


@witnesses("superposition.random_overlap")
@pytest.mark.parametrize(("features", "width", "seed"), [(2, 1, 0), (2, 3, 1), (40, 8, 2)])
def test_random_overlap_equals_the_largest_of_all_pairs(features: int, width: int, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((features, width)).tolist()
    cosines = [
        abs(sum(a * b for a, b in zip(x, y, strict=True)))
        / (sum(a * a for a in x) * sum(b * b for b in y)) ** 0.5
        for x, y in itertools.combinations(rows, 2)
    ]
    assert superposition.random_overlap(features, width, seed) == pytest.approx(max(cosines), rel=1e-12)
    assert superposition.random_overlap(features, width) == superposition.random_overlap(features, width, 0)


@witnesses("superposition.separable_share")
@pytest.mark.parametrize(("points", "width"), [(1, 1), (3, 1), (4, 2), (5, 3), (3, 5)])
def test_share_equals_a_linear_programme_over_all_labels(points: int, width: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    x = np.random.default_rng(0).standard_normal((points, width))
    fitted = 0
    for labels in itertools.product((-1.0, 1.0), repeat=points):
        signed = -np.array(labels)[:, None] * x
        found = optimize.linprog(np.zeros(width), signed, -np.ones(points), bounds=[(None, None)] * width)
        fitted += found.success
    assert superposition.separable_share(points, width) == fitted / 2**points


def test_more_points_than_a_float_can_count_labellings() -> None:
    assert superposition.separable_share(4000, width=2000) == 0.5
    assert superposition.separable_share(4000, width=4000) == 1


def test_too_few_features_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="active"):
        superposition.interference(-1, 1)
    with pytest.raises(ValueError, match="features"):
        superposition.random_overlap(1, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: superposition.interference(1, 0),
        lambda: superposition.least_overlap(0, 1),
        lambda: superposition.least_overlap(1, 0),
        lambda: superposition.random_overlap(2, 0),
        lambda: superposition.separable_share(0, 1),
        lambda: superposition.separable_share(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
