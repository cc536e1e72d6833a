"""Rows to packages: the order of notes, what the ledger says of them, and the files under `decks/build/`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofdeck import atomic
from proofdeck.assemble import Built
from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.errors import Problem
from proofdeck.inspect import Inspection, curriculum
from proofdeck.package import notetypes
from proofdeck.package.apkg import build_apkg, please_update
from proofdeck.package.collection import (
    DeckInfo,
    Definitions,
    PackageNote,
    build_collection,
    define,
    type_hash,
)
from proofdeck.package.ledger import Counts, Ledger, Released, now, release
from proofdeck.package.notetypes import NOTE_TYPES
from proofdeck.project import Manifest, Project


@dataclass(frozen=True, slots=True)
class DeckReport:
    """A package that stands after a build."""

    name: str
    path: str
    notes: int
    cards: int
    media: int
    bytes: int
    new: int
    changed: int
    unchanged: int
    retired: int

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Placed:
    """A note with the file it stands in."""

    file: str
    note: Built


def defined(cache: Cache) -> tuple[Definitions, bytes]:
    """Return the note types' definitions and the placeholder for old clients, from the cache if they stand."""
    key = digest_of(engine_fingerprint(), NOTE_TYPES, notetypes.css())
    known: tuple[Definitions, bytes] | None = cache.get("definitions", "all", key)
    if known is None:
        known = (define(), please_update())
        cache.put("definitions", [("all", key, known)])
    return known


def in_order(
    found: Inspection, manifests: Iterable[Manifest], built: dict[str, list[Built]]
) -> dict[str, list[Placed]]:
    """Return the notes of every package in the order in which they are to be learned."""
    orders = {}
    for manifest in manifests:
        files = found.selection[manifest.name]
        by_id = {note.id: Placed(file, note) for file in files for note in built[file]}
        order, _ = curriculum(found.by_file[file] for file in files)
        orders[manifest.name] = [
            by_id[i] for source, index in order if (i := source.heads[index].id) in by_id
        ]
    return orders


def update_ledger(
    project: Project,
    before: Ledger,
    manifests: Iterable[Manifest],
    notes: dict[str, list[Placed]],
    problems: list[Problem],
    held: Iterable[str],
    cache: Cache,
) -> tuple[Ledger, dict[str, Counts]]:
    """Return the ledger after this build, and what it changes by package."""
    definitions, _ = defined(cache)
    released = [
        Released(
            p.note.id,
            p.note.formerly,
            p.note.row.type,
            p.note.hash,
            p.note.parts,
            p.note.clozes,
            m.name,
            p.file,
            p.note.line,
        )
        for m in manifests
        for p in notes[m.name]
    ]
    used = {note.type for note in released}
    types = {
        key: (type_hash(model), NOTE_TYPES[key].revised)
        for key, model in definitions.models.items()
        if key in used
    }
    names = [manifest.name for manifest in manifests]
    every = [path.stem for path in (project.root / "decks").glob("*.yaml")]
    return release(before, released, types, project.namespace(), names, now(), problems, held, every)


def write_package(
    project: Project, manifest: Manifest, entries: Sequence[Placed], ledger: Ledger, count: Counts,
    media_paths: Mapping[str, Path], legacy: bool, cache: Cache,
) -> DeckReport:  # fmt: skip
    """Write one package, unless the one that stands is the same."""
    path = project.packages / f"{manifest.name}.apkg"
    prefix = f"{manifest.under}::" if manifest.under else ""
    notes = [
        PackageNote(
            ledger.notes[p.note.id].guid, ledger.notes[p.note.id].mod, prefix + p.note.deck, p.note.row
        )
        for p in entries
    ]
    type_mods = {key: mod for key, (_, mod) in ledger.types.items()}
    media = sorted({name for p in entries for name in p.note.media})
    key = digest_of(
        engine_fingerprint(), legacy, manifest, media, sorted(type_mods.items()),
        hashlib.sha256("\n".join(f"{n.guid} {n.mod} {n.deck} {p.note.hash} {n.row.ordinals}" for n, p in zip(notes, entries, strict=True)).encode()).hexdigest(),
    )  # fmt: skip
    size = cache.get("package", manifest.name, key)
    if size is None or not _stands(path, size):
        definitions, placeholder = defined(cache)
        collection = build_collection(notes, _decks(manifest, notes), type_mods, definitions)
        data = build_apkg(
            collection, [(name, media_paths[name].read_bytes()) for name in media], legacy, placeholder
        )
        atomic.write(path, data, durable=False)  # a build makes it again
        size = (len(data), path.stat().st_mtime_ns)
        cache.put("package", [(manifest.name, key, size)])
    cards = sum(len(p.note.row.ordinals) for p in entries)
    return DeckReport(
        manifest.name, path.relative_to(project.root).as_posix(), len(notes), cards, len(media), size[0],
        count.new, count.changed, count.unchanged, count.retired,
    )  # fmt: skip


def _stands(path: Path, size: tuple[int, int]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == size


def _decks(manifest: Manifest, notes: Iterable[PackageNote]) -> list[DeckInfo]:
    """Return the package's decks and their parents; the topmost carry the description."""
    names: dict[str, None] = {}
    for note in notes:
        levels = note.deck.split("::")
        names.update(("::".join(levels[: depth + 1]), None) for depth in range(len(levels)))
    top = manifest.under or None
    return [
        DeckInfo(n, manifest.description if n == top or (top is None and "::" not in n) else "")
        for n in names
    ]


def forget_packages(project: Project, found: Inspection) -> None:
    """Remove packages whose manifest is gone."""
    names = {manifest.name for manifest in found.manifests}
    for path in project.packages.glob("*.apkg"):
        if path.stem not in names:
            path.unlink()
