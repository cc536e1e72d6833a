"""When a call last ran on this machine, for how long, and on what.

Kept in the cache, never in a lock: a lock says what is true of the code, a run is an event of one machine.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache as memoise

from proofdeck.cache import Cache
from proofdeck.record import Record

KIND = "ran"
"""What the cache files runs under."""


@dataclass(frozen=True, slots=True)
class Ran(Record):
    """One run of a call."""

    when: str
    """UTC date and time to the minute, `2026-01-31T08:05Z`."""
    seconds: float
    machine: str
    """Processor and Python; no name of a host or a person."""


@memoise
def this_machine() -> str:
    """Say on what calls run here."""
    cores = os.cpu_count() or 1
    processor = f"{platform.machine()}, {cores} core{'s' if cores > 1 else ''}"
    return f"{platform.system()}, {processor}, Python {platform.python_version()}"


def remember_runs(cache: Cache, runs: Iterable[tuple[str, str, float]]) -> None:
    """Store that calls just ran, given as (call, digest of its code, seconds)."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%MZ")
    machine = this_machine()
    cache.put(KIND, [(call, digest, Ran(now, round(seconds, 4), machine)) for call, digest, seconds in runs])


def remembered_runs(cache: Cache) -> dict[str, tuple[str, Ran]]:
    """Return the last run of every call that ran here, with the digest of the code that ran."""
    return {call: (digest, ran) for call, (digest, ran) in cache.all(KIND).items() if isinstance(ran, Ran)}
