"""Calls and comparisons in role text.

A call is read with `ast` and a whitelist: `module.function(literals)`, perhaps with a literal subscript.
Nothing here evaluates anything: a call becomes data, and only a worker process ever makes it.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, replace

from proofdeck import units
from proofdeck.record import Record

Literal = str | int | float | bool | None | tuple["Literal", ...]


class ExpressionError(ValueError):
    """Role text that is no call or comparison; `offset` is where in the text, from 0."""

    def __init__(self, message: str, hint: str = "", offset: int = 0) -> None:
        super().__init__(message)
        self.hint = hint
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Call(Record):
    """A call of a verifier or figure with literal arguments."""

    function: str
    """Dotted name below `verifiers/` or `figures/`: `kv_cache.nbytes`."""
    args: tuple[Literal, ...] = ()
    kwargs: tuple[tuple[str, Literal], ...] = ()
    """Sorted by name, so that the same call has one text."""
    numbers: tuple[float, ...] = ()
    """Every number literal of the call: what it vouches for in the sentence around it."""
    machine: str = ""
    """For a measurement, or a figure of one: the machine whose record is meant; empty for the only one."""

    @property
    def made(self) -> str:
        """The call as it is made, whatever the machine."""
        words = [_text(value) for value in self.args]
        words += [f"{name}={_text(value)}" for name, value in self.kwargs]
        return f"{self.function}({', '.join(words)})"

    def __str__(self) -> str:
        return self.made + (f" @ {self.machine}" if self.machine else "")


@dataclass(frozen=True, slots=True)
class Operand(Record):
    """One side of a comparison, or what a `{value}` shows: a call, one entry of its result, or a number."""

    call: Call | None
    key: str | int | None = None
    """Literal subscript, for a verifier that returns a mapping or a list."""
    number: float = 0.0
    unit: str = ""
    """Unit typed after the number; empty means the other side's base unit."""
    decimals: int = 0
    """Digits typed after the decimal point, in `unit`."""
    exponent: int = 0
    """Decimal exponent typed after the digits."""

    def __str__(self) -> str:
        if self.call is None:
            return f"{self.number:g}{' ' + self.unit if self.unit else ''}"
        entry = f"[{self.key!r}]" if self.key is not None else ""
        return self.call.made + entry + str(self.call).removeprefix(self.call.made)


@dataclass(frozen=True, slots=True)
class Comparison(Record):
    """`left operator right ± tolerance`."""

    left: Operand
    operator: str
    """One of `≈ = ≠ < ≤ > ≥`."""
    right: Operand
    tolerance: float | None = None
    relative: bool = False
    numbers: tuple[float, ...] = ()
    """Every number typed in the comparison."""


def _text(value: Literal) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_text(item) for item in value)}]"
    return repr(value)


def parse_call(text: str) -> Call:
    """Read `module.function(literals)`, perhaps `@ machine`; raise ExpressionError for anything else."""
    operand = parse_operand(text)
    if operand.call is None or operand.key is not None:
        raise ExpressionError("expected a call", "write module.function(arguments)")
    return operand.call


def parse_operand(text: str) -> Operand:
    """Read a call, or a call with a literal subscript; either may end in `@ machine`."""
    source, machine = _at_machine(text.strip())
    try:
        node = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = max(0, (getattr(error, "offset", None) or 1) - 1)
        raise ExpressionError(
            f"`{source}` is not an expression", "write module.function(arguments)", offset
        ) from None
    key: str | int | None = None
    if isinstance(node, ast.Subscript):
        literal = _literal(node.slice)
        if isinstance(literal, bool) or not isinstance(literal, str | int):
            raise ExpressionError("a subscript is a text or a whole number", offset=node.slice.col_offset)
        key, node = literal, node.value
    call = _call(node)
    return Operand(replace(call, machine=machine) if machine else call, key)


def _at_machine(text: str) -> tuple[str, str]:
    """Split off `@ machine`; an `@` inside quotes or brackets is followed by more than a name."""
    found = _AT.search(text)
    if not found:
        return text, ""
    return text[: found.start()], machine_name(found[1], found.start(1))


def machine_name(text: str, offset: int = 0) -> str:
    """Return `text` if a machine can be called so: the device's name in small letters and hyphens."""
    if not _MACHINE.fullmatch(text):
        hint = "write it as `proofdeck measure` does: nvidia-h200"
        raise ExpressionError(f"`{text}` is no machine", hint, offset)
    return text


def _call(node: ast.expr) -> Call:
    if isinstance(node, ast.Attribute):  # a function without arguments may be named without brackets
        return Call(_dotted(node))
    if not isinstance(node, ast.Call):
        raise ExpressionError(
            f"`{ast.unparse(node)}` is not a call", "write module.function(arguments)", node.col_offset
        )
    name = _dotted(node.func)
    if "." not in name:
        raise ExpressionError(f"`{name}` names no module", f"write module.{name}(…)", node.col_offset)
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        raise ExpressionError("`*` has no place in a call", "write every argument out", node.col_offset)
    kwargs: list[tuple[str, Literal]] = []
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ExpressionError(
                "`**` has no place in a call", "write every argument out", keyword.col_offset
            )
        if keyword.arg in (name for name, _ in kwargs):
            raise ExpressionError(f"`{keyword.arg}` is given twice", offset=keyword.col_offset)
        kwargs.append((keyword.arg, _literal(keyword.value)))
    kwargs.sort(key=lambda pair: pair[0])
    args = tuple(_literal(argument) for argument in node.args)
    numbers = tuple(_numbers(args)) + tuple(_numbers(tuple(value for _, value in kwargs)))
    return Call(name, args, tuple(kwargs), numbers)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    raise ExpressionError("only module.function can be called", offset=node.col_offset)


