"""An edited deck updates a learner's notes in place: nothing duplicated, no review lost.

A learner imports a first release and reviews every card; then the project changes in one way, and he imports
the second release. Each change is tried under both schedulers.
"""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from tests.helpers import (
    DAY,
    NOW,
    DeckProject,
    Learner,
    Log,
    Note,
    Progress,
    cloze,
    differences,
    media_names,
    svg,
    tree,
)

PLOT = '''
from proofdeck import figure


@figure
def line():
    """A line."""
    from matplotlib.figure import Figure

    chart = Figure(figsize=(2, 1))
    chart.subplots().plot([1, 2, {end}])
    return chart
'''


@pytest.fixture(params=[False, True], ids=["sm2", "fsrs"])
def fsrs(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@dataclass
class Story:
    """A project, a learner of its first release, and what he has learned."""

    project: DeckProject
    learner: Learner
    package: Path
    progress: Progress

    def update(self, **options: Any) -> Log:
        """Release, import, and hold against Promise 2 all that the learner has."""
        self.package = self.project.build()
        log = self.learner.imports(self.package, **options)
        assert self.progress.lost_in(self.learner.progress()) == {}
        assert self.learner.problems() == []
        return log


def first_release(project: DeckProject) -> None:
    project.file("decks/demo.yaml", "title: Demo\nunder: Top\n")
    project.file("cards/p.svg", svg("red"))
    project.put(Note("alpha"), tree("beta", "L1", "L2", "Trap"), cloze("gamma", 1, 2, 3))
    project.put(Note("delta", "![A sketch](p.svg)", deck="Other"), Note("epsilon", deck="Other"))


@pytest.fixture
def story(project: DeckProject, learners: Callable[..., Learner], fsrs: bool) -> Story:
    first_release(project)
    package, learner = project.build(), learners(fsrs)
    assert learner.imports(package) == Log(new=5)
    return Story(project, learner, package, learner.study())


@pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])
def test_the_first_import_gives_the_notes_and_cards_that_were_written(
    project: DeckProject, learner: Learner, legacy: bool
) -> None:
    first_release(project)
    package = project.build(legacy=legacy)
    assert learner.imports(package) == Log(new=5)
    [report] = project.report.decks
    assert (
        (report.notes, report.cards, report.media)
        == (5, 10, 1)
        == (5, learner.col.card_count(), len(learner.media()))
    )
    assert learner.decks() == {"Top", "Top::Subject", "Top::Other"}
    assert differences(learner, package) == learner.problems() == learner.unused_media() == []
    card = next(card for card in learner.note("beta").cards() if card.ord == 4)
    assert "About beta" in card.question() and "The answer of Trap." in card.answer()


def test_nothing_changed_changes_nothing(story: Story) -> None:
    before = story.package.read_bytes()
    assert story.update() == Log(duplicate=5)
    assert story.package.read_bytes() == before


def edit_an_answer(project: DeckProject, _types: Any) -> Log:
    project.put(Note("alpha", "Corrected."))
    return Log(updated=1, duplicate=4)


def edit_every_question(project: DeckProject, _types: Any) -> Log:
    project.put(*(replace(note, question=f"Why {note.id}?") for note in project.notes.values()))
    return Log(updated=5)


def retag(project: DeckProject, _types: Any) -> Log:
    project.put(replace(project.notes["beta"], tags="hard interview"))
    return Log(updated=1, duplicate=4)


def name_a_spare_field(project: DeckProject, types: Any) -> Log:
    for key in ("basic", "depth-tree", "cloze"):
        types.rename_field(key, "Spare 1", "History")
    types.fill("History", "Nobody knew before.")
    return Log(updated=5)


def rename_a_field(project: DeckProject, types: Any) -> Log:
    types.rename_field("basic", "Spare 3", "Whatever")
    return Log(duplicate=5)


def restyle(project: DeckProject, types: Any) -> Log:
    types.style(".card { color: teal; }")
    return Log(duplicate=5)


def change_a_template(project: DeckProject, types: Any) -> Log:
    from proofdeck.package.notetypes import NOTE_TYPES

    templates = NOTE_TYPES["depth-tree"].templates
    types.change(
        "depth-tree", templates=tuple(replace(t, back=t.back + "<hr>", name=t.name + "!") for t in templates)
    )
    return Log(duplicate=5)


def add_notes(project: DeckProject, _types: Any) -> Log:
    old = list(project.notes.values())
    project.notes = {
        note.id: note
        for note in (tree("first"), *old[:2], cloze("middle"), *old[2:], Note("last", deck="New"))
    }
    return Log(new=3, duplicate=5)


