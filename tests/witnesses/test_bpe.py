"""Independent ways to the numbers of verifiers/bpe.py: the tokenizers library, and merges by hand."""

from __future__ import annotations

from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import bpe
from verifiers.bpe_properties import random_corpus

CORPUS = "low low low low low lower lower newest newest newest newest newest newest widest widest widest"
TEXT = "lowest newer wide new slow"


def trained(corpus: str, merges: int) -> Any:
    """Return a tokeniser that the tokenizers library trains on words without their spaces."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    letters = len(set(corpus) - {" "})
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=letters + merges, show_progress=False)
    tokenizer.train_from_iterator([corpus], trainer)
    return tokenizer


def byte_level(corpus: str, merges: int) -> Any:
    """Return a byte-level tokeniser of the tokenizers library, with GPT-2's pieces."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + merges, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator([corpus], trainer)
    return tokenizer


@witnesses("bpe.tokens", "bpe.learns")
@pytest.mark.parametrize("merges", [0, 1, 7, 40])
@pytest.mark.parametrize("corpus", [CORPUS, random_corpus(3, "abcde", 120, 7)])
def test_training_and_encoding_equal_those_of_tokenizers(corpus: str, merges: int) -> None:
    import json

    theirs = trained(corpus, merges)
    learnt = [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    assert bpe.learns(corpus, tuple(learnt), "character", "whitespace")["merges"] == len(learnt)
    assert list(bpe.train(corpus, merges, "character", "whitespace")) == learnt
    other = random_corpus(4, "abcde", 60, 9) if corpus != CORPUS else "lowest newest slow west"
    for text in (corpus, other):
        expected = theirs.encode(text).tokens
        ranks = bpe.train(corpus, merges, "character", "whitespace")
        assert bpe.tokenise(text, ranks, "character", "whitespace") == expected
        assert bpe.tokens(text, corpus, merges, "character", "whitespace") == len(expected)


@witnesses("bpe.tokens", "bpe.compression", "bpe.words_per_token", "bpe.by_merges")
def test_byte_level_tokens_equal_those_of_tokenizers() -> None:
    for text in ("lower lowest\n", "naïve 水 low", "🙂"):
        counts = {}
        for merges in (0, 5, 9):
            encoded = byte_level(CORPUS, merges).encode(text)
            counts[str(merges)] = len(encoded.ids)
            assert bpe.tokens(text, CORPUS, merges) == len(encoded.ids)
            found = bpe.compression(text, CORPUS, merges)
            assert found == pytest.approx(len(bytes(text, "utf-8")) / len(encoded.ids))
            words = text.count(" ") + 1
            assert bpe.words_per_token(text, CORPUS, merges) == pytest.approx(words / len(encoded.ids))
        assert bpe.by_merges(text, CORPUS, (0, 5, 9)) == counts
    characters = bpe.by_merges("añb", "añ", (0,), "character", "none")
    assert characters == {"0": 3}
    assert bpe.compression("añb", "añ", 1, "character", "none") == 2
    assert bpe.words_per_token("a ñ", "añ", 1, "character", "none") == 2 / 3


@witnesses("bpe.learns")
def test_merges_of_the_well_known_example_are_learnt_in_order() -> None:
    """Counts by hand: es 9 (newest 6, widest 3), st 9, lo 7, ow 7, …; ties go to the older tokens."""
    expected = (("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("e", "w"), ("n", "ew"))
    assert bpe.learns(CORPUS, expected, "character", "whitespace")
    with pytest.raises(AssertionError, match="first merges"):
        bpe.learns(CORPUS, (("s", "t"), ("e", "st")), "character", "whitespace")
    with pytest.raises(AssertionError, match="first merges"):
        bpe.learns("ab", (("a", "b"), ("ab", "c")))
    assert bpe.learns("ab ab cb", (("a", "b"),))["merges"] == 1


def test_ties_go_to_the_older_tokens() -> None:
    assert bpe.learn({"ba": 1, "ab": 1}, 2) == [("a", "b"), ("b", "a")]
    assert bpe.learn({"bc": 1, "bd": 1, "ac": 1}, 3) == [("a", "c"), ("b", "c"), ("b", "d")]
    # ab is younger than z, and bc younger still
    assert bpe.learn({"abz": 1, "ab": 1, "zz": 1, "bcz": 1, "bc": 1}, 5)[2:] == [
        ("z", "z"),
        ("ab", "z"),
        ("bc", "z"),
    ]


@witnesses("bpe.encodes_to")
def test_given_merges_encode_as_in_tokenizers() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    merges = (("1", "2"), ("3", "4"), ("2", "3"), ("12", "34"), ("a", "a"))
    vocabulary: dict[str, int] = {}
    for token in ["1", "2", "3", "4", "a", *(left + right for left, right in merges)]:
        vocabulary.setdefault(token, len(vocabulary))
    for count in range(len(merges) + 1):
        model = tokenizers.models.BPE(vocab=vocabulary, merges=list(merges[:count]))
        for text in ("1234", "4321", "123", "2341", "aaaaa", "12a34"):
            expected = tuple(token.value for token in model.tokenize(text))
            assert bpe.encodes_to(text, merges[:count], expected, "character", "none")
            assert bpe.encodes_to(text, merges[:count], expected, pattern="none")
            with pytest.raises(AssertionError, match="becomes"):
                bpe.encodes_to(text, merges[:count], (*expected, "x"), pattern="none")


def test_merges_of_other_scripts_are_read_as_bytes() -> None:
    ranks = bpe.train("éé é", 2, "byte", "whitespace")
    assert list(ranks) == [("Ã", "©"), ("Ã©", "Ã©")]
    assert bpe.decode(bpe.tokenise("éé", ranks, "byte", "none"), "byte") == "éé"
    assert bpe.decode(["Ã"], "byte") == "\N{REPLACEMENT CHARACTER}"
    assert bpe.decode(["Ã"], "character") == "Ã"


@witnesses("bpe.pair_count")
def test_pair_count_equals_a_search_in_the_text() -> None:
    assert bpe.pair_count("abab ab b", "a", "b") == "abab ab b".count("ab")
    assert bpe.pair_count("abab ab b", "b", "a") == 1
    assert bpe.pair_count("aaa", "a", "a") == 2
    assert bpe.pair_count("b ab", "b", " ", pattern="none") == 1
    assert bpe.pair_count("b ab", "b", " ") == 0
    assert bpe.pair_count("éa", "é", "a", "character") == 1
    for left, right in (("é", "a"), ("a", "é"), ("", "a"), ("a", "ab")):  # é is two bytes
        with pytest.raises(ValueError, match="base symbol"):
            bpe.pair_count("éa ab", left, right)


@witnesses("bpe.vocabulary", "bpe.merges_of")
def test_vocabulary_equals_that_of_a_trained_tokeniser() -> None:
    for merges in (0, 5, 9):
        theirs = byte_level(CORPUS, merges)
        theirs.add_special_tokens(["<|endoftext|>"])
        assert bpe.vocabulary(merges, specials=1) == theirs.get_vocab_size()
        assert bpe.merges_of(theirs.get_vocab_size(), specials=1) == merges
        assert bpe.vocabulary(merges) == theirs.get_vocab_size(with_added_tokens=False)
    assert bpe.vocabulary(5, base=11) == trained(CORPUS, 5).get_vocab_size() + 11 - len(set(CORPUS) - {" "})
    assert bpe.merges_of(20, base=11, specials=2) == 7


@witnesses("bpe.unknown")
def test_unknown_counts_what_a_character_vocabulary_drops() -> None:
    text = "low 水水 é"
    theirs = trained(CORPUS, 3)
    kept = "".join(theirs.encode(text).tokens)
    dropped = len(text.replace(" ", "")) - len(kept)
    assert bpe.unknown(text, CORPUS, "character") == dropped == 3
    assert bpe.unknown(text, CORPUS) == bpe.unknown(text, "", "byte") == 0


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: bpe.tokens("a", "a", -1),
        lambda: bpe.tokens("a", "a", 0, "word"),
        lambda: bpe.tokens("a", "a", 0, "byte", "gpt9"),
        lambda: bpe.compression("", "a", 0),
        lambda: bpe.words_per_token("", "a", 0),
        lambda: bpe.unknown("a", "a", "word"),
        lambda: bpe.vocabulary(-1),
        lambda: bpe.vocabulary(0, 0),
        lambda: bpe.vocabulary(0, 1, -1),
        lambda: bpe.merges_of(257, 256, 2),
        lambda: bpe.merges_of(1, 0),
        lambda: bpe.merges_of(300, 256, -1),
    ):
        with pytest.raises(ValueError):
            call()
    assert bpe.merges_of(258, 256, 2) == 0 and bpe.merges_of(1, 1) == 0 and bpe.vocabulary(0, 1) == 1
