"""A project with a measurement, and what the tests of measurements ask of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .helpers import Deck, card, make_deck
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


def measured_deck(root: Path) -> Deck:
    """One note that shows a measurement, one that shows none."""
    made = make_deck(root / "deck", {"verifiers/speeds.py": SPEEDS}, "{value}`shapes.area()`")
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


def here_of(deck: Deck) -> str:
    return next(name for key in records(deck) if not (name := key.partition(" @ ")[2]).startswith("acme"))


def fields(deck: Deck) -> dict[str, str]:
    """What every note of the package holds, by id."""
    notes = notes_in(deck.root / "decks/build/t.apkg").items()
    return {name: "\n".join(fields.values()) for name, fields in notes}
