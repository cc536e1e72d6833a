"""How cards look follows the engine that is newest, not the package that was built last."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.package.notetypes import NOTE_TYPES, css
from tests.helpers import DAY, NOW, DeckProject, Learner, Log, Note, cloze, models, tree

OLD, NEW = ".card { color: olive; }", ".card { color: teal; }"


def everything(project: DeckProject) -> None:
    """Put one note of every type."""
    project.put(Note("alpha"), tree("beta", "L1", "L2", "L3", "Trap"), cloze("gamma"))


def styles(learner: Learner) -> set[str]:
    return {str(learner.col.models.by_name(kind.name)["css"]) for kind in NOTE_TYPES.values()}


def by_engine(project: DeckProject, note_types: Any, style: str, revised: int, at: int | None = None) -> Path:
    """Build a package with an engine whose note types have a style and were revised at a time."""
    note_types.style(style)
    for key in NOTE_TYPES:
        note_types.change(key, revised=revised)
    project.forget()
    return project.build(at=at)


@pytest.fixture
def elsewhere(tmp_path: Path) -> DeckProject:
    """Another project, which the same learner imports."""
    return DeckProject(tmp_path / "elsewhere", "title: Elsewhere\nunder: Elsewhere\n")


def test_an_older_engine_that_builds_later_brings_no_older_style_back(
    project: DeckProject, elsewhere: DeckProject, learner: Learner, note_types: Any
) -> None:
    everything(project)
    everything(elsewhere)
    elsewhere.notes = {f"other-{name}": _renamed(note) for name, note in elsewhere.notes.items()}
    learner.imports(by_engine(project, note_types, NEW, NOW - 20 * DAY, at=NOW - 19 * DAY))
    assert styles(learner) == {NEW}
    progress = learner.study()
    later = by_engine(elsewhere, note_types, OLD, NOW - 40 * DAY, at=NOW - 2 * DAY)
    assert {model["css"] for model in models(later).values()} == {OLD}
    assert learner.imports(later) == Log(new=3)
    assert styles(learner) == {NEW}
    assert progress.lost_in(learner.progress()) == {}
    assert learner.problems() == []


def _renamed(note: Note) -> Note:
    note.id = f"other-{note.id}"
    return note


def test_a_newer_engine_replaces_the_style_and_touches_no_review(
    project: DeckProject, learner: Learner, note_types: Any
) -> None:
    everything(project)
    learner.imports(by_engine(project, note_types, OLD, NOW - 40 * DAY, at=NOW - 39 * DAY))
    assert styles(learner) == {OLD}
    progress = learner.study()
    schema = learner.all("select scm from col")
    package = by_engine(project, note_types, NEW, NOW - 20 * DAY, at=NOW - 38 * DAY)
    assert {model["mod"] for model in models(package).values()} == {NOW - 20 * DAY}
    assert learner.imports(package) == Log(duplicate=3)
    assert styles(learner) == {NEW}
    assert progress.lost_in(learner.progress()) == {}
    assert learner.all("select scm from col") == schema
    assert learner.problems() == []


@pytest.mark.parametrize("later", [1, 400 * DAY], ids=["a second later", "far later"])
def test_a_ledger_from_before_still_moves_forward(
    project: DeckProject, learner: Learner, note_types: Any, later: int
) -> None:
    """Ledgers once held the time of the build that changed a type, which may lie behind `revised`."""
    everything(project)
    revised = NOW - 500 * DAY
    first = by_engine(project, note_types, OLD, revised, at=revised + DAY)
    before = dict.fromkeys(NOTE_TYPES, revised + later)
    _date_types(project, before)
    project.forget()
    first = project.build(at=revised + 2 * DAY)
    assert {model["mod"] for model in models(first).values()} == {revised + later}
    learner.imports(first)
    progress = learner.study()
    # the engine revises its types, and says an earlier time than the ledger knows
    package = by_engine(project, note_types, NEW, revised + 1, at=revised + 3 * DAY)
    assert {model["mod"] for model in models(package).values()} == {revised + later + 1}
    assert {
        name: entry["mod"] for name, entry in project.ledger().items() if name in NOTE_TYPES
    } == dict.fromkeys(NOTE_TYPES, revised + later + 1)
    assert learner.imports(package) == Log(duplicate=3)
    assert styles(learner) == {NEW}
    assert progress.lost_in(learner.progress()) == {}
    again = by_engine(project, note_types, NEW, revised + 1, at=revised + 4 * DAY)
    assert {model["mod"] for model in models(again).values()} == {revised + later + 1}


def _date_types(project: DeckProject, mods: dict[str, int]) -> None:
    """Write other times of note types into the ledger."""
    path = project.root / "decks/history.lock"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "notetype" in line:
            line["mod"] = mods[line["notetype"]]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def test_the_same_engine_gives_every_project_the_same_definition(
    project: DeckProject, elsewhere: DeckProject
) -> None:
    """Whichever of two packages comes last, the learner's note types stay as they are."""
    for one, at in ((project, NOW - 30 * DAY), (elsewhere, NOW - 3 * DAY)):
        everything(one)
        one.build(at=at)
    told = [{n: e for n, e in one.ledger().items() if n in NOTE_TYPES} for one in (project, elsewhere)]
    assert told[0] == told[1]
    assert {key: entry["mod"] for key, entry in told[0].items()} == {
        key: kind.revised for key, kind in NOTE_TYPES.items()
    }


