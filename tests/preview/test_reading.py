"""Whatever is wrong with a project, the site is written, and says so where it is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("latex2mathml")

from proofdeck.cache import Cache
from proofdeck.preview.reading import Reading, read
from proofdeck.preview.site import write_site
from proofdeck.preview.topics import NoteView, topics_of
from proofdeck.project import Project
from tests.engine.helpers import FIGURES, MANIFEST, REFERENCES, Deck, card
from tests.preview.helpers import DOT, SAID, SPEEDS, Element, text_of, tree

LOCKS = ("verifiers/evidence.lock", "decks/history.lock", "figures/drawn.lock")
HANGS = '''
import time

from proofdeck import verifier


@verifier(timeout=1)
def hangs() -> float:
    """Never ends.

    Unit: 1
    """
    time.sleep(600)
    return 1.0


@verifier
def raises() -> float:
    """Fails.

    Unit: 1
    """
    raise ValueError("no <such> thing")


@verifier
def dies() -> float:
    """Takes its process along.

    Unit: 1
    """
    import os

    os._exit(3)
'''

GOOD = f"# Good: is it? {{#good}}\n\nYes: {{value}}`shapes.ratio()` {SAID}\n"


def file_with(wrong: str) -> str:
    """Return a card file with a good note before and after what is wrong, which begins in line 9."""
    return f"---\ndeck: Tests\n---\n\n{GOOD}\n{wrong.strip()}\n\n# Last? {{#last}}\n\nYes. {SAID}\n"


class Shown:
    """A site that was written of a project, and what it was written from."""

    def __init__(self, deck: Deck, out: Path) -> None:
        before = locks(deck)
        self.report = write_site(Project(deck.root), out, jobs=1)
        assert locks(deck) == before, "a preview writes no lock and no ledger"
        self.out = out
        self.reading = reading_of(deck)
        assert locks(deck) == before
        self.topics = topics_of(self.reading)
        self.notes = {note.id: note for topic in self.topics for note in topic.notes}

    def page(self, name: str) -> Element:
        return tree((self.out / name).read_text(encoding="utf-8"))

    def told(self, name: str) -> str:
        """Return what stands below a note's heading on its page, cards left out."""
        [section] = [
            e for e in self.page(self.notes[name].page).having("site-note") if e.attributes["id"] == name
        ]
        return " ".join(text_of(e) for e in section.having("site-problem"))

    def state(self, name: str) -> str:
        """Return a note's state, which its page and the list of notes tell alike."""
        note = self.notes[name]
        [section] = [e for e in self.page(note.page).having("site-note") if e.attributes["id"] == name]
        [mark] = section.having("site-state")
        [row] = [e for e in self.page("index.html").walk() if e.attributes.get("data-note") == name]
        assert text_of(mark) == row.attributes["data-state"] == note.state
        return note.state

    def faults(self, name: str) -> list[str]:
        """Return what the cards of a note say of claims that are wrong."""
        [section] = [
            e for e in self.page(self.notes[name].page).having("site-note") if e.attributes["id"] == name
        ]
        return list(dict.fromkeys(text_of(e) for e in section.having("fault")))


def reading_of(deck: Deck) -> Reading:
    project = Project(deck.root)
    with Cache(project.state).closing() as cache:
        return read(project, cache, jobs=1)


def locks(deck: Deck) -> dict[str, tuple[bytes, int] | None]:
    """Return bytes and time of every lock and of the packages, None where there is none."""
    paths = [deck.root / name for name in LOCKS]
    paths += sorted((deck.root / "decks/build").glob("*")) if (deck.root / "decks/build").exists() else []
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) if p.exists() else None for p in paths}


@pytest.fixture
def shown(deck_at: Callable[..., Deck], tmp_path: Path) -> Callable[..., Shown]:
    """Writes the site of a project whose `cards/a.md` is given, and of other files."""

    def show(text: str | None = None, files: dict[str, str] | None = None, build: bool = False) -> Shown:
        base = {
            "figures/plots.py": FIGURES,
            "cards/references.yaml": REFERENCES,
            "cards/pics/dot.svg": DOT,
            "verifiers/odd.py": HANGS,
        }
        deck = deck_at(base)
        if build:
            deck.write("cards/a.md", file_with(f"# Wrong? {{#wrong}}\n\n{{value}}`shapes.area()` {SAID}"))
            deck.ok("build")
        for name, content in ({"cards/a.md": text} if text is not None else {}).items():
            deck.write(name, content)
        for name, content in (files or {}).items():
            deck.write(name, content)
        return Shown(deck, tmp_path / "site")

    return show


