"""What the preview's tests share: a project that has everything, and the text of cards and pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.engine.helpers import FIGURES, REFERENCES, Deck, make_deck

VOID = set("area base br col embed hr img input link meta source track wbr".split())


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def walk(self) -> Iterator[Element]:
        """Yield this element and all below it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def having(self, name: str) -> list[Element]:
        """Return all elements below with a class."""
        return [element for element in self.walk() if name in element.classes]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute twice: {self.get_starttag_text()}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        opened = self.open.pop()
        assert opened.tag == tag, f"line {self.getpos()[0]}: <{opened.tag}> ends as </{tag}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def tree(html: str) -> Element:
    """Return HTML as elements; every element that is opened must be closed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].tag}> is not closed"
    return reader.root


TEX = re.compile(r"\\([(\[])(.*?)\\([)\]])", re.S)


def text_of(html: str | Element) -> str:
    """Return what a reader sees of a card, formulas as TeX; the timer is no part of a card."""
    element = tree(html) if isinstance(html, str) else html
    return " ".join("".join(_texts(element)).split())


def _texts(element: Element) -> Iterator[str]:
    if element.tag in ("script", "style") or "timer" in element.classes:
        return
    if element.tag == "math":
        [note] = [e for e in element.walk() if e.tag == "annotation"]
        tex = "".join(child for child in note.children if isinstance(child, str))
        yield _formula("[" if element.attributes.get("display") == "block" else "(", tex)
        return
    if element.tag == "img":
        yield f" ⟦{element.attributes['src'].rpartition('/')[2]}: {element.attributes.get('alt')}⟧ "
    for child in element.children:
        if isinstance(child, Element):
            yield from _texts(child)
        elif element.tag in ("code", "pre"):
            yield child
        else:
            yield TEX.sub(lambda found: _formula(found[1], found[2]), child)
    if element.tag not in ("span", "b", "i", "code", "strong", "em", "a", "sup", "sub", ""):
        yield " "


def _formula(kind: str, tex: str) -> str:
    return f"⟦{kind} {tex.strip()}⟧"


Shown = dict[tuple[str, int], tuple[str, str]]
"""Both sides of cards by note id and ordinal."""


def engine_sides(learner: Any) -> Shown:
    """Return what Anki itself renders of every card of a collection."""
    found = {}
    for number in learner.col.find_cards(""):
        card = learner.col.get_card(number)
        output = card.render_output(reload=True)
        found[card.note()["Id"], card.ord] = (output.question_text, output.answer_text)
    return found


def page_texts(site: Path, states: tuple[str, ...] = ("held back", "draft")) -> Shown:
    """Return the text of both sides of every card on the pages of a site, but for notes in one of `states`."""
    found = {}
    for path in sorted(site.glob("cards/**/*.html")):
        for note in tree(path.read_text(encoding="utf-8")).having("site-note"):
            [state] = note.having("site-state")
            if text_of(state) in states:
                continue
            for card in note.having("site-card"):
                [front] = [e for side in card.having("site-front") for e in side.having("card")]
                [back] = [e for side in card.having("site-back") for e in side.having("card")]
                number = int(front.classes[1].removeprefix("card")) - 1
                found[note.attributes["id"], number] = (text_of(front), text_of(back))
    return found


SAID = "{judgement}`So says the author.`"

BASIC = f"""---
deck: "Ünï & Söhne::Leaf 'a' & b"
tags: [plain, "a&b", "x::y", ärger]
---

# What is *one* & two < three > `a::b {{{{c}}}}` "q" 'a' – 日本 🙂? {{#basic-odd tags="own"}}

Ünïcode, “quotes”, it's a < b & c > d, 日本語 🙂, a line\\
broken, `code {{{{Front}}}} <b>`, {{{{c1::no cloze}}}}, [sound:x.mp3] and \\\\( no math \\\\).

