"""The evidence lock: the last accepted result of every call, one line each.

A line is a JSON object, and lines are sorted by call, so that a diff shows which claim moved and how:

    {"call": "kv_cache.nbytes('llama-2-70b', tokens=4096)", "value": 1342177280, "unit": "B", "code": …}

The file is replaced in one step. A line that cannot be read is an error, never silently dropped.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofdeck import atomic
from proofdeck.errors import ContentError, Problem
from proofdeck.parse.expressions import machine_name, parse_call

HEADER = {"format": "proofdeck evidence lock", "version": 1}


@dataclass(frozen=True, slots=True)
class Result:
    """What a call gave, and the code and libraries that gave it."""

    call: str
    value: Any
    """Number, text, mapping or list of rows; for a property check None or the inputs it tried."""
    unit: str
    code: str
    """Hash of the code behind the call."""
    libraries: tuple[tuple[str, str], ...] = ()
    """Versions of the third-party libraries behind it."""
    record: tuple[tuple[str, Any], ...] = ()
    """For a measurement: device, driver, date, samples, spread."""

    @property
    def key(self) -> str:
        """What the lock files it under: the call, for a measurement with its machine."""
        return f"{self.call} @ {self.machine}" if self.record else self.call

    @property
    def machine(self) -> str:
        """What a measurement ran on, as cards name it; empty for anything else."""
        return str(dict(self.record).get("machine", ""))

    def line(self) -> str:
        data: dict[str, Any] = {"call": self.call, "value": self.value, "unit": self.unit, "code": self.code}
        if self.libraries:
            data["libraries"] = dict(self.libraries)
        if self.record:
            data["record"] = dict(self.record)
        return json.dumps(data, ensure_ascii=False)


def read_lock(path: Path, root: Path) -> dict[str, Result]:
    """Read a lock; raise ContentError naming every line that is broken."""
    if not path.exists():
        return {}
    file = path.relative_to(root).as_posix()
    results: dict[str, Result] = {}
    problems: list[Problem] = []
    for number, line in enumerate(
        path.read_text(encoding="utf-8", errors="replace").rstrip("\n").split("\n"), start=1
    ):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            if number == 1 and data.get("format") == HEADER["format"]:
                if data["version"] > HEADER["version"]:
                    problems.append(Problem(file, 1, 0, "written by a newer proofdeck", "upgrade proofdeck"))
                continue
            result = _result(data)
            if result.key in results:
                problems.append(
                    Problem(file, number, 0, f"a second line for `{result.key}`", "keep one of them")
                )
            results[result.key] = result
        except (ValueError, KeyError, TypeError, AttributeError):
            problems.append(
                Problem(
                    file, number, 0, "not a line of an evidence lock", "restore the file from version control"
                )
            )
    if problems:
        raise ContentError(problems)
    return results


def _result(data: dict[str, Any]) -> Result:
    """Read a line; raise ValueError, KeyError, TypeError or AttributeError where it is none of ours."""
    if not all(isinstance(data[key], str) for key in ("call", "unit", "code")):
        raise TypeError
    if "record" in data:  # without a machine it would pass for a result that anybody can compute again
        machine_name(data["record"]["machine"])
        if parse_call(data["call"]).made != data["call"]:  # no card would find it
            raise ValueError
    return Result(
        data["call"], data["value"], data["unit"], data["code"],
        tuple(sorted(data.get("libraries", {}).items())), tuple(data.get("record", {}).items()),
    )  # fmt: skip


def write_lock(path: Path, results: dict[str, Result]) -> None:
    """Replace the lock by results under their keys, sorted."""
    lines = [json.dumps(HEADER), *(results[key].line() for key in sorted(results))]
    atomic.write(path, "\n".join(lines) + "\n")


def same(old: Any, new: Any, tolerance: float) -> bool:
    """Say whether two results are the same within a relative tolerance.

    >>> same({"a": [1.0, "x"]}, {"a": [1.0 + 1e-12, "x"]}, 1e-9)
    True
    """
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, int | float) and isinstance(new, int | float):
        try:
            if old == new or math.isclose(old, new, rel_tol=tolerance):
                return True
            return math.isnan(old) and math.isnan(new)
        except OverflowError:  # whole numbers beyond any float are the same only if they are equal
            return False
    if isinstance(old, dict) and isinstance(new, dict):
        return list(old) == list(new) and all(same(old[key], new[key], tolerance) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(same(a, b, tolerance) for a, b in zip(old, new, strict=True))
    return type(old) is type(new) and old == new
