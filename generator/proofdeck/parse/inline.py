"""Inline text of a card file: where each word stands, which roles it holds, and its HTML."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from proofdeck.errors import Problem
from proofdeck.parse.markdown import HOLE, reader
from proofdeck.parse.model import Block, Body, Claim, Image, Judgement, Place, Span
from proofdeck.parse.roles import read_role

PICTURES = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp")
_OPEN_ROLE = re.compile(r"(\{[A-Za-z][\w-]*\})`")
_SPANS = {"code_inline": "code", "math_inline": "math", "math_inline_double": "display", "text": "text"}


class Inlines:
    """Reads the inline tokens of one file, in order."""

    def __init__(self, file: str, text: str, problems: list[Problem]) -> None:
        self.file = file
        self.lines = text.split("\n")
        self.problems = problems
        self.blocks: list[Block] = []
        self.note = 0
        self.part = "root"
        self._md = reader()

    def render_heading(self, inline: Token, cut: int = 0) -> Body:
        """Read a heading's inline token and return its HTML; `cut` characters before it are its label."""
        self._read(inline, "heading", inline.map[0] if inline.map else 0, cut)
        return self._fill(self._render_inline(inline.children or []))

    def render_blocks(self, tokens: Sequence[Token]) -> Body:
        """Read the roles of block tokens, remember their sentences, and return their HTML."""
        line, row, column = 0, -1, 0
        for token in tokens:
            if token.map:
                line = token.map[0]
            if token.type == "tr_open":
                row, column = line, 0
            elif token.type in ("tbody_close", "table_close"):
                row = -1
            elif token.type == "inline":
                column = self._read(
                    token, "row" if row >= 0 else "paragraph", line, column if row >= 0 else 0
                )
            elif token.type.startswith("math_block"):
                span = Span("display", token.content.strip(), 0, _Locator(self.lines, "", line))
                self.blocks.append(Block(self.note, self.part, "display", line + 1, (span,)))
        return self.rendered(tokens)

    def rendered(self, tokens: Sequence[Token]) -> Body:
        """Return the HTML of block tokens whose roles have been read."""
        env: dict[str, Any] = {"claims": []}
        return self._fill((self._md.renderer.render(tokens, self._md.options, env), env["claims"]))

    def _render_inline(self, children: Sequence[Token]) -> tuple[str, list[Claim | Image]]:
        env: dict[str, Any] = {"claims": []}
        renderer = cast(RendererHTML, self._md.renderer)
        return renderer.renderInline(children, self._md.options, env), env["claims"]

    @staticmethod
    def _fill(rendered: tuple[str, list[Claim | Image]]) -> Body:
        html, claims = rendered
        if not claims:
            return (html,) if html else ()
        pieces: list[Any] = HOLE.split(html)
        pieces[1::2] = [claims[int(index)] for index in pieces[1::2]]
        return tuple(piece for piece in pieces if piece != "")

    def _read(self, inline: Token, kind: str, line: int, column: int) -> int:
        """Turn the roles of an inline token into claims and remember its sentences.

        Looks for the text from `column` on (counted from 0) and returns the column behind it.
        """
        where = _Locator(self.lines, inline.content, line, column)
        spans: list[Span] = []
        self._children(inline.children or [], inline.content, 0, where, spans)
        previous = self.blocks[-1] if self.blocks else None
        if kind == "row" and previous and (previous.kind, previous.line) == ("row", line + 1):
            self.blocks[-1] = Block(
                previous.note, previous.part, "row", previous.line,
                (*previous.spans, Span("text", " ", 0, where), *spans),
            )  # fmt: skip
        elif spans:
            self.blocks.append(Block(self.note, self.part, kind, line + 1, tuple(spans)))
        return where(len(inline.content))[1] if kind == "row" and inline.content else column

    def _children(
        self, children: Sequence[Token], content: str, base: int, where: _Locator, spans: list[Span]
    ) -> None:
        """Walk inline tokens; `base` is where `content` begins in the paragraph."""
        cursor = 0
        for child in children:
            kind = _SPANS.get(child.type)
            if kind:
                if not child.content:
                    continue
                found = content.find(child.content, cursor)
                if found < 0 and kind == "text":  # it holds escapes: one span for each stretch without
                    start = cursor
                    for begin, end, text in _stretches(content, start, child.content):
                        spans.append(Span(kind, text, base + begin, where))
                        cursor = end
                else:
                    start = cursor if found < 0 else found
                    cursor = start + len(child.content) if found >= 0 else cursor
                    spans.append(Span(kind, child.content, base + start, where))
                if (
                    kind == "text"
                    and (open_role := _OPEN_ROLE.search(child.content))
                    and open_role[0] in content
                ):
                    place = Place(self.file, *where(base + start + open_role.start()))
                    hint = "close it with the same number of backticks; in a table row write \\| for |"
                    self.problems.append(place.problem(f"the role `{open_role[1]}` is not closed", hint))
            elif child.type == "myst_role":
                start = child.meta["offset"]
                # the plugin has put a space where the role's text breaks the line
                cursor = content.replace("\n", " ").find(child.content, start) + len(child.content)
                self._role(child, base + start, where, spans)
            elif child.type in ("softbreak", "hardbreak"):
                spans.append(Span("break", "\n", base + cursor, where))
            elif child.type == "image":
                child.meta["claim"] = self._image(child, Place(self.file, *where(base + cursor)))

    def _role(self, token: Token, offset: int, where: _Locator, spans: list[Span]) -> None:
        place = Place(self.file, *where(offset))
        inner: list[Span] = []
        # `{name}` and the ticks stand before the content
        begin = offset + len(token.meta["name"]) + 2
        while begin < len(where.content) and where.content[begin] == "`":
            begin += 1

        def nested(text: str, shift: int) -> Body:
            children = self._md.parseInline(text)[0].children or []
            self._children(children, text, begin + shift, where, inner)
            return self._fill(self._render_inline(children))

        claim = read_role(token.meta["name"], token.content, place, nested, self.problems)
        token.meta["claim"] = claim
        spans.append(Span("claim", token.content, offset, where, claim))
        if not isinstance(claim, Judgement):  # what is openly judgement needs no other evidence
            spans.extend(inner)

    def _image(self, token: Token, place: Place) -> Image | None:
        """Return a picture beside the card file; one from elsewhere is an error."""
        source = unquote(str(token.attrs.get("src", "")))
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.file), source))
        if "://" in source or source.startswith(("//", "/", "data:")) or path.startswith("../"):
            self.problems.append(
                place.problem(
                    f"the picture `{source[:80]}` is not in the project", "keep it beside the card file"
                )
            )
            return None
        if not path.lower().endswith(PICTURES):
            self.problems.append(
                place.problem(f"`{source[:80]}` is no picture", f"pictures are {' '.join(PICTURES)}")
            )
            return None
        alt = cast(RendererHTML, self._md.renderer).renderInlineAsText(token.children, self._md.options, {})
        return Image(place, path, alt)


