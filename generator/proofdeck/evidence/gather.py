"""From the calls that cards make to facts: what is accepted, what must run, what moved, what fails.

accepted   the lock holds a result for exactly this code
new        the lock has no result: it is run, and its result accepted
moved      the code changed, or the same code gives another value: `proofdeck accept` decides
failed     it raised, hung, crashed, or cannot run here
stale      a measurement whose code changed since it was taken
missing    a measurement that nobody has taken, or not on the machine that the card names
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache as memoise
from typing import Any

from proofdeck.cache import Cache, digest_of
from proofdeck.evidence.closures import remember_closures
from proofdeck.evidence.code import Code, Function
from proofdeck.evidence.lock import Result, same
from proofdeck.evidence.resolve import Fact
from proofdeck.evidence.runner import Outcome, Task, run
from proofdeck.evidence.runs import remember_runs
from proofdeck.parse.expressions import parse_call
from proofdeck.project import Project

_Waiting = tuple[str, Function, str, tuple[tuple[str, str], ...]]
"""A call to run, its function, the hash of its code, and the library versions here."""
Progress = Callable[[int, int, str], None]
"""Told after each call: how many are done, of how many, and which one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one call."""

    call: str
    function: Function
    state: str
    result: Result | None = None
    """The result to use: the accepted one, else the one that just came out."""
    fresh: Result | None = None
    """What came out when it was run just now."""
    message: str = ""
    seconds: float = 0.0

    def fact(self) -> Fact | None:
        if self.result is None:
            return None
        libraries = self.result.libraries if self.result.record else ()
        return Fact(
            self.call, self.result.value, self.function, self.state == "stale", self.result.record, libraries
        )


@dataclass
class Findings:
    """Every call's verdict, and what to write into the lock."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    ran: int = 0
    cached: int = 0

    @property
    def facts(self) -> dict[str, Fact]:
        return {text: fact for text, verdict in self.verdicts.items() if (fact := verdict.fact())}

    def accepted(self) -> dict[str, Result]:
        """Return the results that may stand in the lock without anybody's decision."""
        results = [v.result for v in self.verdicts.values() if v.state in ("accepted", "new") and v.result]
        return {result.key: result for result in results}


