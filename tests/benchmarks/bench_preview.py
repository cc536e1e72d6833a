"""How fast is the preview's site, and how soon does a reader see it? Measured beside what cannot be avoided.

    python tests/benchmarks/bench_preview.py [--notes 1000] [--repeat 3] [--json]

Baselines of the same run: the package of the same corpus, built as cold; and a bare site, for which
markdown-it-py renders the parts, Jinja2 fills a page a file, and the pages are written. Every figure is the
median of `--repeat` runs in processes of their own; a page is opened from disk in a fresh browser window, and
its time is the browser's own first contentful paint.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from bench import timed
from corpus import PER_FILE, write_project

BARE = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from corpus import PER_FILE, parts
from jinja2 import Template
from markdown_it import MarkdownIt
md = MarkdownIt("commonmark").enable("table")
page = Template("<!doctype html><title>t</title>{{% for body in bodies %}}<section>{{{{ body }}}}</section>{{% endfor %}}")
out = Path({out!r})
out.mkdir(exist_ok=True)
for begin in range(0, {notes}, PER_FILE):
    numbers = range(begin, min(begin + PER_FILE, {notes}))
    bodies = [md.render(text) for i in numbers for pair in parts(i) for text in pair]
    (out / f"{{begin}}.html").write_text(page.render(bodies=bodies))
"""
PAINT = """() => new Promise(done => {
    const found = performance.getEntriesByName("first-contentful-paint");
    if (found.length) return done(found[0].startTime);
    new PerformanceObserver(list => {
        for (const entry of list.getEntries())
            if (entry.name === "first-contentful-paint") done(entry.startTime);
    }).observe({type: "paint", buffered: true});
})"""


def bench_site(notes: int, repeat: int, folder: Path) -> dict[str, float]:
    """Measure cold, unchanged and one-edit sites of a corpus, and the baselines."""
    root, site = folder / "project", folder / "site"
    write_project(root, notes)
    engine = [sys.executable, "-m", "proofdeck"]
    preview = [*engine, "preview", "--root", str(root), "-o", str(site)]
    bare = BARE.format(here=str(Path(__file__).parent), notes=notes, out=str(folder / "bare"))
    card = root / "cards" / "part-00000.md"
    edits = iter(range(10**6))

    def clean() -> None:
        for path in (site, root / ".proofdeck", root / "decks/build"):
            shutil.rmtree(path, ignore_errors=True)
        for path in (root / "decks/history.lock", root / "verifiers/evidence.lock"):
            path.unlink(missing_ok=True)

    def edit() -> None:
        card.write_text(card.read_text().replace("to that.", f"to that, word-{next(edits)}.", 1))

    found = {"bare site": timed([sys.executable, "-c", bare], repeat)}
    found["package, cold"] = timed([*engine, "build", "--root", str(root)], repeat, clean)
    found["site, cold"] = timed(preview, repeat, clean)
    found["site, unchanged"] = timed(preview, repeat)
    found["site, one edit"] = timed(preview, repeat, edit)
    return found


def bench_pages(site: Path, repeat: int) -> dict[str, float]:
    """Measure how soon pages show from disk, in windows that know nothing."""
    from playwright.sync_api import sync_playwright

    from tests.browser.helpers import CHROMIUM

    largest = max((site / "cards").rglob("*.html"), key=lambda path: path.stat().st_size)
    found = {}
    with sync_playwright() as driver:
        for name, path in {"index.html": site / "index.html", "largest topic": largest}.items():
            paints, opened = [], []
            for _ in range(repeat):
                browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
                page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
                begin = time.perf_counter()
                page.goto(path.as_uri(), wait_until="commit")
                paints.append(page.evaluate(PAINT) / 1000)
                opened.append(time.perf_counter() - begin)
                browser.close()
            found[f"first paint, {name} ({path.stat().st_size / 1e3:,.0f} kB)"] = statistics.median(paints)
            found[f"  from the request on, {name}"] = statistics.median(opened)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    told: dict[str, Any] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as folder:
        seconds = bench_site(args.notes, args.repeat, Path(folder)) | bench_pages(
            Path(folder) / "site", args.repeat
        )
        site = Path(folder) / "site"
        told["site bytes"] = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    told["load after"] = round(os.getloadavg()[0], 1)
    if args.json:
        print(json.dumps(told | {"notes": args.notes, "seconds": seconds}, indent=2))
        return
    print(f"{args.notes:,} notes in {-(-args.notes // PER_FILE)} files; {told}")
    for name, value in seconds.items():
        print(f"{name:50} {value:8.2f} s")


if __name__ == "__main__":
    main()
