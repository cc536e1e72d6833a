"""Whatever an author writes arrives on the card, and nothing in it commands Anki or breaks the engine."""

from __future__ import annotations

import html
import pickle
import re
from html.parser import HTMLParser

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from proofdeck.errors import Problem
from proofdeck.evidence.code import Function
from proofdeck.evidence.resolve import Fact
from proofdeck.lint.fields import lint_fields
from proofdeck.lint.numbers import lint_numbers
from proofdeck.package.collection import row_of
from proofdeck.parse import parse
from proofdeck.parse.model import Note, claims_of, needs_of
from proofdeck.references import Reference
from proofdeck.render.notes import Context, Rendered, render_note

from .helpers import card, make_deck

DANGEROUS = [
    "{{c1::x}}", "{{", "}}", "{{Front}}", "{{{", "}}}", "::", ":::", "[sound:x.mp3]", "[SOUND:", "[anki:play:q:0]", "[latex]", "[/latex]", "[$]",
    "[$$]", "[/$]", "\\(", "\\)", "\\[", "\\]", "\\\\(", "$", "$$", "<b>", "</p>", "<script>alert(1)</script>",
    "<!--", "-->", "&amp;", "&lt;", "&#123;", "&", "\"", "'", "`", "``", "*", "_", "# ", "> ", "- ", "1. ", "---", "|", "~~~",
    "{value}`", "{cloze}`1: ", "{#id}", "![](x.png)", "[a](b)", "http://x.y", "\\", "%", "\u00a0", "\u2028", "é", "日本", "🙂", "\u200d", "\u202e",
    "\ufeff", "\u0301", " ", "  ", ":", "|c|", "0", "12", "x", "End", "=",
]  # fmt: skip
characters = st.characters(blacklist_categories=("Cs", "Cc"))
words = st.lists(st.sampled_from(DANGEROUS) | st.text(characters, max_size=4), max_size=8).map("".join)
texts = words.map(str.strip).filter(bool)


def escaped(text: str) -> str:
    """Write a text so that Markdown takes each character for itself."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def bare(field: str) -> str:
    """Return what a reader sees of a field's HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", field))


COMMANDS = re.compile(r"\{\{|\}\}|\[sound:|\[anki:|\[/?latex\]|\[/?\${1,2}\]|\x00", re.I)


def commands_in(field: str, math: bool = False) -> list[str]:
    """Return what Anki or MathJax would act on: Anki reads the source, MathJax the text between elements."""
    found = COMMANDS.findall(field)
    if not math:
        prose = re.sub(r"<(code|pre)\b.*?</\1>", "\x01", field, flags=re.S)
        found += re.findall(r"\\[()\[\]]", html.unescape(re.sub(r"<[^>]*>", "\x01", prose)))
    return found


EMPTY = Context({}, {}, {}, {})


def rendered(source: str, context: Context = EMPTY) -> dict[str, str]:
    parsed = parse(source, "c.md")
    assert not parsed.problems, parsed.problems
    return dict(render(parsed.notes[0], context).fields)


def render(note: Note, context: Context = EMPTY) -> Rendered:
    problems: list[Problem] = []
    made = render_note(note, context, problems)
    assert not problems, problems
    # a text with `$$` twice may be refused: it looks like a formula that nobody will typeset
    problems = [
        problem for problem in lint_fields(made, "c.md") if "`$$` in the field" not in problem.message
    ]
    assert not problems, problems
    return made


@given(text=texts)
@example(text="{{c1::x}} [sound:x] \\(a\\) $5$")
@example(text="\\[sound:x.mp3] \\[latex] \\[anki:x]")
@settings(max_examples=150, deadline=None)
def test_text_arrives_whole_and_commands_nothing(text: str) -> None:
    source = f"---\ndeck: D\n---\n\n# A {escaped(text)} Z {{#q}}\n\nA {escaped(text)} Z\n\n- A **{escaped('x' + text + 'x')}** Z\n"
    fields = rendered(source)
    assert bare(fields["Question"]) == f"A {text} Z"
    assert bare(fields["Answer"]).split("\n")[0] == f"A {text} Z"
    assert f"A x{text}x Z" in bare(fields["Answer"])
    assert " ".join(html.unescape(fields["Title"]).split()) == " ".join(f"A {text} Z".split())
    assert [commands_in(field) for field in (fields["Question"], fields["Answer"])] == [[], []]
    assert not COMMANDS.findall(fields["Title"])


