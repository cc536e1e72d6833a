"""Notes rendered, linted and turned into rows: a file at a time, on all cores, and remembered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.draw.figures import Drawing
from proofdeck.errors import ContentError, Problem
from proofdeck.evidence.gather import Findings
from proofdeck.evidence.resolve import Fact
from proofdeck.inspect import Inspection
from proofdeck.lint.fields import lint_fields
from proofdeck.package.collection import NoteRow, row_of
from proofdeck.package.ledger import content_hash
from proofdeck.parallel import spread
from proofdeck.parse.model import claims_of
from proofdeck.project import Manifest
from proofdeck.record import Record
from proofdeck.render.notes import Context, render_note
from proofdeck.sources import Source, needs_of


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


def assemble(
    found: Inspection,
    manifests: Iterable[Manifest],
    findings: Findings,
    drawings: dict[str, Drawing],
    images: dict[str, str],
    cache: Cache,
    drafts: bool = False,
) -> tuple[dict[str, list[Built]], list[str], list[str]]:
    """Return the notes of every file that a package needs, the ids of notes held back, and those of drafts.

    Notes tagged `draft` are rendered and linted as others are, but left out unless `drafts`.

    Files whose text and evidence are those of an earlier build are not rendered again; the others are, on all
    cores. Raises ContentError for claims that are wrong and for fields that Anki would misread.
    """
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
    for file in files:
        source = found.by_file[file]
        for need in source.needs:
            if need not in states:
                states[need] = digest_of(_state(tables[need[0]].get(need[1])))
        digest = digest_of(source.digest, engine_fingerprint(), *(states[need] for need in source.needs))
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
    left: list[str] = []
    for file in files:
        notes, waiting = fresh[file][1] if file in fresh else stored[file][1]
        unfinished = {head.id for head in found.by_file[file].heads if "draft" in head.tags and not drafts}
        built[file] = [note for note in notes if note.id not in unfinished]
        left += [note.id for note in notes if note.id in unfinished]
        held += waiting
    return built, held, left


def _state(thing: object) -> object:
    """Return what of a fact, drawing or reference a card shows."""
    if isinstance(thing, Fact):
        of = thing.function
        return (thing.value, of.source, of.units, of.kind, thing.stale, thing.record, thing.libraries)
    return thing


def _render(job: tuple[Source, Context, str]) -> tuple[list[Built], list[Problem], list[str]]:
    """Render, lint and turn into rows the notes of one file; runs in any process."""
    source, context, _ = job
    problems: list[Problem] = []
    built: list[Built] = []
    held: list[str] = []
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
                note.id, note.formerly, note.deck, row, digest, rendered.parts, rendered.clozes, rendered.media,
                rendered.line,
            )
        )  # fmt: skip
    return built, problems, held
