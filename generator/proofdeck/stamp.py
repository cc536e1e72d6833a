"""The stamp of the last build: whether anything at all has changed since, told from file times alone.

A stamp is made before a build reads anything, so a file that changes meanwhile makes the next build look.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofdeck import __version__, atomic

if TYPE_CHECKING:
    from proofdeck.project import Project

FOLDERS = ("cards", "verifiers", "figures", "decks")
TICK = 50_000_000
"""Nanoseconds within which a file system may give two writes the same time."""


class Stamp:
    """The state of a project's files when a build began."""

    def __init__(self, project: Project, names: Sequence[str], **options: bool) -> None:
        self.root = project.root
        self.path = stamp_path(project.root, names, options)
        self.begun = time.time_ns()

    def write(self, report: dict[str, Any], modules: Iterable[str] = ()) -> None:
        """Remember that the project as it is now has been built, unless something moved meanwhile.

        `modules` are the local Python files that verifiers and figures import, wherever they stand.
        """
        elsewhere = sorted(file for file in modules if file.partition("/")[0] not in FOLDERS)
        # written by the build itself: locks, drawings, packages
        ours = ("decks/", "verifiers/evidence.lock", "figures/drawn")
        times = [
            t
            for name, t, _ in _files(self.root, elsewhere)
            if not name.startswith(ours) or name.endswith(".yaml")
        ]
        if max(times, default=0) + TICK > self.begun:
            return
        state = {"signature": signature(self.root, elsewhere), "elsewhere": elsewhere, "report": report}
        atomic.write(self.path, json.dumps(state), durable=False)


def stamp_path(root: Path, names: Sequence[str], options: dict[str, bool]) -> Path:
    key = hashlib.sha256(repr((list(names), sorted(options.items()))).encode()).hexdigest()[:12]
    return root / ".proofdeck" / f"stamp-{key}.json"


def unchanged(root: Path, names: Sequence[str], options: dict[str, bool]) -> dict[str, Any] | None:
    """Return the last build's report if nothing has changed since, else None."""
    try:
        data = json.loads(stamp_path(root, names, options).read_text())
        report: dict[str, Any] = data["report"]
        return report if data["signature"] == signature(root, data["elsewhere"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def signature(root: Path, elsewhere: Iterable[str] = ()) -> str:
    """Return a digest of names, times and sizes of everything that a build depends on."""
    digest = hashlib.sha256(f"{__version__} {sys.version}".encode())
    for name, changed, size in _files(root, elsewhere):
        digest.update(f"{name} {changed} {size}\n".encode("utf-8", "surrogateescape"))
    for folder in (os.path.dirname(__file__), *_libraries()):
        digest.update(f"{folder} {_newest(folder)}\n".encode())
    return digest.hexdigest()


def _files(root: Path, elsewhere: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Yield name, time of change and size of every file, in a fixed order."""
    base = str(root)
    pending = [os.path.join(base, folder) for folder in FOLDERS]
    for name in ("pyproject.toml", *elsewhere):
        try:
            status = os.stat(os.path.join(base, name))
        except OSError:
            continue
        yield name, max(status.st_mtime_ns, status.st_ctime_ns), status.st_size
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith((".", "__pycache__")):
                continue
            if entry.is_dir():
                pending.append(entry.path)
                continue
            status = entry.stat()
            yield entry.path[len(base) + 1 :], max(status.st_mtime_ns, status.st_ctime_ns), status.st_size


def _libraries() -> list[str]:
    return sorted(path for path in sys.path if path.endswith("site-packages"))


def _newest(folder: str) -> int:
    """Return the newest time of a folder and, for the engine's own, of the files in it."""
    newest = os.stat(folder).st_mtime_ns
    if folder.endswith("site-packages"):
        return newest
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            newest = max(newest, os.stat(os.path.join(where, name)).st_mtime_ns)
    return newest
