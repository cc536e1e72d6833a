"""What earlier runs found out, kept in `.proofdeck/cache.db`. Deleting it costs time and nothing else.

SQLite keeps it whole through a kill at any moment and through two builds at once. An entry counts only
while the digest it was stored under is the digest of today's input, engine code included.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from proofdeck import __version__

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (kind TEXT, key TEXT, digest TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;
"""


@cache
def engine_fingerprint() -> str:
    """Return a digest of the engine: its version, and size and time of each of its files."""
    here = Path(__file__).parent
    digest = hashlib.sha256(__version__.encode())
    for folder, folders, files in os.walk(here):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".py", ".css", ".html", ".js")):
                status = os.stat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:16]


def digest_of(*parts: object) -> str:
    """Return a short digest of values whose `repr` is stable."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:24]


class Cache:
    """Digest-checked values by kind and key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n")
        self._path = folder / "cache.db"
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        for attempt in (1, 2):
            try:
                db = sqlite3.connect(self._path, timeout=30)
                # a lost entry is only lost time, so no write waits for the disk
                db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + SCHEMA)
                return db
            except sqlite3.DatabaseError:
                if attempt == 2:
                    raise
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        raise AssertionError

    def get(self, kind: str, key: str, digest: str) -> Any:
        """Return the value stored under this digest, or None."""
        row = self._db.execute(
            "SELECT digest, value FROM entries WHERE kind=? AND key=?", (kind, key)
        ).fetchone()
        return _load(row[1]) if row and row[0] == digest else None

    def all(self, kind: str) -> dict[str, tuple[str, Any]]:
        """Return every entry of a kind: key to digest and value."""
        rows = self._db.execute("SELECT key, digest, value FROM entries WHERE kind=?", (kind,))
        return {key: (digest, _load(value)) for key, digest, value in rows}

    def digests(self, kind: str) -> dict[str, str]:
        return dict(self._db.execute("SELECT key, digest FROM entries WHERE kind=?", (kind,)))

    def put(self, kind: str, entries: Iterable[tuple[str, str, Any]]) -> None:
        """Store (key, digest, value) entries."""
        rows = [(kind, key, digest, pickle.dumps(value, protocol=5)) for key, digest, value in entries]
        if rows:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?,?,?,?)", rows)

    def prune(self, kind: str, keep: Iterable[str]) -> None:
        """Forget entries of a kind whose key is not among `keep`."""
        gone = set(self.digests(kind)) - set(keep)
        if gone:
            with self._db:
                self._db.executemany(
                    "DELETE FROM entries WHERE kind=? AND key=?", [(kind, key) for key in gone]
                )

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def closing(self) -> Iterator[Cache]:
        try:
            yield self
        finally:
            self.close()


def _load(value: bytes) -> Any:
    try:
        return pickle.loads(value)
    except Exception:  # written by another version, or damaged: as if it had never been stored
        return None
