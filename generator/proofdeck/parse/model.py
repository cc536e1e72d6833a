"""What a card file says, as immutable objects that remember their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from proofdeck.errors import Problem
from proofdeck.parse.expressions import Call, Comparison, Operand
from proofdeck.record import Record
from proofdeck.units import Format

PARTS = ("root", "L1", "L2", "L3", "trap")
"""Parts of a depth tree, in order; a basic or cloze note has `root` alone."""


@dataclass(frozen=True, slots=True, order=True)
class Place(Record):
    """Where something stands; line and column count from 1."""

    file: str
    line: int
    column: int

    def problem(self, message: str, hint: str = "") -> Problem:
        return Problem(self.file, self.line, self.column, message, hint)


@dataclass(frozen=True, slots=True)
class Value(Record):
    """`{value}`: puts in a verifier's result."""

    place: Place
    text: str
    operand: Operand
    format: Format


@dataclass(frozen=True, slots=True)
class Check(Record):
    """`{check}`: a property check or a comparison."""

    place: Place
    text: str
    test: Call | Comparison


@dataclass(frozen=True, slots=True)
class Table(Record):
    """`{table}`: puts in rows that a verifier returns."""

    place: Place
    text: str
    call: Call
    formats: tuple[tuple[str, Format], ...]
    """Format by column name; the name `` stands for every other number."""


@dataclass(frozen=True, slots=True)
class Figure(Record):
    """`{figure}`: puts in a drawing."""

    place: Place
    text: str
    call: Call


@dataclass(frozen=True, slots=True)
class Cite(Record):
    """`{cite}`: names an entry of `cards/references.yaml`."""

    place: Place
    text: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement(Record):
    """`{judgement}`: advice that no test can settle, said openly."""

    place: Place
    text: str
    body: Body


@dataclass(frozen=True, slots=True)
class Cloze(Record):
    """`{cloze}`: hidden text; the number is the card's identity in Anki."""

    place: Place
    text: str
    number: int
    body: Body
    hint: str


@dataclass(frozen=True, slots=True)
class Image(Record):
    """A picture file of the author's, beside the card file."""

    place: Place
    path: str
    """Relative to the project root."""
    alt: str


Need: TypeAlias = tuple[str, str]
"""What a claim rests on: (`call`, text), (`figure`, text), (`cite`, key) or (`image`, path)."""
Claim: TypeAlias = Value | Check | Table | Figure | Cite | Judgement | Cloze
Body: TypeAlias = tuple[str | Claim | Image, ...]
"""HTML that is final, and between it what later stations fill in."""


@dataclass(frozen=True, slots=True)
class Part(Record):
    """A question and its answer: one card."""

    name: str
    """One of PARTS."""
    place: Place
    question: Body
    answer: Body
    title: str
    """The question as plain text."""


@dataclass(frozen=True, slots=True)
class Note(Record):
    """An H1 and what follows it."""

    id: str
    place: Place
    type: str
    """`depth-tree`, `basic` or `cloze`."""
    deck: str
    tags: tuple[str, ...]
    parts: tuple[Part, ...]
    formerly: tuple[str, ...] = ()
    """Ids that this note had before; the first of them is the source of its GUID."""
    needs: tuple[str, ...] = ()
    """Ids of notes to learn before this one."""
    covers: tuple[str, ...] = ()
    """Source items that this note answers."""
    extra: Body = ()
    """A cloze note's text below the thematic break, shown on the back."""
    machine: str = ""
    """Whose records its measurements are, where a claim names no machine itself."""

    @property
    def title(self) -> str:
        return self.parts[0].title

    @property
    def unverified(self) -> bool:
        return "unverified" in self.tags


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a sentence, for the prose lint."""

    kind: str
    """`text`, `code`, `math`, `display`, `claim` or `break`."""
    text: str
    offset: int
    """Where it begins in its paragraph."""
    where: Callable[[int], tuple[int, int]]
    """Line and column of an offset; asked only where there is something to report."""
    claim: Claim | None = None

    @property
    def line(self) -> int:
        return self.where(self.offset)[0]

    @property
    def column(self) -> int:
        return self.where(self.offset)[1]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item or table row of a part, as spans."""

    note: int
    """Index of the note in its file."""
    part: str
    kind: str
    """`heading`, `paragraph`, `row` or `display`."""
    line: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A card file, read."""

    file: str
    notes: tuple[Note, ...]
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...]


def claims_in(body: Body) -> list[Claim | Image]:
    """Return every claim of `body`, nested ones after the one that holds them."""
    found: list[Claim | Image] = []
    for segment in body:
        if not isinstance(segment, str):
            found.append(segment)
            if isinstance(segment, Judgement | Cloze):
                found += claims_in(segment.body)
    return found


def claims_of(note: Note) -> list[Claim | Image]:
    """Return every claim of a note in reading order."""
    bodies = [body for part in note.parts for body in (part.question, part.answer)]
    return [claim for body in [*bodies, note.extra] for claim in claims_in(body)]


def calls_of(claim: Claim | Image) -> list[Call]:
    """Return the verifier calls that a claim rests on."""
    if isinstance(claim, Value):
        return [claim.operand.call] if claim.operand.call else []
    if isinstance(claim, Table):
        return [claim.call]
    if isinstance(claim, Check):
        sides = (
            (claim.test.left.call, claim.test.right.call)
            if isinstance(claim.test, Comparison)
            else (claim.test,)
        )
        return [call for call in sides if call]
    return []


def needs_of(claim: Claim | Image) -> list[Need]:
    """Return everything that a claim rests on."""
    if isinstance(claim, Figure):
        return [("figure", str(claim.call))]
    if isinstance(claim, Cite):
        return [("cite", key) for key in claim.keys]
    if isinstance(claim, Image):
        return [("image", claim.path)]
    return [("call", str(call)) for call in calls_of(claim)]


def needs_of_notes(notes: Iterable[Note]) -> tuple[Need, ...]:
    """Return everything that the claims of `notes` rest on, once each, in reading order."""
    return tuple(
        dict.fromkeys(need for note in notes for claim in claims_of(note) for need in needs_of(claim))
    )
