"""Literal text to Markdown and back through the engine's own parser."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proofdeck.foreign import markup
from proofdeck.foreign.model import Passage
from proofdeck.parse import parse
from proofdeck.parse.document import plain
from proofdeck.parse.markdown import reader

MARKS = st.text(st.sampled_from(list("ab1 2_*`[](){}<>$&;#-+=.|~!\\\":%^/@'—√lt")), max_size=40)


def inline(markdown: str) -> list[tuple[str, str]]:
    [token] = [token for token in reader().parse(f"x\n\n{markdown}") if token.type == "inline"][1:] or [None]
    return [(child.type, child.content) for child in token.children or []] if token else []


@given(MARKS | st.text(max_size=40))
@example("{value}`os.system()`")
@example("# no note {#id}")
@example("1. no list")
@example("$$ no formula $$")
@example("<script>alert(1)</script>")
@example("[click](javascript:alert(1))")
def test_literal_text_comes_out_as_it_went_in(text: str) -> None:
    text = text.replace("\x00", "")
    wanted = " ".join(text.split())
    children = inline(markup.literal(text))
    assert {kind for kind, _ in children} <= {"text"}
    assert "".join(content for _, content in children) == wanted


@given(MARKS)
@example("Is it C#")
@example("a {#other}")
def test_a_heading_keeps_its_words_and_its_id(text: str) -> None:
    wanted = " ".join(text.split())
    parsed = parse(f"---\ndeck: D\n---\n# {markup.heading(text) or 'x'} {{#the-id}}\n\nAnswer.\n", "a.md")
    assert [note.id for note in parsed.notes] == ["the-id"]
    assert plain(parsed.notes[0].parts[0].question) == (wanted or "x")


@given(st.text(st.sampled_from(list("`~ ab\n#")), max_size=60))
def test_code_stays_in_its_block(code: str) -> None:
    tokens = reader().parse(markup.code(code, "python") + "\n\nafter\n")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.rstrip("\n") == code.rstrip()


@pytest.mark.parametrize("language", ["py thon", "a`b", "<b>", "x" * 40])
def test_a_language_that_is_no_word_is_left_out(language: str) -> None:
    assert markup.code("x", language) == "```\nx\n```"


def test_a_table_keeps_cells_with_bars_and_fills_short_rows() -> None:
    text = markup.table([("a|b", "c"), ("1",)])
    html = reader().render(text)
    assert "<th>a|b</th>" in html
    assert html.count("<td>") == 2


def test_bullets_that_follow_each_other_are_one_list() -> None:
    passages = [
        Passage("One:"), Passage("a", "bullet"), Passage("b", "bullet", depth=1), Passage("then"), Passage("q", "quote"),
        Passage("c", "bullet"),
    ]  # fmt: skip
    assert markup.blocks(passages) == "One:\n\n- a\n    - b\n\nthen\n\n> q\n\n- c"


def test_markup_that_a_reader_made_safe_is_not_escaped() -> None:
    assert (
        markup.blocks([Passage("so *it* is", markup=True), Passage("so *it* is")])
        == "so *it* is\n\nso \\*it\\* is"
    )


def test_a_list_that_lost_its_line_breaks_is_one_again() -> None:
    passage = Passage("Steps: (1) cut, (2) count (twice), (3) keep. Then stop.")
    assert markup.blocks([passage]) == "Steps:\n\n1. cut\n1. count (twice)\n1. keep. Then stop."
    assert markup.blocks([Passage("1) a 2) b 3) c")]) == "1. a\n1. b\n1. c"


@pytest.mark.parametrize(
    "text",
    [
        "(1) one (2) two",
        "f(1) + (2) = (3) of it",
        "(1) one (3) three (2) two",
        "(2) a (3) b (4) c",
        "(1) (2) (3) x",
    ],
)
def test_brackets_that_count_nothing_stay_where_they_are(text: str) -> None:
    assert "\n" not in markup.blocks([Passage(text)])
