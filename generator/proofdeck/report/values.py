"""Results as a reader wants them told: one number in a unit that fits, mappings and rows in brief."""

from __future__ import annotations

import json
from typing import Any

from proofdeck.units import Format, FormatError, format_value

LONGEST = 160
"""Letters of one value before it is cut."""
SCALED = ("B", "bit", "FLOP", "Hz", "W", "J")
"""Units of which people say kilo, mega, giga."""


def told(value: Any, unit: str, most: int = LONGEST) -> str:
    """Tell a result in a line.

    >>> told({"share": 0.25, "heads": 64}, "1")
    'share: 0.25, heads: 64'
    """
    if value is None:
        return "passed"
    if isinstance(value, dict):
        units = units_of(unit)
        pairs = (f"{key}: {_one(item, units.get(key, units.get('', '1')))}" for key, item in value.items())
        return cut(", ".join(pairs), most) or "passed"
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return f"{len(value)} row{'s' if len(value) > 1 else ''}: {', '.join(value[0])}"
    return cut(_one(value, unit), most)


def from_to(before: Any, unit_before: str, after: Any, unit: str) -> tuple[str, str]:
    """Tell two values of one call so that their difference shows; of mappings and rows only what differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        return _mappings(before, units_of(unit_before), after, units_of(unit))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        moved = sum(a != b for a, b in zip(before, after, strict=True))
        return f"{len(before)} entries", f"{moved} of {len(after)} changed"
    return _apart(before, unit_before, after, unit)


def units_of(unit: str) -> dict[str, str]:
    """Read the unit of a result, `B` or `weights=B, share=1`; a scalar's stands under the empty key."""
    pairs = [item.strip().rpartition("=") for item in unit.split(",") if item.strip()]
    return {key.strip(): base.strip() for key, _, base in pairs}


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _mappings(
    before: dict[str, Any], units_before: dict[str, str], after: dict[str, Any], units: dict[str, str]
) -> tuple[str, str]:
    sides: tuple[list[str], list[str]] = [], []
    for key in {**before, **after}:
        then, now = units_before.get(key, units_before.get("", "1")), units.get(key, units.get("", "1"))
        if before.get(key) == after.get(key) and then == now:
            continue
        if key not in before or key not in after:
            pair = (_one(before[key], then), "—") if key in before else ("—", _one(after[key], now))
        else:
            pair = _apart(before[key], then, after[key], now)
        for side, text in zip(sides, pair, strict=True):
            side.append(f"{key}: {text}")
    if not sides[0]:
        return "another order", "of the same entries"
    return cut(", ".join(sides[0]), LONGEST), cut(", ".join(sides[1]), LONGEST)


def _apart(before: Any, unit_before: str, after: Any, unit: str) -> tuple[str, str]:
    """Tell two values with as many digits as their difference takes."""
    scale = _scale(unit, before, after)
    for digits in ("", ".4g", ".5g", ".6g", ".8g", ".10g", ".12g"):
        texts = _one(before, unit_before, digits, scale), _one(after, unit, digits, scale)
        if texts[0] != texts[1]:
            return cut(texts[0], LONGEST), cut(texts[1], LONGEST)
    return f"{_exact(before)} {unit_before}", f"{_exact(after)} {unit}"


def _scale(unit: str, *values: Any) -> str:
    """Choose how numbers in `unit` are written, so that the largest of them is easy to read."""
    if unit.partition("/")[0] in SCALED:
        return "si"
    largest = max((abs(v) for v in values if isinstance(v, int | float)), default=0)
    return ("ms" if largest >= 1e-3 else "µs") if unit == "s" and 0 < largest < 0.1 else ""


def _one(value: Any, unit: str, digits: str = "", scale: str = "") -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else _exact(value)
    try:
        return format_value(value, unit, Format(scale or _scale(unit, value), digits))
    except FormatError:
        return f"{_exact(value)} {unit}" if unit not in ("", "1", "check", "text", "str") else _exact(value)


def _exact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
