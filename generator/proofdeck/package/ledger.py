"""The ledger `decks/history.lock`: what has been released, so that an update touches what changed.

Anki overwrites a learner's note only where the package's `mod` is newer than his own last edit. So a note's
`mod` moves exactly when its content does. The ledger also remembers ids that are gone and cloze numbers that
are gone: both are a card's identity in collections that we cannot see, and must not come to mean other cards.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proofdeck import atomic
from proofdeck.errors import ContentError, Problem, UsageError

HEADER = {"format": "proofdeck history", "version": 1}


@dataclass(frozen=True, slots=True)
class Entry:
    """A note that has been released."""

    id: str
    guid: str
    type: str
    mod: int
    """Seconds since the epoch at which the content last changed."""
    hash: str
    packages: tuple[str, ...]
    parts: tuple[str, ...] = ()
    clozes: tuple[int, ...] = ()
    retired_clozes: tuple[int, ...] = ()
    """Cloze numbers that are gone."""
    retired: bool = False

    def line(self) -> str:
        data: dict[str, Any] = {
            "note": self.id,
            "guid": self.guid,
            "type": self.type,
            "mod": self.mod,
            "hash": self.hash,
        }
        data["packages"] = list(self.packages)
        if self.parts != ("root",):
            data["parts"] = list(self.parts)
        if self.clozes:
            data["clozes"] = list(self.clozes)
        if self.retired_clozes:
            data["retired_clozes"] = list(self.retired_clozes)
        if self.retired:
            data["retired"] = True
        return json.dumps(data, ensure_ascii=False)


@dataclass
class Ledger:
    """Released notes by id, and the note types' hashes and times."""

    notes: dict[str, Entry] = field(default_factory=dict)
    types: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Hash and `mod` by note type."""
    lines: dict[Entry, str] = field(default_factory=dict, compare=False, repr=False)
    """How the file says each entry that was read."""


@dataclass(frozen=True, slots=True)
class Released:
    """What a note brings to its release."""

    id: str
    formerly: tuple[str, ...]
    type: str
    hash: str
    parts: tuple[str, ...]
    clozes: tuple[int, ...]
    package: str
    file: str
    line: int


@dataclass
class Counts:
    """What a build changed in one package."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    retired: int = 0


def read_ledger(path: Path, root: Path) -> Ledger:
    """Read the ledger; raise ContentError naming each broken line."""
    ledger = Ledger()
    if not path.exists():
        return ledger
    text = path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
    lines = text.split("\n") if text else []
    try:
        rows = json.loads(f"[{','.join(lines)}]")  # one call reads a large ledger several times faster
        if len(rows) != len(lines):
            raise ValueError
        for line, data in zip(lines, rows, strict=True):
            _read_row(ledger, data, line)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ContentError(_broken(lines, path.relative_to(root).as_posix())) from None
    return ledger


def _read_row(ledger: Ledger, data: dict[str, Any], line: str) -> None:
    if "format" in data:
        return
    if "notetype" in data:
        ledger.types[data["notetype"]] = (data["hash"], int(data["mod"]))
        return
    entry = Entry(
        data["note"], data["guid"], data["type"], int(data["mod"]), data["hash"], tuple(data["packages"]),
        tuple(data.get("parts", ("root",))), tuple(data.get("clozes", ())), tuple(data.get("retired_clozes", ())),
        bool(data.get("retired", False)),
    )  # fmt: skip
    ledger.notes[entry.id] = entry
    ledger.lines[entry] = line


