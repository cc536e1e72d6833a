"""What a reader does with the cards of a page: light and dark, sides, figures, what is folded."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Site
from .helpers import PHONE, Watched, watched

AREAS = "cards/geometry/areas.html"
DARK = "document.documentElement.classList.contains('nightMode')"


def paper(page: Any) -> int:
    """Return how bright the first card is, from 0 to 765."""
    found: int = page.evaluate(
        "getComputedStyle(document.querySelector('.card')).backgroundColor.match(/\\d+/g).slice(0, 3)"
        ".reduce((sum, part) => sum + Number(part), 0)"
    )
    return found


def test_light_and_dark_follow_the_system(at_small: Watched) -> None:
    page = at_small.page
    page.emulate_media(color_scheme="dark")
    at_small.open(AREAS)
    assert page.evaluate(DARK)
    assert paper(page) < 200
    page.emulate_media(color_scheme="light")
    page.wait_for_function("!" + DARK)
    assert paper(page) > 700


def test_the_button_chooses_for_every_page(at_small: Watched) -> None:
    page = at_small.page
    page.emulate_media(color_scheme="light")
    at_small.open("index.html")
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(DARK)
    at_small.open(AREAS)
    assert page.evaluate(DARK)
    assert paper(page) < 200
    at_small.open("evidence/index.html")
    assert page.evaluate(DARK)
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light").click()
    at_small.open("index.html")
    assert not page.evaluate(DARK), "the choice counts less than the system"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_javascript_the_site_is_readable_in_either_scheme(
    browser: Any, small: Site, axe: str, scheme: str
) -> None:
    with watched(browser, small.home, java_script_enabled=False, color_scheme=scheme) as window:
        page = window.open(AREAS)
        found = page.evaluate(
            """() => ['body', '.card'].map(name => {
                const style = getComputedStyle(document.querySelector(name));
                return [style.color, style.backgroundColor].map(
                    colour => colour.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0));
            })"""
        )
        for ink, paper in found:
            assert abs(ink - paper) > 350, found


def test_fronts_backs_or_both(at_small: Watched) -> None:
    page = at_small.open(AREAS)
    fronts, backs = page.locator(".site-front"), page.locator(".site-back")
    seen = lambda: (fronts.first.is_visible(), backs.first.is_visible())  # noqa: E731
    assert seen() == (True, True)
    for name, wanted in {"Fronts": (True, False), "Backs": (False, True), "Both": (True, True)}.items():
        button = page.get_by_role("button", name=name)
        button.click()
        assert seen() == wanted, name
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator("[data-show][aria-pressed=true]").count() == 1
    page.get_by_role("button", name="Backs").click()
    at_small.open("cards/geometry/shapes.html")
    assert seen() == (False, True), "the next page forgot it"


def test_cards_as_wide_as_a_phone(at_small: Watched) -> None:
    page = at_small.open(AREAS)
    button = page.get_by_role("button", name="Phone width")
    card = page.locator(".site-back .card").first
    before = card.bounding_box()["width"]
    button.click()
    assert card.bounding_box()["width"] <= 400 < before
    assert button.get_attribute("aria-pressed") == "true"
    page.reload()
    assert card.bounding_box()["width"] <= 400
    button.click()
    assert card.bounding_box()["width"] == before


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1200, "height": 900}], ids=["phone", "desk"])
@pytest.mark.parametrize("how", ["tap", "key"])
def test_a_figure_grows_and_shrinks_again(
    browser: Any, small: Site, viewport: dict[str, int], how: str
) -> None:
    with watched(browser, small.home, viewport=viewport) as window:
        page = window.open(AREAS)
        zoom = page.locator(".site-back .zoom").first
        image, box = zoom.locator("img"), zoom.locator("input")
        image.scroll_into_view_if_needed()

        def press() -> None:
            if how == "tap":
                image.click()
            else:
                box.focus()
                page.keyboard.press("Space")

        before = image.bounding_box()
        press()
        large = image.bounding_box()
        covered = zoom.locator("span").bounding_box()
        # all of the window but for its scroll bar
        assert (covered["x"], covered["y"]) == (0, 0)
        assert covered["width"] >= viewport["width"] - 20
        assert covered["height"] == viewport["height"]
        assert large["width"] > before["width"]
        assert box.is_checked()
        press()
        assert image.bounding_box() == before
        assert not window.faults


def test_a_figure_says_what_it_is_to_those_who_do_not_see_it(at_small: Watched) -> None:
    page = at_small.open(AREAS)
    image = page.locator(".site-back .zoom img").first
    assert image.get_attribute("alt") == "A line up to the area."
    assert page.locator(".site-back .zoom").first.get_by_role("checkbox").count() == 1


def test_the_proof_and_deeper_levels_unfold(at_small: Watched) -> None:
    page = at_small.open(AREAS)
    back = page.locator("#rectangle .site-back").first
    proof = back.locator("details.proof")
    assert "1 computed" in proof.locator("> summary").inner_text()
    assert "shapes.area(2e9, 3)" not in proof.inner_text()
    proof.locator("> summary").click()
    assert "shapes.area(2e9, 3)" in proof.inner_text()
    source = proof.locator("pre", has_text="def area")
    assert not source.is_visible()
    proof.locator("summary", has_text="shapes.area").click()
    assert source.is_visible()
    steps = [("L1", "With the product"), ("L2", "Nothing changes"), ("L3", "A loop shows it")]
    for level, text in steps:  # each lies in the one before
        assert not back.get_by_text(text).is_visible()
        back.locator("summary", has_text=level).click()
        assert back.get_by_text(text).is_visible()
    back.locator(".deeper.trap > summary").click()
    assert back.get_by_text("half the perimeter").is_visible()


def test_folding_works_by_key(at_small: Watched) -> None:
    page = at_small.open(AREAS)
    summary = page.locator("#rectangle .site-back details.deeper > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("With the product").first.is_visible()


def test_formulas_are_typeset_without_help_from_outside(at_small: Watched) -> None:
    page = at_small.open(AREAS)
    assert page.locator("math").count() > 3
    assert page.locator("math[display=block]").count() >= 1
    assert "\\(" not in page.locator("main").inner_text()
    box = page.locator("#rectangle .question math").first.bounding_box()
    assert box["width"] > 20 and box["height"] > 8
