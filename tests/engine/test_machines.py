"""Whose records a card shows: the machine that it names, never one that is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .helpers import FIGURES, Deck, card
from .measured import PICTURE, VALUE, fields, here_of, measured_deck, on, records


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return measured_deck(tmp_path)


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
