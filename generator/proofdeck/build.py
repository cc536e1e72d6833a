"""`build`: from sources to packages, doing again only what changed."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofdeck import atomic
from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.draw.figures import UNMEASURED, Drawing, draw, media_name, tidy
from proofdeck.errors import ContentError, Problem, UsageError, did_you_mean
from proofdeck.evidence.gather import Findings, Progress, gather
from proofdeck.evidence.lock import read_lock
from proofdeck.evidence.resolve import Fact
from proofdeck.guard import exclusive
from proofdeck.inspect import Inspection, curriculum, inspect
from proofdeck.lint.fields import lint_fields
from proofdeck.package.apkg import build_apkg
from proofdeck.package.collection import (
    DeckInfo,
    NoteRow,
    PackageNote,
    build_collection,
    row_of,
    type_hash,
)
from proofdeck.package.ledger import (
    Counts,
    Ledger,
    Released,
    content_hash,
    now,
    read_ledger,
    release,
    write_ledger,
)
from proofdeck.package.notetypes import NOTE_TYPES, template_problems
from proofdeck.parallel import no_collector, spread
from proofdeck.parse.model import Check, Table, Value
from proofdeck.project import Manifest, Project
from proofdeck.record import Record
from proofdeck.render.notes import Context, render_note
from proofdeck.sources import Source
from proofdeck.stamp import Stamp
from proofdeck.verify import Failure, expression, update_lock


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


@dataclass
class BuildReport:
    """What a build did."""

    decks: list[DeckReport] = field(default_factory=list)
    seconds: float = 0.0
    ran: int = 0
    accepted: int = 0
    """Results that were taken into the evidence lock because it had none for their call."""
    held_back: list[str] = field(default_factory=list)
    """Notes left out since nobody has taken the measurement that they show."""

    def as_json(self) -> dict[str, Any]:
        return {
            "decks": [deck.as_json() for deck in self.decks], "seconds": round(self.seconds, 3), "ran": self.ran,
            "accepted": self.accepted, "held_back": self.held_back,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Built(Record):
    """A note rendered and turned into rows."""

    id: str
    formerly: tuple[str, ...]
    deck: str
    row: NoteRow
    hash: str
    parts: tuple[str, ...]
    clozes: tuple[int, ...]
    media: tuple[str, ...]
    line: int


def build(
    project: Project,
    names: Sequence[str] = (),
    *,
    locked: bool = False,
    legacy: bool = False,
    allow_stale: bool = False,
    jobs: int = 0,
    progress: Progress | None = None,
) -> BuildReport:
    """Verify what changed, draw, render, lint and package the named decks (all by default)."""
    begin = time.perf_counter()
    with exclusive(project), no_collector(), Cache(project.state).closing() as cache:
        stamp = Stamp(project, names, locked=locked, legacy=legacy, allow_stale=allow_stale)
        found = inspect(project, cache)
        manifests = _chosen(found, names)
        found.require_clean()
        report, findings = _evidence(project, found, cache, locked, allow_stale, jobs, progress)
        drawings = _drawings(project, found, locked, jobs)
        images = _images(project, found)
        built, held = _notes(project, found, manifests, findings, drawings, images, cache)
        report.held_back = held
        notes = _curriculum(found, manifests, built)
        problems = [Problem("", 0, 0, p) for kind in NOTE_TYPES.values() for p in template_problems(kind)]
        before = read_ledger(project.history_lock, project.root)
        ledger, counts = _release(project, before, manifests, notes, problems, held)
        if problems:
            raise ContentError(problems)
        if ledger != before:
            if locked:
                moved = sum(before.notes.get(key) != entry for key, entry in ledger.notes.items())
                raise ContentError(
                    [
                        Problem(
                            "decks/history.lock",
                            0,
                            0,
                            f"out of date: {moved} notes changed, and --locked forbids writing it",
                            "run `proofdeck build` and commit it",
                        )
                    ]
                )
            # the ledger first: a package must never carry a time that the ledger does not know
            write_ledger(project.history_lock, ledger)
        media = {m: project.drawn / m for m in (d.media for d in drawings.values())}
        media |= {name: project.root / path for path, name in images.items()}
        for manifest in manifests:
            entries = notes[manifest.name]
            report.decks.append(
                _package(project, manifest, entries, ledger, counts[manifest.name], media, legacy, cache)
            )
        if not names:
            tidy(project, drawings) if not locked else None
            _forget_packages(project, found)
        stamp.write(report.as_json())
    report.seconds = time.perf_counter() - begin
    return report


def _chosen(found: Inspection, names: Sequence[str]) -> list[Manifest]:
    known = {manifest.name: manifest for manifest in found.manifests}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"decks are: {', '.join(known)}"
            raise UsageError(f"no deck `{name}`; {hint}")
    return [known[name] for name in dict.fromkeys(names)] or found.manifests


def _evidence(
    project: Project,
    found: Inspection,
    cache: Cache,
    locked: bool,
    allow_stale: bool,
    jobs: int,
    progress: Progress | None,
) -> tuple[BuildReport, Findings]:
    """Gather evidence for every call; raise ContentError for each claim that lacks it."""
    lock = read_lock(project.evidence_lock, project.root)
    findings = gather(project, found.code, found.needs("call"), lock, cache, jobs=jobs, progress=progress)
    bad = {"failed", "moved"} | (set() if allow_stale else {"stale"})
    problems: list[Problem] = []
    for text, verdict in findings.verdicts.items():
        if verdict.state in bad:
            for note, claim in found.places(("call", text)):
                assert isinstance(claim, Value | Check | Table)
                message = verdict.message + (
                    "; `proofdeck accept` takes it" if verdict.state == "moved" else ""
                )
                place = claim.place
                failure = Failure(place.file, place.line, place.column, note, expression(claim), message)
                problems.append(failure.problem())
    if problems:
        raise ContentError(problems)
    out_of_date = update_lock(project, found, findings, lock, locked)
    if out_of_date:
        raise ContentError(
            [
                Problem(
                    "verifiers/evidence.lock", 0, 0, f"`{text}` {why}", "run `proofdeck build` and commit it"
                )
                for text, why in out_of_date
            ]
        )
    new = sum(verdict.state == "new" for verdict in findings.verdicts.values())
    return BuildReport(ran=findings.ran, accepted=new), findings


def _drawings(project: Project, found: Inspection, locked: bool, jobs: int) -> dict[str, Drawing]:
    lock = read_lock(project.evidence_lock, project.root)
    drawings, failed = draw(project, found.code, found.needs("figure"), lock, jobs, locked)
    problems = [
        claim.place.problem(f"the figure `{text}` cannot be drawn: {why}")
        for text, why in failed.items()
        if UNMEASURED not in why  # its notes are held back
        for _, claim in found.places(("figure", text))
    ]
    if problems:
        raise ContentError(problems)
    return drawings


def _images(project: Project, found: Inspection) -> dict[str, str]:
    """Return the media name of every picture of the author's, by path."""
    images = {}
    for path in found.needs("image"):
        stem, suffix = os.path.splitext(os.path.basename(path))
        images[path] = media_name(stem, (project.root / path).read_bytes(), suffix)
    return images


