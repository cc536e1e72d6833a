"""Markdown of headings and answers, as people keep it in Obsidian or on GitHub.

A heading that asks is a question, and what stands below it is the answer; in a document whose headings ask
nothing, each heading without others below it is one. `Q:`/`A:` pairs and folded answers are read everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from proofdeck.foreign.model import Aside, Entry, Item, Passage
from proofdeck.foreign.readers.md_blocks import passages
from proofdeck.foreign.readers.md_chunks import Chunk, Segment, chunks_of, front_matter
from proofdeck.foreign.readers.md_inline import Beside

TITLE = "Markdown headings with answers"

HEADING = re.compile(r"^ {0,3}#{1,6} +\S", re.M)
PEEKED = 256 * 1024
"""Characters after which the document is known by its headings: whether they ask."""

ASKS = re.compile(
    r"(?:what|why|how|when|where|which|who|whose|explain|describe|compare|define|derive|discuss|is|are|does|do"
    r"|can|could|should|would|will|walk me|tell me|give|name)\b",
    re.I,
)
PREFIX = re.compile(r"(?:Q(?:uestion)?[ #]?([0-9]{1,9})?\s?[.:)—–-]\s*|([0-9]{1,9})[.)]\s+)(?=\S)", re.I)
PAIR_Q = re.compile(r"(?:\*\*)?Q(?:uestion)?(?: ?[0-9]{1,9})?\s?[:.](?:\*\*)?[ \n]+(?=\S)", re.I)
PAIR_A = re.compile(
    r"(?:^|\n)(?:\*\*)?A(?:nswer)?\s?[:.](?:\*\*)?(?:[ \n]+|$)|\s\*\*A(?:nswer)?\s?[:.]\*\*\s+", re.I
)
ANSWER_SUMMARY = re.compile(
    r"(?:click|show|see|view|reveal|the )?.{0,24}\b(?:answer|solution|expand|details?|reveal|hint)\b", re.I
)


def recognise(head: str) -> float:
    headings = [line for line in head.splitlines() if HEADING.match(line)]
    if any("**Q:**" in heading for heading in headings):
        return 0.2
    if headings:
        return 0.5
    return 0.4 if re.search(r"^(?:\*\*Q(?:uestion)?[:.]\*\*|<details\b)", head, re.M | re.I) else 0.0


def asks(heading: str) -> bool:
    """Whether a heading is a question by its form."""
    rest = heading[found.end() :] if (found := PREFIX.match(heading)) else heading
    numbered_q = found is not None and heading[:1] in "Qq"
    return numbered_q or rest.rstrip().endswith("?") or ASKS.match(rest) is not None


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    tags, asides, rest = front_matter(lines)
    yield from asides
    chunks = chunks_of(rest)
    peeked: list[Chunk] = []
    size = 0
    for chunk in chunks:
        peeked.append(chunk)
        size += chunk.size
        if size > PEEKED:
            break
    yield from _Reader(tags, _headings_ask(peeked)).items(chain(peeked, chunks))


def _headings_ask(chunks: list[Chunk]) -> bool:
    """Whether enough of the headings with text below them are questions; a folded answer counts too."""
    full = [chunk for chunk in chunks if chunk.level and chunk.segments]
    asked = sum(asks(chunk.heading) for chunk in full)
    folded = any(segment.summary for chunk in chunks for segment in chunk.segments)
    return asked > 0.1 * len(full) or folded


class _Reader:
    """Knows which headings stand above, and whether headings have to ask."""

    def __init__(self, tags: tuple[str, ...], must_ask: bool) -> None:
        self.tags = tags
        self.must_ask = must_ask
        self.above: list[list[object]] = []  # level, text, line, whether an item stands below it
        self.last = 0

    def items(self, chunks: Iterable[Chunk]) -> Iterator[Item]:
        held: Chunk | None = None
        for chunk in chunks:
            if held is None:
                held = chunk
            elif self._goes_on(held, chunk):
                held.take_in(chunk)
            else:
                yield from self._chunk(held, chunk.level)
                held = chunk
        if held:
            yield from self._chunk(held, 0)
        yield from self._leave_above(0)

    def _goes_on(self, held: Chunk, chunk: Chunk) -> bool:
        """Whether a heading stands inside the answer above it."""
        return (
            self.must_ask and 0 < held.level < chunk.level and asks(held.heading) and not asks(chunk.heading)
        )

    def _leave_above(self, level: int) -> Iterator[Item]:
        while self.above and int(str(self.above[-1][0])) >= level:
            _, text, line, used = self.above.pop()
            if not used:
                yield Aside(str(text), int(str(line)), "heading")

    def _section(self) -> tuple[str, ...]:
        for above in self.above:
            above[3] = True
        return tuple(str(above[1]) for above in self.above)

    def _chunk(self, chunk: Chunk, next_level: int) -> Iterator[Item]:
        if chunk.level:
            yield from self._leave_above(chunk.level)
        leaf = next_level <= chunk.level
        wanted = asks(chunk.heading) if self.must_ask else leaf and bool(chunk.segments)
        question = wanted and chunk.level > 0 and bool(chunk.heading)
        beside = Beside()
        answer: list[Passage] = []
        further: list[tuple[str, int, list[Passage]]] = []
        for segment in chunk.segments:
            _read_segment(segment, question, answer, further, beside)
        intro, pairs = _pairs(answer)
        further = sorted([*pairs, *further], key=lambda told: told[1])
        if question and (intro or not further):
            yield self._entry(chunk.heading, chunk.line, intro, beside)
        else:
            yield from (_introduction(passage) for passage in intro)
        if chunk.level and chunk.heading:
            self.above.append(
                [chunk.level, chunk.heading, chunk.line, question and (bool(intro) or not further)]
            )
        for title, line, told in further:
            yield self._entry(title, line, told, Beside())
        yield from beside.asides

    def _entry(self, heading: str, line: int, answer: list[Passage], beside: Beside) -> Entry:
        number = ""
        if found := PREFIX.match(heading):
            count = int(found[1] or found[2] or 0)
            number = f"q{count}" if count > self.last else ""
            self.last = max(self.last, count)
            heading = heading[found.end() :]
        return Entry(
            heading,
            line,
            tuple(answer),
            number=number,
            section=self._section(),
            tags=self.tags,
            see=tuple(dict.fromkeys(beside.see)),
            damage=() if answer else ("no answer",),
        )


def _read_segment(
    segment: Segment,
    question: bool,
    answer: list[Passage],
    further: list[tuple[str, int, list[Passage]]],
    beside: Beside,
) -> None:
    told = passages(segment.lines, beside)
    if not segment.summary or (question and ANSWER_SUMMARY.match(segment.summary)):
        answer += told
    else:
        further.append((segment.summary, segment.line, told))


def _pairs(told: list[Passage]) -> tuple[list[Passage], list[tuple[str, int, list[Passage]]]]:
    """Split off the questions that stand as `Q:` paragraphs, each with what follows it."""
    intro: list[Passage] = []
    pairs: list[tuple[str, int, list[Passage]]] = []
    for passage in told:
        found = PAIR_Q.match(passage.text) if passage.kind in ("paragraph", "bullet", "number") else None
        asked, *answers = PAIR_A.split(passage.text[found.end() :], maxsplit=1) if found else [""]
        if title := _literal(asked):
            pairs.append((title, passage.line, _answers(passage, answers)))
        elif pairs:
            text = passage.text
            if passage.kind != "code" and passage.markup and (found := PAIR_A.match(text)):
                text = text[found.end() :]
            pairs[-1][2].extend(_answers(passage, [text]) if passage.kind not in ("table",) else [passage])
        else:
            intro.append(_joined(passage))
    return intro, pairs


def _answers(passage: Passage, texts: list[str]) -> list[Passage]:
    kind = passage.kind
    return [
        _joined(
            Passage(text, kind, passage.line, passage.language, passage.rows, passage.depth, passage.markup)
        )
        for text in texts
        if text.strip()
    ]


def _joined(passage: Passage) -> Passage:
    """Put the lines of a paragraph on one; a break that was asked for stays."""
    if (
        passage.kind not in ("paragraph", "quote")
        or "\n" not in passage.text
        or passage.text.startswith("$$\n")
    ):
        return passage
    text = re.sub(r"(?<!\\)\n[ \t]*", " ", passage.text)
    return Passage(text, passage.kind, passage.line, markup=passage.markup)


def _literal(text: str) -> str:
    """Take the escapes and marks off a question, which is told as plain words."""
    text = re.sub(r"\*\*|(?<!\\)`", "", text)
    return " ".join(re.sub(r"\\([^\w\s])", r"\1", text).split())


def _introduction(passage: Passage) -> Aside:
    text = passage.text or "\n".join(" | ".join(row) for row in passage.rows) or passage.language
    return Aside(text, passage.line, "introduction")
