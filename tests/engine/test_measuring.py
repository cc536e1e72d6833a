"""Measurements: taken when asked for, recorded with their machine, shown, or else waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import Deck, card
from .measured import SPEEDS, fields, here, measured_deck, records


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return measured_deck(tmp_path)


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


def test_what_waits_hides_nothing_that_is_wrong_beside_it(deck: Deck) -> None:
    deck.write("cards/b.md", card('{check}`shapes.area() < speeds.copy()["slow"]`', name="measured"))
    deck.ok("verify")
    deck.edit("verifiers/shapes.py", "return width * height", "return width * height + 1")
    for command in ("verify", "build"):
        told = deck.run(command)
        assert told.status == 1 and "cards/b.md:7:1" in told.err and "6 B → 7 B" in told.err


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
