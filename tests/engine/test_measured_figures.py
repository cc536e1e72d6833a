"""Figures of measurements: what they wait for, and what they may not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import Deck, card
from .measured import PICTURE, SPEEDS, VALUE, fields, measured_deck


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return measured_deck(tmp_path)


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


def test_a_figure_of_a_missing_entry_waits_and_keeps_no_other_from_being_listed(deck: Deck) -> None:
    deck.write("figures/times.py", PICTURE)
    deck.write("cards/b.md", card(f"{VALUE}\n\n{{figure}}`times.bars`", name="measured"))
    deck.write("cards/c.md", card(f"{VALUE}\n\n{{figure}}`times.graph`", name="other"))
    deck.ok("measure", "--device", "cpu")
    assert "1 note held back, not measured yet: other" in deck.ok("build").out
    assert "times.bars()" in deck.read("figures/drawn.lock")
    deck.ok("build", "--locked")


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
