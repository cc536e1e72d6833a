"""Notes rendered, linted and turned into rows: a file at a time, on all cores, and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.draw.figures import Drawing
from proofdeck.errors import Problem
from proofdeck.evidence.gather import Findings
from proofdeck.evidence.resolve import Fact, unrecorded
from proofdeck.inspect import Inspection
from proofdeck.lint.fields import lint_fields
from proofdeck.package.collection import NoteRow, row_of
from proofdeck.package.ledger import content_hash
from proofdeck.parallel import spread
from proofdeck.parse.model import Need, Note, claims_of, needs_of
from proofdeck.record import Record
from proofdeck.render.notes import Context, render_note
from proofdeck.sources import Source


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


@dataclass
class Assembly:
    """The notes of some card files, rendered."""

    notes: dict[str, list[Built]] = field(default_factory=dict)
    """By file, in their order."""
    held: list[str] = field(default_factory=list)
    """Ids of notes left out since nobody has taken the measurement that they show."""
    drafts: list[str] = field(default_factory=list)
    """Ids of notes left out since they are drafts."""
    problems: list[Problem] = field(default_factory=list)
    """Claims that are wrong, and fields that Anki would misread."""


def assemble(
    found: Inspection,
    files: Iterable[str],
    findings: Findings,
    drawings: Mapping[str, Drawing],
    images: Mapping[str, str],
    cache: Cache,
    *,
    drafts: bool = False,
    faults: Mapping[Need, str] | None = None,
) -> Assembly:
    """Render the notes of `files`.

    Notes tagged `draft` are rendered and linted as others are, but left out unless `drafts`. With `faults`, which
    tell what is wrong with evidence, no note is held back: its claims say what they lack.

    Files whose text and evidence are those of an earlier build are not rendered again; the others are, on all
    cores.
    """
    figures = {
        text: (d.media, found.code.figures[text.partition("(")[0]].doc, d.stale)
        for text, d in drawings.items()
    }
    tables: dict[str, Mapping[str, Any]] = {
        "call": findings.facts,
        "figure": figures,
        "cite": found.references,
        "image": images,
    }
    kind = "rendered" if faults is None else "shown"
    states: dict[Need, str] = {}
    known = cache.digests(kind)
    chosen = list(dict.fromkeys(files))
    jobs: list[tuple[Source, Context, bool, str]] = []
    for file in chosen:
        source = found.by_file[file]
        for need in source.needs:
            if need not in states:
                states[need] = digest_of(_state(tables[need[0]].get(need[1])), (faults or {}).get(need, ""))
        digest = digest_of(source.digest, engine_fingerprint(), *(states[need] for need in source.needs))
        if known.get(file) != digest:
            jobs.append((source, _context(source, tables, faults or {}), faults is None, digest))
    stored = cache.all(kind) if len(jobs) < len(chosen) else {}
    made = spread(_render, jobs, weight=sum(len(job[0].pickled) for job in jobs))
    fresh = {job[0].file: (job[-1], result) for job, result in zip(jobs, made, strict=True)}
    cache.put(
        kind,
        [(f, digest, result) for f, (digest, result) in fresh.items() if faults is not None or not result[1]],
    )
    whole = Assembly()
    for file in chosen:
        notes, wrong, waiting = (fresh if file in fresh else stored)[file][1]
        unfinished = {head.id for head in found.by_file[file].heads if "draft" in head.tags and not drafts}
        whole.notes[file] = [note for note in notes if note.id not in unfinished]
        whole.drafts += [note.id for note in notes if note.id in unfinished]
        whole.held += waiting
        whole.problems += wrong
    return whole


def _context(source: Source, tables: Mapping[str, Mapping[str, Any]], faults: Mapping[Need, str]) -> Context:
    """Return what the claims of one file rest on: workers are sent no more than they need."""
    mine: dict[str, dict[str, Any]] = {
        kind: {key: table[key] for need, key in source.needs if need == kind and key in table}
        for kind, table in tables.items()
    }
    lacking = {need: faults[need] for need in source.needs if need in faults}
    return Context(mine["call"], mine["figure"], mine["image"], mine["cite"], lacking)


def _state(thing: object) -> object:
    """Return what of a fact, drawing or reference a card shows."""
    if isinstance(thing, Fact):
        of = thing.function
        return (thing.value, of.source, of.units, of.kind, thing.stale, thing.record, thing.libraries)
    return thing


def _lacks(note: Note, context: Context) -> bool:
    """Say whether a note shows a measurement, an entry of one, or a figure of some that is not there."""
    known = {"call": context.facts, "figure": context.figures}
    return any(
        any(key not in known.get(kind, (key,)) for kind, key in needs_of(claim))
        or unrecorded(claim, context.facts)
        for claim in claims_of(note)
    )


def _render(
    job: tuple[Source, Context, bool, str],
) -> tuple[list[Built], list[Problem], list[str]]:
    """Render, lint and turn into rows the notes of one file; runs in any process.

    Where notes may be held back, one that lacks a measurement, or the figure of one, is named instead.
    """
    source, context, holding, _ = job
    problems: list[Problem] = []
    built: list[Built] = []
    held: list[str] = []
    for note in source.notes:
        if holding and _lacks(note, context):
            held.append(note.id)
            continue
        rendered = render_note(note, context, problems)
        problems += lint_fields(rendered, source.file)
        row = row_of(rendered)
        digest = content_hash(row.fields, row.tags)
        built.append(
            Built(
                note.id, note.formerly, note.deck, row, digest, rendered.parts, rendered.clozes, rendered.media,
                rendered.line,
            )
        )  # fmt: skip
    return built, problems, held
