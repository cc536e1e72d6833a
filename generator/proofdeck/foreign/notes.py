"""Items to notes of our card format: which parts an entry becomes, under which ids, tags and deck."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from proofdeck.audit.model import Finding
from proofdeck.foreign import markup
from proofdeck.foreign.model import Entry, Passage, Sample, Side

WORDS = 8
"""Words of a question that make its id."""
BROKEN = {
    "cut question": "The question breaks off in the source.",
    "cut answer": "The answer breaks off in the source.",
    "no answer": "The source gives no answer.",
    "lost beginning": "The beginning of this answer is lost in the source.",
    "lost formula": "A formula is lost in the source.",
    "lost price": "A price is lost in the source.",
    "lost line breaks": "The source has lost the line breaks of this code.",
    "out of order": "The source has mixed up this answer's sentences.",
}
"""What a draft says on its card, by damage."""


@dataclass(frozen=True, slots=True)
class ForeignNote:
    """A note made of an entry, before it has an id."""

    question: str
    """Literal text."""
    parts: tuple[tuple[str, str, str], ...]
    """(label, question, Markdown of the answer) of each part; the first has the label `root`."""
    section: tuple[str, ...]
    tags: tuple[str, ...]
    covers: tuple[str, ...]
    """Items of the document that the note answers."""
    line: int
    key: str
    """What the document calls it; empty where it does not say."""
    draft: bool = False
    passages: tuple[Passage, ...] = ()
    """The text of all its answers, for whoever looks for claims in it."""


def slug(text: str, words: int = 0) -> str:
    """Return lower-case ASCII words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = re.findall(r"[a-z0-9]+", plain)
    return "-".join(found[:words] if words else found)


def identity(document: str, question: str) -> str:
    """Return the id of a note: the document and the first words of its question; if it has more, their hash."""
    name = slug(question, WORDS)
    if slug(question) != name or not name:
        name += ("-" if name else "") + hashlib.sha256(" ".join(question.split()).encode()).hexdigest()[:4]
    return f"{document}-{name}"


def item_of(document: str, entry: Entry) -> str:
    """Return how `covers` names an entry: the document's slug, and its number or its first words."""
    name = entry.number or identity("", entry.question).lstrip("-")
    return f"{document}/{name}"


