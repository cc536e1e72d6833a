"""What the audit says of a statement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

VERDICTS = ("right", "imprecise", "wrong", "unknown")


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of a text, computed again."""

    text: str
    """The statement in its sentence, shortened."""
    stated: str
    computed: str
    verdict: str
    """One of VERDICTS: `imprecise` is near, or right in another unit; `unknown` could not be computed."""
    rule: str
    """What recognised it: `calculation`, `ratio`, `share`, or the name of a known quantity."""
    start: int = 0
    """Where the statement begins in the text that was read."""
    line: int = 0
    file: str = ""
    check: str = ""
    """The verifier call that computed it, where one did."""

    def at(self, file: str, line: int) -> Finding:
        return replace(self, file=file, line=line)

    def as_json(self) -> dict[str, Any]:
        names = ("file", "line", "text", "stated", "computed", "verdict", "rule", "check")
        return {name: getattr(self, name) for name in names}
