"""The whole report on a project's evidence, put together from its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proofdeck.cache import Cache
from proofdeck.errors import Problem
from proofdeck.evidence.gather import Verdict
from proofdeck.evidence.lock import same
from proofdeck.evidence.runs import Ran, remembered_runs
from proofdeck.report.citations import Citation, read_citations
from proofdeck.report.claims import Claims, read_claims
from proofdeck.report.errata import Chapter, read_errata
from proofdeck.report.functions import Called, Documented, read_functions
from proofdeck.report.history import History, read_history
from proofdeck.report.measurements import Measured, Waiting, read_measurements
from proofdeck.report.model import User
from proofdeck.report.values import told
from proofdeck.report.witnesses import read_witnesses
from proofdeck.verify import KINDS

if TYPE_CHECKING:
    from proofdeck.preview.reading import Reading

SLOWEST = 15


@dataclass
class Summary:
    """The report in numbers."""

    cards: dict[str, Counter[str]] = field(default_factory=dict)
    """Claims of cards by kind and state."""
    statements: Counter[str] = field(default_factory=Counter)
    """Rows of the claims tables by state."""
    checks: int = 0
    """Checks of those rows."""
    notes: Counter[str] = field(default_factory=Counter)
    """Notes by how they stand."""
    functions: int = 0
    alone: list[str] = field(default_factory=list)
    """Verifiers without a witness."""
    slowest: list[tuple[Ran, str]] = field(default_factory=list)
    ran: int = 0
    """Calls whose present code has run on this machine."""
    calls: int = 0
    accepted: int = 0
    ages: list[tuple[str, int]] = field(default_factory=list)
    """How many results were accepted on each date, the newest first."""


@dataclass
class Report:
    """What stands behind every claim of a project."""

    claims: Claims
    calls: dict[str, Called]
    users: dict[str, tuple[User, ...]]
    """Notes and statements by the call that they rest on."""
    modules: dict[str, list[Documented]]
    measured: list[Measured]
    waiting: list[Waiting]
    citations: list[Citation]
    errata: list[Chapter]
    history: History
    problems: list[Problem]
    summary: Summary


def read_report(reading: Reading, cache: Cache) -> Report:
    """Put the report together; it reads files, the cache and git, and runs nothing."""
    root = reading.project.root
    claims = read_claims(reading)
    users = _users(claims)
    history = read_history(root, cache)
    calls = _calls(reading, users, remembered_runs(cache), history)
    modules = read_functions(reading.found.code.functions, calls, read_witnesses(root, cache), cache)
    measured, waiting = read_measurements(reading, users)
    report = Report(
        claims, calls, users, modules, measured, waiting, read_citations(reading, claims),
        read_errata(root, reading.found.statements, claims.statements, cache), history, list(reading.problems),
        Summary(),
    )  # fmt: skip
    report.summary = _summary(reading, report)
    return report


def _users(claims: Claims) -> dict[str, tuple[User, ...]]:
    """Return who rests on each call, notes first."""
    users: dict[str, dict[str, User]] = {}
    for claim in claims:
        for call in claim.calls:
            users.setdefault(call, {})[claim.user.id] = claim.user
    return {call: tuple(found.values()) for call, found in users.items()}


def _calls(
    reading: Reading,
    users: Mapping[str, tuple[User, ...]],
    runs: Mapping[str, tuple[str, Ran]],
    history: History,
) -> dict[str, Called]:
    dates = history.dates(reading.results)
    found = {}
    for call, verdict in reading.findings.verdicts.items():
        result = verdict.result
        code = reading.found.code.closure("verifiers", verdict.function.name)[0]
        digest, ran = runs.get(call, ("", None))
        accepted = reading.results.get(result.key) if result else None
        kept = (
            result and accepted and result.code == accepted.code and same(result.value, accepted.value, 0.0)
        )
        found[call] = Called(
            call, verdict.state, _value(verdict), verdict.message, ran if digest == code else None,
            dates.get(result.key, "") if result and kept else "", users.get(call, ()),
        )  # fmt: skip
    return found


def _value(verdict: Verdict) -> str:
    if verdict.result is None:
        return ""
    return told(verdict.result.value, verdict.result.unit)


def _summary(reading: Reading, report: Report) -> Summary:
    summary = Summary(cards={kind: Counter() for kind in KINDS})
    for claim in report.claims.cards:
        summary.cards[claim.kind][claim.state] += 1
    summary.statements = Counter(statement.state for statement in report.claims.statements)
    summary.checks = sum(len(statement.checks) for statement in report.claims.statements)
    summary.notes = Counter(reading.standing.values())
    functions = [each for module in report.modules.values() for each in module]
    summary.functions = len(functions)
    measuring = {name for name, f in reading.found.code.functions.items() if f.kind == "measurement"}
    summary.alone = [f.function.name for f in functions if not f.tests and f.function.name not in measuring]
    runs = [(called.ran, call) for call, called in report.calls.items() if called.ran]
    summary.slowest = sorted(runs, key=lambda run: (-run[0].seconds, run[1]))[:SLOWEST]
    summary.ran, summary.calls = len(runs), len(report.calls)
    summary.accepted = sum(called.state == "accepted" for called in report.calls.values())
    dates = Counter(called.accepted for called in report.calls.values() if called.accepted)
    summary.ages = sorted(dates.items(), reverse=True)
    return summary


def failing(report: Report) -> bool:
    """Say whether anything in the report asks for a decision or a repair."""
    states = {claim.state for claim in report.claims}
    return bool(report.problems or states & {"failed", "false", "moved"})