def items_of(document: str, entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield (item, text) of all that a deck can answer: the question, its levels and its trap."""
    whole = item_of(document, entry)
    yield whole, entry.question
    for level in entry.levels:
        yield f"{whole}.{level.label.lower()}", level.question
    if entry.trap:
        yield f"{whole}.trap", entry.trap.question


def notes_of(document: str, entry: Entry) -> Iterator[ForeignNote]:
    """Yield the notes of an entry: itself, and one for each question beside it that is no level."""
    yield _main(document, entry)
    tags = tuple(tag for tag in _tags(entry) if not tag.startswith("cut-"))
    topic = entry.question if entry.kind == "question" else entry.section[-1] if entry.section else ""
    for side in entry.follow_ups:
        asked = f"{topic} · {side.label or 'Follow-up'}: {side.question}"
        yield _side(entry, side, asked, (*tags, "follow-up", *filter(None, [slug(side.label)])))
    for side in entry.rapid_fire:
        yield _side(entry, side, side.question, (*tags, "rapid-fire"))
    for side in entry.glossary:
        yield _side(entry, side, f"Define: {side.question}", (*tags, "glossary"))


def _main(document: str, entry: Entry) -> ForeignNote:
    # what is damaged stays out, unless the whole entry is damaged so, and says it
    answer = [passage for passage in entry.answer if set(passage.damage) <= set(entry.damage)]
    asked = f"Code: {entry.question}" if entry.kind == "code" else entry.question
    parts = [("root", asked, markup.blocks(answer))]
    passages = list(answer)
    damage = list(entry.damage)
    for depth, side in enumerate(entry.levels[:3], start=1):  # a level that is missing leaves no gap
        parts.append((f"L{depth}", side.question, _answer(side)))
        passages += side.answer
        damage += side.damage
    if trap := _trap(entry):
        parts.append(("Trap", trap.question, _answer(trap)))
        passages += trap.answer
        damage += trap.damage
    if not parts[0][2] and "no answer" not in damage and "cut answer" not in damage:
        damage.append("no answer")
    parts[0] = (*parts[0][:2], _told(parts[0][2], tuple(damage)))
    return ForeignNote(
        asked, tuple(parts), entry.section, _tags(entry),
        tuple(item for item, _ in items_of(document, entry)) if entry.kind == "question" else (), entry.line, entry.number, bool(damage), tuple(passages),
    )  # fmt: skip


def _side(entry: Entry, side: Side, asked: str, tags: tuple[str, ...]) -> ForeignNote:
    damage = side.damage or (() if side.answer else ("no answer",))
    text = _told(markup.blocks(side.answer), damage)
    return ForeignNote(
        asked, (("root", asked, text),), entry.section, tags, (), side.line, "", bool(damage), side.answer
    )


def _answer(side: Side) -> str:
    return _told(markup.blocks(side.answer), side.damage)


def _told(answer: str, damage: tuple[str, ...]) -> str:
    """Say below an answer what is wrong with it."""
    told = " ".join(BROKEN[name] for name in dict.fromkeys(damage))
    return "\n\n".join(filter(None, [answer, f"*Draft. {told}*" if told else ""]))


def _trap(entry: Entry) -> Side | None:
    """Return the trap of an entry; a weak and a strong answer make one."""
    if entry.trap or not entry.weak:
        return entry.trap
    weak = entry.weak
    answer = [Passage(weak.comment or "A weak answer.", line=weak.line)]
    if entry.strong:
        answer += _strong(entry.strong)
    return Side("Trap", f"“{weak.text}”", tuple(answer), weak.line)


def _strong(sample: Sample) -> list[Passage]:
    told = [Passage(f"Stronger: “{sample.text}”", line=sample.line)]
    return told + ([Passage(sample.comment, line=sample.line)] if sample.comment else [])


def _tags(entry: Entry) -> tuple[str, ...]:
    found = [f"difficulty-{entry.difficulty}"] if entry.difficulty else []
    found += [f"company-{slug(name)}" for name in entry.companies if slug(name)]
    found += [slug(tag) for tag in entry.tags]
    found += [f"see-{slug(target, 6)}" for target in entry.see if slug(target)]
    found += [slug(damage) for damage in entry.damage]
    found += ["key-question"] if entry.kind == "key question" else ["code"] if entry.kind == "code" else []
    return tuple(dict.fromkeys(filter(None, found)))


def with_errors(note: ForeignNote, errors: Sequence[Finding]) -> ForeignNote:
    """Return a note that says which of its statements the audit found wrong."""
    if not errors:
        return note
    lines = []
    for error in errors:
        told = f"“{error.text}” is wrong: " if error.rule != "popular error" else f"“{error.text}”: "
        lines.append(
            Passage(
                told + (f"computed {error.computed}" if error.rule != "popular error" else error.computed)
            )
        )
    label, question, answer = note.parts[0]
    text = "\n\n".join(
        [answer, "**Checked:**", markup.blocks(replace(line, kind="bullet") for line in lines)]
    )
    tags = tuple(dict.fromkeys((*note.tags, "found-wrong")))
    return replace(note, parts=((label, question, text), *note.parts[1:]), tags=tags)


def write_note(note: ForeignNote, identifier: str) -> str:
    """Return a note as text of a card file, ending in one newline."""
    tags = (*(["draft"] if note.draft else []), *note.tags)
    attributes = [f"#{identifier}"]
    attributes += [f'tags="{" ".join(tags)}"'] if tags else []
    attributes += [f'covers="{" ".join(note.covers)}"'] if note.covers else []
    pieces = []
    for label, question, answer in note.parts:
        text = markup.heading(question) or "(the question is lost)"
        if label == "root":
            pieces.append(f"# {text} {{{' '.join(attributes)}}}")
        else:
            pieces.append(f"## {label}: {text}")
        pieces.append(answer or "*(no answer)*")
    return "\n\n".join(pieces) + "\n"