def add_parts_and_clozes(project: DeckProject, _types: Any) -> Log:
    project.put(tree("beta", "L1", "L2", "L3", "Trap"), cloze("gamma", 1, 2, 3, 4))
    return Log(updated=2, duplicate=3)


def retire_a_note(project: DeckProject, _types: Any) -> Log:
    project.remove("beta")
    return Log(duplicate=4)


def change_a_picture(project: DeckProject, _types: Any) -> Log:
    project.file("cards/p.svg", svg("blue"))
    return Log(updated=1, duplicate=4)


def give_notes_other_ids(project: DeckProject, _types: Any) -> Log:
    for old in ("alpha", "beta"):
        note = project.notes.pop(old)
        project.put(replace(note, id=f"better-{old}", question=f"What is {old}?", formerly=old))
    return Log(updated=2, duplicate=3)


def move_to_another_deck_and_file(project: DeckProject, _types: Any) -> Log:
    project.put(replace(project.notes["epsilon"], deck="Elsewhere::Deep"))
    return Log(updated=1, duplicate=4)  # the card tells its file


def change_the_order(project: DeckProject, _types: Any) -> Log:
    order = ("gamma", "beta", "alpha", "epsilon", "delta")
    project.notes = {name: project.notes[name] for name in order}
    return Log(duplicate=5)


