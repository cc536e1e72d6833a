"""Independent ways to the numbers of verifiers/terminal.py."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import terminal

TEXTS = {
    "abc": 3, "": 0, "日本": 4, "\U0001f389": 2, "e\u0301": 1, "é": 1, "한글": 4, "Ａ": 2, "ﬀ": 1, "a\u200db": 2,
    "\U0001f468\u200d\U0001f469\u200d\U0001f466": 2,
    "\u2764\ufe0f": 2, "\u2764": 1, "\u2764\ufe0f\u200d\U0001f525": 2,
    "\U0001f1e9\U0001f1ea": 2, "\U0001f44d\U0001f3fd": 2, "\U0001f44d\U0001f3fb": 2, "\U0001f44d\U0001f3ff": 2,
    "x\U0001f3fd": 3, "a\u20dd": 1, "日\ufe0f": 2, "\U0001f389\U0001f389": 4, "\U0001f468\u200d\U0001f469x": 3,
    "\u2764\ufe0fx": 3, "\u2764x\ufe0f": 3, "naïve 日": 8, "\ufe0fx": 1,
}  # fmt: skip


@witnesses("terminal.lengths")
@pytest.mark.parametrize("text", TEXTS)
def test_lengths_agree_with_encodings_and_a_terminal_library(text: str) -> None:
    found = terminal.lengths(text)
    assert found["code_points"] == sum(1 for _ in text)
    assert found["utf16"] == sum(2 if ord(letter) > 0xFFFF else 1 for letter in text)
    assert found["utf8"] == sum(1 + (ord(c) > 0x7F) + (ord(c) > 0x7FF) + (ord(c) > 0xFFFF) for c in text)
    assert found["cells"] == TEXTS[text]
    assert all(isinstance(length, int) for length in found.values())
    if text not in ("a\u200db", "\u2764x\ufe0f", "x\U0001f3fd"):  # where libraries differ
        cells = pytest.importorskip("rich.cells")
        assert cells.cell_len(text) == TEXTS[text]


def emulate(output: str, rows: int, columns: int) -> list[str]:
    """A terminal as a state machine over single letters."""
    cells = {(row, column): " " for row in range(1, rows + 1) for column in range(1, columns + 1)}
    row = column = 1
    state, numbers = "text", ""
    for letter in output:
        if state == "text" and letter == "\x1b":
            state = "escape"
        elif state == "escape":
            assert letter == "["
            state, numbers = "numbers", ""
        elif state == "numbers" and letter == "H":
            row, column = (int(number) for number in numbers.split(";"))
            state = "text"
        elif state == "numbers":
            numbers += letter
        else:
            assert (row, column) in cells
            cells[row, column] = letter
            column += 1
    return ["".join(cells[row, column] for column in range(1, columns + 1)) for row in range(1, rows + 1)]


@witnesses("terminal.addresses_count_from_one")
def test_addresses_land_where_they_point() -> None:
    for row in range(3):
        for column in range(12):
            frame = emulate(terminal.address(row, column) + "x", 3, 12)
            assert [(r, line.index("x")) for r, line in enumerate(frame) if "x" in line] == [(row, column)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "address", lambda row, column: f"\x1b[{row};{column}H")
        with pytest.raises(AssertionError, match=r"cell|screen"):
            terminal.addresses_count_from_one()
    assert terminal.addresses_count_from_one() == {"rows": 4, "columns": 7}
    for broken in (
        lambda row, column: f"\x1b[{row};{column}H",
        lambda row, column: f"\x1b[{column + 1};{row + 1}H",
        lambda row, column: f"\x1b[{row + 2};{column + 1}H",
        lambda row, column: f"\x1b[{row + 1};{column + 2}H",
        lambda row, column: "",
    ):
        with pytest.raises(AssertionError, match=r"cell|screen"):
            terminal.confirm_addresses(broken, 4, 7)


def test_addresses_of_every_cell_are_tried() -> None:
    seen = []

    def remember(row: int, column: int) -> str:
        seen.append((row, column))
        return terminal.address(row, column)

    terminal.confirm_addresses(remember, 2, 3)
    assert seen == [(row, column) for row in range(2) for column in range(3)]
    for row, column in seen:
        with pytest.raises(AssertionError, match=f"{row}, {column}: "):
            terminal.confirm_addresses(
                lambda r, c, row=row, column=column: (
                    terminal.address(r, c) + "y" if (r, c) == (row, column) else terminal.address(r, c)
                ),
                2,
                3,
            )


def test_the_screen_equals_another_emulator() -> None:
    chance = random.Random(1)
    for _ in range(50):
        output = "".join(
            f"\x1b[{chance.randint(1, 3)};{chance.randint(1, 4)}H"
            + "".join(chance.choices("xyz", k=chance.randrange(4)))
            for _ in range(5)
        )
        screen = terminal.Screen(3, 7)
        screen.write(output)
        assert screen.frame() == emulate(output, 3, 7)
    screen = terminal.Screen(1, 3)
    screen.write("ab")
    assert screen.frame() == ["ab "]


@witnesses("terminal.patch_bytes", "terminal.patch_draws_the_new_frame")
def test_patches_turn_one_frame_into_the_next() -> None:
    chance = random.Random(3)
    for _ in range(60):
        old, new = (["".join(chance.choices("ab ", k=12)) for _ in range(3)] for _ in range(2))
        paint = "".join(f"\x1b[{row};1H{line}" for row, line in enumerate(old, 1))
        patch = terminal.patch(old, new)
        assert emulate(paint + patch, 3, 12) == new == emulate(terminal.redraw(new), 3, 12)
        flat = list(zip("|".join(old), "|".join(new), strict=True))
        starts = [
            at for at, (a, b) in enumerate(flat) if a != b and (at == 0 or flat[at - 1][0] == flat[at - 1][1])
        ]
        places = [divmod(at, 13) for at in starts]
        moves = sum(len(f"\x1b[{row + 1};{column + 1}H") for row, column in places)
        changed = sum(a != b for a, b in flat)
        full = sum(len(f"\x1b[{row};1H") + 12 for row in (1, 2, 3))
        assert terminal.patch_bytes(old, new) == {"changed": changed, "patch": moves + changed, "full": full}
    assert terminal.patch_bytes(["ab"], ["ab"]) == {"changed": 0, "patch": 0, "full": 8}
    with pytest.MonkeyPatch.context() as patch_:
        patch_.setattr(terminal, "patch", lambda old, new: "")
        with pytest.raises(AssertionError, match="something else"):
            terminal.patch_draws_the_new_frame()
    assert terminal.patch_draws_the_new_frame() == {"rows": 4, "columns": 9, "seeds": 20}


def test_broken_patches_are_noticed() -> None:
    def full(old: Sequence[str], new: Sequence[str]) -> str:
        return "".join(terminal.address(row, 0) + line for row, line in enumerate(new))

    terminal.confirm_patch(full, 3, 5, 5)
    for broken in (
        lambda old, new: "",
        lambda old, new: full(old, old),
        lambda old, new: full(old, new[:-1]),
        lambda old, new: terminal.patch(new, old),
    ):
        with pytest.raises(AssertionError, match="something else"):
            terminal.confirm_patch(broken, 3, 5, 5)
    frames = []

    def remember(old: Sequence[str], new: Sequence[str]) -> str:
        frames.append((tuple(old), tuple(new)))
        return full(old, new)

    terminal.confirm_patch(remember, 3, 5, 4)
    assert len(set(frames)) == 4
    assert all(len(old) == len(new) == 3 and {*map(len, old), *map(len, new)} == {5} for old, new in frames)
    assert {letter for old, new in frames for line in (*old, *new) for letter in line} == {"a", "b"}
    assert all(old != new for old, new in frames)


@witnesses("terminal.renders")
def test_renders_equal_a_store_with_subscribers() -> None:
    class Store:
        def __init__(self) -> None:
            self.renders = 0
            self.last: list[int] = []

        def update(self, value: int, selective: bool) -> None:
            if not selective or self.last != [value]:
                self.renders += 1
            self.last = [value]

    chance = random.Random(5)
    for _ in range(40):
        values = [chance.randrange(2) for _ in range(chance.randrange(9))]
        for selective in (False, True):
            store = Store()
            for value in values:
                store.update(value, selective)
            assert terminal.renders(values, selective) == store.renders
    assert terminal.renders([7] * 200, selective=True) == 1
    assert terminal.renders([0], selective=True) == 1


@witnesses("terminal.frames")
def test_frames_equal_ticks_with_something_to_draw() -> None:
    chance = random.Random(6)
    for _ in range(40):
        changes = [chance.randrange(50) for _ in range(12)]
        drawn = sum(any(tick <= change < tick + 8 for change in changes) for tick in range(0, 56, 8))
        assert terminal.frames(changes, 8) == drawn
    assert terminal.frames([0.001] * 100, 0.016) == 1
    assert terminal.frames([], 1) == 0
    assert terminal.frames([tenth / 10 for tenth in range(100)], 0.1) == 100


@witnesses("terminal.slots_hide_the_order_of_arrival")
def test_slots_equal_sorting_and_appending_fails() -> None:
    for order in permutations(range(4)):
        assert terminal.fill_slots(order, 4) == sorted(order)
    assert terminal.fill_slots([2], 4) == [-1, -1, 2, -1]
    assert terminal.confirm_slots(lambda arrivals, size: sorted(arrivals), 4) == 24
    assert terminal.slots_hide_the_order_of_arrival() == {"results": 5, "orders": 120}
    with pytest.raises(AssertionError, match="order of arrival"):
        terminal.confirm_slots(lambda arrivals, size: list(arrivals), 3)


class Node:
    def __init__(self, depth: int, fan_out: int) -> None:
        self.children = [Node(depth - 1, fan_out) for _ in range(fan_out)] if depth > 1 else []

    def walk(self) -> list[Node]:
        return [self, *(node for child in self.children for node in child.walk())]


def render(node: Node, out: list[Node]) -> None:
    """Walk the whole subtree, and at each of its nodes render the children again."""
    for each in node.walk():
        out.append(each)
        for child in each.children:
            render(child, out)


@witnesses("terminal.emitted_nodes")
@pytest.mark.parametrize(("depth", "fan_out"), [(1, 1), (4, 1), (6, 1), (3, 2), (4, 2), (3, 3), (1, 5)])
def test_emitted_nodes_equal_those_of_a_real_tree(depth: int, fan_out: int) -> None:
    tree, out = Node(depth, fan_out), []  # type: ignore[var-annotated]
    render(tree, out)
    assert terminal.emitted_nodes(depth, fan_out) == {"nodes": len(tree.walk()), "emitted": len(out)}
    if fan_out == 1:
        assert terminal.emitted_nodes(depth) == {"nodes": depth, "emitted": 2**depth - 1}


@pytest.mark.parametrize(
    "call",
    [
        lambda: terminal.lengths("a\n"),
        lambda: terminal.patch_bytes(["a"], ["ab"]),
        lambda: terminal.patch_bytes(["a"], ["a", "b"]),
        lambda: terminal.patch_bytes(["é"], ["a"]),
        lambda: terminal.patch_bytes(["a"], ["é"]),
        lambda: terminal.patch_bytes(["a"], ["\x1b"]),
        lambda: terminal.patch_bytes(["\x1b"], ["a"]),
        lambda: terminal.frames([1], 0),
        lambda: terminal.frames([-1], 1),
        lambda: terminal.emitted_nodes(0),
        lambda: terminal.emitted_nodes(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
