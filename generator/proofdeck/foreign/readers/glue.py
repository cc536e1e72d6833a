"""Spaces that an extraction ate around inline code, put back where there is no doubt.

`of x` after `sqrt(d)` reads `sqrt(d)of x`. Only text of units whose lines were broken by code comes here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SMALL = "and|are|as|can|for|in|is|of|or|that|then|to|where|with"
_WORDS = rf"{_SMALL}|beats|description|dimensional|encode|flattens|instances|scaling|sharpens|tags|tokenizer|tokens"

_GAPS = [
    (re.compile(pattern), put)
    for pattern, put in (
        (r"(?<=\))(?=[a-z]{2})", " "),
        (r"(?<=\))\((?=[a-z])", " ("),
        (rf"(?<=[0-9>])(?=(?:{_WORDS})\b)", " "),
        (rf"(?<=\w)\"(?=(?:{_WORDS})\b)", '" '),
        (r"\b(description|beats)(?=\")", r"\1 "),
        (r"\b(The|For|gets|is|of|by|with|than)(?=[a-z]_|[a-z]{1,20}\(|[α-ω]|\()", r"\1 "),
        (r"\b(vs)(?=[a-z]{1,20}-)", r"\1 "),
        (r"(?<=’s)(?=[A-Z]|[a-z]{1,20}-[a-z0-9])", " "),
        (r"\b((?:[A-Z][a-z]{1,30}){2,8}?)(is|for|to)\b", r"\1 \2"),
        (r"(?<=[a-z]{4})(?=[0-9]{1,9}\.\.)", " "),
        (r"(?<=\)),(?=[A-Z][=<>])", ", "),
        (r"(?<=\))\.(?=[A-Z][=<>])", ". "),
        (r"(?<=[^\s—])— ", " — "),
        (r"(?<=_[a-z])(?=(?:and|for|that|then|where|with)\b)", " "),
        (r"(?<= [A-Z])(?=tokens\b)", " "),
        (r"(?<= \() ", ""),
    )
]

_GREEK = re.compile(r"(?:(?<=[a-z][a-z][.:])|(?<=\bis))(?=[α-ω])")

_HEAD = re.compile(rf"(\S{{1,80}}?)({_WORDS})([.,;:]?)(?= |$)")


def spaced(text: str) -> str:
    """Put the space back before a Greek letter, which no word of English holds."""
    return _GREEK.sub(" ", text)


def apart(first: str, rest: Sequence[str]) -> str:
    """Join a line and those that go on from it, each of which begins with a span of code."""
    text = " ".join((first, *(_head(part) for part in rest)))
    for pattern, put in _GAPS:
        text = pattern.sub(put, text)
    return text


def _head(part: str) -> str:
    """Take the word off that sticks to the code at the beginning of a line."""
    found = _HEAD.match(part)
    if not found or not _is_code(found[1], found[2]):
        return part
    return f"{found[1]} {found[2]}{found[3]}{part[found.end() :]}"


def _is_code(text: str, word: str) -> bool:
    if text.isalpha():  # `r` and `enum` may be code; the beginning of `this` or `vector` is none
        return len(text) == 1 or (len(text) > 3 and word in ("for", "that", "to", "with"))
    return text[-1].isalnum()