@pytest.mark.parametrize("build", [False, True], ids=["never built", "built before"])
@pytest.mark.parametrize(
    "claim, problem, fault",
    [
        ("{value}`shapes.aera()`", "unknown verifier `shapes.aera`", "unknown verifier shapes.aera"),
        ("{figure}`plots.lime`", "unknown figure `plots.lime`", "unknown figure plots.lime"),
        ("{cite}`euclid`", "unknown reference `euclid`", "unknown reference euclid"),
        ("![x](pics/dto.svg)", "the picture `cards/pics/dto.svg` does not exist", "unknown picture"),
        ("{check}`shapes.wrong()`", "one is not two", "one is not two"),
        ("{check}`shapes.area() ≈ 7`", "6 B", ""),
        ("{value}`shapes.area() | nonsense`", "{value}", ""),
        ("{value}`odd.raises()`", "no <such> thing", "no <such> thing"),
        ("{value}`odd.dies()`", "odd.dies", ""),
        ("{value}`shapes.area(", "", ""),
        ("{nonsense}`x`", "unknown role `{nonsense}`", ""),
        ("There are 1234 of them.", "1234", ""),
    ],
)
def test_a_wrong_claim_is_shown_where_it_stands(
    shown: Callable[..., Shown], build: bool, claim: str, problem: str, fault: str
) -> None:
    site = shown(file_with(f"# Wrong? {{#wrong}}\n\n{claim}\n\n{SAID}"), build=build)
    assert set(site.notes) == {"good", "wrong", "last"}
    for name in ("good", "last"):
        assert (site.notes[name].problems, site.state(name), site.faults(name)) == ([], "verified", []), name
        assert site.notes[name].cards == 1
    assert site.state("wrong") == "wrong"
    assert site.notes["wrong"].problems == site.reading.problems == site.report.problems
    [found, *_] = site.report.problems
    assert (found.file, found.line) == ("cards/a.md", 11)
    assert " ".join(problem.split()) in text_of(site.page("cards/a.html"))
    assert " ".join(found.message.split()) in site.told("wrong")
    if fault:
        assert any(fault in each for each in site.faults("wrong")), site.faults("wrong")
        assert site.notes["wrong"].cards == 1
    [strip] = site.page("index.html").having("site-problems")
    assert [e.attributes["href"] for e in strip.walk() if e.tag == "a"] == ["cards/a.html#wrong"] * len(
        site.report.problems
    )


def test_a_verifier_that_hangs_fails_alone(shown: Callable[..., Shown]) -> None:
    site = shown(file_with("# Wrong? {#wrong}\n\n{value}`odd.hangs()` {value}`shapes.area()`"))
    assert [site.state(name) for name in ("good", "wrong", "last")] == ["verified", "wrong", "verified"]
    assert len(site.faults("wrong")) == 1 and "1 s" in site.faults("wrong")[0].replace("\u00a0", " ")
    assert "6" in text_of(site.page("cards/a.html"))


def test_two_notes_of_one_id(shown: Callable[..., Shown]) -> None:
    site = shown(file_with(f"# Again? {{#good}}\n\nTwice. {SAID}"))
    assert [p.message for p in site.report.problems] and "the id `good` is taken" in site.report.problems[
        0
    ].message
    first, second, _ = site.page("cards/a.html").having("site-note")
    assert "Yes:" in text_of(first) and "Twice." not in text_of(first)
    assert "Twice." in text_of(second) and "Yes:" not in text_of(second)
    assert site.report.problems[0].line == 9


def test_notes_without_id_keep_their_cards(shown: Callable[..., Shown]) -> None:
    site = shown(file_with(f"# One?\n\nFirst. {SAID}\n\n# Two?\n\nSecond. {SAID}"))
    _, one, two, _ = site.page("cards/a.html").having("site-note")
    assert "First." in text_of(one) and "Second." not in text_of(one)
    assert "Second." in text_of(two) and "First." not in text_of(two)


