"""Calculations that a text writes out: `80 layers × 8 heads × 128 × 2 bytes = 164 KB`."""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from proofdeck.audit.judge import EXACT_DIGITS, Computed, Stated, is_conversion, judge
from proofdeck.audit.model import VERDICTS, Finding
from proofdeck.audit.tokens import Reading, Token

LABEL = 4
"""Words that may follow a number and say what it counts."""
COMBINATIONS = 64
ABOUT = (
    "~",
    "≈",
    "≃",
    "≅",
    "about",
    "around",
    "roughly",
    "approximately",
    "nearly",
    "almost",
    "approx",
    "circa",
)
BOUNDS = (
    "<",
    ">",
    "≤",
    "≥",
    "over",
    "under",
    "than",
    "least",
    "most",
    "to",
    "max",
    "min",
    "below",
    "above",
    "only",
    "±",
)
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


class _Parser:
    """Reads the longest expression that begins at a token."""

    def __init__(self, tokens: Sequence[Token], position: int) -> None:
        self.tokens = tokens
        self.position = position

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
            left = Operation(sign, left, right)
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
            left = Operation(sign, left, right)
        return left

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
            elif (slash := self.peek("op")) and slash.text == "/" and self.peek("word", 1):
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

    def _bracket(self) -> int:
        """Return how many tokens a bracket has that holds no number, else 0."""
        for ahead in range(1, 8):
            if self.peek("close", ahead):
                return ahead + 1
            if self.peek("number", ahead) or self.peek("open", ahead):
                return 0
        return 0


def calculations(text: str, tokens: Sequence[Token]) -> Iterator[Finding]:
    """Yield every calculation of a sentence whose result it states."""
    position = 0
    while position < len(tokens):
        start = position
        if tokens[start].kind not in ("number", "open", "sqrt"):
            position += 1
            continue
        parser = _Parser(tokens, start)
        left = parser.sum()
        if left is None or not isinstance(left, Operation) or _is_open(tokens, start):
            position = max(
                start + 1, parser.position if left is not None and not _is_open(tokens, start) else 0
            )
            continue
        end = parser.position
        while end < len(tokens) and tokens[end].kind == "rel":
            sides = _Parser(tokens, _behind_marks(tokens, end + 1))
            right = sides.sum()
            if right is None or _goes_on(tokens, sides.position):
                break
            marks = [token.text.lower() for token in tokens[end : _behind_marks(tokens, end + 1)]]
            last = tokens[sides.position - 1].end
            yield _judged(text, tokens[start].start, last, left, right, marks)
            end = sides.position
            if isinstance(right, Operation):  # A × B = C + D = E: the next result is that of C + D
                left = right
        position = max(end, start + 1)


def _is_open(tokens: Sequence[Token], start: int) -> bool:
    """Say whether something that is no number stands before an expression and belongs to it."""
    if not start:
        return False
    before = tokens[start - 1]
    if before.kind == "op" and before.text not in "—–":
        return before.text != "-" or before.end == tokens[start].start
    glued = before.end == tokens[start].start
    return before.kind in ("sqrt",) or (glued and before.kind in ("word", "close", "number"))


def _goes_on(tokens: Sequence[Token], position: int) -> bool:
    """Say whether an expression is cut short by something that could not be read, as in `= 2 × d`."""
    return position < len(tokens) and tokens[position].kind == "op" and tokens[position].text not in "-—–"


def _behind_marks(tokens: Sequence[Token], position: int) -> int:
    while position < len(tokens) and (
        tokens[position].text.lower() in (*ABOUT, *BOUNDS, "exactly", "$", "a", "just")
        and tokens[position].kind in ("mark", "word", "rel")
    ):
        position += 1
    return position


def _judged(
    text: str, begin: int, end: int, left: Expression, right: Expression, marks: Sequence[str]
) -> Finding:
    about = any(mark in ABOUT for mark in marks) or "about" in marks
    stated_text = " ".join(text[begin:end].split())
    shown = stated_text if len(stated_text) <= 160 else stated_text[:157] + "…"
    target = right.text if isinstance(right, Number) else "the right side"
    verdicts: dict[str, float] = {}
    first = math.nan
    for computed, computed_unit, usual in _values(left):
        for result, result_unit, result_usual in _values(right):
            if math.isnan(first):
                first = computed.value
            verdict = _compare(computed, computed_unit, result, result_unit, right, about, marks)
            if verdict == "right" and not (usual and result_usual):
                verdict = "imprecise"
            verdicts.setdefault(verdict, computed.value)
    if "scaled" in verdicts and not any(r.place for leaf in _leaves(left) for r in leaf.readings):
        verdicts.setdefault("right", verdicts["scaled"])  # 70 × 2 = 140 GB: the billions go without saying
    order = ("right", "imprecise", "scaled", "converted", "wrong")
    best = next((verdict for verdict in order if verdict in verdicts), "unknown")
    value = verdicts.get(best, first)
    if best not in VERDICTS:
        best = "unknown"
    doubts = (
        not _same_order(value, right),
        _is_size(text, begin, end),
        _first_fits(left, right),
        _needs_time(left, right),
    )
    if best == "wrong" and any(doubts):
        best = "unknown"
    return Finding(shown, target, _told(value), best, "calculation", begin)


