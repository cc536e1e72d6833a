"""Rules I-1 to I-8 of Anki's importer: which note is which, and what an update replaces.

Each test is named after its rule and asserts what our packages make of it, against the real engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.errors import ContentError
from tests.helpers import (
    DAY,
    NOW,
    DeckProject,
    Learner,
    Log,
    Note,
    differences,
    forged,
    keeps_package_time,
    rows,
    tree,
)

ALWAYS = 1
"""A value of Anki's option `update_notes`."""


def test_i_01_identity_is_the_guid_alone(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), Note("beta"))
    learner.imports(project.build())
    number = learner.note("beta").id
    learner.col.db.execute("update notes set guid = 'his own' where id = ?", number)
    project.put(Note("alpha", question="Another first field?"))
    assert learner.imports(project.build()) == Log(new=1, updated=1)
    assert learner.field("alpha", "Question") == "Another first field?"
    # the id is taken and the first field is the same, and yet it is another note
    assert learner.guids() == ["his own", "proofdeck:alpha", "proofdeck:beta"]
    assert learner.note("beta").id == number + 999


def test_i_01_a_former_id_gives_the_guid_even_where_the_ledger_is_lost(
    project: DeckProject, learner: Learner
) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build())
    (project.root / "decks/history.lock").unlink()
    project.notes = {"gamma": Note("gamma", formerly="alpha beta")}
    assert learner.imports(project.build(at=NOW + DAY)) == Log(updated=1)
    assert learner.guids() == ["proofdeck:alpha"]


def test_i_02_the_guid_is_readable_and_survives_an_export(
    project: DeckProject, learner: Learner, learners: Any, tmp_path: Path
) -> None:
    from anki.collection import ExportAnkiPackageOptions

    project.file("pyproject.toml", '[tool.proofdeck]\nnamespace = "étude/one two"\n')
    project.put(Note("kv-cache"))
    package = project.build()
    learner.imports(package)
    assert learner.guids() == ["étude/one two:kv-cache"]
    options = ExportAnkiPackageOptions(
        with_scheduling=True, with_deck_configs=True, with_media=True, legacy=False
    )
    learner.col.export_anki_package(out_path=str(tmp_path / "shared.apkg"), options=options, limit=None)
    friend = learners()
    friend.imports(tmp_path / "shared.apkg")
    assert friend.imports(package) == Log(duplicate=1)


def test_i_02_projects_with_other_namespaces_do_not_meet(tmp_path: Path, learner: Learner) -> None:
    for name in ("one", "two"):
        project = DeckProject(tmp_path / name)
        project.file("pyproject.toml", f'[tool.proofdeck]\nnamespace = "{name}"\n')
        project.put(Note("alpha", f"The answer of {name}."))
        assert learner.imports(project.build()) == Log(new=1)
    assert learner.guids() == ["one:alpha", "two:alpha"]
    assert learner.problems() == []


def test_i_03_same_mod_is_skipped(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    package = project.build()
    learner.imports(package)
    same = forged(package, "update notes set flds = replace(flds, 'An answer', 'Lost')")
    assert learner.imports(same) == Log(duplicate=1)
    assert "An answer" in learner.field("alpha", "Answer")


def test_i_03_a_changed_note_moves_its_mod_even_if_the_clock_does_not(
    project: DeckProject, learner: Learner
) -> None:
    project.put(Note("alpha"))
    first = project.build(at=NOW - DAY)
    project.put(Note("alpha", "Corrected."))
    again = project.build(at=NOW - DAY)
    project.put(Note("alpha", "Corrected twice."))
    earlier = project.build(at=NOW - 2 * DAY)
    times = [rows(package, "select mod from notes") for package in (first, again, earlier)]
    assert times == [[(NOW - DAY,)], [(NOW - DAY + 1,)], [(NOW - DAY + 2,)]]


def test_i_04_two_notes_with_one_guid_are_refused(project: DeckProject) -> None:
    project.put(Note("alpha"))
    project.file("cards/other.md", "---\ndeck: Other\n---\n\n# Again? {#alpha}\n\nYes. {judgement}`So.`\n")
    with pytest.raises(ContentError, match=r"the id `alpha` is taken by cards/deck-00\.md:5"):
        project.build()
    project.file(
        "cards/other.md",
        '---\ndeck: Other\n---\n\n# Again? {#beta formerly="alpha"}\n\nYes. {judgement}`So.`\n',
    )
    with pytest.raises(ContentError, match="the former id `alpha` is in use"):
        project.build()


def test_i_04_because_anki_would_add_both(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), Note("beta"))
    double = forged(project.build(), "update notes set guid = 'proofdeck:alpha'")
    assert learner.imports(double) == Log(new=2)
    assert learner.problems() == ["2 notes have the GUID proofdeck:alpha"]


def test_i_04_a_new_note_does_not_inherit_the_guid_of_a_renamed_and_retired_one(project: DeckProject) -> None:
    project.put(Note("alpha"), Note("other"))
    project.build()
    project.remove("alpha")
    project.put(Note("beta", formerly="alpha"))
    project.build()
    project.remove("beta")
    project.build()
    project.put(Note("alpha", "Something else, which no learner of beta has reviewed."))
    with pytest.raises(ContentError, match="`alpha` has the GUID of `beta`"):
        project.build()


