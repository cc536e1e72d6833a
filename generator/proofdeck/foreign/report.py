"""What an import did, for people and for machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from proofdeck.foreign.files import Changes
from proofdeck.foreign.tally import Tally

LISTED = 1000
"""Lines of a list that `--json` prints; the report file beside the cards holds all."""


@dataclass
class FileReport:
    """The import of one document."""

    file: str
    format: str
    folder: str
    """Where its card files are."""
    tally: Tally = field(default_factory=Tally)
    repairs: Counter[str] = field(default_factory=Counter)
    notes: int = 0
    drafts: int = 0
    changes: Changes = field(default_factory=Changes)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """(question of this document, the earlier one that it resembles), each with its place."""
    wrong: int = 0
    """Statements that the audit found wrong."""
    listed: list[tuple[int, str, str]] = field(default_factory=list)
    """(line, what happened, text) of everything that did not come through whole."""
    unlisted: int = 0

    def tell(self, line: int, what: str, text: str) -> None:
        if len(self.listed) < LISTED:
            self.listed.append((line, what, text[:200]))
        else:
            self.unlisted += 1

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"file": self.file, "format": self.format, "folder": self.folder}
        told |= self.tally.as_json()
        told |= {
            "notes": self.notes, "drafts": self.drafts, "wrong": self.wrong, "duplicates": len(self.duplicates),
            "near_duplicates": [list(pair) for pair in self.duplicates], "repairs": dict(sorted(self.repairs.items())),
            "new": len(self.changes.new), "updated": len(self.changes.updated), "unchanged": self.changes.unchanged,
            "kept": self.changes.kept, "gone": self.changes.gone, "orphaned": self.changes.orphaned,
            "deleted": self.changes.deleted,
            "listed": [{"line": line, "what": what, "text": text} for line, what, text in self.listed],
            "unlisted": self.unlisted,
        }  # fmt: skip
        return told
