"""Reading every card file of a project: parsed once, remembered by content, many at a time.

A `Source` is what later stations need of a file without reading it again: what its notes are called and
which evidence they need. The notes themselves stay pickled until somebody opens them.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from proofdeck.cache import Cache, engine_fingerprint
from proofdeck.errors import Problem
from proofdeck.parallel import no_collector, spread
from proofdeck.parse.model import (
    Check,
    Cite,
    Judgement,
    Need,
    Note,
    Table,
    Value,
    calls_of,
    claims_of,
    needs_of_notes,
)
from proofdeck.record import Record


@dataclass(frozen=True, slots=True)
class Head(Record):
    """A note in brief."""

    id: str
    line: int
    type: str
    deck: str
    title: str
    tags: tuple[str, ...]
    parts: tuple[str, ...]
    formerly: tuple[str, ...]
    needs: tuple[str, ...]
    covers: tuple[str, ...]
    clozes: tuple[int, ...]
    claims: tuple[tuple[str, str], ...]
    """(role, function) of each claim, in order; the function is empty where there is none."""


@dataclass(frozen=True)
class Source:
    """A card file, read."""

    file: str
    digest: str
    heads: tuple[Head, ...]
    needs: tuple[Need, ...]
    problems: tuple[Problem, ...]
    pickled: bytes
    on_machines: bool = False
    """Whether a note of it says whose records its measurements are."""

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        notes: tuple[Note, ...] = pickle.loads(self.pickled)
        return notes


Job = tuple[str, bytes, str]
"""A file to read: its path from the root, its content, and the digest to remember it by."""


def read_sources(
    root: Path,
    files: Iterable[str],
    cache: Cache,
    kind: str = "source",
    read: Callable[[Job], Source] | None = None,
) -> list[Source]:
    """Read files, card files by default; those that changed since the last time in parallel."""
    engine = engine_fingerprint()
    known = cache.all(kind)
    found: dict[str, Source] = {}
    changed: list[Job] = []
    order = list(files)
    for file in order:
        data = (root / file).read_bytes()
        digest = hashlib.sha256(data + engine.encode()).hexdigest()[:24]
        entry = known.get(file)
        if entry and entry[0] == digest and entry[1] is not None:
            found[file] = entry[1]
        else:
            changed.append((file, data, digest))
    fresh = spread(read or _read, changed, weight=sum(len(data) for _, data, _ in changed))
    cache.put(kind, [(source.file, source.digest, source) for source in fresh])
    if len(known) > len(order):
        cache.prune(kind, order)
    found.update((source.file, source) for source in fresh)
    return [found[file] for file in order]


def _read(job: Job) -> Source:
    from proofdeck.lint.numbers import lint_numbers
    from proofdeck.parse import parse

    file, data, digest = job
    problems: list[Problem] = []
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems = [Problem(file, line, 0, "not UTF-8", "save the file as UTF-8")]
        return Source(file, digest, (), (), tuple(problems), pickle.dumps(()))
    with no_collector():
        parsed = parse(text, file)
        problems += parsed.problems
        problems += lint_numbers(parsed)
    heads = tuple(_head(note) for note in parsed.notes)
    return Source(
        file, digest, heads, needs_of_notes(parsed.notes), tuple(problems), pickle.dumps(parsed.notes, protocol=5),
        any(note.machine for note in parsed.notes),
    )  # fmt: skip


def _head(note: Note) -> Head:
    from proofdeck.parse.model import Cloze

    claims: list[tuple[str, str]] = []
    clozes: set[int] = set()
    for claim in claims_of(note):
        role = type(claim).__name__.lower()
        if isinstance(claim, Cloze):
            clozes.add(claim.number)
        elif isinstance(claim, Value | Check | Table | Cite | Judgement):
            calls = calls_of(claim)
            claims.append((role, calls[0].function if calls else ""))
    return Head(
        note.id, note.place.line, note.type, note.deck, note.title, note.tags, tuple(part.name for part in note.parts),
        note.formerly, note.needs, note.covers, tuple(sorted(clozes)), tuple(claims),
    )  # fmt: skip


def usable_picture(root: Path, path: str) -> bool:
    """Say whether a picture is a file inside the project with something in it."""
    full = root / path
    return (
        full.is_file()
        and full.stat().st_size > 0
        and Path(os.path.realpath(full)).is_relative_to(os.path.realpath(root))
    )