def test_i_04_two_packages_built_one_by_one_do_not_share_a_guid(project: DeckProject) -> None:
    project.file("decks/demo.yaml", "title: Demo\ncards: [cards/deck-00.md]\n")
    project.file("decks/second.yaml", "title: Second\ncards: [cards/deck-01.md]\n")
    project.put(Note("alpha"), Note("other", deck="Other"))
    project.build()
    project.notes = {"beta": Note("beta", formerly="alpha"), "other": Note("other", deck="Other")}
    project.build()
    project.notes = {
        n.id: n for n in (Note("beta"), Note("other", deck="Other"), Note("alpha", "Else.", deck="Other"))
    }
    with pytest.raises(ContentError, match="`alpha` has the GUID of `beta`"):
        project.build(only=["second"], name="second")


def test_i_05_an_update_built_before_the_last_import_arrives_where_anki_keeps_its_time(
    project: DeckProject, learner: Learner
) -> None:
    packages = []
    for number, answer in enumerate(("First.", "Corrected.", "Corrected twice.")):
        project.put(Note("alpha", answer))
        packages.append(project.build(at=NOW - (30 - number) * DAY))
    assert learner.imports(packages[0]) == Log(new=1)
    assert learner.imports(packages[1]) == Log(updated=1)
    if keeps_package_time():
        assert learner.all("select mod from notes") == rows(packages[1], "select mod from notes")
        assert learner.imports(packages[2]) == Log(updated=1)
    else:  # the update was stored as of now, and the last package is older
        assert learner.imports(packages[2]) == Log(duplicate=1)
        assert learner.imports(packages[2], update_notes=ALWAYS) == Log(updated=1)
    assert "Corrected twice." in learner.field("alpha", "Answer")


def test_i_06_a_users_edit_of_an_unchanged_note_survives(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), Note("beta"))
    learner.imports(project.build())
    learner.edit("alpha", "Answer", "My own words.")
    project.put(Note("beta", "Corrected."))
    later = project.build()
    assert learner.imports(later) == Log(updated=1, duplicate=1)
    assert learner.field("alpha", "Answer") == "My own words."
    assert differences(learner, later) == ["proofdeck:alpha"]


def test_i_06_a_users_edit_is_kept_when_it_is_newer_than_ours(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build(at=NOW - 30 * DAY))
    project.put(Note("alpha", "Corrected before he edited."))
    older = project.build(at=NOW - DAY)
    learner.edit("alpha", "Answer", "My own words.")
    assert learner.imports(older) == Log(duplicate=1)
    assert learner.field("alpha", "Answer") == "My own words."


def test_i_06_only_the_note_that_changed_moves_its_mod(project: DeckProject) -> None:
    project.put(Note("alpha"), Note("beta"), tree("gamma"))
    times = "select guid, mod from notes"
    first = dict(rows(project.build(at=NOW - 30 * DAY), times))
    project.put(Note("beta", "Corrected."), Note("delta"))
    second = dict(rows(project.build(at=NOW - 20 * DAY), times))
    moved = {guid for guid, mod in second.items() if first.get(guid) != mod}
    assert moved == {"proofdeck:beta", "proofdeck:delta"}
    assert {second[guid] for guid in moved} == {NOW - 20 * DAY}
    assert dict(rows(project.build(at=NOW - 10 * DAY), times)) == second


def test_i_07_an_update_replaces_fields_and_tags_of_changed_notes_alone(
    project: DeckProject, learner: Learner
) -> None:
    project.put(Note("alpha", tags="ours"), Note("beta", tags="ours"))
    learner.imports(project.build())
    for name in ("alpha", "beta"):
        note = learner.note(name)
        note.tags.append("his")
        learner.col.update_note(note)
    project.put(Note("alpha", "Corrected.", tags="ours better"))
    assert learner.imports(project.build(at=NOW + DAY)) == Log(updated=1, duplicate=1)
    assert learner.note("alpha").tags == ["better", "evidence::judgement", "ours"]
    assert learner.note("beta").tags == ["evidence::judgement", "his", "ours"]


def test_i_08_a_retired_note_stays_and_is_told(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), Note("beta"))
    learner.imports(project.build())
    project.remove("beta")
    assert learner.imports(project.build()) == Log(duplicate=1)
    assert learner.guids() == ["proofdeck:alpha", "proofdeck:beta"]
    assert project.report.decks[0].retired == 1
    assert project.ledger()["beta"]["retired"] is True
    project.build()
    assert project.report.decks[0].retired == 0, "told once"


def test_i_08_a_note_retires_from_a_package_that_was_renamed(project: DeckProject) -> None:
    project.put(Note("alpha"), Note("beta"))
    project.build()
    (project.root / "decks/demo.yaml").rename(project.root / "decks/better.yaml")
    project.build(name="better")
    project.remove("beta")
    project.build(name="better")
    assert project.ledger()["beta"].get("retired") is True


def test_i_08_a_deleted_note_comes_back(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), Note("beta"))
    package = project.build()
    learner.imports(package)
    learner.col.remove_notes([learner.note("beta").id])
    assert learner.imports(package) == Log(new=1, duplicate=1)
    assert differences(learner, package) == learner.problems() == []
