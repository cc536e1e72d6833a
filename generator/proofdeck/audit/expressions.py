"""Expressions of numbers in prose: read from tokens, and worked out for every way to read their numbers."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from proofdeck.audit.judge import Computed
from proofdeck.audit.tokens import Reading, Token

LABEL = 4
"""Words that may follow a number and say what it counts."""
COMBINATIONS = 64
LONGEST = 100
"""Operations of an expression, at most."""
_SIGNS = {
    "×": "*",
    "·": "*",
    "*": "*",
    "x": "*",
    "/": "/",
    "÷": "/",
    "+": "+",
    "-": "-",
    "−": "-",
    "–": "-",
    "^": "^",
    "**": "^",
}
_EACH = frozenset("s h hr GB MB TB KB kB ms".split())
"""Short units that a number can be for each of."""
_NOT_LABELS = frozenset(
    "and or but so then which that while where when is are was gives equals with if vs versus".split()
)


@dataclass(frozen=True, slots=True)
class Number:
    """A leaf of an expression."""

    readings: tuple[Reading, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Two expressions and a sign of `+ - * / ^ √`."""

    sign: str
    left: Expression
    right: Expression


Expression = Number | Operation


class TooLong(Exception):
    """An expression that nobody wrote by hand."""


class Parser:
    """Reads the longest expression that begins at a token."""

    def __init__(self, tokens: Sequence[Token], position: int) -> None:
        self.tokens = tokens
        self.position = position
        self.operations = 0

    def peek(self, kind: str, ahead: int = 0) -> Token | None:
        place = self.position + ahead
        if place < len(self.tokens) and self.tokens[place].kind == kind:
            return self.tokens[place]
        return None

    def sum(self, depth: int = 0) -> Expression | None:
        left = self.product(depth)
        while left is not None and (sign := self._sign("+-")):
            before = self.position
            self.position += 1
            right = self.product(depth)
            if right is None:
                self.position = before
                break
            left = self._joined(sign, left, right)
        return left

    def product(self, depth: int) -> Expression | None:
        left = self.power(depth)
        while left is not None:
            before = self.position
            if sign := self._sign("*/"):
                self.position += 1
            elif self._is_share(left):
                sign = "*"
                self.position += 1
            else:
                break
            right = self.power(depth)
            if right is None:
                self.position = before
                break
            left = self._joined(sign, left, right)
        return left

    def _joined(self, sign: str, left: Expression, right: Expression) -> Operation:
        self.operations += 1
        if self.operations > LONGEST:
            raise TooLong
        return Operation(sign, left, right)

    def power(self, depth: int) -> Expression | None:
        base = self.operand(depth)
        if base is not None and self._sign("^"):
            self.position += 1
            exponent = self.operand(depth)
            if exponent is None:
                return None
            return Operation("^", base, exponent)
        return base

    def operand(self, depth: int) -> Expression | None:
        if depth > 8:
            return None
        if self.peek("sqrt"):
            self.position += 1
            inner = self.operand(depth + 1)
            return inner and Operation("√", inner, inner)
        if self.peek("open"):
            before = self.position
            self.position += 1
            inner = self.sum(depth + 1)
            if inner is None or not self.peek("close"):
                self.position = before
                return None
            self.position += 1
            self._labels()
            return inner
        while (mark := self.peek("mark")) and mark.text in "~$":
            self.position += 1
        number = self.peek("number")
        if number is None:
            return None
        self.position += 1
        self._labels()
        return Number(number.readings, number.text)

    def _sign(self, allowed: str) -> str:
        token = self.peek("op")
        sign = _SIGNS.get(token.text, "") if token else ""
        if token and sign == "-" and allowed == "+-":
            before, after = self.tokens[self.position - 1], self._after()
            # 4-8 is a range, and 4 - 8 a difference
            if after is None or (before.end == token.start or token.end == after.start):
                return ""
            if token.text == "–":
                return ""
        return sign if sign and sign in allowed else ""

    def _after(self) -> Token | None:
        return self.tokens[self.position + 1] if self.position + 1 < len(self.tokens) else None

    def _is_share(self, left: Expression) -> bool:
        """`30% of 200`."""
        word = self.peek("word")
        return (
            word is not None and word.text == "of" and isinstance(left, Number)
            and all(reading.unit == "%" for reading in left.readings)
        )  # fmt: skip

    def _labels(self) -> None:
        """Pass over words, and brackets without numbers, that say what a number counts."""
        words = 0
        while words < LABEL:
            if (word := self.peek("word")) and word.text.lower() not in _NOT_LABELS and word.text != "of":
                self.position += 1
            elif (slash := self.peek("op")) and slash.text == "/" and self._counts(1):
                self.position += 2
            elif (
                (dash := self.peek("op")) and dash.text in "-–" and self.peek("word", 1)
                and dash.end == self.tokens[self.position + 1].start
            ):  # fmt: skip
                self.position += 2
            elif self.peek("open") and (length := self._bracket()):
                self.position += length
            else:
                return
            words += 1

    def _counts(self, ahead: int) -> bool:
        """Say whether a word can be what a number counts for each of: `/request`, `/s`, and not `/pi` or `/n`."""
        word = self.peek("word", ahead)
        return word is not None and (len(word.text) > 2 or word.text in _EACH)

    def _bracket(self) -> int:
        """Return how many tokens a bracket has that holds no number, else 0."""
        for ahead in range(1, 8):
            if self.peek("close", ahead):
                return ahead + 1
            if self.peek("number", ahead) or self.peek("open", ahead):
                return 0
        return 0


