"""The evidence report: every kind and state of a claim, what stands behind each, and the pages that say so."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from proofdeck.cache import Cache
from proofdeck.evidence.runs import remember_runs
from proofdeck.preview.reading import Reading, read
from proofdeck.preview.site import write_site
from proofdeck.project import Project
from proofdeck.report.evidence import Report, read_report
from proofdeck.report.pages import FULL, report_pages
from tests.engine.helpers import REFERENCES, Deck, card, make_deck

EVIL = "<script>alert('x')</script> & \"quotes\""
MORE = '''
"""Things that change: and what comes of it."""

from proofdeck import measurement, verifier


@verifier
def edited() -> int:
    """A number that somebody will edit.

    It has `code` in its text.

    Formula: one plus
        nothing.
    Unit: 1
    Source: euclid300, folklore
    """
    return 1


@verifier
def renamed(old: int = 1) -> int:
    """A number.

    Unit: 1
    """
    return 3


@measurement
def speed() -> dict[str, object]:
    """Speed of a copy.

    Unit: B/s
    """
    return {"value": 2.5e9, "samples": 30, "spread": 0.02, "error": {"copy": 0.0}, "roof": {"copy": 0.5}}


@measurement
def latency() -> dict[str, object]:
    """Time of a launch.

    Unit: s
    """
    return {"value": {"first": 1e-3, "later": 2e-6}, "samples": [1, 2, 3], "spread": 0.5}
'''
TABLE = f"""
- claim: A rectangle has six units, {EVIL!r} or not.
  said: it has five
  because: five is prime
  check:
    - shapes.area() = 6
    - shapes.symmetric()
- claim: Nothing is said about this one.
  check: shapes.ratio() < 1
"""
HEARSAY = f"""
- claim: It is three.
  said: {json.dumps(EVIL)}
  check: more.renamed() = 3
"""
TESTS = """
@witnesses("shapes.area", "more.edited")
def test_area_by_counting() -> None: ...
"""
NOTES = """---
deck: Tests::All kinds
---

# What is accepted? {#accepted}

It starts here. The area is {value}`shapes.area()`, as the sides say. {check}`shapes.symmetric()` Another sentence.

| width | area |
|---|---|
| two | {value}`shapes.area(2, 1000) \\| kB` |

## L1: Deeper?

{judgement}`Trust it. Always.` The book says so {cite}`euclid300`.

# What is measured? {#measured}

It copies {value}`more.speed() | GB/s`.

# What waits? {#waits}

A launch takes {value}`more.latency()["first"] | ms`.

# What is a draft? {#draft tags="draft"}

Its area is {value}`shapes.area(3, 3)`.

# What is unverified? {#raw tags="unverified"}

Its area is {value}`shapes.area(3, 4)`.

# What moves? {#moves}

It is {value}`more.edited()`.
"""
LATER = """
# What is new? {#fresh}

It is {value}`shapes.area(5, 5)`, and it is false that {check}`shapes.ratio() > 1`.

# What fails? {#fails}

