"""Independent ways to the numbers of verifiers/determinism.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import determinism

F = np.float32


def added(terms: list[np.float32]) -> np.float32:
    total = terms[0]
    for term in terms[1:]:
        total = F(total + term)
    return total


def in_parts(terms: list[np.float32], parts: int) -> np.float32:
    size = len(terms) // parts
    return added([added(terms[part * size : (part + 1) * size]) for part in range(parts)])


@witnesses("determinism.split_sums")
@pytest.mark.parametrize(("terms", "parts", "seed"), [(64, 4, 0), (48, 3, 1), (16, 1, 0), (8, 8, 0)])
def test_sums_equal_those_of_a_loop(terms: int, parts: int, seed: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, 40, terms)).astype(F)
    whole, split = [], []
    for x, y in zip(a, b, strict=True):
        products = [F(p * q) for p, q in zip(x, y, strict=True)]
        whole.append(added(products))
        split.append(in_parts(products, parts))
    gaps = [abs(float(w) - float(s)) for w, s in zip(whole, split, strict=True)]
    got = determinism.split_sums(terms, parts, 40, seed)
    assert got == {"equal": gaps.count(0) / 40, "largest": max(gaps)}


def test_sums_by_default() -> None:
    got = determinism.split_sums(64, 4)
    assert got == determinism.split_sums(64, 4, 500, 0)
    assert 0 < got["equal"] < 1
    assert 0 < got["largest"] < 1e-4


@witnesses("determinism.flipped_choices")
@pytest.mark.parametrize(
    ("gap", "terms", "parts", "seed"), [(0.0, 64, 4, 0), (1e-6, 32, 2, 3), (1e-5, 64, 8, 0)]
)
def test_flips_equal_those_of_a_loop(gap: float, terms: int, parts: int, seed: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, 50, terms)).astype(F)
    shuffle = np.random.default_rng(seed + 1)
    products = (a * b).astype(F)
    flips = 0
    for ours, theirs in zip(products, shuffle.permuted(products, axis=1), strict=True):
        leads = [
            in_parts(list(ours), count) > F(in_parts(list(theirs), count) + F(gap)) for count in (1, parts)
        ]
        flips += leads[0] != leads[1]
    assert determinism.flipped_choices(gap, terms, parts, 50, seed) == flips / 50


def test_flips_by_default() -> None:
    got = determinism.flipped_choices(1e-6)
    assert got == determinism.flipped_choices(1e-6, 1024, 8, 500, 0) > 0
    assert determinism.flipped_choices(1.0) == 0


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: determinism.split_sums(8, 2, 0), "sums must be"),
        (lambda: determinism.flipped_choices(0, 8, 2, pairs=0), "pairs must be"),
        (lambda: determinism.split_sums(8, 2, seed=-1), "seed must be at least 0"),
        (lambda: determinism.flipped_choices(0, 8, 2, seed=-1), "seed must be at least 0"),
        (lambda: determinism.split_sums(10, 3), "10 terms do not divide"),
        (lambda: determinism.flipped_choices(0, 10, 3), "10 terms do not divide"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: determinism.split_sums(10, 3),
        lambda: determinism.split_sums(0, 1),
        lambda: determinism.split_sums(8, 2, 0),
        lambda: determinism.split_sums(8, 2, seed=-1),
        lambda: determinism.split_sums(8, 2, seed=None),
        lambda: determinism.flipped_choices(0, 8, 2, seed=True),
        lambda: determinism.flipped_choices(-1e-9),
        lambda: determinism.flipped_choices(0, 10, 3),
        lambda: determinism.flipped_choices(0, pairs=0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
