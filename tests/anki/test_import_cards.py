"""Rules I-24 to I-30 of Anki's importer: cards and decks."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.errors import ContentError
from tests.helpers import DAY, NOW, DeckProject, Learner, Log, Note, cloze, differences, rows, tree


def order_of_new_cards(learner: Learner, deck: str) -> list[str]:
    """Return the GUIDs of the notes whose new cards Anki shows, in its order, siblings once."""
    learner.col.decks.set_current(learner.col.decks.id_for_name(deck))
    queued = learner.col.sched.get_queued_cards(fetch_limit=100).cards
    guids = [learner.col.get_note(entry.card.note_id).guid.partition(":")[2] for entry in queued]
    return list(dict.fromkeys(guids))


def test_i_24_a_card_that_is_there_is_never_touched(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), tree("beta"), cloze("gamma"))
    learner.imports(project.build())
    progress = learner.study()
    cards = learner.note("beta").cards()
    learner.col.set_deck([cards[0].id], learner.col.decks.id("Mine"))
    learner.col.sched.suspend_cards([cards[1].id])
    learner.col.set_user_flag_for_cards(3, [cards[2].id])
    before = learner.progress()
    assert len(progress.lost_in(before)) == 3
    project.put(
        *(Note(n.id, n.answer + " Better.", deck="Elsewhere", parts=n.parts) for n in project.notes.values())
    )
    for number, scheduling in enumerate((False, True)):
        project.put(Note(f"new-{number}"))
        assert (
            learner.imports(project.build(at=NOW + (number + 1) * DAY), with_scheduling=scheduling).new == 1
        )
        assert before.lost_in(learner.progress()) == {}
    assert "Better." in learner.field("beta", "Answer")


def test_i_24_moving_a_note_to_another_deck_moves_only_what_is_new(
    project: DeckProject, learner: Learner
) -> None:
    project.put(Note("alpha"), Note("beta"))
    learner.imports(project.build())
    project.put(Note("alpha", deck="Elsewhere"), Note("gamma", deck="Elsewhere"))
    learner.imports(project.build())
    assert [learner.deck_of(name) for name in ("alpha", "beta", "gamma")] == [
        "Subject",
        "Subject",
        "Elsewhere",
    ]


@pytest.mark.parametrize(
    ("note", "ordinals"),
    [
        (Note("alpha"), [0]),
        (tree("alpha", "Trap"), [0, 4]),
        (tree("alpha", "L1", "L2"), [0, 1, 2]),
        (tree("alpha", "L1", "L2", "L3", "Trap"), [0, 1, 2, 3, 4]),
        (cloze("alpha", 2, 7), [1, 6]),
        (cloze("alpha", 1, 500), [0, 499]),
    ],
    ids=lambda value: "" if isinstance(value, Note) else str(value),
)
def test_i_25_the_package_holds_every_card_that_anki_would_make(
    project: DeckProject, learner: Learner, note: Note, ordinals: list[int]
) -> None:
    project.put(note)
    learner.imports(project.build())
    assert learner.all("select ord from cards order by ord") == [(number,) for number in ordinals]
    learner.col.after_note_updates([learner.note("alpha").id], mark_modified=True, generate_cards=True)
    assert learner.all("select ord from cards order by ord") == [(number,) for number in ordinals]
    assert learner.problems() == []


def test_i_25_a_new_part_and_a_new_cloze_bring_their_cards(project: DeckProject, learner: Learner) -> None:
    project.put(tree("alpha", "L1"), cloze("beta", 1))
    learner.imports(project.build())
    progress = learner.study()
    project.put(tree("alpha", "L1", "L2", "Trap"), cloze("beta", 1, 2))
    package = project.build()
    assert learner.imports(package) == Log(updated=2)
    assert [card.ord for card in learner.note("alpha").cards()] == [0, 1, 2, 4]
    assert [card.ord for card in learner.note("beta").cards()] == [0, 1]
    assert progress.lost_in(learner.progress()) == {}
    assert learner.problems() == []


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        (r"$\frac{a}{b^{2}}$", r"\(\frac{a}{b^{2}}\)"),
        (r"$$x_{y_{z}}$$", r"\[x_{y_{z}}\]"),
        ("`std::cout` prints", "<code>std::cout</code> prints"),
        ("`{{c1::x}}`", "<code>{{c1::x}}</code>"),
        ("**bold** | a `::` hint", "<strong>bold</strong>"),
    ],
)
def test_i_25_a_cloze_hides_and_shows_all_of_its_text(
    project: DeckProject, learner: Learner, hidden: str, shown: str
) -> None:
    project.put(Note("alpha", f"Before {{cloze}}```1: {hidden} ``` after.", tags="unverified"))
    learner.imports(project.build())
    [card] = learner.note("alpha").cards()
    question = re.sub(r'data-cloze="[^"]*"', "", card.question())
    assert shown in html.unescape(card.answer())
    assert shown not in html.unescape(question)
    assert "Before" in question and "after." in question
    assert learner.problems() == []


def test_i_25_a_note_without_a_card_is_refused(project: DeckProject) -> None:
    project.put(Note("alpha", question="&nbsp;"))
    with pytest.raises(ContentError, match="a heading without a question"):
        project.build()


def test_i_25_a_cloze_number_that_anki_does_not_know_is_refused(project: DeckProject) -> None:
    project.put(cloze("alpha", 1, 501))
    with pytest.raises(ContentError, match="Anki has no cloze 501"):
        project.build()


def test_i_26_a_removed_cloze_leaves_an_empty_card_and_its_number_is_never_used_again(
    project: DeckProject, learner: Learner
) -> None:
    project.put(cloze("alpha", 1, 2))
    learner.imports(project.build())
    progress = learner.study()
    project.put(cloze("alpha", 1))
    learner.imports(project.build())
    assert progress.lost_in(learner.progress()) == {}
    [empty] = learner.col.get_empty_cards().notes
    assert list(empty.card_ids) == [card.id for card in learner.note("alpha").cards() if card.ord == 1]
    assert project.ledger()["alpha"]["retired_clozes"] == [2]
    project.put(cloze("alpha", 1, 2))
    with pytest.raises(ContentError, match=r"cloze 2 of `alpha` is retired(?s:.*)number it 3"):
        project.build()
    project.put(cloze("alpha", 1, 3))
    assert learner.imports(project.build()) == Log(updated=1)


def test_i_26_a_removed_part_leaves_the_other_cards_alone(project: DeckProject, learner: Learner) -> None:
    project.put(tree("alpha", "L1", "L2", "Trap"))
    learner.imports(project.build())
    progress = learner.study()
    project.put(tree("alpha", "L1", "Trap"))
    learner.imports(project.build())
    assert progress.lost_in(learner.progress()) == {}
    [empty] = learner.col.get_empty_cards().notes
    assert list(empty.card_ids) == [card.id for card in learner.note("alpha").cards() if card.ord == 2]
    assert not empty.will_delete_note


def test_i_27_decks_match_by_name_and_only_they_and_their_parents_come(
    project: DeckProject, learner: Learner
) -> None:
    own = learner.col.decks.id("Top::One")
    project.file("decks/demo.yaml", "title: Demo\nunder: Top\n")
    project.put(Note("alpha", deck="One"), Note("beta", deck="Two::Deep"))
    package = project.build()
    learner.imports(package)
    assert learner.decks() == {"Top", "Top::One", "Top::Two", "Top::Two::Deep"}
    assert learner.note("alpha").cards()[0].did == own
    [(text,)] = rows(package, "select decks from col")
    assert {deck["name"] for deck in json.loads(text).values()} == learner.decks() | {"Default"}


def test_i_27_a_deck_that_the_user_renamed_keeps_its_cards(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    learner.imports(project.build())
    learner.col.decks.rename(learner.col.decks.by_name("Subject"), "Mine")
    project.put(Note("alpha", "Corrected."), Note("beta"))
    assert learner.imports(project.build()) == Log(new=1, updated=1)
    assert (learner.deck_of("alpha"), learner.deck_of("beta")) == ("Mine", "Subject")


@pytest.mark.parametrize("deck", ["Étude", 'The "KV" cache', "A / B: C", "C++ & “b”", "日本::語"])
def test_i_27_unusual_deck_names_meet_themselves_again(
    project: DeckProject, learner: Learner, deck: str
) -> None:
    project.put(Note("alpha", deck=deck))
    learner.imports(project.build())
    project.put(Note("beta", deck=deck))
    assert learner.imports(project.build()) == Log(new=1, duplicate=1)
    assert learner.deck_of("alpha") == learner.deck_of("beta")
    assert len(learner.decks()) == deck.count("::") + 1


def test_i_27_two_decks_that_differ_in_case_alone_are_refused(project: DeckProject) -> None:
    project.put(Note("alpha", deck="KV cache"), Note("beta", deck="KV Cache"))
    with pytest.raises(ContentError, match="the deck `KV Cache` is `KV cache` in other letters"):
        project.build()


def test_i_27_one_deck_name_in_two_unicode_forms_is_one_deck(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha", deck="Étude"), Note("beta", deck="E\u0301tude"))
    learner.imports(project.build())
    assert learner.decks() == {"Étude"}


def test_i_27_a_control_character_which_anki_drops_from_a_deck_name_is_refused(project: DeckProject) -> None:
    project.put(Note("alpha", deck="KV\x07 cache"))
    with pytest.raises(ContentError, match="a control character in the name of a deck"):
        project.build()


def test_i_27_a_manifest_with_an_empty_deck_level_is_refused(project: DeckProject) -> None:
    project.file("decks/demo.yaml", 'title: Demo\nunder: "Top::"\n')
    project.put(Note("alpha"))
    with pytest.raises(ContentError, match="an empty level in the deck `Top::`"):
        project.build()


def test_i_28_the_description_of_the_topmost_deck_is_ours_and_is_markdown(
    project: DeckProject, learner: Learner
) -> None:
    project.file("decks/demo.yaml", "title: Demo\nunder: Top\ndescription: Every **claim** tested.\n")
    project.put(Note("alpha"))
    learner.imports(project.build())
    for name, text in {"Top": "My words.", "Top::Subject": "My own notes."}.items():
        deck = learner.col.decks.by_name(name)
        assert deck["md"] is True
        learner.col.decks.update_dict(deck | {"desc": text})
    project.put(Note("alpha", "Corrected."), Note("beta"))
    learner.imports(project.build())
    assert learner.col.decks.by_name("Top")["desc"] == "Every **claim** tested."
    assert learner.col.decks.by_name("Top::Subject")["desc"] == "My own notes.", "we describe no subdeck"


def test_i_29_presets_stay_as_the_user_set_them(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"), Note("beta", deck="Other"))
    learner.imports(project.build())
    decks = learner.col.decks
    default = decks.config_dict_for_deck_id(decks.id_for_name("Other"))
    default["new"]["perDay"] = 7
    decks.update_config(default)
    own = decks.add_config("Mine")
    subject = decks.by_name("Subject")
    decks.set_config_id_for_deck_dict(subject, own["id"])
    project.put(Note("gamma"), Note("delta", deck="Third"))
    assert learner.imports(project.build(), with_deck_configs=True, with_scheduling=True).new == 2
    assert decks.config_dict_for_deck_id(subject["id"])["name"] == "Mine"
    assert decks.config_dict_for_deck_id(decks.id_for_name("Other"))["new"]["perDay"] == 7
    assert len(decks.all_config()) == 2


def test_i_30_new_cards_come_in_curriculum_order(project: DeckProject, learner: Learner) -> None:
    project.put(Note("zeta", needs="tau"), Note("alpha"), tree("tau", "L1", "L2"), cloze("beta", 2, 1))
    package = project.build()
    due = rows(
        package, "select n.guid, c.ord, c.due from cards c join notes n on n.id = c.nid order by c.due, c.ord"
    )
    assert [(guid.partition(":")[2], ordinal, number) for guid, ordinal, number in due] == [
        ("tau", 0, 1), ("tau", 1, 1), ("tau", 2, 1), ("zeta", 0, 2), ("alpha", 0, 3), ("beta", 0, 4), ("beta", 1, 4),
    ]  # fmt: skip
    learner.imports(package)
    assert order_of_new_cards(learner, "Subject") == ["tau", "zeta", "alpha", "beta"]


def test_i_30_nothing_is_suspended_or_scheduled(project: DeckProject, learners: Any) -> None:
    project.put(Note("alpha"), tree("beta"))
    package = project.build()
    for options in ({}, {"with_scheduling": True, "with_deck_configs": True}):
        learner: Learner = learners()
        learner.imports(package, **options)
        state = "select type, queue, ivl, reps, lapses, flags from cards"
        assert set(learner.all(state)) == {(0, 0, 0, 0, 0, 0)}
        assert learner.all("select count() from revlog") == [(0,)]
        assert differences(learner, package) == learner.problems() == []