It fails: {check}`shapes.wrong()`.
"""


def reading_of(deck: Deck) -> tuple[Reading, Report]:
    project = Project(deck.root)
    with Cache(project.state).closing() as cache:
        reading = read(project, cache)
        return reading, read_report(reading, cache)


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Deck:
    """A project with a claim of every kind and state."""
    evil = json.dumps(EVIL)
    references = f"{REFERENCES}evil666:\n  authors: {evil}\n  title: {evil}\n  year: 666\n"
    files = {
        "verifiers/more.py": MORE, "verifiers/claims/shapes.yaml": TABLE, "verifiers/claims/more.yaml": HEARSAY,
        "cards/references.yaml": references,
        "tests/test_shapes.py": TESTS, "cards/a.md": NOTES,
    }  # fmt: skip
    made = make_deck(tmp_path_factory.mktemp("deck") / "deck", files)
    made.ok("measure", "more.speed", "--device", "cpu")
    made.ok("verify")
    made.ok("build")
    made.edit("verifiers/more.py", "return 1\n", "return 2\n")
    made.edit("verifiers/more.py", "2.5e9", "2.6e9")
    made.write("cards/a.md", NOTES + LATER)
    return made


@pytest.fixture(scope="module")
def report(deck: Deck) -> Report:
    return reading_of(deck)[1]


@pytest.fixture(scope="module")
def site(deck: Deck, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "out"
    write_site(Project(deck.root), out)
    return out


@pytest.mark.parametrize(
    ("note", "kind", "state", "statement", "shown"),
    [
        ("accepted", "computed", "accepted", "The area is 6 B, as the sides say.", "6 B"),
        ("accepted", "checked", "accepted", "The area is 6 B, as the sides say.", "d: 3"),
        ("accepted", "computed", "accepted", "width: two, area: 2 kB", "2 kB"),
        ("accepted", "judgement", "untested", "Trust it. Always.", ""),
        ("accepted", "cited", "untested", "The book says so [Euclid -300].", "[Euclid -300]"),
        ("measured", "measured", "stale", "It copies 2.5 GB/s.", "2.5 GB/s"),
        ("waits", "measured", "missing", "A launch takes ….", ""),
        ("moves", "computed", "moved", "It is 2.", "2"),
        ("fresh", "computed", "new", "It is 25 B, and it is false that.", "25 B"),
        ("fresh", "checked", "false", "It is 25 B, and it is false that.", ""),
        ("fails", "checked", "failed", "It fails.", ""),
    ],
)
def test_every_kind_and_state_of_a_claim_is_told(
    report: Report, note: str, kind: str, state: str, statement: str, shown: str
) -> None:
    found = [
        (claim.kind, claim.state, claim.statement, claim.shown.replace("\N{NO-BREAK SPACE}", " ").strip())
        for claim in report.claims.cards
        if claim.user.id == note
    ]
    plain = [(k, s, text.replace("\N{NO-BREAK SPACE}", " "), v) for k, s, text, v in found]
    assert (kind, state, statement, shown) in plain


def test_why_a_claim_does_not_hold_is_told(report: Report) -> None:
    why = {(claim.user.id, claim.state): claim.message for claim in report.claims.cards}
    assert "does not hold" in why["fresh", "false"]
    assert "one is not two" in why["fails", "failed"]
    assert "1 → 2" in why["moves", "moved"]
    assert why["accepted", "accepted"] == ""


def test_drafts_and_what_is_not_verified_are_told_apart(report: Report) -> None:
    marks = {name: note.marks for name, note in report.claims.notes.items() if note.marks}
    assert marks == {"draft": ("draft",), "raw": ("unverified",), "waits": ("held back",)}
    assert report.summary.notes == {
        "verified": 1, "wrong": 3, "stale": 1, "held back": 1, "draft": 1, "unverified": 1,
    }  # fmt: skip


def test_statements_have_the_state_of_their_worst_check(report: Report) -> None:
    other, first, second = report.claims.statements
    assert other.user.address == "evidence/verifiers/more.html#s-2"
    assert (first.kind, first.state, len(first.checks)) == ("checked", "accepted", 2)
    assert first.user.address == f"evidence/verifiers/shapes.html#s-{first.line}"
    assert [check.shown.replace("\N{NO-BREAK SPACE}", " ") for check in first.checks] == ["6 B", "d: 3"]
    assert second.line == first.line + 6


def test_a_function_tells_its_docstring_source_witnesses_calls_and_who_rests_on_them(report: Report) -> None:
    edited, *_ = report.modules["more"]
    assert (edited.function.name, edited.anchor) == ("more.edited", "edited")
    assert edited.text == ("It has `code` in its text.",)
    assert (edited.formula, edited.sources) == ("one plus nothing.", ("euclid300", "folklore"))
    assert edited.tests == ("tests/test_shapes.py::test_area_by_counting",)
    assert '<span class="k">return</span>' in edited.html
    (called,) = edited.calls
    assert (called.state, called.value, [user.id for user in called.users]) == ("moved", "2", ["moves"])
    area = next(f for f in report.modules["shapes"] if f.anchor == "area")
    assert [user.id for user in next(c for c in area.calls if c.call == "shapes.area()").users] == [
        "accepted", "verifiers/claims/shapes.yaml:2",
    ]  # fmt: skip


def test_runs_of_the_present_code_are_told_with_date_duration_and_machine(report: Report) -> None:
    ran = report.calls["shapes.area()"].ran
    assert ran is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", ran.when)
    assert ran.seconds >= 0 and "Python" in ran.machine
    assert report.calls["more.speed()"].ran is None
    assert report.summary.ran == sum(called.ran is not None for called in report.calls.values()) > 5


def test_a_run_of_other_code_is_no_run_of_this_one(tmp_path: Path) -> None:
    deck = make_deck(tmp_path / "deck", cards="It is {value}`shapes.ratio()`.")
    deck.ok("build")
    (deck.root / ".proofdeck/cache.db").unlink()
    assert reading_of(deck)[1].calls["shapes.ratio()"].ran is None  # accepted, so nothing ran
    with Cache(deck.root / ".proofdeck").closing() as cache:
        remember_runs(cache, [("shapes.ratio()", "other code", 1.0)])
    assert reading_of(deck)[1].calls["shapes.ratio()"].ran is None
    deck.ok("verify", "--all")
    assert reading_of(deck)[1].calls["shapes.ratio()"].ran is not None


def test_measurements_tell_value_spread_device_and_whether_they_are_stale(report: Report) -> None:
    (taken,) = report.measured
    (entry,) = taken.entries
    assert (entry.name, entry.value.replace("\N{NO-BREAK SPACE}", " ")) == ("", "2.5 GB/s")
    assert (entry.spread, entry.roof, entry.error) == ("2.0%", "50.0%", "0e+00")
    assert (taken.samples, taken.spread, taken.stale) == ("30", "2 %", True)
    assert taken.device and dict(taken.place)["python"]
    assert [user.id for user in taken.users] == ["measured"]
    (waiting,) = report.waiting
    assert waiting.call == "more.latency()"
    assert [(user.id, user.marks) for user in waiting.users] == [("waits", ("held back",))]


def test_citations_tell_their_users_and_which_have_none(report: Report) -> None:
    euclid = next(one for one in report.citations if one.work.key == "euclid300")
    assert [claim.user.id for claim in euclid.claims] == ["accepted"]
    assert [function.name for function in euclid.functions] == ["more.edited"]
    assert [one.work.key for one in report.citations if not one.used] == ["evil666"]


def test_errata_are_the_rows_that_say_what_is_said(report: Report) -> None:
    chapter, other = sorted(report.errata, key=lambda one: one.name, reverse=True)
    assert (other.name, other.title, other.errata[0].said) == ("more", "Things that change", (EVIL,))
    (one,) = chapter.errata
    assert (chapter.name, one.said, one.because) == ("shapes", ("it has five",), ("five is prime",))
    assert one.statement.claim.startswith("A rectangle has six units")
    assert [check.state for check in one.statement.checks] == ["accepted", "accepted"]


def test_a_table_that_changed_is_read_again(tmp_path: Path) -> None:
    files = {"verifiers/claims/shapes.yaml": TABLE}
    deck = make_deck(tmp_path / "deck", files, "It is {value}`shapes.ratio()`.")
    assert reading_of(deck)[1].errata[0].errata[0].said == ("it has five",)
    deck.edit("verifiers/claims/shapes.yaml", "said: it has five", "said: [it has four, it has three]")
    assert reading_of(deck)[1].errata[0].errata[0].said == ("it has four", "it has three")


def test_the_summary_counts(report: Report) -> None:
    cards = report.summary.cards
    assert cards["computed"] == {"accepted": 4, "moved": 1, "new": 1}
    assert cards["checked"] == {"accepted": 1, "false": 1, "failed": 1}
    assert cards["measured"] == {"stale": 1, "missing": 1}
    assert cards["cited"] == cards["judgement"] == {"untested": 1}
    assert (report.summary.statements, report.summary.checks) == ({"accepted": 3}, 4)
    assert "shapes.ratio" in report.summary.alone and "shapes.area" not in report.summary.alone
    assert "more.speed" not in report.summary.alone  # a measurement is no verifier


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.headings: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [str(found["href"])] if tag == "a" and found.get("href") else []
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


@pytest.fixture(scope="module")
def parsed(site: Path) -> dict[Path, _Page]:
    return {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def evidence(parsed: dict[Path, _Page]) -> Iterator[tuple[Path, _Page]]:
    return (
        (path, page)
        for path, page in parsed.items()
        if "evidence" in (path.parent.name, path.parent.parent.name)
    )


def test_every_link_of_an_evidence_page_leads_somewhere(parsed: dict[Path, _Page]) -> None:
    links = 0
    for path, page in evidence(parsed):
        for link in page.links:
            if link.startswith(("https://", "http://")):
                continue
            file, _, anchor = unquote(link).partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target in parsed, f"{path.name}: {link}"
            assert not anchor or anchor in parsed[target].ids, f"{path.name}: {link}"
            links += 1
    assert links > 200


def test_evidence_pages_have_unique_ids_and_headings_in_order(parsed: dict[Path, _Page]) -> None:
    names = []
    for path, page in evidence(parsed):
        names.append(path.stem)
        assert len(page.ids) == len(set(page.ids)), path.name
        assert page.headings[0] == 1 and page.headings.count(1) == 1, path.name
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(after - before <= 1 for before, after in steps), path.name
    assert {"index", "claims-computed", "measurements", "errata", "history", "problems", "more"} <= set(names)


def test_hostile_text_is_shown_and_never_run(site: Path, parsed: dict[Path, _Page]) -> None:
    for name in ("errata", "verifiers/shapes", "citations", "claims-tables"):
        page = site / "evidence" / f"{name}.html"
        text = page.read_text(encoding="utf-8")
        assert "alert(" in html.unescape(text), name
        assert "<script>alert" not in text, name
        assert parsed[page].tags.count("script") == parsed[site / "evidence/history.html"].tags.count(
            "script"
        )


def page_text(site: Path, name: str) -> str:
    text = (site / "evidence" / f"{name}.html").read_text(encoding="utf-8")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).replace("\N{NO-BREAK SPACE}", " ").split())


def test_pages_say_what_the_report_holds(site: Path) -> None:
    assert "Often said it has five In fact A rectangle has six units" in page_text(site, "errata")
    assert "not measured" in page_text(site, "claims-measured")
    assert "2.5 GB/s" in page_text(site, "measurements") and "stale" in page_text(site, "measurements")
    assert "Trust it. Always." in page_text(site, "judgement")
    assert "used by no card and no verifier" in page_text(site, "citations")
    assert "one is not two" in page_text(site, "problems")
    assert "No history:" in page_text(site, "history")
    assert re.search(r"ran \d{4}-\d\d-\d\d \d\d:\d\d UTC", page_text(site, "verifiers/shapes"))


@pytest.fixture
def small(tmp_path: Path) -> Deck:
    return make_deck(tmp_path / "deck", cards="It is {value}`shapes.ratio()`.")


def pages_of(deck: Deck) -> dict[str, dict[str, Any]]:
    _, report = reading_of(deck)
    return {path: context for path, _, context in report_pages(report, deck.root)}


def test_a_project_in_order_has_no_page_of_problems(small: Deck) -> None:
    small.ok("build")
    pages = pages_of(small)
    assert "evidence/problems.html" not in pages
    assert not any(
        address.endswith("problems.html") for address, _, _ in pages["evidence/index.html"]["contents"]
    )


def test_many_claims_are_spread_over_pages(small: Deck) -> None:
    count = FULL // 100 + 1
    notes = [card("{value}`shapes.ratio()` " * 100, name=f"n{number}") for number in range(count)]
    for number, text in enumerate(notes):
        small.write(f"cards/n{number}.md", text)
    (small.root / "cards/a.md").unlink()
    pages = pages_of(small)
    assert "evidence/claims-computed-2.html" in pages and "evidence/claims-computed-3.html" not in pages
    assert [label for _, label, _ in pages["evidence/claims-computed.html"]["more"]] == ["1", "2"]


def test_broken_cards_and_unknown_names_do_not_stop_the_report(small: Deck) -> None:
    small.write("cards/b.md", card("It is {value}`shapes.gone()` {cite}`nobody`.", name="b"))
    _, report = reading_of(small)
    states = {(claim.user.id, claim.kind): claim.state for claim in report.claims.cards}
    assert states["b", "computed"] == "failed" and states["b", "cited"] == "failed"
    assert "evidence/problems.html" in pages_of(small)


def test_witnesses_are_read_again_when_a_test_changes(small: Deck) -> None:
    def tests(report: Report) -> Callable[[str], tuple[str, ...]]:
        return lambda name: next(f.tests for f in report.modules["shapes"] if f.anchor == name)

    assert tests(reading_of(small)[1])("ratio") == ()
    small.write("tests/test_more.py", '@witnesses("shapes.ratio")\ndef test_it() -> None: ...\n')
    assert tests(reading_of(small)[1])("ratio") == ("tests/test_more.py::test_it",)
