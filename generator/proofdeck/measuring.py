"""`measure`: timings and other readings of hardware, taken when asked for and recorded with their machine."""

from __future__ import annotations

import datetime
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofdeck.api import GIB
from proofdeck.cache import Cache
from proofdeck.errors import UsageError, did_you_mean
from proofdeck.evidence.code import Code, Function
from proofdeck.evidence.gather import gather, unfit, version
from proofdeck.evidence.lock import Result, read_lock, write_lock
from proofdeck.evidence.runner import Outcome, Task, run
from proofdeck.guard import exclusive
from proofdeck.inspect import Inspection, inspect
from proofdeck.parse.expressions import Call, ExpressionError, parse_call
from proofdeck.project import Project


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one measurement."""

    call: str
    failed: str
    result: Result | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        if self.result is None:
            return {"call": self.call, "failed": self.failed, "seconds": round(self.seconds, 3)}
        record = dict(self.result.record)
        return {
            "call": self.call,
            "value": self.result.value,
            "unit": self.result.unit,
            "record": record,
            "seconds": round(self.seconds, 3),
        }


def measure(
    project: Project,
    select: Sequence[str] = (),
    *,
    device: str = "cuda",
    missing: bool = False,
    on_reading: Callable[[Reading, int], None] | None = None,
) -> list[Reading]:
    """Take measurements one after the other and write each into the evidence lock as it comes.

    `select` names measurements (`kernels.attention`, `kernels.attention.forward`), whole calls, or nothing:
    every measurement that a card or a claims table shows. With `missing`, only those whose record they wait for:
    there is none, or its code changed. `on_reading` is told each reading and how many there will be.
    """
    _require(device)
    with exclusive(project), Cache(project.state).closing() as cache:
        found = inspect(project, cache)
        found.require_clean()
        readings: list[Reading] = []

        def take(outcome: Outcome) -> None:
            function = found.code.functions[outcome.task.call.function]
            reading = _reading(found.code, function, outcome, device)
            if reading.result is not None:
                lock = read_lock(project.evidence_lock, project.root)
                write_lock(project.evidence_lock, lock | {reading.result.key: reading.result})
            readings.append(reading)
            if on_reading:
                on_reading(reading, len(tasks))

        tasks = []
        calls = _selected(found, select)
        if missing:
            calls = _waiting(project, found, calls, cache, _here(device))
        for call in {call.made: replace(call, machine="") for call in calls}.values():
            function = found.code.functions[call.function]
            memory = min(int(function.option("memory", 64 * GIB)), _memory()) if device == "cpu" else 0
            tasks.append(Task("verifiers", call, function.option("timeout", 600.0), memory, device=device))
        run(project.root, tasks, jobs=1, on_done=take)  # one at a time: nothing else may use the device
    return readings


def _waiting(
    project: Project, found: Inspection, calls: Sequence[Call], cache: Cache, here: str
) -> list[Call]:
    """Return the calls that wait for a record and have none of the machine `here`.

    Which of several records a card means is for its author to say; a record that a card wants of another machine
    is not given by measuring here again.
    """
    lock = read_lock(project.evidence_lock, project.root)
    mine = {call: str(replace(call, machine=here)) for call in calls}
    verdicts = gather(project, found.code, [*map(str, calls), *mine.values()], lock, cache).verdicts
    return [
        call for call in calls
        if verdicts[str(call)].state in ("missing", "stale") and verdicts[mine[call]].state != "accepted"
    ]  # fmt: skip


def _memory() -> int:
    """Return what a measurement of the processor may take: most of the machine, never all of it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4
    except (OSError, ValueError):
        return 4 * GIB


def _here(device: str) -> str:
    """Return what cards call the device of this machine; asked of another process, which lets go of it again."""
    ask = (
        f"import json; from proofdeck.evidence.worker import machine; print(json.dumps(machine({device!r})))"
    )
    asked = subprocess.run([sys.executable, "-P", "-c", ask], capture_output=True, text=True, check=False)
    try:
        return _name(json.loads(asked.stdout.splitlines()[-1])["device"]) or device
    except (ValueError, LookupError):
        return device


def _require(device: str) -> None:
    """Raise UsageError where there is no such device: a GPU's workload on a CPU would never end."""
    if device == "cuda":
        try:
            usable = importlib.import_module("torch").cuda.is_available()
        except ImportError:
            raise UsageError("PyTorch is not installed here, and `--device cuda` needs it") from None
        if not usable:
            raise UsageError("PyTorch finds no CUDA device here; `--device cpu` measures the processor")


def _selected(found: Inspection, select: Sequence[str]) -> list[Call]:
    known = {name for name, function in found.code.functions.items() if function.kind == "measurement"}
    needed = dict.fromkeys(
        key for source in found.all_sources for kind, key in source.needs if kind == "call"
    )
    wanted = [parse_call(text) for text in needed if text.partition("(")[0] in known]
    if not select:
        return wanted
    chosen: dict[str, Call] = {}
    for word in select:
        if "(" in word:
            try:
                calls = [parse_call(word)]
            except ExpressionError as error:
                raise UsageError(str(error)) from None
            if calls[0].function not in known:
                hint = did_you_mean(calls[0].function, known)
                raise UsageError(f"`{calls[0].function}` is no measurement; {hint}".rstrip("; "))
        else:
            calls = [c for c in wanted if c.function == word or c.function.startswith(word + ".")]
            if not calls:
                other = word in found.code.functions and word not in known
                told = f"`{word}` is no measurement" if other else f"no card shows a measurement `{word}`"
                raise UsageError(f"{told}; {did_you_mean(word, known)}".rstrip("; "))
        chosen.update((str(call), call) for call in calls)
    return list(chosen.values())


def _reading(code: Code, function: Function, outcome: Outcome, device: str) -> Reading:
    call = str(outcome.task.call)
    value = outcome.value
    failed = outcome.failed
    if not failed and not (isinstance(value, dict) and "value" in value):
        failed = "a measurement returns a mapping with `value`"
    if failed := failed or unfit(function, value["value"]):
        return Reading(call, failed, None, outcome.seconds)
    digest, libraries, _ = code.closure("verifiers", function.name)
    machine = dict(outcome.machine or {})
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    # what a measurement returns says nothing of where it ran: cards name machines as this command does
    where = {"machine": _name(machine.get("device", "")) or device, **machine, "date": date}
    record = where | {key: item for key, item in value.items() if key != "value" and key not in where}
    units = ", ".join(f"{key}={unit}" if key else unit for key, unit in function.units)
    versions = tuple((library, version(library)) for library in libraries)
    return Reading(
        call,
        "",
        Result(call, value["value"], units, digest, versions, tuple(record.items())),
        outcome.seconds,
    )


def _name(device: str) -> str:
    """Return what cards call a device: its name in small letters and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
