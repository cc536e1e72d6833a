"""What a document holds, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from proofdeck.foreign.model import Aside, Entry, Item, Passage, Reference


@dataclass
class Tally:
    """Items by kind; `add` is told every item once, in order."""

    questions: int = 0
    answers: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    traps: int = 0
    weak_strong: int = 0
    follow_ups: int = 0
    labelled_follow_ups: int = 0
    """Those of `follow_ups` that the document gives a label."""
    rapid_fire: int = 0
    glossary: int = 0
    insights: int = 0
    key_questions: int = 0
    references: int = 0
    truncated_answers: int = 0
    truncated_questions: int = 0
    empty_answers: int = 0
    bullets: int = 0
    tables: int = 0
    code_blocks: int = 0
    damaged: Counter[str] = field(default_factory=Counter)
    """Items by kind of damage, a question's parts counted by themselves."""
    dropped: Counter[str] = field(default_factory=Counter)
    """What made no card, by reason."""
    _sections: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def sections(self) -> int:
        return len({section[:1] for section in self._sections})

    @property
    def subsections(self) -> int:
        return len({section[:2] for section in self._sections if len(section) > 1})

    def add(self, item: Item) -> None:
        match item:
            case Reference():
                self.references += 1
            case Aside():
                self.dropped[item.why] += 1
            case Entry():
                self._add_entry(item)

    def _add_entry(self, entry: Entry) -> None:
        if entry.section:
            self._sections.add(entry.section)
        if entry.kind == "question":
            self.questions += 1
            self.answers += bool(entry.answer)
            self.empty_answers += not entry.answer
            self.truncated_answers += "cut answer" in entry.damage
            self.truncated_questions += "cut question" in entry.damage
        self.key_questions += entry.kind == "key question"
        self.levels.update(level.label for level in entry.levels)
        self.traps += entry.trap is not None
        self.weak_strong += entry.weak is not None and entry.strong is not None
        self.follow_ups += len(entry.follow_ups)
        self.labelled_follow_ups += sum(bool(side.label) for side in entry.follow_ups)
        self.rapid_fire += len(entry.rapid_fire)
        self.glossary += len(entry.glossary)
        self.insights += entry.insights
        sides = (*entry.levels, *entry.follow_ups, *entry.rapid_fire, *entry.glossary)
        for damage in (entry.damage, *(side.damage for side in sides)):
            self.damaged.update(damage)
        for passage in entry.answer:
            self._add_passage(passage)

    def _add_passage(self, passage: Passage) -> None:
        self.bullets += passage.kind in ("bullet", "number")
        self.tables += passage.kind == "table"
        self.code_blocks += passage.kind == "code"

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.__dataclass_fields__ if not name.startswith("_")]
        told: dict[str, Any] = {"sections": self.sections, "subsections": self.subsections}
        told |= {name: getattr(self, name) for name in names if name not in ("levels", "dropped", "damaged")}
        told["levels"] = {name: self.levels[name] for name in ("L1", "L2", "L3")}
        told["damaged"] = dict(sorted(self.damaged.items()))
        told["dropped_by_reason"] = dict(sorted(self.dropped.items()))
        told["dropped"] = self.dropped.total()
        return told
