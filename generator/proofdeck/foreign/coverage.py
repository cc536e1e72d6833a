"""`coverage`: which items of foreign documents our notes answer.

A note names them in its heading, `covers="document/q7 document/q7.l1"`. What no note covers gets the notes
whose questions are nearest, as suggestions; nobody takes them for answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofdeck.foreign.importing import all_items
from proofdeck.sources import Source

NEAR = 60
"""Least similarity, of 100, of a note that is suggested."""
SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Missing:
    """An item that no note answers."""

    item: str
    text: str
    near: tuple[tuple[str, str, int], ...]
    """Note, its question and how alike the two are, of 100; the nearest first."""


@dataclass
class Count:
    """Items of a section or a document, by what answers them."""

    items: int = 0
    verified: int = 0
    unverified: int = 0
    """Answered only by notes that nobody has verified."""

    @property
    def missing(self) -> int:
        return self.items - self.verified - self.unverified

    def as_json(self) -> dict[str, int]:
        return {
            "items": self.items,
            "verified": self.verified,
            "unverified": self.unverified,
            "missing": self.missing,
        }


@dataclass
class FileCoverage:
    """How far our notes answer one document."""

    file: str
    total: Count = field(default_factory=Count)
    sections: dict[str, Count] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    """(note, item) where a note covers an item that the document does not have."""

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file, "items": self.total.items, "verified": self.total.verified,
            "unverified": self.total.unverified,
            "missing": [
                {"item": m.item, "text": m.text, "near": [{"note": n, "text": t, "alike": a} for n, t, a in m.near]}
                for m in self.missing
            ],
            "only_unverified": self.unverified,
            "sections": [{"section": name} | count.as_json() for name, count in self.sections.items()],
            "unknown": [{"note": note, "item": item} for note, item in self.unknown],
        }  # fmt: skip


def coverage(sources: Iterable[Source], paths: Sequence[Path], wanted: str = "") -> list[FileCoverage]:
    """Compare documents with the notes of a project."""
    verified: dict[str, str] = {}
    unverified: dict[str, str] = {}
    titles: dict[str, str] = {}
    for source in sources:
        for head in source.heads:
            tested = not {"unverified", "draft"} & set(head.tags)
            if tested:
                titles[head.id] = head.title
            for item in head.covers:
                (verified if tested else unverified).setdefault(item, head.id)
    reports = []
    for document, items in all_items(paths, wanted):
        report = FileCoverage(str(document.path))
        seen: set[str] = set()
        for entry, item, text in items:
            seen.add(item)
            section = report.sections.setdefault(" › ".join(entry.section) or document.title, Count())
            for count in (report.total, section):
                count.items += 1
                count.verified += item in verified
                count.unverified += item in unverified and item not in verified
            if item in verified:
                continue
            if item in unverified:
                report.unverified.append(item)
            else:
                report.missing.append(Missing(item, text, _near(text, titles)))
        for item, note in (verified | unverified).items():
            if item.startswith(f"{document.slug}/") and item not in seen:
                report.unknown.append((note, item))
        reports.append(report)
    return reports


def _near(text: str, titles: dict[str, str]) -> tuple[tuple[str, str, int], ...]:
    from rapidfuzz import fuzz, process, utils

    found = process.extract(
        text,
        titles,
        scorer=fuzz.token_set_ratio,
        processor=utils.default_process,
        score_cutoff=NEAR,
        limit=SUGGESTED,
    )
    return tuple((note, title, round(score)) for title, score, note in found)
