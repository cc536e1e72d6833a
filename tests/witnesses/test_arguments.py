"""What arguments are let through and what are refused, at the boundaries."""

from __future__ import annotations

import math
from typing import Any

import pytest

from verifiers import arguments

ODD = [math.nan, math.inf, -math.inf, True, False, "3", None, 1j, [1]]


@pytest.mark.parametrize("number", [-1e308, -1, 0, 5e-324, 7])
def test_finite_lets_every_sign_through(number: float) -> None:
    arguments.finite(first=1, number=number)


@pytest.mark.parametrize("number", ODD)
def test_finite_refuses_all_else(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^number must be a finite number"):
        arguments.finite(first=1, number=number)


@pytest.mark.parametrize("number", [1, 5e-324, 0.5, 1e308, 10**400 // 10**100])
def test_positive_lets_numbers_above_zero_through(number: float) -> None:
    arguments.positive(first=1, number=number)
    arguments.positive()


@pytest.mark.parametrize("number", [0, 0.0, -0.0, -1, -5e-324, *ODD])
def test_positive_refuses_all_else_and_names_it(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^number "):
        arguments.positive(first=1, number=number)


@pytest.mark.parametrize("number", [0, 0.0, -0.0, 5e-324, 1, 1.5])
def test_non_negative_lets_zero_through(number: float) -> None:
    arguments.non_negative(first=0, number=number)


@pytest.mark.parametrize("number", [-1, -5e-324, *ODD])
def test_non_negative_refuses_all_else(number: Any) -> None:
    with pytest.raises(ValueError, match="number "):
        arguments.non_negative(first=0, number=number)


def test_counts_are_integers_of_at_least_one_unless_said_otherwise() -> None:
    arguments.counts(one=1, two=2)
    arguments.counts(0, none=0)
    arguments.counts(-3, some=-3)
    arguments.counts(2, two=2)
    for least, number in ((1, 0), (1, -1), (0, -1), (2, 1), (-3, -4)):
        with pytest.raises(ValueError, match=f"^number must be at least {least}, not {number}"):
            arguments.counts(least, first=5, number=number)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        arguments.counts(number=0)


@pytest.mark.parametrize("number", [1.0, 2.5, *ODD])
def test_counts_refuse_what_is_no_integer(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^number must be an integer"):
        arguments.counts(first=1, number=number)


@pytest.mark.parametrize("number", [0, 1, 0.0, 1.0, 0.5, 5e-324, math.nextafter(1, 0)])
def test_shares_lie_between_zero_and_one(number: float) -> None:
    arguments.shares(first=0.5, number=number)


@pytest.mark.parametrize("number", [-5e-324, math.nextafter(1, 2), 2, -1, *ODD])
def test_shares_refuse_all_else(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^number must"):
        arguments.shares(first=0.5, number=number)


def test_parts_divide_a_whole_or_are_refused() -> None:
    for whole in range(1, 13):
        for parts in range(1, 14):
            if whole in {parts * quotient for quotient in range(1, 13)}:
                arguments.divides(whole, parts, "heads")
            else:
                with pytest.raises(ValueError, match=f"{whole} heads do not divide evenly by {parts}"):
                    arguments.divides(whole, parts, "heads")
    for whole, parts in ((0, 1), (4, 0), (-4, 2), (4, -2), (4.0, 2), (4, 2.0), (True, 1)):
        with pytest.raises(ValueError, match="must be"):
            arguments.divides(whole, parts, "heads")  # type: ignore[arg-type]


def test_a_known_name_is_returned() -> None:
    known = {"fp16": 16, "bf16": 16}
    assert arguments.one_of("data type", "bf16", known) == "bf16"
    assert arguments.one_of("data type", "fp16", iter(known)) == "fp16"


def test_an_unknown_name_is_refused_with_the_nearest_or_all() -> None:
    known = ("warmup", "cosine", "cos")
    with pytest.raises(ValueError, match=r"^unknown schedule 'Cosinus'; did you mean 'cosine'\?$"):
        arguments.one_of("schedule", "Cosinus", known)
    for other in ("xyz", "", "w", 7):
        with pytest.raises(ValueError, match=r"known: warmup, cosine, cos$"):
            arguments.one_of("schedule", other, known)
    # three of six letters in common are near enough, fewer are not
    with pytest.raises(ValueError, match="did you mean 'abcdef'"):
        arguments.one_of("schedule", "abcxyz", ["abcdef"])
    with pytest.raises(ValueError, match="known: abcdef"):
        arguments.one_of("schedule", "abwxyz", ["abcdef"])


def test_a_distribution_sums_to_one() -> None:
    for shares in ([1], [0.5, 0.5], [0.1] * 10, (1 / 3, 1 / 3, 1 / 3), [1, 0], [0.5, 0.5 + 0.9e-9]):
        arguments.distribution(shares)
    for shares in ([0.5], [0.5, 0.5 + 1.1e-9], [0.5, 0.5 - 1.1e-9], [1, 1], [], [0]):
        with pytest.raises(ValueError, match=r"^probabilities must sum to 1"):
            arguments.distribution(shares)
    with pytest.raises(ValueError, match=r"^q\[1\] cannot be negative"):
        arguments.distribution([1.5, -0.5], "q")
    with pytest.raises(ValueError, match=r"^q must sum"):
        arguments.distribution([0.7], "q")
