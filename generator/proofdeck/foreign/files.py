"""Imported card files on disk: written once, and later brought up to date without touching an edit.

Beside the card files of a document lies `.import.json`: for every note the file it went to and the hash of
its text as written. A note whose text still has that hash was edited by nobody and follows the source; one
whose text differs is the reader's own by now, and stays. A note that somebody deleted stays away.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from proofdeck import atomic
from proofdeck.errors import UsageError

LEDGER = ".import.json"
MOST = 200
"""Notes of one card file."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_FOREIGN = re.compile(r"^[/\\]|\.\.|:")
"""A path that might lead out of the folder."""
_NOTE = re.compile(r"# .*\{#([a-z0-9-]+)[ }]")


@dataclass
class Changes:
    """What an import did to the notes on disk; ids in the order of the document."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: int = 0
    kept: list[str] = field(default_factory=list)
    """Edited notes whose source has changed: left as they are."""
    gone: list[str] = field(default_factory=list)
    """Removed, since their source is gone and nobody had edited them."""
    orphaned: list[str] = field(default_factory=list)
    """Edited notes whose source is gone: left as they are."""
    deleted: list[str] = field(default_factory=list)
    """Notes that somebody deleted from the card files: not written again."""


@dataclass
class Known:
    """What the ledger says of a note."""

    file: str
    hash: str
    question: str
    key: str

    def as_json(self) -> list[str]:
        return [self.file, self.hash, self.question, self.key]


def chunks(text: str) -> list[tuple[str, str]]:
    """Cut a card file before every note; the text before the first has the id ``."""
    found: list[tuple[str, list[str]]] = [("", [])]
    fence = ""
    for line in text.split("\n"):
        if opened := _FENCE.match(line):
            if not fence:
                fence = opened[1]
            elif opened[1].startswith(fence) and not opened[2].strip():
                fence = ""
        elif not fence and (note := _NOTE.match(line)):
            found.append((note[1], []))
        found[-1][1].append(line)
    return [(name, "\n".join(lines).strip("\n") + "\n") for name, lines in found]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def document_of(folder: Path) -> Path | None:
    """Return the document whose cards a folder holds, None where it holds none or the document is gone."""
    try:
        known = json.loads((folder / LEDGER).read_text(encoding="utf-8"))["document"]
        document = (folder / str(known)).resolve()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return document if known and document.is_file() else None


class Folder:
    """The card files of one document."""

    def __init__(self, path: Path, document: Path | None = None) -> None:
        self.path = path
        self.document = os.path.relpath(document, path) if document else ""
        self.before = self._read_ledger()
        self.numbers = {known.key: name for name, known in self.before.items() if known.key}
        self.after: dict[str, Known] = {}
        self.changes = Changes()
        self._saved: set[str] = set()
        self._waiting: set[str] = set()
        """Files that still hold notes of ours which no section has written yet."""
        self._parsed = lru_cache(maxsize=4)(self._parse)

    def _read_ledger(self) -> dict[str, Known]:
        path = self.path / LEDGER
        try:
            data: Any = json.loads(path.read_text(encoding="utf-8"))
            found = {name: Known(*map(str, row)) for name, row in data["notes"].items()}
            if any(_FOREIGN.search(known.file) for known in found.values()):
                raise ValueError
            return found
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f"{path} is broken: without it an import cannot tell what you edited; restore it, or move the folder away"
            ) from None

    def _parse(self, file: str) -> dict[str, str]:
        """Return the notes of a card file; a second one of the same id gets a name of its own."""
        try:
            text = (self.path / file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except UnicodeDecodeError:
            raise UsageError(f"{self.path / file} is not UTF-8: mend it, then import again") from None
        found: dict[str, str] = {}
        for name, chunk in chunks(text):
            found[name if name not in found else f"{name} {len(found)}"] = chunk
        return found

    def identify(self, wanted: str, question: str, key: str) -> str:
        """Return the id of a note: its former one where the document's number and most words are the same."""
        name = wanted
        if wanted not in self.before and key in self.numbers:
            former = self.numbers[key]
            if former not in self.after and _alike(question, self.before[former].question):
                name = former
        number = 2
        while name in self.after:
            name = f"{wanted}-{number}"
            number += 1
        self.after[name] = Known("", "", question[:200], key)
        return name

    def write(self, file: str, head: str, notes: Iterable[tuple[str, str]]) -> None:
        """Write one card file of (id, text): what was edited stays, the rest becomes what is given."""
        existing = self._parsed(file)
        out = [(name, kept) for name, text in notes if (kept := self._decide(name, text, file)) is not None]
        self._put_back(file, existing, out)
        known = self.before.get(f"/{file}")
        front = existing.get("", "")
        if not front or (known and digest(front) == known.hash):
            front = head.strip("\n") + "\n"
        self.after[f"/{file}"] = Known(file, digest(head.strip("\n") + "\n"), "", "")
        self._save(file, front, out)

    def _put_back(self, file: str, existing: dict[str, str], out: list[tuple[str, str]]) -> None:
        """Add to `out` what stands in a file beside the notes given, each behind what it stood behind."""
        mine = {name for name, _ in out}
        before = ""
        for name, text in existing.items():
            ours = name in self.before and self.before[name].file == file
            if name and name not in mine and not (ours and name in self.after):
                place = next(
                    (i for i, (other, _) in enumerate(out) if other == before),
                    -1 if not before else len(out) - 1,
                )
                out.insert(place + 1, (name, text))
                if ours:  # its source may yet come, in another section
                    self._waiting.add(file)
            before = name

    def _save(self, file: str, front: str, notes: list[tuple[str, str]]) -> None:
        path = self.path / file
        self._saved.add(file)
        if not notes and digest(front) == self.after.get(f"/{file}", Known("", "", "", "")).hash:
            path.unlink(missing_ok=True)
            return
        text = "\n".join([front, *(chunk for _, chunk in notes)])
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            atomic.write(path, text, durable=False)

    def _decide(self, name: str, text: str, file: str) -> str | None:
        """Return the text that a note is to have, None where somebody deleted it."""
        fresh = digest(text)
        known = self.before.get(name)
        entry = self.after[name]
        entry.file, entry.hash = file, fresh
        if known is None:
            there = self._parsed(file).get(name)
            if there is not None and there != text:  # written by hand, or by an import that was interrupted
                self.changes.kept.append(name)
                return there
            self.changes.new.append(name)
            return text
        current = self._parsed(known.file).get(name)
        if current is None:
            self.changes.deleted.append(name)
            return None
        if digest(current) in (known.hash, fresh):
            if digest(current) == fresh:
                self.changes.unchanged += 1
            else:
                self.changes.updated.append(name)
            return text
        entry.hash = known.hash
        if fresh != known.hash:
            self.changes.kept.append(name)
        else:
            self.changes.unchanged += 1
        return current

    def close(self) -> None:
        """Retire notes whose source is gone, and write the ledger."""
        files = {known.file for known in self.before.values()}
        for file in sorted((files - self._saved) | self._waiting):
            existing = self._parse(file)
            notes = [
                (name, text) for name, text in existing.items() if name and self._stays(name, text, file)
            ]
            if f"/{file}" not in self.after and f"/{file}" in self.before:
                self.after[f"/{file}"] = self.before[f"/{file}"]
            self._save(file, existing.get("", ""), notes)
        rows = {name: known.as_json() for name, known in self.after.items() if known.file}
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" for name, row in rows.items()
        )
        head = f'{{"format": "proofdeck import", "document": {json.dumps(self.document)}, "notes": {{\n'
        atomic.write(self.path / LEDGER, head + lines + "\n}}\n")

    def _stays(self, name: str, text: str, file: str) -> bool:
        """Say whether a note stays in a file now that the whole document has been read."""
        known = self.before.get(name)
        if known is None or known.file != file:  # somebody put it there
            return True
        if name in self.after:
            return self.after[name].file == file
        if digest(text) == known.hash:
            self.changes.gone.append(name)
            return False
        self.changes.orphaned.append(name)
        self.after[name] = known
        return True


def _alike(one: str, other: str) -> bool:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one[:200], other).ratio() >= 0.6
