"""How fast is a build? Measured in one run beside what cannot be avoided.

    python tests/benchmarks/bench.py [--notes 10000] [--scale 1000,10000,100000] [--json]

The baseline is a bare loop: markdown-it-py renders each question and answer, genanki writes the package. It
knows no claims, no lint, no ledger, and writes other ids every time. An idle build is compared with starting
Python and importing click and yaml. Every figure is the median of `--repeat` runs, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from corpus import write_project

BARE = """
import sys
sys.path.insert(0, {here!r})
from corpus import parts
from markdown_it import MarkdownIt
import genanki
md = MarkdownIt("commonmark").enable("table")
names = [f"F{{i}}" for i in range(10)]
templates = [dict(name=f"T{{k}}", qfmt="{{{{F%d}}}}" % (2 * k), afmt="{{{{F%d}}}}" % (2 * k + 1)) for k in range(5)]
model = genanki.Model(1, "m", fields=[dict(name=n) for n in names], templates=templates)
deck = genanki.Deck(2, "d")
for i in range({notes}):
    deck.add_note(genanki.Note(model, [md.render(text) for pair in parts(i) for text in pair]))
genanki.Package(deck).write_to_file({out!r})
"""


def timed(command: list[str], repeat: int, before: Callable[[], Any] = lambda: None) -> float:
    """Return the median wall clock of a process, over `repeat` runs."""
    times = []
    for _ in range(repeat):
        before()
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def bench(notes: int, repeat: int, folder: Path) -> dict[str, Any]:
    """Measure cold, idle and one-edit builds of a project with that many notes."""
    root = folder / f"project-{notes}"
    write_project(root, notes)
    build = [sys.executable, "-m", "proofdeck", "build", "--root", str(root)]
    bare = BARE.format(here=str(Path(__file__).parent), notes=notes, out=str(folder / "bare.apkg"))
    card = root / "cards" / "part-00000.md"
    numbers = iter(range(10**6))

    def clean() -> None:
        for path in (".proofdeck", "decks/build", "decks/history.lock", "verifiers/evidence.lock"):
            target = root / path
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)

    def edit() -> None:
        text = card.read_text()
        card.write_text(text.replace("to that.", f"to that, word-{next(numbers)}.", 1))
        time.sleep(0.1)

    found: dict[str, Any] = {"notes": notes}
    found["bare_s"] = timed([sys.executable, "-c", bare], repeat)
    found["cold_s"] = timed(build, repeat, clean)
    time.sleep(0.2)
    subprocess.run(
        build, check=True, capture_output=True
    )  # writes the stamp, now that the files have settled
    found["idle_s"] = timed(build, max(5, repeat))
    found["edit_s"] = timed(build, max(3, repeat), edit)
    found["start_s"] = timed([sys.executable, "-c", "import click, yaml"], 9)
    found["package_bytes"] = (root / "decks" / "build" / "bench.apkg").stat().st_size
    found["cold_over_bare"] = found["cold_s"] / found["bare_s"]
    found["idle_over_start"] = found["idle_s"] / found["start_s"]
    found["edit_over_cold"] = found["edit_s"] / found["cold_s"]
    found["cold_ms_per_note"] = found["cold_s"] / notes * 1000
    shutil.rmtree(root)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--scale", default="", help="also measure these sizes, once each")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = [(args.notes, args.repeat)] + [(int(size), 1) for size in args.scale.split(",") if size]
        for size, repeat in sizes:
            rows.append(bench(size, repeat, Path(folder)))
            if not args.json:
                told = {
                    key: round(value, 3) if isinstance(value, float) else value
                    for key, value in rows[-1].items()
                }
                print(json.dumps(told, indent=2), flush=True)
    if args.json:
        print(json.dumps({"cores": os.cpu_count(), "runs": rows}, indent=2))


if __name__ == "__main__":
    main()
