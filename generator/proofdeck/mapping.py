"""YAML mappings, read so that no text whatever raises anything but a report."""

from __future__ import annotations

from typing import Any

import yaml


class Unreadable(Exception):
    """Text that is no YAML mapping; line and column count from 1, 0 where unknown."""

    def __init__(self, line: int, column: int, not_what: str) -> None:
        super().__init__(f"not {not_what}")
        self.line = line
        self.column = column


def read_mapping(text: str | bytes) -> dict[Any, Any]:
    """Return the mapping that a YAML text holds, empty for an empty text; raise Unreadable otherwise."""
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except Exception as error:  # beside YAMLError, constructors of odd tags raise nearly anything
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        told = getattr(error, "problem", None) or str(error) or type(error).__name__
        raise Unreadable(line, column, f"YAML: {told}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Unreadable(0, 0, "a mapping")
    return data
