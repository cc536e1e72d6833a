"""Independent ways to the numbers of verifiers/unigram.py: tokenizers, and every segmentation by force."""

from __future__ import annotations

import math
from itertools import product

import pytest

from proofdeck import witnesses
from verifiers import unigram

PIECES = (
    ("h", -3.0), ("u", -2.5), ("g", -2.75), ("s", -3.5), ("hu", -4.0), ("ug", -3.25), ("hug", -5.5),
    ("gs", -5.75), ("ugs", -6.125), ("gg", -4.5),
)  # fmt: skip
TEXTS = ["hugs", "hug", "uggs", "g", "hughugs", "gggg", "sss"]


def every_segmentation(text: str) -> list[tuple[list[str], float]]:
    """Return all ways to cut a text into pieces, by trying every set of places to cut."""
    table = dict(PIECES)
    found = []
    for cuts in product((False, True), repeat=len(text) - 1):
        parts, start = [], 0
        for end in [place + 1 for place, cut in enumerate(cuts) if cut] + [len(text)]:
            parts.append(text[start:end])
            start = end
        if all(part in table for part in parts):
            found.append((parts, sum(table[part] for part in parts)))
    return found


@witnesses("unigram.tokens", "unigram.segments_into", "unigram.best_log_probability")
@pytest.mark.parametrize("text", TEXTS)
def test_best_segmentation_equals_brute_force(text: str) -> None:
    parts, score = max(every_segmentation(text), key=lambda item: item[1])
    assert unigram.best_log_probability(text, PIECES) == pytest.approx(score)
    assert unigram.tokens(text, PIECES) == len(parts)
    assert unigram.segments_into(text, PIECES, tuple(parts)) == {"text": text, "pieces": len(PIECES)}
    with pytest.raises(AssertionError, match="becomes"):
        unigram.segments_into(text, PIECES, (*parts, "s"))


@witnesses("unigram.tokens", "unigram.segments_into")
@pytest.mark.parametrize("text", TEXTS)
def test_best_segmentation_equals_that_of_tokenizers(text: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.Unigram([("<unk>", -20.0), *PIECES], 0, False)
    expected = tuple(token.value for token in model.tokenize(text))
    assert unigram.segments_into(text, PIECES, expected)
    assert unigram.tokens(text, PIECES) == len(expected)


@witnesses("unigram.log_probability", "unigram.segmentations", "unigram.expected_count")
@pytest.mark.parametrize("text", TEXTS)
def test_sums_over_segmentations_equal_brute_force(text: str) -> None:
    ways = every_segmentation(text)
    whole = sum(math.exp(score) for _, score in ways)
    assert unigram.segmentations(text, PIECES) == len(ways)
    assert unigram.log_probability(text, PIECES) == pytest.approx(math.log(whole))
    for piece, _ in PIECES:
        expected = sum(math.exp(score) * parts.count(piece) for parts, score in ways) / whole
        assert unigram.expected_count(text, PIECES, piece) == pytest.approx(expected, abs=1e-12)


def test_pieces_may_be_certain_and_texts_empty() -> None:
    assert unigram.best_log_probability("aa", (("a", 0.0),)) == 0
    assert unigram.tokens("a", (("a", 0.0), ("b", math.log(4e-10)))) == 1  # rounding is forgiven
    assert unigram.log_probability("", PIECES) == 0 and unigram.tokens("", PIECES) == 0
    assert unigram.segmentations("", PIECES) == 1 and unigram.segmentations("hx", PIECES) == 0
    tiny = (("a", -800.0), ("aa", -1600.0))
    assert unigram.log_probability("aa", tiny) == pytest.approx(math.log(2) - 1600)


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: unigram.tokens("hx", PIECES),
        lambda: unigram.tokens("xh", PIECES),
        lambda: unigram.log_probability("xh", PIECES),
        lambda: unigram.log_probability("x", PIECES),
        lambda: unigram.best_log_probability("hux", PIECES),
        lambda: unigram.tokens("a", ()),
        lambda: unigram.expected_count("hx", PIECES, "h"),
    ):
        with pytest.raises(ValueError, match="no sequence of these pieces"):
            call()
    for call in (
        lambda: unigram.tokens("a", (("a", 0.1),)),
        lambda: unigram.segmentations("a", (("a", -math.inf),)),  # a piece of no probability is none
        lambda: unigram.tokens("a", (("a", -1.0), ("a", -2.0))),
        lambda: unigram.tokens("a", (("a", -1.0), ("", -2.0))),
        lambda: unigram.log_probability("aa", (("a", 0.0), ("aa", 0.0))),  # would be a probability of 2
        lambda: unigram.tokens("a", (("a", 0.0), ("b", math.log(6e-10)))),
        lambda: unigram.expected_count("hug", PIECES, "x"),
    ):
        with pytest.raises(ValueError):
            call()
