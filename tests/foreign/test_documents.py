"""The documents that the formats were learnt from, where a machine has them: every count, item by item."""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from proofdeck.foreign.model import Aside, Entry, Item, Reference
from proofdeck.foreign.readers import FORMATS, reader, recognise
from proofdeck.foreign.tally import Tally
from proofdeck.foreign.text import head_of_file, lines_of_file

FOLDER = os.environ.get("PROOFDECK_SOURCES", "")

pytestmark = pytest.mark.skipif(
    not FOLDER or not Path(FOLDER).is_dir(), reason="PROOFDECK_SOURCES names no folder with the documents"
)


@cache
def documents() -> dict[str, Path]:
    """Return each document of the folder by the format it is recognised as."""
    paths = [path for path in sorted(Path(FOLDER).iterdir()) if path.is_file()]
    return {found: path for path in paths if (found := recognise(head_of_file(path))) not in ("", "markdown")}


@cache
def items(name: str) -> tuple[Item, ...]:
    if name not in documents():
        pytest.skip(f"no document in {name} among those that PROOFDECK_SOURCES names")
    return tuple(reader(name).read(lines_of_file(documents()[name])))


def entries(name: str, kind: str = "question") -> list[Entry]:
    return [item for item in items(name) if isinstance(item, Entry) and item.kind == kind]


def asides(name: str, why: str) -> list[str]:
    return [item.text for item in items(name) if isinstance(item, Aside) and item.why == why]


def references(name: str) -> list[Reference]:
    return [item for item in items(name) if isinstance(item, Reference)]


def tally(name: str) -> dict[str, object]:
    """Return what a document holds, without what it does not."""
    told = Tally()
    for item in items(name):
        told.add(item)
    return {key: value for key, value in told.as_json().items() if value and "d" + key != "dlevels"}


def texts(name: str) -> list[str]:
    """Return every text that may stand on a card."""
    out = []
    for entry in (item for item in items(name) if isinstance(item, Entry)):
        sides = (*entry.levels, *entry.follow_ups, *entry.rapid_fire, *entry.glossary)
        sides += (entry.trap,) if entry.trap else ()
        out += [entry.question, *(side.question for side in sides)]
        out += [passage.text for part in (entry, *sides) for passage in part.answer if passage.kind != "code"]
        out += [
            text for sample in (entry.weak, entry.strong) if sample for text in (sample.text, sample.comment)
        ]
    return out


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "markdown"])
def test_recognised_by_one_reader_alone(name: str) -> None:
    items(name)
    head = head_of_file(documents()[name])
    sure = {other: reader(other).recognise(head) for other in FORMATS}
    assert sure.pop(name) >= 0.9
    assert all(value < 0.3 for value in sure.values()), sure


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "markdown"])
def test_no_remnant_of_the_grammar_is_left_on_a_card(name: str) -> None:
    remnant = re.compile(
        r'\{" "\}|> \[!|^- |Follow-up(?: [a-z]+)?:$|Depth tree\.|Pit-of-failure|Model answer|^[AQ]: |^\*\*Q|'
        r"\(see (?:drill|Phase)|see drill|^→ |^[.,;] |\s$|^\s|  |\n| ---$|\\n$"
    )
    assert [text for text in texts(name) if remnant.search(text)] == []


class TestDepthTrees:
    NAME = "depth-trees"

    def test_counts(self) -> None:
        told = tally(self.NAME)
        assert told["questions"] == told["answers"] == told["traps"] == 25
        assert "damaged" not in told and "references" not in told
        levels = Counter(level.label for entry in entries(self.NAME) for level in entry.levels)
        assert levels == {"L1": 25, "L2": 25, "L3": 25}
        assert [entry.number for entry in entries(self.NAME)] == [f"q{n}" for n in range(1, 26)]

    def test_paragraphs(self) -> None:
        assert [len(entry.answer) for entry in entries(self.NAME)] == [3] * 23 + [4, 3]

    def test_levels(self) -> None:
        levels = [level for entry in entries(self.NAME) for level in entry.levels]
        assert all(level.question and level.answer and not level.damage for level in levels)
        assert sum(level.question.endswith("?") for level in levels) == 74
        assert sum("(" in level.question for level in levels) == 7
        assert sum("(" in level.answer[0].text for level in levels) == 8
        assert all(text.count("(") == text.count(")") for level in levels for text in (level.question,))

    def test_traps(self) -> None:
        traps = [entry.trap for entry in entries(self.NAME) if entry.trap]
        assert sum(trap.question.startswith('"') for trap in traps) == 12
        assert sum(bool(trap.answer) and trap.answer[0].text.endswith("— silence.") for trap in traps) == 9
        assert sum(bool(trap.answer) for trap in traps) == 24

    def test_cross_references(self) -> None:
        see = [target for entry in entries(self.NAME) for target in entry.see]
        lines = [target for target in see if re.fullmatch(r"Phase \d+", target)]
        assert len(lines) == 22 and "Phase 38 / CpQU" in see
        assert sum(bool(re.match("drill", target, re.I)) for target in see) == 10
        assert sum(target.startswith("X3") for target in see) == 3
        assert {"paper-read 04", "behavioral anecdote 2"} <= set(see)

    def test_damage_is_mended(self) -> None:
        told = texts(self.NAME)
        assert sum(text.count("©") for text in told) == 0
        assert sum(text.count("⅔") for text in told) == 1

    def test_what_stands_around(self) -> None:
        assert len(asides(self.NAME, "front matter")) == 7
        assert len(asides(self.NAME, "navigation")) == 6


