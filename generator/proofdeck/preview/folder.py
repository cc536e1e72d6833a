"""A folder that holds a site: files that are the same stay untouched, files that are gone are removed."""

from __future__ import annotations

from pathlib import Path

from proofdeck import atomic
from proofdeck.errors import UsageError

MARKER = ".proofdeck-site"
"""Says that a folder is ours to write into, and which files are."""


class Folder:
    """Raises UsageError where the folder holds something else than a site of ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, None] = {}
        self.written: list[str] = []
        self.removed: list[str] = []
        marker = path / MARKER
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file; name a folder")
        if path.is_dir() and not marker.exists() and any(path.iterdir()):
            raise UsageError(
                f"{path} holds something else than a site of ours; name an empty or a new folder"
            )
        self.before = _names(marker) if marker.exists() else []
        if not marker.exists():  # from here on the folder is ours, even if this run dies
            atomic.write(marker, "", durable=False)

    def write(self, name: str, data: bytes) -> None:
        self.files[name] = None
        path = self.path / name
        try:
            if path.read_bytes() == data:
                return
        except OSError:
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, data, durable=False)
        self.written.append(name)

    def finish(self) -> None:
        """Remove the files of an earlier site that this one lacks, and note which files are ours."""
        for name in self.before:
            if name and name not in self.files and self._holds(name):
                (self.path / name).unlink()
                self.removed.append(name)
        atomic.write(self.path / MARKER, "\n".join(sorted(self.files)) + "\n", durable=False)

    def _holds(self, name: str) -> bool:
        """Say whether a name is a file in the folder, and no way out of it."""
        path = self.path / name
        try:
            return path.is_file() and path.resolve().is_relative_to(self.path.resolve())
        except OSError:  # no name that a file could have
            return False


def _names(marker: Path) -> list[str]:
    return marker.read_text(encoding="utf-8", errors="replace").split("\n")