def _notes(
    project: Project,
    found: Inspection,
    manifests: Iterable[Manifest],
    findings: Findings,
    drawings: dict[str, Drawing],
    images: dict[str, str],
    cache: Cache,
) -> tuple[dict[str, list[Built]], list[str]]:
    """Return the rendered notes of every file that a package needs, and the ids of notes held back."""
    facts = findings.facts
    figures = {
        text: (d.media, found.code.figures[text.partition("(")[0]].doc) for text, d in drawings.items()
    }
    tables: dict[str, dict[str, Any]] = {
        "call": dict(facts),
        "figure": dict(figures),
        "cite": dict(found.references),
        "image": dict(images),
    }
    states: dict[tuple[str, str], str] = {}
    known = cache.digests("rendered")
    files = dict.fromkeys(file for manifest in manifests for file in found.selection[manifest.name])
    built: dict[str, list[Built]] = {}
    held: list[str] = []
    jobs: list[tuple[Source, Context, str]] = []
    fresh_digests: dict[str, str] = {}
    for file in files:
        source = found.by_file[file]
        for need in source.needs:
            if need not in states:
                states[need] = digest_of(_state(tables[need[0]].get(need[1])))
        digest = digest_of(source.digest, engine_fingerprint(), *(states[need] for need in source.needs))
        fresh_digests[file] = digest
        if known.get(file) != digest:
            mine: dict[str, dict[str, Any]] = {
                kind: {k: tables[kind][k] for n, k in source.needs if n == kind and k in tables[kind]}
                for kind in tables
            }
            jobs.append((source, Context(mine["call"], mine["figure"], mine["image"], mine["cite"]), digest))
    stored = cache.all("rendered") if len(jobs) < len(files) else {}
    made = spread(_render, jobs, weight=sum(len(source.pickled) for source, _, _ in jobs))
    problems: list[Problem] = []
    fresh = {}
    for (source, _, digest), (notes, wrong, waiting) in zip(jobs, made, strict=True):
        problems += wrong
        fresh[source.file] = (digest, (notes, waiting))
    if problems:
        raise ContentError(problems)
    cache.put("rendered", [(file, digest, value) for file, (digest, value) in fresh.items()])
    for file in files:
        notes, waiting = fresh[file][1] if file in fresh else stored[file][1]
        built[file] = notes
        held += waiting
    return built, held


