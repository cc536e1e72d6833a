"""The checks of verifiers/bpe_properties.py hold in the tokenizers library too, and fail when broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import bpe, bpe_properties

MERGES = (("1", "2"), ("3", "4"), ("2", "3"), ("12", "3"))


def library(corpus: str, merges: int) -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [corpus],
        tokenizers.trainers.BpeTrainer(
            vocab_size=256 + merges, show_progress=False, initial_alphabet=alphabet
        ),
    )
    return tokenizer


@witnesses("bpe_properties.tokens_by")
def test_each_encoder_equals_an_encoding_by_hand() -> None:
    """12 and 34 are learnt before 23, and 12|3 last: 1234 is 12|34 by rank, 123|4 by length."""
    cases = {
        ("lowest rank", "1234"): 2,
        ("order of training", "1234"): 2,
        ("longest match", "1234"): 2,
        ("lowest rank", "12341"): 3,
        ("longest match", "1235"): 2,
        ("longest match", "12334"): 2,
        ("longest match", "3123"): 2,
        ("lowest rank", "234"): 2,
        ("order of training", "123"): 1,
        ("longest match", "x"): 1,
        ("longest match", "231234"): 3,
    }
    for (encoder, word), expected in cases.items():
        assert bpe_properties.tokens_by(encoder, word, MERGES) == expected
    assert bpe_properties.longest_match("12341", bpe.ranked(MERGES)) == ["123", "4", "1"]
    assert bpe_properties.longest_match("2312", bpe.ranked(MERGES)) == ["23", "12"]
    with pytest.raises(ValueError, match="encoder"):
        bpe_properties.tokens_by("shortest match", "1", MERGES)


@witnesses("bpe_properties.lowest_rank_replays_training")
def test_replaying_merges_gives_what_tokenizers_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = bpe_properties.lowest_rank_replays_training(seeds=2)
    assert found == {"corpora": 2, "merges": 60, "words": 200}
    corpus = bpe_properties.random_corpus(5, "abcdef", 150, 8)
    tokenizers = pytest.importorskip("tokenizers")
    ranks = bpe.train(corpus, 50, "character", "whitespace")
    tokens = dict.fromkeys([*"abcdef", *(left + right for left, right in ranks)])
    model = tokenizers.models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=list(ranks))
    for word in corpus.split():
        assert bpe_properties.replayed(word, ranks) == [token.value for token in model.tokenize(word)]
    monkeypatch.setitem(bpe_properties.ENCODERS, "order of training", bpe_properties.longest_match)
    with pytest.raises(AssertionError, match="becomes"):
        bpe_properties.lowest_rank_replays_training(seeds=1)


@witnesses("bpe_properties.every_merge_compresses")
def test_tokenizers_needs_fewer_tokens_with_every_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bpe_properties.every_merge_compresses(seeds=2)["corpora"] == 2
    corpus = bpe_properties.random_corpus(0, "abc", 40, 5)
    counts = [len(library(corpus, merges).encode(corpus).ids) for merges in range(6)]
    assert counts == sorted(set(counts), reverse=True)
    assert counts[0] == len(corpus) == bpe_properties.tokens_by_merges(corpus, 2)[0]
    assert bpe_properties.tokens_by_merges("ab ab b", 3) == [7, 5, 4, 3]
    for broken in ([3, 2, 2], [3, 2, 3]):
        monkeypatch.setattr(bpe_properties, "tokens_by_merges", lambda *_, found=broken: found)
        with pytest.raises(AssertionError, match="seed"):
            bpe_properties.every_merge_compresses(seeds=1)


@witnesses("bpe_properties.bytes_survive")
def test_bytes_survive_in_tokenizers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bpe_properties.bytes_survive() == {"blocks": 8, "characters each": 40}
    theirs = library("abc abc", 10)
    for block in (0x4E00, 0x13000):
        text = "".join(chr(block + place) for place in range(20))
        assert theirs.decode(theirs.encode(text).ids) == text
    with pytest.raises(AssertionError, match="outside"):
        bpe_properties.bytes_survive(level="character")
    with pytest.raises(AssertionError, match="outside"):  # the last character of a block only
        bpe_properties.bytes_survive((ord("a"),), 7, 0, "character")
    monkeypatch.setattr(bpe, "decode", lambda tokens, level: "".join(tokens))
    with pytest.raises(AssertionError, match="changed"):
        bpe_properties.bytes_survive()


@witnesses("bpe_properties.neighbours_leave_words_alone")
def test_neighbours_matter_only_without_pieces() -> None:
    assert bpe_properties.neighbours_leave_words_alone(seeds=2)["pattern"] == "gpt2"
    corpus = bpe_properties.random_corpus(1, "abcdef", 60, 6)
    theirs = library(corpus, 40)
    alone = [token for word in corpus.split() for token in theirs.encode(f" {word}").tokens]
    assert theirs.encode(f" {corpus}").tokens == alone
    with pytest.raises(AssertionError, match="alone"):
        bpe_properties.neighbours_leave_words_alone(seeds=1, pattern="none")


@witnesses("bpe_properties.rare_characters")
@pytest.mark.parametrize("merges, exponent, first, step", [(0, 1.0, 0x4E00, 1), (30, 1.0, 0x4E00, 97)])
def test_rare_characters_equal_a_count_by_tokenizers(
    merges: int, exponent: float, first: int, step: int
) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    characters, length = 60, 300
    text = {chr(first + step * rank): -(-length // (rank + 1)) for rank in range(characters)}
    model = tokenizers.models.BPE()
    tokenizer = tokenizers.Tokenizer(model)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + merges, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator((c for c, count in text.items() for _ in range(count)), trainer)
    tokens = {c: len(tokenizer.encode(c).ids) for c in text}
    found = bpe_properties.rare_characters(characters, merges, exponent, length, first, step)
    assert found["split"] == sum(count > 1 for count in tokens.values()) / characters
    mean = sum(text[c] * tokens[c] for c in text) / sum(text.values())
    assert found["mean"] == pytest.approx(mean, rel=0.02 if merges else 1e-12)
    assert found["worst"] == max(tokens.values())


def test_rare_characters_of_a_steeper_law_by_hand() -> None:
    """Counts 9, ⌈9/4⌉ = 3 and 1 of three characters of three bytes: four merges make up two of them."""
    spread = bpe_properties.rare_characters(3, 4, 2.0, 9, 0x4E00, 0x1041)
    assert spread == pytest.approx({"split": 1 / 3, "mean": (9 + 3 + 3) / 13, "worst": 3})
    assert bpe_properties.rare_characters(1, 0)["worst"] == 3
    default = bpe_properties.rare_characters(20, 10)
    assert default == bpe_properties.rare_characters(20, 10, 1.0, 100_000, 0x4E00, 1)
    # 64 neighbours share their first two bytes, which one merge joins; the next begin with others
    assert bpe_properties.rare_characters(64, 1) == {"split": 1, "mean": 2, "worst": 2}
    assert bpe_properties.rare_characters(65, 1)["worst"] == 3


def test_random_corpus_prefers_the_first_letters_and_keeps_lengths() -> None:
    corpus = bpe_properties.random_corpus(0, "abcd", 3000, 4)
    assert {len(word) for word in corpus.split()} == {1, 2, 3, 4}
    counts = Counter(corpus.replace(" ", ""))
    shares = [counts[letter] / sum(counts.values()) for letter in "abcd"]
    assert shares == pytest.approx([12 / 25, 6 / 25, 4 / 25, 3 / 25], abs=0.02)
    assert bpe_properties.random_corpus(1, "abcd", 3000, 4) != corpus


def test_wrong_arguments_are_refused() -> None:
    right: Mapping[str, Any] = {"characters": 2, "merges": 1}
    for wrong in (
        {"characters": 0},
        {"merges": -1},
        {"exponent": -0.1},
        {"length": 0},
        {"first": 0},
        {"step": 0},
    ):
        with pytest.raises(ValueError):
            bpe_properties.rare_characters(**{**right, **wrong})
    assert bpe_properties.rare_characters(1, 0, 0, 1, 1, 1) == {"split": 0, "mean": 1, "worst": 1}
