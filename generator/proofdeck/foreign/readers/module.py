"""The blocks of one module: its head, insights, code, questions and reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from proofdeck.foreign.model import Aside, Entry, Item, Passage, Reference
from proofdeck.foreign.readers.flow import squeeze

KEY = "> [!question] Key Question >"
INSIGHT = "> [!tip] Insight >"
REMNANT = '{" "}'
COMMON_TAGS = {"transformer", "ml", "ai-engineering", "interview-prep"}
"""Tags that tell one module from another nowhere, unless they come first."""

_SMALL = r"as|at|by|from|of|on|is|than|to|uses|with|when|and|or|the|not|a|are|only|keep"
LOST = re.compile(
    r'\{" "\} ?(?:\{" "\}|[.,;:!?)]|$)|^ ?\{" "\}'
    rf'|\b(?:{_SMALL})\{{" "\}} (?=(?:and|or|to|is|are|not|grows|becomes|has|with)\b)'
    rf"|\b(?:{_SMALL}|=|≈) [.,;:](?: |$)|^(?:is|are|and|or|has|of|[.,;:]) "
)
"""Where a formula stood: its neighbours have lost it."""

SPACED = re.compile(r"(?<=\w) (?=[.,;:!?](?: |$))")
GRADED = re.compile(r"([★☆]{3}) (?:_\(([^)]*)\)_ ?)?(?:\*\*Q:\*\* ?)?")
LINK = re.compile(r"(?:^|(?<= ))- \[(?=[^\n])")
WRITTEN_BREAKS = re.compile(r"(?:\\n)+$|\\$")
LANGUAGE = re.compile(r"([A-Za-z+#]{1,20})(?=\s|$)")
LONGEST_CODE_LINE = 200

_KEYS = ("title", "part", "number", "emoji", "subtitle", "tags")


@dataclass(slots=True)
class Module:
    """What the head of a module says, and which of its questions was the last."""

    title: str
    part: str
    number: int
    """-1 where it does not count on from the module before."""
    line: int
    question: str
    tags: tuple[str, ...]
    asked: int = 0

    @property
    def section(self) -> tuple[str, ...]:
        return tuple(name for name in (self.part, self.title) if name)

    def next_number(self) -> str:
        self.asked += 1
        return f"m{self.number:02d}-q{self.asked}" if self.number >= 0 else ""


def head_of(text: str, line: int, last: int) -> tuple[Module, list[Item]]:
    """Return a module and what stands in its head beside its key question."""
    matter, _, rest = text.partition(" --- ")
    told = _front_matter(matter)
    heading, key, question = rest.partition(KEY)
    if not key:
        heading, question = rest, ""
    question = question.strip().removesuffix("---").strip()
    at = question.rfind("← ") if "← " in question else question.rfind("→ ")
    beside: list[Item] = [Aside(matter, line, "front matter")]
    if heading.strip():
        beside.append(Aside(heading.strip(), line, "front matter"))
    if at >= 0:
        beside.append(Aside(question[at:], line, "navigation"))
        question = question[:at].removesuffix("|").strip()
    number = int(told["number"]) if re.fullmatch(r"[0-9]{1,9}", told["number"]) else -1
    tags = [tag.strip(' "') for tag in told["tags"].strip(" []").split(",")]
    kept = tuple(tag for index, tag in enumerate(tags) if tag and (not index or tag not in COMMON_TAGS))
    counted = number if number > last else -1
    return Module(told["title"], told["part"], counted, line, question, kept), beside


def _front_matter(matter: str) -> dict[str, str]:
    """Return the values of the keys, which follow each other on one line."""
    told = dict.fromkeys(_KEYS, "")
    places = [(matter.find(f" {key}: "), key) for key in _KEYS]
    places = sorted((at, key) for at, key in places if at >= 0)
    ends = [*(at for at, _ in places[1:]), len(matter)]
    for (at, key), end in zip(places, ends, strict=True):
        told[key] = matter[at + len(key) + 3 : end].strip().removeprefix('"').removesuffix('"')
    return told


def key_question(module: Module, text: str, line: int) -> Iterator[Item]:
    """Yield the module's key question with its insights; one that lost a formula stands beside it."""
    before, *insights = text.removesuffix("---").split(INSIGHT)
    told: list[Passage] = []
    beside: list[Item] = []
    count = 0
    for insight in insights:
        raw = squeeze(insight)
        clean = SPACED.sub("", squeeze(raw.replace(REMNANT, " ")))
        count += bool(raw)
        if LOST.search(raw):
            beside.append(Aside(clean or raw, line, "lost formula"))
        elif clean:
            told.append(Passage(clean, "bullet", line))
    if module.question or told:
        yield Entry(
            module.question or module.title,
            module.line,
            tuple(told),
            kind="key question",
            section=module.section,
            insights=count,
            tags=module.tags,
            damage=() if told else ("no answer",),
        )
    module.question = ""
    if before.strip():
        yield Aside(before.strip(), line, "not understood")
    yield from beside


