"""Independent ways to the numbers of verifiers/text_metrics.py."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from functools import cache

import pytest

from proofdeck import witnesses
from verifiers import text_metrics

SENTENCES = (
    "the cat sat on the mat near the door",
    "the cat sat on a mat",
    "on the mat sat the cat and the dog",
    "a dog ran past the red door",
    "cat",
    "the the the the the the the",
    "near the door the cat sat on the mat",
)


@witnesses("text_metrics.bleu", "text_metrics.bleu_precision", "text_metrics.brevity_penalty")
@pytest.mark.parametrize("order", [1, 2, 4])
def test_bleu_equals_sacrebleu(order: int) -> None:
    bleu = pytest.importorskip("sacrebleu.metrics").BLEU
    for smooth in (False, True):
        metric = bleu(tokenize="none", smooth_method="exp" if smooth else "none", max_ngram_order=order)
        for candidate, one, two in itertools.permutations(SENTENCES, 3):
            for references in ([one], [one, two]):
                expected = metric.corpus_score([candidate], [[text] for text in references])
                got = text_metrics.bleu(candidate, references, order, smooth)
                assert got == pytest.approx(expected.score / 100, abs=1e-9)
                for n in range(1, order + 1):
                    found = text_metrics.bleu_precision(candidate, references, n)
                    assert found == {"matches": expected.counts[n - 1], "total": expected.totals[n - 1]}
                assert text_metrics.brevity_penalty(expected.sys_len, expected.ref_len) == pytest.approx(
                    expected.bp, rel=1e-12
                )


def test_bleu_by_default_has_order_four_and_no_smoothing() -> None:
    assert text_metrics.bleu("a b c d", ["a b c d"]) == 1
    assert text_metrics.bleu("a b c x", ["a b c d"]) == 0
    assert text_metrics.bleu("a b c d e x", ["a b c d e f"]) == pytest.approx(
        (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    )
    assert text_metrics.bleu("a", ["b"], 1) == 0


@witnesses("text_metrics.rouge_n", "text_metrics.rouge_l")
def test_rouge_equals_words_and_subsequences_counted_one_by_one() -> None:
    def subsequences(words: list[str]) -> set[tuple[str, ...]]:
        return {
            tuple(itertools.compress(words, keep)) for keep in itertools.product((0, 1), repeat=len(words))
        }

    for candidate, reference in itertools.permutations(("a b c d a", "B a, b d", "d-d c!", "e", ""), 2):
        a, b = (text_metrics.words(text) for text in (candidate, reference))
        common = max(map(len, subsequences(a) & subsequences(b)))
        got = text_metrics.rouge_l(candidate, reference)
        assert got["precision"] == (common / len(a) if a else 0)
        assert got["recall"] == (common / len(b) if b else 0)
        assert got["f1"] == (2 * common / (len(a) + len(b)) if common else 0)
        for n in (1, 2):
            left = [a[i : i + n] for i in range(len(a)) if i + n <= len(a)]
            right = [b[i : i + n] for i in range(len(b)) if i + n <= len(b)]
            shared, open_ = 0, list(right)
            for gram in left:
                if gram in open_:
                    open_.remove(gram)
                    shared += 1
            got = text_metrics.rouge_n(candidate, reference, n)
            assert got["precision"] == (shared / len(left) if left else 0)
            assert got["recall"] == (shared / len(right) if right else 0)
            assert got["f1"] == (2 * shared / (len(left) + len(right)) if shared else 0)
    assert text_metrics.words("It's 2x-faster") == ["it", "s", "2x", "faster"]


@witnesses("text_metrics.exact_match", "text_metrics.token_f1")
@pytest.mark.parametrize(
    ("prediction", "reference", "same", "shared", "lengths"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1, 2, (2, 2)),
        ("an  apple,\na pear", "Apple pear", 1, 2, (2, 2)),
        ("in 1998", "1998", 0, 1, (2, 1)),
        ("red red blue", "red blue blue", 0, 2, (3, 3)),
        ("them", "the m", 0, 0, (1, 1)),
        ("yes", "no", 0, 0, (1, 1)),
        ("the", "", 1, None, (0, 0)),
        ("word", "a", 0, 0, (1, 0)),
        ("snake_case", "snakecase", 1, 1, (1, 1)),
        ("$100", "100", 1, 1, (1, 1)),
        ("£100", "100", 0, 0, (1, 1)),
        ("north–the–south", "north– –south", 1, 2, (2, 2)),
        ("theme another", "me nor", 0, 0, (2, 2)),
    ],
)
def test_answers_compare_as_counted_by_hand(
    prediction: str, reference: str, same: int, shared: int | None, lengths: tuple[int, int]
) -> None:
    assert text_metrics.exact_match(prediction, reference) == same
    # precision and recall first, then their harmonic mean
    if shared is None:
        expected = 1.0
    elif shared == 0:
        expected = 0.0
    else:
        precision, recall = shared / lengths[0], shared / lengths[1]
        expected = 2 * precision * recall / (precision + recall)
    assert text_metrics.token_f1(prediction, reference) == pytest.approx(expected, rel=1e-12)


@witnesses("text_metrics.edit_distance")
def test_distance_equals_the_recursive_definition() -> None:
    @cache
    def distance(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))

    for a, b in (("kitten", "sitting"), ("", "abc"), ("abc", ""), ("flaw", "lawn"), ("aab", "baa")):
        assert text_metrics.edit_distance(a, b) == distance(a, b)


@witnesses("text_metrics.word_error_rate", "text_metrics.character_error_rate")
def test_rates_divide_by_the_reference() -> None:
    assert text_metrics.word_error_rate("a b c d e", "x") == 5
    assert text_metrics.word_error_rate("the cat sat", "the  cat sat down") == 1 / 4
    assert text_metrics.character_error_rate("abcd", "abd") == 1 / 3
    assert text_metrics.character_error_rate("", "ab") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: text_metrics.bleu("a", ["a"], 0),
        lambda: text_metrics.bleu_precision("a", [], 1),
        lambda: text_metrics.bleu("a", []),
        lambda: text_metrics.bleu("a b", "a b", 1),
        lambda: text_metrics.bleu_precision("a", ["a"], 0),
        lambda: text_metrics.brevity_penalty(0, 1),
        lambda: text_metrics.brevity_penalty(1, 0),
        lambda: text_metrics.rouge_n("a", "a", 0),
        lambda: text_metrics.word_error_rate("a", " "),
        lambda: text_metrics.character_error_rate("a", ""),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


@witnesses("text_metrics.rouge_n", "text_metrics.rouge_l")
def test_rouge_equals_google_rouge_score() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rouge3", "rougeL"]
    )
    texts = (*SENTENCES, "Self-attention, in parallel!", "The self attention; IN parallel 2x", "...")
    for candidate, reference in itertools.product(texts, repeat=2):
        expected = scorer.score(reference, candidate)
        for name, got in (
            ("rouge1", text_metrics.rouge_n(candidate, reference, 1)),
            ("rouge2", text_metrics.rouge_n(candidate, reference, 2)),
            ("rouge3", text_metrics.rouge_n(candidate, reference, 3)),
            ("rougeL", text_metrics.rouge_l(candidate, reference)),
        ):
            assert got["precision"] == pytest.approx(expected[name].precision, abs=1e-12)
            assert got["recall"] == pytest.approx(expected[name].recall, abs=1e-12)
            assert got["f1"] == pytest.approx(expected[name].fmeasure, abs=1e-12)


@witnesses("text_metrics.edit_distance", "text_metrics.word_error_rate", "text_metrics.character_error_rate")
def test_distances_equal_nltk() -> None:
    distance = pytest.importorskip("nltk.metrics.distance").edit_distance
    rng = random.Random(0)
    for _ in range(150):
        a, b = ("".join(rng.choices("ab ", k=rng.randint(0, 8))) for _ in range(2))
        assert text_metrics.edit_distance(a, b) == distance(a, b)
        if b:
            assert text_metrics.character_error_rate(a, b) == distance(a, b) / len(b)
        if b.split():
            expected = distance(a.split(), b.split()) / len(b.split())
            assert text_metrics.word_error_rate(a, b) == expected