def gather(
    project: Project,
    code: Code,
    calls: Iterable[str],
    lock: Mapping[str, Result],
    cache: Cache,
    *,
    everything: bool = False,
    jobs: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Return a verdict on every call (its text), running those that no accepted or remembered result answers.

    With `everything`, run all that this machine can run. Calls of unknown functions are left out: the
    caller has reported them.
    """
    findings = Findings()
    records: dict[str, list[Result]] = {}
    for result in lock.values():
        if result.record:
            records.setdefault(result.call, []).append(result)
    waiting: list[_Waiting] = []
    for call in dict.fromkeys(calls):
        function = code.functions.get(call.partition("(")[0])
        if function is None:
            continue
        digest, libraries, _ = code.closure("verifiers", function.name)
        entry = lock.get(call)
        if function.kind == "measurement":
            findings.verdicts[call] = _measured(call, function, digest, records)
            continue
        here = tuple((name, version(name)) for name in libraries)
        absent = [name for name, found in here if not found]
        if absent:
            findings.verdicts[call] = _not_here(call, function, digest, entry, absent)
        elif entry and entry.code == digest and not everything and _known(function, entry, here, cache):
            findings.verdicts[call] = Verdict(call, function, "accepted", entry)
        else:
            waiting.append((call, function, digest, here))
    _run(project, waiting, lock, cache, findings, everything, jobs, progress)
    findings.cached = len(findings.verdicts) - findings.ran
    remember_closures(code, cache)
    return findings


def _known(function: Function, entry: Result, here: tuple[tuple[str, str], ...], cache: Cache) -> bool:
    """Say whether an accepted result needs no run here.

    Other library versions than the recorded ones ask for one new run. What a run on this machine gave is
    remembered, and a value that it found moved stays moved until it is accepted.
    """
    ran = cache.get("run", entry.call, digest_of(entry.code, here))
    if ran is None:
        return entry.libraries == here
    return same(entry.value, json.loads(ran), function.option("tolerance", 1e-9))


def _run(
    project: Project,
    waiting: list[_Waiting],
    lock: Mapping[str, Result],
    cache: Cache,
    findings: Findings,
    everything: bool,
    jobs: int,
    progress: Progress | None,
) -> None:
    remembered: dict[str, Outcome] = {}
    tasks: list[Task] = []
    for call, function, digest, here in waiting:
        task = Task(
            "verifiers",
            parse_call(call),
            function.option("timeout", 30.0),
            int(function.option("memory", 4 * 2**30)),
        )
        known = None if everything else cache.get("run", call, digest_of(digest, here))
        if known is not None:
            remembered[call] = Outcome(task, json.loads(known))
        else:
            tasks.append(task)
    total, done = len(tasks), 0

    def on_done(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total, str(outcome.task.call))

    outcomes = {str(outcome.task.call): outcome for outcome in run(project.root, tasks, jobs, on_done)}
    findings.ran = len(outcomes)
    stored = []
    for call, function, digest, here in waiting:
        outcome = outcomes.get(call) or remembered[call]
        if not outcome.failed:
            stored.append((call, digest_of(digest, here), json.dumps(outcome.value)))
        fresh = Result(call, outcome.value, _unit_text(function), digest, here)
        findings.verdicts[call] = _judged(call, function, lock.get(call), fresh, outcome)
    cache.put("run", stored)
    remember_runs(cache, ((c, code, outcomes[c].seconds) for c, _, code, _ in waiting if c in outcomes))


def _judged(call: str, function: Function, entry: Result | None, fresh: Result, outcome: Outcome) -> Verdict:
    if outcome.failed:
        return Verdict(call, function, "failed", None, None, outcome.failed, outcome.seconds)
    if problem := unfit(function, fresh.value):
        return Verdict(call, function, "failed", None, None, problem, outcome.seconds)
    if entry is None:
        return Verdict(call, function, "new", fresh, fresh, seconds=outcome.seconds)
    if same(entry.value, fresh.value, function.option("tolerance", 1e-9)) and entry.unit == fresh.unit:
        if entry.code == fresh.code:
            return Verdict(call, function, "accepted", entry, fresh, seconds=outcome.seconds)
        message = f"the code behind `{call}` changed; it still gives {shown(fresh)}"
    else:
        message = f"`{call}` moved: {moved(entry, fresh)}"
    return Verdict(call, function, "moved", fresh, fresh, message, outcome.seconds)


def unfit(function: Function, value: Any) -> str:
    """Say what is wrong with what a verifier returned, or a measurement recorded, as a matter of kind."""
    if not function.units:
        return (
            "its docstring has no `Unit:` line; write `Unit: B`, `Unit: 1` or, for a property, `Unit: check`"
        )
    if function.is_check:
        told = value is None or isinstance(value, dict)
        return "" if told else "a property check returns nothing, or the inputs it tried"
    if value is None:
        return "it returned None; a value has a unit, a property check says `Unit: check`"
    return "it returned NaN, which answers no question" if _holds_nan(value) else ""


def _holds_nan(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_nan, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and math.isnan(value)


def _not_here(call: str, function: Function, digest: str, entry: Result | None, absent: list[str]) -> Verdict:
    names = " and ".join(absent)
    if entry and entry.code == digest:
        return Verdict(call, function, "accepted", entry)
    why = (
        f"its code changed, and {names} is not installed here to run it"
        if entry
        else f"{names} is not installed here to run it"
    )
    return Verdict(call, function, "failed", None, None, why + f"; `pip install {' '.join(absent)}`")


def _measured(call: str, function: Function, digest: str, lock: Mapping[str, list[Result]]) -> Verdict:
    """Take the record of a measurement, of the machine that the call names or of the only one there is.

    It is never made silently, and never chosen silently among machines.
    """
    asked = parse_call(call)
    records = lock.get(asked.made, [])
    mine = [one for one in records if asked.machine in ("", one.machine)]
    if not mine:
        others = f"; there are records of {', '.join(one.machine for one in records)}" if records else ""
        why = (
            f"nobody has measured `{asked.made}`" + (f" on {asked.machine}" if asked.machine else "") + others
        )
        return Verdict(call, function, "missing", message=f"{why}; run `proofdeck measure`")
    if len(mine) > 1:
        names = sorted(one.machine for one in mine)
        why = f"`{call}` was measured on {' and '.join(names)}; name one: `@ {names[0]}`, or `machine:` above"
        return Verdict(call, function, "failed", message=why)
    if mine[0].code == digest:
        return Verdict(call, function, "accepted", mine[0])
    why = f"`{call}` was measured with other code; run `proofdeck measure`"
    return Verdict(call, function, "stale", mine[0], message=why)


def _unit_text(function: Function) -> str:
    return ", ".join(f"{key}={unit}" if key else unit for key, unit in function.units)


def shown(result: Result) -> str:
    """Tell a result in a line."""
    if result.value is None:
        return "passed"
    text = _json(result.value)
    return (
        text
        if result.unit in ("", "1", "check", "text", "str") or "=" in result.unit
        else f"{text} {result.unit}"
    )


def moved(old: Result, new: Result) -> str:
    """Tell what differs between two results; of mappings, the entries that differ."""
    if isinstance(old.value, dict) and isinstance(new.value, dict):
        keys = [key for key in {**old.value, **new.value} if old.value.get(key) != new.value.get(key)]
        pairs = [f"{key}: {_json(old.value.get(key))} → {_json(new.value.get(key))}" for key in keys[:5]]
        return (
            "; ".join(pairs) + (f"; and {len(keys) - 5} more" if len(keys) > 5 else "") or "its unit changed"
        )
    return f"{shown(old)} → {shown(new)}"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "…"


@memoise
def version(library: str) -> str:
    """Return the version of an importable library, or the empty string where it is not installed."""
    if importlib.util.find_spec(library) is None:
        return ""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(library)
        return importlib.metadata.version(names[0]) if names else "unknown"
