"""Figures: drawn once for their code, kept under `figures/drawn/` by content, listed in `figures/drawn.lock`.

The drawings are committed. So a build needs no matplotlib, gives the same bytes on every machine and with
every version of it, and a picture's name changes exactly when its content does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proofdeck import atomic
from proofdeck.cache import digest_of
from proofdeck.draw.svg import SERIES, STYLE
from proofdeck.errors import ContentError, Problem
from proofdeck.evidence.code import Code
from proofdeck.evidence.lock import Result
from proofdeck.evidence.runner import Task, run
from proofdeck.parse.expressions import parse_call
from proofdeck.project import Project

UNMEASURED = "nobody has measured"
"""How a figure fails that shows a measurement without a record."""
OUT_OF_DATE = "its drawing is out of date, and --locked forbids drawing it"
HEADER = {"format": "proofdeck drawings", "version": 1}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as a file."""

    figure: str
    """The call, as text."""
    code: str
    """Hash of the code behind it, and of the measurements it shows."""
    media: str
    """File name under `figures/drawn/`, lower case, ending in a hash of the content."""
    stale: bool = False
    """Whether it may show a measurement that is older than its code; said by `draw`, kept in no list."""


def media_name(stem: str, data: bytes, suffix: str) -> str:
    """Return a lower-case media name that ends in a hash of the content."""
    words = "-".join(re.findall(r"[a-z0-9]+", stem.lower()))[:60].strip("-")
    return f"{words}-{hashlib.sha256(data).hexdigest()[:12]}{suffix.lower()}"


def picture_name(root: Path, path: str) -> str:
    """Return the media name of a picture file of the author's, given by its path from the root."""
    stem, suffix = os.path.splitext(os.path.basename(path))
    return media_name(stem, (root / path).read_bytes(), suffix)


def read_drawings(project: Project) -> dict[str, Drawing]:
    """Read `figures/drawn.lock`; raise ContentError naming each broken line."""
    if not project.figures_lock.exists():
        return {}
    found: dict[str, Drawing] = {}
    problems: list[Problem] = []
    file = project.figures_lock.relative_to(project.root).as_posix()
    for number, line in enumerate(
        project.figures_lock.read_text(encoding="utf-8", errors="replace").rstrip("\n").split("\n"), 1
    ):
        try:
            data = json.loads(line)
            if data.get("format") == HEADER["format"]:
                continue
            drawing = Drawing(data["figure"], data["code"], data["media"])
            if not re.fullmatch(r"[a-z0-9-]+\.svg", drawing.media):
                raise ValueError
            found[drawing.figure] = drawing
        except (ValueError, KeyError, TypeError, AttributeError):
            problems.append(Problem(file, number, 0, "not a line of a list of drawings", "delete the line"))
    if problems:
        raise ContentError(problems)
    return found


def intact(project: Project, drawing: Drawing) -> bool:
    """Say whether the file is there with the content that its name promises."""
    try:
        data = (project.drawn / drawing.media).read_bytes()
    except OSError:
        return False
    return drawing.media.endswith(f"-{hashlib.sha256(data).hexdigest()[:12]}.svg")


def draw(
    project: Project,
    code: Code,
    calls: Iterable[str],
    lock: Mapping[str, Result],
    jobs: int = 0,
    locked: bool = False,
    allow_stale: bool = False,
) -> tuple[dict[str, Drawing], dict[str, str]]:
    """Return the drawing of every figure, and by figure why it could not be drawn.

    Draws what is missing or out of date; with `locked` that is a failure instead. So is a measurement that is
    older than its code, unless `allow_stale`.
    """
    before = read_drawings(project)
    drawings: dict[str, Drawing] = {}
    failed: dict[str, str] = {}
    tasks: dict[str, tuple[Task, str, bool]] = {}
    records = [result for result in lock.values() if result.record]
    for text in calls:
        asked = parse_call(text)
        function = code.figures[asked.function]
        digest, _, measurements = code.closure("figures", function.name)
        digest = digest_of(digest, STYLE, SERIES)
        shown = [
            r
            for r in records
            if r.call.partition("(")[0] in measurements and asked.machine in ("", r.machine)
        ]
        machines = sorted({r.machine for r in shown})
        if shown:
            digest = hashlib.sha256(
                "\n".join([digest, *sorted(r.line() for r in shown)]).encode()
            ).hexdigest()[:20]
        stale = {r.key for r in shown if r.code != code.closure("verifiers", r.call.partition("(")[0])[0]}
        shows_stale = allow_stale and bool(stale)
        if shows_stale:  # never taken for a drawing of what is up to date
            digest = digest_of(digest, "stale")
        unmeasured = sorted(set(measurements) - {r.call.partition("(")[0] for r in shown})
        known = before.get(text)
        if unmeasured:
            where = f" on {asked.machine}" if asked.machine else ""
            failed[text] = f"{UNMEASURED} {', '.join(unmeasured)}{where}; run `proofdeck measure`"
        elif len(machines) > 1:
            failed[text] = f"it shows what {' and '.join(machines)} did; name one: `@ {machines[0]}`"
        elif known and known.code == digest and intact(project, known):
            drawings[text] = replace(known, stale=shows_stale)
        elif locked and not shown:
            failed[text] = OUT_OF_DATE
        else:  # one that shows measurements may wait for an entry, which only drawing it tells
            task = Task(
                "figures", asked, function.option("timeout", 60.0),
                int(function.option("memory", 4 * 2**30)), records=tuple(_record(r, r.key in stale and not allow_stale) for r in shown),
            )  # fmt: skip
            tasks[text] = (task, digest, shows_stale)
    for outcome in run(project.root, [task for task, *_ in tasks.values()], jobs):
        text = str(outcome.task.call)
        if outcome.failed or locked:
            failed[text] = outcome.failed or OUT_OF_DATE
            continue
        data = outcome.value.encode()
        media = media_name(outcome.task.call.function, data, ".svg")
        atomic.write(project.drawn / media, data)
        drawings[text] = Drawing(text, tasks[text][1], media, tasks[text][2])
    # figures that wait for a measurement do not keep the others from being listed
    if tasks and not locked and all(UNMEASURED in failed.get(text, UNMEASURED) for text in tasks):
        _write(project, before | drawings)
    return drawings, failed


def _record(result: Result, stale: bool) -> dict[str, Any]:
    call = parse_call(result.call)
    return {
        "function": call.function, "args": call.args, "kwargs": dict(call.kwargs), "value": result.value, "stale": stale,
    }  # fmt: skip


def tidy(project: Project, drawings: Mapping[str, Drawing]) -> None:
    """Forget drawings that no card uses any more."""
    if set(read_drawings(project)) != set(drawings):
        _write(project, drawings)
    keep = {drawing.media for drawing in drawings.values()}
    for path in project.drawn.glob("*.svg"):
        if path.name not in keep:
            path.unlink()


def _write(project: Project, drawings: Mapping[str, Drawing]) -> None:
    lines = [json.dumps(HEADER)]
    for text in sorted(drawings):
        drawing = drawings[text]
        lines.append(
            json.dumps({"figure": text, "code": drawing.code, "media": drawing.media}, ensure_ascii=False)
        )
    atomic.write(project.figures_lock, "\n".join(lines) + "\n")