class TestModules:
    NAME = "modules"

    def test_counts(self) -> None:
        told = tally(self.NAME)
        assert (told["questions"], told["answers"]) == (459, 459)
        assert (told["sections"], told["subsections"]) == (9, 83)
        assert (told["insights"], told["key_questions"]) == (317, 83)
        assert (told["code_blocks"], told["references"]) == (145, 470)
        assert (told["truncated_answers"], told["truncated_questions"]) == (282, 72)
        assert "empty_answers" not in told

    def test_questions(self) -> None:
        told = entries(self.NAME)
        assert Counter(entry.difficulty for entry in told) == {1: 21, 2: 231, 3: 207}
        assert Counter(name for entry in told for name in entry.companies) == {
            "Google": 259,
            "Anthropic": 237,
            "OpenAI": 206,
            "Meta": 142,
            "Databricks": 37,
        }
        assert Counter(len(entry.companies) for entry in told) == {1: 76, 2: 353, 3: 24, 4: 3, 5: 3}
        per_module = Counter(entry.section for entry in told)
        assert Counter(per_module.values()) == {4: 26, 5: 24, 6: 17, 7: 7, 8: 4, 9: 1, 10: 1, 11: 3}

    def test_parts(self) -> None:
        parts = Counter(entry.section[0] for entry in entries(self.NAME, "key question"))
        assert sorted(parts.values(), reverse=True) == [19, 17, 12, 10, 6, 6, 6, 6, 1]

    def test_numbers(self) -> None:
        modules = [entry.number.partition("-")[0] for entry in entries(self.NAME)]
        assert list(dict.fromkeys(modules)) == [f"m{n:02d}" for n in range(83)]

    def test_code(self) -> None:
        told = [passage for entry in entries(self.NAME, "code") for passage in entry.answer]
        assert len(entries(self.NAME, "code")) == 66
        languages = Counter(passage.language for passage in told)
        assert languages == {"python": 87, "typescript": 56, "yaml": 1, "json": 1}
        assert sum("\n" not in passage.text for passage in told) == 143

    def test_insights(self) -> None:
        kept = sum(len(entry.answer) for entry in entries(self.NAME, "key question"))
        lost = len(asides(self.NAME, "lost formula"))
        assert (kept + lost, lost) == (317, 14)

    def test_related_modules(self) -> None:
        assert sum(bool(entry.see) for entry in entries(self.NAME, "key question")) == 82
        assert all(len(entry.see) == 5 for entry in entries(self.NAME, "key question") if entry.see)

    def test_navigation(self) -> None:
        told = asides(self.NAME, "navigation")
        assert sum("←" in text for text in told) == 74
        assert sum("→" in text for text in told) == 74  # one more arrow stands in a text

    def test_links(self) -> None:
        assert all(re.fullmatch(r"https?://\S+", item.url) for item in references(self.NAME))


