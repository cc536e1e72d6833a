r"""Formulas of cards as MathML: `\(…\)` and `\[…\]` converted, code left alone, nothing lost."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("latex2mathml")

from proofdeck.assemble import Built
from proofdeck.cache import Cache
from proofdeck.parse.markdown import display_math, inline_math
from proofdeck.preview.formulas import mathml, typeset
from proofdeck.preview.reading import read
from proofdeck.project import Project
from tests.engine.helpers import Deck
from tests.preview.helpers import TEX, Element, text_of, tree


def parsed(html: str) -> Element:
    """Return the one element that a formula has become; it must be XML too."""
    ElementTree.fromstring(html)
    [element] = tree(html).children
    assert isinstance(element, Element)
    return element


def drawn(html: str) -> str:
    """Return the letters and signs that a browser shows of MathML."""
    return "".join(
        child
        for element in tree(html).walk()
        if element.tag != "annotation"
        for child in element.children
        if isinstance(child, str)
    )


def annotation(html: str) -> str:
    [note] = [element for element in tree(html).walk() if element.tag == "annotation"]
    assert note.attributes["encoding"] == "application/x-tex"
    return "".join(str(child) for child in note.children)


def test_formulas_in_a_line_and_displayed_ones() -> None:
    html = typeset(r"<p>a \(x^2\) b \[\frac{a}{b}\] c</p>")
    paragraph = parsed(html)
    first, second = [e for e in paragraph.walk() if e.tag == "math"]
    assert (first.attributes["display"], second.attributes["display"]) == ("inline", "block")
    assert [e.tag for e in first.walk()].count("msup") == 1
    assert [e.tag for e in second.walk()].count("mfrac") == 1
    assert "\\(" not in html and "\\[" not in html
    assert [child.strip() for child in paragraph.children if isinstance(child, str)] == ["a", "b", "c"]


def test_html_stands_for_the_characters_of_tex() -> None:
    html = mathml("a &lt; b \\&amp; c &gt; d", display=False)
    assert annotation(html) == "a < b \\& c > d"
    assert drawn(html) == "a<b&c>d"
    html = mathml("\\text{a&#123;&#123;b &lt;script&gt;}", display=False)
    assert "<script" not in html


def test_what_anki_would_read_as_its_own_arrives() -> None:
    tex = r"x_{{1}} \frac{a}{{b}}"
    html = typeset(inline_math(tex))
    assert annotation(html) == tex
    assert [e.tag for e in tree(html).walk()].count("mfrac") == 1


@pytest.mark.parametrize("tag", ["code", "pre", "script", "style"])
def test_code_is_no_formula(tag: str) -> None:
    html = rf"<{tag} class=a>\(x\) and \[y\]</{tag}>"
    assert typeset(html) == html
    after = typeset(rf"{html}\(x\)")
    assert after.startswith(html) and after.endswith("</math>")


def test_a_page_without_formulas_stays_as_it_is() -> None:
    html = "<p>(x) [y] <span>\\</span>(z\\) &amp; $x$</p>"
    assert typeset(html) is html


@pytest.mark.parametrize(
    "tex", [r"\frac{a}", r"\undefinedmacro{x}", r"\begin{aligned} a", "x^", r"\left( a", "{", "}"]
)
def test_what_cannot_be_converted_stays_readable(tex: str) -> None:
    for html in (typeset(inline_math(tex)), typeset(display_math(tex))):
        element = parsed(html)
        if element.tag == "code":
            assert element.classes == ["site-tex"]
            assert text_of(html) == " ".join(tex.split())
        else:  # the converter made something of it
            assert annotation(html) == tex
            assert "\\" not in drawn(html)


def test_an_unknown_macro_is_shown_as_it_was_written() -> None:
    assert typeset(r"\(\nonsense x &lt; y\)") == r'<code class="site-tex">\nonsense x &lt; y</code>'


ENVIRONMENTS = {
    "aligned": (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", 2, 2),
    "align*": (r"\begin{align*} a &= b \\ c &= d \\ e &= f \end{align*}", 3, 2),
    "split": (r"\begin{split} a &= b \\ &= d \end{split}", 2, 2),
    "gathered": (r"\begin{gathered} a = b \\ c = d \end{gathered}", 2, 1),
    "cases": (r"f(x) = \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}", 2, 2),
    "matrix": (r"\begin{matrix} a & b & c \\ d & e & f \end{matrix}", 2, 3),
    "pmatrix": (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", 2, 2),
    "bmatrix": (r"\begin{bmatrix} a \\ b \end{bmatrix}", 2, 1),
}


@pytest.mark.parametrize("tex, rows, columns", ENVIRONMENTS.values(), ids=list(ENVIRONMENTS))
def test_environments_are_tables(tex: str, rows: int, columns: int) -> None:
    html = typeset(display_math(tex))
    assert parsed(html).tag == "math"
    [table] = [element for element in tree(html).walk() if element.tag == "mtable"]
    lines = [e for e in table.children if isinstance(e, Element)]
    assert [e.tag for e in lines] == ["mtr"] * rows
    assert (
        max(sum(isinstance(e, Element) and e.tag == "mtd" for e in line.children) for line in lines)
        == columns
    )
    assert annotation(html) == tex
    assert not any("columnalign" in cell.attributes for cell in table.walk() if cell.tag == "mtd")


def test_the_sides_of_equations_meet() -> None:
    """MathML Core has no `columnalign`: the sides stand by style, the left one to the right and so on."""
    html = mathml(r"\begin{aligned} a &amp;= b \\ cc &amp;= dd \end{aligned}", display=True)
    cells = [e.attributes["style"] for e in tree(html).walk() if e.tag == "mtd"]
    assert cells == ["text-align: right; padding-right: 0", "text-align: left; padding-left: 0"] * 2


COMMON = [
    r"\alpha", r"\sum_{i=1}^n", r"\frac{a}{b}", r"\sqrt{x}", r"\mathbb{E}", r"\mathrm{KL}", r"\text{if } x", r"\log", r"\le", r"\approx",
    r"\lceil x \rceil", r"\left(\frac{a}{b}\right)", r"\partial", r"\cdot", r"\top", r"\mathcal{L}", r"\hat{y}", r"\, ", "<", ">", "=", "x_1", "y^{2}",
    "(", ")", "|", "12", "f'", "+",
]  # fmt: skip


@given(st.lists(st.sampled_from(COMMON), min_size=1, max_size=6).map(" ".join), st.booleans())
@example(r"\mathrm{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V", True)
def test_usual_tex_becomes_mathml_that_keeps_it(tex: str, display: bool) -> None:
    written = display_math(tex) if display else inline_math(tex)
    html = typeset(f"<p>{written}</p>")
    assert [e.tag for e in parsed(html).walk()].count("math") == 1, html
    assert annotation(html) == tex.strip()
    assert text_of(html) == text_of(f"<p>{written}</p>")


@given(st.text(st.sampled_from("\\{}[]()$^_&<>\"'abc1 \n%#~é"), max_size=12))
def test_no_tex_breaks_the_page(tex: str) -> None:
    html = typeset(f"<p>before {inline_math(tex)} after</p>")
    element = parsed(html)
    assert element.tag == "p"
    assert text_of(html).startswith("before") and text_of(html).endswith("after")
    assert {e.tag for e in element.walk() if e.tag in ("script", "a", "img")} == set()


def every_formula(deck: Deck) -> list[tuple[str, str]]:
    """Return note id and HTML of every formula on a card of a project."""
    project = Project(deck.root)
    with Cache(project.state).closing() as cache:
        built: list[Built] = [note for notes in read(project, cache).built.values() for note in notes]
    prose = [(note.id, re.sub(r"<(code|pre)\b.*?</\1>", "", note.row.fields, flags=re.S)) for note in built]
    return [(name, found[0]) for name, text in prose for found in TEX.finditer(text)]


def test_every_formula_of_our_cards_is_typeset(ours: Deck) -> None:
    formulas = every_formula(ours)
    assert len(formulas) > 150
    left = [(name, tex) for name, tex in formulas if not typeset(tex).startswith("<math")]
    assert left == []


def test_every_formula_of_our_pages_keeps_its_tex(ours: Deck, our_site: Path) -> None:
    pages = [path.read_text(encoding="utf-8") for path in sorted(our_site.glob("cards/**/*.html"))]
    kept = {
        e
        for page in pages
        for e in re.findall(r'<annotation encoding="application/x-tex">(.*?)</annotation>', page, re.S)
    }
    assert len(kept) > 100
    for page in pages:
        assert "site-tex" not in page
        assert not TEX.search(re.sub(r"<(code|pre|script)\b.*?</\1>", "", page, flags=re.S))
