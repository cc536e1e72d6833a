"""A collection of modules: a key question with insights, code, graded interview questions, reading.

Nearly all line breaks of such a document are gone, so that a line may hold the end of one module and the
whole head of the next: it is cut at its headings, which an open code block hides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from proofdeck.foreign.model import Aside, Entry, Item
from proofdeck.foreign.readers.module import (
    Module,
    code_entry,
    head_of,
    key_question,
    question_of,
    references,
)

TITLE = "modules with graded interview questions"

MARK = re.compile(
    r"(?:^|(?<= ))(?:--- title: \"|## (?:Key Insights|Code Examples|Interview Questions|Further Reading|Related)"
    r"(?= |$)|### (?=[★☆]{3} ))"
)
ANSWER = "Answer "
HELD_AT_MOST = 2000
"""Items of a module that wait for its list of related ones; one that has more does without."""


def recognise(head: str) -> float:
    marks = ('--- title: "', "> [!question] Key Question", "> [!tip] Insight", "**Q:**", "\nAnswer ")
    return 0.95 if all(mark in head for mark in marks) else 0.0


@dataclass(slots=True)
class _Block:
    """The block at hand: what its heading is, and its lines."""

    kind: str
    line: int
    parts: list[str] = field(default_factory=list)
    answer_line: int = 0
    answer: list[str] = field(default_factory=list)
    in_code: bool = False

    def add(self, text: str, line: int) -> None:
        if self.kind == "## Code Examples" and text.count("```") % 2:
            self.in_code = not self.in_code
        if self.answer_line:
            self.answer.append(text)
        elif self.kind == "###" and self.parts and text.startswith(ANSWER):
            self.answer_line, self.answer = line, [text.removeprefix(ANSWER)]
        else:
            self.parts.append(text)


def _blocks(lines: Iterable[tuple[int, str]]) -> Iterator[_Block]:
    """Yield the blocks of a document; before the first module each line is one."""
    block = _Block("", 0)
    for line, text in lines:
        at = seen = 0
        in_code = block.in_code
        for found in MARK.finditer(text):
            if block.kind == "## Code Examples":
                in_code ^= bool(text.count("```", seen, found.start()) % 2)
                seen = found.start()
                if in_code:
                    continue
            if before := text[at : found.start()]:
                block.add(before, line)
            if block.parts:
                yield block
            kind = found[0].split(' title: "')[0].strip()
            block = _Block(kind, line, [""])
            at = seen = found.end() if kind != "---" else found.start()
            in_code = False
        if rest := text[at:]:
            block.add(rest, line)
        if not block.kind and block.parts:
            yield _Block("", line, block.parts)
            block = _Block("", 0)
    if block.parts:
        yield block


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    module: Module | None = None
    held: list[Item] = []
    last = -1
    for block in _blocks(lines):
        text = " ".join(part.strip() for part in block.parts).strip()
        if block.kind == "---":
            yield from held
            yield from _unanswered(module)
            module, asides = head_of(text, block.line, last)
            last = max(last, module.number)
            held = [*asides]
        elif module is None:
            yield from _leave(f"{block.kind} {text} {' '.join(block.answer)}", block.line, "front matter")
        elif block.kind == "## Related":
            held = list(_with_related(held, module, text, block.line))
        else:
            held += _items(block, module, text)
        if len(held) > HELD_AT_MOST:
            yield from held
            held = []
    yield from held
    yield from _unanswered(module)


def _unanswered(module: Module | None) -> Iterator[Item]:
    """Yield the key question of a module that has no insights."""
    if module and module.question:
        yield from key_question(module, "", module.line)


def _items(block: _Block, module: Module, text: str) -> Iterator[Item]:
    match block.kind:
        case "## Key Insights":
            yield from key_question(module, text, block.line)
        case "## Code Examples":
            yield from code_entry(module, "\n".join(block.parts), block.line)
        case "###":
            yield from question_of(module, text, block.line, " ".join(block.answer), block.answer_line)
        case "## Further Reading":
            yield from references(text, block.line)
        case _:
            yield from _leave(text, block.line, "not understood")


def _with_related(held: list[Item], module: Module, text: str, line: int) -> Iterator[Item]:
    """Put a module's related ones on its key question, or on its first question."""
    names = tuple(name for part in text.removesuffix("---").split(" · ") if (name := part.strip()))
    for item in held:
        if names and isinstance(item, Entry):
            yield replace(item, see=names)
            names = ()
        else:
            yield item
    if names:
        yield Aside(text, line, "navigation")


def _leave(text: str, line: int, why: str) -> Iterator[Aside]:
    text = text.strip().removesuffix("---").strip()
    if text:
        yield Aside(text, line, why)