def _broken(lines: list[str], file: str) -> list[Problem]:
    """Name every line that is no line of a ledger."""
    problems = []
    for number, line in enumerate(lines, start=1):
        try:
            _read_row(Ledger(), json.loads(line), line)
        except (ValueError, KeyError, TypeError, AttributeError):
            problems.append(
                Problem(file, number, 0, "not a line of a history", "restore the file from version control")
            )
    return problems or [Problem(file, 0, 0, "not a history", "restore the file from version control")]


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Replace the ledger: note types first, then notes by id."""
    lines = [json.dumps(HEADER)]
    for key, (digest, mod) in sorted(ledger.types.items()):
        lines.append(json.dumps({"notetype": key, "hash": digest, "mod": mod}))
    entries = [ledger.notes[key] for key in sorted(ledger.notes)]
    lines += [ledger.lines.get(entry) or entry.line() for entry in entries]
    atomic.write(path, "\n".join(lines) + "\n")


def now() -> int:
    """Return the time of this build: the clock's, or SOURCE_DATE_EPOCH's."""
    try:
        return int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    except ValueError:
        raise UsageError("SOURCE_DATE_EPOCH is no whole number of seconds") from None


def release(
    ledger: Ledger,
    notes: Iterable[Released],
    types: Mapping[str, tuple[str, int]],
    namespace: str,
    packages: Iterable[str],
    moment: int,
    problems: list[Problem],
    held: Iterable[str] = (),
    existing: Iterable[str] = (),
) -> tuple[Ledger, dict[str, Counts]]:
    """Return the ledger after this release, and what it changes by package.

    `types` maps note type to the hash of its definition and the time at which the engine last revised it: a
    definition that changes without a new time gets the next second, so that Anki takes it. `packages` names every package that is built now:
    a note of theirs that is neither in `notes` nor among the ids `held` back is retired. So is one whose last
    package is not among the `existing` ones any more.
    """
    after = Ledger(dict(ledger.notes), dict(ledger.types), ledger.lines)
    counts = {name: Counts() for name in packages}
    for key, (digest, revised) in types.items():
        known = ledger.types.get(key, (digest, 0))
        after.types[key] = (digest, max(revised, known[1] + (known[0] != digest)))
    present: dict[str, set[str]] = {name: set(held) for name in counts}
    existing = {*existing, *counts}
    released = list(notes)
    for note in released:
        present[note.package].add(note.id)
        entry = _entry(ledger, after, note, namespace, moment, problems)
        before = ledger.notes.get(note.id) or next(
            (ledger.notes[o] for o in note.formerly if o in ledger.notes), None
        )
        count = counts[note.package]
        if before is None or before.retired:
            count.new += 1
        elif (before.hash, before.guid) != (entry.hash, entry.guid):
            count.changed += 1
        else:
            count.unchanged += 1
    problems += _shared_guids(after, released)
    for key, entry in list(after.notes.items()):
        left = tuple(n for n in entry.packages if n in existing and (n not in present or key in present[n]))
        if left == entry.packages:
            continue
        for name in set(entry.packages) - set(left):
            if name in counts:
                counts[name].retired += not entry.retired
        after.notes[key] = replace(entry, retired=True) if not left else replace(entry, packages=left)
    return after, counts


def _shared_guids(after: Ledger, released: Iterable[Released]) -> Iterator[Problem]:
    """Yield every note that has the GUID of another one, be it in another package or retired."""
    holders: dict[str, list[str]] = {}
    for entry in after.notes.values():
        holders.setdefault(entry.guid, []).append(entry.id)
    for note in released:
        others = [other for other in holders[after.notes[note.id].guid] if other != note.id]
        # of two, the one that got its GUID by its own id is the newcomer
        if others and after.notes[note.id].guid.endswith(f":{note.id}"):
            yield Problem(
                note.file, note.line, 1, f"`{note.id}` has the GUID of `{others[0]}`", "give it another id"
            )


def _entry(
    ledger: Ledger, after: Ledger, note: Released, namespace: str, moment: int, problems: list[Problem]
) -> Entry:
    """Return the note's entry after this release, and put it into `after`."""
    known = after.notes.get(note.id)
    for old in note.formerly:
        former = after.notes.pop(old, None) if old != note.id else None
        known = known or former
    guid = known.guid if known else f"{namespace}:{note.formerly[0] if note.formerly else note.id}"
    retired: tuple[int, ...] = ()
    if known:
        _refuse(known, note, problems)
        retired = tuple(sorted({*known.retired_clozes, *known.clozes} - set(note.clozes)))
    moved = known is None or known.hash != note.hash or known.retired
    mod = max(moment, known.mod + 1) if known and moved else known.mod if known else moment
    packages = tuple(sorted({*(known.packages if known and not known.retired else ()), note.package}))
    entry = Entry(
        note.id, guid, note.type, mod, note.hash, packages, note.parts, note.clozes, retired,
    )  # fmt: skip
    after.notes[note.id] = entry
    return entry


def _refuse(known: Entry, note: Released, problems: list[Problem]) -> None:
    released = "or, if it was never released, delete its line from decks/history.lock"
    if known.type != note.type:
        problems.append(
            Problem(
                note.file,
                note.line,
                1,
                f"`{note.id}` was a {known.type} note and is now a {note.type} note",
                f"Anki cannot turn one into the other: give it a new id, {released}",
            )
        )
    for number in note.clozes:
        if number in known.retired_clozes:
            free = max(*known.retired_clozes, *note.clozes) + 1
            problems.append(
                Problem(
                    note.file,
                    note.line,
                    1,
                    f"cloze {number} of `{note.id}` is retired: it was another card once",
                    f"number it {free}, {released}",
                )
            )


def content_hash(*texts: str) -> str:
    """Return the hash of what a learner sees of a note."""
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