def test_a_wrong_claim_inside_another_role_is_shown(shown: Callable[..., Shown]) -> None:
    wrong = """# Wrong? {#wrong}

One {cloze}``1: {value}`shapes.aera()` | hint``, {judgement}``so {check}`shapes.wrong()` ``.

# Question with {value}`shapes.nothing()`? {#heading}

Yes {judgement}`so`.
"""
    site = shown(file_with(wrong))
    assert sorted(site.faults("wrong")) == ["one is not two", "unknown verifier shapes.aera"]
    assert site.faults("heading") == ["unknown verifier shapes.nothing"]
    assert [site.state(name) for name in ("good", "wrong", "heading", "last")] == [
        "verified",
        "wrong",
        "wrong",
        "verified",
    ]
    assert site.notes["wrong"].cards == site.notes["heading"].cards == 1


def test_a_note_without_id(shown: Callable[..., Shown]) -> None:
    site = shown(file_with(f"# Nameless?\n\nIt is. {SAID}"))
    assert "a note without id" in text_of(site.page("cards/a.html"))
    assert "It is." in text_of(site.page("cards/a.html"))
    assert site.state("good") == "verified"


def test_a_value_that_moved(shown: Callable[..., Shown]) -> None:
    from tests.engine.helpers import VERIFIERS

    moved = VERIFIERS.replace("return width * height", "return width * height + 1")
    site = shown(None, {"verifiers/shapes.py": moved}, build=True)
    assert [site.state(name) for name in ("good", "wrong", "last")] == ["verified", "wrong", "verified"]
    assert "moved" in site.told("wrong") or "proofdeck accept" in site.told("wrong")
    assert len(site.faults("wrong")) == 1 and "7" in site.faults("wrong")[0]


def test_a_measurement_that_nobody_took(shown: Callable[..., Shown]) -> None:
    site = shown(file_with("# Wrong? {#wrong}\n\n{value}`speeds.nobody()`"), {"verifiers/speeds.py": SPEEDS})
    assert site.report.problems == []
    assert site.state("wrong") == "held back" and site.report.held_back == site.reading.held == ["wrong"]
    assert site.faults("wrong") == ["not measured yet"]


def test_a_figure_of_a_measurement_that_nobody_took(shown: Callable[..., Shown]) -> None:
    figure = '"""F."""\nfrom matplotlib.figure import Figure\n\nfrom proofdeck import figure\nfrom verifiers import speeds\n\n\n@figure\ndef waits():\n    """Waits."""\n    chart = Figure()\n    chart.subplots().plot([0, speeds.nobody()["value"]])\n    return chart\n'
    site = shown(
        file_with(f"# Wrong? {{#wrong}}\n\n{{figure}}`measured.waits` {SAID}"),
        {"verifiers/speeds.py": SPEEDS, "figures/measured.py": figure},
    )
    assert site.report.problems == []
    assert site.state("wrong") == "held back" and site.faults("wrong") == ["not measured yet"]


def test_a_stale_measurement(deck_at: Callable[..., Deck], tmp_path: Path) -> None:
    deck = deck_at({"verifiers/speeds.py": SPEEDS}, cards="{value}`speeds.copy()`")
    deck.ok("measure", "speeds.copy", "--device", "cpu")
    first = Shown(deck, tmp_path / "one")
    assert first.state("q") == "verified"
    deck.edit("verifiers/speeds.py", '{"value": 1.0}', '{"value": 2.0}')
    site = Shown(deck, tmp_path / "two")
    assert (site.state("q"), site.report.problems) == ("stale", [])
    assert "stale: a measurement on this card" in text_of(site.page("cards/a.html"))


def test_a_figure_that_cannot_be_drawn(shown: Callable[..., Shown]) -> None:
    figure = '"""F."""\nfrom proofdeck import figure\n\n\n@figure\ndef fails():\n    """Fails."""\n    raise ValueError("no ink")\n'
    site = shown(
        file_with(f"# Wrong? {{#wrong}}\n\n{{figure}}`bad.fails` {SAID}"), {"figures/bad.py": figure}
    )
    assert site.state("wrong") == "wrong" and site.state("good") == "verified"
    assert "no ink" in site.told("wrong") and "no ink" in site.faults("wrong")[0]


def test_code_that_is_no_python(shown: Callable[..., Shown]) -> None:
    site = shown(file_with(f"# Fine? {{#fine}}\n\n{SAID}"), {"verifiers/broken.py": "def f(:\n"})
    assert {site.state(name) for name in ("good", "fine", "last")} == {"verified"}
    [problem] = site.report.problems
    assert (problem.file, problem.line) == ("verifiers/broken.py", 1)
    assert "not Python" in text_of(site.page("index.html"))


