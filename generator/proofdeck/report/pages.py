"""The pages of the evidence report: an address, a template and what it is filled with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from markupsafe import Markup, escape

from proofdeck.cache import Cache
from proofdeck.evidence.runs import Ran
from proofdeck.preview.formulas import typeset
from proofdeck.preview.links import module_page
from proofdeck.report.claims import Statement, statement_page
from proofdeck.report.errata import Chapter, doc_of, title_of
from proofdeck.report.evidence import Report, failing, read_report
from proofdeck.report.functions import Called
from proofdeck.report.history import Moved
from proofdeck.report.model import MEANING, STATES, Stated, User
from proofdeck.report.values import from_to
from proofdeck.verify import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from proofdeck.preview.reading import Reading

Page = tuple[str, str, dict[str, Any]]
"""Address from the site's root, template, context."""
T = TypeVar("T")

_CODE = re.compile(r"`([^`]+)`")
FULL = 500
"""Claims on a page before another one is begun."""


def pages(reading: Reading, cache: Cache) -> Iterator[Page]:
    """Yield every page of the report on a project."""
    report = read_report(reading, cache)
    yield from report_pages(report, reading.project.root)


def report_pages(report: Report, root: Path) -> Iterator[Page]:
    """Yield every page of a report; `root` is the project's."""
    known = {each.function.name for module in report.modules.values() for each in module}
    common = {
        "here": "evidence", "report": report, "states": STATES, "meaning": MEANING, "kinds": KINDS,
        "address": lambda name: function_address(name) if name in known else "",
        "lasting": lasting, "formulas": formulas, "contents": list(_contents(report)), "called": report.calls.get,
        "tests": {d.function.name: d.tests for module in report.modules.values() for d in module},
    }  # fmt: skip
    titles = {name: title_of(root, name) for name in _modules(report)}
    makers: tuple[Callable[[], Iterable[Page]], ...] = (
        lambda: [("evidence/index.html", "evidence.html", {"recent": _by_commit(report)[:2]})],
        lambda: _claims(report),
        lambda: _statements(report, titles),
        lambda: _verifiers(report, titles, root),
        lambda: [("evidence/measurements.html", "evidence_measurements.html", {})],
        lambda: [("evidence/citations.html", "evidence_citations.html", {})],
        lambda: [("evidence/judgement.html", "evidence_judgement.html", {})],
        lambda: [("evidence/errata.html", "evidence_errata.html", {"page_of": _page_of})],
        lambda: [("evidence/history.html", "evidence_history.html", {"commits": _by_commit(report)})],
        lambda: _problems(report),
    )
    for make in makers:
        for path, template, context in make():
            yield path, template, common | context


def function_address(name: str) -> str:
    """Return where a function stands in the site.

    >>> function_address("kv_cache.nbytes")
    'evidence/verifiers/kv_cache.html#nbytes'
    """
    return f"{module_page(name)}#{name.rpartition('.')[2]}"


def formulas(text: str) -> Markup:
    """Return plain text as HTML: its TeX as MathML, and what stands in backticks as code.

    >>> formulas("`a<b`")
    Markup('<code>a&lt;b</code>')
    """
    return Markup(typeset(_CODE.sub(r"<code>\1</code>", str(escape(text)))))


def lasting(ran: Ran) -> str:
    """Tell how long a run took.

    >>> lasting(Ran("", 0.0123, "")), lasting(Ran("", 0.0001, "")), lasting(Ran("", 75, ""))
    ('12 ms', 'under 1 ms', '75.0 s')
    """
    if ran.seconds < 0.0005:
        return "under 1 ms"
    return f"{ran.seconds * 1000:.0f} ms" if ran.seconds < 1 else f"{ran.seconds:.1f} s"


def _contents(report: Report) -> Iterator[tuple[str, str, int]]:
    """Yield address, name and count of the report's pages."""
    of = report.summary
    for kind in ("computed", "checked", "measured"):
        yield f"evidence/claims-{kind}.html", f"Claims {kind}", sum(of.cards[kind].values())
    yield "evidence/claims-tables.html", "Claims tables", len(report.claims.statements)
    yield "evidence/measurements.html", "Measurements", len(report.measured)
    yield "evidence/citations.html", "Citations", len(report.citations)
    yield "evidence/judgement.html", "Judgement", sum(of.cards["judgement"].values())
    yield "evidence/errata.html", "Errata", sum(len(chapter.errata) for chapter in report.errata)
    yield "evidence/history.html", "Changed values", len(report.history.moved)
    yield "evidence/all-verifiers.html", "Verifiers", of.functions
    if failing(report):
        yield "evidence/problems.html", "Problems", len(_wrong(report)) + len(report.problems)


