"""Independent ways to the numbers of verifiers/minhash.py: datasketch, simulation and plain counting."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import minhash

CAT = "the cat sat on the mat and looked at the dog"
DOG = "the cat sat on the mat and stared at the dog"


@witnesses("minhash.shingles", "minhash.jaccard", "minhash.containment")
@pytest.mark.parametrize("length", [1, 2, 3])
def test_similarities_equal_those_of_hand_made_sets(length: int) -> None:
    def grams(text: str) -> set[str]:
        words = text.split()
        return {" ".join(words[i : i + length]) for i in range(len(words)) if i + length <= len(words)}

    ours, theirs = grams(CAT), grams(DOG)
    assert minhash.shingles(CAT, length) == len(ours)
    both, either = len(ours & theirs), len(ours | theirs)
    assert minhash.jaccard(CAT, DOG, length) == both / either
    assert minhash.containment(CAT, DOG, length) == both / len(ours)
    assert minhash.containment(CAT, CAT + " " + DOG, length) == 1


def test_characters_can_be_shingled() -> None:
    assert minhash.shingles("abab", 2, "character") == 2
    assert minhash.shingles("a b", 1, "character") == 3
    assert minhash.jaccard("abc", "bcd", 2, "character") == 1 / 3
    assert minhash.containment("abc", "bcde", 1, "character") == 2 / 3
    assert minhash.estimate("abc", "cab", 1, 5, unit="character") == 1
    assert minhash.shingles("ab", 3, "character") == 0


@witnesses("minhash.estimate")
def test_estimate_agrees_with_datasketch_and_with_the_similarity() -> None:
    datasketch = pytest.importorskip("datasketch")
    permutations, length = 2000, 3

    def sketch(text: str) -> Any:
        signature = datasketch.MinHash(num_perm=permutations, seed=3)
        words = text.split()
        for start in range(len(words) - length + 1):
            signature.update(" ".join(words[start : start + length]).encode())
        return signature

    exact = minhash.jaccard(CAT, DOG, length)
    error = minhash.standard_error(exact, permutations)
    for seed in (0, 1):
        found = minhash.estimate(CAT, DOG, length, permutations, seed)
        assert abs(found - exact) < 4 * error
        assert abs(found - sketch(CAT).jaccard(sketch(DOG))) < 6 * error
    assert minhash.estimate(CAT, DOG, length, permutations) == minhash.estimate(
        CAT, DOG, length, permutations, 0
    )
    assert minhash.estimate(CAT, CAT, 2, 10) == 1
    assert minhash.estimate("a b c", "d e f", 2, 50) == 0


@witnesses("minhash.estimate")
def test_estimates_of_all_permutations_average_to_the_similarity() -> None:
    """Over every one of the 5! orders of five shingles the share of equal minima is exact."""
    ours, theirs = {0, 1, 2}, {1, 2, 3, 4}
    equal = sum(
        min(order[i] for i in ours) == min(order[i] for i in theirs)
        for order in itertools.permutations(range(5))
    )
    assert equal / 120 == minhash.jaccard("a b c", "b c d e", 1)


@witnesses("minhash.standard_error", "minhash.permutations_for")
@pytest.mark.parametrize("similarity, permutations", [(0.8, 50), (0.3, 128)])
def test_standard_error_equals_the_spread_of_simulated_estimates(
    similarity: float, permutations: int
) -> None:
    draws = np.random.default_rng(5).random((20_000, permutations)) < similarity
    spread = draws.mean(axis=1).std()
    error = minhash.standard_error(similarity, permutations)
    assert error == pytest.approx(spread, rel=0.03)
    needed = minhash.permutations_for(error * 1.0001, similarity)
    assert needed == permutations
    assert minhash.standard_error(similarity, needed - 1) > error * 1.0001
    assert minhash.permutations_for(error * 0.9999, similarity) == permutations + 1


def test_errors_at_the_ends_and_the_default_is_the_worst_case() -> None:
    assert minhash.standard_error(0, 1) == minhash.standard_error(1, 1) == 0
    assert minhash.permutations_for(0.05) == max(minhash.permutations_for(0.05, j / 20) for j in range(21))
    assert minhash.permutations_for(0.05) == 100
    # exactly 0.09/10⁻⁶, which binary numbers miss
    assert minhash.permutations_for(0.001, 0.1) == 90_000
    assert minhash.permutations_for(0.05, 0) == minhash.permutations_for(0.05, 1) == 1


@witnesses("minhash.signature_bytes")
def test_signature_bytes_equal_those_of_an_array() -> None:
    assert minhash.signature_bytes(7, 128) == np.empty((7, 128), np.uint32).nbytes
    assert minhash.signature_bytes(7, 128, 8) == np.empty((7, 128), np.uint64).nbytes


@witnesses("minhash.pairs")
@pytest.mark.parametrize("documents", [1, 2, 3, 40])
def test_pairs_equal_an_enumeration(documents: int) -> None:
    assert minhash.pairs(documents) == len(list(itertools.combinations(range(documents), 2)))


@witnesses("minhash.collides_as_often_as_similar")
def test_collisions_happen_as_often_as_sets_are_similar() -> None:
    """The share of orders in which a common member comes first, by drawing orders one by one."""
    assert minhash.collides_as_often_as_similar()["permutations"] == 4000
    assert minhash.collides_as_often_as_similar(((0, 3), (3, 0)))["standard errors"] == 4
    rng = np.random.default_rng(0)
    shared, alone = 5, 4
    firsts = [rng.permutation(shared + 2 * alone)[0] for _ in range(4000)]
    expected = sum(first < shared for first in firsts) / 4000
    assert minhash.collisions(shared, alone, 4000, 1) == pytest.approx(expected, abs=0.04)
    assert minhash.collisions(3, 0, 50, 1) == 1


def test_the_collision_check_fails_for_biased_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    def unequal(sets: Any, universe: int, permutations: int, seed: int) -> Any:
        """Give each set orders of its own, as if the hash functions were not shared."""
        rng = np.random.default_rng(seed)
        return np.stack([rng.random((permutations, universe))[:, sorted(s)].argmin(axis=1) for s in sets])

    monkeypatch.setattr(minhash, "minima", unequal)
    with pytest.raises(AssertionError, match="similarity"):
        minhash.collides_as_often_as_similar()
    for factor in (0.5, 2):  # too few and too many collisions
        monkeypatch.setattr(minhash, "collisions", lambda shared, alone, *_, f=factor: 0.4 * f)
        with pytest.raises(AssertionError, match="similarity"):
            minhash.collides_as_often_as_similar(((4, 3),))
    error = minhash.standard_error(0.4, 4000)
    monkeypatch.setattr(minhash, "collisions", lambda *_: 0.4 + 3.9 * error)
    minhash.collides_as_often_as_similar(((4, 3),))


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: minhash.shingles("a", 0),
        lambda: minhash.shingles("a", 1, "line"),
        lambda: minhash.jaccard("a", "b", 2),
        lambda: minhash.containment("a", "b c", 2),
        lambda: minhash.estimate("a b", "a b", 1, 0),
        lambda: minhash.standard_error(0.5, 0),
        lambda: minhash.permutations_for(0),
        lambda: minhash.permutations_for(0.1, 1.1),
        lambda: minhash.signature_bytes(0, 1),
        lambda: minhash.signature_bytes(1, 0),
        lambda: minhash.signature_bytes(1, 1, 0),
        lambda: minhash.pairs(0),
    ):
        with pytest.raises(ValueError):
            call()
    for name, call in (
        ("least", lambda: minhash.estimate("a", "b c", 2, 1)),
        ("least", lambda: minhash.estimate("b c", "a", 2, 1)),
        ("seed must", lambda: minhash.estimate("a b", "a b", 1, 1, seed=-1)),
        ("similarity", lambda: minhash.standard_error(1.1, 1)),
    ):
        with pytest.raises(ValueError, match=name):
            call()
    assert minhash.estimate("a", "a", 1, 1) == 1 and minhash.signature_bytes(1, 1, 1) == 1
    assert minhash.jaccard("a", "b c", 2) == 0 and minhash.standard_error(0.5, 1) == 0.5
