"""Measurements: what was measured, on what, how well, and which calls wait for theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proofdeck.evidence.records import of_entry
from proofdeck.report.model import User
from proofdeck.report.values import cut, told, units_of

if TYPE_CHECKING:
    from proofdeck.evidence.code import Function
    from proofdeck.evidence.lock import Result
    from proofdeck.preview.reading import Reading

SHARES = ("spread", "spreads", "repeat", "roof")
"""Entries of a record that are fractions."""
LABELS = {
    "samples": "samples", "spread": "spread (interquartile range over median)",
    "repeat": "difference of first and last pass", "error": "error against the reference",
    "roof": "fraction of the hardware's roof", "spreads": "spread of each", "skipped": "skipped",
    "conditions": "conditions", "seconds to launch": "seconds in which the host launches it",
}  # fmt: skip
BY_ENTRY = ("spreads", "roof", "error")
"""Entries of a record that may tell each entry of the value apart."""
PLACE = ("device", "driver", "cuda", "system", "python")


@dataclass(frozen=True, slots=True)
class Entry:
    """One number of a record, as texts; what the record does not say is empty."""

    name: str
    """Empty for a value without entries."""
    value: str
    spread: str
    roof: str
    error: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One record of the evidence lock."""

    call: str
    function: str
    summary: str
    entries: tuple[Entry, ...]
    samples: str
    spread: str
    details: tuple[tuple[str, str], ...]
    device: str
    place: tuple[tuple[str, str], ...]
    libraries: tuple[tuple[str, str], ...]
    date: str
    stale: bool
    users: tuple[User, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that nobody has measured."""

    call: str
    function: str
    summary: str
    users: tuple[User, ...]


def read_measurements(
    reading: Reading, users: Mapping[str, tuple[User, ...]]
) -> tuple[list[Measured], list[Waiting]]:
    """Return every record of the lock, and the calls that wait for one."""
    functions = reading.found.code.functions
    taken = [
        _measured(result, functions.get(result.call.partition("(")[0]), reading, users)
        for result in reading.results.values()
        if result.record
    ]
    waiting = [
        Waiting(call, verdict.function.name, verdict.function.doc, users.get(call, ()))
        for call, verdict in reading.findings.verdicts.items()
        if verdict.state == "missing"
    ]
    return sorted(taken, key=lambda one: (one.device, one.call)), sorted(waiting, key=lambda one: one.call)


def _measured(
    result: Result, function: Function | None, reading: Reading, users: Mapping[str, tuple[User, ...]]
) -> Measured:
    record = dict(result.record)
    stale = function is None or reading.found.code.closure("verifiers", function.name)[0] != result.code
    place = tuple((key, str(record[key])) for key in PLACE if key in record and key != "device")
    return Measured(
        result.call, result.call.partition("(")[0], function.doc if function else "",
        tuple(entries_of(result)), _whole(record.get("samples")), _share(record.get("spread")),
        tuple(_details(record, result.value)), str(record.get("device", record.get("machine", ""))), place, result.libraries,
        str(record.get("date", "")), stale, users.get(result.key, ()) + users.get(result.call, ()),
    )  # fmt: skip


def entries_of(result: Result) -> Iterator[Entry]:
    """Yield what a record says of every entry of its value, or of the value itself."""
    record, units = dict(result.record), units_of(result.unit)
    entries: dict[str | None, Any] = result.value if isinstance(result.value, dict) else {None: result.value}
    for name, item in entries.items():
        shares = (of_entry(record, kind, name) for kind in ("spread", "roof"))
        spread, roof = ("" if share is None else f"{share * 100:.1f}%" for share in shares)
        error = of_entry(record, "error", name)
        text = told(item, units.get(name or "", units.get("", "1")))
        yield Entry(name or "", text, spread, roof, "" if error is None else f"{error:.0e}")


def _details(record: Mapping[str, Any], value: Any) -> list[tuple[str, str]]:
    """Tell what else a record holds, but for what is empty or told elsewhere."""
    known = (*PLACE, "machine", "date", "samples", "spread")
    names = value if isinstance(value, dict) else ()
    alone = not isinstance(value, dict)
    rows = []
    for key, value in record.items():
        if key in BY_ENTRY and isinstance(value, dict):  # what the table of entries does not tell
            only = alone and len(value) == 1
            value = {} if only else {name: item for name, item in value.items() if name not in names}
        elif key in BY_ENTRY and alone and isinstance(value, int | float):
            continue
        if key not in known and value not in ({}, [], "", None):
            tell = _share if key in SHARES else _text
            rows.append((LABELS.get(key, key), tell(value)))
    return rows


def _share(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_share(item)}" for key, item in value.items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value)
    return f"{value * 100:.3g} %"


def _whole(value: Any) -> str:
    """Tell how many samples there are, be it said as a number or as the samples themselves."""
    return str(len(value)) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return cut(", ".join(f"{key}: {_text(item)}" for key, item in value.items()), 400)
    if isinstance(value, list):
        return cut(", ".join(_text(item) for item in value), 400)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