def _claims(report: Report) -> Iterator[Page]:
    """Yield the claims of cards by kind, a list for every note, in the order of the files."""
    for kind in ("computed", "checked", "measured"):
        chosen = [claim for claim in report.claims.cards if claim.kind == kind]
        notes = [list(group) for _, group in groupby(chosen, key=lambda claim: claim.user.id)]
        for path, page, more in _packed(f"claims-{kind}", notes):
            decks = [
                (deck.replace("::", " › "), [_by_sentence(note) for note in group])
                for deck, group in groupby(page, key=lambda claims: claims[0].user.deck)
            ]
            states = Counter(claim.state for note in page for claim in note)
            marks = Counter(mark for note in page for claim in note for mark in claim.user.marks)
            machines = _machines(
                report.calls[c] for n in page for s in n for c in s.calls if c in report.calls
            )
            yield path, "evidence_claims.html", {
                "kind": kind, "decks": decks, "counts": states, "marks": marks, "machines": machines, "more": more
            }  # fmt: skip


def _by_sentence(claims: list[Stated]) -> tuple[User, list[tuple[str, list[Stated]]]]:
    """Return a note's claims, those of one sentence together."""
    groups = groupby(claims, key=lambda claim: claim.statement)
    return claims[0].user, [(sentence, list(group)) for sentence, group in groups]


def _statements(report: Report, titles: dict[str, str]) -> Iterator[Page]:
    tables = [list(group) for _, group in groupby(report.claims.statements, key=lambda one: one.file)]
    for path, page, more in _packed("claims-tables", tables):
        rows = [(_module_of(table[0]), titles[_module_of(table[0])], table) for table in page]
        counts = Counter(one.state for table in page for one in table)
        yield path, "evidence_tables.html", {"tables": rows, "counts": counts, "more": more}


def _verifiers(report: Report, titles: dict[str, str], root: Path) -> Iterator[Page]:
    """Yield the list of modules, then a page for each module or claims table."""
    statements: dict[str, list[Statement]] = {}
    for one in report.claims.statements:
        statements.setdefault(_module_of(one), []).append(one)
    rows = [(module_page(f"{name}."), name, titles[name], report.modules.get(name, [])) for name in titles]
    yield "evidence/all-verifiers.html", "evidence_verifiers.html", {
        "modules": rows, "rows_of": {name: len(statements.get(name, ())) for name in titles}
    }  # fmt: skip
    works = {citation.work.key for citation in report.citations}
    for name, title in titles.items():
        functions = report.modules.get(name, [])
        mine = statements.get(name, [])
        calls = [called for function in functions for called in function.calls]
        yield module_page(f"{name}."), "evidence_module.html", {
            "module": name, "title": title, "doc": doc_of(root, name), "functions": functions, "statements": mine,
            "machines": _machines(calls), "works": works, "file": functions[0].function.file if functions else "",
        }  # fmt: skip


def _problems(report: Report) -> Iterator[Page]:
    if failing(report):
        yield "evidence/problems.html", "evidence_problems.html", {"wrong": _wrong(report)}


def _wrong(report: Report) -> list[Stated]:
    """Return the claims that do not hold, the most pressing first."""
    order = list(STATES)
    wrong = [claim for claim in report.claims if claim.state in ("failed", "false", "moved")]
    return sorted(wrong, key=lambda claim: (order.index(claim.state), claim.place))


def _by_commit(report: Report) -> list[tuple[Moved, list[tuple[Moved, str, str]]]]:
    """Return the values that changed by commit, with what they were and became."""
    commits = []
    for _, group in groupby(report.history.moved, key=lambda moved: moved.commit):
        rows = sorted(group, key=lambda moved: moved.call)
        told = [(row, *from_to(row.before, row.unit_before, row.after, row.unit)) for row in rows]
        commits.append((rows[0], told))
    return commits


def _modules(report: Report) -> list[str]:
    """Return every module that has a page: one of verifiers, or a claims table's name."""
    return sorted({*report.modules, *(_module_of(one) for one in report.claims.statements)})


def _module_of(statement: Statement) -> str:
    return statement_page(statement.file).rpartition("/")[2].removesuffix(".html")


def _page_of(chapter: Chapter) -> str:
    return module_page(f"{chapter.name}.")


def _machines(calls: Iterable[Called]) -> list[str]:
    return sorted({called.ran.machine for called in calls if called.ran})


Packed = tuple[str, list[list[T]], list[tuple[str, str, bool]]]
"""Address, groups, and the links of all pages of the kind: (address, label, is this one)."""


def _packed(name: str, groups: Sequence[list[T]]) -> Iterator[Packed[T]]:
    """Spread groups over as many pages as they need; there is always a first one."""
    sheets: list[list[list[T]]] = [[]]
    filled = 0
    for group in groups:
        if filled and filled + len(group) > FULL:
            sheets.append([])
            filled = 0
        sheets[-1].append(group)
        filled += len(group)
    paths = [f"evidence/{name}{f'-{n}' if n > 1 else ''}.html" for n in range(1, len(sheets) + 1)]
    for path, sheet in zip(paths, sheets, strict=True):
        links = [(other, str(n), other == path) for n, other in enumerate(paths, start=1)]
        yield path, sheet, links if len(links) > 1 else []
