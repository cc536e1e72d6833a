"""What a text must contain, in lower case, for a pattern to match it: found once, and cheap to look for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

Kept = TypeVar("Kept")

SHORTEST = 2
"""Characters of a needle worth looking for."""


def needles(pattern: str) -> tuple[str, ...]:
    """Return texts of which every match holds at least one; empty where nothing is certain."""
    found = [_longest(branch) for branch in _branches(pattern)]
    return tuple(dict.fromkeys(needle for each in found for needle in each)) if all(found) else ()


class Sieve(Generic[Kept]):
    """Things with patterns, of which a text picks those that can match it."""

    def __init__(self, things: Sequence[Kept], patterns: Sequence[str]) -> None:
        self._things = things
        self._always: list[int] = []
        self._by_needle: dict[str, list[int]] = {}
        for place, pattern in enumerate(patterns):
            found = needles(pattern)
            for needle in found:
                self._by_needle.setdefault(needle, []).append(place)
            if not found:
                self._always.append(place)
        self._needles = list(self._by_needle)

    def candidates(self, lowered: str) -> Iterator[Kept]:
        """Yield, in their order, the things that a text in lower case may be about."""
        places = set(self._always)
        for needle in [needle for needle in self._needles if needle in lowered]:
            places.update(self._by_needle[needle])
        yield from (self._things[place] for place in sorted(places))


def _branches(pattern: str) -> Iterator[str]:
    """Yield what stands between the bars of a pattern, outside of its groups."""
    begin = depth = 0
    for place, char in _marks(pattern):
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            yield pattern[begin:place]
            begin = place + 1
    yield pattern[begin:]


def _marks(pattern: str) -> Iterator[tuple[int, str]]:
    """Yield brackets and bars that are neither escaped nor in a class of characters."""
    place = 0
    while place < len(pattern):
        char = pattern[place]
        if char == "\\":
            place += 1
        elif char == "[":
            place = _end_of_class(pattern, place)
        elif char in "()|":
            yield place, char
        place += 1


def _end_of_class(pattern: str, place: int) -> int:
    place += 2  # a bracket right behind the opening one is a character
    while place < len(pattern) and pattern[place] != "]":
        place += 2 if pattern[place] == "\\" else 1
    return place


def _longest(branch: str) -> tuple[str, ...]:
    """Return the alternatives of the piece of a branch whose shortest alternative is longest."""
    best: tuple[str, ...] = ()
    for piece in _pieces(branch):
        if piece and min(map(len, piece)) > (min(map(len, best)) if best else SHORTEST - 1):
            best = piece
    return best


def _pieces(branch: str) -> Iterator[tuple[str, ...]]:
    """Yield literal runs, and the needles of groups, that every match of a branch holds."""
    run, place = "", 0
    while place < len(branch):
        char = branch[place]
        end, group = place + 1, ""
        if char == "\\":
            end, char = place + 2, _escaped(branch[place + 1 : place + 2])
        elif char == "[":
            end, char = _end_of_class(branch, place) + 1, ""
        elif char == "(":
            end, char = _end_of_group(branch, place), ""
            group = branch[place:end]
        elif char in ".^$)":
            char = ""
        optional, behind = _quantifier(branch, end)
        if not char or optional:
            yield (run,)
            run = ""
            if group and not optional:
                yield _of_group(group)
        else:
            run += char.lower()
            if behind > end:
                yield (run,)
                run = ""
        place = behind
    yield (run,)


def _escaped(char: str) -> str:
    return "" if char.isalnum() else char


def _end_of_group(branch: str, place: int) -> int:
    depth = 0
    for ahead, char in _marks(branch[place:]):
        depth += (char == "(") - (char == ")")
        if not depth:
            return place + ahead + 1
    return len(branch)


def _of_group(group: str) -> tuple[str, ...]:
    inner = group[1:-1]
    if inner.startswith("?:"):
        return needles(inner[2:])
    if inner.startswith("?P<"):
        return needles(inner[inner.index(">") + 1 :])
    return () if inner.startswith("?") else needles(inner)


def _quantifier(branch: str, place: int) -> tuple[bool, int]:
    """Return whether what stands before may be missing, and where the pattern goes on."""
    mark = branch[place : place + 1]
    end = place
    if mark in ("?", "*", "+"):
        end = place + 1
    elif mark == "{":
        end = branch.index("}", place) + 1
    if end > place and branch[end : end + 1] == "?":
        end += 1
    return mark in ("?", "*") or branch[place : place + 2] in ("{0", "{,"), end
