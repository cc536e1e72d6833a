"""Independent ways to the numbers of verifiers/wordpiece.py: the tokenizers library and recounting."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import wordpiece

CORPUS = "hug " * 10 + "pug " * 5 + "pun " * 12 + "bun " * 4 + "hugs " * 5
VOCABULARY = ("h", "hu", "hug", "##s", "##g", "##gs", "##u", "p", "pu", "##n", "##un", "b")


def next_merge(parts: list[list[str]]) -> tuple[str, str]:
    """Return the best pair of a corpus written out word by word, by recounting everything."""
    single = Counter(token for word in parts for token in word)
    double = Counter(pair for word in parts for pair in pairwise(word))
    gains = {pair: count / single[pair[0]] / single[pair[1]] for pair, count in double.items()}
    best = max(gains.values())
    return min(pair for pair, gain in gains.items() if math.isclose(gain, best, rel_tol=1e-12))


def by_recounting(corpus: str, merges: int) -> list[tuple[str, str]]:
    parts = [[("##" if place else "") + c for place, c in enumerate(word)] for word in corpus.split()]
    learnt: list[tuple[str, str]] = []
    for _ in range(merges):
        if not any(len(word) > 1 for word in parts):
            break
        left, right = next_merge(parts)
        learnt.append((left, right))
        for word in parts:
            place = 0
            while place + 1 < len(word):
                if (word[place], word[place + 1]) == (left, right):
                    word[place : place + 2] = [left + right[2:]]
                place += 1
    return learnt


@witnesses("wordpiece.learns")
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_merges_equal_those_found_by_recounting(seed: int | None) -> None:
    rng = random.Random(seed)
    words = ("".join(rng.choices("abcd", k=rng.randint(1, 6))) for _ in range(60))
    corpus = CORPUS if seed is None else " ".join(words)
    learnt = by_recounting(corpus, 12)
    assert wordpiece.learns(corpus, tuple(learnt))["merges"] == len(learnt)
    with pytest.raises(AssertionError, match="first merges"):
        wordpiece.learns(corpus, (learnt[1], learnt[0]))


def test_the_course_example_merges_g_and_s_first() -> None:
    """Hugging Face's course: (##g, ##s) scores 5 / (20 · 5) = 1/20, the most frequent pair 20 / (36 · 20)."""
    assert wordpiece.learn(CORPUS, 2) == [("##g", "##s"), ("##u", "##g")]
    assert wordpiece.learn("ab", 5) == [("a", "##b")] and wordpiece.learn("ab", 0) == []
    assert wordpiece.learn("aaaaa a", 1) == [("##a", "##a")]
    assert wordpiece.merge(("##a", "##a", "##a"), ("##a", "##a")) == ("##aa", "##a")
    assert wordpiece.merge(("a", "##a", "##a", "##a"), ("##a", "##a")) == ("a", "##aa", "##a")


@witnesses("wordpiece.score", "wordpiece.likelihood_gain")
def test_gain_equals_the_rise_of_a_unigram_likelihood() -> None:
    """Join one occurrence of a pair in a long corpus and compare log-likelihoods at fixed frequencies."""
    pair, left, right, total = 30, 100, 50, 10_000
    assert wordpiece.score(pair, left, right) == 30 / 5000
    before = math.log(left / total) + math.log(right / total)
    after = math.log(pair / total)
    gain = wordpiece.likelihood_gain(pair, left, right, total)
    assert gain == pytest.approx(after - before)
    independent = wordpiece.likelihood_gain(20, 100, 2000, 10_000)
    assert independent == pytest.approx(0, abs=1e-12)


@witnesses("wordpiece.encodes_to", "wordpiece.tokens")
def test_encoding_equals_that_of_tokenizers() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    table = {token: place for place, token in enumerate((*VOCABULARY, "[UNK]"))}
    model = tokenizers.models.WordPiece(vocab=table, unk_token="[UNK]", continuing_subword_prefix="##")
    words = ["hugs", "hug", "pun", "bun", "bug", "h", "hus", "x", "hx", "pug", "hugsx", "gs", "uun", "huugs"]
    whole = 0
    for word in words:
        expected = tuple(token.value for token in model.tokenize(word))
        assert wordpiece.encodes_to(word, VOCABULARY, expected)["vocabulary"] == len(VOCABULARY)
        assert wordpiece.tokens(word, VOCABULARY) == len(expected)
        whole += len(expected)
        with pytest.raises(AssertionError, match="becomes"):
            wordpiece.encodes_to(word, VOCABULARY, (*expected, "##x"))
    assert wordpiece.tokens(" ".join(words), VOCABULARY) == whole
    assert wordpiece.tokens("", VOCABULARY) == 0


@witnesses("wordpiece.differs_from_bpe")
def test_the_first_merge_differs_from_that_of_bpe() -> None:
    assert wordpiece.differs_from_bpe(CORPUS) == {"WordPiece": "##gs"}
    pairs = Counter(pair for word in CORPUS.split() for pair in pairwise(word))
    assert pairs.most_common(1)[0][0] == ("u", "g") != ("g", "s")
    for same in ("ab ab cb", "a b", ""):
        with pytest.raises(AssertionError, match="as well"):
            wordpiece.differs_from_bpe(same)


def test_wrong_arguments_are_refused() -> None:
    arguments: Any
    for place in range(3):
        arguments = [1, 1, 1]
        arguments[place] = 0
        with pytest.raises(ValueError):
            wordpiece.score(*arguments)
    with pytest.raises(ValueError, match="total"):
        wordpiece.likelihood_gain(1, 1, 1, 0)
    for left, right in ((2, 1), (1, 2)):
        with pytest.raises(ValueError, match="its parts"):
            wordpiece.score(2, left, right)
        with pytest.raises(ValueError, match="together"):
            wordpiece.likelihood_gain(1, left, right, 1)
    assert wordpiece.score(1, 1, 1) == 1 and wordpiece.likelihood_gain(2, 2, 2, 2) == 0
