"""How a tokeniser cuts text before it merges: words, digits and punctuation, by published patterns."""

from __future__ import annotations

import re
import unicodedata

from proofdeck import verifier
from verifiers import arguments

CONTRACTION = "'(?:s|t|re|ve|m|ll|d)"
UPPER, LOWER = "[<Lu><Lt><Lm><Lo><M>]", "[<Ll><Lm><Lo><M>]"
PATTERNS = {
    "none": r"[\s\S]+",
    "whitespace": r"\S+",
    "digits": r"[0-9]|[^0-9]+",
    "gpt2": rf"{CONTRACTION}| ?[<L>]+| ?[<N>]+| ?[^\s<L><N>]+|\s+(?!\S)|\s+",
    "cl100k": rf"(?i:{CONTRACTION})|[^\r\n<L><N>]?[<L>]+|[<N>]{{1,3}}"
    r"| ?[^\s<L><N>]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": rf"[^\r\n<L><N>]?{UPPER}*{LOWER}+(?i:{CONTRACTION})?"
    rf"|[^\r\n<L><N>]?{UPPER}+{LOWER}*(?i:{CONTRACTION})?"
    r"|[<N>]{1,3}| ?[^\s<L><N>]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""Regular expressions of a piece, <L>, <N>, … standing for Unicode's categories: no cut, words without their
spaces, every digit alone (SentencePiece models such as Llama 2), GPT-2's, GPT-4's (and Llama 3's), GPT-4o's."""

NONCHARACTER = "\U0010ffff"
"""Keeps a character class from being empty; no text holds it."""


def pretokenise(text: str, pattern: str) -> list[str]:
    """Cut a text by one of the patterns."""

    def members(category: re.Match[str]) -> str:
        # Python's `re` knows no Unicode categories: name the characters that occur
        known = {c for c in text if unicodedata.category(c).startswith(category[1])}
        return re.escape(NONCHARACTER + "".join(sorted(known)))

    expression = PATTERNS[arguments.one_of("pattern", pattern, PATTERNS)]
    return re.findall(re.sub("<([A-Z][a-z]?)>", members, expression), text)


@verifier
def pieces(text: str, pattern: str) -> int:
    """Number of pieces into which a pattern cuts a text; merges never cross from one to the next.

    Unit: 1
    Source: radford2019, openai2022tiktoken
    """
    return len(pretokenise(text, pattern))


@verifier
def splits_into(text: str, expected: tuple[str, ...], pattern: str) -> dict[str, str]:
    """A pattern cuts a text into the expected pieces.

    Unit: check
    Source: radford2019, openai2022tiktoken
    """
    found = pretokenise(text, pattern)
    if found != list(expected):
        raise AssertionError(f"{pattern} cuts {text!r} into {found}")
    return {"text": text, "pattern": pattern}


@verifier
def context_leaves_digits_alone(
    number: str,
    expected: tuple[str, ...],
    pattern: str,
    before: tuple[str, ...] = ("", " ", "x=", "$", "in ", "(", "\n", "a-"),
    after: tuple[str, ...] = ("", ".", " kg", ")"),
) -> dict[str, str | int]:
    """Whatever stands around a number, a pattern cuts its digits the same way.

    Unit: check
    Source: radford2019, openai2022tiktoken
    """
    for start in before:
        for end in after:
            found = [piece.strip() for piece in pretokenise(f"{start}{number}{end}", pattern)]
            digits = tuple(piece for piece in found if piece.isdecimal())
            if digits != tuple(expected):
                raise AssertionError(f"{pattern} cuts the digits of {start}{number}{end} into {digits}")
    return {"number": number, "contexts": len(before) * len(after)}


@verifier
def digit_groups(digits: int, group: int) -> int:
    """Pieces of a number whose digits are grouped from the left, the last group being what is left.

    Formula: ⌈digits / group⌉.
    Unit: 1
    Source: openai2022tiktoken
    """
    arguments.counts(digits=digits, group=group)
    return -(-digits // group)
