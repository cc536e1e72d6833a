"""What the parts of the evidence report share."""

from __future__ import annotations

from dataclasses import dataclass

from proofdeck.parse.model import Place

STATES = {
    "failed": "failed",
    "false": "false",
    "moved": "moved",
    "missing": "not measured",
    "stale": "stale",
    "new": "new",
    "untested": "no test",
    "accepted": "accepted",
}
"""States of a claim, the most pressing first, with what a page calls them."""
MEANING = {
    "failed": "a verifier behind it raised, hung, or cannot run here",
    "false": "the evidence says otherwise",
    "moved": "the code or its value changed, and nobody has accepted the new one",
    "missing": "nobody has taken the measurement yet",
    "stale": "measured with older code",
    "new": "computed just now, not yet in the evidence lock",
    "untested": "a citation stands on its source, a judgement on its author: no code is run",
    "accepted": "the evidence lock holds the result for exactly this code",
}


@dataclass(frozen=True, slots=True)
class User:
    """What rests on evidence: a note, or a statement of a claims table."""

    id: str
    title: str
    address: str
    """Where it stands in the site, from its root."""
    deck: str = ""
    marks: tuple[str, ...] = ()
    """`draft`, `unverified`, `held back`."""
    statement: bool = False


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim where it is made."""

    kind: str
    """`computed`, `checked`, `measured`, `cited` or `judgement`."""
    state: str
    """One of STATES."""
    statement: str
    """The sentence that makes it, values filled in."""
    role: str
    expression: str
    """The role's text as the author wrote it."""
    shown: str
    """The value as the card shows it, or what the check found."""
    calls: tuple[str, ...]
    """Verifier calls behind it."""
    keys: tuple[str, ...]
    """References behind it."""
    place: Place
    user: User
    message: str = ""
    """Why it does not hold."""


def worst(states: list[str]) -> str:
    """Return the most pressing of some states.

    >>> worst(["accepted", "moved", "new"])
    'moved'
    """
    return min(states, key=list(STATES).index, default="accepted")
