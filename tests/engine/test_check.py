"""`proofdeck check`: what is wrong between files."""

from __future__ import annotations

import pytest

from .helpers import Case, card, cases, files_of, verifier_source


@pytest.mark.parametrize("case", cases("project_errors"))
def test_check_reports_every_problem_of_a_project(case: Case, deck_at) -> None:
    deck = deck_at(files_of(case.text))
    before = deck.snapshot()
    ran = deck.run("check")
    assert f"{ran.status}\n{ran.out}{ran.err}".strip() == case.expected
    assert deck.snapshot() == before


def test_check_of_an_empty_project_asks_for_a_manifest(deck_at) -> None:
    deck = deck_at()
    (deck.root / "decks/t.yaml").unlink()
    ran = deck.run("check")
    assert (ran.status, ran.err.splitlines()[0]) == (1, "decks: no deck manifest")


def test_check_fails_on_a_typed_number_that_is_not_the_one_compared(deck_at) -> None:
    deck = deck_at(cards="It is 7 {check}`shapes.area(2, 3) = 6`.")
    ran = deck.run("check")
    assert ran.status == 1
    assert ran.err.startswith(
        "cards/a.md:7:7: `7` is not a number that this sentence's evidence names (2, 3, 6)\n"
    )


def test_check_remembers_files_and_sees_their_changes(deck_at) -> None:
    deck = deck_at(cards="{value}`shapes.area()`")
    deck.ok("check")
    deck.write("cards/a.md", card("{value}`shapes.aera()`"))
    assert deck.run("check").status == 1
    deck.write("cards/a.md", card("{value}`shapes.area()`"))
    deck.ok("check")
    deck.edit("verifiers/shapes.py", "def area(", "def surface(")
    assert deck.run("check").status == 1


def test_check_survives_a_damaged_cache(deck_at) -> None:
    deck = deck_at(cards="{value}`shapes.area()`")
    deck.ok("check")
    deck.write(".proofdeck/cache.db", b"not a database" * 1000)
    deck.ok("check")


def test_a_file_that_is_not_utf8_is_told_with_its_line(deck_at) -> None:
    deck = deck_at()
    deck.write("cards/a.md", card("one\n\ntwo").encode() + b"\xff\n")
    assert deck.run("check").err.splitlines()[0] == "cards/a.md:10: not UTF-8"


@pytest.mark.parametrize("unit", ["GB", "bytes", "widgets", "B/GB", "a=GB, b=1"])
def test_a_unit_that_is_no_base_unit_is_told_in_the_verifier(unit: str, deck_at) -> None:
    deck = deck_at({"verifiers/m.py": verifier_source("return 1", unit=unit)}, cards="{judgement}`x`")
    ran = deck.run("check")
    assert ran.status == 1
    assert ran.err.startswith("verifiers/m.py:5:1: ")


@pytest.mark.parametrize(
    "unit",
    [
        "B",
        "bit",
        "FLOP",
        "param",
        "token",
        "s",
        "1",
        "nat",
        "$",
        "B/s",
        "FLOP/s",
        "FLOP/B",
        "B/token",
        "token/s",
        "check",
        "a=B, b=1",
    ],
)
def test_base_units_are_taken(unit: str, deck_at) -> None:
    deck_at({"verifiers/m.py": verifier_source("return 1", unit=unit)}, cards="{judgement}`x`").ok("check")


@pytest.mark.parametrize(
    "value",
    ["!!bool x", "!!int ''", "!!timestamp foo", "!!float x", "0001-01-01 00:00:00 +99:00", "!!binary é"],
)
@pytest.mark.parametrize("file", ["cards/a.md", "decks/t.yaml", "cards/references.yaml"])
def test_yaml_that_holds_something_else_is_told(file: str, value: str, deck_at) -> None:
    key = "deck" if file == "cards/a.md" else "title"
    text = card("{judgement}`x`", head=f"{key}: {value}") if file == "cards/a.md" else f"{key}: {value}\n"
    ran = deck_at({"cards/a.md": card("{judgement}`x`"), file: text}).run("check")
    assert ran.status == 1
    assert ran.err.startswith(f"{file}:")


def test_hidden_files_are_no_cards(deck_at) -> None:
    deck = deck_at({"cards/.a.md": "nonsense", "cards/.git/b.md": "nonsense"}, cards="{judgement}`x`")
    deck.ok("check")


def test_cards_that_no_deck_takes_are_named(deck_at) -> None:
    files = {
        "decks/t.yaml": "title: T\ncards: [cards/a.md]\n",
        "cards/lost.md": card("{judgement}`x`", name="lost"),
    }
    deck = deck_at(files, cards="{judgement}`x`")
    ran = deck.ok("check")
    assert "in no deck: cards/lost.md" in ran.out + ran.err
    assert "cards/lost.md" in str(deck.ok("check", "--json").json)


def test_json_lists_problems_by_place(deck_at) -> None:
    deck = deck_at(cards="{nope}`x`")
    ran = deck.run("check", "--json")
    assert ran.status == 1
    assert ran.json["problems"][1] == {
        "file": "cards/a.md",
        "line": 7,
        "column": 1,
        "message": "unknown role `{nope}`",
        "hint": "roles are: value check cite table figure judgement cloze",
    }
    assert deck_at(cards="{judgement}`x`", name="good").ok("check", "--json").json["problems"] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: &x [*x]\nb: 1\n", 2), ("b: 1\nb: 2\n", 2), ("010: 1\nyes: {c: {d: e}}\nb: 1\n", 3)],
)
def test_odd_mappings_have_places_too(deck_at, text: str, line: int) -> None:
    deck = deck_at()
    deck.write("decks/u.yaml", text)
    ran = deck.run("check")
    assert ran.status == 1 and f"decks/u.yaml:{line}:1: unknown key `b`" in ran.err
