"""Compare the measurements of two evidence locks: `python -m verifiers.kernels.compare FIRST SECOND`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

WITHIN = 0.05
"""Two runs agree where the medians of a time or a rate differ by less."""
UNITS = ("s", "FLOP/s", "B/s")


def timings(lines: Iterable[str]) -> dict[str, float]:
    """Return every measured time and rate, by machine, call and entry."""
    return dict(entry for line in lines if line.strip() for entry in _entries(json.loads(line)))


def _entries(data: dict[str, Any]) -> Iterator[tuple[str, float]]:
    if not data.get("record"):
        return
    named = [part.strip().rpartition("=") for part in data["unit"].split(",")]
    units = {key: unit for key, _, unit in named}
    value = data["value"] if isinstance(data["value"], dict) else {"": data["value"]}
    for key, number in value.items():
        if isinstance(number, int | float) and units.get(key, units.get("")) in UNITS:
            yield f"{data['record'].get('machine', '')}: {data['call']} {key}".strip(), float(number)


def differences(first: dict[str, float], second: dict[str, float]) -> list[tuple[float, str]]:
    """Return the relative difference of every entry that both hold, the largest first."""
    both = [name for name in first if name in second and first[name]]
    return sorted(((abs(second[name] / first[name] - 1), name) for name in both), reverse=True)


def main() -> None:
    first, second = (timings(Path(name).read_text(encoding="utf-8").splitlines()) for name in sys.argv[1:3])
    found = differences(first, second)
    for difference, name in found:
        print(f"{difference:7.1%}  {name}")
    near = sum(difference <= WITHIN for difference, _ in found)
    print(f"{near} of {len(found)} within {WITHIN:.0%}")


if __name__ == "__main__":
    main()
