"""Independent ways to the numbers of verifiers/lexical.py."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from proofdeck import witnesses
from verifiers import lexical


@witnesses("lexical.bm25")
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (1.5, 0.5), (0.0, 0.75), (2.0, 0.0), (1.0, 1.0)])
def test_weight_equals_one_counted_from_a_corpus(k1: float, b: float) -> None:
    """Count words in real texts, and follow the derivation: odds of relevance times a saturated count."""
    corpus = ["cat sat on mat", "dog dog ran", "cat cat cat chased one dog", "bird", "on and on"]
    texts = [text.split() for text in corpus]
    mean = sum(map(len, texts)) / len(texts)
    for term in ("cat", "dog", "on", "fish", "bird"):
        holders = sum(term in text for text in texts)
        odds = (len(texts) - holders + 0.5) / (holders + 0.5)
        weight = math.log(1 + odds)
        for text in texts:
            count = text.count(term)
            slack = k1 * ((1 - b) + b * (len(text) / mean))
            expected = weight * (k1 + 1) / (1 + slack / count) if count else 0
            got = lexical.bm25(count, holders, len(texts), len(text), mean, k1, b)
            assert got == pytest.approx(expected, rel=1e-12)


def test_defaults_are_those_of_the_literature() -> None:
    assert lexical.bm25(3, 2, 9, 80, 100) == lexical.bm25(3, 2, 9, 80, 100, k1=1.2, b=0.75)
    assert lexical.bm25(3, 1, 9, 80, 100) > lexical.bm25(3, 2, 9, 80, 100)
    assert lexical.bm25(1, 1, 1, 1, 1) == pytest.approx(math.log(4 / 3))


@witnesses("lexical.bm25_saturates")
def test_saturation_check_fails_for_plain_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    lexical.bm25_saturates()
    lexical.bm25_saturates(counts=3)
    with pytest.raises(ValueError):
        lexical.bm25_saturates(counts=2)
    lexical.bm25_saturates(k1s=[1.0])
    with pytest.raises(ValueError, match="k1s"):
        lexical.bm25_saturates(k1s=[])
    right = lexical.bm25
    for wrong in (
        lambda tf, *rest: float(tf),
        lambda tf, *rest: 5.0,
        lambda tf, *rest: -right(tf, *rest),
        lambda tf, *rest: 2 * right(tf, *rest),
        lambda tf, *rest: right(tf, *rest) / (1 + tf),
        lambda tf, *rest: right(tf, *rest) / 2,
        lambda tf, *rest: math.log1p(tf) / 10,
    ):
        monkeypatch.setattr(lexical, "bm25", wrong)
        with pytest.raises(AssertionError):
            lexical.bm25_saturates()


def test_rises_below_needs_all_three_signs() -> None:
    assert lexical._rises_below([0, 2, 3], 3.5)
    assert not lexical._rises_below([0, 2, 3], 3)
    assert not lexical._rises_below([0, 2, 4], 9)
    assert not lexical._rises_below([0, 2, 1], 9)
    assert not lexical._rises_below([0, 2, 2], 9)
    assert not lexical._rises_below([0, 3, 4, 6], 9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: lexical.bm25(-1, 1, 9, 1, 1),
        lambda: lexical.bm25(1, -1, 9, 1, 1),
        lambda: lexical.bm25(1, 10, 9, 1, 1),
        lambda: lexical.bm25(1, 0, 9, 1, 1),
        lambda: lexical.bm25(3, 0, 9, 1, 1),
        lambda: lexical.bm25(0, 0, 0, 1, 1),
        lambda: lexical.bm25(1, 1, 9, 0, 1),
        lambda: lexical.bm25(1, 1, 9, 1, 0),
        lambda: lexical.bm25(1, 1, 9, 1, 1, k1=-0.1),
        lambda: lexical.bm25(1, 1, 9, 1, 1, b=1.1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
