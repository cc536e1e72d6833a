"""What several readers share: lines that inline code broke are glued, bullets that were glued are split.

An extraction that puts a line break before every inline code span and loses the one after it leaves
bullets in pieces, and the next bullet inside the last piece: `- One: uses` / `f(x)` `of x. - Two: …`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from proofdeck.foreign.model import Aside, Reference
from proofdeck.foreign.readers.glue import apart, spaced

TITLE = re.compile(r"([0-9]{1,9})\. +(\S.*)")
"""A numbered title; nine digits at most, since `int` refuses a line of them."""

GLUED = re.compile(r"(?<=\S) - (?=[A-Z“])|(?<=[^\s\-|])- (?=[A-Z“])")
"""Where a bullet begins in the middle of a line: after a space, or right after a full stop."""

TERM = re.compile(r"[^\s.,:;!?“”\"][^.:;!?“”\n]{0,70}: ?[A-Z“]")
"""What a label or a term looks like at the beginning of a paragraph."""

NEXT_TERM = re.compile(rf"(?<=[.!?)”])(?={TERM.pattern})")
"""Where a term was glued to the sentence before it."""

_ENDED = (".", "?", "!", ")", "”", "…", "|")
_CODE = re.compile(r"[^\s]*[_<>={}\[\]()\"`][^\s]*")
_SPACES = re.compile(r"\s+")


@dataclass(slots=True)
class Unit:
    """A bullet or paragraph as it stood before its lines were broken."""

    line: int
    bullet: bool
    parts: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def text(self) -> str:
        first, *rest = self.parts
        return spaced(apart(first, rest) if rest else first)


def squeeze(text: str) -> str:
    """Return the text on one line, with single spaces."""
    return _SPACES.sub(" ", text).strip()


def units(lines: Iterable[tuple[int, str]]) -> Iterator[Unit]:
    """Glue the lines of one answer: each unit begins with its bullet or its first word."""
    unit: Unit | None = None
    for number, text in lines:
        text = squeeze(text)
        if not text:
            continue
        bullet = text.startswith("- ")
        if unit is not None and not bullet and not text.startswith(("|", "A: ")) and _continues(unit, text):
            unit.parts.append(text)
        else:
            if unit is not None:
                yield unit
            unit = Unit(number, bullet, [text[2:] if bullet else text])
        unit.ended = text.endswith(_ENDED)
    if unit is not None:
        yield unit


def _continues(unit: Unit, text: str) -> bool:
    if not unit.ended:
        return True
    if not unit.bullet:
        return False
    # a code span may follow a full stop too: the bullet then goes on to its own end, " - "
    if found := GLUED.search(text):
        return found[0] == " - "
    return _CODE.match(text) is not None and not TERM.match(text) and not NEXT_TERM.search(text)


def pieces(text: str) -> list[str]:
    """Split a unit's text where further bullets begin: all but the first are bullets."""
    return [piece for piece in (part.strip() for part in GLUED.split(text)) if piece]


def bracketed_end(text: str) -> tuple[str, str] | None:
    """Split `question (answer)` at the last balanced brackets, which may hold others."""
    text = text.rstrip()
    if not text.endswith(")"):
        return None
    depth = 0
    for found in reversed(list(re.finditer(r"[()]", text))):
        depth += 1 if found[0] == ")" else -1
        if depth == 0:
            return text[: found.start()].rstrip(), text[found.end() : -1].strip()
    return None


def cells(line: str) -> tuple[str, ...]:
    """Return the cells of a table's line."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner))


def is_rule(row: tuple[str, ...]) -> bool:
    """Whether a row is the line below a table's head."""
    return all(re.fullmatch(r":?-+:?", cell) for cell in row)


def in_order(items: Iterable[Aside | Reference]) -> list[Aside | Reference]:
    """Sort what a question leaves beside itself by its line."""
    return sorted(items, key=lambda item: item.line)
