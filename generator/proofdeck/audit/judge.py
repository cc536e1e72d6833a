"""Whether a stated number is what comes out, given how precisely it was stated."""

from __future__ import annotations

import math
from dataclasses import dataclass

EXACT_DIGITS = 4
"""A number with so many digits claims to be exact."""
CONVERSIONS = (
    7, 8, 12, 24, 30, 30.4, 52, 60, 100, 168, 365, 720, 730, 1440, 3600, 8760, 86_400, 2_592_000, 31_536_000,
)  # fmt: skip
"""Factors that a sentence takes for granted: bits of a byte, hours of a day, days of a year …"""


@dataclass(frozen=True, slots=True)
class Stated:
    """A number as a text states it."""

    value: float
    step: float
    """Its last digit: the number lies within half of it."""
    digits: int
    about: bool
    """Whether the text says that it is only near."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What comes out, and between which bounds where what went in was rounded."""

    value: float
    low: float
    high: float
    exact: bool
    """Whether everything that went in was."""


def judge(stated: Stated, computed: Computed) -> str:
    """Return `right`, `imprecise` or `wrong`.

    Right: the stated number is the computed one, rounded to the digits written. Imprecise: it is so for some
    values that the rounded inputs may have had, or within a tenth (a fiftieth where the text claims digits).
    """
    if not all(map(math.isfinite, (stated.value, computed.value, computed.low, computed.high))):
        return "unknown"
    half = stated.step / 2 * (1 + 1e-9) + abs(stated.value) * 1e-9
    if abs(computed.value - stated.value) <= half:
        return "right"
    if stated.about and _off(stated.value, computed.value) <= 0.05:
        return "right"
    if stated.digits >= 6 and not stated.about:
        return "wrong"
    if computed.low <= stated.value + half and computed.high >= stated.value - half:
        return "imprecise"
    whole = stated.step == 1 and computed.exact  # a sum of whole numbers is that whole number
    if not stated.about and (whole or (stated.digits >= EXACT_DIGITS and computed.exact)):
        return "wrong"
    allowed = 0.02 if stated.digits >= 3 and not stated.about else 0.1
    if stated.about:
        allowed = 0.15
    return "imprecise" if _off(stated.value, computed.value) <= allowed else "wrong"


def _off(stated: float, computed: float) -> float:
    if not computed:
        return math.inf if stated else 0.0
    return abs(stated / computed - 1)


def is_conversion(stated: float, computed: float) -> bool:
    """Say whether two numbers differ by a factor that a sentence may take for granted: a prefix, a unit."""
    if stated <= 0 or computed <= 0:
        return False
    ratio = max(stated, computed) / min(stated, computed)
    for base in (1000.0, 1024.0):
        power = round(math.log(ratio, base))
        if power and abs(ratio / base**power - 1) < 0.06:
            return True
    return any(abs(ratio / factor - 1) < 0.06 for factor in CONVERSIONS)