@pytest.mark.parametrize(
    "manifest, expected",
    [
        ("title: [", "decks/bad.yaml"),
        ("cards: [nothing/*.md]\ntitle: X\n", "nothing/*.md"),
        ("tilte: X\n", "tilte"),
        ("- a\n", "decks/bad.yaml"),
    ],
)
def test_a_bad_manifest(shown: Callable[..., Shown], manifest: str, expected: str) -> None:
    site = shown(file_with(""), {"decks/bad.yaml": manifest})
    assert any(expected in str(problem) for problem in site.report.problems)
    assert expected in text_of(site.page("index.html"))
    assert site.state("good") == "verified"


def test_a_file_in_no_deck(shown: Callable[..., Shown]) -> None:
    site = shown(
        file_with(""),
        {"decks/t.yaml": "title: T\ncards: [cards/a.md]\n", "cards/lone.md": card(SAID, name="lone")},
    )
    assert "In no deck" in text_of(site.page("index.html"))
    assert site.state("lone") == "verified"
    assert [topic.file for topic in site.topics] == ["cards/a.md", "cards/lone.md"]


def test_a_project_without_manifests(deck_at: Callable[..., Deck], tmp_path: Path) -> None:
    deck = deck_at(cards=SAID)
    (deck.root / "decks/t.yaml").unlink()
    site = Shown(deck, tmp_path / "site")
    assert site.state("q") == "verified"
    assert deck.root.name in text_of(site.page("index.html"))


def test_an_empty_project(deck_at: Callable[..., Deck], tmp_path: Path) -> None:
    deck = deck_at()
    (deck.root / "decks/t.yaml").unlink()
    (deck.root / "verifiers/shapes.py").unlink()
    site = Shown(deck, tmp_path / "site")
    assert (site.report.notes, site.report.cards, site.topics) == (0, 0, [])
    assert "0 notes" in text_of(site.page("index.html"))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"",
        b"no front matter\n",
        b"---\ndeck: [\n---\n",
        b"---\ndeck: T\n---\n\nstray\n",
        b"---\n",
    ],
)
def test_a_file_that_cannot_be_read(shown: Callable[..., Shown], content: bytes) -> None:
    site = shown(file_with(""), {"cards/bad.md": content})  # type: ignore[dict-item]
    assert {problem.file for problem in site.report.problems} == {"cards/bad.md"}
    assert site.state("good") == "verified"
    assert "cards/bad.md" in text_of(site.page("index.html"))
    assert site.report.problems[0].message in text_of(site.page("cards/bad.html")).replace("\u00a0", " ")


def test_bad_references(shown: Callable[..., Shown]) -> None:
    site = shown(
        file_with("# Wrong? {#wrong}\n\n{cite}`euclid300`"), {"cards/references.yaml": "euclid300: [\n"}
    )
    assert "cards/references.yaml" in {problem.file for problem in site.report.problems}
    assert site.state("good") == "verified" and site.state("wrong") == "wrong"


def test_a_bad_claims_table(shown: Callable[..., Shown]) -> None:
    site = shown(
        file_with(""),
        {"verifiers/claims/shapes.yaml": "- claim: x\n  check: [shapes.wrong(), shapes.nothing()]\n- [\n"},
    )
    assert site.report.problems
    assert all(problem.file == "verifiers/claims/shapes.yaml" for problem in site.report.problems)
    assert site.state("good") == "verified"


def test_every_problem_has_one_place(shown: Callable[..., Shown]) -> None:
    """Each note has the problems of its lines, and the page those above the first note."""
    wrong = "\n\n".join(f"# W{n}? {{#w{n}}}\n\n{{value}}`shapes.none{n}()`" for n in range(4))
    site = shown(file_with(wrong))
    for number in range(4):
        [problem] = site.notes[f"w{number}"].problems
        assert f"none{number}" in problem.message
        assert f"none{number}" in site.told(f"w{number}")
    assert len(site.report.problems) == 4
    assert [topic.problems for topic in site.topics] == [[]]


def test_a_draft_is_shown_as_one(shown: Callable[..., Shown]) -> None:
    site = shown(file_with(f'# Draft? {{#draft tags="draft"}}\n\nPerhaps. {SAID}'))
    assert site.state("draft") == "draft" and site.notes["draft"].cards == 1
    assert "Perhaps." in text_of(site.page("cards/a.html"))


