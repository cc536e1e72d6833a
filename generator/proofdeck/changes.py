"""`changes`: what an update brings to those who learn from the decks, and whether it keeps their reviews.

The state of now (the ledger, the evidence lock, the cards) is compared with an earlier one: a git revision, laid
out again in a temporary folder, or a ledger file. Notes are matched as Anki matches them, by GUID; what a learner
has is a GUID, a note type and card numbers, so an update is safe where all three still mean what they meant.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proofdeck.cache import Cache
from proofdeck.errors import UsageError
from proofdeck.evidence.lock import Result, same
from proofdeck.inspect import Inspection, inspect
from proofdeck.package.ledger import Entry, Ledger
from proofdeck.parse.model import calls_of, claims_of
from proofdeck.project import Project
from proofdeck.sources import read_sources
from proofdeck.states import Row, State, lay_out, read_locks, state_of

Pair = tuple[Entry, Entry]
"""A note then and now."""

FIELDS = {"depth-tree": (25, 5), "basic": (13, 1), "cloze": (14, 1)}
"""Fields and templates of each note type as first released: with others, Anki takes it for another type."""


@dataclass
class Changes:
    """What has changed since an earlier state."""

    since: str
    new: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    retired: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)
    renamed: list[Row] = field(default_factory=list)
    cards: list[Row] = field(default_factory=list)
    types: list[Row] = field(default_factory=list)
    values: list[Row] = field(default_factory=list)
    at_risk: list[Row] = field(default_factory=list)
    unbuilt: list[str] = field(default_factory=list)
    """Notes whose cards and ledger disagree: not built since they came or went, or waiting for a measurement."""

    @property
    def safe(self) -> bool:
        return not self.at_risk

    def as_json(self) -> Row:
        rows = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return rows | {"safe": self.safe}


def changes(project: Project, since: str | None = None) -> Changes:
    """Compare a project with an earlier state of it: a revision, a ledger file, or the last release."""
    if not project.history_lock.is_file():
        raise UsageError("no decks/history.lock here: nothing has been released; `proofdeck build` writes it")
    ledger, results = read_locks(project, {})
    with tempfile.TemporaryDirectory() as folder, Cache(project.state).closing() as cache:
        name, told = lay_out(project.root, since, Path(folder))
        earlier = Project(Path(folder))
        past, results_then = read_locks(earlier, told)
        found = inspect(project, cache)
        found.require_clean()
        sources = read_sources(earlier.root, earlier.card_files(), cache, "earlier")
        before = state_of(past, results_then, earlier.root, sources, earlier.manifests([]))
    after = state_of(ledger, results, project.root, found.sources, found.manifests)
    return _compared(before, after, found, Changes(name))


def _compared(before: State, after: State, found: Inspection, report: Changes) -> Changes:
    pairs, gone = _matched(before.ledger, after.ledger)
    known = {now.id for _, now in pairs}
    live = [note for note in after.ledger.notes.values() if not note.retired]
    report.new = [after.row(note, cards=len(cards_of(note))) for note in live if note.id not in known]
    left = gone + [old for old, now in pairs if now.retired]
    report.retired = [before.row(old) for old in left]
    pairs = [(old, now) for old, now in pairs if not now.retired]
    for old, now in pairs:
        _compare(before, after, old, now, report)
    for rows in (report.new, report.changed, report.retired, report.moved, report.renamed, report.cards):
        rows.sort(key=lambda row: (row["deck"], row["title"], row["note"]))
    report.types = list(_types(before.ledger, after.ledger))
    report.values = list(_values(before.results, after.results, found))
    risks = [*_lost(before, after, left), *_broken(pairs), *_shared(live), *_schemas(report.types)]
    report.at_risk = [{"note": note, "why": why} for note, why in risks]
    report.unbuilt = _unbuilt(after, found)
    return report


def _compare(before: State, after: State, old: Entry, now: Entry, report: Changes) -> None:
    """Add to the report what differs in one note."""
    if old.hash != now.hash:
        report.changed.append(after.row(now, what=_what(before, after, old, now)))
    if old.id != now.id:
        report.renamed.append(after.row(now, formerly=old.id))
    came, here = before.deck(old), after.deck(now)
    if old.packages != now.packages or (came and here and came != here):
        packages = {"packages_before": list(old.packages), "packages": list(now.packages)}
        report.moved.append(after.row(now, deck_before=came, **packages))
    was, has = cards_of(old), cards_of(now)
    if old.type == now.type and set(was) != set(has):
        added, gone = [c for c in has if c not in was], [c for c in was if c not in has]
        report.cards.append(after.row(now, added=added, gone=gone))


def _matched(before: Ledger, after: Ledger) -> tuple[list[Pair], list[Entry]]:
    """Return the released notes then and now, and those that the ledger has forgotten."""
    by_guid = {note.guid: note for note in after.notes.values()}
    pairs: list[Pair] = []
    gone: list[Entry] = []
    for old in before.notes.values():
        mine = after.notes.get(old.id)
        now = mine if mine and mine.guid == old.guid else by_guid.get(old.guid, mine)
        if now and not old.retired:
            pairs.append((old, now))
        elif not old.retired:
            gone.append(old)
    return pairs, gone


def cards_of(note: Entry) -> list[str]:
    """Return the cards that a note makes: its cloze numbers, or its parts."""
    return [f"c{number}" for number in note.clozes] or list(note.parts)


def _what(before: State, after: State, old: Entry, now: Entry) -> str:
    """Say what of a changed note is another: its `text`, or only the `evidence`; `unknown` from a ledger alone."""
    if old.id not in before.texts or now.id not in after.texts:
        return "unknown"
    return "evidence" if before.texts[old.id] == after.texts[now.id] else "text"


def _types(before: Ledger, after: Ledger) -> Iterator[Row]:
    """Yield the note types whose style or templates changed, by the name that Anki shows."""
    from proofdeck.package.notetypes import NOTE_TYPES

    for key, (digest, _) in sorted(after.types.items()):
        if key in before.types and before.types[key][0] != digest:
            yield {"type": key, "name": NOTE_TYPES[key].name if key in NOTE_TYPES else key}


def _values(before: Mapping[str, Result], after: Mapping[str, Result], found: Inspection) -> Iterator[Row]:
    """Yield every value that moved, with the notes that show it and the statements that rest on it."""
    both = [(before[key], new) for key, new in after.items() if key in before and new.unit != "check"]
    moved = [(old, new) for old, new in both if old.unit != new.unit or not same(old.value, new.value, 1e-9)]
    # a card names a measurement with its machine, or without one where there is a single record
    users: dict[str, dict[str, None]] = {text: {} for _, new in moved for text in (new.call, new.key)}
    for source in found.all_sources:
        if any(kind == "call" and text in users for kind, text in source.needs):
            for note in source.notes:
                for call in {str(call) for claim in claims_of(note) for call in calls_of(claim)} & set(users):
                    users[call][note.id] = None
    notes = {head.id for source in found.sources for head in source.heads}
    for old, new in moved:
        mine = users[new.call] | users[new.key]
        yield {
            "call": new.key, "unit": new.unit, "unit_before": old.unit, "before": old.value, "after": new.value,
            "notes": [user for user in mine if user in notes],
            "statements": [user for user in mine if user not in notes],
        }  # fmt: skip


def _lost(before: State, after: State, left: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Yield notes that vanished without a trace, or seem to live on under an id that does not say so."""
    known = {note.guid for note in before.ledger.notes.values()}
    fresh = [n for n in after.ledger.notes.values() if not n.retired and n.guid not in known]
    titles = {after.title(note): note.id for note in fresh if after.title(note)}
    for old in left:
        if heir := titles.get(before.title(old)):
            yield (
                old.id,
                (
                    f"gone, and `{heir}` is new with the same title: if it is the same note, its reviews follow only with "
                    f'`{{#{heir} formerly="{old.id}"}}`'
                ),
            )
        elif old.id not in after.ledger.notes:
            yield old.id, "vanished from the ledger without `formerly` and without having been retired"


