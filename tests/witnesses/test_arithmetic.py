"""Plain arithmetic against exact fractions and against counting."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import arithmetic

NUMBERS = (3, 0.1, 2.5, 7e12, 1e-9, 41)


@witnesses("arithmetic.ratio")
def test_a_ratio_is_the_nearest_float_to_the_fraction() -> None:
    for number in (*NUMBERS, -4, 0):
        for other in NUMBERS:
            assert arithmetic.ratio(number, other) == float(Fraction(number) / Fraction(other))
    for wrong in (0, -1, math.inf):
        with pytest.raises(ValueError, match="other"):
            arithmetic.ratio(1, wrong)


@witnesses("arithmetic.product")
def test_a_product_is_exact_for_integers() -> None:
    assert arithmetic.product() == 1
    assert arithmetic.product(10**20 + 1, 10**20 - 1) == 10**40 - 1
    assert arithmetic.product(3, 0.5, -2) == -3.0
    box = [(i, j, k) for i in range(4) for j in range(5) for k in range(6)]
    assert arithmetic.product(4, 5, 6) == len(box)


@witnesses("arithmetic.total")
def test_a_sum_is_exact_for_integers_and_rounded_once_otherwise() -> None:
    assert arithmetic.total() == 0
    assert arithmetic.total(10**20, 1, -(10**20)) == 1
    assert isinstance(arithmetic.total(1, 2), int)
    assert arithmetic.total(*[0.1] * 10) == 1.0
    assert arithmetic.total(1e16, 1.0, -1e16) == 1.0
    assert arithmetic.total(1, 0.5) == 1.5
    assert arithmetic.total(10**16, 1, 0.25) == float(Fraction(10**16 + 1) + Fraction(1, 4))


@witnesses("arithmetic.change")
def test_a_change_undoes_itself() -> None:
    assert arithmetic.change(200, 150) == -0.25
    assert arithmetic.change(100, 150) == 0.5
    assert arithmetic.change(0.5, 0) == -1
    for before in NUMBERS:
        for after in NUMBERS:
            told = before * (1 + Fraction(arithmetic.change(before, after)))
            assert float(told) == pytest.approx(after, rel=1e-6, abs=1e-15 * before)
    for wrong in (0, -2):
        with pytest.raises(ValueError, match="before"):
            arithmetic.change(wrong, 1)


@witnesses("arithmetic.compound")
def test_compound_growth_is_repeated_multiplication() -> None:
    for rate in (0.05, 1, -0.5, 3):
        grown = Fraction(1)
        for periods in range(9):
            assert arithmetic.compound(rate, periods) == pytest.approx(float(grown), rel=1e-12)
            grown *= 1 + Fraction(rate)
    assert arithmetic.compound(3, 0.5) == 2
    assert arithmetic.compound(1, -2) == 0.25
    assert isinstance(arithmetic.compound(1, 2), float)
    for wrong in (-1, -1.5):
        with pytest.raises(ValueError, match="1 \\+ rate"):
            arithmetic.compound(wrong, 2)


@witnesses("arithmetic.power")
def test_a_power_is_exact_for_integers() -> None:
    assert arithmetic.power(7, 30) == math.prod([7] * 30)
    assert isinstance(arithmetic.power(2, 10), int)
    assert arithmetic.power(2.0, 0.5) == math.sqrt(2)
    assert arithmetic.power(10, -2) == 0.01
    for wrong in (0, -2):
        with pytest.raises(ValueError, match="base"):
            arithmetic.power(wrong, 2)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, True, "2"])
@pytest.mark.parametrize("name", ["ratio", "product", "total", "change", "compound", "power"])
def test_what_is_no_finite_number_is_refused(name: str, wrong: Any) -> None:
    call = getattr(arithmetic, name)
    for numbers in ((3, wrong), (wrong, 2)):
        with pytest.raises(ValueError, match="must be a finite number"):
            call(*numbers)