CHANGES = [
    edit_an_answer, edit_every_question, retag, name_a_spare_field, rename_a_field, restyle, change_a_template, add_notes,
    add_parts_and_clozes, retire_a_note, change_a_picture, give_notes_other_ids, move_to_another_deck_and_file, change_the_order,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_updates_in_place(
    story: Story, note_types: Any, change: Callable[[DeckProject, Any], Log]
) -> None:
    expected = change(story.project, note_types)
    story.project.forget()
    assert story.update() == expected
    assert differences(story.learner, story.package) == []
    assert set(media_names(story.package)) <= story.learner.media()
    assert len(story.learner.guids()) == 5 + expected.new


@pytest.mark.parametrize(
    "options",
    [
        {"with_scheduling": True, "with_deck_configs": True},
        {"merge_notetypes": True},
        {"update_notes": 1, "update_notetypes": 1},
    ],
    ids=str,
)
def test_no_import_option_costs_a_review(story: Story, note_types: Any, options: dict[str, Any]) -> None:
    for change in (edit_an_answer, name_a_spare_field, add_notes, add_parts_and_clozes, give_notes_other_ids):
        change(story.project, note_types)
    story.project.forget()
    story.update(**options)
    assert differences(story.learner, story.package) == []
    assert len(story.learner.guids()) == 8


def test_a_learners_own_edit_survives_while_another_note_is_updated(story: Story) -> None:
    story.learner.edit("gamma", "Extra", "My mnemonic.")
    story.project.put(Note("alpha", "Corrected."))
    assert story.update() == Log(updated=1, duplicate=4)
    assert story.learner.field("gamma", "Extra") == "My mnemonic."
    assert "Corrected." in story.learner.field("alpha", "Answer")


def test_a_retired_note_keeps_its_reviews_and_may_come_back(story: Story) -> None:
    beta = story.project.notes.pop("beta")
    story.update()
    assert story.project.report.decks[0].retired == 1
    story.project.put(replace(beta, answer="Back again, and better."))
    assert story.update() == Log(updated=1, duplicate=4)
    assert "Back again" in story.learner.field("beta", "Answer")


def test_an_id_may_change_twice(story: Story) -> None:
    for old, new in (("alpha", "second"), ("second", "third")):
        note = story.project.notes.pop(old)
        story.project.put(replace(note, id=new, formerly=f"{old} {note.formerly}".strip()))
        assert story.update() == Log(updated=1, duplicate=4)
    assert story.learner.note("alpha")["Id"] == "third"
    known = story.project.ledger()["third"]
    assert known["guid"] == "proofdeck:alpha"
    story.project.put(replace(story.project.notes["third"], formerly=""))
    assert story.update().new == 0
    assert story.project.ledger()["third"] == known, "the ledger remembers without the attribute"


def test_a_changed_figure_arrives_and_leaves_only_its_old_drawing_behind(
    project: DeckProject, learner: Learner
) -> None:
    project.file("figures/plots.py", PLOT.format(end=3))
    project.put(Note("alpha", "{figure}`plots.line`"), Note("beta"))
    first = project.build()
    learner.imports(first)
    assert learner.unused_media() == learner.problems() == []
    progress = learner.study()
    project.file("figures/plots.py", PLOT.format(end=7))
    second = project.build()
    assert learner.imports(second) == Log(updated=1, duplicate=1)
    assert progress.lost_in(learner.progress()) == {}
    assert learner.problems() == differences(learner, second) == []
    assert media_names(first) != media_names(second)
    assert learner.media() == {*media_names(first), *media_names(second)}
    assert learner.unused_media() == media_names(first)


def test_a_legacy_package_updates_what_a_modern_one_brought(story: Story) -> None:
    story.project.put(Note("alpha", "Corrected."), Note("zeta"))
    package = story.project.build(legacy=True)
    assert story.learner.imports(package) == Log(new=1, updated=1, duplicate=4)
    assert story.progress.lost_in(story.learner.progress()) == {}
    assert differences(story.learner, package) == story.learner.problems() == []


def test_two_decks_that_share_notes_share_their_reviews(project: DeckProject, learner: Learner) -> None:
    project.file("decks/demo.yaml", "title: Demo\nunder: All\n")
    project.file("decks/short.yaml", "title: Short\nunder: Short\ncards: [cards/deck-00.md]\n")
    project.put(Note("alpha"), tree("beta"), Note("gamma", deck="Other"))
    learner.imports(project.build())
    progress = learner.study()
    assert learner.imports(project.build(name="short")) == Log(duplicate=2)
    project.put(Note("alpha", "Corrected."))
    assert learner.imports(project.build(name="short")) == Log(updated=1, duplicate=1)
    assert progress.lost_in(learner.progress()) == {}
    assert learner.problems() == []


def test_a_learner_who_skips_releases_misses_nothing(project: DeckProject, learner: Learner) -> None:
    first_release(project)
    learner.imports(project.build())
    progress = learner.study()
    for change in (edit_an_answer, add_notes, change_a_picture, retag):
        change(project, None)
        package = project.build()
    assert learner.imports(package) == Log(new=3, updated=3, duplicate=2)
    assert progress.lost_in(learner.progress()) == {}
    assert differences(learner, package) == learner.problems() == []


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_edits_updates_in_place(
    project: DeckProject, learners: Callable[..., Learner], seed: int
) -> None:
    """Two learners, one of whom imports only now and then, against a project that changes at random."""
    chance = random.Random(seed)
    eager, lazy = learners(fsrs=True), learners()
    first_release(project)
    for learner in (eager, lazy):
        learner.imports(project.build(at=NOW - 30 * DAY))
    progress = {learner: learner.study() for learner in (eager, lazy)}
    for step in range(8):
        name = chance.choice(list(project.notes))
        note = project.notes[name]
        match chance.randrange(5):
            case 0:
                project.put(replace(note, answer=f"{note.answer} Step {'x' * step}."))
            case 1:
                project.put(Note(f"new-{step}", deck=chance.choice(["Subject", "Other", "Third"])))
            case 2 if len(project.notes) > 2:
                project.remove(name)
            case 3:
                del project.notes[name]
                project.put(replace(note, id=f"{name}-r{step}", formerly=name))
            case _:
                project.put(replace(note, tags=f"{note.tags} step-{step}".strip()))
        package = project.build()
        for learner in (eager, lazy) if chance.random() < 0.4 or step == 7 else (eager,):
            learner.imports(package)
            assert progress[learner].lost_in(learner.progress()) == {}
            assert differences(learner, package) == learner.problems() == []


def test_the_package_is_no_larger_than_ankis_own(
    project: DeckProject, learner: Learner, tmp_path: Path
) -> None:
    from anki.collection import ExportAnkiPackageOptions

    words = [
        f"{first}{second}"
        for first in ("key", "value", "query", "head", "layer")
        for second in ("s", "wise", "ing", " of")
    ]
    chance = random.Random(1)
    for number in range(150):
        text = " ".join(chance.choices(words, k=60))
        project.file(f"cards/p{number}.svg", svg(f"#{number:06}") + f"<!-- {text} -->")
        project.put(
            replace(tree(f"note-{number}", "L1", "L2", "Trap"), answer=f"{text}. ![A](p{number}.svg)")
        )
    package = project.build()
    learner.imports(package)
    options = ExportAnkiPackageOptions(
        with_scheduling=False, with_deck_configs=False, with_media=True, legacy=False
    )
    theirs = tmp_path / "anki.apkg"
    learner.col.export_anki_package(out_path=str(theirs), options=options, limit=None)
    assert package.stat().st_size <= 1.2 * theirs.stat().st_size
    with zipfile.ZipFile(package) as ours, zipfile.ZipFile(theirs) as anki:
        for name in ("collection.anki21b", "media"):
            assert ours.getinfo(name).compress_size <= 1.2 * anki.getinfo(name).compress_size, name
        pictures = [sum(i.compress_size for i in a.infolist() if i.filename.isdigit()) for a in (ours, anki)]
    assert pictures[0] <= 1.2 * pictures[1]
