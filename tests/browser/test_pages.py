"""Every page of the site: quiet, on this machine alone, as wide as the window, and open to everybody."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Site
from .helpers import OUT_OF_REACH, PHONE, TOO_WIDE, pages_of, told, unfold, violations, watched


@pytest.fixture(params=["small", "large"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    return found


def sample(site: Site) -> list[str]:
    """Return all pages of a small site; of a large one, each kind of page and the longest of its kind."""
    pages = pages_of(site.folder)
    if len(pages) < 40:
        return pages
    sizes = {page: (site.folder / page).stat().st_size for page in pages}
    topics = [page for page in pages if page.startswith("cards/")]
    kinds = (
        "all-verifiers",
        "citations",
        "claims-",
        "errata",
        "history",
        "index",
        "judgement",
        "measurements",
    )
    tops = [page for page in pages if page.startswith(tuple(f"evidence/{kind}" for kind in kinds))]
    modules = [page for page in pages if page.startswith("evidence/") and page not in tops]
    longest = [max(group, key=sizes.__getitem__) for group in (topics, modules)]
    shortest = min(topics, key=sizes.__getitem__)
    return ["index.html", shortest, *longest, *tops]


def test_no_page_complains_or_asks_for_anything_beyond_the_site(browser: Any, site: Site) -> None:
    with watched(browser, site.home) as window:
        for path in sample(site):
            unfold(window.open(path))
            window.page.wait_for_load_state("networkidle")
            broken = window.page.evaluate(
                "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"
            )
            assert not broken, path
        assert not window.faults


def test_no_page_is_wider_than_a_phone(browser: Any, site: Site) -> None:
    wide = {}
    with watched(browser, site.home, viewport=PHONE) as window:
        for path in sample(site):
            unfold(window.open(path))
            wide[path] = window.page.evaluate(TOO_WIDE)
    assert not {path: why for path, why in wide.items() if why}


def test_whatever_scrolls_sideways_is_reached_by_key(browser: Any, site: Site) -> None:
    found = {}
    with watched(browser, site.home, viewport=PHONE) as window:
        for path in sample(site):
            unfold(window.open(path))
            found[path] = window.page.evaluate(OUT_OF_REACH)
    assert not {path: boxes for path, boxes in found.items() if boxes}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(browser: Any, site: Site, axe: str, scheme: str) -> None:
    found = []
    # the scheme changes colours alone; a page of a thousand rows would take minutes
    rules = ["color-contrast"] if scheme == "dark" else []
    paths = [path for path in sample(site) if (site.folder / path).stat().st_size < 60_000]
    assert len(paths) > 5
    with watched(browser, site.home, color_scheme=scheme) as window:
        for path in paths:
            unfold(window.open(path))
            found += [told(path, each) for each in violations(window.page, axe, *rules)]
    assert not found, "\n".join(found)


def test_every_link_within_the_site_leads_somewhere(browser: Any, small: Site) -> None:
    with watched(browser, small.home) as window:
        ids, links = {}, set()
        for path in pages_of(small.folder):
            window.open(path)
            ids[small.home + path] = set(
                window.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
            )
            links |= {
                (path, link)
                for link in window.page.evaluate("[...document.links].map(link => link.href)")
                if link.startswith("file:")
            }
    lost = []
    for path, link in sorted(links):
        page, _, anchor = link.partition("#")
        if page not in ids or (anchor and anchor not in ids[page]):
            lost.append(f"{path} → {link.removeprefix(small.home)}")
    assert not lost


def test_everything_is_read_without_javascript(browser: Any, small: Site) -> None:
    with watched(browser, small.home, java_script_enabled=False) as window:
        page = window.open("index.html")
        assert page.locator("[data-note]:visible").count() == page.locator("[data-note]").count() > 10
        assert not page.locator(".site-find, .site-theme").locator("visible=true").count(), "dead controls"
        page.get_by_role("link", name="What is the area of a rectangle").click()
        back = page.locator("#rectangle .site-back").first
        assert back.locator(".answer").first.is_visible()
        assert "quokka" in back.locator(".answer").first.inner_text()
        deeper = back.locator("details.deeper").first
        inside = deeper.get_by_text("With the product")
        assert not inside.is_visible()
        deeper.locator("summary").first.click()
        assert inside.is_visible()
        proof = back.locator("details.proof").first
        proof.locator("summary").first.click()
        assert proof.get_by_text("shapes.area").first.is_visible()
        assert not page.locator(".site-tools").is_visible()
        assert not page.locator(".timer").count()
        for path in pages_of(small.folder):
            window.open(path)
            assert len(page.locator("main").inner_text()) > 40, path
        assert not window.faults


def test_a_wrong_claim_and_an_unreadable_card_stand_where_they_are(at_small: Any) -> None:
    page = at_small.open("cards/more/wrong.html")
    note = page.locator("#wrong")
    assert note.locator(".site-state").inner_text() == "wrong"
    assert "one is not two" in note.locator(".site-problem").first.inner_text()
    assert "77" in page.locator("#bare .site-problem").inner_text()
    problems = page.locator(".site-problems")
    problems.locator("summary").click()
    problems.get_by_role("link", name="one is not two").first.click()
    assert page.url.endswith("cards/more/wrong.html#wrong")
    page = at_small.open("cards/more/broken.html")
    assert "not a literal" in page.locator("#broken").inner_text()
    page = at_small.open("cards/speed.html")
    states = [page.locator(f"#{name} .site-state").inner_text() for name in ("taken", "older", "never")]
    assert states == ["verified", "stale", "held back"]


def test_what_a_card_quotes_is_text(at_small: Any) -> None:
    page = at_small.open("cards/more/imported.html")
    assert page.locator("#said").get_by_text("<script>alert(1)</script>").first.is_visible()
    assert not page.locator("main script").count()
