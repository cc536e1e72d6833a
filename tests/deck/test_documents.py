"""The decks beside the documents whose questions they answer, where a machine has them.

Every question, level and trap of the depth trees and of the cheatsheet is answered by verified notes, and no
sentence of any document stands in a card: facts carry over, sentences do not.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from proofdeck.cli import main
from proofdeck.foreign.readers import recognise
from proofdeck.foreign.text import head_of_file

ROOT = Path(__file__).parents[2]
FOLDER = os.environ.get("PROOFDECK_SOURCES", "")
ANSWERED = ("depth-trees", "cheatsheet")
"""Formats of the documents that the decks answer as a whole."""
LONGEST = 7
"""Words in a row that a card may share with a document: names and terms come in such runs, sentences do not."""

pytestmark = pytest.mark.skipif(
    not FOLDER or not Path(FOLDER).is_dir(), reason="PROOFDECK_SOURCES names no folder with the documents"
)


def documents() -> list[Path]:
    return [path for path in sorted(Path(FOLDER).iterdir()) if path.suffix == ".txt"]


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; formulas, calls and numbers are none."""
    text = re.sub(r"\{\w+\}(`+).*?\1|\$\$.*?\$\$|\$[^$\n]*\$|<[^>]*>", " ", text, flags=re.S)
    return [word.lower().replace("’", "'") for word in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)]


def runs(texts: Iterable[list[str]], length: int) -> set[tuple[str, ...]]:
    return {tuple(text[i : i + length]) for text in texts for i in range(len(text) - length + 1)}


def longest_shared(ours: list[list[str]], theirs: list[list[str]]) -> tuple[str, ...]:
    """Return the longest run of words that stands on both sides."""
    found: tuple[str, ...] = ()
    while shared := runs(ours, len(found) + 1) & runs(theirs, len(found) + 1):
        found = min(shared)
    return found


def test_the_longest_shared_run_is_found() -> None:
    ours = [words("It caches {value}`kv.size()` keys, and the values of every head."), words("other")]
    assert longest_shared(ours, [words("Keys AND the values of all heads; it caches keys")]) == (
        "keys", "and", "the", "values", "of",
    )  # fmt: skip


def test_no_card_repeats_a_document() -> None:
    cards = {path: words(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "cards").rglob("*.md"))}
    theirs = [words(path.read_text(encoding="utf-8", errors="replace")) for path in documents()]
    assert theirs
    run = longest_shared(list(cards.values()), theirs)
    where = [path.name for path, text in cards.items() if run in runs([text], len(run))]
    assert len(run) <= LONGEST, f"{where}: {' '.join(run)}"


def test_every_item_is_answered_by_verified_notes() -> None:
    chosen = [str(path) for path in documents() if recognise(head_of_file(path)) in ANSWERED]
    assert len(chosen) == len(ANSWERED)
    told = CliRunner().invoke(main, ["coverage", "--json", "--root", str(ROOT), *chosen])
    files = json.loads(told.output)["files"]
    assert [row["missing"] for row in files] == [[], []]
    assert [row["verified"] for row in files] == [row["items"] for row in files]
    assert sum(row["items"] for row in files) == 145