_SIZE = re.compile(r"\d+[x×]\d+(?:[x×]\d+)?\s+[A-Za-z]")


def _is_size(text: str, begin: int, end: int) -> bool:
    """Say whether a product is the size of a thing, `16x16 patches`, and no count."""
    return bool(_SIZE.match(text, begin, end))


def _first_fits(left: Expression, right: Expression) -> bool:
    """Say whether the first number of a stated sum is the result: `= 300 GB of vectors + 150 GB of links`."""
    while isinstance(right, Operation) and right.sign in "+-":
        right = right.left
        for computed, unit, _ in _values(left):
            for result, other, _ in _values(right):
                if _compare(computed, unit, result, other, right, True, ()) in ("right", "imprecise"):
                    return True
    return False


def _needs_time(left: Expression, right: Expression) -> bool:
    """Say whether a result is a time although nothing that went in was one."""
    timed = [
        any(reading.unit == "s" for leaf in _leaves(side) for reading in leaf.readings)
        for side in (left, right)
    ]
    return timed == [False, True]


def _same_order(value: float, right: Expression) -> bool:
    """Say whether a wrong result is at least of the stated one's order: else the words were misread."""
    results = [computed.value for computed, _, _ in _values(right)]
    return any(result and value and 1e-3 < abs(value / result) < 1e3 for result in results)


def _compare(
    left: Computed, left_unit: str, right: Computed, right_unit: str, written: Expression, about: bool,
    marks: Sequence[str],
) -> str:  # fmt: skip
    """Return a verdict, `scaled` or `converted` for what a prefix or a unit explains, or `inconsistent`."""
    if "?" in (left_unit, right_unit) or not all(map(math.isfinite, (left.value, right.value))):
        return "inconsistent"
    if any(mark in ("<", "≤", "under", "below", "most") for mark in marks):
        return "right" if left.value <= right.value * 1.02 else "inconsistent"
    if any(mark in (">", "≥", "over", "above", "least") for mark in marks):
        return "right" if left.value >= right.value * 0.98 else "inconsistent"
    step, digits = 0.0, EXACT_DIGITS
    if isinstance(written, Number):
        step = max((r.step for r in written.readings if r.value == right.value), default=0.0)
        digits = _digits(written.text)
    same = left_unit == right_unit or not left_unit or not right_unit
    verdict = judge(Stated(right.value, step, digits, about), left)
    if not same:
        return "inconsistent"
    if verdict != "wrong":
        return verdict
    if is_conversion(right.value, left.value):
        return "scaled" if _is_prefix(right.value, left.value) and left_unit != right_unit else "converted"
    return verdict


def _is_prefix(stated: float, computed: float) -> bool:
    ratio = max(stated, computed) / min(stated, computed)
    return any(abs(ratio / base**n - 1) < 0.06 for base in (1e3, 1024.0) for n in (1, 2, 3, 4))


def _digits(text: str) -> int:
    figures = "".join(char for char in text if char.isdigit() or char == ".")
    whole, point, fraction = figures.partition(".")
    return len((whole + fraction).lstrip("0")) if point else len(whole.rstrip("0")) or 1


def _values(expression: Expression) -> list[tuple[Computed, str, bool]]:
    """Return (value, unit, whether usual) of an expression for every way to read its numbers."""
    leaves = list(_leaves(expression))
    found = []
    choices = itertools.product(*(leaf.readings for leaf in leaves))
    for readings in itertools.islice(choices, COMBINATIONS):
        chosen = iter(readings)
        value, low, high, unit = _evaluate(expression, chosen)
        exact = not any(reading.place for reading in readings)
        found.append((Computed(value, low, high, exact), unit, all(reading.usual for reading in readings)))
    return found


def _leaves(expression: Expression) -> Iterator[Number]:
    if isinstance(expression, Number):
        yield expression
        return
    yield from _leaves(expression.left)
    if expression.sign != "√":
        yield from _leaves(expression.right)


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


def _told(value: float) -> str:
    if not math.isfinite(value):
        return ""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"
