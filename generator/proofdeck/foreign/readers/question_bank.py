"""Questions without answers, listed below sections and subsections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from proofdeck.foreign.model import Aside, Entry, Item, Reference
from proofdeck.foreign.readers.flow import squeeze

TITLE = "a bank of questions without answers"

SOURCES = re.compile(r"(?:references|further reading|sources|bibliography)\.?", re.I)
ARXIV = re.compile(r"arXiv:([0-9]{4}\.[0-9]{4,5})")
LONGEST_HEADING = 200


def recognise(head: str) -> float:
    """Nearly every line is a bullet, most of them questions, below short headings."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    bullets = [line for line in lines if line.startswith("- ")]
    headings = [line for line in lines if not line.startswith("- ")]
    asked = sum(bullet.endswith(("?", "?”")) for bullet in bullets)
    if len(bullets) < 3 or len(bullets) < 0.5 * len(lines) or asked < 0.5 * len(bullets) or not headings:
        return 0.0
    plain = all(len(line) <= LONGEST_HEADING and re.match(r"[^\W\d_“]", line) for line in headings)
    return 0.95 if plain and not headings[0].endswith((".", "?")) else 0.0


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    section = subsection = ""
    unused: Aside | None = None  # a section's heading until a question stands below it
    waiting: tuple[int, str] | None = None  # a heading of which the next line tells the rank
    for line, text in lines:
        text = squeeze(text)
        if not text:
            continue
        if not text.startswith("- "):
            if waiting:
                if unused:
                    yield unused
                section, subsection = waiting[1], ""
                unused = Aside(section, waiting[0], "heading")
                waiting = None
            if len(text) > LONGEST_HEADING:
                yield Aside(text, line, "not understood")
            else:
                waiting = line, text
            continue
        if waiting:
            subsection, waiting = waiting[1], None
            if SOURCES.fullmatch(subsection):
                yield Aside(subsection, line - 1, "heading")
        text = text[2:]
        if SOURCES.fullmatch(subsection):
            found = ARXIV.search(text)
            yield Reference(text, line, f"https://arxiv.org/abs/{found[1]}" if found else "")
            continue
        unused = None
        path = tuple(name for name in (section, subsection) if name)
        yield Entry(text, line, section=path, damage=("no answer",))
    if unused:
        yield unused
    if waiting:
        yield Aside(waiting[1], waiting[0], "heading")