def _state(thing: object) -> object:
    """Return what of a fact, drawing or reference a card shows."""
    if isinstance(thing, Fact):
        return (
            thing.value,
            thing.function.source,
            thing.function.units,
            thing.function.kind,
            thing.stale,
            thing.record,
        )
    return thing


def _render(job: tuple[Source, Context, str]) -> tuple[list[Built], list[Problem], list[str]]:
    """Render, lint and turn into rows the notes of one file; runs in any process."""
    source, context, _ = job
    problems: list[Problem] = []
    built: list[Built] = []
    held: list[str] = []
    from proofdeck.parse.model import claims_of
    from proofdeck.sources import needs_of

    for note in source.notes:
        needs = [need for claim in claims_of(note) for need in needs_of(claim)]
        known = {"call": context.facts, "figure": context.figures}
        if any(key not in known.get(kind, (key,)) for kind, key in needs):
            held.append(note.id)
            continue
        rendered = render_note(note, context, problems)
        problems += lint_fields(rendered, source.file)
        row = row_of(rendered)
        digest = content_hash(row.fields, row.tags)
        built.append(
            Built(
                note.id,
                note.formerly,
                note.deck,
                row,
                digest,
                rendered.parts,
                rendered.clozes,
                rendered.media,
                rendered.line,
            )
        )
    return built, problems, held


@dataclass(frozen=True, slots=True)
class _Placed:
    """A note with the file it stands in."""

    file: str
    note: Built


def _curriculum(
    found: Inspection, manifests: Iterable[Manifest], built: dict[str, list[Built]]
) -> dict[str, list[_Placed]]:
    """Return the notes of every package in the order in which they are to be learned."""
    orders = {}
    for manifest in manifests:
        files = found.selection[manifest.name]
        by_id = {note.id: _Placed(file, note) for file in files for note in built[file]}
        order, _ = curriculum(found.by_file[file] for file in files)
        orders[manifest.name] = [
            by_id[i] for source, index in order if (i := source.heads[index].id) in by_id
        ]
    return orders


def _release(
    project: Project,
    before: Ledger,
    manifests: Iterable[Manifest],
    notes: dict[str, list[_Placed]],
    problems: list[Problem],
    held: Iterable[str],
) -> tuple[Ledger, dict[str, Counts]]:
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
    hashes = {key: type_hash(kind) for key, kind in NOTE_TYPES.items() if key in used}
    names = [manifest.name for manifest in manifests]
    return release(before, released, hashes, project.namespace(), names, now(), problems, held)


def _package(
    project: Project, manifest: Manifest, entries: Sequence[_Placed], ledger: Ledger, count: Counts,
    media_paths: dict[str, Any], legacy: bool, cache: Cache,
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
        collection = build_collection(notes, _decks(manifest, notes), type_mods)
        data = build_apkg(collection, [(name, media_paths[name].read_bytes()) for name in media], legacy)
        atomic.write(path, data)
        size = (len(data), path.stat().st_mtime_ns)
        cache.put("package", [(manifest.name, key, size)])
    cards = sum(len(p.note.row.ordinals) for p in entries)
    return DeckReport(
        manifest.name, path.relative_to(project.root).as_posix(), len(notes), cards, len(media), size[0],
        count.new, count.changed, count.unchanged, count.retired,
    )  # fmt: skip


def _stands(path: Any, size: tuple[int, int]) -> bool:
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


def _forget_packages(project: Project, found: Inspection) -> None:
    """Remove packages whose manifest is gone."""
    names = {manifest.name for manifest in found.manifests}
    for path in project.packages.glob("*.apkg"):
        if path.stem not in names:
            path.unlink()


def evidence_counts(found: Inspection) -> dict[str, Counter[str]]:
    """Count the evidence of every note by kind, without opening the notes."""
    counts: dict[str, Counter[str]] = {}
    for source in found.sources:
        for head in source.heads:
            kinds: Counter[str] = Counter()
            for role, function in head.claims:
                known = found.code.functions.get(function)
                if role in ("cite", "judgement"):
                    kinds["cited" if role == "cite" else "judgement"] += 1
                elif known and known.kind == "measurement":
                    kinds["measured"] += 1
                elif known:
                    kinds["checked" if role == "check" else "computed"] += 1
            counts[head.id] = kinds
    return counts
