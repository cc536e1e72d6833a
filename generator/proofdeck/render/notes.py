"""Notes to the HTML of Anki fields: claims filled in, evidence folded into a Proof panel.

Works on what earlier stations found out; runs nothing, draws nothing, reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proofdeck.errors import Problem
from proofdeck.evidence.resolve import (
    Facts,
    Unrecorded,
    Wrong,
    judge,
    problem_of,
    table_rows,
    value_text,
)
from proofdeck.parse.markdown import escape, escape_plain, escape_prose
from proofdeck.parse.model import (
    Body,
    Check,
    Cite,
    Claim,
    Cloze,
    Figure,
    Image,
    Judgement,
    Need,
    Note,
    Part,
    Table,
    Value,
    calls_of,
    needs_of,
)
from proofdeck.references import Reference
from proofdeck.render.proof import KINDS, Exhibit, proof_panel

UNVERIFIED = '<p class="mark unverified">unverified: nothing on this card has been tested</p>'
STALE = '<p class="mark stale">stale: a measurement on this card is older than its code</p>'


@dataclass(frozen=True, slots=True)
class Context:
    """What the claims of a file rest on."""

    facts: Facts
    figures: Mapping[str, tuple[str, str, bool]]
    """Media name and alternative text by call, and whether it shows a measurement older than its code."""
    images: Mapping[str, str]
    """Media name by path."""
    references: Mapping[str, Reference]
    faults: Mapping[Need, str] = field(default_factory=dict)
    """What is wrong with the evidence that claims need; told where the claim stands."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A note as Anki will hold it."""

    id: str
    type: str
    deck: str
    tags: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    """Field name and HTML; fields that are empty are left out."""
    clozes: tuple[int, ...]
    parts: tuple[str, ...]
    media: tuple[str, ...]
    line: int


@dataclass
class _Card:
    """What one side's claims left behind while it was rendered."""

    exhibits: list[Exhibit] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    clozes: set[int] = field(default_factory=set)
    stale: bool = False


FIELD_PREFIX = {"root": "", "L1": "L1 ", "L2": "L2 ", "L3": "L3 ", "trap": "Trap "}
"""What the fields of a part are called by."""


def render_note(note: Note, context: Context, problems: list[Problem]) -> Rendered:
    """Return the note's fields; add claims that are wrong to `problems`."""
    fields: dict[str, str] = {"Title": escape_plain(note.title or note.id)}
    whole = _Card()
    for part in note.parts:
        card = _Card()
        fields |= _part(note, part, card, context, problems)
        whole.media += card.media
        whole.clozes |= card.clozes
        whole.exhibits += card.exhibits
        whole.stale = whole.stale or card.stale
    fields["Status"] = (UNVERIFIED if note.unverified else "") + (STALE if whole.stale else "")
    fields["Source"] = escape(f"{note.place.file}#{note.id}")
    fields["Id"] = note.id
    return Rendered(
        note.id, note.type, note.deck, note.tags + _evidence_tags(whole.exhibits), tuple((n, text) for n, text in fields.items() if text),
        tuple(sorted(whole.clozes)), tuple(part.name for part in note.parts), tuple(dict.fromkeys(whole.media)),
        note.place.line,
    )  # fmt: skip


def _evidence_tags(exhibits: list[Exhibit]) -> tuple[str, ...]:
    """Return a tag for each kind of evidence, so that a learner can search for what was measured."""
    present = {exhibit.kind for exhibit in exhibits}
    return tuple(f"evidence::{kind}" for kind in KINDS if kind in present)


def fault(why: str) -> str:
    """Return how a page tells what is wrong with a claim; no package ever holds it."""
    return f'<strong class="fault">{escape_prose(why)}</strong>'


def _part(note: Note, part: Part, card: _Card, context: Context, problems: list[Problem]) -> dict[str, str]:
    writer = _Writer(context, card, problems)
    prefix = FIELD_PREFIX[part.name]
    if note.type == "cloze":
        fields = {"Text": writer.html(part.answer), "Extra": writer.html(note.extra)}
        question = writer.html(part.question)
        fields["Question"] = question
    else:
        fields = {
            f"{prefix}Question": writer.html(part.question),
            f"{prefix}Answer": writer.html(part.answer),
        }
    fields[f"{prefix}Proof"] = proof_panel(card.exhibits)
    return fields


