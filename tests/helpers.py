"""Small deck projects in a temporary folder, and learners who import what they build into a real Anki.

A project's clock is `SOURCE_DATE_EPOCH`: every build is a release at a time that the test chooses. Anki's
clock is the machine's, so the times below count from now.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import zstandard

from proofdeck.build import BuildReport, build
from proofdeck.project import Project

HOUR, DAY = 3600, 86400
NOW = int(time.time())
NAMESPACE = "proofdeck"
"""What stands before the colon of a GUID in a project without settings."""
NEEDS_ANKI = "the `anki` package is not installed: pip install 'proofdeck[test]'"


def anki_version() -> tuple[int, ...]:
    from anki.buildinfo import version

    return tuple(int(part) for part in version.split(".")[:2])


def keeps_package_time() -> bool:
    """Say whether an updated note's time is the package's; up to 24.11 it is that of the import."""
    return anki_version() >= (25, 2)


@dataclass
class Note:
    """A note of a test project; `markdown` writes it as an author would."""

    id: str
    answer: str = "An answer."
    question: str = ""
    deck: str = "Subject"
    tags: str = ""
    formerly: str = ""
    needs: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    """Answers by `L1`, `L2`, `L3`, `Trap`."""

    def markdown(self) -> str:
        said = " {judgement}`So says the author.`"
        named = {"tags": self.tags, "formerly": self.formerly, "needs": self.needs}
        attributes = "".join(f' {name}="{value}"' for name, value in named.items() if value)
        text = (
            f"# {self.question or f'What is {self.id}?'} {{#{self.id}{attributes}}}\n\n{self.answer}{said}\n"
        )
        return text + "".join(
            f"\n## {part}: About {self.id}\n\n{answer}{said}\n" for part, answer in self.parts.items()
        )


def tree(name: str, *parts: str, **more: Any) -> Note:
    """Return a depth tree with the named parts, `L1` and `Trap` by default."""
    return Note(name, parts={part: f"The answer of {part}." for part in parts or ("L1", "Trap")}, **more)


def cloze(name: str, *numbers: int, **more: Any) -> Note:
    """Return a cloze note with the numbers, 1 and 2 by default."""
    return Note(name, " ".join(f"Word {{cloze}}`{n}: hidden {'x' * n}`." for n in numbers or (1, 2)), **more)


def svg(colour: str = "red") -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9"><path fill="{colour}" d="M0 0h9v9z"/></svg>'


class DeckProject:
    """A deck project that writes its card files anew for every build."""

    def __init__(self, root: Path, manifest: str = "title: Demo\n") -> None:
        self.root = root
        self.notes: dict[str, Note] = {}
        self.report = BuildReport()
        self.releases = 0
        self.file("decks/demo.yaml", manifest)

    def file(self, path: str, content: str | bytes) -> Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content.encode() if isinstance(content, str) else content)
        return full

    def put(self, *notes: Note) -> None:
        """Add notes, or change those that are there; a new one comes last."""
        self.notes.update((note.id, note) for note in notes)

    def remove(self, *names: str) -> None:
        for name in names:
            del self.notes[name]

    def build(
        self, at: int | None = None, name: str = "demo", only: Sequence[str] = (), **options: bool
    ) -> Path:
        """Build a release at the time `at` and return a copy of the package, which later builds leave alone."""
        self.releases += 1
        self._write()
        moment = release_time(self.releases) if at is None else at
        with patch.dict(os.environ, SOURCE_DATE_EPOCH=str(moment)):
            self.report = build(Project(self.root), only, **options)
        copy = self.root.parent / f"{self.root.name}-release-{self.releases}-{name}.apkg"
        shutil.copy(self.root / f"decks/build/{name}.apkg", copy)
        return copy

    def forget(self) -> None:
        """Drop what the engine remembers; needed after patching the engine itself."""
        shutil.rmtree(self.root / ".proofdeck", ignore_errors=True)

    def ledger(self) -> dict[str, dict[str, Any]]:
        """Return the ledger's lines by note id, or by note type."""
        lines = (self.root / "decks/history.lock").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        return {entry.get("note") or entry["notetype"]: entry for entry in entries[1:]}

    def _write(self) -> None:
        """One card file a deck, in the order in which decks and notes were put."""
        for old in (self.root / "cards").glob("deck-*.md"):
            old.unlink()
        decks = list(dict.fromkeys(note.deck for note in self.notes.values()))
        for number, deck in enumerate(decks):
            texts = [note.markdown() for note in self.notes.values() if note.deck == deck]
            self.file(
                f"cards/deck-{number:02}.md", f"---\ndeck: {json.dumps(deck)}\n---\n\n" + "\n".join(texts)
            )


