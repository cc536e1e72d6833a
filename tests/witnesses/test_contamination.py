"""Independent ways to the numbers of verifiers/contamination.py: scikit-learn's n-grams and simulation."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import contamination

CORPUS = "One two three four five, six seven; eight nine ten eleven. Two three two three."
TEXT = "zero two three FOUR five six zero eight nine two three"


def counted(text: str, n: int) -> tuple[Any, Any]:
    """Return scikit-learn's vectoriser and counts of n-grams of words of any length."""
    extraction = pytest.importorskip("sklearn.feature_extraction.text")
    vectoriser = extraction.CountVectorizer(ngram_range=(n, n), token_pattern=r"\b\w+\b")
    return vectoriser, vectoriser.fit_transform([text])


@witnesses("contamination.ngrams", "contamination.overlap", "contamination.collisions")
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_overlap_equals_counts_of_scikit_learn(n: int) -> None:
    vectoriser, counts = counted(TEXT, n)
    corpus_vectoriser, _ = counted(CORPUS, n)
    both = sum(
        int(counts[0, place])
        for gram, place in vectoriser.vocabulary_.items()
        if gram in corpus_vectoriser.vocabulary_
    )
    assert contamination.ngrams(TEXT, n) == int(counts.sum())
    assert contamination.collisions(TEXT, CORPUS, n) == both
    assert contamination.overlap(TEXT, CORPUS, n) == both / int(counts.sum())


def test_thirteen_words_are_the_default() -> None:
    words = " ".join(f"w{i}" for i in range(14))
    assert contamination.overlap(words, words) == 1 and contamination.collisions(words, words) == 2
    assert contamination.overlap(words, words.replace("w13", "x")) == 0.5
    assert contamination.collisions(words, words.replace("w12", "x")) == 0
    assert contamination.dirty((words,), words.replace("w13", "x")) == 1
    assert contamination.dirty((words,), words.replace("w12", "x")) == 0
    assert contamination.ngrams("a b", 3) == 0 and contamination.ngrams("a b", 2) == 1
    assert contamination.chance_matches(5, 10, 0.5) == contamination.chance_matches(5, 10, 0.5, 13)


@witnesses("contamination.token_share")
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_token_share_equals_words_marked_one_by_one(n: int) -> None:
    words = TEXT.lower().split()
    known = " ".join(contamination.words_of(CORPUS))
    marked = [
        any(
            f" {' '.join(words[start : start + n])} " in f" {known} "
            for start in range(place - n + 1, place + 1)
            if start >= 0 and start + n <= len(words)
        )
        for place in range(len(words))
    ]
    assert contamination.token_share(TEXT, CORPUS, n) == sum(marked) / len(words)


def test_token_share_counts_ten_words_by_default() -> None:
    words = " ".join(f"w{i}" for i in range(20))
    assert contamination.token_share(words, words[: words.index(" w10")]) == 0.5
    assert contamination.token_share(words, words[: words.index(" w9")]) == 0


@witnesses("contamination.dirty")
def test_dirty_counts_texts_with_a_collision() -> None:
    texts = ("two three four", "four three two", "nine ten zero", "eight nine ten")
    by_search = sum(text in " ".join(contamination.words_of(CORPUS)) for text in texts)
    assert contamination.dirty(texts, CORPUS, 3) == by_search == 2
    assert contamination.dirty((), CORPUS, 3) == 0
    # an example of fewer words than n is dirty where all of it stands in the corpus
    assert contamination.dirty(("two three four", "three two four", "ten"), CORPUS, 13) == 2


@witnesses("contamination.chance_matches")
def test_chance_matches_equal_a_simulation() -> None:
    rng = np.random.default_rng(2)
    ngrams, corpus, bits, n = 50, 30, 3, 2
    runs = []
    for _ in range(400):
        known = set(rng.integers(2 ** (bits * n), size=corpus).tolist())
        runs.append(sum(gram in known for gram in rng.integers(2 ** (bits * n), size=ngrams).tolist()))
    expected = contamination.chance_matches(ngrams, corpus, bits, n)
    assert float(np.mean(runs)) == pytest.approx(expected, rel=0.03)
    # far below one match in a cell, the expectation is a plain product
    small = contamination.chance_matches(1e3, 1e12, 10, 13)
    assert small == pytest.approx(1e15 * 2.0**-130, rel=1e-9)
    assert contamination.chance_matches(0, 5, 1, 1) == contamination.chance_matches(5, 0, 1, 1) == 0


@witnesses("contamination.clean_score", "contamination.inflated_score")
def test_scores_equal_counts_of_answers() -> None:
    clean, dirty = [1] * 27 + [0] * 33, [1] * 32 + [0] * 8
    whole = clean + dirty
    score = sum(whole) / len(whole)
    found = contamination.clean_score(score, len(dirty) / len(whole), 32 / 40)
    assert found == pytest.approx(27 / 60)
    assert contamination.inflated_score(27 / 60, 0.4, 32 / 40) == pytest.approx(score)
    assert contamination.inflated_score(0.5, 0.2) == pytest.approx(0.6)
    assert contamination.clean_score(0.5, 0, 1) == 0.5


@witnesses("contamination.order_test")
@pytest.mark.parametrize("shuffles", [1, 2, 4])
def test_clean_models_reach_each_p_value_as_often_as_it_says(shuffles: int) -> None:
    # the first likelihood is the published order's, and all orders of the likelihoods are equally likely
    orders = list(permutations(range(shuffles + 1)))
    found = [contamination.order_test(shuffles, sum(x > o[0] for x in o[1:])) for o in orders]
    for level in set(found):
        assert sum(p <= level for p in found) / len(orders) == pytest.approx(level)
    assert contamination.order_test(shuffles) == min(found) == 1 / (1 + shuffles)


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: contamination.ngrams("a", 0),
        lambda: contamination.overlap("a b", "a b", 3),
        lambda: contamination.collisions("a", "a", 0),
        lambda: contamination.token_share("", "a", 1),
        lambda: contamination.dirty(("a",), "a", 0),
        lambda: contamination.dirty((), "a", 0),
        lambda: contamination.dirty(("",), "a", 1),
        lambda: contamination.chance_matches(-1, 1, 1, 1),
        lambda: contamination.chance_matches(1, -1, 1, 1),
        lambda: contamination.clean_score(0.5, 1, 0.5),
        lambda: contamination.clean_score(0.5, 0.5, 1.1),
        lambda: contamination.clean_score(0.1, 0.5, 1),
        lambda: contamination.order_test(0),
        lambda: contamination.order_test(3, 4),
        lambda: contamination.order_test(3, -1),
        lambda: contamination.inflated_score(1.1, 0.5, 0.5),
        lambda: contamination.inflated_score(0.5, 1.1, 0.5),
        lambda: contamination.inflated_score(0.5, 0.5, 1.1),
    ):
        with pytest.raises(ValueError):
            call()
    for name, call in (
        ("bits_per_word", lambda: contamination.chance_matches(1, 1, 0, 1)),
        ("n must", lambda: contamination.chance_matches(1, 1, 1, 0)),
        ("^score", lambda: contamination.clean_score(1.1, 0.1, 1)),
    ):
        with pytest.raises(ValueError, match=name):
            call()
    assert contamination.overlap("a", "a", 1) == contamination.token_share("a", "A!", 1) == 1
    assert math.isclose(contamination.chance_matches(1, 1, 1, 1), 0.5)
