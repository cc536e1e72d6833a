"""`verify`, `accept` and `eval`: which claims are true, and who says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from proofdeck.verify import KINDS

from .helpers import REFERENCES, Deck, card, verifier_source

CLAIMS = """
It is {value}`shapes.area(2, 5) | kB`, {check}`shapes.area(2, 5) = 10`, always {check}`shapes.symmetric(4)`.

It is known {cite}`euclid300`, and {judgement}`nice`.

{table}`shapes.rows() | area=kB`
"""


@pytest.fixture
def deck(deck_at: Callable[..., Deck]) -> Deck:
    return deck_at({"cards/references.yaml": REFERENCES}, cards=CLAIMS)


def test_new_claims_are_accepted_by_themselves(deck: Deck) -> None:
    report = deck.ok("verify", "--json").json
    assert (report["ran"], report["new"], report["failed"]) == (3, 3, [])
    lock = deck.lock()
    assert {call: line["value"] for call, line in lock.items()} == {
        "shapes.area(2, 5)": 10,
        "shapes.rows()": [{"name": "a", "area": 1000}, {"name": "b", "area": 2000}],
        "shapes.symmetric(4)": {"d": 4},
    }
    assert [lock[call]["unit"] for call in lock] == ["B", "area=B", "check"]
    assert all(len(line["code"]) >= 12 for line in lock.values())


def test_what_is_known_is_not_run_again(deck: Deck) -> None:
    deck.ok("verify")
    before = deck.snapshot()
    report = deck.ok("verify", "--json").json
    assert (report["ran"], report["cached"], report["new"]) == (0, 3, 0)
    assert deck.snapshot() == before


def test_the_lock_alone_suffices_where_the_cache_is_lost(deck: Deck) -> None:
    deck.ok("verify")
    shutil.rmtree(deck.root / ".proofdeck")
    assert deck.ok("verify", "--json").json["ran"] == 0


def test_a_changed_literal_is_told_with_card_place_and_both_values(deck: Deck) -> None:
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return width * height * 3")
    before = deck.snapshot()
    ran = deck.run("verify")
    assert ran.status == 1
    assert ran.err.splitlines()[0] == (
        "cards/a.md:7:7: `q`: {value}`shapes.area(2, 5) | kB`: `shapes.area(2, 5)` moved: 10 B → 30 B; `proofdeck accept` takes it"
    )
    failed = deck.run("verify", "--json").json["failed"]
    assert [(f["note"], f["file"], f["line"], f["column"], f["expression"]) for f in failed] == [
        ("q", "cards/a.md", 7, 7, "{value}`shapes.area(2, 5) | kB`"),
        ("q", "cards/a.md", 7, 40, "{check}`shapes.area(2, 5) = 10`"),
        ("q", "cards/a.md", 7, 80, "{check}`shapes.symmetric(4)`"),
        ("q", "cards/a.md", 11, 1, "{table}`shapes.rows() | area=kB`"),
    ]
    assert "10 B → 30 B" in failed[1]["message"]
    assert "the code behind `shapes.symmetric(4)` changed; it still gives" in failed[2]["message"]
    assert deck.snapshot() == before


def test_accept_takes_what_moved(deck: Deck) -> None:
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return height * width * 3")
    deck.edit("cards/a.md", "= 10`", "= 30`")
    assert deck.run("verify").status == 1
    accepted = deck.ok("accept", "--json").json["accepted"]
    assert {line["call"]: (line["old"], line["new"]) for line in accepted}["shapes.area(2, 5)"] == (
        "10 B",
        "30 B",
    )
    assert deck.lock()["shapes.area(2, 5)"]["value"] == 30
    assert deck.ok("verify", "--json").json["ran"] == 0
    assert deck.ok("accept", "--json").json["accepted"] == []


def test_a_changed_unit_is_a_moved_value(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(cards="{value}`shapes.area(2)`")
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "Unit: B\n    Source", "Unit: bit\n    Source")
    assert "`shapes.area(2)` moved: 6 B → 6 bit" in deck.run("verify").err
    deck.ok("accept")
    assert deck.lock()["shapes.area(2)"]["unit"] == "bit"


def test_accept_takes_only_what_is_selected(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(
        {
            "cards/a.md": card("{value}`shapes.area(1)`", name="one"),
            "cards/b.md": card("{value}`shapes.area(2)`", name="two"),
        }
    )
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return width + height")
    assert [line["call"] for line in deck.ok("accept", "two", "--json").json["accepted"]] == [
        "shapes.area(2)"
    ]
    failed = deck.run("verify", "--json").json["failed"]
    assert [failure["note"] for failure in failed] == ["one"]


def test_accept_of_a_code_change_that_moves_no_value(deck: Deck) -> None:
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return height * width")
    assert deck.run("verify").status == 1
    out = deck.ok("accept").out
    assert "shapes.area(2, 5): 10 B, by changed code" in out
    deck.ok("verify")


def test_accept_does_not_take_a_failing_claim_for_a_true_one(deck: Deck) -> None:
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return height * width * 3")
    ran = deck.run("accept", "--json")
    assert ran.status == 1
    assert deck.lock()["shapes.area(2, 5)"]["value"] == 30
    told = [(7, 40, "false: `shapes.area(2, 5)` is 30 B, so 30 B = 10 B does not hold")]
    for report in (ran.json, deck.run("verify", "--json").json):
        assert [(f["line"], f["column"], f["message"]) for f in report["failed"]] == told


def test_accept_tells_what_fails(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(cards="{value}`shapes.area(2)` {value}`shapes.ratio(1, 0)`")
    ran = deck.run("accept")
    assert (ran.status, "ZeroDivisionError: division by zero" in ran.err) == (1, True)


def test_a_moved_value_fails_until_it_is_accepted(deck_at: Callable[..., Deck]) -> None:
    source = verifier_source("import numpy\nreturn float(numpy.float64(2))")
    deck = deck_at({"verifiers/m.py": source}, cards="{value}`m.f()`")
    deck.ok("verify")
    lock = deck.read("verifiers/evidence.lock")
    [installed] = deck.lock()["m.f()"]["libraries"].values()
    deck.write(
        "verifiers/evidence.lock", lock.replace(installed, "0.1").replace('"value": 2.0', '"value": 3.0')
    )
    shutil.rmtree(deck.root / ".proofdeck")
    for _ in range(3):
        ran = deck.run("verify")
        assert (ran.status, "moved: 3.0" in ran.err) == (1, True)
    assert deck.run("build").status == 1
    assert deck.ok("accept", "--json").json["accepted"] == [{"call": "m.f()", "old": "3.0", "new": "2.0"}]
    deck.ok("build")
    assert deck.lock()["m.f()"]["value"] == 2.0


def test_verify_all_finds_what_the_lock_has_wrong_and_accept_mends_it(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(cards="{value}`shapes.area(2)`")
    deck.ok("verify")
    right = deck.read("verifiers/evidence.lock")
    deck.write("verifiers/evidence.lock", right.replace('"value": 6', '"value": 7'))
    shutil.rmtree(deck.root / ".proofdeck")
    assert deck.ok("verify", "--json").json["ran"] == 0
    for _ in range(2):
        ran = deck.run("verify", "--all")
        assert (ran.status, "`shapes.area(2)` moved: 7 B → 6 B" in ran.err) == (1, True)
    deck.ok("accept")
    assert deck.read("verifiers/evidence.lock") == right
    deck.ok("verify", "--all")


def test_verify_all_runs_everything_and_changes_nothing(deck: Deck) -> None:
    deck.ok("verify")
    before = deck.snapshot()
    report = deck.ok("verify", "--all", "--json").json
    assert (report["ran"], report["cached"]) == (3, 0)
    assert deck.snapshot() == before


def test_other_library_versions_cause_one_new_run_and_no_failure(deck_at: Callable[..., Deck]) -> None:
    source = verifier_source("import numpy\nreturn float(numpy.float64(2))")
    deck = deck_at({"verifiers/m.py": source}, cards="{value}`m.f()`, {value}`shapes.area()`")
    deck.ok("verify")
    assert list(deck.lock()["m.f()"]["libraries"]) == ["numpy"]
    assert "libraries" not in deck.lock()["shapes.area()"]
    lock = json.loads(deck.read("verifiers/evidence.lock").splitlines()[1])
    other = deck.read("verifiers/evidence.lock").replace(lock["libraries"]["numpy"], "0.1")
    deck.write("verifiers/evidence.lock", other)
    shutil.rmtree(deck.root / ".proofdeck")
    assert [deck.ok("verify", "--json").json["ran"] for _ in range(2)] == [1, 0]
    deck.ok("verify", "--locked")
    assert deck.read("verifiers/evidence.lock") == other


def test_a_float_within_the_verifiers_tolerance_has_not_moved(deck_at: Callable[..., Deck]) -> None:
    files = {
        "verifiers/m.py": verifier_source("return 0.1", options="(tolerance=1e-3)"),
        "verifiers/n.py": verifier_source("return 0.1"),
    }
    deck = deck_at(files, cards="{value}`m.f()` {value}`n.f()`")
    deck.ok("verify")
    deck.write("verifiers/evidence.lock", deck.read("verifiers/evidence.lock").replace("0.1,", "0.100001,"))
    failed = deck.run("verify", "--all", "--json").json["failed"]
    assert [failure["expression"] for failure in failed] == ["{value}`n.f()`"]


def test_a_missing_library_fails_only_what_has_no_accepted_result(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(
        {"verifiers/m.py": verifier_source("import no_such_library\nreturn 2")},
        cards="{value}`m.f()` {value}`shapes.area()`",
    )
    ran = deck.run("verify")
    assert ran.status == 1
    assert "no_such_library is not installed here to run it; `pip install no_such_library`" in ran.err
    from proofdeck.evidence.code import Code

    code = Code(deck.root).closure("verifiers", "m.f")[0]
    line = {"call": "m.f()", "value": 2, "unit": "1", "code": code, "libraries": {"no_such_library": "1.0"}}
    deck.write(
        "verifiers/evidence.lock",
        deck.read("verifiers/evidence.lock").splitlines()[0] + "\n" + json.dumps(line) + "\n",
    )
    deck.ok("verify")
    deck.ok("build")
    deck.edit("verifiers/m.py", "return 2", "return 3")
    assert "its code changed, and no_such_library is not installed" in deck.run("verify").err


def test_a_false_comparison_and_a_false_property_fail(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(cards="It is 7 {check}`shapes.area(2, 3) = 7`.\n\nAlways {check}`shapes.wrong()`.")
    ran = deck.run("verify")
    assert ran.status == 1
    assert ran.err.splitlines() == [
        "cards/a.md:7:9: `q`: {check}`shapes.area(2, 3) = 7`: false: `shapes.area(2, 3)` is 6 B, so 6 B = 7 B does not hold",
        "cards/a.md:9:8: `q`: {check}`shapes.wrong()`: one is not two",
    ]
    assert deck.run("build").status == 1
    assert not (deck.root / "decks/build").exists()


@pytest.mark.parametrize("value", ["float('nan')", "{'a': [float('nan')]}"])
def test_what_is_no_number_is_no_result(value: str, deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": verifier_source(f"return {value}")}, cards="{value}`m.f()`")
    assert deck.run("verify").status == 1
    assert deck.run("build").status == 1
    assert not (deck.root / "decks/build").exists()


def test_a_failed_run_is_tried_again(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": verifier_source("raise OSError('no luck')")}, cards="{value}`m.f()`")
    for _ in range(2):
        assert "OSError: no luck (m.py:10)" in deck.run("verify").err
    assert not (deck.root / "verifiers/evidence.lock").exists()


UNTELLABLE = [
    ("{value}`shapes.area() | ms`", "a value in `B` cannot be told in `ms`; use one of: B kB"),
    ("{value}`shapes.area() | %`", "a value in `B` cannot be told in `%`"),
    ("{value}`shapes.sides()`", "`shapes.sides()` gives a dict, not one number; use ['width'], ['share']"),
    (
        '{value}`shapes.sides()["heigth"]`',
        "`shapes.sides()` has no entry `heigth`; it has ['width'], ['share']",
    ),
    ("{value}`shapes.rows()`", "gives a list, not one number; use a {table}"),
    ("{value}`shapes.symmetric()`", "`shapes.symmetric` is a property check and has no value; use {check}"),
    ("{check}`shapes.area()`", "`shapes.area()` computes a value: alone it tests nothing"),
    ("{table}`shapes.area()`", "`shapes.area()` gives no rows"),
    ("{table}`shapes.rows() | volume=kB`", "`shapes.rows()` has no column `volume`; columns are: name, area"),
    ("{table}`shapes.rows() | area=ms`", "column `area`: a value in `B` cannot be told in `ms`"),
    (
        "{value}`shapes.area(1, 2, 3)`",
        "TypeError: area() takes from 0 to 2 positional arguments but 3 were given",
    ),
    ("{value}`shapes.area(depth=3)`", "TypeError: area() got an unexpected keyword argument 'depth'"),
    ("{value}`shapes.ratio(1, 0)`", "ZeroDivisionError: division by zero (shapes.py:"),
    ("{check}`shapes.area() < shapes.ratio()`", "`shapes.area()` is in B and `shapes.ratio()` in 1"),
]


def test_what_cannot_be_told_is_told(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(cards="\n\n".join(claim for claim, _ in UNTELLABLE))
    ran = deck.run("verify")
    assert ran.status == 1
    lines = ran.err.splitlines()
    assert len(lines) == len(UNTELLABLE)
    for number, (line, (claim, message)) in enumerate(zip(lines, UNTELLABLE, strict=True)):
        assert line.startswith(f"cards/a.md:{7 + 2 * number}:1: `q`: {claim}: ")
        assert message in line


@pytest.mark.parametrize("claim", [claim for claim, message in UNTELLABLE[::3]])
def test_what_cannot_be_told_is_not_built(claim: str, deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(cards=claim)
    assert deck.run("build").status == 1
    assert not (deck.root / "decks/build").exists()


ODD = [
    "10**400", "10**3000", "'\\ud800'", "'a\\u2028b'", "'\\x00'", "float('nan')", "float('-inf')", "None", "''", "True", "[]", "{}",
]  # fmt: skip


def test_no_result_ends_in_a_traceback(deck_at: Callable[..., Deck]) -> None:
    files = {
        f"verifiers/m{n}.py": verifier_source(f"return {value}", unit="B") for n, value in enumerate(ODD)
    }
    claims = [
        "{value}`mN.f()`",
        "{value}`mN.f() | GB .2f`",
        "{check}`mN.f() < 3 GB`",
        "{check}`mN.f() ≈ 1`",
        "{table}`mN.f()`",
    ]
    body = "\n\n".join(" ".join(claims).replace("mN", f"m{n}") for n in range(len(ODD)))
    deck = deck_at(files, cards=body)
    for command in (("verify", "--json"), ("build",), ("verify", "--all"), ("accept",), ("list",)):
        assert deck.run(*command).status in (0, 1)


@pytest.mark.parametrize("value", ODD[:7])
def test_no_result_ends_in_a_traceback_on_a_card(value: str, deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": verifier_source(f"return {value}", unit="B")}, cards="{value}`m.f()`")
    assert [deck.run("build").status in (0, 1) for _ in range(2)] == [True, True]


def test_locked_verify_writes_nothing_and_fails_where_the_lock_is_out_of_date(deck: Deck) -> None:
    before = deck.snapshot()
    ran = deck.run("verify", "--locked")
    assert ran.status == 1
    assert "verifiers/evidence.lock: " in ran.err
    assert "has no accepted result, and --locked forbids writing one" in ran.err
    assert deck.snapshot() == before
    deck.ok("verify")
    deck.ok("verify", "--locked")
    deck.write("cards/a.md", card("{value}`shapes.area(2, 5)`"))
    before = deck.snapshot()
    ran = deck.run("verify", "--locked", "--json")
    assert (ran.status, {f["expression"] for f in ran.json["failed"]}) == (
        1,
        {"shapes.rows()", "shapes.symmetric(4)"},
    )
    assert deck.snapshot() == before


def test_results_that_no_card_needs_leave_the_lock(deck: Deck) -> None:
    deck.ok("verify")
    deck.write("cards/a.md", card("{value}`shapes.area(2, 5)`"))
    deck.ok("verify", "shapes.area")
    assert len(deck.lock()) == 3, "a selection decides about nothing else"
    deck.ok("verify")
    assert list(deck.lock()) == ["shapes.area(2, 5)"]


def test_a_broken_lock_stops_every_command(deck: Deck) -> None:
    deck.ok("verify")
    deck.write("verifiers/evidence.lock", deck.read("verifiers/evidence.lock") + "<<<<<<< HEAD\n")
    before = deck.snapshot()
    for command in (("verify",), ("build",), ("accept",), ("verify", "--all")):
        ran = deck.run(*command)
        assert (ran.status, ran.err.splitlines()[0]) == (
            1,
            "verifiers/evidence.lock:5: not a line of an evidence lock",
        )
    assert deck.snapshot() == before


def test_selections(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at(
        {
            "cards/x/a.md": card("{value}`shapes.area(1)`", name="one"),
            "cards/x/b.md": card("{value}`shapes.area(2)`", name="two"),
            "cards/y/c.md": card("{check}`shapes.symmetric(1)`", name="three"),
        }
    )
    for select, claims in {
        (): 3, ("one",): 1, ("one", "two"): 2, ("cards/x",): 2, ("cards/x/",): 2, ("./cards/y/c.md",): 1,
        ("shapes.area",): 2, ("shapes",): 3, ("one", "cards/x/a.md", "shapes.area"): 2,
    }.items():  # fmt: skip
        report = deck.ok("verify", *select, "--json").json
        assert sum(report["claims"].values()) == claims, select
    ran = deck.run("verify", "thre")
    assert (ran.status, ran.err) == (2, "error: `thre` selects nothing; did you mean `three`?\n")


def test_durations_name_the_slowest(deck: Deck) -> None:
    lines = deck.ok("verify", "--durations", "2").out.splitlines()
    assert len(lines) == 3
    assert all(" ms  shapes." in line for line in lines[1:])


def test_counts_of_claims_by_kind(deck: Deck) -> None:
    report = deck.ok("verify", "--json").json
    assert report["claims"] == {"computed": 2, "checked": 2, "measured": 0, "cited": 1, "judgement": 1}
    assert tuple(report["claims"]) == KINDS


def test_one_bad_verifier_does_not_keep_others_from_the_lock(deck_at: Callable[..., Deck]) -> None:
    files = {
        "verifiers/m.py": verifier_source("import os\nos._exit(9)"),
        "verifiers/n.py": verifier_source("import time\ntime.sleep(60)", options="(timeout=0.5)"),
    }
    deck = deck_at(files, cards="{value}`m.f()` {value}`shapes.area()`\n\n{value}`n.f()`")
    ran = deck.run("verify", "-j", "2")
    assert ran.status == 1
    assert ran.err.splitlines() == [
        "cards/a.md:7:1: `q`: {value}`m.f()`: it ended the interpreter with status 9",
        "cards/a.md:9:1: `q`: {value}`n.f()`: it ran for more than 0.5 s",
    ]
    assert list(deck.lock()) == ["shapes.area()"]


@pytest.mark.parametrize(
    ("expression", "value", "unit", "text"),
    [
        ("shapes.area(2, 3)", 6, "B", "6 B"),
        ("shapes.area(2000, 3000) | MB", 6_000_000, "B", "6 MB"),
        ('shapes.sides()["share"] | %', 0.25, "1", "25%"),
        ("shapes.area(2, 3) = 6", True, "check", "true: 6 B"),
        ("shapes.area(2, 3) < 7", True, "check", "true: 6 B"),
    ],
)
def test_eval_runs_one_expression(
    expression: str, value: object, unit: str, text: str, deck_at: Callable[..., Deck]
) -> None:
    deck = deck_at(cards="{judgement}`x`")
    assert deck.ok("eval", expression).out == f"{text}\n"
    answer = deck.ok("eval", expression, "--json").json
    assert list(answer) == ["expression", "value", "unit", "text"]
    assert (answer["expression"], answer["value"], answer["unit"]) == (expression, value, unit)


def test_eval_says_which_verifier_was_meant(deck_at: Callable[..., Deck]) -> None:
    ran = deck_at(cards="{judgement}`x`").run("eval", "shapes.aera()")
    assert ran.err.startswith("error: unknown verifier `shapes.aera`; did you mean `shapes.area`")


def test_eval_runs_a_property_check(deck_at: Callable[..., Deck]) -> None:
    files = {"verifiers/m.py": verifier_source("assert True", unit="check")}
    deck = deck_at(files, cards="{judgement}`x`")
    deck.ok("eval", "m.f()")
    deck.ok("eval", "shapes.symmetric(3)")
    ran = deck.run("eval", "shapes.wrong()")
    assert (ran.status, "one is not two" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("expression", "status"),
    [
        ("shapes.area(2) = 7", 1),
        ("shapes.area('x', 'y')", 1),
        ("shapes.area() | ms", 1),
        ("shapes.aera()", 2),
        ("shapes.area(", 2),
        ("", 2),
        ("1 + 1", 2),
        ("shapes.area() | GBB", 2),
        ("shapes.area() ≈ 2 ± 1.2.3", 2),
        ("os.system('true')", 2),
        ("shapes.__class__()", 2),
        ("__import__('os').system('true')", 2),
        ("shapes.FACTOR()", 2),
        ("proofdeck.cli.main()", 2),
    ],
)
def test_eval_refuses_what_is_false_or_no_verifier(
    expression: str, status: int, deck_at: Callable[..., Deck]
) -> None:
    deck = deck_at(cards="{judgement}`x`")
    ran = deck.run("eval", expression)
    assert ran.status == status
    assert ran.err and not ran.out


@pytest.mark.parametrize("role", ["value", "check", "table", "figure"])
@pytest.mark.parametrize(
    "name", ["os.system", "shapes.__init__", "shapes.__class__.mro", "proofdeck.cli.main", "shapes.verifier"]
)
def test_a_card_calls_nothing_but_marked_functions(
    role: str, name: str, deck_at: Callable[..., Deck]
) -> None:
    deck = deck_at(cards=f"{{{role}}}`{name}('true')`")
    ran = deck.run("verify")
    assert (ran.status, f"unknown {'figure' if role == 'figure' else 'verifier'} `{name}`" in ran.err) == (
        1,
        True,
    )
