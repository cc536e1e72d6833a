"""A synthetic deck project of any size, with the mix of Markdown that real cards have."""

from __future__ import annotations

from pathlib import Path

PER_FILE = 50

VERIFIER = '''"""Arithmetic for the benchmark."""

from proofdeck import verifier


@verifier
def square(n: int) -> int:
    """Square of a number.

    Unit: B
    Source: definition
    """
    return n * n
'''

ROOT = """Each decode step attends over every earlier token. The cache keeps their *keys* and **values**, so a
step projects one new row instead of the whole prefix, and topic number-{i} is no exception to that.

For one request that is {{value}}`arithmetic.square({n}) | kB`, against `kv_cache.nbytes` of the other
without grouped queries, as $x^2$ shows {{check}}`arithmetic.square({n}) = {square}`.

- a list item with a formula $Q K^T$ and code `fp16`
- another one, plain, that ends here

| what | where |
|---|---|
| cache | memory |
"""
LEVEL = """A short answer for level {level} of topic-{i}, with *emphasis* and `code`. It goes on for a second
sentence, since levels are not one-liners {{check}}`arithmetic.square({n}) > 0`.
"""


def parts(i: int) -> list[tuple[str, str]]:
    """Return heading and body of the five parts of note `i`."""
    n = i % 97 + 1
    found = [(f"How does topic-{i} work, and why is it needed?", ROOT.format(i=i, n=n, square=n * n))]
    for level in ("one", "two", "three", "four"):
        found.append((f"What is behind level {level} of topic-{i}?", LEVEL.format(level=level, i=i, n=n)))
    return found


def write_project(root: Path, notes: int) -> None:
    """Write a project with that many depth trees, fifty a file."""
    for folder in ("cards", "decks", "verifiers", "figures"):
        (root / folder).mkdir(parents=True)
    (root / "verifiers" / "arithmetic.py").write_text(VERIFIER)
    (root / "decks" / "bench.yaml").write_text("title: Benchmark\n")
    for begin in range(0, notes, PER_FILE):
        (root / "cards" / f"part-{begin // PER_FILE:05}.md").write_text(
            card_file(begin, min(begin + PER_FILE, notes))
        )


def card_file(begin: int, end: int) -> str:
    lines = ["---", f"deck: Bench::Part {begin // 1000}", "tags: [bench]", "---", ""]
    for i in range(begin, end):
        for label, (heading, body) in zip(
            ("# ", "## L1: ", "## L2: ", "## L3: ", "## Trap: "), parts(i), strict=True
        ):
            lines += [f"{label}{heading}" + (f" {{#topic-{i}}}" if label == "# " else ""), "", body]
    return "\n".join(lines)
