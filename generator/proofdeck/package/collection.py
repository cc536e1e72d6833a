"""Notes to the rows and the database of an Anki collection (schema 11), by way of genanki."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from proofdeck.package.notetypes import NOTE_TYPES
from proofdeck.record import Record
from proofdeck.render.notes import Rendered

FIRST_ID = 1_200_000_000_000
LAST_ID = 1_700_000_000_000
"""Ids look like times of creation in milliseconds; Anki rewrites those that lie in the future."""
SQLITE_VERSION = (3_040_000).to_bytes(4, "big")
"""What every package says of the SQLite that wrote it, whichever did."""


@dataclass(frozen=True, slots=True)
class NoteRow(Record):
    """A note as genanki would write it, before it has ids and times."""

    type: str
    tags: str
    fields: str
    """Fields joined by 0x1f."""
    sort_field: str
    ordinals: tuple[int, ...]
    """Which cards the note has."""


class _Recorder:
    """Stands where genanki expects a database cursor, and keeps the rows."""

    lastrowid = 0

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def execute(self, _sql: str, row: tuple[Any, ...]) -> None:
        self.rows.append(row)


@cache
def _model(key: str) -> Any:
    return NOTE_TYPES[key].model()


def row_of(note: Rendered) -> NoteRow:
    """Return a note's row and its cards' ordinals, as genanki makes them."""
    import genanki

    kind = NOTE_TYPES[note.type]
    fields = dict(note.fields)
    made = genanki.Note(
        model=_model(note.type), fields=[fields.get(name, "") for name in kind.field_names], guid=note.id,
        tags=sorted(set(note.tags)),
    )  # fmt: skip
    recorder = _Recorder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its HTML check knows fewer tags than Anki
        made.write_to_db(recorder, 0, 0, iter(range(1 << 16)))
    row, *cards = recorder.rows
    return NoteRow(note.type, row[5], row[6], row[7], tuple(sorted(card[3] for card in cards)))


@dataclass(frozen=True, slots=True)
class PackageNote:
    """A note ready for a package."""

    guid: str
    mod: int
    deck: str
    row: NoteRow


@dataclass(frozen=True, slots=True)
class DeckInfo:
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Definitions:
    """What genanki contributes to every package: note types by key, and how a collection is made."""

    models: dict[str, dict[str, Any]]
    tables: str
    """SQL that makes the tables and the one row of `col`."""
    indexes: str


def define() -> Definitions:
    """Ask genanki; a build that changes a few notes takes the answer from the cache and need not import it."""
    from genanki.apkg_col import APKG_COL
    from genanki.apkg_schema import APKG_SCHEMA

    tables, create, indexes = APKG_SCHEMA.partition("CREATE INDEX")
    models = {key: _model(key).to_json(0, 1) | {"id": kind.id} for key, kind in NOTE_TYPES.items()}
    return Definitions(json.loads(json.dumps(models)), tables + APKG_COL, create + indexes)


def type_hash(model: dict[str, Any]) -> str:
    """Return a hash of everything of a note type that Anki stores."""
    return hashlib.sha256(json.dumps([model], sort_keys=True).encode()).hexdigest()[:20]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:7], "big")


def deck_id(name: str) -> int:
    return FIRST_ID + _number(f"deck {name}") % (LAST_ID - FIRST_ID)


def build_collection(
    notes: Sequence[PackageNote],
    decks: Iterable[DeckInfo],
    type_mods: dict[str, int],
    definitions: Definitions,
) -> bytes:
    """Return the bytes of an SQLite database that depend on the arguments alone.

    Notes come in curriculum order: their position is the order in which Anki shows new cards.
    """
    db = sqlite3.connect(":memory:")
    db.executescript(definitions.tables)
    used = dict.fromkeys(note.row.type for note in notes)
    models = {str(NOTE_TYPES[key].id): definitions.models[key] | {"mod": type_mods[key]} for key in used}
    described = {str(deck_id(deck.name)): _deck(deck) for deck in decks}
    first = json.loads(db.execute("SELECT decks FROM col").fetchone()[0])
    newest = max([note.mod for note in notes], default=0)
    db.execute(
        "UPDATE col SET models=?, decks=?, crt=?, mod=?, scm=?",
        (json.dumps(models), json.dumps(first | described), 0, newest * 1000, 0),
    )
    note_rows, card_rows = _rows(notes)
    db.executemany(f"INSERT INTO notes VALUES ({','.join('?' * 11)})", note_rows)
    db.executemany(f"INSERT INTO cards VALUES ({','.join('?' * 18)})", card_rows)
    db.executescript(definitions.indexes)  # after the rows: half the time for a large deck
    db.commit()
    data = db.serialize()
    db.close()
    # the header names the SQLite that wrote it; ours must not
    return b"".join((memoryview(data)[:96], SQLITE_VERSION, memoryview(data)[100:]))


def _deck(deck: DeckInfo) -> dict[str, Any]:
    """Return a deck as Anki's schema 11 describes one; its description is Markdown."""
    today = [0, 0]
    return {
        "id": deck_id(deck.name), "name": deck.name, "desc": deck.description, "md": True, "dyn": 0, "conf": 1,
        "collapsed": False, "extendNew": 0, "extendRev": 50, "mod": 0, "usn": -1,
        "newToday": today, "revToday": today, "lrnToday": today, "timeToday": today,
    }  # fmt: skip


def _rows(notes: Sequence[PackageNote]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    taken: set[int] = set()
    note_rows: list[tuple[Any, ...]] = []
    card_rows: list[tuple[Any, ...]] = []
    decks = {name: deck_id(name) for name in {note.deck for note in notes}}
    types = {key: kind.id for key, kind in NOTE_TYPES.items()}
    for position, note in enumerate(notes, start=1):
        row = note.row
        number = FIRST_ID + _number(note.guid) % (LAST_ID - FIRST_ID)
        while not taken.isdisjoint(range(number, number + 1 + max(row.ordinals, default=0))):
            number += 1000
        note_rows.append(
            (number, note.guid, types[row.type], note.mod, -1, row.tags, row.fields, row.sort_field, 0, 0, "")
        )
        deck = decks[note.deck]
        for ordinal in row.ordinals:
            taken.add(number + ordinal)
            card_rows.append(
                (
                    number + ordinal,
                    number,
                    deck,
                    ordinal,
                    note.mod,
                    -1,
                    0,
                    0,
                    position,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    "",
                )
            )
        taken.add(number)
    # in the order of their keys SQLite appends, and needs a third of the time
    return sorted(note_rows), sorted(card_rows)