# What there is a card for.


@pytest.mark.parametrize(
    "parts",
    [("L1",), ("Trap",), ("L1", "L2"), ("L1", "L2", "L3"), ("L1", "Trap"), ("L1", "L2", "L3", "Trap")],
)
def test_a_level_that_is_missing_has_no_card_and_no_mention(
    project: DeckProject, learner: Learner, parts: tuple[str, ...]
) -> None:
    project.put(tree("beta", *parts))
    learner.imports(project.build())
    cards = learner.note("beta").cards()
    names = ["Root", "L1", "L2", "L3", "Trap"]
    assert [card.template()["name"] for card in cards] == ["Root", *parts]
    for card in cards:
        shown = card.question(reload=True) + card.answer()
        ladder = re.search(r'<span class="ladder">(.*?)</header>', shown, re.S)
        assert ladder and re.findall(r">(Root|L\d|Trap)<", ladder[1]) == ["Root", *parts]
        below = re.findall(r"<summary><b>(\w+)</b>", shown)
        assert set(below) <= set(parts)
        assert set(names) - {"Root", *parts} == set(names) - set(re.findall(r">(Root|L\d|Trap)<", shown))
    assert learner.problems() == [], "no empty card"


def test_a_question_that_goes_takes_its_card_along(project: DeckProject, learner: Learner) -> None:
    """A front without its question is empty, which is how Anki finds the cards to delete."""
    project.put(tree("beta", "L1", "Trap"))
    learner.imports(project.build())
    for blank in ("", " ", "<br>", "<div><br></div>"):
        learner.edit("beta", "L1 Question", blank)
        [found] = learner.col.get_empty_cards().notes
        [number] = found.card_ids
        assert learner.col.get_card(number).ord == 1
    learner.edit("beta", "L1 Question", "again")
    assert learner.col.get_empty_cards().notes == []


def test_backs_hold_what_lies_deeper_but_not_what_lies_above(project: DeckProject, learner: Learner) -> None:
    project.put(tree("beta", "L1", "L2", "L3", "Trap"))
    learner.imports(project.build())
    shown = {card.template()["name"]: card for card in learner.note("beta").cards()}
    answers = {
        "Root": "An answer.",
        **{part: f"The answer of {part}." for part in ("L1", "L2", "L3", "Trap")},
    }
    deeper = {
        "Root": ["L1", "L2", "L3", "Trap"],
        "L1": ["L2", "L3", "Trap"],
        "L2": ["L3", "Trap"],
        "L3": ["Trap"],
        "Trap": [],
    }
    for name, card in shown.items():
        front, back = card.question(reload=True), card.answer()
        assert not any(text in front for text in answers.values()), "a front gives no answer away"
        assert [part for part, text in answers.items() if text in back] == [name, *deeper[name]]
        body = back[back.index("<hr id=answer>") :]
        folded = "".join(re.findall(r"<details class=\"deeper.*</details>", body, re.S))
        assert [part for part, text in answers.items() if text in folded] == deeper[name], (
            "it unfolds on request"
        )


def test_a_card_carries_script_only_where_it_is_timed(project: DeckProject, learner: Learner) -> None:
    everything(project)
    learner.imports(project.build())
    for name, expected in (("alpha", 1), ("beta", 1), ("gamma", 0)):
        for card in learner.note(name).cards():
            assert card.question(reload=True).count("<script>") == expected
            assert card.answer().count("<script>") == expected, "the back repeats the front and adds none"
            assert card.question().count('class="timer"') == expected


def test_the_style_arrives_as_it_is(project: DeckProject, learners: Callable[..., Learner]) -> None:
    everything(project)
    package = project.build()
    someone = learners()
    someone.imports(package)
    assert styles(someone) == {css()}