def _literal(node: ast.expr) -> Literal:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool | None):
        number = node.value
        if (isinstance(number, float) and not math.isfinite(number)) or (
            isinstance(number, int) and abs(number) > LARGEST
        ):
            raise ExpressionError("the number is too large", "numbers end near 10^300", node.col_offset)
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_literal(item) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    raise ExpressionError(
        f"`{ast.unparse(node)}` is not a literal",
        "arguments are numbers, texts, True, False, None, and lists of them",
        node.col_offset,
    )


def _numbers(value: Literal) -> list[float]:
    if isinstance(value, tuple):
        return [number for item in value for number in _numbers(item)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return [float(value)]
        except OverflowError:
            return []
    return []


def texts(call: Call) -> list[str]:
    """Return every text literal of a call, such as the name of a model."""

    def walk(value: Literal) -> list[str]:
        if isinstance(value, tuple):
            return [text for item in value for text in walk(item)]
        return [value] if isinstance(value, str) else []

    return walk(call.args) + walk(tuple(value for _, value in call.kwargs))


LARGEST = 10**300
_MACHINE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_AT = re.compile(r"\s*@\s*([^\s@()\[\]'\"]*)$")
OPERATORS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "~=": "≈", "~": "≈"}
_OPERATOR = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([(\[{])|([)\]}])|(==|!=|<=|>=|~=|[≈=≠<≤>≥~])"""
)
_TOLERANCE = re.compile(r"\s*(?:±|\+-|\+/-)\s*([\d.,]+(?:e[-+]?\d+)?)\s*(%?)\s*$", re.I)
_NUMBER = re.compile(r"^([-−+]?)(\d[\d,_]*)(?:\.(\d+))?(?:e([-+]?\d{1,3}))?\s*(.*)$", re.I)


def parse_check(text: str) -> Call | Comparison:
    """Read a property check (a call) or a comparison."""
    split = _split(text)
    if split is None:
        return parse_call(text)
    left_text, operator, right_text = split
    tolerance, relative = None, False
    if found := _TOLERANCE.search(right_text):
        tolerance = _finite(found[1].replace(",", ""))
        relative = found[2] == "%"
        tolerance = tolerance / 100 if relative else tolerance
        right_text = right_text[: found.start()]
    left, right = _side(left_text), _side(right_text)
    if left.call is None and right.call is None:
        raise ExpressionError(
            "a comparison of two typed numbers tests nothing", "call a verifier on one side"
        )
    if tolerance is not None and operator not in "≈=":
        raise ExpressionError(f"`{operator}` takes no tolerance", "use ≈ with ±")
    if operator == "≈" and tolerance is None and left.call and right.call:
        raise ExpressionError("how near is ≈ between two calls?", "write a tolerance: ≈ … ± 5%")
    numbers = [*(_typed(left)), *(_typed(right))]
    if tolerance is not None:
        numbers += [tolerance * 100, tolerance] if relative else [tolerance]
    return Comparison(left, operator, right, tolerance, relative, tuple(numbers))


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ExpressionError(f"`{text}` is not a number") from None
    if not math.isfinite(number):
        raise ExpressionError(f"`{text}` is too large a number")
    return number


def _split(text: str) -> tuple[str, str, str] | None:
    """Find the one comparison operator outside quotes and brackets."""
    depth, found = 0, None
    for match in _OPERATOR.finditer(text):
        if match[2]:
            depth += 1
        elif match[3]:
            depth -= 1
        elif match[4] and depth == 0:
            if found:
                raise ExpressionError("two comparisons in one check", "write two checks", match.start())
            found = match
    if found is None:
        return None
    operator = OPERATORS.get(found[4], found[4])
    return text[: found.start()], operator, text[found.end() :]


def _side(text: str) -> Operand:
    found = _NUMBER.match(text.strip())
    if not found:
        return parse_operand(text)
    sign, whole, fraction, exponent, unit = found.groups()
    if unit and unit not in ("%", "×", *units.COUNTS) and units.measure(unit) is None:
        raise ExpressionError(f"unknown unit `{unit}`", "for example GB, GiB, %, ms, TFLOP/s")
    digits = re.sub(r"[,_]", "", whole)
    number = _finite(f"{digits}.{fraction or 0}e{exponent or 0}")
    return Operand(
        None, None, -number if sign in ("-", "−") else number, unit, len(fraction or ""), int(exponent or 0)
    )


def _typed(side: Operand) -> tuple[float, ...]:
    return side.call.numbers if side.call else (side.number,)
