"""`proofdeck coverage`: which items of a document our notes answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .test_import import TREES, run

CARDS = """\
---
deck: D
tags: [{tags}]
---

# {title} {{#{name} covers="{covers}"}}

{{judgement}}`Answer.`
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trees.txt").write_text(TREES)
    for name in ("cards", "decks"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    return tmp_path


def put(folder: Path, name: str, covers: str, title: str = "Something else?", tags: str = "") -> None:
    text = CARDS.format(name=name, covers=covers, title=title, tags=tags)
    (folder / "mine" / "cards" / f"{name}.md").write_text(text)


def report(folder: Path) -> dict[str, object]:
    [found] = run("coverage", folder / "trees.txt", "--root", folder / "mine", "--json")["files"]
    return dict(found)


def test_questions_levels_and_traps_are_items(folder: Path) -> None:
    found = report(folder)
    assert (found["items"], found["verified"], found["unverified"]) == (10, 0, 0)
    missing = {row["item"]: row["text"] for row in found["missing"]}
    assert missing["trees/q1"] == "Why is a cache kept?"
    assert missing["trees/q1.l2"] == "What bounds it (in practice)?"
    assert set(missing) == {
        f"trees/q{n}{part}" for n in (1, 2) for part in ("", ".l1", ".l2", ".l3", ".trap")
    }


def test_an_item_is_verified_unverified_or_missing(folder: Path) -> None:
    put(folder, "good", "trees/q1 trees/q1.l1")
    put(folder, "raw", "trees/q1 trees/q1.l2", tags="unverified")
    put(folder, "unfinished", "trees/q2", tags="draft")
    found = report(folder)
    assert (found["verified"], found["unverified"], len(found["missing"])) == (2, 2, 6)
    assert found["only_unverified"] == ["trees/q1.l2", "trees/q2"]
    [section] = found["sections"]
    assert section == {"section": "Trees", "items": 10, "verified": 2, "unverified": 2, "missing": 6}


def test_near_notes_are_suggested_and_only_verified_ones(folder: Path) -> None:
    put(folder, "near", "", title="Why is a key/value cache kept?")
    put(folder, "far", "", title="What do normal quantiles have to do with it?")
    put(folder, "raw", "", title="Why is a cache kept?", tags="unverified")
    near = {row["item"]: [n["note"] for n in row["near"]] for row in report(folder)["missing"]}
    assert near["trees/q1"] == ["near"]


def test_a_note_that_covers_what_is_not_there_is_named(folder: Path) -> None:
    put(folder, "wrong", "trees/q9 other/q1")
    assert report(folder)["unknown"] == [{"note": "wrong", "item": "trees/q9"}]


def test_the_table_counts_and_says_how_to_see_the_rest(folder: Path) -> None:
    put(folder, "good", "trees/q1")
    text = run("coverage", folder / "trees.txt", "--root", folder / "mine")
    assert re.search(r"^  Trees +10 +1 +0 +9$", text, re.M)
    assert "missing trees/q1.l1: How large is it?" in text
    assert "missing" in run("coverage", folder / "trees.txt", "--root", folder / "mine", "--all")


def test_imported_notes_cover_their_own_items_unverified(folder: Path) -> None:
    run("import", folder / "trees.txt", "-o", folder / "mine" / "cards" / "others")
    found = report(folder)
    assert (found["verified"], found["unverified"], found["missing"]) == (0, 10, [])
