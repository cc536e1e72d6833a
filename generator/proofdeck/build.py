"""`build`: from sources to packages, doing again only what changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proofdeck.assemble import assemble
from proofdeck.cache import Cache
from proofdeck.draw.figures import UNMEASURED, Drawing, draw, picture_name, tidy
from proofdeck.errors import ContentError, Problem, UsageError, did_you_mean
from proofdeck.evidence.closures import remember_closures
from proofdeck.evidence.gather import Findings, Progress, gather
from proofdeck.evidence.lock import read_lock
from proofdeck.guard import exclusive
from proofdeck.inspect import Inspection, inspect
from proofdeck.package.ledger import read_ledger, write_ledger
from proofdeck.package.notetypes import NOTE_TYPES, template_problems
from proofdeck.parallel import no_collector
from proofdeck.parse.model import Check, Table, Value
from proofdeck.project import Manifest, Project
from proofdeck.release import DeckReport, forget_packages, in_order, update_ledger, write_package
from proofdeck.stamp import Stamp
from proofdeck.verify import Failure, expression, update_lock


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
    undrawn: list[str] = field(default_factory=list)
    """Figures that wait for a measurement which no card names, and for which."""
    drafts: int = 0
    """Notes left out since they are drafts."""

    def as_json(self) -> dict[str, Any]:
        return {
            "decks": [deck.as_json() for deck in self.decks], "seconds": round(self.seconds, 3), "ran": self.ran,
            "accepted": self.accepted, "held_back": self.held_back, "undrawn": self.undrawn, "drafts": self.drafts,
        }  # fmt: skip


def build(
    project: Project,
    names: Sequence[str] = (),
    *,
    locked: bool = False,
    legacy: bool = False,
    allow_stale: bool = False,
    drafts: bool = False,
    jobs: int = 0,
    progress: Progress | None = None,
) -> BuildReport:
    """Verify what changed, draw, render, lint and package the named decks (all by default).

    `drafts` packages notes that are tagged `draft` too.
    """
    begin = time.perf_counter()
    with exclusive(project), no_collector(), Cache(project.state).closing() as cache:
        stamp = Stamp(project, names, locked=locked, legacy=legacy, allow_stale=allow_stale, drafts=drafts)
        found = inspect(project, cache)
        manifests = _chosen(found, names)
        found.require_clean()
        report, findings = _evidence(project, found, cache, locked, allow_stale, jobs, progress)
        drawings, report.undrawn = _drawings(project, found, locked, allow_stale, jobs)
        remember_closures(found.code, cache)
        images = {path: picture_name(project.root, path) for path in found.needs("image")}
        files = [file for manifest in manifests for file in found.selection[manifest.name]]
        made = assemble(found, files, findings, drawings, images, cache, drafts=drafts)
        if made.problems:
            raise ContentError(made.problems)
        report.held_back, report.drafts = made.held, len(made.drafts)
        notes = in_order(found, manifests, made.notes)
        problems = [Problem("", 0, 0, p) for kind in NOTE_TYPES.values() for p in template_problems(kind)]
        before = read_ledger(project.history_lock, project.root)
        ledger, counts = update_ledger(
            project, before, manifests, notes, problems, [*made.held, *made.drafts], cache
        )
        if problems:
            raise ContentError(problems)
        if ledger != before:
            if locked:
                moved = sum(before.notes.get(key) != entry for key, entry in ledger.notes.items())
                raise _out_of_date(
                    "decks/history.lock", [f"{moved} notes changed, and --locked forbids writing it"]
                )
            # the ledger first: a package must never carry a time that the ledger does not know
            write_ledger(project.history_lock, ledger)
        media = {m: project.drawn / m for m in (d.media for d in drawings.values())}
        media |= {name: project.root / path for path, name in images.items()}
        for manifest in manifests:
            entries = notes[manifest.name]
            report.decks.append(
                write_package(project, manifest, entries, ledger, counts[manifest.name], media, legacy, cache)
            )
        if not names:
            if not locked:
                tidy(project, drawings)
            forget_packages(project, found)
        stamp.write(report.as_json(), found.code.files.values())
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
        raise _out_of_date("verifiers/evidence.lock", [f"`{text}` {why}" for text, why in out_of_date])
    new = sum(verdict.state == "new" for verdict in findings.verdicts.values())
    return BuildReport(ran=findings.ran, accepted=new), findings


def _out_of_date(file: str, reasons: Sequence[str]) -> ContentError:
    hint = "run `proofdeck build` and commit it"
    return ContentError(Problem(file, 0, 0, f"out of date: {reason}", hint) for reason in reasons)


def _drawings(
    project: Project, found: Inspection, locked: bool, allow_stale: bool, jobs: int
) -> tuple[dict[str, Drawing], list[str]]:
    """Return the drawings, and which figures cannot be drawn for want of a measurement that only drawing them shows."""
    lock = read_lock(project.evidence_lock, project.root)
    drawings, failed = draw(project, found.code, found.needs("figure"), lock, jobs, locked, allow_stale)
    problems = [
        claim.place.problem(f"the figure `{text}` cannot be drawn: {why}")
        for text, why in failed.items()
        if UNMEASURED not in why  # its notes are held back
        for _, claim in found.places(("figure", text))
    ]
    if problems:
        raise ContentError(problems)
    asked = (
        f"{text}: {why.partition(': ')[2]}"
        for text, why in failed.items()
        if why.startswith(LookupError.__name__)
    )
    return drawings, list(asked)
