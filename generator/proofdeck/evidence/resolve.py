"""Claims to evidence: the text of a value, the verdict of a check. Pure functions over known results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proofdeck.errors import Problem
from proofdeck.evidence.code import Function
from proofdeck.evidence.records import skipped_of
from proofdeck.parse.expressions import Call, Comparison, Operand
from proofdeck.parse.model import Check, Table, Value
from proofdeck.record import Record
from proofdeck.units import Format, FormatError, conversion, format_value


@dataclass(frozen=True, slots=True)
class Fact(Record):
    """The result of a call, with the function behind it."""

    call: str
    value: Any
    function: Function
    stale: bool = False
    """A measurement whose code changed since it was taken."""
    record: tuple[tuple[str, Any], ...] = ()
    """Device, date and spread of a measurement."""
    libraries: tuple[tuple[str, str], ...] = ()
    """Versions that a measurement was taken with."""

    @property
    def kind(self) -> str:
        if self.function.kind == "measurement":
            return "measured"
        return "checked" if self.function.is_check else "computed"


Facts = Mapping[str, Fact]


class Wrong(Exception):
    """A claim that is false or cannot be told; the text says why, `hint` what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Unrecorded(Wrong):
    """A claim shows an entry that a measurement did not give on the machine whose record is shown.

    It is not false: it waits for a machine on which every variant runs.
    """

    def __init__(self, operand: Operand, fact: Fact) -> None:
        record = dict(fact.record)
        hint = "; ".join(
            f"skipped there: {name}" + (f" ({why})" if why else "")
            for name, why in skipped_of(record).items()
        )
        super().__init__(
            f"the record of {record.get('machine', '')} has no entry `{operand}`",
            hint or f"it has {', '.join(f'[{key!r}]' for key in fact.value)}",
        )
        self.operand = str(operand)


def pick(operand: Operand, facts: Facts) -> tuple[float | int | str, str]:
    """Return value and base unit of an operand that is a call."""
    assert operand.call is not None
    fact = facts[str(operand.call)]
    value = fact.value
    if fact.function.is_check:
        raise Wrong(f"`{fact.function.name}` is a property check and has no value", "use {check}")
    if operand.key is not None:
        try:
            value = value[operand.key]
        except (KeyError, IndexError, TypeError):
            if fact.record and isinstance(value, dict):
                raise Unrecorded(operand, fact) from None
            known = ", ".join(f"[{key!r}]" for key in value) if isinstance(value, dict) else "no subscript"
            raise Wrong(f"`{operand.call}` has no entry `{operand.key}`", f"it has {known}") from None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        keys = ", ".join(f"[{key!r}]" for key in value) if isinstance(value, dict) else "a {table}"
        raise Wrong(f"`{operand.call}` gives a {type(value).__name__}, not one number", f"use {keys}")
    return value, fact.function.unit(operand.key)


def unrecorded(claim: object, facts: Facts) -> Unrecorded | None:
    """Return which entry of a measurement `claim` shows that its record lacks, if there is one."""
    sides: tuple[Operand, ...] = ()
    if isinstance(claim, Value):
        sides = (claim.operand,)
    elif isinstance(claim, Check) and isinstance(claim.test, Comparison):
        sides = (claim.test.left, claim.test.right)
    for side in sides:
        if side.call and side.key is not None:
            fact = facts.get(str(side.call))
            if fact and fact.record and isinstance(fact.value, dict) and side.key not in fact.value:
                return Unrecorded(side, fact)
    return None


def value_text(claim: Value, facts: Facts) -> str:
    """Return what a `{value}` puts in; raise Wrong where it cannot be told so."""
    value, unit = pick(claim.operand, facts)
    try:
        return format_value(value, unit, claim.format)
    except FormatError as error:
        raise Wrong(str(error)) from None


