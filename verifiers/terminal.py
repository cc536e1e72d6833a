"""Terminal interfaces: widths of text, cursor addresses, frames, renders and their order."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import permutations

from proofdeck import verifier
from verifiers import arguments

JOINER, EMOJI_STYLE = "\u200d", "\ufe0f"


def _width(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cells(text: str) -> int:
    """Columns of a line: marks take none, wide letters two, a joined or styled emoji two in all."""
    total, base, joined = 0, 0, False
    for letter in text:
        toned = base == 2 and "\U0001f3fb" <= letter <= "\U0001f3ff"
        width = 0 if joined or toned else _width(letter)
        if letter == EMOJI_STYLE and base == 1:
            total += 1
            base = 2
        joined = letter == JOINER and base == 2
        total += width
        base = width or base
    return total


@verifier
def lengths(text: str) -> dict[str, int]:
    """Four lengths of a text: UTF-8 bytes, UTF-16 units (JavaScript's length), code points, columns.

    Unit: utf8=B, utf16=1, code_points=1, cells=1
    Source: uax11
    """
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValueError("a control character has no width")
    return {
        "utf8": len(text.encode()), "utf16": len(text.encode("utf-16-le")) // 2,
        "code_points": len(text), "cells": cells(text),
    }  # fmt: skip


class Screen:
    """A terminal that knows plain letters and the address of the cursor, which counts from 1."""

    def __init__(self, rows: int, columns: int) -> None:
        self.lines = [[" "] * columns for _ in range(rows)]

    def write(self, text: str) -> None:
        """Take output; letters go to the right of the last address."""
        row = column = 0
        for found in re.finditer(r"\x1b\[(\d+);(\d+)H|(.)", text):
            if found[3]:
                self.lines[row][column] = found[3]
                column += 1
            else:
                row, column = int(found[1]) - 1, int(found[2]) - 1

    def frame(self) -> list[str]:
        """All lines as they stand."""
        return ["".join(line) for line in self.lines]


def address(row: int, column: int) -> str:
    """Sequence that puts the cursor on a place counted from 0."""
    return f"\x1b[{row + 1};{column + 1}H"


def confirm_addresses(address: Callable[[int, int], str], rows: int, columns: int) -> None:
    """Check that a letter lands in the cell that was addressed, and nowhere else."""
    for row in range(rows):
        for column in range(columns):
            screen = Screen(rows, columns)
            try:
                screen.write(address(row, column) + "x")
            except IndexError:
                raise AssertionError(f"{row}, {column}: off the screen") from None
            blank = [" " * columns] * rows
            blank[row] = " " * column + "x" + " " * (columns - column - 1)
            assert screen.frame() == blank, f"{row}, {column}: another cell was written"


@verifier
def addresses_count_from_one(rows: int = 4, columns: int = 7) -> dict[str, int]:
    """Check that adding one to both coordinates of a layout addresses the right cell of a terminal.

    Unit: check
    Source: ecma48
    """
    confirm_addresses(address, rows, columns)
    return {"rows": rows, "columns": columns}


def changed(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Places at which two frames differ, row by row."""
    places = ((row, column) for row, line in enumerate(new) for column in range(len(line)))
    return [(row, column) for row, column in places if old[row][column] != new[row][column]]


def patch(old: Sequence[str], new: Sequence[str]) -> str:
    """Output that turns one frame into another: an address before each run of changed letters."""
    places = changed(old, new)
    return "".join(
        ("" if (row, column - 1) in places else address(row, column)) + new[row][column]
        for row, column in places
    )


def redraw(frame: Sequence[str]) -> str:
    """Output that draws a whole frame."""
    return "".join(address(row, 0) + line for row, line in enumerate(frame))


@verifier
def patch_bytes(old: Sequence[str], new: Sequence[str]) -> dict[str, int]:
    """Cells that differ between two frames, the bytes of a patch, and those of writing the frame anew.

    Unit: changed=1, patch=B, full=B
    Source: definition
    """
    if [len(line) for line in old] != [len(line) for line in new]:
        raise ValueError("the frames have different sizes")
    letters = "".join([*old, *new])
    if not letters.isascii() or "\x1b" in letters:
        raise ValueError("frames are of plain ASCII letters")
    return {"changed": len(changed(old, new)), "patch": len(patch(old, new)), "full": len(redraw(new))}


def confirm_patch(
    patch: Callable[[Sequence[str], Sequence[str]], str], rows: int, columns: int, seeds: int
) -> None:
    """Check that a patch turns one random frame into the next."""
    for seed in range(seeds):
        chance = random.Random(seed)
        frames = [["".join(chance.choices("ab", k=columns)) for _ in range(rows)] for _ in range(2)]
        screen = Screen(rows, columns)
        screen.lines = [list(line) for line in frames[0]]
        screen.write(patch(*frames))
        assert screen.frame() == frames[1], f"seed {seed}: the screen shows something else"


@verifier
def patch_draws_the_new_frame(rows: int = 4, columns: int = 9, seeds: int = 20) -> dict[str, int]:
    """Check that writing only changed cells leaves the same screen as drawing the whole new frame.

    Unit: check
    Source: definition
    """
    confirm_patch(patch, rows, columns, seeds)
    return {"rows": rows, "columns": columns, "seeds": seeds}


@verifier
def renders(shown: Sequence[int], selective: bool) -> int:
    """Renders of a subscriber over updates of a state, of which it shows a part with the values `shown`.

    A selective subscriber draws again only where its part has changed; another with every update.

    Unit: 1
    Source: definition
    """
    if not selective:
        return len(shown)
    return sum(before != after for before, after in zip([None, *shown], shown, strict=False))


@verifier
def frames(changes: Sequence[float], interval: float) -> int:
    """Frames drawn when changes wait for the next tick of a clock and share its frame.

    Formula: number of different ⌊time / interval⌋.
    Unit: 1
    Source: definition
    """
    arguments.positive(interval=interval)
    arguments.non_negative(**{f"changes[{index}]": time for index, time in enumerate(changes)})
    tick = Fraction(repr(interval))  # decimals as they are written: 0.3 begins the fourth tenth
    return len({Fraction(repr(time)) // tick for time in changes})


def fill_slots(arrivals: Iterable[int], size: int) -> list[int]:
    """Put each result into the slot of its call."""
    slots = [-1] * size
    for number in arrivals:
        slots[number] = number
    return slots


def confirm_slots(fill: Callable[[Iterable[int], int], list[int]], size: int) -> int:
    """Check that every order of arrival gives the same view; return how many there are."""
    views = [fill(order, size) for order in permutations(range(size))]
    assert all(view == list(range(size)) for view in views), "the order of arrival shows"
    return len(views)


@verifier
def slots_hide_the_order_of_arrival(results: int = 5) -> dict[str, int]:
    """Check that results shown in the slots of their calls look the same in whatever order they arrive.

    Unit: check
    Source: definition
    """
    return {"results": results, "orders": confirm_slots(fill_slots, results)}


@verifier
def emitted_nodes(depth: int, fan_out: int = 1) -> dict[str, int]:
    """Nodes of an even tree, and those emitted by code that walks a subtree and recurses at each node too.

    Formula: E(d) = Σₗ fˡ · (1 + f · E(d − l − 1)) over the levels l < d; 2ᵈ − 1 in a chain.
    Unit: nodes=1, emitted=1
    Source: definition
    """
    arguments.counts(depth=depth, fan_out=fan_out)
    emitted: list[int] = [0]
    for height in range(1, depth + 1):
        levels = range(height)
        emitted.append(sum(fan_out**level * (1 + fan_out * emitted[height - level - 1]) for level in levels))
    return {"nodes": sum(fan_out**level for level in range(depth)), "emitted": emitted[-1]}
