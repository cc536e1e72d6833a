"""JSON as text: what is valid, what a schema refuses, and how an unfinished reply can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from proofdeck import verifier
from verifiers import arguments


@verifier
def valid(text: str) -> int:
    """1 if a text is JSON, 0 if not; a line of log text is not.

    Unit: 1
    Source: rfc8259
    """
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str)  # Python limits the digits of an int
    except ValueError:
        return 0
    return 1


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "integer": (int,),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def is_type(value: Any, name: str) -> bool:
    """Whether a value is of a type of JSON Schema; true is no number, and 1.0 is an integer."""
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name])


def errors(schema: dict[str, Any], value: Any) -> list[str]:
    """Keywords of a schema that a value breaks: type, enum, required, properties, items, minimum, …"""
    found = []
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        for name in names:
            arguments.one_of("type", name, TYPES)
        if not any(is_type(value, name) for name in names):
            found.append("type")
    if "enum" in schema and not any(same(value, each) for each in schema["enum"]):
        found.append("enum")
    if is_type(value, "number"):
        found += ["minimum"] * (value < schema.get("minimum", value))
        found += ["maximum"] * (value > schema.get("maximum", value))
    if isinstance(value, list):
        found += [error for item in value for error in errors(schema.get("items", {}), item)]
    if isinstance(value, dict):
        found += ["required" for name in schema.get("required", []) if name not in value]
        properties = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name not in properties and more is False:
                found.append("additionalProperties")
            inner = properties.get(name, more)
            found += errors(inner, item) if isinstance(inner, dict) else []
    return found


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal; 1 and true are not, at any depth."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


KEYWORDS = {
    "type", "enum", "minimum", "maximum", "items", "required", "properties", "additionalProperties",
}  # fmt: skip


def keywords(schema: Any) -> set[str]:
    """Every keyword of a schema and of the schemas in it, all of which are objects."""
    if not isinstance(schema, dict):
        raise ValueError(f"a schema is an object, not {schema!r}")
    inner = list(schema.get("properties", {}).values())
    inner += [schema[name] for name in ("items", "additionalProperties") if name in schema]
    if isinstance(schema.get("additionalProperties"), bool):
        inner.pop()
    return set(schema).union(*map(keywords, inner))


@verifier
def schema_errors(schema: str, value: str) -> int:
    """Number of faults that a JSON Schema finds in a JSON text; both are given as text.

    Unit: 1
    Source: jsonschema2020
    """
    wanted = json.loads(schema)
    for keyword in sorted(keywords(wanted)):
        arguments.one_of("keyword", keyword, sorted(KEYWORDS))
    return len(errors(wanted, json.loads(value)))


@verifier
def parsable_prefixes(text: str) -> int:
    """Beginnings of a text, the whole included, that are valid JSON by themselves.

    Unit: 1
    Source: rfc8259
    """
    return sum(valid(text[:end]) for end, _ in enumerate(text, 1))


TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[][{}:,])')


def complete_json(prefix: str) -> str:
    """Close the beginning of a JSON text behind its last element; nothing becomes null.

    A number at the end counts as an element, though its next digits may be on the way.
    """
    open_ones: list[str] = []
    best, at, key = "null", 0, False
    while found := TOKEN.match(prefix, at):
        token, at = found[1], found.end()
        if token in "}]":
            open_ones.pop()
        elif token in "{[":
            open_ones.append("}" if token == "{" else "]")
        key = (token in "{," and open_ones[-1:] == ["}"]) or (key and token not in ":}")
        if token == "{" or (token not in ":," and not key):
            best = prefix[:at] + "".join(reversed(open_ones))
    return best


def confirm_completion(complete: Callable[[str], str], texts: Sequence[str]) -> int:
    """Check that every beginning of JSON texts is closed to valid JSON, and the whole is left alone."""
    beginnings = 0
    for text in texts:
        assert json.loads(complete(text)) == json.loads(text), f"{text} is changed"
        for end in range(len(text)):
            closed = complete(text[:end])
            beginnings += 1
            try:
                json.loads(closed)
            except ValueError:
                raise AssertionError(f"{text[:end]!r} becomes {closed!r}") from None
    return beginnings


@verifier
def every_beginning_can_be_closed(
    texts: tuple[str, ...] = ('{"a": [1, {"b": "x\\"]"}], "c": -1.5e3, "d": {}}', '[[], "}", true, null]'),
) -> dict[str, int]:
    """Check that each beginning of a JSON text can be closed to valid JSON without waiting for the rest.

    Unit: check
    Source: definition
    """
    return {"texts": len(texts), "beginnings": confirm_completion(complete_json, texts)}
