"""Witnesses of `verifiers/truncation.py`: masks of real tensors and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from verifiers import truncation


@pytest.mark.parametrize(
    "rule, threshold, expected",
    [
        ("top-k", 1, 1),
        ("top-k", 3, 3),
        ("top-k", 9, 4),
        ("top-p", Fraction(1, 100), 1),
        ("top-p", Fraction(1, 2), 1),
        ("top-p", Fraction(51, 100), 2),
        ("top-p", Fraction(9, 10), 3),
        ("top-p", Fraction(91, 100), 4),
        ("top-p", 1, 4),
        ("min-p", Fraction(2, 5), 3),
        ("min-p", Fraction(41, 100), 1),
        ("min-p", Fraction(1, 5), 4),
        ("min-p", 1, 1),
    ],
)
def test_counts_by_hand(rule: str, threshold: Fraction, expected: int) -> None:
    ordered = [Fraction(p, 10) for p in (5, 2, 2, 1)]
    assert truncation.count_kept(ordered, rule, threshold) == expected


def test_rounded_sums_keep_what_stands_on_the_threshold() -> None:
    assert sum([0.6, 0.3]) < 0.9  # the decimal sum is exactly 0.9
    assert truncation.count_kept([0.6, 0.3, 0.1], "top-p", 0.9) == 3
    assert truncation.count_kept_rounded([0.6, 0.3, 0.1], "top-p", 0.9) == 2
    assert truncation.count_kept_rounded([0.6, 0.3, 0.1], "top-p", 0.9001) == 3
    assert truncation.count_kept_rounded([0.6, 0.3, 0.1], "top-k", 2) == 2
    assert truncation.count_kept_rounded([0.6, 0.3, 0.1], "min-p", 0.5) == 2
    light = [1 - 1e-13, 1e-13]
    assert truncation.count_kept_rounded(light, "top-p", 1.0) == 2
    assert truncation.count_kept_rounded(light, "top-p", 0.99) == 1
    assert (
        truncation.count_kept_rounded(light, "min-p", 1)
        == truncation.count_kept_rounded(light, "top-k", 1)
        == 1
    )


def test_a_literal_is_the_decimal_that_was_written() -> None:
    assert truncation.decimal(0.1) == Fraction(1, 10) != Fraction(0.1)


@pytest.mark.parametrize(
    "rule, threshold",
    [("top-k", 1), ("top-k", 2.0), ("top-k", 50), ("top-p", 1.0), ("top-p", 0.1), ("min-p", 1)],
)
def test_good_thresholds_pass(rule: str, threshold: float) -> None:
    truncation.check_rule(rule, threshold)


@pytest.mark.parametrize(
    "rule, threshold",
    [
        ("top-q", 0.5),
        ("top-k", 1.5),
        ("top-k", 0),
        ("top-p", 1.01),
        ("top-p", 0),
        ("min-p", 2),
        ("min-p", -0.1),
    ],
)
def test_bad_thresholds_are_refused(rule: str, threshold: float) -> None:
    with pytest.raises(ValueError):
        truncation.check_rule(rule, threshold)