def _broken(pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
    """Yield notes of which Anki would lose the reviews, or refuse the update."""
    for old, now in pairs:
        if old.guid != now.guid:
            yield (
                now.id,
                f"its GUID changed from `{old.guid}` to `{now.guid}`: it comes as a second, new note",
            )
        if old.type != now.type:
            yield (
                now.id,
                f"it was a {old.type} note and is a {now.type} note: Anki cannot turn one into the other",
            )
        elif lost := [card for card in cards_of(old) if card not in cards_of(now)]:
            cards = f"its cards {', '.join(lost)} are" if len(lost) > 1 else f"its card {lost[0]} is"
            yield now.id, f"{cards} gone: empty, until Anki's Empty Cards removes it with its reviews"
        if again := set(now.clozes) & set(old.retired_clozes):
            told = ", ".join(f"c{number}" for number in sorted(again))
            yield now.id, f"{told} is in use again: it was another card once"
        if old.hash != now.hash and now.mod <= old.mod:
            yield now.id, "it changed, but its time in the ledger did not: Anki skips the update"


def _shared(live: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for note in live:
        if seen.setdefault(note.guid, note.id) != note.id:
            yield note.id, f"it has the GUID of `{seen[note.guid]}`: only one of the two is ever updated"


def _schemas(types: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Yield note types whose fields or templates are not the released ones; a new style alone is safe."""
    from proofdeck.package.notetypes import NOTE_TYPES

    for row in types:
        kind = NOTE_TYPES.get(row["type"])
        ids = [part.id - kind.id for part in kind.fields] if kind else []
        if kind is None or (len(ids), len(kind.templates)) != FIELDS.get(kind.key) or ids != sorted(ids):
            yield "", f"the fields or cards of `{row['name']}` are others: Anki updates none of its notes"


def _unbuilt(after: State, found: Inspection) -> list[str]:
    selected = {file for files in found.selection.values() for file in files}
    heads = [head for source in found.sources if source.file in selected for head in source.heads]
    written = {head.id for head in heads if "draft" not in head.tags}
    released = {note.id for note in after.ledger.notes.values() if not note.retired}
    return sorted(written ^ released)