| a | `b` |
|---|---|
| $x_{{1}}$ | {{value}}`shapes.ratio()` |

```python
def f(x: int) -> str:  # comment & <tag>
    return f"{{{{x}}}}" + 'é'
```

$$\\begin{{aligned}} a &= b \\\\ c &< d \\end{{aligned}}$$ {{check}}`shapes.symmetric(d=4)`

{{table}}`shapes.rows() | area=kB`

{{figure}}`plots.line` ![alt & "text" <x>](pics/dot.svg) {{cite}}`euclid300` {SAID}

# Unverified: is it? {{#basic-unverified tags="unverified"}}

No. {SAID}

# Stale: how fast? {{#basic-stale}}

{{value}}`speeds.copy()`
"""

CLOZE = f"""---
deck: Clozes
---

# Which *words*, in $a_b$ & <? {{#cloze-odd}}

One {{cloze}}`1: hidden`, two {{cloze}}`2: "it's" <b> & ünï 日本 🙂 | a hint & <i>`, three {{cloze}}`12: $a_{{b}} \\lt \\frac{{a}}{{b}}$`,
four {{cloze}}``3: `a::b}}}}c` ``, five {{cloze}}``1: {{value}}`shapes.ratio()` | of $x_{{y}}$``, six {{cloze}}`2: ends in :`,
seven {{cloze}}`4: ends in }}` and {{cloze}}`5: a\\
b  c™` outside $c < d$ {SAID}.

- {{cloze}}`6: **bold** and *thin* | }}}}`
- {{cloze}}`7: a\\|b [link](https://example.org/?a=1&b=2)`

$$E = mc^2$$ {{check}}`shapes.symmetric()`

---

Behind the break: {{value}}`shapes.area()`, ünï. {{figure}}`plots.line`

# Alone? {{#cloze-alone}}

{{cloze}}`9: nine` {SAID}
"""

SPEEDS = '''
"""A measurement for tests."""

from proofdeck import measurement


@measurement
def copy():
    """Speed of a copy.

    Unit: B/s
    """
    return {"value": 1.0}


@measurement
def nobody():
    """What nobody measured.

    Unit: B/s
    """
    return {"value": 3.0}
'''
DOT = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
PARTS = ("L1", "L2", "L3", "Trap")


def ladders() -> str:
    """Return a depth tree for every choice of parts that a note may have."""
    notes = ["---\ndeck: Trees::Of every kind\ntags: [tree]\n---\n"]
    for choice in range(1, 1 << len(PARTS)):
        chosen = [part for bit, part in enumerate(PARTS) if choice >> bit & 1]
        levels = [part for part in chosen if part != "Trap"]
        if levels != list(PARTS[: len(levels)]):
            continue  # a level above another is never left out
        name = "-".join(["tree", *chosen]).lower()
        notes.append(f"# Root of *{name}* & $r_1$? {{#{name}}}\n\nAnswer `x` {{value}}`shapes.ratio()`.\n")
        for part in chosen:
            notes.append(f'## {part}: "{part}" of <{name}>, $q$?\n\nAnswer {part}. {SAID}\n')
    return "\n".join(notes)


def showcase(root: Path) -> Deck:
    """Make and build a project with every note type and everything that a card may hold."""
    files = {
        "decks/t.yaml": 'title: "Tests & <more>"\n', "figures/plots.py": FIGURES, "cards/references.yaml": REFERENCES,
        "cards/basic.md": BASIC, "cards/clozes.md": CLOZE, "cards/more/trees.md": ladders(),
        "cards/pics/dot.svg": DOT, "verifiers/speeds.py": SPEEDS,
    }  # fmt: skip
    deck = make_deck(root, files)
    deck.ok("measure", "speeds.copy", "--device", "cpu")
    deck.edit("verifiers/speeds.py", '{"value": 1.0}', '{"value": 2.0}')
    deck.ok("build", "--allow-stale")
    return deck
