"""Search and filters over the list of notes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .conftest import Site
from .helpers import Watched, watched


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def hosted(small: Site) -> Iterator[str]:
    """The address of the small site on a static host."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(small.folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["disk", "host"])
def window(request: pytest.FixtureRequest, browser: Any, small: Site) -> Iterator[Watched]:
    home = small.home if request.param == "disk" else request.getfixturevalue("hosted")
    with watched(browser, home) as opened:
        opened.open("index.html")
        yield opened
    assert not opened.faults


def shown(page: Any) -> list[str]:
    """Return the ids of the notes in the list that a reader sees."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('[data-note]')].filter(e => e.offsetParent).map(e => e.dataset.note)"
    )
    return sorted(found)


def search(page: Any, text: str) -> None:
    """Type a text and wait until all texts are searched, which the first search has to read."""
    page.get_by_role("searchbox").fill(text)
    page.wait_for_function("window.PROOFDECK")


def test_a_word_of_an_answer_finds_its_note(window: Watched) -> None:
    search(window.page, "quokka")
    assert shown(window.page) == ["rectangle"]
    assert window.page.locator(".site-found").inner_text().startswith("1 of ")
    headings = window.page.locator(".site-topic h3:visible")
    assert headings.count() == 1, "topics without a hit still stand there"


def test_words_of_a_deeper_level_a_question_and_an_id_find_it(window: Watched) -> None:
    for text, found in {
        "half the perimeter": ["rectangle"],  # an answer of its trap
        "how does it GROW": ["rectangle"],  # a question of its L1, in whatever case
        "square-trap": ["square-trap"],  # an id
        "corner": ["gaps"],  # a gap
        "nowhere-to-be-found": [],
    }.items():
        search(window.page, text)
        assert shown(window.page) == found, text
    assert window.page.locator(".site-found").inner_text().startswith("0 of ")


def test_every_filter_leaves_its_notes(window: Watched) -> None:
    page = window.page
    flat = ["gaps", "long-word", "picture", "ratio", "wide-table"]
    for label, choice, found in (
        ("Deck", "Geometry::Shapes of all kinds", flat),
        ("Tag", "wide", flat),
        ("Tag", "basics", ["rectangle"]),
        ("Evidence", "measured", ["never", "older", "taken"]),
        ("Evidence", "cited", ["rectangle"]),
        ("Evidence", "none", ["broken", "said"]),
        ("State", "wrong", ["bare", "broken", "wrong"]),
        ("State", "unverified", ["said"]),
        ("State", "stale", ["older"]),
        ("State", "held back", ["never"]),
        ("Coverage", "some", ["rectangle", "square-trap"]),
        ("Coverage", "book", ["rectangle"]),
    ):
        page.get_by_label(label).select_option(choice)
        assert shown(page) == found, (label, choice)
        page.get_by_role("button", name="Clear").click()
    everything = shown(page)
    assert len(everything) > 15
    page.get_by_label("Coverage").select_option("none")
    assert shown(page) == sorted(set(everything) - {"rectangle", "square-trap"})


def test_a_deck_shows_its_subdecks_and_no_namesake(window: Watched) -> None:
    window.page.get_by_label("Deck").select_option("Geometry")
    found = set(shown(window.page))
    assert {"rectangle", "ratio"} <= found
    assert not {"loose", "taken"} & found, "other decks"
    assert "namesake" not in found, "a deck whose name begins alike"


def test_filters_and_search_narrow_each_other(window: Watched) -> None:
    page = window.page
    page.get_by_label("Tag").select_option("geometry")
    page.get_by_label("State").select_option("verified")
    page.get_by_label("Deck").select_option("Geometry::Areas")
    assert shown(page) == ["rectangle", "square", "square-trap"]
    search(page, "equal sides")
    assert shown(page) == ["square"]


def test_clear_shows_everything_again(window: Watched) -> None:
    page = window.page
    everything = shown(page)
    search(page, "quokka")
    page.get_by_label("State").select_option("verified")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("!location.hash")
    assert shown(page) == everything
    assert page.locator(".site-found").inner_text() == ""


def test_an_address_keeps_what_was_asked(window: Watched, browser: Any) -> None:
    page = window.page
    search(page, "w & h")
    assert shown(page) == []
    assert page.url.endswith("#q=w%20%26%20h")
    search(page, "product a")
    page.get_by_label("Tag").select_option("basics")
    address, found = page.url, shown(page)
    assert found == ["rectangle"]
    page.reload()
    page.wait_for_function("window.PROOFDECK")
    assert page.get_by_role("searchbox").input_value() == "product a"
    assert page.get_by_label("Tag").input_value() == "basics"
    assert shown(page) == found
    with watched(browser, window.home) as other:
        other.page.goto(address)
        other.page.wait_for_function("window.PROOFDECK")
        assert shown(other.page) == found


def test_going_back_from_a_card_finds_the_list_as_it_was(window: Watched) -> None:
    page = window.page
    search(page, "quokka")
    page.locator("[data-note=rectangle] a").click()
    page.wait_for_url("**/areas.html#rectangle")
    page.go_back()
    page.wait_for_function("document.querySelector('.site-found').textContent.startsWith('1 of')")
    assert shown(page) == ["rectangle"]
    assert page.get_by_role("searchbox").input_value() == "quokka"


def test_an_address_of_nobody_is_ignored(window: Watched) -> None:
    page = window.page
    everything = shown(page)
    for nonsense in ("#q=%E0%A4%A", "#length=3&nothing=1&=", "#main"):
        page.goto("about:blank")
        window.open("index.html" + nonsense)
        assert shown(page) == everything, nonsense


def test_the_index_holds_every_note_that_has_cards(small: Site) -> None:
    text = Path(small.folder / "assets/search-index.js").read_text()
    assert "quokka" in text and "<" not in text.replace("<script>alert(1)</script>", "")
