"""What is remembered of a run: when, how long, on what; in the cache alone, and only where it really ran."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from proofdeck.cache import Cache
from proofdeck.evidence import runs
from proofdeck.evidence.runs import Ran, remembered_runs
from tests.engine.helpers import Deck, make_deck

SLOW = '''
import time

from proofdeck import verifier


@verifier
def waits() -> int:
    """One, after a while.

    Unit: 1
    """
    time.sleep(0.2)
    return 1


@verifier
def raises() -> int:
    """Nothing.

    Unit: 1
    """
    raise ValueError("no")
'''


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return make_deck(tmp_path / "deck", {"verifiers/slow.py": SLOW}, "It is {value}`slow.waits()`.")


def remembered(deck: Deck) -> dict[str, tuple[str, Ran]]:
    with Cache(deck.root / ".proofdeck").closing() as cache:
        return remembered_runs(cache)


def at(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    fixed: Callable[[], str] = lambda: machine  # noqa: E731
    monkeypatch.setattr(runs, "this_machine", fixed)


def test_a_run_is_remembered_with_its_time_duration_and_machine(deck: Deck) -> None:
    deck.ok("verify")
    ((call, (code, ran)),) = remembered(deck).items()
    assert call == "slow.waits()"
    assert code == deck.lock()[call]["code"]
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\dZ", ran.when)
    assert ran.seconds >= 0.2
    assert platform.machine() in ran.machine and platform.python_version() in ran.machine


def test_no_name_of_a_host_or_a_person_is_remembered(deck: Deck) -> None:
    deck.ok("verify")
    (_, ran) = remembered(deck)["slow.waits()"]
    cores = os.cpu_count() or 1
    told = [platform.system(), platform.machine(), f"{cores} core{'s' if cores > 1 else ''}"]
    assert ran.machine.split(", ") == [*told, f"Python {platform.python_version()}"]


def test_a_remembered_value_is_no_new_run(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "the first")
    deck.ok("verify")
    at(monkeypatch, "the second")
    (deck.root / "verifiers/evidence.lock").unlink()
    assert deck.ok("verify", "--json").json["ran"] == 0
    assert remembered(deck)["slow.waits()"][1].machine == "the first"
    deck.ok("verify", "--all")
    assert remembered(deck)["slow.waits()"][1].machine == "the second"


def test_a_run_that_fails_is_one_too(deck: Deck) -> None:
    deck.write("cards/b.md", "---\ndeck: Tests\n---\n\n# B? {#b}\n\nIt is {value}`slow.raises()`.\n")
    assert deck.run("verify").status == 1
    assert set(remembered(deck)) == {"slow.waits()", "slow.raises()"}


def test_locks_hold_nothing_of_it(deck: Deck) -> None:
    deck.ok("build")
    before = deck.snapshot()
    (deck.root / ".proofdeck/cache.db").unlink()
    deck.ok("verify", "--all")
    deck.ok("build")
    after = deck.snapshot()
    assert before == after
    assert set(deck.lock()["slow.waits()"]) == {"call", "value", "unit", "code"}
