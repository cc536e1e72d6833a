"""Numbered concepts, each answered in a few paragraphs and bullets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from proofdeck.foreign.model import Aside, Entry, Item, Passage
from proofdeck.foreign.readers.flow import TITLE as NUMBERED
from proofdeck.foreign.readers.flow import pieces, squeeze, units

TITLE = "numbered concepts with short answers"


def recognise(head: str) -> float:
    """Numbered titles that count on from 1, each once, and answers between them."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    titles = [index for index, line in enumerate(lines) if NUMBERED.match(line)]
    numbers = [int(lines[index].partition(".")[0]) for index in titles]
    if len(titles) < 2 or numbers != list(range(1, len(titles) + 1)):
        return 0.0
    answered = all(after - before > 1 for before, after in itertools.pairwise(titles))
    if not answered or re.search(r"^(?:#{1,6} |```|\*\*|---)", head, re.M):
        return 0.0
    if re.search(r"cheat ?sheet|answers", " ".join(lines[: titles[0]]), re.I):
        return 0.95
    return 0.5 if len(titles) >= 8 and len(head) > 250 * len(titles) else 0.2


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    last = 0
    open_at: tuple[str, int, str] | None = None  # the question at hand: its title, line and number
    held: list[tuple[int, str]] = []
    for line, text, title in _with_titles(lines):
        if title and (int(title[1]) > last or title[3]):
            if open_at:
                yield _entry(*open_at, held)
            number = f"q{int(title[1])}" if int(title[1]) > last else ""
            last = max(last, int(title[1]))
            open_at, held = (title[2], line, number), []
        elif open_at:
            held.append((line, text))
        else:
            yield Aside(text, line, "front matter")
    if open_at:
        yield _entry(*open_at, held)


def _with_titles(
    lines: Iterable[tuple[int, str]],
) -> Iterator[tuple[int, str, tuple[str, str, str, bool] | None]]:
    """Yield the lines that hold something; of a numbered one whether text follows it, as after a title."""
    before: tuple[int, str] | None = None
    for line, text in itertools.chain(lines, [(0, "1. ")]):
        if not (text := squeeze(text)):
            continue
        found = NUMBERED.match(text)
        if before:
            titled = NUMBERED.match(before[1])
            last = line == 0 or found is not None
            yield *before, (titled[0], titled[1], titled[2], not last) if titled else None
        before = line, text


def _entry(question: str, line: int, number: str, held: list[tuple[int, str]]) -> Entry:
    answer = tuple(_passages(held))
    return Entry(question, line, answer, number=number, damage=() if answer else ("no answer",))


def _passages(held: list[tuple[int, str]]) -> Iterator[Passage]:
    for unit in units(held):
        first, *rest = pieces(unit.text) or [""]
        if first:
            yield Passage(first, "bullet" if unit.bullet else "paragraph", unit.line)
        yield from (Passage(text, "bullet", unit.line) for text in rest)
