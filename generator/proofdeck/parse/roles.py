"""Role text to claims: `{value}`, `{check}`, `{cite}`, `{table}`, `{figure}`, `{judgement}`, `{cloze}`."""

from __future__ import annotations

import re
from collections.abc import Callable

from proofdeck.errors import Problem, did_you_mean
from proofdeck.parse.expressions import (
    ExpressionError,
    parse_call,
    parse_check,
    parse_operand,
)
from proofdeck.parse.model import (
    Body,
    Check,
    Cite,
    Claim,
    Cloze,
    Figure,
    Judgement,
    Place,
    Table,
    Value,
    claims_in,
)
from proofdeck.units import FormatError, parse_format

Nested = Callable[[str, int], Body]
"""Reads inline Markdown inside a role; takes the text and its offset in the role's content."""

LAST_CLOZE = 500
_CLOZE = re.compile(r"\s*c?(\d{1,3})\s*:(?!:)\s*")
_KEY = re.compile(r"[A-Za-z0-9][\w:.-]*$")


def read_role(name: str, text: str, place: Place, nested: Nested, problems: list[Problem]) -> Claim | None:
    """Return the claim that a role makes, or None after adding what is wrong to `problems`."""
    read = READERS.get(name)
    if read is None:
        hint = did_you_mean(name, READERS) or f"roles are: {' '.join(READERS)}"
        problems.append(place.problem(f"unknown role `{{{name}}}`", hint))
        return None
    if not text.strip():
        problems.append(place.problem(f"empty role `{{{name}}}`", EXAMPLES[name]))
        return None
    try:
        return read(text, place, nested)
    except (ExpressionError, FormatError) as error:
        hint = getattr(error, "hint", "") or EXAMPLES[name]
        problems.append(place.problem(f"{{{name}}}: {error}", hint))
        return None


def _piped(text: str) -> tuple[str, str]:
    """Split at the last `|` outside quotes."""
    quote, cut = "", -1
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[index - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == "|":
            cut = index
    return (text, "") if cut < 0 else (text[:cut], text[cut + 1 :])


def _value(text: str, place: Place, _nested: Nested) -> Value:
    expression, how = _piped(text)
    return Value(place, text, parse_operand(expression), parse_format(how))


def _check(text: str, place: Place, _nested: Nested) -> Check:
    return Check(place, text, parse_check(text))


def _table(text: str, place: Place, _nested: Nested) -> Table:
    expression, how = _piped(text)
    formats = []
    for item in filter(None, (item.strip() for item in how.split(","))):
        column, equals, spec = item.partition("=")
        formats.append((column.strip(), parse_format(spec)) if equals else ("", parse_format(item)))
    return Table(place, text, parse_call(expression), tuple(formats))


def _figure(text: str, place: Place, _nested: Nested) -> Figure:
    return Figure(place, text, parse_call(text))


def _cite(text: str, place: Place, _nested: Nested) -> Cite:
    keys = tuple(key.strip() for key in text.split(","))
    for key in keys:
        if not _KEY.match(key):
            raise ExpressionError(f"`{key}` is not the name of a reference")
    return Cite(place, text, keys)


def _judgement(text: str, place: Place, nested: Nested) -> Judgement:
    return Judgement(place, text, nested(text, 0))


def _cloze(text: str, place: Place, nested: Nested) -> Cloze:
    found = _CLOZE.match(text)
    if not found or not int(found[1]):
        raise ExpressionError("a cloze begins with its number, which is the card's identity in Anki")
    if int(found[1]) > LAST_CLOZE:
        raise ExpressionError(f"Anki has no cloze {found[1]}", f"clozes are numbered 1 to {LAST_CLOZE}")
    hidden, hint = _cloze_hint(text[found.end() :])
    if not hidden.strip():
        raise ExpressionError("a cloze hides some text")
    body = nested(hidden, found.end())
    if any(isinstance(claim, Cloze) for claim in claims_in(body)):
        raise ExpressionError("a cloze inside a cloze", "write them one after the other")
    return Cloze(place, text, int(found[1]), body, hint)


_SHELTERED = re.compile(r"\\.|(`+).+?\1|\$(?=\S)[^$]*?[^\s$\\]\$(?!\d)", re.S)
"""Escapes, code and math, inside which a bar separates nothing."""


def _cloze_hint(text: str) -> tuple[str, str]:
    """Split off ` | hint`; a bar inside code or math, or without spaces around, belongs to the text."""
    plain = _SHELTERED.sub(lambda match: "x" * len(match[0]), text)
    cut = f" {plain}".rfind(" | ")
    return (text, "") if cut < 0 else (text[: max(0, cut - 1)], text[cut + 2 :].strip())


READERS: dict[str, Callable[[str, Place, Nested], Claim]] = {
    "value": _value,
    "check": _check,
    "cite": _cite,
    "table": _table,
    "figure": _figure,
    "judgement": _judgement,
    "cloze": _cloze,
}
EXAMPLES = {
    "value": "write {value}`module.function(arguments) | GB`",
    "check": "write {check}`module.property()` or {check}`module.function() ≈ 2 ± 5%`",
    "cite": "write {cite}`key`, a key of cards/references.yaml",
    "table": "write {table}`module.function(arguments) | size=GB, share=%`",
    "figure": "write {figure}`module.function`",
    "judgement": "write {judgement}`the advice`",
    "cloze": "write {cloze}`1: hidden text` or {cloze}`1: hidden text | hint`",
}
