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

from proofdeck.package.notetypes import NOTE_TYPES, NoteType
from proofdeck.record import Record
from proofdeck.render.notes import Rendered

FIRST_ID = 1_200_000_000_000
LAST_ID = 1_700_000_000_000
"""Ids look like times of creation in milliseconds; Anki rewrites those that lie in the future."""


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


def type_hash(kind: NoteType) -> str:
    """Return a hash of everything of a note type that Anki stores."""
    model = kind.model()
    described = json.dumps([model.to_json(0, 0)], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:20]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:7], "big")


def deck_id(name: str) -> int:
    return FIRST_ID + _number(f"deck {name}") % (LAST_ID - FIRST_ID)


def build_collection(
    notes: Sequence[PackageNote], decks: Iterable[DeckInfo], type_mods: dict[str, int]
) -> bytes:
    """Return the bytes of an SQLite database that depend on the arguments alone.

    Notes come in curriculum order: their position is the order in which Anki shows new cards.
    """
    import genanki
    from genanki.apkg_col import APKG_COL
    from genanki.apkg_schema import APKG_SCHEMA

    db = sqlite3.connect(":memory:")
    # rows first, indexes after: half the time for a large deck
    tables, _, indexes = APKG_SCHEMA.partition("CREATE INDEX")
    db.executescript(tables)
    db.executescript(APKG_COL)
    used = dict.fromkeys(note.row.type for note in notes)
    models = {}
    for key in used:
        kind = NOTE_TYPES[key]
        models[str(kind.id)] = _model(key).to_json(type_mods[key], 1) | {"id": kind.id}
    described = {str(deck_id(deck.name)): _deck(genanki, deck) for deck in decks}
    first = json.loads(db.execute("SELECT decks FROM col").fetchone()[0])
    newest = max([note.mod for note in notes], default=0)
    db.execute(
        "UPDATE col SET models=?, decks=?, crt=?, mod=?, scm=?",
        (json.dumps(models), json.dumps(first | described), 0, newest * 1000, 0),
    )
    note_rows, card_rows = _rows(notes)
    db.executemany(f"INSERT INTO notes VALUES ({','.join('?' * 11)})", note_rows)
    db.executemany(f"INSERT INTO cards VALUES ({','.join('?' * 18)})", card_rows)
    if indexes:
        db.executescript("CREATE INDEX" + indexes)
    db.commit()
    data = bytearray(db.serialize())
    db.close()
    data[96:100] = (3_040_000).to_bytes(4, "big")  # the header names the SQLite that wrote it; ours must not
    return bytes(data)


def _deck(genanki: Any, deck: DeckInfo) -> dict[str, Any]:
    data: dict[str, Any] = genanki.Deck(deck_id(deck.name), deck.name, deck.description).to_json()
    return data | {"mod": 0, "md": True}


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
    return note_rows, card_rows
