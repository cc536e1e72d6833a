"""One long answer: its lines to bullets, follow-ups, samples, terms and sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from proofdeck.foreign.model import Aside, Entry, Item, Passage, Reference, Sample, Side
from proofdeck.foreign.readers.flow import (
    NEXT_TERM,
    TERM,
    Unit,
    bracketed_end,
    cells,
    in_order,
    is_rule,
    pieces,
    units,
)
from proofdeck.foreign.readers.prices import lost_price

REFERENCE = re.compile(r" — ([a-z0-9-]{1,60}(?:\.[a-z0-9-]{1,60}){1,5}(?:/[^\s()]*)?)(?: \([^()]*\))?$")
LABELLED = re.compile(r"([A-Z][A-Za-z/]{1,30}(?: [A-Za-z/]{1,30}){0,2}): “")
FOLLOW_UP_HEADING = re.compile(r"(?:^|(?<=[.!?)”]))\s*(Follow-up(?: [a-z]{1,20})?:)$")
RUN_IN_LIST = re.compile(r"(?:^|(?<=[.!?)”])|(?<=[.!?)”] ))([A-Z][A-Za-z -]{2,50}(?: \([a-z ]{2,40}\))?:)$")
RUN_IN = re.compile(
    r"(?<=[.!?)”] )(?=(?:Implementation approaches|Key insight|Practical impact|Trade-off|Why it works): )"
)
ASKED = re.compile(r"(?<=[.!?)”])(?=Q: )")
TAIL = re.compile(r"[.”)?!](?=(?:[^\s\w.,;:!?)”’]|[^\s.,;:!?)”’][^.!?]{0,80}\?$))")
SEE = re.compile(r" ?Covered in detail in (Q[0-9]{1,6}(?:[-–][0-9]{1,6})?)\.")


@dataclass(slots=True)
class _Parts:
    """What the answer at hand has given so far."""

    answer: list[Passage] = field(default_factory=list)
    follow_ups: list[Side] = field(default_factory=list)
    rapid_fire: list[Side] = field(default_factory=list)
    glossary: list[Side] = field(default_factory=list)
    samples: dict[str, Sample] = field(default_factory=dict)
    beside: list[Aside | Reference] = field(default_factory=list)
    see: list[str] = field(default_factory=list)
    asked: tuple[int, str, tuple[str, ...]] | None = None
    after_reference: bool = False

    def leave(self, text: str, line: int, why: str = "not understood") -> None:
        if text := text.strip():
            self.beside.append(Aside(text, line, why))


def entry_of(
    line: int, number: str, question: str, section: tuple[str, ...], held: list[tuple[int, str]]
) -> Iterator[Item]:
    """Yield the question with all that its lines hold, then what stands beside it."""
    parts = _Parts()
    for unit in units(held):
        _take(parts, unit)
    _drop_question(parts)
    yield Entry(
        question,
        line,
        tuple(_tables(parts.answer)),
        number=number,
        section=section,
        follow_ups=tuple(parts.follow_ups),
        rapid_fire=tuple(parts.rapid_fire),
        glossary=tuple(parts.glossary),
        weak=parts.samples.get("Weak"),
        strong=parts.samples.get("Strong"),
        see=tuple(parts.see),
        damage=() if parts.answer else ("no answer",),
    )
    yield from in_order(parts.beside)


def _take(parts: _Parts, unit: Unit) -> None:
    if unit.text.startswith("|"):
        parts.answer.append(Passage("", "table", unit.line, rows=(cells(unit.text),)))
        return
    first, *rest = pieces(unit.text) or [""]
    if unit.bullet:
        rest.insert(0, first)
    elif first.startswith(("A: ", "Q: ")) or not rest or REFERENCE.search(rest[0]):
        _take_terms(parts, first, unit.line)
    else:
        _take_prose(parts, first, unit.line)
    for text in rest:
        _take_bullet(parts, text, unit.line)


def _take_bullet(parts: _Parts, text: str, line: int) -> None:
    after_reference, parts.after_reference = parts.after_reference, False
    label, _, quoted = text.partition(": “")
    if label in ("Weak", "Strong") and label not in parts.samples and "” — " in quoted:
        said, _, comment = quoted.partition("” — ")
        parts.samples[label] = Sample(said, comment, line)
    elif found := REFERENCE.search(text):
        parts.after_reference = True
        parts.beside.append(
            Reference(text[: found.start()] + text[found.end(1) :], line, f"https://{found[1]}")
        )
    elif text.startswith("“") and (split := _asked_in_quotes(text)):
        parts.follow_ups.append(Side("", split[0], (Passage(split[1], line=line),), line))
    elif (found := LABELLED.match(text)) and ("” — " in text or "”" not in text):
        said, _, answer = text[found.end() :].partition("” — ")
        damage = lost_price(text) + (("out of order",) if text.endswith("(") else ())
        # a question whose end went with a price has no answer either
        damage = damage or (() if answer else ("cut question",))
        passages = (Passage(answer, line=line),) if answer else ()
        parts.follow_ups.append(Side(found[1], said, passages, line, damage))
    elif after_reference and not text.endswith((".", "?", "!")):
        parts.after_reference = True
        parts.beside.append(Reference(text, line))
    else:
        _take_point(parts, text, line)


def _asked_in_quotes(text: str) -> tuple[str, str] | None:
    """Split `“question?” (answer)`."""
    if split := bracketed_end(text):
        return (split[0][1:-1], split[1]) if split[0].endswith("”") and split[1] else None
    return None


def _take_point(parts: _Parts, text: str, line: int) -> None:
    """Take a bullet of the answer, and the paragraphs that were glued to its end."""
    if found := SEE.search(text):
        parts.see.append(found[1])
        text = text[: found.start()] + text[found.end() :]
    text, heading = _without_heading(parts, text, line)
    point, *paragraphs = RUN_IN.split(text)
    if point:
        parts.answer.append(Passage(point.strip(), "bullet", line, damage=lost_price(point)))
    for paragraph in (*paragraphs, heading):
        if paragraph:
            parts.answer.append(Passage(paragraph.strip(), line=line, damage=lost_price(paragraph)))


def _without_heading(parts: _Parts, text: str, line: int) -> tuple[str, str]:
    """Split off the heading of a list at the end of a text; that of follow-ups goes."""
    if found := FOLLOW_UP_HEADING.search(text):
        parts.leave(found[1], line, "heading")
        return text[: found.start()].rstrip(), ""
    if found := RUN_IN_LIST.search(text[-100:]):
        start = len(text) - len(text[-100:]) + found.start(1)
        return text[:start].rstrip(), found[1]
    return text, ""


def _take_prose(parts: _Parts, text: str, line: int) -> None:
    """Take a paragraph that a list follows: of its beginning nothing but what stood after code is left."""
    text, heading = _without_heading(parts, text, line)
    first, *rest = NEXT_TERM.split(text)
    if TERM.match(first):
        rest.insert(0, first)
    else:
        parts.leave(first, line, "lost beginning")
    for paragraph in (*rest, heading):
        if paragraph:
            parts.answer.append(Passage(paragraph.strip(), line=line, damage=lost_price(paragraph)))


def _take_terms(parts: _Parts, text: str, line: int) -> None:
    """Take rapid-fire questions and answers, terms, and what is left of lost ones."""
    for piece in ASKED.split(text):
        if piece.startswith("Q: "):
            _ask(parts, piece[3:], line)
        elif piece.startswith("A: ") and parts.asked:
            at, asked, damage = parts.asked
            parts.asked = None
            answer = (Passage(piece[3:], line=line, damage=lost_price(piece)),)
            parts.rapid_fire.append(Side("", asked, answer, at, damage))
        elif piece.startswith("A: "):
            # its question is lost altogether
            parts.leave(piece, line, "lost beginning")
        else:
            for term in NEXT_TERM.split(piece):
                _take_term(parts, term, line)


def _take_term(parts: _Parts, text: str, line: int) -> None:
    tails = list(TAIL.finditer(text))
    whole, tail = (text[: tails[-1].end()], text[tails[-1].end() :]) if tails else (text, "")
    name, _, meaning = whole.partition(":")
    if TERM.match(whole) and meaning:
        parts.glossary.append(Side("", name, (Passage(meaning.strip(), line=line),), line))
    else:
        parts.leave(whole, line, "lost beginning")
    if tail.endswith("?"):
        _ask(parts, tail, line, ("lost beginning",))
    else:
        parts.leave(tail, line, "lost beginning")


def _ask(parts: _Parts, asked: str, line: int, damage: tuple[str, ...] = ()) -> None:
    _drop_question(parts)
    parts.asked = line, asked, damage


def _drop_question(parts: _Parts) -> None:
    """Leave a rapid-fire question beside the answer that nothing answered."""
    if parts.asked:
        parts.leave(parts.asked[1], parts.asked[0], "no answer")
        parts.asked = None


def _tables(passages: Iterable[Passage]) -> Iterator[Passage]:
    """Make one table of the lines that follow each other."""
    rows: list[tuple[str, ...]] = []
    at = 0
    for passage in (*passages, Passage("")):
        if passage.kind == "table":
            at = at if rows else passage.line
            rows += () if len(rows) == 1 and is_rule(passage.rows[0]) else passage.rows
            continue
        if rows:
            yield Passage("", "table", at, rows=tuple(rows))
            rows = []
        if passage.text:
            yield passage
