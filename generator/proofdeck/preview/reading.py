"""Everything that a preview shows, read once: like a build up to the package, but nothing wrong stops it.

A build refuses what is wrong. A preview shows it where it stands, so that an author sees the card and the fault
at once; no lock and no ledger is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from proofdeck.assemble import Built, assemble
from proofdeck.cache import Cache
from proofdeck.draw.figures import UNMEASURED, Drawing, draw, picture_name
from proofdeck.errors import Problem
from proofdeck.evidence.gather import Findings, Progress, gather
from proofdeck.evidence.lock import Result, read_lock
from proofdeck.evidence.resolve import Facts, unrecorded
from proofdeck.inspect import Inspection, inspect
from proofdeck.parse.model import Claim, Figure, Image, Need, calls_of, claims_of, needs_of
from proofdeck.project import Project
from proofdeck.sources import usable_picture
from proofdeck.verify import failures

WAITING = "not measured yet"
"""What a card says where it lacks a measurement."""


STATES = {
    "verified": "every claim holds",
    "wrong": "something is wrong with it",
    "stale": "a measurement is older than its code",
    "held back": "it shows a measurement that nobody has taken",
    "unverified": "nothing on it has been tested",
    "draft": "it is not finished, and no package holds it",
}
"""How a note stands; each note has one of them."""


@dataclass
class Reading:
    """A project as a preview shows it."""

    project: Project
    found: Inspection
    findings: Findings
    """The verdict of every call, of cards and of claims tables."""
    results: dict[str, Result]
    """The evidence lock."""
    built: dict[str, list[Built]]
    """Rendered notes by card file, drafts and notes that lack evidence included."""
    media: dict[str, str]
    """Pictures by media name, as paths from the root."""
    problems: list[Problem]
    held: list[str]
    """Ids of notes that no package holds until somebody takes a measurement that they show."""
    stale: frozenset[str] = frozenset()
    """Figures that show a measurement older than its code."""

    @cached_property
    def standing(self) -> dict[tuple[str, int], str]:
        """How every note of a card file stands, by its file and line."""
        wrong = {
            (source.file, heads[-1].line)
            for problem in self.problems
            if (source := self.found.by_file.get(problem.file))
            and (heads := [head for head in source.heads if head.line <= problem.line])
        }
        verdicts, held = self.findings.verdicts, set(self.held)
        found = {}
        for source in self.found.sources:
            for head, note in zip(source.heads, source.notes, strict=True):
                calls = {str(call) for claim in claims_of(note) for call in calls_of(claim)}
                states = {verdicts[call].state if call in verdicts else "failed" for call in calls}
                if any(isinstance(c, Figure) and str(c.call) in self.stale for c in claims_of(note)):
                    states.add("stale")
                marks = {
                    "wrong": (source.file, head.line) in wrong or states & {"failed", "moved"},
                    "draft": "draft" in head.tags, "unverified": "unverified" in head.tags,
                    "held back": head.id in held, "stale": "stale" in states, "verified": True,
                }  # fmt: skip
                found[source.file, head.line] = next(mark for mark, holds in marks.items() if holds)
        return found


def read(project: Project, cache: Cache, *, jobs: int = 0, progress: Progress | None = None) -> Reading:
    """Read a project, run what no accepted or remembered result answers, draw and render.

    Raises UsageError and ContentError where a lock or a setting cannot be read; whatever is wrong with cards,
    claims and manifests is a problem of the reading.
    """
    found = inspect(project, cache)
    lock = read_lock(project.evidence_lock, project.root)
    calls = [key for source in found.all_sources for kind, key in source.needs if kind == "call"]
    findings = gather(project, found.code, calls, lock, cache, jobs=jobs, progress=progress)
    drawings, undrawn = _drawings(project, found, lock, jobs)
    pictures = [path for path in found.needs("image") if usable_picture(project.root, path)]
    images = {path: picture_name(project.root, path) for path in pictures}
    faults = dict(_faults(found, findings, undrawn, images))
    files = [source.file for source in found.sources]
    made = assemble(found, files, findings, drawings, images, cache, drafts=True, faults=faults)
    notes = [(source.file, note) for source in found.all_sources for note in source.notes]
    problems = [*found.problems, *(failure.problem() for failure in failures(found, notes, findings))]
    for text, why in undrawn.items():
        if UNMEASURED not in why:
            problems += [
                claim.place.problem(f"the figure `{text}` cannot be drawn: {why}")
                for _, claim in found.places(("figure", text))
            ]
    told = {(problem.file, problem.line, problem.column) for problem in problems}
    problems += [p for p in made.problems if (p.file, p.line, p.column) not in told]
    drawn = {
        d.media: (project.drawn / d.media).relative_to(project.root).as_posix() for d in drawings.values()
    }
    media = drawn | {name: path for path, name in images.items()}
    problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    facts = findings.facts
    held = [note.id for _, note in notes if any(_waits(claim, faults, facts) for claim in claims_of(note))]
    stale = frozenset(text for text, drawing in drawings.items() if drawing.stale)
    return Reading(
        project, found, findings, lock, made.notes, media, list(dict.fromkeys(problems)), held, stale
    )


def _waits(claim: Claim | Image, faults: dict[Need, str], facts: Facts) -> bool:
    """Say whether a claim shows a measurement, an entry of one, or a figure of some that is not there."""
    return any(faults.get(need) == WAITING for need in needs_of(claim)) or bool(unrecorded(claim, facts))


def _drawings(
    project: Project, found: Inspection, lock: dict[str, Result], jobs: int
) -> tuple[dict[str, Drawing], dict[str, str]]:
    known = [text for text in found.needs("figure") if text.partition("(")[0] in found.code.figures]
    return draw(project, found.code, known, lock, jobs, allow_stale=True)


def _faults(
    found: Inspection, findings: Findings, undrawn: dict[str, str], images: dict[str, str]
) -> Iterator[tuple[Need, str]]:
    """Yield what is wrong with each thing that cards need, in the words that stand on the card."""
    for text, verdict in findings.verdicts.items():
        if verdict.state == "missing":
            yield ("call", text), WAITING
        elif verdict.state in ("failed", "moved"):
            yield ("call", text), verdict.message
    for text, why in undrawn.items():
        yield ("figure", text), WAITING if UNMEASURED in why else why
    known: dict[str, Callable[[str], bool]] = {
        "call": lambda key: key in findings.verdicts,
        "figure": lambda key: key.partition("(")[0] in found.code.figures,
        "cite": lambda key: key in found.references,
        "image": lambda key: key in images,
    }
    for need in dict.fromkeys(need for source in found.sources for need in source.needs):
        if not known[need[0]](need[1]):
            noun = {"call": "verifier", "cite": "reference", "image": "picture"}.get(need[0], need[0])
            yield need, f"unknown {noun} {need[1].partition('(')[0]}"
