"""Units and the text of numbers.

A verifier returns a number in a base unit (`B`, `FLOP/s`, …); a card asks for another unit of the same
kind (`| GB`, `| TFLOP/s`). Decimal and binary prefixes are different units: 1 GB is 10^9 B and 1 GiB is
2^30 B, and neither is ever printed for the other.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from proofdeck.errors import did_you_mean
from proofdeck.record import Record

DECIMAL = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50}
COUNTS = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
"""How people count parameters and tokens: 7B is seven billion."""
COUNTED = ("1", "param", "token")
"""Base units whose name is not printed: the sentence says what is counted."""


def _symbols() -> dict[str, tuple[float, str]]:
    table: dict[str, tuple[float, str]] = {}
    for base in ("B", "bit", "FLOP", "token", "param", "Hz", "W", "J"):
        table[base] = (1.0, base)
        for prefix, power in DECIMAL.items():
            table[prefix + base] = (10.0**power, base)
    for prefix, power in BINARY.items():
        table[prefix + "B"] = (2.0**power, "B")
    for symbol, seconds in {
        "s": 1.0,
        "ms": 1e-3,
        "µs": 1e-6,
        "us": 1e-6,
        "ns": 1e-9,
        "min": 60.0,
        "h": 3600.0,
        "day": 86400.0,
    }.items():
        table[symbol] = (seconds, "s")
    for symbol in ("nat", "$", "1"):
        table[symbol] = (1.0, symbol)
    return table


SYMBOLS = _symbols()
BASE_UNITS = tuple(sorted({base for _, base in SYMBOLS.values()}))
SPEC = re.compile(r"^(?:,|,?d|,?(?:\.\d{1,2})?[efg])$")


class FormatError(ValueError):
    """A format that does not exist, or does not fit the value; the text says what would."""


@dataclass(frozen=True, slots=True)
class Format(Record):
    """What stands after the `|` of a role: a unit, a number format, or both."""

    unit: str = ""
    spec: str = ""


def measure(unit: str) -> tuple[float, str] | None:
    """Return factor and base unit of `unit`, or None where it is unknown.

    >>> measure("GB/s")
    (1000000000.0, 'B/s')
    """
    above, slash, below = unit.partition("/")
    top = SYMBOLS.get(above)
    if top is None or not slash:
        return top
    bottom = SYMBOLS.get(below)
    return bottom and (top[0] / bottom[0], f"{top[1]}/{bottom[1]}")


def parse_format(text: str) -> Format:
    """Read what stands after the `|`; raise FormatError where a word of it is no format."""
    unit = spec = ""
    for word in text.split():
        if word in ("si", "sci", "%", "×", "x") or word in COUNTS or measure(word):
            if unit:
                raise FormatError(f"two units, `{unit}` and `{word}`: a number has one")
            unit = "×" if word == "x" else word
        elif SPEC.match(word):
            spec = word
        elif re.fullmatch(r"\.\d{1,2}%", word) and not unit:  # Python's way to write both
            unit, spec = "%", f"{word[:-1]}f"
        else:
            known = [*SYMBOLS, *COUNTS, "si", "sci", "%", "×", ".3g", ".2f", ","]
            raise FormatError(
                f"unknown format `{word}`" + (f"; {h}" if (h := did_you_mean(word, known)) else "")
            )
    return Format(unit, spec)


def conversion(base: str, unit: str) -> float:
    """Return by what a value in unit `base` is divided to be told in `unit`."""
    if unit in COUNTS and base in COUNTED:
        return COUNTS[unit]
    if unit == "%" and base == "1":
        return 0.01
    if unit == "×" and base == "1":
        return 1.0
    found = measure(unit)
    if found and found[1] == base:
        return found[0]
    raise FormatError(f"a value in {_named(base)} cannot be told in `{unit}`; {_fitting(base)}")


def _named(base: str) -> str:
    return "no unit (a pure number)" if base == "1" else f"`{base}`"


def _fitting(base: str) -> str:
    if base in COUNTED:
        return "use one of: k M B T" + (" % ×" if base == "1" else "")
    same = [symbol for symbol, (_, of) in SYMBOLS.items() if of == base.partition("/")[0]]
    below = base.partition("/")[2]
    return "use one of: " + " ".join(symbol + (f"/{below}" if below else "") for symbol in same)


def format_value(value: float | int | str, base: str, how: Format) -> str:
    """Return `value` (in unit `base`) as a card shows it.

    >>> format_value(1342177280, "B", Format("GiB"))
    '1.25 GiB'
    """
    if isinstance(value, str):
        if how.unit or how.spec:
            raise FormatError("a text takes no number format")
        return value
    try:
        return _format_number(value, base, how)
    except OverflowError:
        raise FormatError("the number is too large to be told") from None


def _format_number(value: float | int, base: str, how: Format) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    if how.unit == "sci":
        return _with_unit(_scientific(value, how.spec), base)
    if how.unit == "si":
        return _si(value, base, how.spec)
    if not how.unit:
        return _with_unit(_number(value, how.spec), base)
    scaled = value / conversion(base, how.unit)
    if scaled.is_integer() and isinstance(value, int):
        scaled = int(scaled)
    number = _number(scaled, how.spec, significant=3)
    if how.unit in ("%", "×") or (how.unit in COUNTS and base in COUNTED):
        return number + how.unit
    return _with_unit(number, how.unit)


def _with_unit(number: str, unit: str) -> str:
    if unit in COUNTED:
        return number
    if unit == "$":
        return f"${number}"
    return f"{number}\N{NO-BREAK SPACE}{unit}"


def _number(value: float | int, spec: str, significant: int = 0) -> str:
    """Write a number: integers in full, other numbers to three significant digits."""
    if spec:
        return _sign(format(round(value) if spec.endswith("d") else value, spec))
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        whole = int(value)
        if abs(whole) < 10**15:
            return _sign(f"{whole:,}")
        return _scientific(value, "")
    if not significant and not 1e-4 <= abs(value) < 1e6:
        return _scientific(value, "")
    return _sign(_rounded(value, 3))


def _rounded(value: float, digits: int) -> str:
    """Round to significant digits, never cutting the integer part; drop zeros that say nothing."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # after rounding: 0.9999 is 1.00
    places = max(0, digits - 1 - exponent)
    text = f"{value:,.{places}f}"
    exact = "." in text and math.isclose(float(text.replace(",", "")), value, rel_tol=1e-12)
    return text.rstrip("0").rstrip(".") if exact else text


SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _scientific(value: float | int, spec: str) -> str:
    digits = int(spec[1:-1] or 2) if spec.startswith(".") and spec.endswith("e") else 2
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    if "." in mantissa and not spec:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return _sign(f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}")


def _si(value: float | int, base: str, spec: str) -> str:
    """Choose the decimal prefix that leaves one to three digits before the point."""
    factor, prefix = 1.0, ""
    for larger, power in DECIMAL.items():
        if float(f"{abs(value) / 10.0**power:.3g}") >= 1:
            factor, prefix = 10.0**power, larger
    number = _number(value / factor, spec, significant=3)
    if base in COUNTED:
        return f"{number}\N{NO-BREAK SPACE}{prefix}" if prefix else number
    return _with_unit(number, prefix + base) if prefix else _with_unit(number, base)


def _sign(text: str) -> str:
    """A minus sign is not a hyphen."""
    return "−" + text[1:] if text.startswith("-") else text
