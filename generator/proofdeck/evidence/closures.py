"""Closures that an earlier run found, while nothing that it looked at, or looked for, has changed.

To hash what stands behind every call takes a third of a rebuild, and most rebuilds follow an edit of a card.
"""

from __future__ import annotations

import sys

from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.evidence.code import Closure, Code

KIND = "closures"
_Kept = tuple[dict[str, str], dict[str, bool], dict[tuple[str, str], Closure]]
"""Files and digests of modules by name, folders that were asked for, and what was found in them."""


def recall_closures(code: Code, cache: Cache) -> None:
    """Take over what is remembered, if all modules and folders that it rests on are as they were."""
    kept: _Kept | None = cache.get(KIND, "all", _key())
    if kept is None:
        return
    modules, folders, closures = kept
    same = all(code.digest(name) == digest for name, digest in modules.items())
    if same and all(code.folder(name) == there for name, there in folders.items()):
        code.closures = dict(closures)
        code.recalled = len(closures)


def remember_closures(code: Code, cache: Cache) -> None:
    """Remember every closure of `code`, where there are more than were recalled."""
    if len(code.closures) > code.recalled:
        modules = {name: code.digest(name) for name in code.modules}
        cache.put(KIND, [("all", _key(), (modules, code.folders, code.closures))])
        code.recalled = len(code.closures)


def _key() -> str:
    """Another engine walks otherwise, another Python has other modules of its own."""
    return digest_of(engine_fingerprint(), sys.version)
