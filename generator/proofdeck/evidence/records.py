"""What a measurement's record says of one entry of its value.

A record holds `samples` (how many, or themselves), `spread` (the widest, interquartile range over median),
`spreads` by entry, `error` against a reference and fraction of the `roof` by entry, and where and when it was taken.
All of them are free: a measurement records what it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLACE = {"device": "", "driver": "driver ", "cuda": "CUDA ", "python": "Python "}
"""Entries that say what a measurement ran on, with the word that goes before each."""


def of_entry(record: Mapping[str, Any], kind: str, entry: str | int | None) -> float | None:
    """Return `spread`, `roof` or `error` of an entry; of a value without entries, the only one there is."""
    by_name = record.get("spreads" if kind == "spread" else kind)
    found: Any = None
    if isinstance(by_name, dict):
        found = by_name.get(entry)
        if entry is None and len(by_name) == 1:
            (found,) = by_name.values()
    elif entry is None and isinstance(by_name, int | float):
        found = by_name
    if found is None and entry is None and kind == "spread":
        found = record.get("spread")
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def skipped_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Return what did not run on the machine, and why; a record that lists names alone gives no reasons."""
    skipped = record.get("skipped")
    if isinstance(skipped, dict):
        return {str(name): str(why) for name, why in skipped.items()}
    return {str(name): "" for name in skipped} if isinstance(skipped, list) else {}


def told_of(record: Mapping[str, Any], entry: str | int | None) -> str:
    """Tell how an entry was measured: samples, spread, share of the roof, error.

    >>> told_of({"samples": 80, "spread": 0.02, "roof": {"flash": 0.5}, "error": {"flash": 0.002}}, "flash")
    'median of 80, spread at most 2%, 50% of the roof, error 0.002'
    """
    samples = record.get("samples")
    count = len(samples) if isinstance(samples, list) else samples
    parts = [f"median of {count}"] if count else []
    spread, widest = of_entry(record, "spread", entry), record.get("spread")
    if spread is not None:
        parts.append(f"spread {spread * 100:.2g}%")
    elif isinstance(widest, int | float):
        parts.append(f"spread at most {widest * 100:.2g}%")
    if (roof := of_entry(record, "roof", entry)) is not None:
        parts.append(f"{roof * 100:.2g}% of the roof")
    if error := of_entry(record, "error", entry):
        parts.append(f"error {error:.1g}")
    return ", ".join(parts)


def place_of(record: Mapping[str, Any], libraries: Mapping[str, str]) -> str:
    """Tell what a measurement ran on, with which versions, and when."""
    where = [f"{word}{record[key]}" for key, word in PLACE.items() if record.get(key)]
    versions = [f"{name} {version}" for name, version in libraries.items()]
    return ", ".join([*where, *versions, *filter(None, [str(record.get("date", ""))])])
