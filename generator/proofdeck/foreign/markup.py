"""Literal text to Markdown that says the same: nothing of a foreign document becomes markup by accident."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from proofdeck.foreign.model import Passage

_INLINE = re.compile(
    r"""
      \\(?=[!-/:-@\[-`{-~]|$)                    # a backslash that would escape
    | [`*\[\]<$]
    | (?<![^\W_])_ | _(?![^\W_])                 # inside a word an underscore is none of Markdown's business
    | &(?=\#?\w+;)
    | \|
    """,
    re.X,
)
_LEADING = re.compile(r"(?:[-+=>~#:]|(\d{1,9})(?=[.)](?:\s|$)))")
_COUNTED = re.compile(r"(?:(?<=\s)|^)(\(?)([1-9]\d?)\)\s+")
"""`(1)` or `1)` before an item of a list that lost its line breaks."""
_TRAILING = re.compile(r"#+$")


def literal(text: str) -> str:
    """Return Markdown for one line of literal text.

    >>> literal("2 * x_i < sqrt(d_k)")
    '2 \\\\* x_i \\\\< sqrt(d_k)'
    """
    text = " ".join(text.split())
    text = _INLINE.sub(lambda match: "\\" + match[0], text)
    if found := _LEADING.match(text):
        text = text[: found.end()] + "\\" + text[found.end() :] if found[1] else "\\" + text
    return text


def heading(text: str) -> str:
    """Return Markdown for literal text behind a heading's marks."""
    text = _INLINE.sub(lambda match: "\\" + match[0], " ".join(text.split()))
    return _TRAILING.sub(lambda match: "\\#" * len(match[0]), text)


def code(text: str, language: str = "") -> str:
    """Return a fenced block that no line of `text` can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    word = language if re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
    return f"{fence}{word}\n{text.rstrip()}\n{fence}"


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table whose first row is its head; short rows are filled up."""
    cells = [[literal(cell) for cell in row] for row in rows]
    width = max((len(row) for row in cells), default=0)
    if not width:
        return ""
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def enumerated(passage: Passage) -> list[Passage]:
    """Return a paragraph that counts `(1) … (2) … (3) …` as its introduction and a numbered list."""
    if passage.kind != "paragraph" or passage.markup:
        return [passage]
    text = passage.text
    marks = [mark for mark in _COUNTED.finditer(text) if mark[1] == _first_bracket(text)]
    if [int(mark[2]) for mark in marks] != list(range(1, len(marks) + 1)) or len(marks) < 3:
        return [passage]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    items = [text[mark.end() : end].strip(" ,") for mark, end in zip(marks, ends, strict=True)]
    introduction = replace(passage, text=text[: marks[0].start()].strip())
    if not all(items):
        return [passage]
    return [introduction, *(replace(passage, text=item, kind="number") for item in items)]


def _first_bracket(text: str) -> str:
    first = _COUNTED.search(text)
    return first[1] if first else ""


def blocks(passages: Iterable[Passage]) -> str:
    """Return the Markdown of an answer; bullets that follow each other are one list."""
    out: list[str] = []
    before = ""
    for passage in [piece for whole in passages for piece in enumerated(whole)]:
        text = _block(passage)
        if not text:
            continue
        listed = passage.kind in ("bullet", "number")
        out.append(("\n" if listed and before == passage.kind else "\n\n") + text)
        before = passage.kind
    return "".join(out).strip("\n")


def _block(passage: Passage) -> str:
    if passage.kind == "code":
        return code(passage.text, passage.language)
    if passage.kind == "table":
        return table(passage.rows)
    text = passage.text.strip("\n") if passage.markup else literal(passage.text)
    if not text.strip():
        return ""
    if passage.kind == "picture":
        return f"![{heading(passage.text)}]({passage.language})"
    if passage.kind in ("bullet", "number"):
        mark = "- " if passage.kind == "bullet" else "1. "
        indent = "    " * passage.depth
        return indent + mark + text.replace("\n", "\n" + indent + " " * len(mark))
    if passage.kind == "quote":
        return "\n".join(f"> {line}" for line in text.split("\n"))
    return text