_MARKERS = re.compile(r"(?:[ \t]|>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])|#{1,6}(?=[ \t])|\|)*")
"""What stands before the text of a line: indentation, quotes, list and heading marks, a table's edge."""


def _stretches(content: str, cursor: int, text: str) -> list[tuple[int, int, str]]:
    """Match text whose source has backslash escapes and entities; return (begin, end, text) of each stretch."""
    found: list[tuple[int, int, str]] = []
    for char in text:
        while cursor < len(content) and content[cursor] != char:
            if content[cursor] == "&" and (end := content.find(";", cursor)) > 0:
                found.append((cursor, end + 1, char))
                cursor = end + 1
                break
            cursor += 1
        else:
            if cursor >= len(content):
                break
            if found and found[-1][1] == cursor and len(found[-1][2]) == cursor - found[-1][0]:
                begin, _, before = found.pop()
                found.append((begin, cursor + 1, before + char))
            else:
                found.append((cursor, cursor + 1, char))
            cursor += 1
    return found


class _Locator:
    """Finds line and column of an offset in a paragraph whose lines lost their indentation."""

    __slots__ = ("column", "content", "first", "lines")

    def __init__(self, lines: list[str], content: str, first: int, column: int = 0) -> None:
        self.lines = lines
        self.content = content
        self.first = first
        self.column = column
        """Where to begin looking in the first line: behind the cells and marks that precede."""

    def __call__(self, offset: int) -> tuple[int, int]:
        before = self.content[:offset]
        down = before.count("\n")
        begin = before.rfind("\n") + 1
        end = self.content.find("\n", begin)
        text = self.content[begin : end if end >= 0 else None].rstrip()
        number = self.first + down
        if number >= len(self.lines):
            return self.first + 1, 1
        line = self.lines[number]
        marks = max(_MARKERS.match(line).end(), 0 if down else self.column)  # type: ignore[union-attr]
        found = line.find(text, marks)
        if found < 0:
            found = line.find(text)
        if found >= 0:
            return number + 1, found + offset - begin + 1
        # in a table's cell `\|` has become `|`
        written = text.replace("|", "\\|")
        shift = text[: offset - begin].count("|")
        return number + 1, max(0, line.find(written, marks)) + offset - begin + shift + 1
