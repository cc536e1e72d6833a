"""Independent ways to the pieces of verifiers/pretokenisation.py: the published patterns, other engines."""

from __future__ import annotations

import random

import pytest

from proofdeck import witnesses
from verifiers import pretokenisation
from verifiers.pretokenisation import pretokenise

PUBLISHED = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
SENTENCES = [
    "Hello world's 12345, it's\n\n  ok I'LL we've 3½ apples - don't!\t\tx=1234;\r\n  end  ",
    "水は冷たい。價格是１２３４圓 (約$9.99)... வணக்கம் Ⅷ²",
    "",
    "   ",
    "a",
    "it’s 1,234,567.89^2 #hash_tag e-mail@x.org\n\nnew",
]
ALPHABET = "aZéǅʰழ்水1½२/ \n\r\t'.,-_sdmtlvre’()٣"


def strings() -> list[str]:
    rng = random.Random(1)
    return SENTENCES + ["".join(rng.choices(ALPHABET, k=rng.randint(1, 25))) for _ in range(300)]


@witnesses("pretokenisation.pieces")
@pytest.mark.parametrize("pattern", PUBLISHED)
def test_pieces_equal_those_of_an_engine_with_unicode_categories(pattern: str) -> None:
    regex = pytest.importorskip("regex")
    for text in strings():
        expected = regex.findall(PUBLISHED[pattern], text)
        assert pretokenise(text, pattern) == expected
        assert "".join(expected) == text
        assert pretokenisation.pieces(text, pattern) == len(expected)


@witnesses("pretokenisation.pieces")
def test_gpt2_pieces_equal_those_of_tokenizers() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    cut = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    for text in strings():
        assert pretokenisation.pieces(text, "gpt2") == len(cut.pre_tokenize_str(text))


def test_plain_patterns_cut_as_their_names_say() -> None:
    for text in strings():
        assert pretokenise(text, "none") == ([text] if text else [])
        assert pretokenise(text, "whitespace") == text.split()
    assert pretokenise("ab12 c3", "digits") == ["ab", "1", "2", " c", "3"]


@witnesses("pretokenisation.splits_into", "pretokenisation.context_leaves_digits_alone")
def test_checks_accept_what_tokenizers_cut_and_refuse_the_rest() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    regex = tokenizers.Regex(PUBLISHED["cl100k"])
    cut = tokenizers.pre_tokenizers.Split(regex, "isolated")
    found = tuple(piece for piece, _ in cut.pre_tokenize_str("in 12345 kg"))
    assert pretokenisation.splits_into("in 12345 kg", found, "cl100k")
    with pytest.raises(AssertionError, match="cuts"):
        pretokenisation.splits_into("in 12345 kg", found, "gpt2")
    digits = tuple(piece for piece in found if piece.isdecimal())
    assert digits == ("123", "45")
    assert pretokenisation.context_leaves_digits_alone("12345", digits, "cl100k")["contexts"] == 32
    with pytest.raises(AssertionError, match="digits"):
        pretokenisation.context_leaves_digits_alone("12345", ("12", "345"), "cl100k")
    with pytest.raises(AssertionError, match="digits"):  # the last context alone differs
        pretokenisation.context_leaves_digits_alone("1", ("1",), "gpt2", ("", "2"), ("",))
    with pytest.raises(AssertionError, match="digits"):
        pretokenisation.context_leaves_digits_alone("1", ("1",), "gpt2", ("",), ("", "2"))


@witnesses("pretokenisation.digit_groups")
@pytest.mark.parametrize("group, pattern", [(3, "cl100k"), (1, "digits")])
def test_digit_groups_equal_the_pieces_of_numbers(group: int, pattern: str) -> None:
    for digits in range(1, 12):
        assert pretokenisation.digit_groups(digits, group) == len(pretokenise("7" * digits, pattern))


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: pretokenisation.pieces("a", "gpt5"),
        lambda: pretokenisation.digit_groups(0, 3),
        lambda: pretokenisation.digit_groups(3, 0),
    ):
        with pytest.raises(ValueError):
            call()
