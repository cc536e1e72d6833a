"""`verify` and `accept`: is every claim true, and which new truths are taken into the lock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proofdeck.cache import Cache
from proofdeck.errors import Problem, UsageError, did_you_mean
from proofdeck.evidence.gather import Findings, Progress, gather, shown
from proofdeck.evidence.lock import Result, read_lock, write_lock
from proofdeck.evidence.resolve import Facts, Wrong, judge, table_rows, unrecorded, value_text
from proofdeck.guard import exclusive
from proofdeck.inspect import Inspection, inspect
from proofdeck.parse.model import (
    Check,
    Cite,
    Claim,
    Image,
    Judgement,
    Note,
    Table,
    Value,
    calls_of,
    claims_of,
)
from proofdeck.project import Project

KINDS = ("computed", "checked", "measured", "cited", "judgement")


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """A claim that does not hold."""

    file: str
    line: int
    column: int
    note: str
    expression: str
    message: str

    def problem(self) -> Problem:
        told = f"`{self.note}`: {self.expression}" if self.note else f"`{self.expression}`"
        return Problem(self.file, self.line, self.column, f"{told}: {self.message}")

    def as_json(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("note", "file", "line", "column", "expression", "message")
        }


@dataclass
class Verification:
    """What `verify` found."""

    claims: Counter[str] = field(default_factory=Counter)
    """Claims of cards by kind of evidence."""
    statements: int = 0
    """Rows of the claims tables."""
    ran: int = 0
    cached: int = 0
    failed: list[Failure] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: int = 0
    seconds: float = 0.0
    durations: list[tuple[float, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "claims": {kind: self.claims[kind] for kind in KINDS}, "statements": self.statements, "ran": self.ran, "cached": self.cached,
            "failed": [failure.as_json() for failure in self.failed], "stale": self.stale, "missing": self.missing,
            "new": self.new, "seconds": round(self.seconds, 3),
        }  # fmt: skip


def verify(
    project: Project,
    select: Sequence[str] = (),
    *,
    everything: bool = False,
    locked: bool = False,
    jobs: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Verify the claims of the selected notes (ids, files, verifiers; all by default)."""
    begin = time.perf_counter()
    with exclusive(project), Cache(project.state).closing() as cache:
        found = inspect(project, cache)
        found.require_clean()
        wanted = _selected(found, select)
        lock = read_lock(project.evidence_lock, project.root)
        calls = [str(c) for _, note in wanted for claim in claims_of(note) for c in calls_of(claim)]
        findings = gather(
            project, found.code, calls, lock, cache, everything=everything, jobs=jobs, progress=progress
        )
        report = Verification(ran=findings.ran, cached=findings.cached)
        report.failed = sorted(failures(found, wanted, findings))
        report.stale = [text for text, verdict in findings.verdicts.items() if verdict.state == "stale"]
        facts = findings.facts
        report.missing = missing(wanted, findings, facts)
        report.new = sum(verdict.state == "new" for verdict in findings.verdicts.values())
        report.durations = sorted(
            ((v.seconds, t) for t, v in findings.verdicts.items() if v.seconds), reverse=True
        )
        for _, note in wanted:
            if note.type == "statement":
                report.statements += 1
            else:
                report.claims.update(kinds_of(note, found, findings, facts))
        out_of_date = update_lock(project, found, findings, lock, locked, whole=not select)
        report.failed += [
            Failure("verifiers/evidence.lock", 0, 0, "", text, why) for text, why in out_of_date
        ]
    report.seconds = time.perf_counter() - begin
    return report


def accept(
    project: Project, select: Sequence[str] = (), *, jobs: int = 0, progress: Progress | None = None
) -> tuple[list[tuple[str, str, str]], list[Failure]]:
    """Take moved results into the lock; return (call, old, new) of each, and the claims that fail."""
    with exclusive(project), Cache(project.state).closing() as cache:
        found = inspect(project, cache)
        found.require_clean()
        wanted = _selected(found, select)
        lock = read_lock(project.evidence_lock, project.root)
        calls = [str(c) for _, note in wanted for claim in claims_of(note) for c in calls_of(claim)]
        findings = gather(project, found.code, calls, lock, cache, jobs=jobs, progress=progress)
        moved = {t: v.fresh for t, v in findings.verdicts.items() if v.state == "moved" and v.fresh}
        told = sorted((text, shown(lock[text]), shown(fresh)) for text, fresh in moved.items())
        after = lock | findings.accepted() | moved
        if not select:
            after = _needed(found, after)
        if after != lock:
            write_lock(project.evidence_lock, after)
        findings.verdicts |= {
            t: replace(v, state="accepted") for t, v in findings.verdicts.items() if t in moved
        }
        return told, sorted(failures(found, wanted, findings))