def release_time(number: int) -> int:
    """Return when the n-th release is made: in the past, unless Anki wants it to be later than the last import."""
    return NOW + (number - 30) * DAY if number == 1 or keeps_package_time() else NOW + number * HOUR


# What is inside a package.


@contextmanager
def database(package: Path) -> Iterator[sqlite3.Connection]:
    """Open the collection of a package of either container, in memory."""
    with zipfile.ZipFile(package) as archive:
        modern = "collection.anki21b" in archive.namelist()
        data = archive.read("collection.anki21b" if modern else "collection.anki2")
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(zstandard.ZstdDecompressor().decompress(data) if modern else data)
        yield db


def rows(package: Path, sql: str) -> list[tuple[Any, ...]]:
    with database(package) as db:
        return db.execute(sql).fetchall()


def models(package: Path) -> dict[str, Any]:
    """Return the note types of a package by name."""
    [(text,)] = rows(package, "select models from col")
    return {model["name"]: model for model in json.loads(text).values()}


def media_names(package: Path) -> list[str]:
    """Return the names in the media list of a package, in order."""
    with zipfile.ZipFile(package) as archive:
        data = archive.read("media")
        if "meta" not in archive.namelist():
            return list(json.loads(data).values())
    data, names = zstandard.ZstdDecompressor().decompress(data), []
    while data:
        # entries shorter than 128 bytes: tag, length, then the name's tag and length
        names.append(data[4 : 4 + data[3]].decode())
        data = data[2 + data[1] :]
    return names


def forged(
    package: Path, *sql: str, change_models: Callable[[dict[str, Any]], None] | None = None, without: str = ""
) -> Path:
    """Return a copy of a modern package as our builder would never write it."""
    with database(package) as db:
        for statement in sql:
            db.execute(statement)
        if change_models:
            found = json.loads(db.execute("select models from col").fetchone()[0])
            change_models({model["name"]: model for model in found.values()})
            db.execute("update col set models = ?", (json.dumps(found),))
        db.commit()
        collection = zstandard.compress(db.serialize())
    out = io.BytesIO()
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if name != without:
                new.writestr(name, collection if name == "collection.anki21b" else old.read(name))
    copy = package.with_name(f"{package.stem}-forged-{len(list(package.parent.iterdir()))}.apkg")
    copy.write_bytes(out.getvalue())
    return copy


# Who imports it.


@dataclass(frozen=True)
class Log:
    """How many notes an import added, updated, left as they were, or could not match."""

    new: int = 0
    updated: int = 0
    duplicate: int = 0
    conflicting: int = 0


@dataclass(frozen=True)
class Progress:
    """Everything that a learner's reviews have led to."""

    cards: dict[tuple[str, int], tuple[Any, ...]]
    """By GUID and ordinal: id, deck, type, queue, due, interval, ease, repetitions, lapses, memory state, …"""
    reviews: list[tuple[Any, ...]]

    def lost_in(self, later: Progress) -> dict[Any, Any]:
        """Return each card and review that is gone or different later."""
        lost: dict[Any, Any] = {
            key: (row, later.cards.get(key)) for key, row in self.cards.items() if later.cards.get(key) != row
        }
        if later.reviews != self.reviews:
            lost["reviews"] = (self.reviews, later.reviews)
        return lost


