"""Whatever a document says: no reader raises, loses a word, is slow, or looks ahead without need."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofdeck.foreign.model import DAMAGES, Aside, Entry, Item, Reference
from proofdeck.foreign.readers import FORMATS, reader, recognise
from proofdeck.foreign.tally import Tally

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FIXTURES.glob("*.txt"))}
PIECES = sorted({line for text in TEXTS.values() for line in text.split("\n")})
GRAMMAR = [
    *(
        "Q1 — ",
        "Model answer.",
        "Depth tree. - L1: ",
        " - L2: ",
        "Pit-of-failure. ",
        " Signals: ",
        "→ ",
        "(",
        ")",
    ),
    *(
        "- ",
        "1. ",
        "2. ",
        "Weak: “",
        "” — ",
        "Cost: “",
        "Q: ",
        "A: ",
        "| a |",
        "term: Text",
        " — example.org/a",
    ),
    *(
        '--- title: "',
        ' part: "P"',
        " number: 1",
        "## Key Insights",
        "> [!tip] Insight >",
        '{" "}',
        "```",
        "## Related",
    ),
    *(
        "### ★★☆ _(A)_ **Q:** ",
        "Answer ",
        "## Further Reading",
        "- [a](http://b)",
        "# ",
        "===",
        "---",
        "<details>",
    ),
    *(
        "<summary>",
        "</summary>",
        "</details>",
        "<!--",
        "-->",
        "%%",
        "[[a]]",
        "![[b]]",
        "![c](d)",
        "$x$",
        "**",
        "`",
        "{",
    ),
]

NAMES = pytest.mark.parametrize("name", FORMATS)
WILD = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from(GRAMMAR), st.text(max_size=12)), max_size=30
)


def read(name: str, text: str) -> list[Item]:
    return list(reader(name).read(enumerate(text.split("\n"), 1)))


def words(value: object) -> Iterator[str]:
    """Yield every text that an item holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from words(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from words(getattr(value, field.name))


def check(found: list[Item]) -> None:
    """What holds for the items of any document."""
    numbers = [item.number for item in found if isinstance(item, Entry) and item.number]
    assert len(numbers) == len(set(numbers))
    tally = Tally()
    for item in found:
        tally.add(item)
        if isinstance(item, Entry):
            sides = (*item.levels, *item.follow_ups, *item.rapid_fire, *item.glossary)
            assert item.question.strip()
            assert all(side.answer or side.damage for side in sides)
            assert {damage for part in (item, *sides, *item.answer) for damage in part.damage} <= set(DAMAGES)
            assert all(
                passage.text.strip() or passage.kind in ("table", "picture", "code")
                for passage in item.answer
            )
        elif isinstance(item, (Aside, Reference)):
            assert item.text.strip()
    assert tally.as_json()


@NAMES
@settings(deadline=None, max_examples=60)
@given(parts=WILD, glue=st.sampled_from(["\n", " ", "", "\n\n"]))
def test_any_text_is_read(name: str, parts: list[str], glue: str) -> None:
    text = glue.join(parts)
    check(read(name, text))
    assert 0 <= reader(name).recognise(text) <= 1


@NAMES
@pytest.mark.parametrize("of", TEXTS)
def test_documents_of_other_formats_are_read(name: str, of: str) -> None:
    check(read(name, TEXTS[of]))


@NAMES
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_shuffled_and_cut_documents_are_read(name: str, data: st.DataObject) -> None:
    text = TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))]
    lines = data.draw(st.permutations(text.split("\n")))
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    check(read(name, "\n".join(lines)))
    check(read(name, text[start:end]))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "markdown"])
@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_no_word_is_lost(name: str, data: st.DataObject) -> None:
    """Words of letters that the document holds nowhere else are put between its words, at most one a gap."""
    lines = TEXTS[data.draw(st.sampled_from([name, *sorted(TEXTS)]))].split("\n")
    if data.draw(st.booleans()):
        random.Random(data.draw(st.integers(0, 99))).shuffle(lines)
    put: list[str] = []
    for index in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=12, unique=True)):
        gaps = lines[index].split(" ")
        word = f"zyx{chr(97 + len(put))}qv"
        put.append(word)
        gaps.insert(data.draw(st.integers(0, len(gaps))), word)
        lines[index] = " ".join(gaps)
    told = "\n".join(words(read(name, "\n".join(lines))))
    assert [word for word in put if word not in told] == []


@NAMES
def test_a_reader_looks_no_further_than_the_item_at_hand(name: str) -> None:
    """Ten thousand questions: the first item comes before a tenth of the lines was asked for."""
    text = TEXTS.get(name, "# What?\n\nSo.\n")
    asked = 0

    def lines() -> Iterator[tuple[int, str]]:
        nonlocal asked
        for line in _many(text):
            asked += 1
            yield asked, line

    assert next(iter(reader(name).read(lines())))
    assert asked < 100_000


def _many(text: str) -> Iterator[str]:
    for _ in range(20_000):
        yield from text.split("\n")


LONG = ["(", ")", "- ", "**", "7", "`", "``` ", "1. ", "[", "](", "![", "<a ", "<!--", "a - B", ".- “", "“x” — ", "| ",
        "> ", "$", "{", "_", "x: Y.", ".q?", '{" "}', "## Related ", "(see a 1)", "<details><summary>", "== ", "[[", " ",
        "Q: ", "is ", "— ", "http://a", "\\", "é", "％", "&"]  # fmt: skip


BEGINS = {
    "depth-trees": "Q1 — a\n",
    "modules": '--- title: "a" --- # b > [!question] Key Question > c ## Code Examples ```',
    "long-answers": "1. a\n1. a\n- b\n",
    "cheatsheet": "1. a\n",
    "markdown": "# a?\n",
}


@NAMES
def test_a_long_line_is_read_to_its_end(name: str) -> None:
    """A pattern that tries every pair of characters would not end here before the test's deadline."""
    for piece in LONG:
        size = 300_000 if piece in ("(", "- ", "**", "7", "`") else 30_000
        text = BEGINS.get(name, "") + piece * (size // len(piece)) + "\nend"
        assert read(name, text)
        reader(name).recognise(text[:65536])


@pytest.mark.parametrize("piece", LONG)
def test_markdown_that_is_just_short_enough_to_be_parsed(piece: str) -> None:
    assert read("markdown", "# a?\n" + (piece * (19_000 // len(piece)) + "\n") * 3)


def test_no_format_is_seen_in_nothing() -> None:
    assert recognise("\n\n") == ""
    assert all(read(name, "") == [] for name in FORMATS)
