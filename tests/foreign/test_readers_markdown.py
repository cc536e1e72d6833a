"""Markdown of other people: which headings ask, what an answer holds, and that none of it comes alive."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofdeck.foreign.model import Aside, Entry, Item, Passage
from proofdeck.foreign.readers import reader
from proofdeck.parse.markdown import reader as ours


def read(text: str) -> list[Item]:
    return list(reader("markdown").read(enumerate(text.split("\n"), 1)))


def entries(text: str) -> list[Entry]:
    return [item for item in read(text) if isinstance(item, Entry)]


def asides(text: str) -> list[tuple[str, str]]:
    return [(item.why, item.text) for item in read(text) if isinstance(item, Aside)]


def answer(body: str) -> tuple[Passage, ...]:
    (entry,) = entries(f"# Why?\n\n{body}")
    return entry.answer


def texts(body: str) -> list[str]:
    return [passage.text for passage in answer(body)]


class TestHeadings:
    def test_headings_that_ask_are_questions_below_the_others(self) -> None:
        told = entries(
            "# Trees\n\n## Why graft?\n\nSo.\n\n## Explain pruning\n\nThus.\n\n## Notes\n\nNone.\n"
        )
        assert [(e.question, e.section) for e in told] == [
            ("Why graft?", ("Trees",)),
            ("Explain pruning", ("Trees",)),
        ]

    def test_what_stands_below_a_heading_that_asks_nothing_is_told(self) -> None:
        assert asides("# Trees\n\nAn introduction.\n\n## Why graft?\n\nSo.") == [
            ("introduction", "An introduction.")
        ]
        assert asides("# Trees\n# Why graft?\n\nSo.") == [("heading", "Trees")]

    def test_headings_inside_an_answer_belong_to_it(self) -> None:
        (entry,) = entries("# Why?\n\nSo.\n\n## Details\n\nMore.\n")
        assert [passage.text for passage in entry.answer] == ["So.", "**Details**", "More."]

    def test_a_question_below_a_question_is_one(self) -> None:
        told = entries("# Why?\n\nSo.\n\n## And how?\n\nThus.\n")
        assert [(e.question, e.section) for e in told] == [("Why?", ()), ("And how?", ("Why?",))]

    def test_where_no_heading_asks_each_leaf_is_one(self) -> None:
        told = entries("# Trees\n\n## Grafting\n\nSo.\n\n## Pruning\n\nThus.\n\n## Empty\n")
        assert [(e.question, e.section) for e in told] == [("Grafting", ("Trees",)), ("Pruning", ("Trees",))]

    @pytest.mark.parametrize(
        ("heading", "question", "number"),
        [
            ("Q: So it is", "So it is", ""),
            ("Q7. So it is", "So it is", "q7"),
            ("3. What is it", "What is it", "q3"),
            ("What is **bold** `code` ==mark== [[Page|page]] #1?", "What is bold code mark page #1?", ""),
            ("Why $x$? ##", "Why $x$?", ""),
        ],
    )
    def test_the_text_of_a_heading(self, heading: str, question: str, number: str) -> None:
        (entry,) = entries(f"## {heading}\n\nSo.")
        assert (entry.question, entry.number) == (question, number)

    def test_underlined_headings(self) -> None:
        told = entries("Why?\n====\n\nSo.\n\nHow?\n---\nThus.\n\n---\n\nEnd\nof it\n---")
        assert [e.question for e in told] == ["Why?", "How?"]

    @pytest.mark.parametrize(
        "hidden", ["```\n# a?\n```", "<!--\n# a?\n-->", "%%\n# a?\n%%", "~~~\n# a?\n```\n# b?\n~~~"]
    )
    def test_no_heading_in_code_or_comments(self, hidden: str) -> None:
        assert len(entries(f"# Why?\n\n{hidden}\n\nSo.")) == 1


class TestPairs:
    @pytest.mark.parametrize(
        "body",
        [
            "**Q:** Why?\n**A:** So.\n\n**Q:** How?\n\n**A:** Thus.",
            "Q: Why?\nA: So.\n\nQ: How?\n\nA: Thus.",
            "<details>\n<summary>Why?</summary>\n\nSo.\n\n</details>\n<details><summary><b>How?</b></summary>\nThus.</details>",
        ],
    )
    def test_pairs(self, body: str) -> None:
        told = entries(f"# Trees\n\n{body}\n")
        assert [(e.question, e.section, [p.text for p in e.answer]) for e in told] == [
            ("Why?", ("Trees",), ["So."]),
            ("How?", ("Trees",), ["Thus."]),
        ]

    def test_a_folded_answer_is_the_answer_of_its_heading(self) -> None:
        assert texts("<details><summary>Show answer</summary>\n\nSo.\n</details>") == ["So."]

    def test_an_answer_of_many_blocks(self) -> None:
        (entry,) = entries("Q: Why?\n\nA: So:\n\n- one\n- two\n\n```\nx\n```")
        assert [(p.kind, p.text) for p in entry.answer] == [
            ("paragraph", "So:"),
            ("bullet", "one"),
            ("bullet", "two"),
            ("code", "x"),
        ]


class TestBlocks:
    def test_blocks(self) -> None:
        told = answer(
            "Two\nlines.\n\n- a\n  - b\n\n    c\n1. d\n\n> e\n\n> [!note] f\n> g\n\n"
            "```python\nh = 1\n```\n\n| i | j |\n|---|---|\n| `k` | l |\n\n$$\nm\n$$\n"
        )
        assert [(p.kind, p.text, p.depth) for p in told] == [
            ("paragraph", "Two lines.", 0),
            ("bullet", "a", 0),
            ("bullet", "b c", 1),
            ("number", "d", 0),
            ("quote", "e", 0),
            ("quote", "f g", 0),
            ("code", "h = 1", 0),
            ("table", "", 0),
            ("paragraph", "$$\nm\n$$", 0),
        ]
        assert told[6].language == "python"
        assert told[7].rows == (("i", "j"), ("k", "l"))

    def test_lines_are_those_of_the_document(self) -> None:
        (entry,) = entries("---\ntags: [a]\n---\n\n# Why?\n\nSo.\n\n- a\n\n```\nx\n```")
        assert [entry.line, *(p.line for p in entry.answer)] == [5, 7, 9, 11]

    def test_pictures(self) -> None:
        told = answer("See ![a tree](img/tree%201.png) here.")
        assert [(p.kind, p.text, p.language) for p in told] == [
            ("paragraph", "See  here.", ""),
            ("picture", "a tree", "img/tree 1.png"),
        ]

    @pytest.mark.parametrize(
        "path", ["http://a.b/c.png", "../c.png", "/c.png", "a/../../c.png", "C:/c.png", "//a/b", "%2e%2e/c"]
    )
    def test_pictures_elsewhere_are_left_out(self, path: str) -> None:
        (entry, aside) = read(f"# Why?\n\nSo ![alt]({path}).")
        assert isinstance(entry, Entry) and isinstance(aside, Aside)
        assert [(p.kind, p.text) for p in entry.answer] == [("paragraph", "So alt.")]
        assert aside.why == "remote picture"


class TestInline:
    @pytest.mark.parametrize(
        ("source", "written"),
        [
            ("**a** *b* `c_d` __e__ _f_", "**a** *b* `c_d` **e** *f*"),
            ("so $a_1 < b$ costs $5", "so $a_1 < b$ costs \\$5"),
            ("{value}`os.x()`", "\\{value}`os.x()`"),
            ("[a](http://b.c/d_(e)?f=1&copy=2)", "[a](<http://b.c/d_(e)?f=1&amp;copy=2>)"),
            ("[a](javascript:alert)", "\\[a\\](javascript:alert)"),
            ("[a](other.md)", "a"),
            ("[[Page#part|shown]] and [[Other]]", "shown and Other"),
            ("==marked== x", "marked x"),
            ("a<br>b <b>c</b> List<int>", "a b c List\\<int\\>"),
            ("a\\\nb", "a\\\nb"),
            ("a\\*b \\# 1\\. x", "a\\*b # 1. x"),
            ("\\# not a heading", "\\# not a heading"),
            ("1\\. not a list", "1\\. not a list"),
            ("&lt;b&gt; &amp;amp;", "\\<b\\> \\&amp;"),
            ("``a`b``", "``a`b``"),
        ],
    )
    def test_written_again(self, source: str, written: str) -> None:
        assert texts(source) == [written]

    def test_what_stands_beside(self) -> None:
        (entry, *_) = entries("# Why?\n\nSo [[Page#x|p]] ![[e.png]] %%h%% <!-- c --> [a](b.md)")
        assert entry.see == ("Page",)
        assert asides("# Why?\n\nSo ![[e.png]] %%h%% <!-- c --> [a](b.md)") == [
            ("embed", "![[e.png]]"),
            ("comment", "h"),
            ("comment", "c"),
            ("link", "b.md"),
        ]

    def test_html_is_reduced_to_its_words(self) -> None:
        assert texts("<div onclick='x()'>\n<p>One</p><p>Two</p>\n</div>\n\n<script>bad()</script>\n") == [
            "One Two"
        ]


class TestFrontMatter:
    def test_tags(self) -> None:
        (entry,) = entries("---\ntags: [a, '#b', c/d]\nx: 1\n---\n# Why?\n\nSo.")
        assert entry.tags == ("a", "b", "c/d")
        (entry,) = entries("---\ntags: a, b\n---\n# Why?\n\nSo.")
        assert entry.tags == ("a", "b")

    @pytest.mark.parametrize("matter", ["a: [", "- a", "tags: {a: 1", "x: !!python/object:os.system a"])
    def test_wrong_front_matter_is_told(self, matter: str) -> None:
        assert asides(f"---\n{matter}\n---\n# Why?\n\nSo.") == [("wrong front matter", matter)]

    def test_front_matter_without_an_end_is_text(self) -> None:
        assert len(entries("---\na: b\n# Why?\n\nSo.")) == 1


def test_recognise() -> None:
    sure = reader("markdown").recognise
    assert sure("# Notes\n\ntext") == 0.5
    assert 0.3 <= sure("**Q:** Why?\n**A:** So.") < 0.5
    assert sure("plain text, #1 of it") == 0


MARKS = ["**", "*", "_", "`", "``", "$", "$$", "{value}", "{cite}`a`", "[", "](http://a.b)", "![", "](c.png)", "<b>",
         "</b>", "<script>", "<!--", "-->", "# ", "## L1: ", "- ", "1. ", "> ", "\n", "\n\n", "    ", "| a |\n|---|\n| b |",
         "```", "~~~", "---", "===", "&lt;", "&#123;", "\\", "[[a]]", "word", " ", "é", "<http://x.y>", "%%", "=="]  # fmt: skip


@settings(deadline=None, max_examples=250)
@given(st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=4)), max_size=25))
def test_nothing_comes_alive(parts: list[str]) -> None:
    """What is written reads as no role, no HTML, no heading and no picture, and links to the web alone."""
    for item in read("# Why?\n\n" + "".join(parts)):
        if not isinstance(item, Entry):
            continue
        for passage in item.answer:
            if not passage.markup:
                continue
            for token in ours().parse(passage.text):
                assert token.type not in ("heading_open", "html_block"), passage.text
                assert token.type not in ("fence", "code_block") or passage.kind == "code", passage.text
                for child in token.children or ():
                    assert child.type not in ("myst_role", "html_inline", "image"), passage.text
                    if child.type == "link_open":
                        assert str(child.attrs["href"]).lower().startswith(("http:", "https:", "mailto:"))
