"""What tests of the site in a browser share: pages that are watched, and axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 900}
CHROMIUM = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
UNFOLD = "document.querySelectorAll('details').forEach(details => { details.open = true })"

# what stands out of the page to the right, to name the culprit
TOO_WIDE = """() => {
    const root = document.documentElement;
    if (root.scrollWidth <= innerWidth) return null;
    const boxed = e => {
        for (let up = e.parentElement; up && up !== document.body; up = up.parentElement)
            if (getComputedStyle(up).overflowX !== "visible") return true;
        return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter(
        e => e.getBoundingClientRect().right > innerWidth + 0.5 && !boxed(e));
    return root.scrollWidth + " px: " + wide.slice(0, 4).map(e => e.outerHTML.slice(0, 120)).join(" | ");
}"""

# boxes that scroll sideways and that no key reaches; axe judges only some of them
OUT_OF_REACH = """() => [...document.querySelectorAll("main *")].filter(e => {
    if (e.scrollWidth <= e.clientWidth + 1 || !e.clientWidth) return false;
    if (!["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return false;
    return e.tabIndex < 0 && !e.querySelector("a, button, input, select, [tabindex]");
}).map(e => e.outerHTML.slice(0, 120))"""


class Watched:
    """A page whose faults are noted: messages of the console, errors, requests that leave `home` or fail."""

    def __init__(self, page: Any, home: str) -> None:
        self.page = page
        self.home = home
        self.faults: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # whoever leaves a page needs no more of it
            self.faults.append(f"{self.page.url}: no {request.url}")

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{self.page.url}: {message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.faults.append(f"{self.page.url}: asks for {request.url}")

    def open(self, path: str) -> Any:
        self.page.goto(self.home + path)
        return self.page


@contextmanager
def watched(browser: Any, home: str, **options: Any) -> Iterator[Watched]:
    """Open a fresh browser window on a site; nothing of an earlier one is remembered."""
    context = browser.new_context(**({"viewport": DESK} | options))
    context.set_default_timeout(30_000)
    try:
        yield Watched(context.new_page(), home)
    finally:
        context.close()


def pages_of(folder: Path) -> list[str]:
    """Return the pages of a site, by paths from its root."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    assert "index.html" in found
    return found


def unfold(page: Any) -> None:
    """Open whatever is folded, and load every picture."""
    page.evaluate(UNFOLD)
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")


def violations(page: Any, axe: str, *rules: str) -> list[dict[str, Any]]:
    """Return what axe-core finds on a page by the named rules, or by all; the worst first."""
    page.evaluate(axe)
    # without preload, or it would ask for style sheets as no page from disk may
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    found: list[dict[str, Any]] = page.evaluate("how => axe.run(document, how)", options)["violations"]
    order = ["critical", "serious", "moderate", "minor"]
    return sorted(found, key=lambda each: order.index(each["impact"]))


def told(page: str, violation: dict[str, Any]) -> str:
    """Tell a violation in a line."""
    nodes = violation["nodes"]
    why = nodes[0]["failureSummary"].replace("\n", " ")
    return f"{page}: {violation['impact']} {violation['id']} ({len(nodes)}×): {nodes[0]['html'][:160]} {why}"
