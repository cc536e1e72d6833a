"""The sentence that each claim of a card stands in, as plain text with the values filled in."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from proofdeck.audit.sentences import sentences
from proofdeck.parse.model import Body, Claim, Cloze, Image, Judgement

Fill = Callable[[Claim | Image], str]
"""Says what a claim puts into the text."""

_BLOCK = re.compile(
    r"</?(?:p|li|ul|ol|h[1-6]|pre|blockquote|table|thead|tbody|tr|div|hr|dl|dt|dd)\b[^>]*>", re.I
)
_CELL = re.compile(r"</t[dh]>", re.I)
_TAG = re.compile(r"<[^>]*>")
_MARK = re.compile("\x00(\\d+)\x00")
_LATE = re.compile("([.!?])((?:\\s*\x00\\d+\x00)+)")
"""Claims that stand behind the full stop of the sentence that they belong to, as checks and citations do."""
_WORD = re.compile(r"[^\W\d_]{2,}")


def stated_in(body: Body, fill: Fill, title: str) -> Iterator[tuple[Claim | Image, str]]:
    """Yield every claim of a body with its sentence; `title` stands in where there is none."""
    claims: list[Claim | Image] = []
    flat = _flat(body, fill, claims)
    before = title
    columns: list[str] = []
    for block in _BLOCK.split(flat):
        if not block.strip():
            continue
        cells = [html.unescape(_TAG.sub("", cell)).strip() for cell in _CELL.split(block)]
        if len(cells) > 1 and "<th" in block:
            columns = [_plain(cell) for cell in cells]
        text = _row(cells[:-1], columns) if len(cells) > 1 else cells[0]
        text = _LATE.sub(r"\2\1", " ".join(text.split()))
        for sentence in [text] if len(cells) > 1 else [said for _, said in sentences(text)]:
            plain = _plain(sentence)
            before = plain if _WORD.search(plain) else before
            for mark in _MARK.finditer(sentence):
                yield claims[int(mark[1])], before


def _row(cells: list[str], columns: list[str]) -> str:
    """Tell a row of a table by its columns."""
    names = columns if len(columns) > len(cells) and cells != columns[: len(cells)] else [""] * len(cells)
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False))


def plain_text(body: Body, fill: Fill) -> str:
    """Return a whole body as plain text."""
    return _plain(html.unescape(_TAG.sub("", _BLOCK.sub(" ", _flat(body, fill, [])))))


def _flat(body: Body, fill: Fill, claims: list[Claim | Image]) -> str:
    """Write a body as HTML in which a mark follows what each claim puts in."""
    pieces = []
    for segment in body:
        if isinstance(segment, str):
            pieces.append(segment)
            continue
        number = len(claims)
        claims.append(segment)
        inner = _flat(segment.body, fill, claims) if isinstance(segment, Judgement | Cloze) else ""
        text = inner or html.escape(fill(segment))
        pieces.append(f"{text}\x00{number}\x00")
    return "".join(pieces)


def _plain(text: str) -> str:
    text = " ".join(_MARK.sub("", text).split())
    text = re.sub(r"\s+([.,;:!?)])", r"\1", text)
    return re.sub(r"[,;:]+([.!?])$", r"\1", text)
