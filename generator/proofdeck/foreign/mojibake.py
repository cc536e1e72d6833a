"""UTF-8 that was read as windows-874 (Thai), undone exactly.

Each byte of a character above ASCII became a character of its own: of windows-874 where that has one, of
windows-1252 else. Bytes that neither knows were dropped; such a byte is put back where one character
alone makes sense in technical prose, and what cannot be known becomes U+FFFD.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations, product

DAMAGED = re.compile("[\u0e00-\u0e7f][^\x00-\x7f]*")
"""Only runs that begin with a Thai character; genuine quotes and dashes elsewhere stay."""
DROPPED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
"""Bytes that stand for nothing in both code pages."""
PLAUSIBLE = frozenset("αβγδεζηθικλμνξοπρςστυφχψω⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉←↑→↓↔⇐⇒⇔−∈∑∏√∞≈≠≤≥·×”\ufe0f")
"""What a character with a lost byte is taken for, if it can be one of these and only one."""
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
ENOUGH = 3


def is_damaged(head: str) -> bool:
    """Say whether a text shows this damage; Thai prose does not, since few of its words are UTF-8 bytes."""
    runs = DAMAGED.findall(head)
    undone = sum(all(char < "\u0e00" or char > "\u0e7f" for char in repair_run(run)) for run in runs)
    sure = sum(any(char < "\u0e00" or char > "\u0e7f" for char in run) for run in runs)
    return sure >= ENOUGH and undone >= 0.9 * len(runs)


def repair(text: str) -> str:
    """Return `text` with every damaged run decoded."""
    return DAMAGED.sub(lambda match: repair_run(match[0]), text)


@cache
def _byte(char: str) -> int | None:
    for page in ("cp874", "cp1252"):
        try:
            return char.encode(page)[0]
        except UnicodeEncodeError:
            continue
    return None


def repair_run(run: str) -> str:
    """Decode one run of characters that were bytes."""
    out: list[str] = []
    position = 0
    while position < len(run):
        first = _byte(run[position])
        length = 0 if first is None else _length(first)
        if not length:
            out.append(run[position])
            position += 1
            continue
        known = bytearray([first or 0])
        while len(known) < length and position + len(known) < len(run):
            following = _byte(run[position + len(known)])
            if following is None or not 0x80 <= following <= 0xBF:
                break
            known.append(following)
        out.append(_character(bytes(known), length))
        position += len(known)
    return "".join(out)


def _length(first: int) -> int:
    """Return how many bytes a UTF-8 sequence has that begins with `first`; 0 where none does."""
    if 0xC2 <= first <= 0xDF:
        return 2
    if 0xE0 <= first <= 0xEF:
        return 3
    return 4 if 0xF0 <= first <= 0xF4 else 0


@cache
def _character(known: bytes, length: int) -> str:
    """Return the character of `known`, putting back what is missing of its `length` bytes."""
    lost = length - len(known)
    found: dict[str, None] = {}
    for places in combinations(range(1, length), lost):
        for values in product(DROPPED, repeat=lost):
            whole, rest = bytearray(), iter(known)
            inserted = dict(zip(places, values, strict=True))
            for index in range(length):
                whole.append(inserted[index] if index in inserted else next(rest))
            try:
                found[whole.decode("utf-8")] = None
            except UnicodeDecodeError:
                continue
    if not lost:
        return next(iter(found), UNKNOWN)
    likely = [char for char in found if char in PLAUSIBLE]
    return likely[0] if len(likely) == 1 else UNKNOWN
