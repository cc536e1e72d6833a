"""Anki's template language: a note's fields and a card's templates to the HTML of its two sides.

What Anki's own renderer does with the templates of our note types: `{{Field}}`, `{{#Field}}…{{/Field}}`,
`{{^Field}}…{{/Field}}`, `{{cloze:Field}}`, `{{FrontSide}}` and the special fields. The tests hold it against the
real engine, card by card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from proofdeck.package.notetypes import NOTE_TYPES, NoteType

_TAG = re.compile(r"\{\{([#^/]?)([^{}]+)\}\}")
_BLANK = re.compile(r"(?:\s|</?(?:br|div) ?/?>)*", re.I | re.A)
"""What Anki takes for an empty field; a space beyond ASCII fills one."""
_CLOZE = re.compile(r"\{\{c(\d+)::(.*?)\}\}", re.S)
_MATH = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]", re.S)
_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Section:
    """`{{#Field}}…{{/Field}}`, or with `inverted` `{{^Field}}…{{/Field}}`."""

    field: str
    inverted: bool
    inside: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Replacement:
    """`{{Field}}` or `{{filter:Field}}`."""

    field: str
    filter: str


Node = str | Section | Replacement


@dataclass(frozen=True, slots=True)
class Sides:
    """What Anki shows of a card."""

    name: str
    """The template, as Anki lists it: `L2`, `Cloze 3`."""
    ordinal: int
    front: str
    back: str


def sides(kind: str, fields: Mapping[str, str], ordinal: int, deck: str, tags: str) -> Sides:
    """Return both sides of a card of a note of type `kind`; `ordinal` is Anki's, from 0."""
    note_type = NOTE_TYPES[kind]
    template = note_type.templates[0 if note_type.cloze else ordinal]
    known = dict(fields) | _special(note_type, template.name, deck, tags)
    number = ordinal + 1 if note_type.cloze else 0
    front = "".join(_render(_parsed(template.front), known, number, question=True))
    known["FrontSide"] = front
    back = "".join(_render(_parsed(template.back), known, number, question=False))
    return Sides(f"{template.name} {number}" if number else template.name, ordinal, front, back)


def _special(note_type: NoteType, template: str, deck: str, tags: str) -> dict[str, str]:
    """Return the special fields; Anki takes them for HTML as they are, as it does every field."""
    return {
        "Tags": tags, "Type": note_type.name, "Card": template,
        "Deck": deck, "Subdeck": deck.rpartition("::")[2],
    }  # fmt: skip


@cache
def _parsed(template: str) -> tuple[Node, ...]:
    pieces = _TAG.split(template)  # text, mark, name, text, mark, name, …, text
    stack: list[tuple[str, bool, list[Node]]] = [("", False, [pieces[0]])]
    for mark, name, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        name = name.strip()
        if mark in ("#", "^"):
            stack.append((name, mark == "^", []))
        elif mark == "/":
            field, inverted, inside = stack.pop()
            assert field == name, f"a section of {field} ends as {name}"
            stack[-1][2].append(Section(field, inverted, tuple(inside)))
        else:
            how, _, field = name.rpartition(":")
            stack[-1][2].append(Replacement(field, how))
        stack[-1][2].append(text)
    assert len(stack) == 1, f"the section of {stack[-1][0]} is not closed"
    return tuple(stack[0][2])


def _render(nodes: tuple[Node, ...], fields: Mapping[str, str], number: int, question: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, Section):
            filled = not _BLANK.fullmatch(fields.get(node.field, ""))
            if filled != node.inverted:
                yield from _render(node.inside, fields, number, question)
        elif node.filter == "cloze":
            yield _cloze(fields.get(node.field, ""), number, question)
        else:
            yield fields.get(node.field, "")


def _cloze(text: str, number: int, question: bool) -> str:
    """Return a cloze text with cloze `number` hidden, or shown on the back; Anki knows the others as inactive."""

    def one(found: re.Match[str]) -> str:
        its, body = int(found[1]), found[2]
        shown, _, hint = body.partition("::")
        if its != number:
            return f'<span class="cloze-inactive" data-ordinal="{its}">{shown}</span>'
        if question:
            return f'<span class="cloze" data-cloze="{_attribute(shown)}" data-ordinal="{its}">[{hint or "..."}]</span>'
        return f'<span class="cloze" data-ordinal="{its}">{shown}</span>'

    revealed = _CLOZE.sub(one, text)
    # Anki takes markup out of math, which MathJax would not read
    return _MATH.sub(lambda found: _MARKUP.sub("", found[0]), revealed)


_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def _attribute(text: str) -> str:
    """Escape a text as the engine does in an attribute: all of Latin-1 that is no letter or digit of ASCII."""
    return "".join(
        char
        if (char.isascii() and char.isalnum()) or ord(char) > 255
        else _NAMED.get(char, f"&#x{ord(char):02X};")
        for char in text
    )
