"""YAML mappings, read so that no text whatever raises anything but a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from proofdeck.errors import Problem


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


KeyPath = tuple[str, ...]
"""The keys that lead to an entry of a mapping, and its own."""


def places_in(text: str | bytes) -> dict[KeyPath, tuple[int, int]]:
    """Return line and column, from 1, of every key and list item of a YAML mapping, by the keys that lead there.

    `cards: [a.md]` gives ("cards",) and ("cards", "a.md"). Of keys that stand twice the last counts, as in YAML.
    """
    found: dict[KeyPath, tuple[int, int]] = {}
    entered: set[int] = set()

    def walk(node: yaml.Node | None, path: KeyPath) -> None:
        if id(node) in entered:  # an alias may lead into what it stands in
            return
        entered.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                note(key, path)
                walk(value, (*path, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                note(item, path)

    def note(node: yaml.Node, path: KeyPath) -> None:
        found[*path, str(node.value)] = node.start_mark.line + 1, node.start_mark.column + 1

    walk(yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), ())
    return found


class YamlFile:
    """A YAML mapping, and what is wrong with it, told where it stands."""

    def __init__(self, path: Path, file: str, problems: list[Problem]) -> None:
        self.path, self.file, self.problems = path, file, problems
        self._places: dict[KeyPath, tuple[int, int]] | None = None

    def read(self) -> dict[Any, Any] | None:
        """Return the mapping, or None after telling what it is not."""
        try:
            return read_mapping(self.path.read_bytes())
        except Unreadable as error:
            told = Problem(self.file, error.line, error.column, str(error), "write `key: value` lines")
            self.problems.append(told)
            return None

    def wrong(self, message: str, hint: str = "", *at: object) -> None:
        """Tell what is wrong with the entry that the keys `at` lead to, or with the whole file."""
        if self._places is None:
            self._places = places_in(self.path.read_bytes())
        line, column = self._places.get(tuple(map(str, at)), (0, 0))
        self.problems.append(Problem(self.file, line, column, message, hint))
