"""Popular errors: sentences that put what a row of a claims table knows to be wrong (`heard:`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from proofdeck.audit.model import Finding
from proofdeck.audit.needles import Sieve

_DENIED = re.compile(
    r"(?:\b(?:not|never|nor|myths?|misconceptions?|wrong|wrongly|false|falsely|mistakes?|mistaken(?:ly)?|traps?|"
    r"incorrect(?:ly)?|untrue|fallac\w+|mislead\w*|naive(?:ly)?|contrary|unless|claims? that)\b|n['’]t\b)"
    r"[^.!?;]{0,50}$", re.I
)  # fmt: skip
"""Words before an error that take it back."""
_REFUTED = re.compile(
    r"[^.!?]{0,25}\b(?:is|are|was) (?:a |an )?(?:myth|misconception|wrong|false|mistake|incorrect|untrue|fallacy)",
    re.I,
)
_ASKED = re.compile(
    r"(?:^|[.!?:]\s+|\*\*\s*)(?:is|are|does|do|did|can|could|would|should|will|true or false|which|whether)\b"
    r"[^.!?]*$",
    re.I,
)
"""A question before an error that leaves it open."""
BEFORE = 200


@dataclass(frozen=True, slots=True)
class Heard:
    """A popular error, and what is true instead."""

    pattern: re.Pattern[str]
    claim: str
    check: str


def popular_errors(known: Sieve[Heard], text: str) -> Iterator[Finding]:
    """Yield the popular errors that a passage repeats, each place and claim once."""
    seen: dict[str, int] = {}
    for heard in known.candidates(text.lower()):
        for match in heard.pattern.finditer(text):
            if match.start() < seen.get(heard.claim, 0) or _is_taken_back(text, match):
                continue
            seen[heard.claim] = match.end()
            shown = " ".join(match[0].split())[:160]
            yield Finding(
                shown, shown[:60], heard.claim, "wrong", "popular error", match.start(), check=heard.check
            )


def _is_taken_back(text: str, match: re.Match[str]) -> bool:
    """Say whether a text denies what a match says, or asks whether it is so."""
    before = text[max(0, match.start() - BEFORE) : match.start()]
    after = text[match.end() : match.end() + 60]
    return bool(_DENIED.search(before[-80:]) or _ASKED.search(before) or _REFUTED.match(after))


def read_heard(root: Path) -> list[Heard]:
    """Read the patterns of all claims tables; what is wrong in a table is told by `check`."""
    found: list[Heard] = []
    for path in sorted((root / "verifiers" / "claims").glob("*.yaml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "heard:" not in text:
            continue
        try:
            rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError:
            continue
        for row in rows if isinstance(rows, list) else []:
            found += _of_row(row)
    return found


def _of_row(row: object) -> Iterator[Heard]:
    if not isinstance(row, dict) or not {"heard", "check", "claim"} <= row.keys():
        return
    checks = _texts(row["check"])
    for pattern in _texts(row["heard"]):
        try:
            compiled = re.compile(pattern, re.I)
        except re.error:
            continue
        yield Heard(compiled, str(row["claim"]), next(iter(checks), ""))


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