@given(text=texts)
@example(text="{{c1::x}}`` \\(a\\) [sound:x]")
@settings(max_examples=150, deadline=None)
def test_code_arrives_whole(text: str) -> None:
    assume(text[0] != "\ufeff")  # Pygments takes a byte order mark for what it is
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    fence = ticks if len(ticks) > 2 else "```"
    fields = rendered(
        card(
            f"Code {ticks} {text} {ticks} end.\n\n{fence}python\n{text}\n{fence}\n\n{fence}{{{{x}}}}\n{text}\n{fence}\n"
        )
    )
    inline, *blocks = re.findall(r"<code>(.*?)</code>", fields["Answer"], re.S)
    assert bare(inline) == text
    assert [bare(block) for block in blocks] == [f"{text}\n"] * 2
    assert commands_in(fields["Answer"]) == []


@given(text=texts.filter(lambda text: not re.search(r"[$`\\\n]", text)))
@example(text="\\frac{{a}}{{b}}".replace("\\", ""))
@settings(max_examples=150, deadline=None)
def test_math_arrives_whole(text: str) -> None:
    assume(not text[0].isspace() and not text[-1].isspace() and not text[-1].isdigit())
    fields = rendered(card(f"Inline $a{text}$ end.\n\n$$\n{text}\n$$\n"))
    found = re.findall(r"\\\((.*?)\\\)|\\\[(.*?)\\\]", fields["Answer"])
    assert [html.unescape(one or other) for one, other in found] == [f"a{text}", text]
    assert commands_in(fields["Answer"], math=True) == []


@given(text=texts, hint=st.none() | texts.filter(lambda hint: not re.search(r"[|`$\n]", hint)))
@example(text="ratio:", hint="what")
@example(text="a}", hint=None)
@example(text="}}::}}", hint=None)
@example(text=":", hint=":")
@settings(max_examples=150, deadline=None)
def test_a_cloze_hides_exactly_its_text(text: str, hint: str | None) -> None:
    tail = "" if hint is None else f" | {hint}"
    source = card(f"Before {{cloze}}``1: {escaped(text)}{tail} `` after.")
    fields = rendered(source)
    assert cloze_of(fields["Text"]) == (text, "" if hint is None else hint)


def cloze_of(field: str) -> tuple[str, str]:
    """Read the one cloze of a field as Anki does: it ends at the first `}}`, its hint begins at the first `::`."""
    begin = field.index("{{c1::") + 6
    body, end, rest = field[begin:].partition("}}")
    assert end and "{{" not in rest and "}}" not in rest, rest
    hidden, _, hint = body.partition("::")
    assert "::" not in hint
    assert field.startswith("<p>Before {{c1::") and rest == " after.</p>", rest
    return bare(hidden).strip(), bare(hint).strip()


