"""Claims tables: statements that stand on no card, verified and locked like those of cards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .helpers import Deck

TABLE = """\
- claim: Two by five are ten.
  said: eleven
  because: somebody counted the corner twice
  check:
    - shapes.area(2, 5) = 10 B
    - shapes.symmetric(4)
  covers: [x-1, x-2]
- claim: Three by five are fifteen.
  check: shapes.area(3, 5) = 15
"""
FILE = "verifiers/claims/shapes.yaml"


@pytest.fixture
def deck(deck_at: Callable[..., Deck]) -> Deck:
    return deck_at({FILE: TABLE}, cards="It is {value}`shapes.area(2, 5) | kB`.\n")


def test_statements_are_run_counted_and_locked(deck: Deck) -> None:
    report = deck.ok("verify", "--json").json
    assert (report["ran"], report["new"], report["statements"], report["claims"]["computed"]) == (3, 3, 2, 1)
    assert set(deck.lock()) == {"shapes.area(2, 5)", "shapes.area(3, 5)", "shapes.symmetric(4)"}
    assert deck.ok("verify", "--json").json["ran"] == 0
    assert "1 claim (1 computed) and 2 statements: 0 failures" in deck.ok("verify").out


def test_a_build_neither_packages_statements_nor_forgets_their_results(deck: Deck) -> None:
    deck.ok("verify")
    before = deck.lock()
    deck.ok("build")
    assert deck.lock() == before
    assert len(deck.ok("list", "--json").json["notes"]) == 1


def test_a_false_statement_is_told_at_its_check(deck: Deck) -> None:
    deck.edit(FILE, "= 15", "= 16")
    ran = deck.run("verify")
    assert ran.status == 1
    assert ran.err.startswith(f"{FILE}:9:10: `{FILE}:8`: {{check}}`shapes.area(3, 5) = 16`:")


def test_changed_code_must_be_accepted_for_statements_too(deck: Deck) -> None:
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return height * width")
    failed = deck.run("verify", "--json").json["failed"]
    assert (FILE, 5) in {(f["file"], f["line"]) for f in failed}
    deck.ok("accept")
    deck.ok("verify")


def test_a_table_can_be_selected(deck: Deck) -> None:
    report = deck.ok("verify", FILE, "--json").json
    assert (report["statements"], sum(report["claims"].values())) == (2, 0)
    assert deck.ok("verify", "shapes.symmetric", "--json").json["statements"] == 1


def test_a_dropped_statement_leaves_the_lock(deck: Deck) -> None:
    deck.ok("verify")
    (deck.root / FILE).unlink()
    deck.ok("verify")
    assert set(deck.lock()) == {"shapes.area(2, 5)"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- claim: a\n", "1:3: a statement without `check:`"),
        ("- check: shapes.symmetric(4)\n", "1:3: a statement without `claim:`"),
        ("- claim: a\n  chek: b\n", "2:3: unknown key `chek`"),
        ("- claim: a\n  check: shapes.nothing(4) = 3\n", "2:10: unknown verifier `shapes.nothing`"),
        ("- claim: a\n  check: 3 = 4 =\n", "2:10: "),
        ("- claim: a\n  check: {b: c}\n", "2:10: `check` is a text"),
        ("- claim: a\n  check: ['']\n", "2:10: `check` is a text"),
        ("- a\n", "1:3: a statement is a mapping"),
        ("claim: a\n", "1:1: not a list"),
        ("- claim: [\n", "2:1: not YAML: "),
        ("- ? [a]\n  : b\n", "1:5: "),
        ("\x00", "not YAML: "),
    ],
)
def test_what_is_wrong_with_a_table_is_told_with_its_place(deck: Deck, text: str, told: str) -> None:
    deck.write(FILE, text)
    ran = deck.run("verify")
    assert ran.status == 1
    assert f"{FILE}" in ran.err and told in ran.err


def test_an_empty_table_says_nothing(deck: Deck) -> None:
    deck.write(FILE, "# later\n")
    assert deck.ok("verify", "--json").json["statements"] == 0


def test_the_list_of_verifiers_names_the_statements_that_rest_on_each(deck: Deck) -> None:
    rows = {row["name"]: row for row in deck.ok("list", "--verifiers", "--json").json["verifiers"]}
    assert rows["shapes.area"]["statements"] == [f"{FILE}:1", f"{FILE}:8"]
    assert rows["shapes.symmetric"]["statements"] == [f"{FILE}:1"]
    assert rows["shapes.rows"]["statements"] == []
    assert "1 note, 2 statements" in deck.ok("list", "--verifiers").out
