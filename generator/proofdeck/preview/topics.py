"""Card files as pages of cards: what Anki would show of each, and what stands around it."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from proofdeck.assemble import Built
from proofdeck.errors import Problem
from proofdeck.listing import evidence_counts
from proofdeck.package.notetypes import NOTE_TYPES
from proofdeck.preview.formulas import typeset
from proofdeck.preview.links import module_page, to_root, topic_page
from proofdeck.preview.reading import Reading
from proofdeck.preview.sides import Sides, sides
from proofdeck.sources import Head, Source
from proofdeck.verify import KINDS


@dataclass
class NoteView:
    """A note in brief, as lists and filters show it."""

    id: str
    title: str
    type: str
    deck: str
    tags: tuple[str, ...]
    covers: tuple[str, ...]
    kinds: Counter[str]
    state: str
    """How it stands: one of STATES."""
    page: str
    file: str
    line: int
    cards: int
    problems: list[Problem] = field(default_factory=list)

    @property
    def heading(self) -> Markup:
        """Return the title as HTML, its formulas typeset."""
        return Markup(typeset(str(escape(self.title))))

    @property
    def evidence(self) -> str:
        """Tell the evidence in a line."""
        return ", ".join(f"{self.kinds[kind]} {kind}" for kind in KINDS if self.kinds[kind]) or "no evidence"


@dataclass
class Topic:
    """A card file."""

    file: str
    page: str
    title: str
    deck: str
    notes: list[NoteView]
    problems: list[Problem]
    """Those that belong to no note."""


def topics_of(reading: Reading) -> list[Topic]:
    """Return every card file, in the order in which the manifests teach them, then those in no deck."""
    counts = evidence_counts(reading.found)
    wrong: dict[str, list[Problem]] = {}
    for problem in reading.problems:
        wrong.setdefault(problem.file, []).append(problem)
    every = [
        file for files in reading.found.selection.values() for file in files
    ] + reading.found.in_no_deck()
    sources = [reading.found.by_file[file] for file in dict.fromkeys(every)]
    titles = Counter(title for source in sources if (title := _deck_title(source)))
    topics = []
    for source in sources:
        problems = wrong.get(source.file, [])
        built = {note.line: note for note in reading.built.get(source.file, ())}
        notes = [
            _view(
                source, head, counts[head.id], reading.standing[source.file, head.line], built.get(head.line)
            )
            for head in source.heads
        ]
        title = _deck_title(source)
        if titles[title] != 1:
            title = re.sub(r"[-_]+", " ", source.file.rpartition("/")[2].removesuffix(".md")).capitalize()
        loose = _shared_out(notes, problems)
        deck = notes[0].deck if notes else ""
        topics.append(Topic(source.file, topic_page(source.file), title, deck, notes, loose))
    return topics


def _deck_title(source: Source) -> str:
    decks = {head.deck for head in source.heads}
    return decks.pop().rpartition("::")[2] if len(decks) == 1 else ""


def _view(source: Source, head: Head, kinds: Counter[str], state: str, built: Built | None) -> NoteView:
    return NoteView(
        head.id, head.title or head.id, head.type, head.deck, head.tags, head.covers, kinds, state,
        topic_page(source.file), source.file, head.line, len(built.row.ordinals) if built else 0,
    )  # fmt: skip


def _shared_out(notes: list[NoteView], problems: list[Problem]) -> list[Problem]:
    """Give each note the problems of its lines; return those above the first note."""
    loose: list[Problem] = []
    for problem in problems:
        mine = [note for note in notes if note.line <= problem.line]
        (mine[-1].problems if mine else loose).append(problem)
    return loose


def cards_of(note: Built, tags: str, page: str) -> Iterator[Sides]:
    """Yield both sides of every card of a note, fit to stand on `page`."""
    names = NOTE_TYPES[note.row.type].field_names
    fields = dict(zip(names, note.row.fields.split("\x1f"), strict=True))
    deck, tags = html.escape(note.deck, quote=False), html.escape(tags, quote=False)  # Anki trusts both
    for ordinal in note.row.ordinals:
        shown = sides(note.row.type, fields, ordinal, deck, tags)
        yield Sides(shown.name, ordinal, _fit(shown.front, note, page), _fit(shown.back, note, page))


_SCRIPT = re.compile(r'\s*<button type="button" class="timer".*?</button>\s*<script>.*?</script>', re.S)


def _fit(side: str, note: Built, page: str) -> str:
    """Return a side without what only a reviewer needs: the timer, and the anchor that many backs would share."""
    side = _SCRIPT.sub("", side).replace("<hr id=answer>", "<hr>")
    for name in note.media:
        side = side.replace(f'src="{name}"', f'src="{to_root(page)}media/{name}" loading="lazy"')
    return typeset(side)


def functions_of(head: Head) -> list[dict[str, Any]]:
    """Return the verifiers behind a note, with their pages."""
    names = dict.fromkeys(function for _, function in head.claims if function)
    return [{"name": name, "page": f"{module_page(name)}#{name.rpartition('.')[2]}"} for name in names]