class TestLongAnswers:
    NAME = "long-answers"

    def test_counts(self) -> None:
        told = tally(self.NAME)
        assert (told["questions"], told["answers"], told["empty_answers"]) == (50, 40, 10)
        assert (told["sections"], told["weak_strong"]) == (5, 10)
        assert (told["follow_ups"], told["labelled_follow_ups"]) == (99, 89)
        assert (told["rapid_fire"], told["glossary"]) == (9, 32)
        assert (told["references"], told["bullets"], told["tables"]) == (75, 243, 2)

    def test_numbers(self) -> None:
        told = entries(self.NAME)
        assert [entry.number for entry in told] == [f"q{n}" for n in range(1, 51)]
        empty = [int(entry.number[1:]) for entry in told if not entry.answer]
        assert empty == [*range(38, 44), *range(47, 51)]
        assert list(Counter(entry.section for entry in told).values()) == [10] * 5

    def test_samples(self) -> None:
        told = [int(entry.number[1:]) for entry in entries(self.NAME) if entry.weak and entry.strong]
        assert told == [1, 2, 3, 4, 5, 7, 9, 11, 12, 22]
        strong = [entry.strong for entry in entries(self.NAME) if entry.strong]
        assert all(sample.text and sample.comment for sample in strong)

    def test_follow_ups(self) -> None:
        plain = Counter(e.number for e in entries(self.NAME) for side in e.follow_ups if not side.label)
        assert plain == {"q1": 3, "q2": 3, "q9": 2, "q12": 2}
        labels = Counter(side.label for e in entries(self.NAME) for side in e.follow_ups if side.label)
        assert len(labels) == 23
        assert labels.most_common(6) == [
            ("Production", 16),
            ("Cost", 12),
            ("Failure mode", 11),
            ("Evaluation", 10),
            ("Debugging", 8),
            ("Scale", 4),
        ]

    def test_damage(self) -> None:
        sides = [side for entry in entries(self.NAME) for side in (*entry.follow_ups, *entry.rapid_fire)]
        damage = Counter(damage for side in sides for damage in side.damage)
        assert damage == {"lost price": 9, "lost beginning": 2, "out of order": 1}
        bullets = [passage for entry in entries(self.NAME) for passage in entry.answer if passage.damage]
        assert [passage.damage for passage in bullets] == [("lost price",)] * 2
        # ten paragraphs without their beginning, one before a term, three tails of lost answers
        assert len(asides(self.NAME, "lost beginning")) == 14

    def test_tables(self) -> None:
        tables = [p for entry in entries(self.NAME) for p in entry.answer if p.kind == "table"]
        assert [len(table.rows) - 1 for table in tables] == [6, 7]
        assert {len(row) for row in tables[0].rows} == {4} and {len(row) for row in tables[1].rows} == {5}

    def test_sources(self) -> None:
        assert sum(not item.url for item in references(self.NAME)) == 1

    def test_boilerplate(self) -> None:
        assert len(asides(self.NAME, "boilerplate")) == 3

    def test_bullets_begin_as_bullets_do(self) -> None:
        glued = re.compile(r"[a-z][.!?”)][A-Z“]|\w- [A-Z“]|[.!?”)]Q: ")
        assert [text for text in texts(self.NAME) if glued.search(text)] == []


class TestQuestionBank:
    NAME = "question-bank"

    def test_counts(self) -> None:
        told = tally(self.NAME)
        assert (told["questions"], told["empty_answers"], told["references"]) == (354, 354, 51)
        assert (told["sections"], told["subsections"]) == (8, 47)
        per_section = Counter(entry.section[0] for entry in entries(self.NAME))
        assert list(per_section.values()) == [82, 40, 22, 54, 26, 53, 54, 23]

    def test_questions(self) -> None:
        told = [entry.question for entry in entries(self.NAME)]
        assert len(set(told)) == 354
        assert sum(text.endswith("?") for text in told) == 303
        assert sum(text.startswith("“") for text in told) == 9

    def test_sources(self) -> None:
        assert sum(bool(item.url) for item in references(self.NAME)) == 36


class TestCheatsheet:
    NAME = "cheatsheet"

    def test_counts(self) -> None:
        told = tally(self.NAME)
        assert (told["questions"], told["answers"], told["bullets"]) == (20, 20, 50)
        assert "damaged" not in told

    def test_lists(self) -> None:
        bullets = {
            int(entry.number[1:]): sum(passage.kind == "bullet" for passage in entry.answer)
            for entry in entries(self.NAME)
        }
        told = {3: 3, 4: 2, 5: 3, 7: 4, 8: 4, 10: 3, 11: 4, 14: 5, 16: 4, 17: 3, 18: 3, 19: 6, 20: 6}
        assert {number: count for number, count in bullets.items() if count} == told

    def test_questions(self) -> None:
        assert [entry.question.endswith("?") for entry in entries(self.NAME)] == [True] + [False] * 19