def test_an_unverified_note_says_so(shown: Callable[..., Shown]) -> None:
    site = shown(file_with('# Heard? {#heard tags="unverified"}\n\nThey say 17.'))
    assert (site.state("heard"), site.report.problems) == ("unverified", [])


def test_mending_the_fault_mends_the_site(shown: Callable[..., Shown], tmp_path: Path) -> None:
    site = shown(file_with("# Wrong? {#wrong}\n\n{check}`shapes.wrong()`"))
    deck = Deck(site.reading.project.root)
    deck.edit("cards/a.md", "shapes.wrong()", "shapes.symmetric()")
    after = Shown(deck, site.out)
    assert (after.state("wrong"), after.report.problems, after.faults("wrong")) == ("verified", [], [])
    assert after.page("index.html").having("site-problems") == []
    assert "cards/a.html" in after.report.written and "index.html" in after.report.written


def test_what_is_wrong_never_reaches_a_package(shown: Callable[..., Shown]) -> None:
    """A preview remembers faulty cards; a build that follows does not take them."""
    site = shown(file_with("# Wrong? {#wrong}\n\n{value}`speeds.nobody()`"), {"verifiers/speeds.py": SPEEDS})
    assert site.faults("wrong")
    deck = Deck(site.reading.project.root)
    built = deck.ok("build", "--json").json
    assert built["decks"][0]["notes"] == 2
    ledger = [json.loads(line) for line in deck.read("decks/history.lock").splitlines()]
    assert {entry["note"] for entry in ledger if "note" in entry} == {"good", "last"}
    after = Shown(deck, site.out)
    assert after.faults("wrong") == ["not measured yet"]


def test_a_broken_lock_is_told(shown: Callable[..., Shown], tmp_path: Path) -> None:
    site = shown(file_with(""), build=True)
    deck = Deck(site.reading.project.root)
    deck.write("verifiers/evidence.lock", "{broken\n")
    ran = deck.run("preview", "-o", str(tmp_path / "other"))
    assert ran.status == 1 and "evidence.lock:1" in ran.err
    assert deck.read("verifiers/evidence.lock") == "{broken\n"


def test_views_tell_the_evidence(shown: Callable[..., Shown]) -> None:
    site = shown(
        file_with(
            f"# All? {{#all}}\n\n{{value}}`shapes.area()` {{check}}`shapes.symmetric()` {{cite}}`euclid300` {SAID} {{table}}`shapes.rows()`"
        )
    )
    note: NoteView = site.notes["all"]
    assert note.evidence == "2 computed, 1 checked, 1 cited, 1 judgement"
    [row] = [e for e in site.page("index.html").walk() if e.attributes.get("data-note") == "all"]
    assert row.attributes["data-kinds"].split() == ["computed", "checked", "cited", "judgement"]
    [section] = [e for e in site.page("cards/a.html").having("site-note") if e.attributes["id"] == "all"]
    hrefs = [e.attributes["href"] for e in section.walk() if e.tag == "a"]
    assert {
        "../evidence/verifiers/shapes.html#area",
        "../evidence/verifiers/shapes.html#symmetric",
        "../evidence/verifiers/shapes.html#rows",
    } <= set(hrefs)


def test_the_search_index_holds_what_a_reader_sees(shown: Callable[..., Shown]) -> None:
    site = shown(
        file_with(f"# Cloze *question*? {{#cloze}}\n\nSeen {{cloze}}`1: hidden & $x$ | hint` <b> {SAID}")
    )
    text = (site.out / "assets/search-index.js").read_text(encoding="utf-8")
    index: dict[str, Any] = json.loads(re.fullmatch(r"window\.PROOFDECK = (.*);\n", text, re.S)[1])  # type: ignore[index]
    assert set(index) == {"good", "cloze", "last"}
    assert (
        index["cloze"].startswith("Cloze question ? Seen hidden & \\(x\\) <b> So says the author.")
        or "hidden & \\(x\\) <b>" in index["cloze"]
    )
    assert "shapes.ratio" not in index["good"] and "0.25" in index["good"]
    assert "judgement" not in index["last"]


def test_the_manifest_gives_the_title(shown: Callable[..., Shown]) -> None:
    assert MANIFEST == "title: Tests\n"
    site = shown(file_with(""))
    [head] = [e for e in site.page("index.html").walk() if e.tag == "h1"]
    assert text_of(head) == "Tests"
