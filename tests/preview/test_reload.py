"""The preview's server: what a browser makes of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .serving import PATIENCE, Site, until_named


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 400, "height": 600})
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    page.close()


LONG = "<p style='height:3000px'>{}</p><details id=one><summary>1</summary>x</details>"
LONG += "<section id=s><details open><summary>2</summary>y</details><details><summary>3</summary>z</details></section>"


def test_a_page_reloads_where_the_reader_was(site: Site, page: Any) -> None:
    site.save("a", LONG.format("before"))
    with site.running() as client:
        page.goto(f"http://127.0.0.1:{client.port}/cards/a.html")
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = !details.open)")
        page.evaluate("scrollTo(0, 1234)")
        site.save("a", LONG.format("after"))
        page.wait_for_function("document.querySelector('p').textContent === 'after'")
        opened = page.evaluate("[...document.querySelectorAll('details')].map(details => details.open)")
        assert opened == [True, False, True]
        page.wait_for_function("scrollY === 1234")
        assert page.evaluate("sessionStorage.length") == 0


def test_only_a_page_that_changed_reloads(site: Site, page: Any) -> None:
    site.save("b", "other")
    with site.running() as client:
        page.goto(f"http://localhost:{client.port}/cards/b.html")
        page.evaluate("window.kept = true")
        with client.listening() as event:
            event()
            site.save("a", "second")
            until_named(event, "reload")
        # the page hears of this failure after it has heard of the build before
        site.save("a", "LOCK")
        page.wait_for_selector("[role=alert]")
        assert page.evaluate("window.kept")
        site.save("a", "third")
        page.wait_for_selector("[role=alert]", state="detached")
        assert page.evaluate("window.kept")
        # a build puts back what the pages run, and they take it at once
        (site.folder / "assets" / "reload.js").write_text("")
        site.save("a", "fourth")
        page.wait_for_function("window.kept === undefined")


def test_a_failure_is_shown_as_text_above_the_page(site: Site, page: Any) -> None:
    with site.running() as client:
        page.goto(f"http://127.0.0.1:{client.port}/cards/a.html")
        site.save("a", "LOCK")
        told = page.wait_for_selector("[role=alert]").text_content()
        assert "verifiers/evidence.lock:3: not a line of a <lock>\n    restore it" in told
        assert "first" in page.text_content("body")
        page.reload()
        page.wait_for_selector("[role=alert]")
        site.save("a", "mended")
        page.wait_for_function("document.body.textContent.includes('mended')")
        assert page.query_selector("[role=alert]") is None


def test_a_page_waits_for_its_card_file_and_for_the_server(site: Site, page: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with site.running() as client:
        page.goto(f"http://127.0.0.1:{client.port}/cards/later.html")
        assert page.title() == "Not in the preview"
        site.save("later", "here now")
        page.wait_for_function("document.title === 'later'")
    # the server ends, something is saved, and a server begins on the same port
    site.save("later", "saved meanwhile")
    preview = site.preview(client.port)
    thread = threading.Thread(target=preview.run)
    thread.start()
    try:
        page.wait_for_function("document.body.textContent.includes('saved meanwhile')")
    finally:
        preview.stop()
        thread.join(PATIENCE)
    assert not errors


def test_a_page_on_a_disk_listens_to_nobody(site: Site, page: Any) -> None:
    site.build()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site.folder / "cards/a.html").as_uri())
    assert "first" in page.text_content("body")
    assert not errors
