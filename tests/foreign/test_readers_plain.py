"""The plain formats: every rule of their grammars once, on small documents of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofdeck.foreign.model import Aside, Entry, Item, Reference
from proofdeck.foreign.readers import FORMATS, modules, reader, recognise

FIXTURES = Path(__file__).parent / "fixtures"
PLAIN = [name for name in FORMATS if name != "markdown"]

PROSE = (
    "A walk in the wood.\n\nIt was late - Very late - when we came. 1. Nobody spoke.\nWhy? Nobody knew.\n" * 9
)


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.txt").read_text(encoding="utf-8")


def items(name: str, text: str) -> list[Item]:
    return list(reader(name).read(enumerate(text.split("\n"), 1)))


def entries(name: str) -> list[Entry]:
    return [item for item in items(name, fixture(name)) if isinstance(item, Entry)]


def asides(name: str, why: str) -> list[str]:
    return [item.text for item in items(name, fixture(name)) if isinstance(item, Aside) and item.why == why]


def references(name: str) -> list[Reference]:
    return [item for item in items(name, fixture(name)) if isinstance(item, Reference)]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("of", [*PLAIN, "prose"])
def test_a_reader_is_sure_of_its_own_format_alone(name: str, of: str) -> None:
    sure = reader(name).recognise(PROSE if of == "prose" else fixture(of))
    assert sure >= 0.9 if name == of else sure < 0.3


@pytest.mark.parametrize("name", PLAIN)
def test_the_format_of_a_document_is_told(name: str) -> None:
    assert recognise(fixture(name)) == name
    assert recognise(PROSE) == ""
    assert recognise("") == ""


def test_numbered_answers_without_a_title_are_half_sure() -> None:
    told = "\n".join(f"{n}. Title\n{'A long answer. ' * 25}" for n in range(1, 12))
    assert 0.3 <= reader("cheatsheet").recognise(told) < 0.9


class TestDepthTrees:
    def test_questions(self) -> None:
        first, second = entries("depth-trees")
        assert (first.question, first.number, first.section) == ("Why graft apple trees?", "q1", ())
        assert [passage.text for passage in first.answer] == [
            "A graft keeps the variety: f(x, y) stays what it was. It costs one scion.",
            "There are three ways: (a) whip, (b) cleft, (c) bark; two are enough.",
        ]
        assert second.answer[0].text == "In late winter - before the sap rises."

    def test_a_level_is_split_at_its_last_brackets(self) -> None:
        first, second = entries("depth-trees")
        assert [(s.label, s.question, s.answer[0].text) for s in first.levels] == [
            ("L1", "Why not sow f(x)?", "seeds vary"),
            ("L2", "What is a rootstock (dwarf ones too)?", "the lower part (roots) of a tree"),
            ("L3", "How deep is the cut?", "two buds"),
        ]
        assert second.levels[1].question == "Name the tool."

    def test_a_trap_is_what_one_says_and_what_it_shows(self) -> None:
        first, second = entries("depth-trees")
        assert first.trap and second.trap
        assert first.trap.question == 'Saying "it is tradition" without the reason.'
        assert first.trap.answer[0].text == "Signals: never grafted."
        assert (second.trap.question, second.trap.answer[0].text) == (
            '"Whenever you like"',
            "Why? — silence.",
        )

    def test_cross_references_leave_the_text(self) -> None:
        first, second = entries("depth-trees")
        assert first.see == ("drill 07", "Phase 12", "drill 03", "Phase 4 / Knife", "Phase 15", "drill 02")
        assert second.see == ()
        assert asides("depth-trees", "cross-reference") == ["→ Phase 15 of the orchard course, drill 02."]

    def test_what_stands_around(self) -> None:
        assert len(asides("depth-trees", "front matter")) == 3
        assert asides("depth-trees", "navigation")[-1] == "→ Next: 02-pears.md"

    @pytest.mark.parametrize(
        "line",
        [
            "Depth tree. nothing",
            "Depth tree. - L2: a? (b) - L1: c? (d)",
            "Pit-of-failure.",
            "Pit-of-failure. a\nPit-of-failure. b",
            "→ , .",
        ],
    )
    def test_odd_lines(self, line: str) -> None:
        (entry, *_) = items("depth-trees", f"Q7 — Why?\n{line}\n{line}\nmore")
        assert isinstance(entry, Entry)
        assert entry.damage == (() if entry.answer else ("no answer",))

    def test_a_level_without_brackets_has_no_answer(self) -> None:
        (entry,) = items("depth-trees", "Q1 — Why?\nDepth tree. - L1: Why so")
        assert isinstance(entry, Entry)
        assert entry.levels[0].damage == ("no answer",)

    def test_numbers_are_unique(self) -> None:
        told = items("depth-trees", "Q2 — a\nx\nQ2 — b\ny\nQ1 — c\nz\nQ3 — d\nz")
        assert [item.number for item in told if isinstance(item, Entry)] == ["q2", "", "", "q3"]


class TestModules:
    def test_the_head(self) -> None:
        key = entries("modules")[0]
        assert (key.kind, key.question) == ("key question", "Why does wood → wood join?")
        assert key.section == ("Trees", "Grafting")
        assert key.tags == ("trees",)
        assert key.see == ("Pruning", "Soil")
        assert asides("modules", "navigation") == ["← Nursery | → Pruning"]
        assert len(asides("modules", "front matter")) == 5

    def test_a_key_question_without_insights_is_not_lost(self) -> None:
        head = '--- title: "T" part: "P" number: {} tags: ["t"] --- # T > [!question] Key Question > Why {}? '
        text = "".join(
            head.format(n, n) + f"## Interview Questions ### ★☆☆ **Q:** What {n}?\nAnswer So.\n"
            for n in (0, 1)
        )
        found = [item for item in modules.read(enumerate(text.split("\n"), 1)) if isinstance(item, Entry)]
        assert [item.question for item in found] == ["What 0?", "Why 0?", "What 1?", "Why 1?"]
        assert [item.damage for item in found] == [(), ("no answer",), (), ("no answer",)]

    def test_insights_that_lost_a_formula_stand_beside(self) -> None:
        key = entries("modules")[0]
        assert [passage.text for passage in key.answer] == ["The cambium grows — 3× faster than bark."]
        assert key.insights == 2
        assert asides("modules", "lost formula") == ["The height is, not."]

    def test_code_keeps_what_looks_like_a_heading(self) -> None:
        code = entries("modules")[1]
        assert (code.kind, code.question, code.damage) == ("code", "Grafting", ("lost line breaks",))
        python, typescript = code.answer
        assert (python.language, python.text) == ("python", "def f(x): return x # ## Related nothing")
        assert (typescript.language, typescript.text) == ("typescript", "const a = 1;\nconst b = 2;")
        assert (python.damage, typescript.damage) == (("lost line breaks",), ())

    def test_questions(self) -> None:
        _, _, whole, cut, _, last = entries("modules")
        assert (whole.question, whole.number, whole.difficulty) == ("Which knife is best?", "m00-q1", 2)
        assert (whole.companies, whole.damage) == (("Acme", "Bolt"), ())
        assert (cut.question, cut.number, cut.damage) == ("Why can", "m00-q2", ("cut question", "cut answer"))
        assert (last.question, last.answer[0].text) == ("How much may one take?", "A quarter.")
        assert last.number == "m01-q1"

    def test_reading(self) -> None:
        told = [(r.text, r.url) for r in references("modules")]
        assert told[1] == ("Knives Steel matters.", "https://example.org/k")
        assert asides("modules", "not understood")[-1] == "[broken](nowhere) left"

    def test_breaks_written_out_led_to_something(self) -> None:
        head = '--- title: "T" part: "P" number: 3 --- # T ## Interview Questions ### ★☆☆ **Q:** Why?\\n\\n'
        told = items("modules", head + "\nAnswer So:\\n\\n")
        (entry,) = (item for item in told if isinstance(item, Entry))
        assert (entry.question, entry.answer[0].text) == ("Why?", "So:")
        assert entry.damage == ("cut question", "cut answer")

    def test_a_module_of_any_length_streams(self) -> None:
        def lines():  # type: ignore[no-untyped-def]
            yield 1, '--- title: "T" part: "P" number: 3 --- # T > [!question] Key Question > Why?'
            for n in range(2, 9000, 2):
                seen.append(n)
                yield n, "### ★☆☆ _(A)_ **Q:** Why?"
                yield n + 1, "Answer So."

        seen: list[int] = []
        told = reader("modules").read(lines())
        next(told)
        assert seen[-1] < 8000


class TestLongAnswers:
    def test_sections_and_questions(self) -> None:
        grafting, pruning, storage = entries("long-answers")
        assert [e.question for e in (grafting, pruning, storage)] == ["Grafting", "Pruning", "Storage"]
        assert [e.number for e in (grafting, pruning, storage)] == ["q1", "q2", "q3"]
        assert [e.section for e in (grafting, pruning, storage)] == [("Trees",), ("Trees",), ("Fruit",)]
        assert (storage.answer, storage.damage) == ((), ("no answer",))

    def test_bullets_are_glued_and_split(self) -> None:
        grafting, pruning, _ = entries("long-answers")
        assert [p.text for p in grafting.answer] == [
            "Scion: The upper part. Its length is bud_count* 2. The d_k matters.",
            "Rootstock: The lower part.",
            "Cost: 100K depending on the acreage.",
        ]
        assert [p.damage for p in grafting.answer] == [(), (), ("lost price",)]
        assert [(p.kind, p.text) for p in pruning.answer] == [
            ("table", ""),
            ("paragraph", "Trade-offs of it (TOI): Saws tear. Knives cut."),
            ("bullet", "Use a tall ladder."),
            ("paragraph", "Key insight: Height is danger."),
            ("paragraph", "What to avoid:"),
            ("bullet", "Rain."),
        ]
        assert pruning.answer[0].rows == (("Tool", "Use"), ("Saw", "Thick wood"))
        assert pruning.see == ("Q1-2",)

    def test_what_the_interviewer_says(self) -> None:
        grafting, pruning, _ = entries("long-answers")
        assert grafting.weak and grafting.strong
        assert (grafting.weak.text, grafting.weak.comment) == ("It grows.", "Says nothing.")
        assert (grafting.strong.text, grafting.strong.comment) == ("The cambium joins.", "Knows the tissue.")
        assert [(s.label, s.question, s.damage) for s in grafting.follow_ups] == [
            ("", "Why bind the graft?", ()),
            ("Failure mode", "The scion ddied. Why?", ()),
            ("Cost", "What does wax cost?", ("lost price",)),
            ("Application", "You have 10M (~1M trees), enough for all.", ("lost price",)),
        ]
        assert grafting.follow_ups[0].answer[0].text == "It dries out (fast) otherwise."
        assert [s.label for s in pruning.follow_ups] == ["Scale"]

    def test_terms_and_rapid_fire(self) -> None:
        grafting = entries("long-answers")[0]
        assert [(s.question, s.answer[0].text) for s in grafting.glossary] == [
            ("scion", "The upper part of a graft. Say it once."),
            ("rootstock", "The lower part. Name it too."),
        ]
        assert [(s.question, s.answer[0].text, s.damage) for s in grafting.rapid_fire] == [
            ("d_k matter here?", "It sets the scale.", ("lost beginning",)),
            ("What comes first?", "The cut. It must be clean.", ()),
        ]

    def test_sources(self) -> None:
        assert [(r.text, r.url) for r in references("long-answers")] == [
            ("“On Grafts” (Baum, 1901)", "https://example.org/grafts"),
            ("Wood — a site (wood)", "https://example.org"),
            ("A walk through an orchard", ""),
        ]

    def test_what_stands_beside(self) -> None:
        assert len(asides("long-answers", "boilerplate")) == 2
        assert asides("long-answers", "heading") == ["Follow-up:"]
        assert asides("long-answers", "lost beginning") == ["cut_depth of the wood is lost here. It goes on."]

    def test_the_end_of_an_item_that_moved_away_is_told(self) -> None:
        told = items("long-answers", "1. A\n1. A\n- Cost: “How much?” — Nothing at all.s_nameparts (")
        assert isinstance(told[0], Entry)
        assert told[0].follow_ups[0].damage == ("out of order",)


class TestQuestionBank:
    def test_questions_and_sources(self) -> None:
        told = entries("question-bank")
        assert [e.section for e in told] == [
            *[("Trees", "Grafting")] * 3,
            ("Trees", "Pruning / Care"),
            *[("Fruit", "Storage")] * 2,
        ]
        assert {e.damage for e in told} == {("no answer",)}
        assert told[2].question == "“Seeds are enough.” True or not?"
        assert [r.url for r in references("question-bank")] == ["https://arxiv.org/abs/1234.56789", ""]

    def test_headings_without_questions_are_told(self) -> None:
        told = items("question-bank", "A\nB\nC\n- Why?\nD\nE")
        assert [(type(item).__name__, getattr(item, "text", "")) for item in told] == [
            ("Aside", "A"),
            ("Entry", ""),
            ("Aside", "D"),
            ("Aside", "E"),
        ]


class TestCheatsheet:
    def test_answers(self) -> None:
        told = entries("cheatsheet")
        assert [(e.question, e.number) for e in told] == [
            ("Why graft?", "q1"),
            ("Ways of grafting.", "q2"),
            ("Pruning", "q3"),
        ]
        assert [(p.kind, p.text) for p in told[1].answer] == [
            ("bullet", "Whip: long cuts. Shrinks by n_cuts× (e.g., two). Quality is fine."),
            ("bullet", "Cleft: the stock is split, as s_k then says."),
            ("bullet", "Bark (late): for thick wood."),
            ("paragraph", "Most orchards use whip."),
        ]
        assert [(p.kind, p.text) for p in told[2].answer] == [
            ("paragraph", "Detection:"),
            ("bullet", "Look up."),
            ("bullet", "Temperature of wood is low. T<1 sharpens the frost."),
            ("bullet", "Last: cut."),
        ]
        assert len(asides("cheatsheet", "front matter")) == 2

    def test_a_minus_is_no_bullet(self) -> None:
        assert "(i - j)" in entries("cheatsheet")[0].answer[0].text

    def test_a_lower_number_is_part_of_the_answer(self) -> None:
        (entry,) = items("cheatsheet", "5. How?\n1. Cut.\n2. Bind.")
        assert isinstance(entry, Entry)
        assert [p.text for p in entry.answer] == ["1. Cut.", "2. Bind."]
