"""A Markdown document in pieces: front matter, then headings with the lines below them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from proofdeck.foreign.model import Aside
from proofdeck.foreign.readers.md_blocks import inline, next_fence
from proofdeck.foreign.readers.md_inline import words_of
from proofdeck.mapping import Unreadable, read_mapping

MATTER_AT_MOST = 500
"""Lines of front matter; a document that never ends it has none."""

HIDDEN_AT_MOST = 2000
"""Lines that a comment or a folded answer may hide a heading for."""

ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")
NO_PARAGRAPH = re.compile(r"\s*(?:[-+*>|]|[0-9]{1,9}[.)]\s|#{1,6}\s|```|~~~|<|\$\$)|\s{4}|\s*$")
UNWRITABLE = re.compile("[\0\ud800-\udfff]")
DETAILS = re.compile(r"\s*<details\b[^<>]{0,1000}>", re.I)
SUMMARY = re.compile(r"<summary\b[^<>]{0,1000}>", re.I)
SUMMARY_END = re.compile(r"</summary\s*>", re.I)
DETAILS_END = re.compile(r"</details\s*>", re.I)


@dataclass(slots=True)
class Segment:
    """Lines of a text; those of a folded answer have its summary."""

    line: int
    lines: list[tuple[int, str]] = field(default_factory=list)
    summary: str = ""


@dataclass(slots=True)
class Chunk:
    """A heading and what stands below it, up to the next one; level 0 is what stands before the first."""

    level: int
    heading: str
    line: int
    segments: list[Segment] = field(default_factory=list)
    size: int = 0
    heading_source: str = ""
    """The heading in Markdown."""

    def add(self, line: int, text: str) -> None:
        if not self.segments and not text.strip():
            return
        if not self.segments or self.segments[-1].summary:
            if not text.strip():
                return
            self.segments.append(Segment(line))
        self.segments[-1].lines.append((line, text))
        self.size += len(text)

    def take_in(self, other: Chunk) -> None:
        """Make another chunk part of this answer, its heading too."""
        if other.heading:
            self.add(other.line, "")
            self.add(other.line, f"###### {other.heading_source}")
            self.add(other.line, "")
        for segment in other.segments:
            if segment.summary:
                self.segments.append(segment)
            else:
                for line, text in segment.lines:
                    self.add(line, text)


def front_matter(
    lines: Iterable[tuple[int, str]],
) -> tuple[tuple[str, ...], list[Aside], Iterator[tuple[int, str]]]:
    """Return the document's tags, what stands in its front matter, and the lines after it."""
    source = iter(lines)
    held: list[tuple[int, str]] = []
    size = 0
    for line, text in source:
        held.append((line, text))
        size += len(text)
        if len(held) == 1 and text.rstrip() != "---":
            break
        if len(held) > 1 and text.rstrip() in ("---", "..."):
            matter = "\n".join(text for _, text in held[1:-1])
            tags, why = _tags(matter)
            return tags, [Aside(matter, held[0][0], why)] if matter.strip() else [], source
        if len(held) > MATTER_AT_MOST or size > 100 * MATTER_AT_MOST:
            break
    return (), [], chain(held, source)


def _tags(matter: str) -> tuple[tuple[str, ...], str]:
    try:
        told = read_mapping(matter)
    except Unreadable:
        return (), "wrong front matter"
    tags = told.get("tags", told.get("tag"))
    if isinstance(tags, str):
        tags = re.split(r"[,\s]+", tags)
    if not isinstance(tags, list):
        return (), "front matter"
    clean = [str(tag).strip().lstrip("#") for tag in tags if isinstance(tag, (str, int, float))]
    return tuple(dict.fromkeys(tag for tag in clean if tag)), "front matter"


def chunks_of(lines: Iterable[tuple[int, str]]) -> Iterator[Chunk]:
    """Cut a document at its headings, but at none in code, in a comment or in a folded answer."""
    chunk = Chunk(0, "", 1)
    fence, comment = "", ""
    hidden = 0
    folded: Segment | None = None
    for line, text in _writable(lines):
        hidden = hidden + 1 if comment or folded else 0
        if hidden > HIDDEN_AT_MOST:
            comment, folded = "", None
        was_open = bool(fence)
        if not comment:
            fence = next_fence(fence, text)
        plain = not (fence or was_open)
        if plain:
            comment = _next_comment(comment, text)
        if plain and not comment and folded is None and DETAILS.match(text):
            folded = Segment(line)
            chunk.segments.append(folded)
        if folded is not None:
            folded.lines.append((line, text))
            chunk.size += len(text)
            if plain and DETAILS_END.search(text):
                _fold(folded)
                folded = None
            continue
        if plain and not comment and not hidden:
            if found := ATX.match(text):
                yield chunk
                source = (found[2] or "").strip()
                bare = source.rstrip("#")
                source = (
                    bare.rstrip() if bare != source and (not bare or bare.endswith((" ", "\t"))) else source
                )
                chunk = Chunk(len(found[1]), inline(source), line, heading_source=source)
                continue
            if UNDERLINE.match(text) and (above := _paragraph_above(chunk)):
                yield chunk
                level = 1 if "=" in text else 2
                chunk = Chunk(level, inline(above[1]), above[0], heading_source=above[1].strip())
                continue
        chunk.add(line, text)
    yield chunk


def _writable(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for line, text in lines:
        yield line, UNWRITABLE.sub("\ufffd", text.rstrip("\r\n"))


def _next_comment(comment: str, text: str) -> str:
    """Return what ends the comment that is open after a line."""
    if comment:
        return "" if comment in text else comment
    start = text.rfind("<!--")
    if start >= 0 and "-->" not in text[start:]:
        return "-->"
    return "%%" if text.startswith("%%") and text.count("%%") == 1 else ""


def _paragraph_above(chunk: Chunk) -> tuple[int, str] | None:
    """Take the one line off a chunk that is a paragraph by itself: underlined, it is a heading."""
    if not chunk.segments or chunk.segments[-1].summary:
        return None
    held = chunk.segments[-1].lines
    if not held or NO_PARAGRAPH.match(held[-1][1]) or (len(held) > 1 and held[-2][1].strip()):
        return None
    above = held.pop()
    if not any(text.strip() for _, text in held):
        chunk.segments.pop()
    return above


def _fold(segment: Segment) -> None:
    """Tell the summary of a folded answer from the answer."""
    text = "\n".join(text for _, text in segment.lines)
    opened = DETAILS.match(text)
    summary = SUMMARY.search(text)
    ended = SUMMARY_END.search(text, summary.end()) if summary else None
    if not opened or not summary or not ended:
        return
    segment.summary = " ".join(words_of(text[summary.end() : ended.start()]).split())
    rest = text[ended.end() :]
    if closed := list(DETAILS_END.finditer(rest))[-1:]:
        rest = rest[: closed[0].start()] + rest[closed[0].end() :]
    first = segment.line + text.count("\n", 0, ended.end())
    segment.lines = list(enumerate(rest.split("\n"), first))
