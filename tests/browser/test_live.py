"""An open page follows its sources while `proofdeck preview --serve` runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.helpers import Deck, card, make_deck

from .helpers import Watched, watched

PATIENCE = 60_000
"""Milliseconds that a loaded machine is given to build and reload."""


@dataclass
class Served:
    """A project whose preview is served."""

    deck: Deck
    address: str

    def save(self, body: str) -> None:
        """Save the one card file, as editors do: all at once."""
        fresh = self.deck.write("cards/fresh", card(body))
        fresh.replace(self.deck.root / "cards/a.md")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip("watchfiles")
    deck = make_deck(tmp_path / "project", cards="{judgement}`The former answer.`")
    command = [
        sys.executable,
        "-m",
        "proofdeck",
        "preview",
        "--serve",
        "--port",
        "0",
        "--root",
        str(deck.root),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
    ) as server:
        try:
            assert server.stdout
            found = next(filter(None, (re.search(r"http://\S+/", line) for line in server.stdout)))
            yield Served(deck, found[0])
        finally:
            server.terminate()
            server.communicate()


@pytest.fixture
def window(browser: Any, served: Served) -> Iterator[Watched]:
    with watched(browser, served.address) as opened:
        opened.page.set_default_timeout(PATIENCE)
        yield opened
        faults = [fault for fault in opened.faults if "/__events" not in fault]  # it ends with the page
    assert not faults


def says(page: Any, text: str) -> Any:
    return page.locator("main").get_by_text(text).first


def test_a_saved_card_shows_by_itself_and_leaves_the_reader_where_he_was(
    window: Watched, served: Served
) -> None:
    page = window.open("cards/a.html")
    assert says(page, "The former answer.").is_visible()
    page.locator(".site-back details.proof > summary").first.click()
    served.save("{judgement}`The later answer.`")
    says(page, "The later answer.").wait_for()
    assert not page.get_by_text("The former answer.").count()
    assert page.locator(".site-back details.proof").first.evaluate("details => details.open")
    served.save("{judgement}`The last answer.`")
    says(page, "The last answer.").wait_for()


def test_a_wrong_claim_shows_where_it_stands_until_it_is_mended(window: Watched, served: Served) -> None:
    page = window.open("cards/a.html")
    served.save("One is two {check}`shapes.wrong()`.")
    page.locator("#q .site-problem", has_text="one is not two").wait_for()
    assert page.locator("#q .site-state").inner_text() == "wrong"
    assert page.locator(".site-problems a", has_text="one is not two").count() == 1
    served.save("It takes 77 GB {judgement}`or so`.")
    page.locator("#q .site-problem", has_text="77").wait_for()
    assert not page.get_by_text("one is not two").count()
    served.save("It is {value}`shapes.area()`.")
    page.locator("#q .value", has_text="6").first.wait_for()
    assert not page.locator(".site-problem, .site-problems").count()


def test_what_stops_a_build_shows_above_the_page_that_stays(window: Watched, served: Served) -> None:
    page = window.open("cards/a.html")
    lock = served.deck.write("verifiers/evidence.lock", "no lock\n")
    page.locator(".site-failure", has_text="evidence.lock").wait_for()
    assert says(page, "The former answer.").is_visible()
    lock.unlink()
    page.locator(".site-failure").wait_for(state="detached")


def test_a_page_that_shows_nothing_of_a_change_stays(window: Watched, served: Served) -> None:
    page = window.open("evidence/errata.html")
    page.evaluate("window.untouched = true")
    served.save("{judgement}`The later answer.`")
    other = page.context.new_page()
    other.set_default_timeout(PATIENCE)
    other.goto(served.address + "cards/a.html")
    says(other, "The later answer.").wait_for()
    assert page.evaluate("window.untouched")


def test_nothing_is_served_that_reloads_a_page_from_disk(served: Served, browser: Any) -> None:
    folder = served.deck.root / ".proofdeck/site"
    with watched(browser, folder.as_uri() + "/") as opened:
        opened.open("cards/a.html")
        opened.page.wait_for_load_state("networkidle")
    assert not opened.faults