def code_entry(module: Module, text: str, line: int) -> Iterator[Item]:
    """Yield one entry with the module's code blocks."""
    blocks: list[Passage] = []
    beside: list[Item] = []
    for index, piece in enumerate(text.split("```")):
        if index % 2 == 0:
            if left := piece.strip().removesuffix("---").strip():
                beside.append(Aside(left, line, "not understood"))
            continue
        found = LANGUAGE.match(piece)
        language, code = (found[1], piece[found.end() :]) if found else ("", piece)
        code = code.strip()
        collapsed = "\n" not in code or any(len(part) > LONGEST_CODE_LINE for part in code.split("\n"))
        damage = ("lost line breaks",) if collapsed else ()
        blocks.append(Passage(code, "code", line, language=language, damage=damage))
    if blocks:
        yield Entry(
            module.title,
            line,
            tuple(blocks),
            kind="code",
            section=module.section,
            tags=module.tags,
            damage=("lost line breaks",) if any(block.damage for block in blocks) else (),
        )
    yield from beside


def question_of(module: Module, text: str, line: int, answer: str, answer_line: int) -> Iterator[Item]:
    """Yield an interview question with its answer, and whether either of them was cut off."""
    stars, companies, asked = "", "", text
    if found := GRADED.match(text):
        stars, companies, asked = found[1], found[2] or "", text[found.end() :]
    asked = squeeze(asked).removesuffix(" ---")
    # breaks written out at the end led to something that is gone
    whole = asked.endswith(("?", "."))
    asked = WRITTEN_BREAKS.sub("", asked).rstrip()
    answer = WRITTEN_BREAKS.sub("", squeeze(answer).removesuffix(" ---")).rstrip().replace(REMNANT, " ")
    damage = []
    if not whole:
        damage.append("cut question")
    if not answer:
        damage.append("no answer")
    elif not answer.endswith((".", "!", "?", ")", "”", '"', "…")):
        damage.append("cut answer")
    yield Entry(
        asked or module.title,
        line,
        (Passage(answer, line=answer_line),) if answer else (),
        number=module.next_number(),
        section=module.section,
        difficulty=stars.count("★"),
        companies=tuple(name for part in companies.split(",") if (name := part.strip())),
        tags=module.tags,
        damage=tuple(damage),
    )


def references(text: str, line: int) -> Iterator[Item]:
    """Yield the links of a module's further reading, each with its note."""
    before, *links = LINK.split(text.removesuffix("---"))
    if before.strip():
        yield Aside(before.strip(), line, "not understood")
    for link in links:
        title, found, rest = link.partition("](")
        url, closed, note = rest.partition(")")
        if found and closed and url.startswith(("https://", "http://")) and not re.search(r"\s", url):
            yield Reference(squeeze(f"{title} {note}"), line, url)
        else:
            yield Aside(squeeze(f"[{link}"), line, "not understood")