def table_rows(claim: Table, facts: Facts) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a `{table}`."""
    fact = facts[str(claim.call)]
    rows = fact.value
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and row for row in rows):
        raise Wrong(f"`{claim.call}` gives no rows", "return a list of mappings from column to value")
    columns = list(rows[0])
    if any(list(row) != columns for row in rows):
        raise Wrong(f"the rows of `{claim.call}` have different columns")
    formats = dict(claim.formats)
    for name in formats:
        if name and name not in columns:
            raise Wrong(f"`{claim.call}` has no column `{name}`", f"columns are: {', '.join(columns)}")
    body = []
    for row in rows:
        cells = []
        for column in columns:
            value = row[column]
            how = formats.get(
                column, formats.get("", Format()) if isinstance(value, int | float) else Format()
            )
            try:
                cells.append("" if value is None else format_value(value, fact.function.unit(column), how))
            except FormatError as error:
                raise Wrong(f"column `{column}`: {error}") from None
        body.append(cells)
    return columns, body


def judge(claim: Check, facts: Facts) -> str:
    """Return what a check found, as text for the Proof panel; raise Wrong where the claim is false."""
    test = claim.test
    if isinstance(test, Call):
        fact = facts[str(test)]
        if not fact.function.is_check:
            raise Wrong(
                f"`{test}` computes a value: alone it tests nothing",
                "compare it (`≈ 2 ± 5%`), or put `Unit: check` into the docstring of a property check",
            )
        return tried(fact.value)
    return _compare(test, facts)


def tried(value: Any) -> str:
    """Tell which inputs a property check tried."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return "" if value in (None, True) else str(value)


def _compare(test: Comparison, facts: Facts) -> str:
    left, right = (pick(side, facts) if side.call else None for side in (test.left, test.right))
    known = left or right
    assert known is not None
    base = known[1]
    if left and right and left[1] != right[1]:
        raise Wrong(f"`{test.left}` is in {left[1]} and `{test.right}` in {right[1]}")
    a, _ = left or _typed(test.left, base)
    b, slack = (right[0], 0.0) if right else _typed(test.right, base)
    if left is None:
        slack = _typed(test.left, base)[1]
    if isinstance(a, str) or isinstance(b, str):
        raise Wrong("a text cannot be compared with a number")
    told = Format(test.right.unit or test.left.unit)
    shown = _tell(a if left else b, base, told)
    scale = conversion(base, told.unit) if told.unit else 1.0
    try:
        holds = _holds(a, b, test, slack, scale)
    except OverflowError:
        raise Wrong("the numbers are too large to compare") from None
    if not holds:
        sides = f"{_tell(a, base, told)} {test.operator} {_tell(b, base, told)}"
        within = (
            f" ± {test.tolerance * 100:g}%"
            if test.tolerance and test.relative
            else f" ± {test.tolerance:g}"
            if test.tolerance
            else ""
        )
        raise Wrong(
            f"false: `{test.left if left else test.right}` is {shown}, so {sides}{within} does not hold"
        )
    return shown


def _typed(side: Operand, base: str) -> tuple[float, float]:
    """Return a typed number in the base unit, and half a step of its last digit."""
    try:
        factor = conversion(base, side.unit) if side.unit else 1.0
    except FormatError as error:
        raise Wrong(str(error)) from None
    return side.number * factor, 0.5 * 10.0 ** (side.exponent - side.decimals) * factor


def _tell(value: float | int, base: str, how: Format) -> str:
    try:
        return format_value(value, base, how)
    except FormatError:
        return f"{value:g}" if isinstance(value, float) else "a huge number"


def _whole(number: float) -> bool:
    return isinstance(number, int) or (number.is_integer() and abs(number) < 2**53)


def _holds(a: float, b: float, test: Comparison, slack: float, scale: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return False
    # whole numbers are equal or not, however large; others differ in their last bits between processors
    equal = a == b or (not (_whole(a) and _whole(b)) and math.isclose(a, b, rel_tol=1e-9))
    match test.operator:
        case "=" if test.tolerance is None:
            return equal
        case "≠":
            return not equal
        case "<":
            return a < b and not equal
        case ">":
            return a > b and not equal
        case "≤":
            return a <= b or equal
        case "≥":
            return a >= b or equal
    if test.tolerance is None:
        return abs(a - b) <= slack * (1 + 1e-9)
    allowed = test.tolerance * abs(b) if test.relative else test.tolerance * scale
    return abs(a - b) <= allowed * (1 + 1e-9)


def problem_of(claim: Value | Check | Table, error: Wrong) -> Problem:
    return claim.place.problem(str(error), error.hint)
