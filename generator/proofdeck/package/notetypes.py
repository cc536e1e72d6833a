"""The note types: fields, templates and style, with ids that never change.

Anki matches note types, fields and templates by id, so a rename keeps every card and review; it does not
forgive a field that is added, removed or moved (the schema differs, and notes are no longer updated). So
fields are planned once, spare ones included: a later version gives a spare field a name, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from proofdeck.package import templates
from proofdeck.render.notes import FIELD_PREFIX

BASE = 1_720_000_000_000
"""Ids are this plus a small number: unique to us, and a day long past, as Anki wants its ids."""
SPARE = 6


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    id: int


@dataclass(frozen=True, slots=True)
class Template:
    name: str
    id: int
    front: str
    back: str


@dataclass(frozen=True)
class NoteType:
    """A note type as Anki knows it."""

    key: str
    """What the engine calls it: `depth-tree`, `basic`, `cloze`."""
    name: str
    id: int
    fields: tuple[Field, ...]
    templates: tuple[Template, ...]
    revised: int
    """Seconds since the epoch at which the definition last changed; Anki keeps the later of two definitions.

    It is the engine's, not a project's: an older engine that builds later must not bring back an older style.
    """
    cloze: bool = False

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def model(self) -> Any:
        """Return the genanki model; fields and templates carry their ids."""
        import genanki

        return genanki.Model(
            self.id,
            self.name,
            fields=[{"name": field.name, "id": field.id} for field in self.fields],
            templates=[
                {"name": template.name, "id": template.id, "qfmt": template.front, "afmt": template.back}
                for template in self.templates
            ],
            css=css(),
            model_type=genanki.Model.CLOZE if self.cloze else genanki.Model.FRONT_BACK,
            sort_field_index=0,
            latex_pre="",
            latex_post="",
        )


def css() -> str:
    """Return the style of every note type."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def _fields(base: int, names: list[str]) -> tuple[Field, ...]:
    spare = [f"Spare {number}" for number in range(1, SPARE + 1)]
    return tuple(Field(name, base + number) for number, name in enumerate([*names, *spare], start=1))


def _revised(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def _depth_tree() -> NoteType:
    names = ["Title"]
    for prefix in FIELD_PREFIX.values():
        names += [f"{prefix}Question", f"{prefix}Answer", f"{prefix}Proof"]
    cards = []
    for number, (part, prefix) in enumerate(FIELD_PREFIX.items(), start=1):
        front = templates.question(
            f"{prefix}Question", templates.ladder(part), templates.way_to(part), templates.GOALS[part]
        )
        back = templates.answer(f"{prefix}Answer", f"{prefix}Proof", templates.deeper_than(part))
        cards.append(Template(templates.level_name(part), BASE + 150 + number, front, back))
    fields = _fields(BASE + 100, [*names, "Source", "Status", "Id"])
    return NoteType(
        "depth-tree", "proofdeck Depth tree", BASE + 100, fields, tuple(cards), _revised(2026, 11, 22)
    )


def _basic() -> NoteType:
    fields = _fields(BASE + 200, ["Title", "Question", "Answer", "Proof", "Source", "Status", "Id"])
    front = templates.question("Question", templates.kind("Question"), "", templates.ANSWER)
    card = Template("Card", BASE + 251, front, templates.answer("Answer", "Proof"))
    return NoteType("basic", "proofdeck Basic", BASE + 200, fields, (card,), _revised(2026, 11, 22))


def _cloze() -> NoteType:
    fields = _fields(BASE + 300, ["Title", "Question", "Text", "Extra", "Proof", "Source", "Status", "Id"])
    card = Template("Cloze", BASE + 351, *templates.cloze_sides())
    return NoteType(
        "cloze", "proofdeck Cloze", BASE + 300, fields, (card,), _revised(2026, 11, 22), cloze=True
    )


NOTE_TYPES: dict[str, NoteType] = {kind.key: kind for kind in (_depth_tree(), _basic(), _cloze())}

_SPECIAL = {"FrontSide", "Tags", "Type", "Deck", "Subdeck", "Card", "CardFlag", "CardID"}
_FIELD_NAME = re.compile(r"[^:{}\"#/^ ][^:{}\"]*")
_REPLACEMENT = re.compile(r"\{\{([#^/]?)(?:[a-z]+:)*([^{}]+)\}\}")


def template_problems(kind: NoteType) -> list[str]:
    """Say what Anki's template editor would refuse; its importer takes anything and fails at review."""
    found: list[str] = []
    names = set(kind.field_names)
    found += [f"`{name}` is no field name" for name in names if not _FIELD_NAME.fullmatch(name)]
    if len(names) != len(kind.fields):
        found.append("two fields have one name")
    fronts = [template.front for template in kind.templates]
    if len(set(fronts)) != len(fronts):
        found.append("two templates have the same front")
    for template in kind.templates:
        for side, html in (("front", template.front), ("back", template.back)):
            used = [(mark, name.strip()) for mark, name in _REPLACEMENT.findall(html)]
            found += [
                f"the {side} of `{template.name}` names the unknown field `{name}`"
                for _, name in used
                if name not in names | _SPECIAL
            ]
            if side == "front" and not any(name in names and not mark for mark, name in used):
                found.append(f"the front of `{template.name}` shows no field")
            if kind.cloze and "{{cloze:" not in html:
                found.append(f"the {side} of `{template.name}` has no cloze")
            opened = [name for mark, name in used if mark in "#^" and mark]
            closed = [name for mark, name in used if mark == "/"]
            if sorted(opened) != sorted(closed):
                found.append(f"a section of the {side} of `{template.name}` is not closed")
    return found