class _Writer:
    """Fills the claims of one part."""

    def __init__(self, context: Context, card: _Card, problems: list[Problem]) -> None:
        self.context = context
        self.card = card
        self.problems = problems

    def html(self, body: Body) -> str:
        pieces: list[str] = []
        for segment in body:
            if isinstance(segment, str):
                pieces.append(segment)
                continue
            text = self._claim(segment) + self._faults(segment)
            if isinstance(segment, Check | Cite) and pieces and pieces[-1].endswith((" ", "\n")):
                # a mark stays on the line of the word that it marks
                pieces[-1] = pieces[-1][:-1] + "\N{NARROW NO-BREAK SPACE}"
            pieces.append(text)
        return "".join(pieces).strip()

    def _claim(self, claim: Claim | Image) -> str:
        try:
            match claim:
                case Value():
                    return self._value(claim)
                case Check():
                    return self._check(claim)
                case Table():
                    return self._table(claim)
                case Figure():
                    return self._figure(claim)
                case Cite():
                    return self._cite(claim)
                case Judgement():
                    return self._judgement(claim)
                case Cloze():
                    return self._cloze(claim)
                case Image():
                    return self._picture(self.context.images[claim.path], claim.alt)
        except Unrecorded as error:  # nothing is wrong with the claim: a build holds its note back
            return fault(str(error))
        except Wrong as error:
            assert isinstance(claim, Value | Check | Table)
            self.problems.append(problem_of(claim, error))
            return fault(str(error))
        except KeyError as error:  # inspection refuses it first; should it ever get here, nothing vanishes
            if not any(need in self.context.faults for need in needs_of(claim)):
                self.problems.append(claim.place.problem(f"nothing stands behind {error}"))
            return ""

    def _faults(self, claim: Claim | Image) -> str:
        found = dict.fromkeys(self.context.faults.get(need, "") for need in needs_of(claim))
        return "".join(fault(why) for why in found if why)

    def _exhibit(self, claim: Value | Check | Table, shown: str) -> None:
        fact, *also = [self.context.facts[str(call)] for call in calls_of(claim)]
        self.card.stale = self.card.stale or any(each.stale for each in (fact, *also))
        kinds = {each.kind for each in (fact, *also)}
        # a comparison tests what its calls compute; one with a measurement is as good as the measurement
        tests = "checked" if isinstance(claim, Check) else fact.kind
        kind = "measured" if "measured" in kinds else tests
        entry = claim.operand.key if isinstance(claim, Value) else None
        self.card.exhibits.append(Exhibit(kind, claim.text, shown, fact, also=tuple(also), entry=entry))

    def _value(self, claim: Value) -> str:
        text = value_text(claim, self.context.facts)
        self._exhibit(claim, text)
        return f'<span class="value">{escape_prose(text)}</span>'

    def _check(self, claim: Check) -> str:
        self._exhibit(claim, judge(claim, self.context.facts))
        return '<span class="checked" title="checked">✓</span>'

    def _table(self, claim: Table) -> str:
        columns, rows = table_rows(claim, self.context.facts)
        self._exhibit(claim, f"{len(rows)} rows")
        head = "".join(f"<th>{escape_prose(column)}</th>" for column in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape_prose(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _figure(self, claim: Figure) -> str:
        media, alt, stale = self.context.figures[str(claim.call)]
        self.card.stale = self.card.stale or stale
        return self._picture(media, alt)

    def _picture(self, media: str, alt: str) -> str:
        self.card.media.append(media)
        # a check box makes it large without any script, and may stand inside a paragraph
        return (
            '<label class="zoom"><input type="checkbox" aria-label="enlarge the figure">'
            f'<span><img class="figure" src="{media}" alt="{escape_plain(alt)}"></span></label>'
        )

    def _cite(self, claim: Cite) -> str:
        works = [self.context.references[key] for key in claim.keys]
        for work in works:
            self.card.exhibits.append(Exhibit("cited", work.key, "", None, work))
        return f'<span class="cite">[{escape_prose("; ".join(work.short for work in works))}]</span>'

    def _judgement(self, claim: Judgement) -> str:
        self.card.exhibits.append(Exhibit("judgement", claim.text, ""))
        return (
            f'<span class="judgement" title="judgement: no test settles this">{self.html(claim.body)}</span>'
        )

    def _cloze(self, claim: Cloze) -> str:
        self.card.clozes.add(claim.number)
        # `}}` ends a cloze and `::` begins its hint, inside math and code too
        body = self.html(claim.body).replace("}}", "}&#125;").replace("::", ":&#58;")
        if body.endswith("}"):
            body += " "
        elif body.endswith(":"):  # it would join the `::` of the hint
            body = body[:-1] + "&#58;"
        hint = escape_prose(claim.hint).replace("}}", "}&#125;").replace("::", ":&#58;")
        hint = hint + " " if hint.endswith("}") else hint
        return f"{{{{c{claim.number}::{body}{'::' + hint if hint else ''}}}}}"
