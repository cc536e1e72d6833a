"""What can go wrong, and how it is told.

    Problem             one thing wrong in a source: place, what is wrong, what would be right
    ProofdeckError
    ├── ContentError    the content is wrong: carries every problem found (exit status 1)
    └── UsageError      the command cannot be carried out as given (exit status 2)

The library raises these and never prints or exits; the command line turns them into text and status.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from proofdeck.record import Record


@dataclass(frozen=True, slots=True, order=True)
class Problem(Record):
    """One thing wrong in a source."""

    file: str
    """Path relative to the project root, with forward slashes."""
    line: int
    """1-based; 0 when the whole file is meant."""
    column: int
    """1-based; 0 when the whole line is meant."""
    message: str
    """What is wrong."""
    hint: str = ""
    """What would be right."""

    @property
    def where(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f"\n    {self.hint}" if self.hint else "")

    def as_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}


class ProofdeckError(Exception):
    """Base of every error that proofdeck raises on purpose."""


class ContentError(ProofdeckError):
    """Cards, verifiers or figures are wrong."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(ProofdeckError):
    """The command was called wrongly, or what it needs cannot be read."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` for the nearest known words, or the empty string."""
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
