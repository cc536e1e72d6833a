"""Interview questions with long answers: follow-ups, sample answers, a glossary, sources."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from proofdeck.foreign.model import Aside, Item
from proofdeck.foreign.readers.flow import TITLE as NUMBERED
from proofdeck.foreign.readers.flow import squeeze
from proofdeck.foreign.readers.long_answer import entry_of

TITLE = "interview questions with long answers"

BOILERPLATE = re.compile(
    r"documentation index$|fetch the complete documentation|use this file to discover", re.I
)


def recognise(head: str) -> float:
    """Question titles stand twice in a row; sample answers and labelled follow-ups are bullets."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    twice = sum(line == after and bool(NUMBERED.match(line)) for line, after in itertools.pairwise(lines))
    samples = len(re.findall(r"^- (?:Weak|Strong|[A-Z][A-Za-z /]{2,30}): “", head, re.M))
    return 0.95 if twice >= 2 or (twice and samples) else 0.0


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    section: tuple[str, ...] = ()
    last = 0
    open_at: tuple[int, str, str] | None = None  # the question at hand: line, number, title
    held: list[tuple[int, str]] = []
    titled: tuple[int, str] | None = None  # a numbered line, until the next one tells what it is
    heading: Aside | None = None  # a section's heading until a question stands below it
    for line, text in _with_end(lines):
        if titled:
            found = NUMBERED.match(titled[1])
            assert found
            if open_at:
                yield from entry_of(*open_at, section, held)
            elif held:
                yield from _front(held, bool(section) or last > 0)
            held = []
            if text == titled[1]:
                number = f"q{int(found[1])}" if int(found[1]) > last else ""
                last = max(last, int(found[1]))
                open_at, titled, heading = (titled[0], number, found[2]), None, None
                continue
            if heading:
                yield heading
            section, open_at = (found[2],), None
            heading = Aside(titled[1], titled[0], "heading")
            titled = None
        if text and NUMBERED.match(text):
            titled = line, text
        elif text and open_at:
            held.append((line, text))
        elif text:
            yield from _front([(line, text)], bool(section) or last > 0)
    if open_at:
        yield from entry_of(*open_at, section, held)
    if heading:
        yield heading


def _with_end(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, and an empty one after the last."""
    for line, text in lines:
        if text := squeeze(text):
            yield line, text
    yield 0, ""


def _front(held: list[tuple[int, str]], inside: bool) -> Iterator[Aside]:
    for line, text in held:
        why = "boilerplate" if BOILERPLATE.search(text) else "front matter"
        yield Aside(text, line, "not understood" if inside and why == "front matter" else why)
