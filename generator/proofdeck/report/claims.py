"""Every claim of every card and claims table, with its kind, its state and the sentence that makes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proofdeck.evidence.resolve import Facts, Unrecorded, Wrong, judge, table_rows, value_text
from proofdeck.parse.model import (
    Check,
    Cite,
    Claim,
    Image,
    Judgement,
    Note,
    Table,
    Value,
    calls_of,
    claims_in,
)
from proofdeck.preview.links import module_page, topic_page
from proofdeck.report.model import Stated, User, worst
from proofdeck.report.sentences import plain_text, stated_in
from proofdeck.verify import kind_of

if TYPE_CHECKING:
    from proofdeck.preview.reading import Reading


@dataclass(frozen=True, slots=True)
class Statement:
    """A row of a claims table with the checks that show it."""

    user: User
    claim: str
    file: str
    line: int
    kind: str
    state: str
    checks: tuple[Stated, ...]


@dataclass
class Claims:
    """All that a project claims."""

    cards: list[Stated] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    notes: dict[str, User] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Stated]:
        """Yield the claims of cards, then the checks of statements."""
        yield from self.cards
        for statement in self.statements:
            yield from statement.checks


def statement_page(file: str) -> str:
    """Return the page of a claims table: that of the module it is named after.

    >>> statement_page("verifiers/claims/kv_cache.yaml")
    'evidence/verifiers/kv_cache.html'
    """
    return module_page(file.rpartition("/")[2].removesuffix(".yaml") + ".")


def read_claims(reading: Reading) -> Claims:
    """Collect every claim of a project."""
    claims = Claims()
    teller = _Teller(reading)
    held = set(reading.held)
    for source in reading.found.sources:
        for head, note in zip(source.heads, source.notes, strict=False):
            marks: list[str] = [tag for tag in ("draft", "unverified") if tag in head.tags]
            marks += ["held back"] if head.id in held else []
            address = f"{topic_page(source.file)}#{head.id}"
            user = User(head.id, head.title or head.id, address, head.deck, tuple(marks))
            claims.notes[head.id] = user
            claims.cards += teller.note(note, user)
    for table in reading.found.statements:
        claims.statements += [teller.statement(table.file, note) for note in table.notes]
    return claims


class _Teller:
    """Tells claims of one reading."""

    def __init__(self, reading: Reading) -> None:
        self.found = reading.found
        self.verdicts = reading.findings.verdicts
        self.facts: Facts = reading.findings.facts

    def note(self, note: Note, user: User) -> Iterator[Stated]:
        for part in note.parts:
            for body in (part.question, part.answer):
                if claims_in(body):
                    for claim, sentence in stated_in(body, self._fill, part.title):
                        yield from self._stated(claim, sentence, user)
        if note.extra:
            for claim, sentence in stated_in(note.extra, self._fill, note.title):
                yield from self._stated(claim, sentence, user)

    def statement(self, file: str, note: Note) -> Statement:
        part = note.parts[0]
        address = f"{statement_page(file)}#s-{note.place.line}"
        user = User(note.id, part.title, address, statement=True)
        checks = [s for c in claims_in(part.answer) for s in self._stated(c, part.title, user)]
        kind = "measured" if any(check.kind == "measured" for check in checks) else "checked"
        state = worst([check.state for check in checks]) if checks else "failed"
        return Statement(user, part.title, file, note.place.line, kind, state, tuple(checks))

    def _stated(self, claim: Claim | Image, sentence: str, user: User) -> Iterator[Stated]:
        match claim:
            case Value() | Check() | Table():
                calls = tuple(dict.fromkeys(str(call) for call in calls_of(claim)))
                kind = kind_of(claim, self.found) or ("checked" if isinstance(claim, Check) else "computed")
                state, shown, message = self._verdict(claim, calls)
                role = type(claim).__name__.lower()
                yield Stated(
                    kind, state, sentence, role, claim.text, shown, calls, (), claim.place, user, message
                )
            case Cite():
                known = [key in self.found.references for key in claim.keys]
                state = "untested" if all(known) else "failed"
                message = "" if all(known) else "unknown reference"
                yield Stated(
                    "cited", state, sentence, "cite", claim.text, self._fill(claim), (), claim.keys, claim.place,
                    user, message,
                )  # fmt: skip
            case Judgement():
                advice = plain_text(claim.body, self._fill) or sentence
                yield Stated(
                    "judgement", "untested", advice, "judgement", claim.text, "", (), (), claim.place, user
                )

    def _verdict(self, claim: Value | Check | Table, calls: Iterable[str]) -> tuple[str, str, str]:
        """Return the state of a claim, what it shows, and why it does not hold."""
        verdicts = [(call, self.verdicts.get(call)) for call in calls]
        states = [verdict.state if verdict else "failed" for _, verdict in verdicts]
        told = [v.message if v else f"`{call}` names no verifier" for call, v in verdicts]
        message = "; ".join(text for text in told if text)
        state = worst(states)
        if any(call not in self.facts for call in calls):
            return state, "", message
        try:
            shown = self._shown(claim)
        except Unrecorded as error:
            return worst([state, "missing"]), "", f"{error}; {error.hint}"
        except Wrong as error:
            wrong = str(error) + (f"; {error.hint}" if error.hint else "")
            return worst([state, "false"]), "", "; ".join(filter(None, (message, wrong)))
        return state, shown, message

    def _shown(self, claim: Value | Check | Table) -> str:
        match claim:
            case Value():
                return value_text(claim, self.facts)
            case Check():
                return judge(claim, self.facts)
            case Table():
                rows = len(table_rows(claim, self.facts)[1])
                return f"{rows} row{'s' if rows != 1 else ''}"

    def _fill(self, claim: Claim | Image) -> str:
        """Return what a claim puts into its sentence."""
        match claim:
            case Value():
                try:
                    return value_text(claim, self.facts)
                except (Wrong, KeyError):
                    return "…"
            case Cite():
                works = [self.found.references.get(key) for key in claim.keys]
                names = [work.short if work else key for key, work in zip(claim.keys, works, strict=True)]
                return f" [{'; '.join(names)}]"
        return ""
