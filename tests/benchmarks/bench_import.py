"""How fast is an import, how much memory does it take, and do both stay in proportion?

    python tests/benchmarks/bench_import.py [--sizes 1,10,100] [--json]

Writes documents of so many megabytes, imports each in a process of its own, and compares with markdown-it-py
rendering the same text, a piece at a time.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = (
    "cache attention gradient token model layer head softmax loss batch memory kernel optimiser scale norm weight "
    "value query key bias rank step rate entropy prompt decode prefill expert router mask tile page block"
).split()
IMPORT = """
import resource, sys
from pathlib import Path
from proofdeck.foreign.importing import import_documents
[report] = import_documents([Path(sys.argv[1])], Path(sys.argv[2]), sys.argv[3])
print(report.notes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
BARE = """
import resource, sys
from markdown_it import MarkdownIt
md = MarkdownIt("commonmark").enable("table")
piece = []
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("## "):
        md.render("".join(piece))
        piece = []
    piece.append(line)
md.render("".join(piece))
print(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_document(path: Path, megabytes: float) -> None:
    """Write a Markdown document: sections of fifty questions, each with an answer that calculates."""
    random.seed(7)
    written = question = 0
    with path.open("w", encoding="utf-8") as file:
        while written < megabytes * 1e6:
            question += 1
            head = f"# Part {question // 50}\n\n" if question % 50 == 1 else ""
            asked = f"## What is {' '.join(random.choices(WORDS, k=4))} number {question}?\n\n"
            answer = " ".join(random.choices(WORDS, k=120)).capitalize()
            text = f"{head}{asked}{answer}. It is {question} × 3 = {question * 3}.\n\n- one\n- two\n\n"
            written += file.write(text)


def measure(code: str, *arguments: str) -> tuple[float, int, float]:
    """Return seconds, notes and the largest memory in MiB of a process."""
    begin = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    notes, kilobytes = map(int, ran.stdout.split())
    return time.perf_counter() - begin, notes, kilobytes / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,10", help="Megabytes, joined by commas.")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    for size in map(float, args.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder) / "notes.md"
            write_document(document, size)
            bare, _, bare_memory = measure(BARE, str(document))
            seconds, notes, memory = measure(IMPORT, str(document), f"{folder}/deck", "markdown")
        rows.append(
            {"megabytes": size, "notes": notes, "import_s": round(seconds, 2), "bare_s": round(bare, 2),
             "ratio": round(seconds / bare, 2), "import_mib": round(memory), "bare_mib": round(bare_memory)}
        )  # fmt: skip
        if not args.json:
            print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    if args.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
