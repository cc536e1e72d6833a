"""What a foreign document holds, as its reader tells it: literal text and where it stands.

Nothing here is Markdown: a reader hands on the document's words, and `foreign.markup` writes them so that
they come out as they went in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

DAMAGES = (
    "cut question",
    "cut answer",
    "no answer",
    "lost beginning",
    "lost formula",
    "lost price",
    "lost line breaks",
    "out of order",
)
"""What can be wrong with an item beyond repair. A note made of one becomes a draft."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, bullet, code block or table of an answer."""

    text: str
    """Literal text on one line; code keeps its lines; a table has none."""
    kind: str = "paragraph"
    """`paragraph`, `bullet`, `number`, `quote`, `code`, `table` or `picture`."""
    line: int = 0
    language: str = ""
    """Of code; of a picture its path beside the document."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Of a table, the first row being its head."""
    depth: int = 0
    """Of a bullet: how many lists it stands in beyond the first."""
    markup: bool = False
    """Whether the text is Markdown already, made safe by its reader, and not literal text."""
    damage: tuple[str, ...] = ()
    """Of DAMAGES. A damaged passage stays out of cards where its answer does without it."""


@dataclass(frozen=True, slots=True)
class Side:
    """A question beside the main one: a level, a follow-up, a rapid-fire question, a term."""

    label: str
    """`L1`, `Cost`, `Failure mode` …; empty where the document gives none."""
    question: str
    answer: tuple[Passage, ...]
    line: int
    damage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer that somebody might give, and what the examiner says to it."""

    text: str
    comment: str
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A question of a document with all that belongs to it."""

    question: str
    line: int
    answer: tuple[Passage, ...] = ()
    kind: str = "question"
    """`question`; `key question` (its answer is the module's insights); `code` (examples of a module)."""
    number: str = ""
    """What the document calls it: `q7`, `m12-q3`. Unique in the document, or empty."""
    section: tuple[str, ...] = ()
    """Headings above it, from the outermost."""
    levels: tuple[Side, ...] = ()
    trap: Side | None = None
    follow_ups: tuple[Side, ...] = ()
    """Questions an interviewer asks next, each with a short answer; the label says which kind."""
    rapid_fire: tuple[Side, ...] = ()
    glossary: tuple[Side, ...] = ()
    """Terms and what they mean."""
    weak: Sample | None = None
    strong: Sample | None = None
    insights: int = 0
    """How many of the passages are insights."""
    difficulty: int = 0
    """1 to 3; 0 where the document says nothing."""
    companies: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    """Cross-references in the document's words."""
    damage: tuple[str, ...] = ()
    """Of DAMAGES."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Further reading: counted and listed, never a question."""

    text: str
    line: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """What a reader saw and made no card of."""

    text: str
    line: int
    why: str
    """`front matter`, `navigation`, `boilerplate`, `icon` … for what is meant to go; `not understood` else."""


Item: TypeAlias = Entry | Reference | Aside
