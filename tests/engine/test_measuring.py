"""Measurements: taken when asked for, kept by machine, shown of the machine that a card names, else waited for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .helpers import FIGURES, Deck, card, make_deck
from .test_build import notes_in

SPEEDS = '''
"""Measurements for tests."""

from proofdeck import measurement


@measurement
def copy(size: int = 1) -> dict[str, object]:
    """Speed of a copy.

    Unit: slow=s, fast=s, ratio=1, best=text
    """
    value = {"slow": 4e-3 * size, "fast": 2e-6 * size, "ratio": 2.5, "best": "fast"}
    return {
        "value": value, "samples": 20, "spread": 0.02, "repeat": 0.01, "spreads": {"slow": 0.02, "fast": 0.005},
        "error": {"fast": 3e-4}, "roof": {"fast": 0.5}, "skipped": {"graph": "RuntimeError: no device"},
    }


@measurement
def rate() -> dict[str, object]:
    """Rate of a product.

    Unit: FLOP/s
    """
    return {"value": 1.5e12}


@measurement
def broken() -> dict[str, object]:
    """A kernel that is wrong.

    Unit: s
    """
    assert False, "relative error 1e+00 exceeds 1e-02"


@measurement
def bare() -> float:
    """A number without a record.

    Unit: s
    """
    return 1.0
'''
PICTURE = '''
from matplotlib.figure import Figure

from proofdeck import figure
from verifiers import speeds


@figure
def bars():
    """Times of a copy."""
    chart = Figure(figsize=(2, 1.5))
    chart.subplots().plot([0, speeds.copy(size=1)["slow"]])
    return chart


@figure
def graph():
    """An entry that the machine did not give."""
    chart = Figure(figsize=(2, 1.5))
    chart.subplots().plot([0, speeds.copy()["graph"]])
    return chart
'''
VALUE = '{value}`speeds.copy()["slow"] | ms`'


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    """One note that shows a measurement, one that shows none."""
    made = make_deck(tmp_path / "deck", {"verifiers/speeds.py": SPEEDS}, "{value}`shapes.area()`")
    made.write("cards/b.md", card(VALUE, name="measured"))
    return made


def records(deck: Deck) -> dict[str, dict[str, Any]]:
    """The records of the lock, by call and machine."""
    lines = [json.loads(line) for line in deck.read("verifiers/evidence.lock").splitlines()]
    return {f"{line['call']} @ {line['record']['machine']}": line for line in lines if "record" in line}


def on(deck: Deck, machine: str, slow: float, call: str = "speeds.copy()") -> None:
    """Put a record of another machine into the lock, like the one that was taken here."""
    lines = deck.read("verifiers/evidence.lock").splitlines()
    taken = next(x for x in map(json.loads, lines) if x.get("call") == call and "record" in x)
    taken["value"] = taken["value"] | {"slow": slow}
    taken["record"] |= {"machine": machine, "device": machine.upper()}
    deck.write("verifiers/evidence.lock", "\n".join([*lines, json.dumps(taken)]) + "\n")


def here(deck: Deck) -> str:
    """The name of this machine, from the only records there are."""
    (name,) = {line["record"]["machine"] for line in records(deck).values()}
    return str(name)


def fields(deck: Deck) -> dict[str, str]:
    """What every note of the package holds, by id."""
    notes = notes_in(deck.root / "decks/build/t.apkg").items()
    return {name: "\n".join(fields.values()) for name, fields in notes}


def test_nothing_is_measured_unasked_and_notes_without_a_record_are_held_back(deck: Deck) -> None:
    built = deck.ok("build")
    assert "1 note held back, not measured yet: measured" in built.out
    assert list(fields(deck)) == ["q"]
    assert records(deck) == {}
    verified = deck.ok("verify")
    assert "1 measurement not taken yet: speeds.copy" in verified.out
    assert "(1 computed)" in verified.out
    told = deck.ok("verify", "--json").json
    assert (told["missing"], told["failed"]) == (["speeds.copy()"], [])
    deck.ok("build", "--locked")
    deck.edit("cards/a.md", "shapes.area()", "shapes.area(5, 6)")
    told = deck.run("verify", "--locked").err
    assert "verifiers/evidence.lock: `shapes.area(5, 6)`: has no accepted result" in told


def test_a_record_says_what_was_measured_on_what_and_with_which_code(deck: Deck) -> None:
    ran = deck.ok("measure", "--device", "cpu")
    (line,) = records(deck).values()
    assert line["value"] == {"slow": 4e-3, "fast": 2e-6, "ratio": 2.5, "best": "fast"}
    record = line["record"]
    assert (record["samples"], record["spread"], record["roof"]) == (20, 0.02, {"fast": 0.5})
    assert record["device"] and record["date"] and record["python"] and record["system"]
    assert line["unit"] == "slow=s, fast=s, ratio=1, best=text" and len(line["code"]) == 20
    table = [row.split() for row in ran.out.splitlines()]
    assert table[0] == ["value", "spread", "of", "roof", "error"]
    assert table[1][:2] == ["[1/1]", "speeds.copy()"]
    assert table[2] == ["slow", "4", "ms", "2.0%"]
    assert table[3] == ["fast", "2", "µs", "0.5%", "50.0%", "3e-04"]
    assert table[4:6] == [["ratio", "2.5"], ["best", "fast"]]
    assert "graph: skipped, RuntimeError: no device" in ran.out
    assert f"1 measurement recorded on {here(deck)}, 0 failed" in ran.out
    assert "widest spread: 2.0%, speeds.copy()" in ran.out
    assert "widest difference between passes: 1.0%, speeds.copy()" in ran.out


def test_a_measured_note_is_packaged_with_its_record_on_the_back(deck: Deck) -> None:
    deck.ok("measure", "--device", "cpu")
    assert "held back" not in deck.ok("build").out
    back = fields(deck)["measured"].replace("\N{NO-BREAK SPACE}", " ")
    assert "4 ms" in back
    assert "median of 20, spread 2%" in back
    (line,) = records(deck).values()
    assert back.count("Measured on " + line["record"]["device"].split("(")[0]) == 1
    assert line["record"]["date"] in back
    assert "(1 computed, 1 measured)" in deck.ok("verify").out


def test_measuring_as_json_is_one_document(deck: Deck) -> None:
    (reading,) = deck.ok("measure", "--device", "cpu", "--json").json["readings"]
    assert reading["call"] == "speeds.copy()" and reading["value"]["slow"] == 4e-3
    assert reading["record"]["samples"] == 20 and reading["seconds"] >= 0


def test_code_that_changed_makes_a_record_stale_until_it_is_taken_again(deck: Deck) -> None:
    deck.write("cards/c.md", card("{value}`speeds.rate() | TFLOP/s`", name="other"))
    assert len(deck.ok("measure", "--device", "cpu", "--json").json["readings"]) == 2
    deck.ok("build")
    deck.edit("verifiers/speeds.py", "4e-3 * size", "5e-3 * size")
    ran = deck.run("build")
    assert ran.status == 1
    assert "cards/b.md:7:1" in ran.err and "was measured with other code" in ran.err
    assert deck.ok("verify", "--json").json["stale"] == ["speeds.copy()"]
    deck.ok("build", "--allow-stale")
    assert "stale: a measurement on this card is older than its code" in fields(deck)["measured"]
    assert "stale" not in fields(deck)["other"]
    again = deck.ok("measure", "--missing", "--device", "cpu", "--json").json["readings"]
    assert [reading["call"] for reading in again] == ["speeds.copy()"]
    deck.ok("build")
    assert "5\N{NO-BREAK SPACE}ms" in fields(deck)["measured"]
    assert deck.ok("measure", "--missing", "--device", "cpu", "--json").json["readings"] == []


def test_records_of_several_machines_live_side_by_side_and_cards_name_theirs(deck: Deck) -> None:
    deck.write("cards/b.md", card(VALUE, name="measured", head="deck: Tests\nmachine: acme-9"))
    deck.write("cards/c.md", card(VALUE, name="other", head="deck: Tests"))
    deck.edit("cards/c.md", "{#other}", "{#other machine=acme-10}")
    deck.ok("measure", "--device", "cpu")
    built = deck.ok("build")
    assert "2 notes held back, not measured yet: measured, other" in built.out
    on(deck, "acme-9", 9e-3)
    on(deck, "acme-10", 10e-3)
    assert "held back" not in deck.ok("build").out
    shown = {name: text.replace("\N{NO-BREAK SPACE}", " ") for name, text in fields(deck).items()}
    assert (
        "9 ms" in shown["measured"] and "ACME-9" in shown["measured"] and "ACME-10" not in shown["measured"]
    )
    assert "10 ms" in shown["other"] and "ACME-10" in shown["other"]
    # a build keeps records that no card shows: they cost somebody's time on a device
    assert len(records(deck)) == 3
    # the same code measured again replaces this machine's record alone
    deck.ok("measure", "--device", "cpu")
    assert {key.partition(" @ ")[2] for key in records(deck)} == {"acme-9", "acme-10", here_of(deck)}


def here_of(deck: Deck) -> str:
    return next(name for key in records(deck) if not (name := key.partition(" @ ")[2]).startswith("acme"))


def test_a_claim_may_compare_two_machines(deck: Deck) -> None:
    deck.ok("measure", "--device", "cpu")
    on(deck, "acme-9", 9e-3)
    name = here_of(deck)
    check = f'{{check}}`speeds.copy()["slow"] @ acme-9 > speeds.copy()["slow"] @ {name}`'
    both = f'{{value}}`speeds.copy()["slow"] @ acme-9 | ms` against {{value}}`speeds.copy()["slow"] @ {name} | ms` {check}'
    deck.write("cards/b.md", card(both, name="measured"))
    deck.ok("build")
    text = fields(deck)["measured"].replace("\N{NO-BREAK SPACE}", " ")
    assert "9 ms" in text and "4 ms" in text and text.count("Measured on ") == 2
    deck.edit("cards/b.md", '"slow"] @ acme-9 >', '"slow"] @ acme-9 <')
    assert "false" in deck.run("verify").err


def test_which_machine_is_meant_is_never_guessed(deck: Deck) -> None:
    deck.ok("measure", "--device", "cpu")
    on(deck, "acme-9", 9e-3)
    for command in ("verify", "build"):
        ran = deck.run(command)
        assert ran.status == 1
        assert "cards/b.md:7:1" in ran.err
        assert f"was measured on acme-9 and {here_of(deck)}; name one: `@ acme-9`" in ran.err


def test_a_machine_without_a_record_holds_the_note_back_and_says_who_has_one(deck: Deck) -> None:
    deck.ok("measure", "--device", "cpu")
    deck.edit("cards/b.md", "deck: Tests", "deck: Tests\nmachine: acme-9")
    assert "held back, not measured yet: measured" in deck.ok("build").out
    told = deck.ok("verify", "--json").json
    assert told["missing"] == ["speeds.copy() @ acme-9"]


def test_a_table_of_claims_names_its_machine(deck: Deck) -> None:
    row = "- claim: It is slow.\n  machine: acme-9\n  check: speeds.copy()['slow'] > 8 ms\n"
    deck.write("verifiers/claims/speeds.yaml", row)
    deck.ok("measure", "--device", "cpu")
    assert deck.ok("verify", "--json").json["missing"] == ["speeds.copy() @ acme-9"]
    on(deck, "acme-9", 9e-3)
    deck.write("cards/b.md", card("{judgement}`x`", name="measured"))
    deck.ok("verify")
    deck.edit("verifiers/claims/speeds.yaml", "> 8 ms", "> 10 ms")
    assert "speeds.yaml:3" in deck.run("verify").err
    deck.edit("verifiers/claims/speeds.yaml", "acme-9", "Acme 9")
    assert "speeds.yaml:2:12: `Acme 9` is no machine" in deck.run("check").err
    deck.edit("verifiers/claims/speeds.yaml", "Acme 9", "[acme-9, acme-10]")
    assert "speeds.yaml:2:21: a second machine" in deck.run("check").err


@pytest.mark.parametrize(
    ("role", "told"),
    [
        (
            "{value}`shapes.area() @ acme-9`",
            "`shapes.area` measures nothing: it gives the same on every machine",
        ),
        ("{check}`shapes.symmetric() @ acme-9`", "`shapes.symmetric` measures nothing"),
        ("{figure}`plots.line @ acme-9`", "`plots.line` measures nothing"),
        ("{value}`speeds.copy() @ Acme | ms`", "`Acme` is no machine"),
        ("{value}`speeds.copy() @ | ms`", "`` is no machine"),
        ("{value}`nope.f() @ acme-9`", "unknown verifier `nope.f`"),
        ("{figure}`nope.f @ acme-9`", "unknown figure `nope.f`"),
    ],
)
def test_a_wrong_machine_is_told_where_it_stands(
    deck: Deck, role: str, told: str, drawings: dict[str, bytes]
) -> None:
    deck.write("figures/plots.py", FIGURES)
    deck.write("cards/b.md", card(f"The {role}", name="measured"))
    ran = deck.run("check")
    assert ran.status == 1 and "cards/b.md:7:5" in ran.err and told in ran.err
    assert ran.err.count("cards/b.md:7:5") == 1


def test_a_file_that_names_a_machine_still_shows_what_is_computed(deck: Deck) -> None:
    both = f"{VALUE} and {{value}}`shapes.area(4, 5)` {{check}}`shapes.symmetric()`"
    deck.write("cards/b.md", card(both, name="measured", head="deck: Tests\nmachine: acme-9"))
    assert list(deck.ok("verify", "--json").json["missing"]) == ["speeds.copy() @ acme-9"]
    assert {"shapes.area(4, 5)", "shapes.symmetric()"} <= set(deck.lock())


def test_an_entry_that_the_machine_did_not_give_holds_the_note_back(deck: Deck) -> None:
    deck.write("cards/c.md", card('{value}`speeds.copy()["graph"] | ms`', name="other"))
    deck.ok("measure", "--device", "cpu")
    assert "1 note held back, not measured yet: other" in deck.ok("build").out
    assert set(fields(deck)) == {"q", "measured"}
    told = deck.ok("verify", "--json").json
    assert (told["missing"], told["failed"]) == (["speeds.copy()['graph']"], [])
    assert told["claims"]["measured"] == 1
    # a word that is misspelt in a comparison waits as well, and is named
    deck.write("cards/c.md", card('{check}`speeds.copy()["slwo"] > 1 ms`', name="other"))
    assert deck.ok("verify", "--json").json["missing"] == ["speeds.copy()['slwo']"]


def test_figures_show_the_machine_that_their_card_names(deck: Deck) -> None:
    deck.write("figures/times.py", PICTURE)
    shown = f"{VALUE}\n\n{{figure}}`times.bars`"
    deck.write("cards/b.md", card(shown, name="measured", head="deck: Tests\nmachine: acme-9"))
    deck.write("cards/c.md", card(shown, name="other", head="deck: Tests\nmachine: acme-10"))
    deck.ok("measure", "--device", "cpu")
    assert "2 notes held back" in deck.ok("build").out
    on(deck, "acme-9", 9e-3)
    on(deck, "acme-10", 10e-3)
    deck.ok("build")
    lines = map(json.loads, deck.read("figures/drawn.lock").splitlines()[1:])
    drawn = {line["figure"]: line["media"] for line in lines}
    assert set(drawn) == {"times.bars() @ acme-9", "times.bars() @ acme-10"}
    assert len(set(drawn.values())) == 2
    deck.ok("build", "--locked")
    # without a name it is not chosen for the author
    deck.write("cards/c.md", card("{judgement}`x`\n\n{figure}`times.bars`", name="other"))
    assert "it shows what acme-10 and acme-9 and" in deck.run("build").err


def test_a_figure_tells_which_call_it_waits_for(deck: Deck) -> None:
    deck.write("figures/times.py", PICTURE.replace("speeds.copy(size=1)", "speeds.copy(size=8)"))
    deck.write("cards/b.md", card(f"{VALUE}\n\n{{figure}}`times.bars`", name="measured"))
    deck.ok("measure", "--device", "cpu")
    built = deck.ok("build").out
    assert "1 note held back, not measured yet: measured" in built
    told = "figure times.bars(): nobody has measured speeds.copy(size=8); run `proofdeck measure 'speeds.copy(size=8)'`"
    assert told in built
    deck.ok("measure", "speeds.copy(size=8)", "--device", "cpu")
    assert "held back" not in deck.ok("build").out


def test_what_only_a_table_of_claims_shows_is_measured_too(deck: Deck) -> None:
    deck.write("verifiers/claims/speeds.yaml", "- claim: It is fast.\n  check: speeds.rate() > 1 TFLOP/s\n")
    found = deck.ok("measure", "--missing", "--device", "cpu", "--json").json["readings"]
    assert [reading["call"] for reading in found] == ["speeds.copy()", "speeds.rate()"]
    assert deck.ok("verify", "--json").json["missing"] == []


def test_a_measurement_of_the_processor_may_not_take_the_whole_machine(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proofdeck import measuring

    greedy = (
        SPEEDS
        + '''

@measurement
def greedy() -> dict[str, object]:
    """Takes memory.

    Unit: B
    """
    return {"value": len(bytearray(2**30))}
'''
    )
    deck.write("verifiers/speeds.py", greedy)
    assert "1 measurement recorded" in deck.ok("measure", "speeds.greedy()", "--device", "cpu").out
    monkeypatch.setattr(measuring, "_memory", lambda: 2**28)
    assert (
        "it wanted more than 0.25 GiB of memory"
        in deck.run("measure", "speeds.greedy()", "--device", "cpu").err
    )


def test_a_figure_of_a_missing_entry_waits_and_keeps_no_other_from_being_listed(deck: Deck) -> None:
    deck.write("figures/times.py", PICTURE)
    deck.write("cards/b.md", card(f"{VALUE}\n\n{{figure}}`times.bars`", name="measured"))
    deck.write("cards/c.md", card(f"{VALUE}\n\n{{figure}}`times.graph`", name="other"))
    deck.ok("measure", "--device", "cpu")
    assert "1 note held back, not measured yet: other" in deck.ok("build").out
    assert "times.bars()" in deck.read("figures/drawn.lock")
    deck.ok("build", "--locked")


def test_what_fails_is_told_and_the_rest_is_recorded(deck: Deck) -> None:
    deck.write(
        "cards/c.md",
        card(
            "{value}`speeds.broken() | ms` {value}`speeds.bare() | ms` {value}`speeds.rate() | si`",
            name="other",
        ),
    )
    ran = deck.run("measure", "--device", "cpu")
    assert ran.status == 1
    assert "speeds.broken(): relative error 1e+00 exceeds 1e-02" in ran.err
    assert "speeds.bare(): a measurement returns a mapping with `value`" in ran.err
    assert "2 measurements recorded" in ran.out and "2 failed" in ran.out
    assert {key.partition(" @ ")[0] for key in records(deck)} == {"speeds.copy()", "speeds.rate()"}


ODD = '''
from proofdeck import measurement


@measurement
def listing() -> dict[str, object]:
    """A record with the names alone of what was skipped, and with a machine of its own.

    Unit: fast=s
    """
    return {"value": {"fast": 0.5}, "skipped": ["graph"], "machine": "My Box", "device": 7, "date": None}


@measurement
def scalar() -> dict[str, object]:
    """One number, with its error and its roof.

    Unit: s
    """
    return {"value": 0.5, "roof": 0.4, "error": 0.002, "spreads": [0.1], "spread": 0.02}


@measurement
def nan() -> dict[str, object]:
    """No number.

    Unit: s
    """
    return {"value": float("nan")}


@measurement
def nothing() -> dict[str, object]:
    """Nothing at all.

    Unit: s
    """
    return {"value": None}
'''


def test_what_a_measurement_returns_beside_its_value_breaks_nothing(deck: Deck, tmp_path: Path) -> None:
    deck.write("verifiers/odd.py", ODD)
    shown = '{value}`odd.listing()["graph"] | ms` {value}`odd.listing()["fast"] | ms`'
    deck.write("cards/b.md", card(shown, name="measured"))
    ran = deck.ok("measure", "--device", "cpu")
    assert "  graph: skipped\n" in ran.out
    (line,) = records(deck).values()
    assert line["record"]["machine"] != "My Box" and line["record"]["date"]
    assert isinstance(line["record"]["device"], str)
    assert deck.ok("verify", "--json").json["missing"] == ["odd.listing()['graph']"]
    assert "held back" in deck.ok("build").out
    deck.ok("preview", "-o", str(tmp_path / "site"))
    assert "has no entry" in (tmp_path / "site/cards/b.html").read_text()


def test_a_value_without_entries_has_a_spread_a_roof_and_an_error_too(deck: Deck, tmp_path: Path) -> None:
    deck.write("verifiers/odd.py", ODD)
    deck.write("cards/b.md", card("{value}`odd.scalar() | s`", name="measured"))
    ran = deck.ok("measure", "--device", "cpu")
    assert ran.out.splitlines()[2].split() == ["0.5", "s", "2.0%", "40.0%", "2e-03"]
    deck.ok("build")
    assert "spread 2%, 40% of the roof, error 0.002" in fields(deck)["measured"]
    deck.ok("preview", "-o", str(tmp_path / "site"))
    page = (tmp_path / "site/evidence/measurements.html").read_text()
    assert "40.0%" in page and "fraction of the hardware" not in page


def test_what_is_no_value_is_not_recorded(deck: Deck) -> None:
    deck.write("verifiers/odd.py", ODD)
    ran = deck.run("measure", "odd.nan()", "odd.nothing()", "--device", "cpu")
    assert ran.status == 1
    assert "odd.nan(): it returned NaN" in ran.err and "odd.nothing(): it returned None" in ran.err
    assert not (deck.root / "verifiers/evidence.lock").exists()


def test_missing_is_what_measuring_here_can_give(deck: Deck) -> None:
    def taken() -> list[str]:
        found = deck.ok("measure", "--missing", "--device", "cpu", "--json").json["readings"]
        return [reading["call"] for reading in found]

    deck.edit("cards/b.md", "deck: Tests", "deck: Tests\nmachine: acme-9")
    # another machine's record is wanted; this one's is taken once, so that what is interrupted comes to an end
    assert [taken(), taken()] == [["speeds.copy()"], []]
    deck.edit("verifiers/speeds.py", "4e-3 * size", "5e-3 * size")
    assert [taken(), taken()] == [["speeds.copy()"], []]
    on(deck, "acme-9", 9e-3)
    deck.edit("cards/b.md", "\nmachine: acme-9", "")
    assert taken() == []  # which of the two is meant is not for this machine to say


def test_what_waits_hides_nothing_that_is_wrong_beside_it(deck: Deck) -> None:
    deck.write("cards/b.md", card('{check}`shapes.area() < speeds.copy()["slow"]`', name="measured"))
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return width * height + 1")
    for command in ("verify", "build"):
        told = deck.run(command)
        assert told.status == 1 and "cards/b.md:7:1" in told.err and "6 B → 7 B" in told.err


def test_a_figure_shows_no_measurement_that_is_older_than_its_code(deck: Deck, tmp_path: Path) -> None:
    deck.write("figures/times.py", PICTURE)
    deck.write("cards/b.md", card("{judgement}`x`\n\n{figure}`times.bars`", name="measured"))
    deck.ok("measure", "speeds.copy()", "--device", "cpu")
    deck.ok("build")
    deck.edit("verifiers/speeds.py", "4e-3 * size", "5e-3 * size")

    def refused(*options: str) -> None:
        ran = deck.run("build", *options)
        assert ran.status == 1
        assert "cards/b.md:9:1" in ran.err and "was measured with other code" in ran.err

    refused()
    refused("--locked")
    deck.ok("preview", "-o", str(tmp_path / "site"))
    assert "a measurement is older than its code" in (tmp_path / "site/cards/b.html").read_text()
    deck.ok("build", "--allow-stale")
    assert "stale: a measurement on this card" in fields(deck)["measured"]
    refused()  # what was drawn with leave is not taken for up to date
    deck.ok("measure", "speeds.copy()", "--device", "cpu")
    deck.ok("build")
    assert "stale" not in fields(deck)["measured"]


def test_a_record_of_arguments_that_the_function_no_longer_takes_breaks_no_figure(deck: Deck) -> None:
    deck.write("figures/times.py", PICTURE.replace("size=1", "n=1"))
    deck.write("cards/b.md", card("{judgement}`x`\n\n{figure}`times.bars`", name="measured"))
    deck.ok("measure", "speeds.copy(size=7)", "--device", "cpu")
    deck.write("verifiers/speeds.py", SPEEDS.replace("size: int", "n: int").replace("* size", "* n"))
    deck.ok("measure", "speeds.copy(n=1)", "--device", "cpu")
    assert "held back" not in deck.ok("build").out


def test_changes_tell_the_notes_that_show_a_machine(deck: Deck) -> None:
    deck.edit("cards/b.md", "deck: Tests", "deck: Tests\nmachine: acme-9")
    deck.ok("measure", "--device", "cpu")
    on(deck, "acme-9", 9e-3)
    deck.ok("build")
    (deck.root / "then").mkdir()
    deck.write("then/history.lock", deck.read("decks/history.lock"))
    deck.write("then/evidence.lock", deck.read("verifiers/evidence.lock"))
    deck.write("verifiers/evidence.lock", deck.read("verifiers/evidence.lock").replace("0.009", "0.008"))
    deck.ok("build")
    told = deck.ok("changes", "--since", str(deck.root / "then/history.lock"), "--json").json["values"]
    assert [(row["call"], row["notes"]) for row in told] == [("speeds.copy() @ acme-9", ["measured"])]


def test_selections(deck: Deck) -> None:
    deck.write("cards/c.md", card("{value}`speeds.rate() | TFLOP/s`", name="other"))

    def calls(*select: str) -> list[str]:
        found = deck.ok("measure", *select, "--device", "cpu", "--json").json["readings"]
        return [reading["call"] for reading in found]

    assert calls("speeds.rate") == ["speeds.rate()"]
    assert calls("speeds") == ["speeds.copy()", "speeds.rate()"]
    assert calls("speeds.copy(size=7)") == ["speeds.copy(size=7)"]
    for word, told in (
        ("speeds.rat", "did you mean `speeds.rate`"),
        ("shapes.area()", "is no measurement"),
        ("shapes.area", "`shapes.area` is no measurement"),
        ("zzz.qqq()", "`zzz.qqq` is no measurement\n"),
        ("speeds.broken", "no card shows a measurement"),
        ("speeds.copy(", "is not an expression"),
    ):
        ran = deck.run("measure", word, "--device", "cpu")
        assert ran.status == 2 and told in ran.err, ran.err


def test_a_device_that_is_not_there_is_told_before_anything_runs(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ran = deck.run("measure")
    assert ran.status == 2 and "finds no CUDA device here; `--device cpu`" in ran.err
    assert not (deck.root / "verifiers/evidence.lock").exists()


def test_measuring_the_processor_hides_accelerators(deck: Deck) -> None:
    code = '''
import os

from proofdeck import measurement


@measurement
def seen() -> dict[str, object]:
    """What a measurement of the processor sees.

    Unit: text
    """
    return {"value": f"{os.environ.get('CUDA_VISIBLE_DEVICES')!r} {os.environ.get('OMP_NUM_THREADS')}"}
'''
    deck.write("verifiers/eyes.py", code)
    (reading,) = deck.ok("measure", "eyes.seen()", "--device", "cpu", "--json").json["readings"]
    assert reading["value"].startswith("'' ")
    assert not reading["value"].endswith(" 1")  # all cores work for it


def test_the_preview_tells_what_waits(deck: Deck, tmp_path: Path) -> None:
    deck.write("cards/c.md", card('{value}`speeds.copy()["graph"] | ms`', name="other"))
    deck.ok("measure", "--device", "cpu")
    ran = deck.ok("preview", "-o", str(tmp_path / "site"))
    assert "problem" not in ran.err
    page = (tmp_path / "site" / "cards" / "c.html").read_text()
    assert "has no entry" in page
