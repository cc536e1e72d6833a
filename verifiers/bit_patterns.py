"""The bit patterns of floating-point formats: from a number to its bits and back."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from proofdeck import verifier
from verifiers import formats

WIDE, NARROW = formats.get_format("fp32"), formats.get_format("bf16")


def upper_half(number: Fraction) -> int:
    """The first half of the bits of an fp32 number, taken for a bf16 pattern."""
    return formats.encode(number, WIDE) >> (WIDE.mantissa - NARROW.mantissa)


@verifier
def fields(value: float, dtype: str) -> dict[str, int]:
    """The bit pattern of the number of a format nearest to a value, field by field and as one integer.

    Formula: sign, the biased exponent E (zero for zero and subnormals), the fraction without its hidden
    one; code = sign · 2^(e + m) + E · 2^m + fraction.
    Unit: sign=1, exponent=1, fraction=1, code=1
    Source: micikevicius2022, IEEE 754
    """
    fmt = formats.get_format(dtype)
    near = abs(formats.round_to(value, dtype))
    # the pattern after the largest finite number is infinity
    size = fmt.largest_code + 1 if math.isinf(near) else formats.encode(Fraction(near), fmt)
    field, fraction = divmod(size, 1 << fmt.mantissa)
    sign = int(f"{value:+}"[0] == "-")  # that of zero too
    code = (sign << (fmt.exponent + fmt.mantissa)) + size
    return {"sign": sign, "exponent": field, "fraction": fraction, "code": code}


@verifier
def number(pattern: str, dtype: str) -> float:
    """The finite number that a bit pattern stands for; blanks between its fields are ignored.

    Formula: (−1)^s·(1 + f/2^m)·2^(E − bias), for E = 0 (−1)^s·(f/2^m)·2^(1 − bias).
    Unit: 1
    Source: micikevicius2022, IEEE 754
    """
    fmt = formats.get_format(dtype)
    digits = pattern.replace(" ", "")
    if len(digits) != 1 + fmt.exponent + fmt.mantissa or set(digits) - {"0", "1"}:
        raise ValueError(f"{pattern!r} is no bit pattern of {dtype}")
    code = int(digits[1:], 2)
    if code > fmt.largest_code:
        raise ValueError(f"{pattern!r} is no finite number of {dtype}")
    size = float(formats.decode(code, fmt))
    return -size if digits[0] == "1" else size


@verifier
def census(dtype: str) -> dict[str, int]:
    """What the bit patterns of a format stand for.

    Formula: normal, subnormal, zero (of either sign), infinite, NaN; together 2^bits.
    Unit: normal=1, subnormal=1, zero=1, infinite=1, nan=1, total=1
    Source: micikevicius2022, rouhani2023, IEEE 754
    """
    fmt = formats.get_format(dtype)
    half = 1 << (fmt.exponent + fmt.mantissa)
    first_normal = 1 << fmt.mantissa
    infinite = int(not fmt.finite_only)
    return {
        "normal": 2 * (fmt.largest_code + 1 - first_normal),
        "subnormal": 2 * (first_normal - 1),
        "zero": 2,
        "infinite": 2 * infinite,
        "nan": 2 * (half - fmt.largest_code - 1 - infinite),
        "total": 2 * half,
    }


@verifier
def bf16_is_the_upper_half_of_fp32(
    numbers: int = 200, binades: float = 30.0, seed: int = 0
) -> dict[str, object]:
    """Check that cutting an fp32 number after sixteen bits gives a bf16 number next to it.

    Formula: the cut is the bf16 number next to x towards zero, off by less than a step, and x itself where
    bf16 holds x; rounding is off by at most half a step.
    Unit: check
    Source: kalamkar2019
    """
    generator = random.Random(seed)
    for _ in range(numbers):
        x = Fraction(formats.round_to(2 ** generator.uniform(-binades, binades), "fp32"))
        kept = formats.decode(upper_half(x), NARROW)
        step = formats.quantum(kept, NARROW)
        assert 0 <= x - kept < step, f"the upper half of {float(x)} is not next to it"
        assert upper_half(kept) == formats.encode(kept, NARROW), "a bf16 number has other upper bits"
        rounded = formats.nearest(x, NARROW)
        assert rounded in (kept, kept + step), f"{float(x)} is rounded to no neighbour"
        assert abs(rounded - x) <= step / 2, f"rounding {float(x)} errs by more than half a step"
    return {"numbers": numbers, "binades": f"±{binades:g}"}
