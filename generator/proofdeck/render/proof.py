"""The Proof panel: what stands behind each claim of a card, folded away until somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from proofdeck.evidence.records import place_of, told_of
from proofdeck.evidence.resolve import Fact, tried
from proofdeck.parse.markdown import escape, escape_prose, highlight
from proofdeck.references import Reference

KINDS = ("computed", "checked", "measured", "cited", "judgement")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One claim and its evidence."""

    kind: str
    text: str
    """The role's text as the author wrote it."""
    shown: str
    """The value as the card shows it, or what the check found."""
    fact: Fact | None = None
    reference: Reference | None = None
    also: tuple[Fact, ...] = ()
    """The other side of a comparison of two calls."""
    entry: str | int | None = None
    """Which entry of the fact's value the claim shows."""


def proof_panel(exhibits: list[Exhibit]) -> str:
    """Return the panel as HTML that unfolds without JavaScript; empty where there is nothing to show."""
    unique = list({(exhibit.kind, exhibit.text, exhibit.shown): exhibit for exhibit in exhibits}.values())
    if not unique:
        return ""
    counts = [(kind, sum(exhibit.kind == kind for exhibit in unique)) for kind in KINDS]
    summary = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    items = "".join(f"<li>{_item(exhibit)}</li>" for exhibit in unique)
    facts = [fact for e in unique for fact in (e.fact, *e.also) if fact]
    sources = {fact.function.name: fact.function.source for fact in facts}
    places = {place_of(dict(fact.record), dict(fact.libraries)): None for fact in facts if fact.record}
    where = "".join(f'<p class="record">Measured on {escape_prose(place)}</p>' for place in places)
    code = "".join(
        f"<details><summary><code>{escape(name)}</code></summary>{_source(source)}</details>"
        for name, source in sources.items()
    )
    return (
        f'<details class="proof"><summary>Proof <span>{summary}</span></summary><ul>{items}</ul>{where}{code}'
        "</details>"
    )


@lru_cache(maxsize=4096)
def _source(source: str) -> str:
    return highlight(source, "python")


def _item(exhibit: Exhibit) -> str:
    kind = f'<span class="kind">{exhibit.kind}</span> '
    if exhibit.kind == "judgement":
        return kind + "the author’s word: no test settles it"
    if exhibit.reference:
        return kind + _work(exhibit.reference)
    assert exhibit.fact is not None
    call = f"<code>{escape(exhibit.text.partition(' | ')[0].strip())}</code>"
    found = exhibit.shown or tried(exhibit.fact.value)
    verb = " ✓ " if exhibit.kind == "checked" else " = "
    text = kind + call + (f"{verb}{escape_prose(found)}" if found else " ✓")
    if exhibit.fact.record:
        told = told_of(dict(exhibit.fact.record), exhibit.entry)
        text += f'<br><span class="record">{escape_prose(told)}</span>' if told else ""
    return text


def _work(work: Reference) -> str:
    told = escape_prose(f"{work.authors} ({work.year}). ") + f"<i>{escape_prose(work.title)}</i>."
    told += f" {escape_prose(work.venue)}." if work.venue else ""
    return told + (f' <a href="{escape(work.url)}">{escape(work.url)}</a>' if work.url else "")
