"""Watching a project's sources: what an author saves counts, what a build or an editor leaves behind does not.

Folders are watched one by one, so the folders that builds write into wake nobody. Where a folder comes or goes
the watch is set up anew, and whoever waits hears of the change only then: nothing that is saved into a new
folder falls between two watches.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path, PurePosixPath

import watchfiles

FOLDERS = ("cards", "verifiers", "figures", "decks")
OUTPUTS = ("figures/drawn", "figures/drawn.lock")
"""What a build writes; the locks that `accept` and `measure` write from another terminal are input."""
LITTER = re.compile(
    r"^\.|^__pycache__$|^#.*#$|~$|\.(?:py[cod]|sw[a-z]|tmp|bak|part|crswap)$|^4913$|___jb_\w+___$"
)
"""Names that editors, atomic writes and Python leave beside a source for a moment."""

QUIET = 50
"""Milliseconds without a change after which a save is over."""
LONGEST = 500
"""Milliseconds that changes are gathered at most."""
TURN = 100
"""Milliseconds without a change after which the watch reports that it stands."""


def concerns(path: str) -> bool:
    """Say whether a preview depends on a file or folder, given by its path from the project's root.

    >>> [concerns(path) for path in ("cards/a.md", "decks/demo.yaml", "verifiers/evidence.lock", "pyproject.toml")]
    [True, True, True, True]
    >>> [concerns(path) for path in ("cards/.a.md.swp", "decks/build/demo.apkg", "figures/drawn.lock", "README.md")]
    [False, False, False, False]
    """
    parts = PurePosixPath(path).parts
    if not parts or any(LITTER.search(part) for part in parts):
        return False
    if any(path == output or path.startswith(f"{output}/") for output in OUTPUTS):
        return False
    if len(parts) == 1:
        return path in (*FOLDERS, "pyproject.toml")
    if parts[0] == "decks":
        return len(parts) == 2 and path.endswith(".yaml")
    return parts[0] in FOLDERS


class Watcher:
    """Sets an event whenever a source of the project has been saved; a context manager.

    Once entered, it hears of whatever is saved.
    """

    def __init__(self, root: Path, changed: threading.Event, skip: Path) -> None:
        """`skip` is the folder that the preview itself writes, should it stand among the sources."""
        self._root = root.resolve()
        self._skip = skip.resolve()
        self._changed = changed
        self._stands = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proofdeck-watch", daemon=True)
        self.failed = ""
        """Why nothing is watched any more."""

    def __enter__(self) -> Watcher:
        self._thread.start()
        self._stands.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._watch()
                except FileNotFoundError:  # a folder went between being listed and being watched
                    self._stop.wait(TURN / 1000)
        except OSError as error:  # systems limit how many folders may be watched
            self.failed = str(error)
            self._changed.set()
        finally:
            self._stands.set()

    def _watch(self) -> None:
        """Watch the folders there are, until one of them comes or goes."""
        folders = set(self._folders())
        fresh = True
        for changes in watchfiles.watch(
            *sorted(folders), watch_filter=self._concerns, recursive=False, stop_event=self._stop,
            debounce=LONGEST, step=QUIET, rust_timeout=TURN, yield_on_timeout=True, raise_interrupt=False,
        ):  # fmt: skip
            if fresh:
                fresh = False
                if self._stands.is_set():  # what was saved while the watch was being set up
                    self._changed.set()
                self._stands.set()
            if any(
                change != watchfiles.Change.modified and (path in folders or os.path.isdir(path))
                for change, path in changes
            ):
                return
            if changes:
                self._changed.set()

    def _folders(self) -> list[str]:
        """Return the root and every folder that a source may stand in."""
        found = [str(self._root)]
        for name in FOLDERS:
            for folder, inner, _ in os.walk(self._root / name):
                found.append(folder)
                inner[:] = [entry for entry in inner if self._counts(os.path.join(folder, entry))]
        return found

    def _concerns(self, change: watchfiles.Change, path: str) -> bool:
        return self._counts(path)

    def _counts(self, path: str) -> bool:
        full = Path(path)
        if full.is_relative_to(self._skip) or not full.is_relative_to(self._root):
            return False
        return concerns(full.relative_to(self._root).as_posix())
