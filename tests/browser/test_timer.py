"""The timer of the spoken answer, on cards as Anki's clients load them.

Anki's desktop keeps one page and puts each side into it, scripts created anew; other clients load each side as
a page. The clock is the test's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proofdeck.package.notetypes import NOTE_TYPES, css
from proofdeck.preview.sides import Sides, sides

from .helpers import DESK, watched

HOME = "http://127.0.0.1:9/"
"""Where pages come from that a test makes up; nothing is asked there."""
STORES = "['sessionStorage', 'localStorage']"
FORBIDDEN = (
    STORES
    + """.forEach(name => Object.defineProperty(window, name, {
    get() { throw new DOMException("denied", "SecurityError"); }
}))"""
)
FULL = """for (const name of ["getItem", "setItem"])
    Storage.prototype[name] = () => { throw new DOMException("full", "QuotaExceededError"); }"""
# counts the intervals that run, below whatever clock is installed
COUNTED = """() => {
    window.running = new Set();
    const set = window.setInterval, clear = window.clearInterval;
    window.setInterval = (...args) => { const id = set(...args); running.add(id); return id; };
    window.clearInterval = id => { running.delete(id); clear(id); };
}"""
# what Anki's desktop does with each side
DESKTOP = """html => {
    const box = document.getElementById("qa");
    box.innerHTML = html;
    for (const old of [...box.getElementsByTagName("script")]) {
        const fresh = document.createElement("script");
        for (const {name, value} of old.attributes) fresh.setAttribute(name, value);
        fresh.appendChild(document.createTextNode(old.innerHTML));
        old.replaceWith(fresh);
    }
}"""


def card(kind: str = "depth-tree", ordinal: int = 0, **fields: str) -> Sides:
    """Return both sides of a card, as the templates make them."""
    filled = {name: f"The {name}." for name in NOTE_TYPES[kind].field_names} | fields
    return sides(kind, filled, ordinal, "Deck", "tag")


def stop_clock(page: Any) -> None:
    """From here on time passes only where a test says so."""
    page.clock.install(time=1_800_000_000)
    page.clock.pause_at(1_800_000_001)


class Reviewer:
    """A client of Anki that shows sides; `turn` shows the next."""

    def __init__(self, page: Any, turn: Callable[[Any, str], None]) -> None:
        self.page = page
        self._turn = turn

    def show(self, side: str) -> None:
        self._turn(self.page, side)

    @property
    def timer(self) -> Any:
        return self.page.locator(".timer")

    @property
    def told(self) -> str:
        return str(self.timer.inner_text())

    def wait(self, seconds: int) -> None:
        self.page.clock.run_for(seconds * 1000)


def as_page(page: Any, side: str) -> None:
    html = f'<!doctype html><html lang="en"><head><title>c</title><style>{css()}</style></head><body class="card"><div id="qa">{side}</div></body></html>'
    page.unroute_all()
    page.route(HOME + "**", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
    page.goto(HOME)


def into_the_page(page: Any, side: str) -> None:
    if not page.url.startswith(HOME):
        as_page(page, "")
        page.evaluate(COUNTED)
    page.evaluate(DESKTOP, side)


@pytest.fixture(params=[as_page, into_the_page], ids=["page", "desktop"])
def reviewer(request: pytest.FixtureRequest, browser: Any) -> Iterator[Reviewer]:
    with watched(browser, HOME, viewport=DESK) as window:
        stop_clock(window.page)
        yield Reviewer(window.page, request.param)
    assert not window.faults


def test_it_counts_while_the_front_is_shown(reviewer: Reviewer) -> None:
    reviewer.show(card().front)
    assert reviewer.told == "0:00 / 1:30"
    reviewer.wait(7)
    assert reviewer.told == "0:07 / 1:30"
    reviewer.wait(83)
    assert reviewer.told == "1:30 / 1:30"
    assert "over" not in reviewer.timer.get_attribute("class")
    reviewer.wait(2)
    assert reviewer.told == "1:32 / 1:30"
    assert "over" in reviewer.timer.get_attribute("class")


def test_it_stands_still_on_the_back(reviewer: Reviewer) -> None:
    shown = card()
    reviewer.show(shown.front)
    reviewer.wait(42)
    reviewer.show(shown.back)
    assert reviewer.told == "0:42 / 1:30"
    reviewer.wait(30)
    assert reviewer.told == "0:42 / 1:30"
    reviewer.show(shown.back)  # as a client does on turning the telephone
    assert reviewer.told == "0:42 / 1:30"
    reviewer.show(card(ordinal=1).front)
    assert reviewer.told == "0:00 / 1:30"
    reviewer.wait(5)
    reviewer.show(card(ordinal=1).back)
    assert reviewer.told == "0:05 / 1:30"


@pytest.mark.parametrize("ordinal, goal", list(enumerate(["1:30", "1:30", "3:00", "3:00", "1:30"])))
def test_the_whole_ladder_has_three_minutes(reviewer: Reviewer, ordinal: int, goal: str) -> None:
    reviewer.show(card(ordinal=ordinal).front)
    assert reviewer.told == f"0:00 / {goal}"


def test_a_click_switches_it_off_for_the_cards_to_come_and_on_again(reviewer: Reviewer) -> None:
    shown = card()
    reviewer.show(shown.front)
    reviewer.wait(3)
    reviewer.timer.click()
    assert reviewer.told == "timer off"
    assert reviewer.timer.get_attribute("aria-label") == "Switch the timer on"
    assert reviewer.page.evaluate("document.activeElement === document.body"), "space must show the answer"
    reviewer.wait(60)
    assert reviewer.told == "timer off"
    reviewer.show(shown.back)
    assert reviewer.told == "timer off"
    reviewer.wait(1)
    reviewer.show(card("basic").front)
    assert reviewer.told == "timer off"
    reviewer.wait(4)
    reviewer.timer.click()
    assert reviewer.told == "0:04 / 1:30"
    reviewer.show(card("basic").back)
    assert reviewer.told == "0:04 / 1:30"
    reviewer.show(shown.front)
    assert reviewer.told == "0:00 / 1:30"


@pytest.mark.parametrize("storage", [FORBIDDEN, FULL], ids=["forbidden", "full"])
def test_it_counts_where_nothing_may_be_stored(reviewer: Reviewer, storage: str) -> None:
    reviewer.page.add_init_script(storage)
    shown = card()
    reviewer.show(shown.front)
    reviewer.wait(9)
    assert reviewer.told == "0:09 / 1:30"
    reviewer.timer.click()
    assert reviewer.told == "timer off"
    reviewer.timer.click()
    reviewer.show(shown.back)
    kept = reviewer.page.evaluate("Object.keys(window.proofdeckTimer).includes('begun')")
    # a page of its own cannot know when the front was shown, and must not make up a time
    assert reviewer.told == ("0:09 / 1:30" if kept else "")


def test_no_interval_outlives_its_card(browser: Any) -> None:
    with watched(browser, HOME) as window:
        stop_clock(window.page)
        reviewer = Reviewer(window.page, into_the_page)
        running = lambda: reviewer.page.evaluate("running.size")  # noqa: E731
        for ordinal in range(5):
            reviewer.show(card(ordinal=ordinal).front)
            assert running() == 1
            reviewer.wait(2)
            assert running() == 1
            reviewer.show(card(ordinal=ordinal).back)
            reviewer.wait(2)
            assert running() == 0, "it goes on behind the back"
        reviewer.show(card().front)
        reviewer.show("<p>A card of another deck.</p>")
        reviewer.wait(2)
        assert running() == 0, "it goes on behind another card"
        assert not window.faults


def test_cloze_cards_have_none(reviewer: Reviewer) -> None:
    reviewer.show(card("cloze", Text="A {{c1::gap}}.").front)
    assert reviewer.page.locator(".cloze").inner_text() == "[...]"
    assert not reviewer.timer.count()


def test_nothing_stands_there_without_javascript(browser: Any) -> None:
    with watched(browser, HOME, java_script_enabled=False) as window:
        for side in (card().front, card().back):
            as_page(window.page, side)
            assert window.page.locator(".timer").count() == 1
            assert not window.page.locator(".timer").is_visible()
            assert window.page.locator(".question").is_visible()
            text = window.page.locator("body").inner_text()
            assert "function" not in text and "1:30" not in text