class Learner:
    """Somebody's collection."""

    def __init__(self, folder: Path, fsrs: bool = False) -> None:
        from anki.collection import Collection

        folder.mkdir(parents=True)
        self.folder = folder
        self.col: Any = Collection(str(folder / "collection.anki2"))
        self.col.set_config("fsrs", fsrs)

    def imports(self, package: Path, **options: Any) -> Log:
        """Import a package; `options` are Anki's own (`update_notes`, `with_scheduling`, `merge_notetypes`, …)."""
        from anki.collection import ImportAnkiPackageOptions, ImportAnkiPackageRequest

        chosen = ImportAnkiPackageOptions(**options)
        log = self.col.import_anki_package(
            ImportAnkiPackageRequest(package_path=str(package), options=chosen)
        ).log
        self.col.models._clear_cache()  # it would go on showing the note types of before
        assert not [
            *log.missing_notetype,
            *log.missing_deck,
            *log.first_field_match,
            *log.empty_first_field,
        ], log
        return Log(*(len(getattr(log, kind)) for kind in Log.__dataclass_fields__))

    def guids(self) -> list[str]:
        return [guid for (guid,) in self.all("select guid from notes order by guid")]

    def note(self, name: str) -> Any:
        """Return the note with this id of ours."""
        [number] = self.col.db.list("select id from notes where guid = ?", f"{NAMESPACE}:{name}")
        return self.col.get_note(number)

    def field(self, name: str, field: str) -> str:
        return str(self.note(name)[field])

    def edit(self, name: str, field: str, text: str) -> None:
        """Edit a note by hand, now."""
        note = self.note(name)
        note[field] = text
        self.col.update_note(note)

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.col.db.all(sql)]

    def decks(self) -> set[str]:
        return {deck.name for deck in self.col.decks.all_names_and_ids()} - {"Default"}

    def deck_of(self, name: str) -> str:
        return str(self.col.decks.name(self.note(name).cards()[0].did))

    def study(self) -> Progress:
        """Review every card until the cards differ in all that a scheduler knows, and return that."""
        self._answer_all(first=0)
        learned = self.col.find_cards("is:review")
        self.col.sched.set_due_date(learned, "0")
        self._answer_all(first=1)
        # a thousand answers a second are more than Anki's clock can tell apart; its check puts that right
        self.col.fix_integrity()
        # as if he had learned a while ago, so that a card that an import touches shows it
        self.col.db.execute("update cards set mod = mod - 1000")
        progress = self.progress()
        assert len(progress.reviews) > len(progress.cards), "nothing was reviewed twice"
        assert any(card.ivl > 1 for card in map(self.col.get_card, learned)), "nothing was learned"
        if self.col.get_config("fsrs"):
            assert all(self.col.get_card(number).memory_state for number in learned), "FSRS remembers nothing"
        return progress

    def _answer_all(self, first: int) -> None:
        from anki.cards import Card
        from anki.scheduler.v3 import CardAnswer

        buttons = (CardAnswer.EASY, CardAnswer.GOOD, CardAnswer.AGAIN, CardAnswer.HARD)
        for deck in self.decks():
            if "::" in deck:
                continue
            self.col.decks.set_current(self.col.decks.id_for_name(deck))
            for turn in range(first, first + 2 * self.col.card_count()):
                queue = self.col.sched.get_queued_cards()
                if not queue.cards:
                    break
                card = Card(self.col, backend_card=queue.cards[0].card)
                card.start_timer()
                states = queue.cards[0].states
                self.col.sched.answer_card(
                    self.col.sched.build_answer(card=card, states=states, rating=buttons[turn % 4])
                )

    def progress(self) -> Progress:
        found = self.all(
            "select n.guid, c.ord, c.id, c.did, c.mod, c.type, c.queue, c.due, c.ivl, c.factor, c.reps, c.lapses,"
            " c.left, c.odue, c.odid, c.flags, c.data from cards c join notes n on n.id = c.nid"
        )
        reviews = self.all("select id, cid, ease, ivl, lastIvl, factor, time, type from revlog order by id")
        return Progress({(row[0], row[1]): row[2:] for row in found}, reviews)

    def problems(self) -> list[str]:
        """Return all that Anki's own checks find: database, media, empty cards, templates, what cards show."""
        text, sound = self.col.fix_integrity()
        found = [] if sound else [text]
        found += [f"missing picture {name}" for name in self.col.media.check().missing]
        found += [f"empty card {list(note.card_ids)}" for note in self.col.get_empty_cards().notes]
        twice = self.all("select guid, count() from notes group by guid having count() > 1")
        found += [f"{count} notes have the GUID {guid}" for guid, count in twice]
        for kind in self.col.models.all():
            try:
                self.col.models.update_dict(kind)
            except Exception as error:
                found.append(f"{kind['name']}: {error}")
        for number in self.col.find_cards(""):
            card = self.col.get_card(number)
            if "has a problem" in card.question() + card.answer():
                found.append(f"card {number} cannot be shown: {card.question()}")
        return found

    def unused_media(self) -> list[str]:
        return list(self.col.media.check().unused)

    def media(self) -> set[str]:
        return set(os.listdir(self.col.media.dir()))

    def close(self) -> None:
        self.col.close()


def differences(learner: Learner, package: Path) -> list[str]:
    """Return the GUIDs of notes whose fields or tags are not what the package holds."""
    held = {
        guid: (fields, sorted(tags.split()))
        for guid, fields, tags in learner.all("select guid, flds, tags from notes")
    }
    sent = {
        guid: (fields, sorted(tags.split()))
        for guid, fields, tags in rows(package, "select guid, flds, tags from notes")
    }
    return [guid for guid, content in sent.items() if held.get(guid) != content]
