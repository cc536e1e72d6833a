"""The tests that stand witness, read again only when a test file changed."""

from __future__ import annotations

import os
from pathlib import Path

from proofdeck.cache import Cache, digest_of
from proofdeck.listing import witnesses

KIND = "witnesses"
"""What the cache files the reading of the tests under."""


def read_witnesses(root: Path, cache: Cache) -> dict[str, list[str]]:
    """Return the tests that `@witnesses(…)` marks, by verifier."""
    folder = root / "tests"
    seen = []
    for base, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                status = os.stat(os.path.join(base, name))
                seen.append(f"{base}/{name} {status.st_mtime_ns} {status.st_size}")
    digest = digest_of(*seen)
    known: dict[str, list[str]] | None = cache.get(KIND, str(folder), digest)
    if known is None:
        known = witnesses(folder, root)
        cache.put(KIND, [(str(folder), digest, known)])
    return known