def update_lock(
    project: Project,
    found: Inspection,
    findings: Findings,
    lock: dict[str, Result],
    locked: bool,
    whole: bool = True,
) -> list[tuple[str, str]]:
    """Write new results into the lock and drop those that no card needs.

    With `locked`, write nothing and return what would have been written, as (call, reason).
    """
    after = lock | findings.accepted()
    if whole:
        after = _needed(found, after)
    if after == lock:
        return []
    if locked:
        out = [
            (text, "has no accepted result, and --locked forbids writing one")
            for text in after
            if text not in lock
        ]
        return out + [(text, "is accepted, but no card needs it") for text in lock if text not in after]
    write_lock(project.evidence_lock, after)
    return []


def _needed(found: Inspection, results: dict[str, Result]) -> dict[str, Result]:
    needed = {text for source in found.all_sources for kind, text in source.needs if kind == "call"}
    return {key: result for key, result in results.items() if result.record or key in needed}


def failures(found: Inspection, wanted: Iterable[tuple[str, Note]], findings: Findings) -> Iterable[Failure]:
    """Yield every claim that its evidence does not carry."""
    facts = findings.facts
    for file, note in wanted:
        for claim in claims_of(note):
            if not isinstance(claim, Value | Check | Table):
                continue
            calls = [str(call) for call in calls_of(claim)]
            verdicts = [findings.verdicts[call] for call in calls if call in findings.verdicts]
            if len(verdicts) < len(calls):
                continue  # it names an unknown verifier, which inspection reports
            bad = [v.message for v in verdicts if v.state in ("failed", "moved")]
            if not bad and lacks(claim, findings, facts):
                continue  # its note is held back
            message = "; ".join(bad) or untrue(claim, facts)
            if any(v.state == "moved" for v in verdicts):
                message += "; `proofdeck accept` takes it"
            if message:
                place = claim.place
                yield Failure(file, place.line, place.column, note.id, expression(claim), message)


def expression(claim: Value | Check | Table) -> str:
    """Return a claim as the author wrote it."""
    return f"{{{type(claim).__name__.lower()}}}`{claim.text}`"


def untrue(claim: Value | Check | Table, facts: Facts) -> str:
    """Return why a claim does not hold, or the empty string."""
    try:
        match claim:
            case Value():
                value_text(claim, facts)
            case Check():
                judge(claim, facts)
            case Table():
                table_rows(claim, facts)
    except Wrong as error:
        return str(error) + (f"; {error.hint}" if error.hint else "")
    return ""


def missing(wanted: Iterable[tuple[str, Note]], findings: Findings, facts: Facts) -> list[str]:
    """Return every measurement that nobody has taken, and every entry that a record lacks."""
    claims = (claim for _, note in wanted for claim in claims_of(note))
    texts = [text for text, verdict in findings.verdicts.items() if verdict.state == "missing"]
    entries = [lacking.operand for claim in claims if (lacking := unrecorded(claim, facts))]
    return list(dict.fromkeys([*texts, *entries]))


def lacks(claim: Claim | Image, findings: Findings, facts: Facts) -> bool:
    """Say whether a claim rests on a measurement that is not there, or on an entry that its record lacks."""
    verdicts = [findings.verdicts.get(str(call)) for call in calls_of(claim)]
    return any(v and v.state == "missing" for v in verdicts) or unrecorded(claim, facts) is not None


def kinds_of(note: Note, found: Inspection, findings: Findings, facts: Facts) -> Counter[str]:
    """Count a note's claims by kind of evidence, without those that wait for a measurement."""
    present = [claim for claim in claims_of(note) if not lacks(claim, findings, facts)]
    return Counter(kind for claim in present if (kind := kind_of(claim, found)))


def kind_of(claim: Claim | Image, found: Inspection) -> str:
    if isinstance(claim, Cite):
        return "cited"
    if isinstance(claim, Judgement):
        return "judgement"
    calls = calls_of(claim)
    functions = [found.code.functions.get(call.function) for call in calls]
    if not functions or functions[0] is None:
        return ""
    if any(function and function.kind == "measurement" for function in functions):
        return "measured"
    return "checked" if isinstance(claim, Check) else "computed"


def _selected(found: Inspection, select: Sequence[str]) -> list[tuple[str, Note]]:
    """Return (file, note) of the notes that a selection names: ids, files, folders, verifiers."""
    notes = [(source.file, note) for source in found.all_sources for note in source.notes]
    if not select:
        return notes
    chosen: dict[str, tuple[str, Note]] = {}
    for word in select:
        name = word.rstrip("/").removeprefix("./")
        hits = [(f, n) for f, n in notes if n.id == name or f == name or f.startswith(name + "/")]
        hits = hits or [
            (f, n) for f, n in notes
            if any(c.function == name or c.function.startswith(name + ".") for claim in claims_of(n) for c in calls_of(claim))
        ]  # fmt: skip
        if not hits:
            known = [n.id for _, n in notes] + [f for f, _ in notes] + list(found.code.functions)
            raise UsageError(
                f"`{word}` selects nothing" + (f"; {h}" if (h := did_you_mean(name, known)) else "")
            )
        chosen.update((note.id, (file, note)) for file, note in hits)
    return list(chosen.values())
