"""The preview's cards are Anki's cards: the same HTML, held against the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.package.collection import row_of
from proofdeck.package.notetypes import NOTE_TYPES
from proofdeck.parse import parse
from proofdeck.preview.sides import sides
from proofdeck.render.notes import Context, render_note
from tests.engine.helpers import Deck, card
from tests.preview.helpers import Shown, engine_sides, tree

KEYS = {kind.name: kind.key for kind in NOTE_TYPES.values()}


def our_sides(learner: Any) -> Shown:
    """Return what the preview renders of every card of a collection."""
    found = {}
    for number in learner.col.find_cards(""):
        card = learner.col.get_card(number)
        note = card.note()
        deck, tags = learner.col.decks.name(card.did), " ".join(note.tags)
        shown = sides(KEYS[note.note_type()["name"]], dict(note.items()), card.ord, deck, tags)
        assert shown.ordinal == card.ord
        found[note["Id"], card.ord] = (shown.front, shown.back)
    return found


def differing(first: Shown, second: Shown) -> list[tuple[str, int]]:
    return [key for key in first | second if first.get(key) != second.get(key)]


def test_every_card_of_everything_is_ankis(importer: Any) -> None:
    anki, ours = engine_sides(importer), our_sides(importer)
    assert differing(anki, ours) == []
    assert {number for name, number in anki if name == "cloze-odd"} == {0, 1, 2, 3, 4, 5, 6, 11}
    assert {number for name, number in anki if name == "tree-l1-trap"} == {0, 1, 4}
    html = "".join(front + back for front, back in anki.values())
    for expected in (
        "mark stale", "mark unverified", "data-cloze=", "cloze-inactive", "zoom", "<table>", "pre class=\"code\"",
        "Leaf 'a' & b", "日本", "🙂", "[a hint &amp; &lt;i&gt;]", "data-goal=\"180\"",
    ):  # fmt: skip
        assert expected in html, f"the project shows nothing of {expected}"


def test_every_card_of_our_decks_is_ankis(our_learner: Any) -> None:
    anki = engine_sides(our_learner)
    assert len(anki) > 100
    assert differing(anki, our_sides(our_learner)) == []


def test_a_card_that_differs_in_a_letter_is_seen(importer: Any) -> None:
    anki, ours = engine_sides(importer), our_sides(importer)
    front, back = ours["cloze-odd", 1]
    ours["cloze-odd", 1] = (front, back.replace("hidden", "hiddem", 1))
    del ours["tree-l1-trap", 4]
    assert sorted(differing(anki, ours)) == [("cloze-odd", 1), ("tree-l1-trap", 4)]


def test_the_sides_are_named_as_anki_lists_them() -> None:
    fields = dict.fromkeys(NOTE_TYPES["cloze"].field_names, "x")
    assert sides("cloze", fields, 11, "D", "").name == "Cloze 12"
    fields = dict.fromkeys(NOTE_TYPES["depth-tree"].field_names, "x")
    assert [sides("depth-tree", fields, n, "D", "").name for n in range(5)] == [
        "Root",
        "L1",
        "L2",
        "L3",
        "Trap",
    ]


class Engine:
    """A collection into which any note may be put."""

    def __init__(self, learner: Any) -> None:
        self.col = learner.col

    def shown(
        self, key: str, fields: Mapping[str, str], tags: str = "", deck: str = "Some::Where"
    ) -> tuple[dict[int, tuple[str, str]], dict[int, tuple[str, str]]]:
        """Return both sides of every card of a note by ordinal: as Anki renders them, and as we do."""
        note = self.col.new_note(self.col.models.by_name(NOTE_TYPES[key].name))
        for name, text in fields.items():
            note[name] = text
        note.set_tags_from_str(tags)
        self.col.add_note(note, self.col.decks.id(deck))
        anki, ours = {}, {}
        try:
            note.load()
            for card in note.cards():
                output = card.render_output(reload=True)
                anki[card.ord] = (output.question_text, output.answer_text)
                deck = self.col.decks.name(card.did)
                mine = sides(key, dict(note.items()), card.ord, deck, " ".join(note.tags))
                ours[card.ord] = (mine.front, mine.back)
        finally:
            self.col.remove_notes([note.id])
        return anki, ours


@pytest.fixture(scope="module")
def engine(importer: Any) -> Engine:
    return Engine(importer)


@pytest.mark.parametrize("deck", ["A::B & C", "A::<b>x</b>", "A::it's “ünï” 日本 🙂", "Alone"])
@pytest.mark.parametrize("tags", ["", "a&b", "<i>x", "ärger x::y 日本 it's"])
def test_names_of_decks_and_tags_are_html_to_anki(engine: Engine, deck: str, tags: str) -> None:
    anki, ours = engine.shown("basic", {"Title": "x", "Question": "q", "Answer": "a"}, tags, deck)
    assert anki == ours
    assert f'<span class="deck">{deck.rpartition("::")[2]}</span>' in ours[0][0]


FRAGMENTS = [
    "", " ", "\n", "\u00a0", "&nbsp;", "<br>", "<br/>", "<BR />", "<div>", "</div>", "<p></p>", "<hr>", "word", "ünï 日本 🙂",
    "\\(", "\\)", "\\(x < y\\)", "\\[a<b>c</b>\\]", "<b>", "</b>", "&amp;", "&lt;", "\"", "'", "{", "}", "$", "::", "%", "\u2028", "\u3000", "\x0b",
]  # fmt: skip
html_texts = st.lists(st.sampled_from(FRAGMENTS) | st.text("aé<>&;/ \n", max_size=3), max_size=4).map("".join)
tag_lists = st.lists(st.sampled_from(["a", "b-c", "ü", "x::y", "a&b"]), unique=True, max_size=3).map(" ".join)


@settings(max_examples=150)
@given(st.data())
def test_any_fields_make_ankis_cards(engine: Engine, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["depth-tree", "basic"]))
    fields = {"Title": "x", **data.draw(st.fixed_dictionaries(
        {}, optional={name: html_texts for name in NOTE_TYPES[key].field_names if not name.startswith(("Spare", "Title"))}
    ))}  # fmt: skip
    anki, ours = engine.shown(key, fields, data.draw(tag_lists))
    filled = {number: shown for number, shown in ours.items() if shown[0]}
    # the one card that every note has may be blank, of which Anki tells the learner
    assert filled == {number: anki[number] for number in filled}
    assert ours.keys() - filled.keys() <= {0}


@given(st.data())
def test_a_part_without_a_question_is_no_card(engine: Engine, data: st.DataObject) -> None:
    blank = st.sampled_from(["", " ", "<br>", "<div></div>", "\n"])
    prefixes = ["", "L1 ", "L2 ", "L3 ", "Trap "]
    chosen = data.draw(st.sets(st.sampled_from(range(5)), min_size=1))
    fields = {"Title": "x"}
    for number, prefix in enumerate(prefixes):
        fields[f"{prefix}Question"] = f"question {number}" if number in chosen else data.draw(blank)
        fields[f"{prefix}Answer"] = f"answer {number}"
    anki, ours = engine.shown("depth-tree", fields)
    assert set(anki) == set(ours) == chosen
    assert anki == ours
    for number in chosen:
        front, back = ours[number]
        ladder = tree(front).having("ladder")[0]
        steps = [step for step in ladder.walk() if step.tag in ("span", "b") and step is not ladder]
        assert len(steps) == len(chosen | {0}), "the ladder names the levels that the note has"
        # a level stands inside the one above it, and the parser knows no level without the one above it
        below = set(takewhile(chosen.__contains__, range(number + 1, 4))) if number < 4 else set()
        below |= chosen & {4}
        assert {n for n in range(5) if f"answer {n}" in back} == below | {number}


DANGEROUS = [
    "{{c1::x}}", "{{", "}}", "{{Text}}", "}}}", "}", "{", "::", ":::", ":", "[sound:x.mp3]", "[...]", "\\(", "\\)", "$x_{1}$", "$\\frac{a}{{b}}$",
    "$a<b$", "`a::b}}`", "**b**", "*i*", "<b>", "&amp;", "&", "<", ">", "\"", "'", "it's", "|", "é", "ß", "×", "™", "\u00a0", "日本", "🙂", "\u200d", "\u0301",
    "\\\n", "\n", " ", "x", "7", "=", "%", "-", "/", ".", "_", "~",
]  # fmt: skip
pieces = st.lists(
    st.sampled_from(DANGEROUS) | st.text(st.characters(max_codepoint=0x17F, blacklist_categories=("Cc", "Cs")), max_size=2),
    min_size=1, max_size=5,
).map("".join)  # fmt: skip


@st.composite
def cloze_markdown(draw: st.DrawFn) -> str:
    """Draw the Markdown of a cloze text, as somebody might write it."""
    out = []
    for number in draw(st.lists(st.sampled_from([1, 2, 3, 10, 37, 500]), min_size=1, max_size=4)):
        hint = f" | {draw(pieces)}" if draw(st.booleans()) else ""
        ticks = "`" * 7
        out.append(f"{draw(pieces)} {{cloze}}{ticks}{number}: {draw(pieces)}{hint} {ticks} {draw(pieces)}")
    return " ".join(out)


@settings(max_examples=200)
@given(cloze_markdown())
@example('{cloze}`1: a` $x$ {cloze}`2: $y_{{1}}$ | $z$` `code` {cloze}`1: ünï\'s "q" | é` {judgement}`x`')
def test_any_cloze_text_makes_ankis_cards(engine: Engine, markdown: str) -> None:
    parsed = parse(card(markdown + " {judgement}`x`", title="Question $q$ & <?"), "cards/a.md")
    assume(not parsed.problems and len(parsed.notes) == 1 and parsed.notes[0].type == "cloze")
    problems: list[Any] = []
    row = row_of(render_note(parsed.notes[0], Context({}, {}, {}, {}), problems))
    assert problems == []
    fields = dict(zip(NOTE_TYPES["cloze"].field_names, row.fields.split("\x1f"), strict=True))
    anki, ours = engine.shown("cloze", fields)
    assert sorted(anki) == list(row.ordinals)
    assert anki == ours


@pytest.mark.parametrize(
    "text",
    [
        "\\(a {{c1::x}} <b>b</b> {{c2::y}}\\) <b>c</b>",
        "\\[{{c1::<i>x</i>}}\\] {{c2::\\(a<b>b</b>\\)::<i>hint</i>}} \\(<b>open",
        "{{c2::a::b::c}} {{c1::\n<br>x}} {{c3::x}}{{c3::y}}",
    ],
)
def test_clozes_as_somebody_edits_them_by_hand(engine: Engine, text: str) -> None:
    anki, ours = engine.shown("cloze", {"Title": "x", "Question": "q", "Text": text})
    assert len(anki) > 1
    assert anki == ours


def test_ids_and_ordinals_are_those_of_the_package(made: Deck, importer: Any) -> None:
    notes = made.ok("list", "--json").json["notes"]
    assert {note["id"] for note in notes} == {name for name, _ in engine_sides(importer)}