@given(text=texts)
@settings(max_examples=120, deadline=None)
def test_text_in_other_places_arrives_whole(text: str) -> None:
    function = Function("m.f", "verifier", "verifiers/m.py", 1, f"# {text}", "", (("", "text"),), ())
    fact = Fact("m.f()", text, function)
    table = Fact(
        "m.t()", [{text: text, "other": 1}], Function("m.t", "verifier", "v.py", 1, "", "", (("", "1"),), ())
    )
    context = Context(
        {"m.f()": fact, "m.t()": table},
        {"m.g()": ("x.svg", text, False)},
        {"p.png": "p.png"},
        {"k": Reference("k", text, text, "2000", text, "https://example.org")},
    )
    alt = escaped(text)
    source = card(
        f"A{{value}}`m.f()`Z\n\n{{table}}`m.t()`\n\n{{figure}}`m.g`\n\n{{cite}}`k`\n\n![{alt}](p.png)\n\n{{judgement}}`` {alt} ``"
    )
    fields = rendered(source, context)
    answer = fields["Answer"]
    assert bare(answer).startswith(f"A{text}Z")
    assert [bare(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", answer, re.S)][::2] == [text, text]
    assert [html.unescape(alt) for alt in re.findall(r'alt="(.*?)"', answer, re.S)] == [text, text]
    assert f"[{text} 2000]" in bare(answer)
    assert bare(answer).strip().endswith(text)
    assert text in bare(fields["Proof"])
    assert commands_in(answer) == []
    assert commands_in(fields["Proof"]) == []


@given(text=texts)
@example(text="[sound:a.mp3] {{c1::x}}")
@settings(max_examples=100, deadline=None)
def test_titles_and_addresses_of_links_command_nothing(text: str) -> None:
    fields = rendered(card(f'[word](<http://x.y/{escaped(text)}> "{escaped(text)}")'))
    assert commands_in(fields["Answer"]) == []
    assert bare(fields["Answer"]).strip().startswith("word") or "](" in bare(fields["Answer"])


ATTRIBUTES = ("class", "title", "href", "src", "alt", "start", "style")
ALLOWED = {
    "p",
    "br",
    "em",
    "strong",
    "code",
    "pre",
    "a",
    "ul",
    "ol",
    "li",
    "blockquote",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "span",
    "img",
    "details",
    "summary",
    "i",
    "div",
}


class Tags(HTMLParser):
    """Collects elements and attributes as a browser sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}
        if tag not in ("br", "hr", "img", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("br", "hr", "img", "input")
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


@given(
    text=st.lists(
        st.sampled_from([*DANGEROUS, "\n", "\n\n", "    "]) | st.text(characters, max_size=3), max_size=25
    ).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_no_markdown_makes_a_script_a_command_or_broken_html(text: str) -> None:
    parsed = parse(card(f"x {text}"), "c.md")
    problems: list[Problem] = []
    for note in parsed.notes:
        if note.type == "cloze" or parsed.problems:
            continue
        made = render_note(note, Context({}, {}, {"x.png": "x.png"}, {}), problems)
        for name, field in made.fields:
            if name == "Id":
                continue
            assert not COMMANDS.findall(field), (name, field)
            tags = Tags()
            tags.feed(field)
            tags.close()
            assert not tags.open
            # the one control: the check box that enlarges a figure
            assert tags.names <= ALLOWED | {"label", "input"}
            for attribute, value in tags.attributes:
                assert attribute in (*ATTRIBUTES, "type", "aria-label"), attribute
                assert attribute != "type" or value == "checkbox"
                assert not re.match(r"\s*(javascript|vbscript|data|file):", value, re.I) or attribute in (
                    "title",
                    "alt",
                )


VALID = """---
deck: Inference::KV cache
tags: [inference, kv-cache]
---

# How does it work? {#kv-cache needs="other" formerly: old covers: [a-1, a-2]}

Each step costs {value}`kv.nbytes("llama-2-70b", tokens=4096) | GB .2f`, that is
{check}`kv.ratio() ≈ 2 ± 5%` of 4,096 {cite}`kwon2023, other` and {judgement}`advice *x*`.

{figure}`kv.growth`

| a | b |
|---|---|
| 1 | {value}`kv.x()["adam"] \\| %` |

- item `code` {table}`kv.rows() | size=GB, share=%`

$$ x^2 $$ {check}`kv.property`

> quote ![alt](picture.png)

## L1: What is $n$?

```python
x = {{1: 2}}
```

## L2: And?

Ten.

## L3: So?

\\{value} &amp; \\(x\\).

## Trap: "It is 7."

No.

# Second {#second}

A {cloze}`1: hidden` and {cloze}``c2: {value}`kv.f(-1.5, [1, (2,)], a=None)` | hint``.

---

Extra **text**.
"""
PIECES = [*DANGEROUS, "\n", "\n\n", "---\n", "# Q {#q}\n", "## L1: x\n", "## ", "{value}`m.f() | GB`", "{check}`m.f() ≈ 2 ± 1.2.3`", "\t", "| a |\n|---|\n",
          "\r", "\x00", "\x0b", "\x1f", "\x7f", "1e999", "10⁹⁹⁹", "10²⁻³", "½", "٣", "tags: !!bool x\n", "? [a]: b\n", "*a ", "&a ", "!!int ''", "!!binary x", "2001-99-99", "{cloze}``1: {cloze}`2: x` ``",
          "formerly=\"", "{#", "}", "'", "±", "≈", "(((", "[[[", "~", "`" * 5]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = VALID
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        match draw(st.integers(0, 3)):
            case 0:
                text = text[:at] + text[at + draw(st.integers(1, 40)) :]
            case 1:
                text = text[:at] + draw(st.sampled_from(PIECES)) + text[at:]
            case 2:
                text = text[:at] + text[draw(st.integers(0, len(text))) :][:40] + text[at:]
            case 3:
                text = text[:at] + draw(st.text(max_size=5)) + text[at:]
    return text


def read_whole(text: str) -> None:
    """Do with a text all that the engine does before it runs anything; places must lie in the file."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parsed = parse(text, "cards/c.md")
    problems = [*parsed.problems, *lint_numbers(parsed)]
    lines = text.split("\n")
    for problem in problems:
        assert problem.file == "cards/c.md" and problem.message
        assert 0 <= problem.line <= len(lines), problem
        assert problem.column == 0 or 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert str(problem) and "\x00" not in str(problem)
    for note in parsed.notes:
        for claim in claims_of(note):
            assert 1 <= claim.place.line <= len(lines)
            for need in needs_of(claim):
                assert all(isinstance(word, str) for word in need)
    assert pickle.loads(pickle.dumps(parsed.notes)) == parsed.notes
    if not problems:
        for note in parsed.notes:
            made = render_note(note, EMPTY, [])
            list(lint_fields(made, "c.md"))
            row_of(made)


@given(mutated())
@settings(max_examples=200, deadline=None)
def test_no_damaged_card_breaks_the_reader(text: str) -> None:
    read_whole(text)


@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    read_whole(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(max_examples=200, deadline=None)
def test_no_mixture_of_markup_breaks_the_reader(text: str) -> None:
    read_whole(card(text))
    read_whole(text)


@given(
    st.lists(
        st.sampled_from(["deck", "tags", ": ", "\n", "- ", "[", "]", "{", "}", "a", '"', "'", "|", ">", "#", "&a", "*a", "!!bool ", "!!int ", "!!float ",
                         "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!pairs ", "!x ", "? ", "1", "0b", "0x", "1:2", "~", "true", ".inf", "2001-01-01 1:2:3 +99:99",
                         "<<: ", "=", "%YAML 1.1", "\t", "...", "@", "é", "\ufeff"]),
        max_size=12,
    ).map("".join)
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_no_front_matter_breaks_the_reader(text: str) -> None:
    read_whole(f"---\n{text}\n---\n\n# Q? {{#q}}\n\nA {{judgement}}`b`.\n")
    read_whole(f"---\ndeck: D\ntags: {text}\n---\n\n# Q? {{#q}}\n\nA {{judgement}}`b`.\n")


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_attributes_break_the_reader(text: str) -> None:
    read_whole(f"---\ndeck: D\n---\n# Q? {{{text}}}\n{{judgement}}`x`\n")
    read_whole(f"---\ndeck: D\n---\n# Q? {{#q {text}}}\n{{judgement}}`x`\n## {text}: x\ny\n")


@given(st.sampled_from(["value", "check", "table", "figure", "cite", "cloze", "judgement"]), words)
@settings(max_examples=200, deadline=None)
def test_no_text_of_a_role_breaks_the_reader(role: str, text: str) -> None:
    read_whole(
        card(f"{{{role}}}``` {text} ``` and {{{role}}}```m.f() {text}``` and {{{role}}}```1: {text}```")
    )


@pytest.mark.parametrize(
    "text",
    [
        "> " * 500 + "x",
        "- " * 300 + "x",
        "*" * 5000,
        "[" * 3000,
        "`" * 3000 + "x",
        "{cloze}`1: " * 200 + "x" + "`" * 200,
        "{value}`m.f(" + "[" * 5000 + ")`",
        "$" * 2001,
        "| a " * 500 + "|\n" + "|---" * 500 + "|\n",
        "{judgement}``" + "{judgement}`x` " * 200 + "``",
        "a\n" * 3000,
        "![](" * 1000,
        "9" * 5000 + " 10" + "⁹" * 5000,
        "{value}`m.f(" + "9" * 4000 + ")`",
    ],
    ids=lambda text: text[:12],
)
def test_nesting_and_length_break_nothing(text: str) -> None:
    read_whole(card(text))
    read_whole(card("x " + text))


@given(
    text=st.lists(st.sampled_from(PIECES) | st.text(characters, max_size=3), min_size=1, max_size=12).map(
        "".join
    )
)
@settings(max_examples=40, deadline=None)
def test_no_card_ends_a_build_in_a_traceback(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    deck = make_deck(tmp_path_factory.mktemp("any"))
    deck.write("cards/a.md", card(f"{{judgement}}`x` {text}"))
    for command in ("check", "build", "list"):
        ran = deck.run(command)
        assert ran.status in (0, 1), ran.err
        assert ran.status == 0 or "cards/a.md:" in ran.err
