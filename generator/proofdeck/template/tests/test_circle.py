"""Witnesses: other ways to the verifiers' results."""

import random

from proofdeck import witnesses
from verifiers import circle


@witnesses("circle.area")
def test_area_by_throwing_darts() -> None:
    random.seed(1)
    darts = [(random.uniform(-2, 2), random.uniform(-2, 2)) for _ in range(200_000)]
    inside = sum(x * x + y * y <= 4 for x, y in darts) / len(darts)
    assert abs(inside * 16 - circle.area(2)["area"]) < 0.1


@witnesses("circle.area_equals_the_limit_of_polygons")
def test_polygon_of_four_corners_is_a_square() -> None:
    assert abs(circle.polygon_area(4) - 2) < 1e-12


@witnesses("circle.circumference_ratio")
def test_circumference_is_linear() -> None:
    assert circle.circumference_ratio(3) == 3 * circle.circumference_ratio(1)
