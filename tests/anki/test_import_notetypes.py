"""Rules I-14 to I-23 of Anki's importer: note types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.errors import ContentError
from proofdeck.package.notetypes import NOTE_TYPES, Field, NoteType, Template, css, template_problems
from tests.helpers import (
    DAY,
    NOW,
    DeckProject,
    Learner,
    Log,
    Note,
    cloze,
    differences,
    forged,
    models,
    rows,
    tree,
)

SPARES = [f"Spare {number}" for number in range(1, 7)]


def everything(project: DeckProject) -> None:
    """Put one note of every type."""
    project.put(Note("alpha"), tree("beta", "L1", "L2", "L3", "Trap"), cloze("gamma"))


def add_field(found: dict[str, Any]) -> None:
    """Add a field to our basic note type, as nobody should."""
    fields = found["proofdeck Basic"]["flds"]
    fields.append(fields[-1] | {"name": "Added", "ord": len(fields), "id": 4711})
    found["proofdeck Basic"]["mod"] += 1


ADDED = "update notes set flds = flds || char(31) || 'filled', mod = mod + 1"


def test_i_14_fields_and_templates_carry_ids_that_arrive(project: DeckProject, learner: Learner) -> None:
    everything(project)
    learner.imports(project.build())
    for kind in NOTE_TYPES.values():
        held = learner.col.models.by_name(kind.name)
        assert (held["id"], held["css"]) == (kind.id, css())
        assert [(field["name"], field["id"]) for field in held["flds"]] == [
            (f.name, f.id) for f in kind.fields
        ]
        assert [(t["name"], t["id"]) for t in held["tmpls"]] == [(t.name, t.id) for t in kind.templates]
    ids = [part.id for kind in NOTE_TYPES.values() for part in (*kind.fields, *kind.templates)]
    assert None not in ids and len(set(ids)) == len(ids)


def test_i_15_a_field_that_we_rename_keeps_updating(
    project: DeckProject, learner: Learner, note_types: Any
) -> None:
    everything(project)
    learner.imports(project.build())
    note_types.rename_field("basic", "Spare 1", "History")
    note_types.fill("History", "Nobody knew before.")
    project.put(Note("alpha", "Corrected."))
    project.remove("beta", "gamma")
    project.forget()
    package = project.build()
    assert learner.imports(package) == Log(updated=1)
    assert learner.field("alpha", "History") == "Nobody knew before."
    assert differences(learner, package) == learner.problems() == []
    assert sorted(kind.name for kind in learner.col.models.all_names_and_ids() if "proofdeck" in kind.name) == [
        "proofdeck Basic", "proofdeck Cloze", "proofdeck Depth tree",
    ]  # fmt: skip


def test_i_15_a_field_that_the_user_renames_keeps_updating(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build())
    kind = learner.col.models.by_name("proofdeck Basic")
    learner.col.models.rename_field(kind, kind["flds"][2], "Antwort")
    learner.col.models.update_dict(kind)
    project.put(Note("alpha", "Corrected."))
    assert learner.imports(project.build(at=NOW + DAY)) == Log(updated=1)
    assert "Corrected." in learner.field("alpha", "Antwort")
    assert learner.problems() == []


def test_i_15_because_without_ids_every_note_would_conflict(project: DeckProject, learner: Learner) -> None:
    def nameless(found: dict[str, Any]) -> None:
        for part in (*found["proofdeck Basic"]["flds"], *found["proofdeck Basic"]["tmpls"]):
            del part["id"]

    def renamed(found: dict[str, Any]) -> None:
        nameless(found)
        found["proofdeck Basic"]["flds"][-1]["name"] = "History"

    project.put(Note("alpha"))
    package = project.build()
    learner.imports(forged(package, change_models=nameless))
    later = forged(package, f"update notes set mod = {NOW + DAY}", change_models=renamed)
    assert learner.imports(later) == Log(conflicting=1)


def test_i_16_fields_and_templates_are_those_that_were_released() -> None:
    """A field or template added, removed or moved cuts every learner off from updates: never change these lists."""
    parts = ["", "L1 ", "L2 ", "L3 ", "Trap "]
    fields = {
        "depth-tree": [
            "Title",
            *(p + n for p in parts for n in ("Question", "Answer", "Proof")),
            "Source",
            "Status",
            "Id",
        ],
        "basic": ["Title", "Question", "Answer", "Proof", "Source", "Status", "Id"],
        "cloze": ["Title", "Question", "Text", "Extra", "Proof", "Source", "Status", "Id"],
    }
    templates = {"depth-tree": 5, "basic": 1, "cloze": 1}
    base = {"depth-tree": 1_720_000_000_100, "basic": 1_720_000_000_200, "cloze": 1_720_000_000_300}
    assert {key: kind.id for key, kind in NOTE_TYPES.items()} == base
    for key, kind in NOTE_TYPES.items():
        numbered = [Field(name, base[key] + n) for n, name in enumerate([*fields[key], *SPARES], start=1)]
        assert [field.id for field in kind.fields] == [field.id for field in numbered]
        assert list(kind.fields[: len(fields[key])]) == numbered[: len(fields[key])]
        assert [t.id for t in kind.templates] == [base[key] + 50 + n for n in range(1, templates[key] + 1)]
    assert [t.name for t in NOTE_TYPES["depth-tree"].templates] == ["Root", "L1", "L2", "L3", "Trap"]


def test_i_16_because_a_field_more_stops_every_update(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    package = project.build()
    learner.imports(package)
    grown = forged(package, ADDED, change_models=add_field)
    assert learner.imports(grown) == Log(conflicting=1)
    assert "Added" not in learner.note("alpha")


def test_i_17_naming_a_spare_field_fills_it_in_the_same_import(
    project: DeckProject, learner: Learner, note_types: Any
) -> None:
    everything(project)
    learner.imports(project.build())
    for key in NOTE_TYPES:
        note_types.rename_field(key, "Spare 2", "History")
    note_types.fill("History", "Nobody knew before.")
    project.forget()
    package = project.build()
    assert learner.imports(package, merge_notetypes=False) == Log(updated=3)
    assert {learner.field(name, "History") for name in project.notes} == {"Nobody knew before."}
    assert differences(learner, package) == learner.problems() == []


def test_i_17_because_a_field_that_a_merge_adds_stays_empty(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    package = project.build()
    learner.imports(package)
    grown = forged(package, ADDED, change_models=add_field)
    learner.imports(grown, merge_notetypes=True)
    assert learner.field("alpha", "Added") == ""
    learner.imports(grown, merge_notetypes=True)
    assert learner.field("alpha", "Added") == ""


def test_i_18_a_users_own_field_stops_updates_and_a_merge_resumes_them(
    project: DeckProject, learner: Learner
) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build())
    kind = learner.col.models.by_name("proofdeck Basic")
    learner.col.models.add_field(kind, learner.col.models.new_field("Mnemonic"))
    learner.col.models.update_dict(kind)
    progress = learner.study()
    project.put(Note("alpha", "Corrected."))
    package = project.build(at=NOW + DAY)
    assert learner.imports(package) == Log(conflicting=1)
    assert "An answer." in learner.field("alpha", "Answer")
    assert learner.imports(package, merge_notetypes=True) == Log(updated=1)
    assert "Corrected." in learner.field("alpha", "Answer")
    assert progress.lost_in(learner.progress()) == {}
    assert learner.problems() == []


def test_i_18_renaming_our_note_type_is_harmless(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build())
    kind = learner.col.models.by_name("proofdeck Basic")
    kind["name"] = "My favourite"
    learner.col.models.update_dict(kind)
    project.put(Note("alpha", "Corrected."), Note("beta"))
    assert learner.imports(project.build(at=NOW + DAY)) == Log(new=1, updated=1)
    assert learner.note("beta").note_type()["id"] == kind["id"]


def test_i_19_a_new_style_arrives_and_moves_no_note(
    project: DeckProject, learner: Learner, note_types: Any
) -> None:
    everything(project)
    first = project.build()
    learner.imports(first)
    note_types.style(".card { color: teal; }")
    restyled = project.build()
    assert learner.imports(restyled) == Log(duplicate=3)
    for kind in NOTE_TYPES.values():
        assert learner.col.models.by_name(kind.name)["css"] == ".card { color: teal; }"
    mods = [{name: model["mod"] for name, model in models(package).items()} for package in (first, restyled)]
    assert all(mods[0][name] < mods[1][name] for name in mods[0])
    assert rows(first, "select mod from notes") == rows(restyled, "select mod from notes")


def test_i_19_a_users_own_style_survives_until_ours_changes(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    first = project.build()
    learner.imports(first)
    kind = learner.col.models.by_name("proofdeck Basic")
    kind["css"] += "/* mine */"
    learner.col.models.update_dict(kind)
    project.put(Note("alpha", "Corrected."))
    second = project.build(at=NOW + DAY)
    assert learner.imports(second) == Log(updated=1)
    assert learner.col.models.by_name("proofdeck Basic")["css"].endswith("/* mine */")
    assert models(first)["proofdeck Basic"]["mod"] == models(second)["proofdeck Basic"]["mod"]


def test_i_20_a_name_that_is_taken_costs_no_update(project: DeckProject, learner: Learner) -> None:
    stock = {kind.name for kind in learner.col.models.all_names_and_ids()}
    assert stock.isdisjoint(kind.name for kind in NOTE_TYPES.values())
    own = learner.col.models.copy(learner.col.models.by_name("Basic"), add=False)
    own["name"] = "proofdeck Basic"
    learner.col.models.add_dict(own)
    project.put(Note("alpha"))
    learner.imports(project.build())
    assert learner.note("alpha").note_type()["name"] == "proofdeck Basic+"
    project.put(Note("alpha", "Corrected."))
    assert learner.imports(project.build()) == Log(updated=1)
    assert learner.problems() == []


def test_i_21_ankis_editor_takes_our_templates_and_every_card_shows(
    project: DeckProject, learner: Learner
) -> None:
    everything(project)
    learner.imports(project.build())
    assert learner.problems() == []
    answers = [learner.col.get_card(number).answer() for number in learner.col.find_cards("")]
    assert len(answers) == 1 + 5 + 2
    assert all("So says the author." in answer and "Proof" in answer for answer in answers)
    for kind in NOTE_TYPES.values():
        assert template_problems(kind) == []


def _with(key: str, side: str, change: Callable[[str], str], of: int = 0) -> NoteType:
    templates = list(NOTE_TYPES[key].templates)
    templates[of] = replace(templates[of], **{side: change(getattr(templates[of], side))})
    return replace(NOTE_TYPES[key], templates=tuple(templates))


DEFECTS = {
    "unknown field on the front": _with("basic", "front", lambda html: html + "{{Hint}}"),
    "unknown field on the back": _with("basic", "back", lambda html: html + "{{Hint}}"),
    "unknown field in a section": _with("depth-tree", "front", lambda html: "{{#Hint}}x{{/Hint}}" + html),
    "no field on the front": _with("basic", "front", lambda html: "Which?"),
    "two fronts alike": _with(
        "depth-tree", "front", lambda html: NOTE_TYPES["depth-tree"].templates[1].front
    ),
    "no cloze on the front": _with("cloze", "front", lambda html: "{{Text}}"),
    "no cloze on the back": _with("cloze", "back", lambda html: "{{Text}}"),
    "an open section": _with("basic", "front", lambda html: "{{#Title}}" + html),
}


@pytest.mark.parametrize("kind", DEFECTS.values(), ids=list(DEFECTS))
def test_i_21_what_ankis_editor_refuses_so_do_we(
    project: DeckProject, learner: Learner, kind: NoteType
) -> None:
    from anki.errors import CardTypeError

    everything(project)
    learner.imports(project.build())
    held = learner.col.models.by_name(kind.name)
    for place, template in zip(held["tmpls"], kind.templates, strict=True):
        place |= {"qfmt": template.front, "afmt": template.back}
    with pytest.raises(CardTypeError):
        learner.col.models.update_dict(held)
    assert template_problems(kind)


def test_i_21_because_anki_would_import_it_and_fail_at_review(project: DeckProject, learner: Learner) -> None:
    def break_it(found: dict[str, Any]) -> None:
        found["proofdeck Basic"]["tmpls"][0]["qfmt"] = "{{Hint}}"

    project.put(Note("alpha"))
    assert learner.imports(forged(project.build(), change_models=break_it)) == Log(new=1)
    assert "Front template has a problem" in learner.note("alpha").cards()[0].question()
    assert len(learner.problems()) == 3, "empty, refused by the editor, not shown"


def test_i_21_a_broken_template_is_not_packaged(project: DeckProject, note_types: Any) -> None:
    everything(project)
    note_types.change("basic", templates=DEFECTS["unknown field on the back"].templates)
    with pytest.raises(ContentError, match="the back of `Card` names the unknown field `Hint`"):
        project.build()
    assert not (project.root / "decks/build").exists()


@pytest.mark.parametrize("name", ["A:B", "A{B", "A}B", 'A"B', "#A", "/A", "^A", " A"])
def test_i_22_a_field_name_that_anki_would_change_is_refused(learner: Learner, name: str) -> None:
    fields = (*NOTE_TYPES["basic"].fields[:-1], Field(name, 1))
    assert template_problems(replace(NOTE_TYPES["basic"], fields=fields)) == [f"`{name}` is no field name"]
    kind = learner.col.models.by_name("Basic")
    learner.col.models.add_field(kind, learner.col.models.new_field(name))
    learner.col.models.update_dict(kind)
    assert learner.col.models.by_name("Basic")["flds"][-1]["name"] != name


def test_i_22_our_names_arrive_as_they_are(project: DeckProject, learner: Learner) -> None:
    everything(project)
    package = project.build()
    learner.imports(package)
    for name, model in models(package).items():
        held = learner.col.models.by_name(name)
        for kind in ("flds", "tmpls"):
            assert [part["name"] for part in held[kind]] == [part["name"] for part in model[kind]]
    assert not any('"' in part.name for kind in NOTE_TYPES.values() for part in (kind, *kind.templates))


def test_i_23_no_update_forces_a_full_sync(project: DeckProject, learner: Learner, note_types: Any) -> None:
    everything(project)
    learner.imports(project.build())
    schema = learner.all("select scm from col")
    project.put(Note("alpha", "Corrected."), Note("delta"), tree("beta", "L1"), cloze("gamma", 1, 2, 3))
    learner.imports(project.build())
    note_types.style(".card { color: teal; }")
    template = NOTE_TYPES["basic"].templates[0]
    note_types.change(
        "basic", templates=(Template("Card", template.id, template.front + "<hr>", template.back),)
    )
    project.forget()
    learner.imports(project.build(), merge_notetypes=True)
    assert "<hr>" in learner.col.models.by_name("proofdeck Basic")["tmpls"][0]["qfmt"]
    assert learner.all("select scm from col") == schema
