"""`audit`: documents to findings."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofdeck.audit.calculations import calculations
from proofdeck.audit.known import LOOKBACK, Known, Pending, judge_pending
from proofdeck.audit.model import Finding
from proofdeck.audit.ratios import ratios
from proofdeck.audit.sentences import sentences
from proofdeck.audit.tokens import tokens
from proofdeck.cache import Cache
from proofdeck.project import Project

if TYPE_CHECKING:
    from proofdeck.evidence.code import Code

_DIGIT = re.compile(r"\d")
_REMNANT = re.compile(r"\{\" \"\}|(?<!\d)\*\*(?!\s?\d)|`")
"""What markup leaves between the words of a sentence."""


@dataclass
class Audit:
    """All findings of one run."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        return Counter(finding.verdict for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {"statements": [finding.as_json() for finding in self.findings]}


class Auditor:
    """Finds testable statements; with a project, its verifiers compute known quantities."""

    def __init__(self, project: Project | None = None) -> None:
        self.project = project
        self.known = Known.of(project.root) if project else Known()
        self._values: dict[str, Any] = {}

    def audit(self, passages: Iterable[tuple[str, int, str]]) -> list[Finding]:
        """Return the findings of (file, line, text), in their order."""
        found: list[Finding | Pending] = []
        for file, line, text in passages:
            found += [_placed(each, file, line) for each in self._passage(text)]
        self._compute({call for each in found if isinstance(each, Pending) for call in each.calls})
        return [judge_pending(each, self._values) if isinstance(each, Pending) else each for each in found]

    def _passage(self, text: str) -> Iterator[Finding | Pending]:
        text = _REMNANT.sub(lambda match: " " * len(match[0]) if match[0].startswith("{") else "", text)
        yield from self.known.popular_errors(text)
        before: deque[str] = deque(maxlen=LOOKBACK)
        for offset, sentence in sentences(text):
            if _DIGIT.search(sentence):
                cut = tokens(sentence)
                told = [*calculations(sentence, cut), *ratios(sentence, cut)]
                yield from (replace(finding, start=offset + finding.start) for finding in told)
                yield from self.known.recognise(sentence, cut, list(before))
            before.append(sentence)

    def _compute(self, calls: set[str]) -> None:
        """Run the calls of known quantities; one that fails leaves its statement unknown."""
        wanted = sorted(calls - self._values.keys())
        if not wanted or self.project is None:
            return
        from proofdeck.evidence.gather import gather
        from proofdeck.evidence.lock import read_lock

        lock = read_lock(self.project.evidence_lock, self.project.root)
        with Cache(self.project.state).closing() as cache:
            findings = gather(self.project, self._code, wanted, lock, cache)
        self._values |= dict.fromkeys(wanted)
        self._values |= {text: fact.value for text, fact in findings.facts.items()}

    @cached_property
    def _code(self) -> Code:
        from proofdeck.evidence.code import Code

        assert self.project is not None
        return Code(self.project.root)


def _placed(found: Finding | Pending, file: str, line: int) -> Finding | Pending:
    if isinstance(found, Pending):
        return replace(found, finding=found.finding.at(file, line))
    return found.at(file, line)


def passages_of(paths: Sequence[Path]) -> Iterator[tuple[str, int, str]]:
    """Yield (file, line, text) of every line of documents, repaired."""
    from proofdeck.foreign.text import lines_of_file

    for path in paths:
        for number, line in lines_of_file(path):
            if line.strip():
                yield str(path), number, line