def values(expression: Expression) -> list[tuple[Computed, str, bool]]:
    """Return (value, unit, whether usual) of an expression for every way to read its numbers."""
    numbers = list(leaves(expression))
    found = []
    choices = itertools.product(*(leaf.readings for leaf in numbers))
    for readings in itertools.islice(choices, COMBINATIONS):
        chosen = iter(readings)
        value, low, high, unit = _evaluate(expression, chosen)
        exact = not any(reading.place for reading in readings)
        found.append((Computed(value, low, high, exact), unit, all(reading.usual for reading in readings)))
    return found


def leaves(expression: Expression) -> Iterator[Number]:
    if isinstance(expression, Number):
        yield expression
        return
    yield from leaves(expression.left)
    if expression.sign != "√":
        yield from leaves(expression.right)


def _evaluate(expression: Expression, readings: Iterator[Reading]) -> tuple[float, float, float, str]:
    """Return value, lower and upper bound, and unit (`?` where it cannot be told)."""
    if isinstance(expression, Number):
        reading = next(readings)
        half = reading.place / 2
        return (
            reading.value,
            reading.value - half,
            reading.value + half,
            "" if reading.unit in ("%", "x") else reading.unit,
        )
    left, low, high, unit = _evaluate(expression.left, readings)
    try:
        if expression.sign == "√":
            return math.sqrt(left), math.sqrt(max(0.0, low)), math.sqrt(max(0.0, high)), "?" if unit else ""
        right, other_low, other_high, other = _evaluate(expression.right, readings)
        if expression.sign == "^":
            if abs(right) > 64 or unit or other:
                return math.nan, math.nan, math.nan, "?"
            return left**right, left**right, left**right, ""
        operate = _OPERATORS[expression.sign]
        ends = [operate(a, b) for a in (low, high) for b in (other_low, other_high)]
        return operate(left, right), min(ends), max(ends), _unit(expression.sign, unit, other)
    except (ZeroDivisionError, OverflowError, ValueError):
        return math.nan, math.nan, math.nan, "?"


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def _unit(sign: str, left: str, right: str) -> str:
    if sign in "+-":
        return left if left == right or not right else right if not left else "?"
    if sign == "*":
        if not left or not right:
            return left or right
        rate = next((unit for unit in (left, right) if unit.endswith("/s")), "")
        return rate.removesuffix("/s") if rate and "s" in (left, right) else "?"
    if left == right:
        return ""
    if right == "s":
        return f"{left}/s"
    if not right:
        return left
    return "s" if right == f"{left}/s" else "?"
