"""Values that changed over time, read from what git knows of the evidence lock.

Only a change of value or unit is a change; a line that is new because its code is, or a call under another
name, is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.errors import UsageError
from proofdeck.evidence.lock import HEADER, Result, same
from proofdeck.record import Record
from proofdeck.states import EVIDENCE, git

COMMIT = "\x1e"
"""Begins the line of a commit; no line of a lock can begin so."""
FORMAT = f"--format={COMMIT}%h%x1f%cI%x1f%s"


@dataclass(frozen=True, slots=True)
class Moved(Record):
    """A value that became another one."""

    date: str
    commit: str
    subject: str
    key: str
    """What the lock files the result under."""
    call: str
    before: Any
    unit_before: str
    after: Any
    unit: str


@dataclass(frozen=True, slots=True)
class History(Record):
    """What the evidence lock went through, the newest first."""

    moved: tuple[Moved, ...] = ()
    accepted: tuple[tuple[str, str, str], ...] = ()
    """For every line of the last commit: key, date of its acceptance, digest of the result."""
    commits: int = 0
    since: str = ""
    """Date of the first commit."""
    missing: str = ""
    """Why there is no history."""
    cut: bool = False
    """The clone is shallow: what came before its first commit is not known."""

    def dates(self, results: dict[str, Result]) -> dict[str, str]:
        """Return the date on which each result was accepted, by key; none for those not committed yet."""
        known = {key: (date, digest) for key, date, digest in self.accepted}
        found = {}
        for key, result in results.items():
            date, digest = known.get(key, ("", ""))
            if date and digest == _digest(result):
                found[key] = date
        return found


def read_history(root: Path, cache: Cache) -> History:
    """Read the history of the evidence lock; remembered until there is another commit."""
    try:
        head = git(root, "log", "-1", "--format=%H", "--", EVIDENCE)
        shallow = git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    except UsageError as error:
        return History(missing=str(error).partition(";")[0])
    if head.returncode:
        return History(missing="the project lies in no git repository with a commit")
    commit = head.stdout.decode().strip()
    if not commit:
        return History(missing=f"no commit holds {EVIDENCE}")
    digest = digest_of(commit, shallow, engine_fingerprint())
    known = cache.get("history", str(root), digest)
    if isinstance(known, History):
        return known
    told = git(
        root, "log", "-p", "-U0", "--reverse", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
        "--diff-merges=off", FORMAT, "--", EVIDENCE,
    )  # fmt: skip
    history = _replayed(told.stdout.decode("utf-8", errors="replace").split("\n"), shallow)
    cache.put("history", [(str(root), digest, history)])
    return history


def _replayed(lines: list[str], cut: bool) -> History:
    """Follow every key through the commits, the oldest first."""
    last: dict[str, Result] = {}
    accepted: dict[str, tuple[str, str]] = {}
    moved: list[Moved] = []
    dates: list[str] = []
    for date, commit, subject, gone, came in _commits(lines):
        dates.append(date)
        for key in gone:
            accepted.pop(key, None)
        for key, result in came.items():
            accepted[key] = date, _digest(result)
            old = last.get(key)
            last[key] = result
            if old and _differ(old, result):
                moved.append(
                    Moved(
                        date,
                        commit,
                        subject,
                        key,
                        result.call,
                        old.value,
                        old.unit,
                        result.value,
                        result.unit,
                    )
                )
    rows = tuple((key, date, digest) for key, (date, digest) in accepted.items())
    return History(tuple(reversed(moved)), rows, len(dates), dates[0] if dates else "", "", cut)


def _differ(old: Result, new: Result) -> bool:
    """Say whether a value or its unit changed; a check that passes has none, only inputs that it tried."""
    if old.unit == new.unit == "check":
        return False
    return old.unit != new.unit or not same(old.value, new.value, 1e-9)


_Commit = tuple[str, str, str, dict[str, Result], dict[str, Result]]


def _commits(lines: list[str]) -> Iterator[_Commit]:
    """Yield date, name, subject, removed and added results of each commit."""
    current: _Commit | None = None
    for line in lines:
        if line.startswith(COMMIT):
            if current:
                yield current
            name, date, subject = line[1:].split("\x1f", 2)
            current = date[:10], name, subject, {}, {}
        elif current and line[:1] in ("-", "+") and (result := _result(line[1:])):
            gone, came = current[3:]
            (gone if line[0] == "-" else came)[result.key] = result
    if current:
        yield current


def _result(line: str) -> Result | None:
    """Read a line of a lock as it once was; None for what is none."""
    try:
        data = json.loads(line)
        if data.get("format") == HEADER["format"]:
            return None
        record = tuple(data.get("record", {}).items())
        libraries = tuple(sorted(data.get("libraries", {}).items()))
        return Result(data["call"], data["value"], data["unit"], data["code"], libraries, record)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(result: Result) -> str:
    return digest_of(result.line())
