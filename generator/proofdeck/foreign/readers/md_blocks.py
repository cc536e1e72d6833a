"""Blocks of Markdown to passages: paragraphs, bullets, quotes, code, tables, pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from proofdeck.foreign.model import Passage
from proofdeck.foreign.readers.md_inline import Beside, escape, plain, protect, words_of, write

LONGEST_LINE = 20_000
"""A longer line is read as plain text: no person wrote it as Markdown."""

PART = 64 * 1024
"""What is parsed at once, if it can be cut at an empty line."""

CALLOUT = re.compile(r"\\\[!([\w-]{1,40})\\?\][-+]?[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HTML_COMMENT = re.compile(r"<!--(.*?)(?:-->|$)", re.S)

Lines = Sequence[tuple[int, str]]


@cache
def reader() -> MarkdownIt:
    """Return the one reader of other people's Markdown."""
    md = MarkdownIt("commonmark", {"html": True}).enable("table")
    md.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    return md


def inline(text: str) -> str:
    """Return the words of one line of Markdown."""
    if len(text) > LONGEST_LINE:
        return text.strip()
    return plain(reader().parseInline(text)[0].children)


def passages(lines: Lines, beside: Beside) -> list[Passage]:
    """Return what an answer holds, and put beside it what makes no passage."""
    told: list[Passage] = []
    for part in _parts(lines):
        if len(part) == 1 and len(part[0][1]) > LONGEST_LINE:
            told.append(Passage(part[0][1].strip(), line=part[0][0]))
            continue
        tokens = reader().parse("\n".join(text for _, text in part))
        first = part[0][0]
        for passage in _Writer(tokens, first, beside).passages():
            told.append(passage)
            told += beside.pictures
            beside.pictures.clear()
        told += beside.pictures
        beside.pictures.clear()
    return told


def _parts(lines: Lines) -> Iterator[list[tuple[int, str]]]:
    """Cut a long text at empty lines outside code, and every line by itself that nobody wrote."""
    part: list[tuple[int, str]] = []
    size, fence = 0, ""
    for number, text in lines:
        if len(text) > LONGEST_LINE:
            if part:
                yield part
            yield [(number, text)]
            part, size = [], 0
            continue
        fence = next_fence(fence, text)
        part.append((number, text))
        size += len(text) + 1
        if (size > PART and not text.strip() and not fence) or size > 16 * PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def next_fence(fence: str, text: str) -> str:
    """Return the fence that is open after a line, given the one open before it."""
    found = FENCE.match(text)
    if not found:
        return fence
    if not fence:
        return "" if found[1][0] == "`" and "`" in text[found.end() :] else found[1]
    closes = found[1].startswith(fence) and not text[found.end() :].strip()
    return "" if closes else fence


class _Writer:
    """Walks the tokens of a text; a list knows how deep it stands."""

    def __init__(self, tokens: Sequence[Token], first: int, beside: Beside) -> None:
        self.tokens = tokens
        self.first = first
        self.beside = beside
        self.lists: list[str] = []
        self.item: list[str] | None = None
        self.item_line = first
        self.quotes = 0

    def passages(self) -> Iterator[Passage]:
        rows: list[tuple[str, ...]] = []
        row: list[str] = []
        line = self.first
        for index, token in enumerate(self.tokens):
            if token.map:
                line = self.first + token.map[0]
            match token.type:
                case "bullet_list_open" | "ordered_list_open":
                    yield from self._end_item()
                    self.lists.append("number" if token.type.startswith("ordered") else "bullet")
                case "bullet_list_close" | "ordered_list_close":
                    yield from self._end_item()
                    self.lists.pop()
                case "list_item_open":
                    yield from self._end_item()
                    self.item, self.item_line = [], line
                case "list_item_close":
                    yield from self._end_item()
                case "blockquote_open" | "blockquote_close":
                    self.quotes += 1 if token.nesting > 0 else -1
                case "table_open":
                    rows = []
                case "tr_open":
                    row = []
                case "tr_close":
                    rows.append(tuple(row))
                case "table_close":
                    yield from self._end_item()
                    yield Passage("", "table", line, rows=tuple(rows))
                case "inline":
                    text = write(token.children, line, self.beside)
                    if self.tokens[index - 1].type in ("th_open", "td_open"):
                        row.append(plain(token.children))  # cells are words, which every writer can write
                    elif self.tokens[index - 1].type == "heading_open":
                        yield from self._text(f"**{_one_line(text)}**" if text else "", line)
                    else:
                        yield from self._text(text, line)
                case "fence" | "code_block":
                    yield from self._end_item()
                    words = re.findall(r"[\w+#.-]{1,40}", token.info)
                    language = words[0] if words and token.type == "fence" else ""
                    yield Passage(token.content.rstrip("\n"), "code", line, language=language)
                case "math_block":
                    yield from self._end_item()
                    yield Passage(f"$$\n{token.content.strip()}\n$$", line=line, markup=True)
                case "html_block":
                    yield from self._html(token.content, line)
        yield from self._end_item()

    def _text(self, text: str, line: int) -> Iterator[Passage]:
        if not text:
            return
        if self.item is not None:
            self.item.append(text)
        elif self.quotes:
            text = CALLOUT.sub("", text, count=1) if text.startswith("\\[!") else text
            if text.strip():
                yield Passage(protect(text), "quote", line, markup=True)
        else:
            yield Passage(text, line=line, markup=True)

    def _end_item(self) -> Iterator[Passage]:
        """Yield the list item at hand, its paragraphs as one."""
        texts, self.item = self.item, None
        if texts and self.lists:
            text = _one_line(" ".join(texts))
            yield Passage(text, self.lists[-1], self.item_line, depth=len(self.lists) - 1, markup=True)

    def _html(self, source: str, line: int) -> Iterator[Passage]:
        def comment(found: re.Match[str]) -> str:
            self.beside.leave(found[1], line, "comment")
            return " "

        words = " ".join(words_of(HTML_COMMENT.sub(comment, source)).split())
        if words:
            yield from self._text(protect(escape(words)), line)
        elif re.search(r"\s(?:src|href|alt|title)\s*=", source, re.I):
            self.beside.leave(source, line, "html")


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\\n", "\n").split())
