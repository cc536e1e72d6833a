"""Whiteboard questions, each with a model answer, a three-level depth tree and a trap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from proofdeck.foreign.model import Aside, Entry, Item, Passage, Side
from proofdeck.foreign.readers.flow import bracketed_end, squeeze

TITLE = "whiteboard questions with depth trees"

QUESTION = re.compile(r"Q([0-9]{1,9}) — (\S.*)")
HEADER = re.compile(r"Model answer(?: \([0-9]+ paragraphs?\))?\. ?")
TREE = "Depth tree."
LEVEL = re.compile(r"(?:^| )- (L[1-3]): ")
TRAP = "Pit-of-failure."
TAIL = "How to drill"

_TARGET = r"[A-Za-z][\w-]{0,30} (?:[a-z]{1,20}/)?[0-9]{1,6}(?: / \w{1,30})?"
SEE_AT_END = re.compile(rf"(?:(?:^| ?[—;,]) ?|\. )see ({_TARGET})\.?$", re.I)
SEE_IN_BRACKETS = re.compile(rf" ?\((?:see ({_TARGET})|((?:phase|drill) [0-9]{{1,6}}))\)", re.I)


def recognise(head: str) -> float:
    questions = len(re.findall(rf"^{QUESTION.pattern}", head, re.M))
    marks = sum(bool(re.search(rf"^{re.escape(mark)}", head, re.M)) for mark in (TREE, TRAP, "Model answer"))
    return min(0.95, 0.35 + 0.2 * marks) if questions and marks else 0.0


@dataclass(slots=True)
class _Block:
    """The question at hand."""

    line: int
    number: str
    question: str
    answer: list[Passage] = field(default_factory=list)
    levels: list[Side] = field(default_factory=list)
    trap: Side | None = None
    see: list[str] = field(default_factory=list)
    beside: list[Aside] = field(default_factory=list)

    def items(self) -> Iterator[Item]:
        yield Entry(
            self.question,
            self.line,
            tuple(self.answer),
            number=self.number,
            levels=tuple(self.levels),
            trap=self.trap,
            see=tuple(dict.fromkeys(self.see)),
            damage=() if self.answer else ("no answer",),
        )
        yield from self.beside

    def leave(self, text: str, line: int, why: str = "not understood") -> None:
        if text := text.strip():
            self.beside.append(Aside(text, line, why))

    def take(self, text: str, line: int) -> None:
        """Take one non-empty line."""
        if header := HEADER.match(text):
            text = text[header.end() :]
        if text.startswith(TREE):
            self._take_tree(text, line)
        elif text.startswith(TRAP):
            self._take_trap(text, line)
        elif text.startswith("→"):
            self._take_references(text, line)
        elif self.levels or self.trap:
            self.leave(text, line)
        elif text:
            self.answer.append(Passage(self._without_references(text), line=line))

    def _take_tree(self, text: str, line: int) -> None:
        first, *rest = LEVEL.split(text.removeprefix(TREE))
        if self.levels or not rest:
            return self.leave(text, line)
        self.leave(first, line)
        for label, node in zip(rest[::2], rest[1::2], strict=True):
            if self.levels and label <= self.levels[-1].label:
                self.leave(f"{label}: {node}", line)
            else:
                self.levels.append(self._level(label, node.strip(), line))
        return None

    def _level(self, label: str, node: str, line: int) -> Side:
        question, answer = bracketed_end(node) or (node, "")
        answer = self._without_references(answer)
        if not question or not answer:
            return Side(label, node, (), line, ("no answer",))
        return Side(label, question, (Passage(answer, line=line),), line)

    def _take_trap(self, text: str, line: int) -> None:
        if self.trap:
            return self.leave(text, line)
        text = text.removeprefix(TRAP).strip()
        said, signals, means = text.partition(" Signals: ")
        means = signals.lstrip() + means
        if not signals and text.startswith('"') and (end := text.find('"', 1)) > 0:
            said, means = text[: end + 1], text[end + 1 :].lstrip(" .,;—")
        if text:
            answer = (Passage(means, line=line),) if means else ()
            self.trap = Side("trap", said, answer, line)
        return None

    def _take_references(self, text: str, line: int) -> None:
        if text.startswith("→ Next"):
            return self.leave(text, line, "navigation")
        parts = text.removeprefix("→").strip().removesuffix(".").split(", ")
        targets = [part.partition(" (")[0].partition(" of ")[0].strip() for part in parts]
        self.see += [target for target in targets if target]
        if targets != parts:  # what a target was explained with
            self.leave(text, line, "cross-reference")
        return None

    def _without_references(self, text: str) -> str:
        def take(found: re.Match[str]) -> str:
            self.see.append(found[1] or found[2])
            return ""

        text = SEE_IN_BRACKETS.sub(take, text)
        if found := SEE_AT_END.search(text):
            self.see.append(found[1])
            text = text[: found.start()] + ("." if found[0].startswith(". ") else "")
        return text


def _markers(text: str) -> str:
    """Give a list its third marker back, which was taken for a copyright sign."""
    first = text.find("(b)")
    return text if first < 0 else text[:first] + text[first:].replace("©", "(c)")


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    block: _Block | None = None
    last = 0
    why = "front matter"
    for line, text in lines:
        text = _markers(squeeze(text))
        if found := QUESTION.match(text):
            if block:
                yield from block.items()
            # a number that does not count on may stand twice, and would name two questions
            number = f"q{int(found[1])}" if int(found[1]) > last else ""
            last = max(last, int(found[1]))
            block = _Block(line, number, found[2])
        elif text.startswith(TAIL) and block:
            yield from block.items()
            block, why = None, "navigation"
            yield Aside(text, line, why)
        elif block and text:
            block.take(text, line)
        elif text:
            yield Aside(text, line, why)
    if block:
        yield from block.items()
