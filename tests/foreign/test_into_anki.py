"""The main job: documents in, a package out, and real Anki takes every card of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from .test_import import run

FIXTURES = Path(__file__).parent / "fixtures"
FOLDER = os.environ.get("PROOFDECK_SOURCES", "")


def into_anki(documents: list[Path], root: Path, learner: Any, *options: str) -> tuple[dict[str, Any], Any]:
    """Import, build, and import into Anki; return the build's report and the collection."""
    reports = run("import", *documents, "-o", root, "--json")["files"]
    [built] = run("build", *options, "--root", root, "--json")["decks"]
    log = learner.imports(root / built["path"])
    wanted = sum(report["notes"] - (0 if options else report["drafts"]) for report in reports)
    assert (log.new, built["notes"]) == (wanted, wanted)
    assert learner.col.card_count() == built["cards"]
    return built, learner.col


def seen(col: Any) -> list[tuple[str, str, list[str]]]:
    """Return front, back and tags of every card, as Anki renders them."""
    found = []
    for number in col.find_cards(""):
        card = col.get_card(number)
        shown = card.render_output()
        found.append((shown.question_text, shown.answer_text, card.note().tags))
    return found


def test_every_card_renders_in_anki_and_says_what_it_is(tmp_path: Path, learner: Any) -> None:
    _, col = into_anki(sorted(FIXTURES.iterdir()), tmp_path / "deck", learner, "--drafts")
    cards = seen(col)
    assert len(cards) > 10
    for front, back, tags in cards:
        assert re.sub(r"<[^>]+>", "", front).strip()
        assert "unverified: nothing on this card has been tested" in back
        assert {"unverified", "imported"} <= set(tags)
    drafts = set(col.find_notes("tag:draft"))
    assert drafts and all(
        any("<em>Draft. " in card.render_output().answer_text for card in col.get_note(number).cards())
        for number in drafts
    )


def test_importing_an_edited_document_keeps_the_review_history(
    tmp_path: Path, learners: Callable[..., Any]
) -> None:
    learner = learners()
    document = tmp_path / "trees.txt"
    document.write_text((FIXTURES / "depth-trees.txt").read_text())
    root = tmp_path / "deck"
    into_anki([document], root, learner)
    before = learner.study()
    document.write_text(document.read_text().replace(".", "!", 3))
    run("import", document, "-o", root)
    [built] = run("build", "--root", root, "--json")["decks"]
    assert built["changed"] >= 1 and built["new"] == built["retired"] == 0
    assert learner.imports(root / built["path"]).new == 0
    assert before.lost_in(learner.progress()) == {}


@pytest.mark.skipif(
    not FOLDER or not Path(FOLDER).is_dir(), reason="PROOFDECK_SOURCES names no folder with the documents"
)
@pytest.mark.parametrize("options", [(), ("--drafts",)])
def test_the_real_documents_become_a_deck_in_anki(
    tmp_path: Path, learner: Any, options: tuple[str, ...]
) -> None:
    documents = [path for path in sorted(Path(FOLDER).iterdir()) if path.suffix == ".txt"]
    built, col = into_anki(documents, tmp_path / "deck", learner, *options)
    assert built["notes"] > 400
    for front, back, _ in seen(col):
        assert re.sub(r"<[^>]+>", "", front).strip() and "unverified" in back
        assert not re.search(r"\{\" \"\}|[\u0e00-\u0e7f]", front + back)
