"""Rules I-9 to I-13 of Anki's importer: a note's type, fields, tags and ids.

Each test is named after its rule and asserts what our packages make of it, against the real engine.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.errors import ContentError
from tests.helpers import DAY, NOW, DeckProject, Learner, Log, Note, cloze, models, rows, svg, tree


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Note("alpha"), cloze("alpha")),
        (cloze("alpha"), Note("alpha")),
        (Note("alpha"), tree("alpha")),
        (tree("alpha"), Note("alpha")),
    ],
)
def test_i_09_a_note_cannot_change_its_type(project: DeckProject, before: Note, after: Note) -> None:
    project.put(before)
    project.build()
    project.put(after)
    with pytest.raises(ContentError, match=r"`alpha` was a .* note and is now a .* note"):
        project.build()
    project.remove("alpha")
    project.put(Note("beta"))
    project.build()
    project.put(after)  # its id is remembered after it has retired
    with pytest.raises(ContentError, match=r"`alpha` was a .* note and is now a .* note"):
        project.build()


def test_i_09_because_anki_would_not_update_it(
    project: DeckProject, learner: Learner, tmp_path: Path
) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build())
    forgetful = DeckProject(tmp_path / "without-ledger")
    forgetful.put(cloze("alpha"))
    assert learner.imports(forgetful.build(at=NOW + DAY)) == Log(conflicting=1)
    assert "An answer" in learner.field("alpha", "Answer")


def test_i_10_the_sort_field_is_plain_text(project: DeckProject, learner: Learner) -> None:
    project.file("cards/p.svg", svg())
    project.put(
        Note("alpha", question="Why is **a < b** & `c` so? ![Sketch](p.svg)"),
        tree("beta", question="Plain?"),
        cloze("gamma"),
    )
    package = project.build()
    learner.imports(package)
    titles = [("What is gamma?",), ("Plain?",), ("Why is a < b & c so?",)]
    assert sorted(learner.all("select sfld from notes")) == sorted(titles)
    held = learner.all("select guid, flds from notes")
    assert sorted(held) == sorted(rows(package, "select guid, flds from notes")), "Anki rewrote a field"


def test_i_10_every_note_has_as_many_fields_as_its_type(project: DeckProject) -> None:
    project.put(Note("alpha"), tree("beta"), cloze("gamma"))
    package = project.build()
    counts = {int(model["id"]): len(model["flds"]) for model in models(package).values()}
    found = rows(package, "select mid, flds from notes")
    assert {(kind, fields.count("\x1f") + 1) for kind, fields in found} == set(counts.items())


def test_i_10_control_characters_are_refused(project: DeckProject) -> None:
    project.put(Note("alpha", "Form\x0cfeed."))
    with pytest.raises(ContentError, match="a control character in the field `Answer`"):
        project.build()


def test_i_10_decomposed_text_updates_like_any_other(project: DeckProject, learner: Learner) -> None:
    decomposed = unicodedata.normalize("NFD", "Énergie naïve.")
    project.put(Note("alpha", decomposed, question=decomposed))
    package = project.build()
    learner.imports(package)
    assert learner.field("alpha", "Title") == "Énergie naïve."
    assert learner.imports(package) == Log(duplicate=1)
    project.put(Note("alpha", decomposed, question=decomposed + " Encore."))
    assert learner.imports(project.build()) == Log(updated=1)
    assert learner.problems() == []


def test_i_11_tags_collapse_whatever_their_case(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha", tags="KV kv kv"), Note("beta", tags="kV Other::Sub"))
    package = project.build()
    assert rows(package, "select tags from notes where guid = 'proofdeck:alpha'") == [
        (" KV evidence::judgement kv ",)
    ]
    learner.imports(package)
    assert [tag.lower() for tag in learner.note("alpha").tags] == ["evidence::judgement", "kv"]
    assert {tag.lower() for tag in learner.col.tags.all()} == {"evidence::judgement", "kv", "other::sub"}
    assert len(learner.col.tags.all()) == 3
    assert learner.imports(package) == Log(duplicate=2)


def test_i_12_the_first_field_is_never_empty(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha", question="$x$"), Note("beta", question="`y`"), tree("gamma"), cloze("delta"))
    learner.imports(project.build())
    assert all(fields.split("\x1f")[0].strip() for (fields,) in learner.all("select flds from notes"))
    project.file("cards/more.md", "---\ndeck: More\n---\n\n# {#epsilon}\n\nYes. {judgement}`So.`\n")
    with pytest.raises(ContentError, match="a heading without a question"):
        project.build()


def test_i_12_not_even_for_a_question_that_is_a_picture(project: DeckProject) -> None:
    project.file("cards/p.svg", svg())
    project.put(Note("alpha", question="![What is this?](p.svg)"))
    [(title,)] = rows(project.build(), "select sfld from notes")
    assert title


def test_i_13_no_id_lies_in_the_future(project: DeckProject) -> None:
    project.put(*(Note(f"note-{number}") for number in range(300)), tree("beta"), cloze("gamma"))
    package = project.build(at=NOW + 365 * DAY)
    ids = [number for (number,) in rows(package, "select id from notes union all select id from cards")]
    ids += [model["id"] for model in models(package).values()]
    ids += [int(number) for (text,) in rows(package, "select decks from col") for number in json.loads(text)]
    assert len(ids) == 302 + 305 + 3 + 2
    assert all(0 < number < (NOW - DAY) * 1000 for number in ids)


def test_i_13_so_a_learner_can_export_them(project: DeckProject, learner: Learner, tmp_path: Path) -> None:
    from anki.collection import ExportAnkiPackageOptions

    project.put(Note("alpha"), tree("beta"), cloze("gamma"))
    package = project.build()
    learner.imports(package)
    assert sorted(learner.all("select id from cards")) == sorted(rows(package, "select id from cards"))
    options = ExportAnkiPackageOptions(
        with_scheduling=False, with_deck_configs=False, with_media=True, legacy=True
    )
    assert (
        learner.col.export_anki_package(out_path=str(tmp_path / "out.apkg"), options=options, limit=None) == 3
    )
