"""Floating-point formats, bit by bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format: one sign bit, then `exponent` bits, then `mantissa` bits."""

    exponent: int
    mantissa: int
    finite_only: bool = False
    """True for formats without infinities."""
    nan: bool = True
    """Of a format without infinities: whether all-ones is a NaN, or one more number."""

    @property
    def bias(self) -> int:
        return (1 << (self.exponent - 1)) - 1

    @property
    def largest_code(self) -> int:
        """The bit pattern of the largest finite number."""
        if self.finite_only:
            return (1 << (self.exponent + self.mantissa)) - 1 - self.nan
        return (((1 << self.exponent) - 1) << self.mantissa) - 1


FORMATS = {
    "fp64": Format(11, 52),
    "fp32": Format(8, 23),
    "bf16": Format(8, 7),
    "fp16": Format(5, 10),
    "fp8_e5m2": Format(5, 2),
    "fp8_e4m3": Format(4, 3, finite_only=True),
    "fp6_e3m2": Format(3, 2, finite_only=True, nan=False),
    "fp6_e2m3": Format(2, 3, finite_only=True, nan=False),
    "fp4_e2m1": Format(2, 1, finite_only=True, nan=False),
}


def get_format(dtype: str) -> Format:
    return FORMATS[arguments.one_of("format", dtype, FORMATS)]


def power_of_two(e: int) -> Fraction:
    return Fraction(1 << max(e, 0), 1 << max(-e, 0))


def decode(code: int, fmt: Format) -> Fraction:
    """The exact number that a non-negative bit pattern stands for."""
    field, fraction = divmod(code, 2**fmt.mantissa)
    if field == 0:  # subnormal: no hidden one, and the exponent of the smallest normal
        return Fraction(fraction, 2**fmt.mantissa) * power_of_two(1 - fmt.bias)
    return (1 + Fraction(fraction, 2**fmt.mantissa)) * power_of_two(field - fmt.bias)


def exponent_of(magnitude: Fraction) -> int:
    """The integer e with 2**e <= magnitude < 2**(e+1)."""
    e = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return e if power_of_two(e) <= magnitude else e - 1


def quantum(magnitude: Fraction, fmt: Format) -> Fraction:
    """The spacing of the format's numbers in the binade that holds `magnitude`."""
    smallest = 1 - fmt.bias
    e = max(exponent_of(magnitude), smallest) if magnitude else smallest
    return power_of_two(e - fmt.mantissa)


def nearest(number: Fraction, fmt: Format) -> Fraction | None:
    """The nearest number of the format, ties to even; None past the largest finite one."""
    step = quantum(abs(number), fmt)
    rounded = round(number / step) * step
    return rounded if abs(rounded) <= decode(fmt.largest_code, fmt) else None


def encode(number: Fraction, fmt: Format) -> int:
    """The bit pattern of a magnitude that the format holds exactly."""
    step = quantum(number, fmt)
    smallest = power_of_two(1 - fmt.bias - fmt.mantissa)
    # patterns of finite numbers are in the numbers' order, 2^m to a binade
    return int(number / step) + (exponent_of(step / smallest) << fmt.mantissa)


@verifier
def info(dtype: str) -> dict[str, float]:
    """Widths and landmarks of a floating-point format, read off its bit patterns.

    Formula: normal (1 + f/2^m)·2^(E − bias), subnormal (f/2^m)·2^(1 − bias); epsilon is the step
    after 1; binades is log2 of the largest over the smallest positive number.
    Unit: bits=bit, exponent=1, mantissa=1, max=1, normal=1, subnormal=1, epsilon=1, binades=1
    Source: kalamkar2019, micikevicius2022, rouhani2023, IEEE 754
    """
    fmt = get_format(dtype)
    largest = decode(fmt.largest_code, fmt)
    one = fmt.bias * 2**fmt.mantissa
    return {
        "bits": 1 + fmt.exponent + fmt.mantissa,
        "exponent": fmt.exponent,
        "mantissa": fmt.mantissa,
        "max": float(largest),
        "normal": float(decode(2**fmt.mantissa, fmt)),
        "subnormal": float(decode(1, fmt)),
        "epsilon": float(decode(one + 1, fmt) - 1),
        # the smallest number is 1/denominator, and fp64's ratio would overflow a float
        "binades": math.log2(largest) + math.log2(decode(1, fmt).denominator),
    }


@verifier
def table() -> list[dict[str, str | float]]:
    """The formats used in training, one a row.

    Formula: see `info`; smallest is the smallest subnormal, step that after 1.
    Unit: format=str, max=1, smallest=1, step=1
    Source: micikevicius2022, IEEE 754
    """
    columns = {"max": "max", "smallest": "subnormal", "step": "epsilon"}
    names = ("fp32", "bf16", "fp16", "fp8_e5m2", "fp8_e4m3")
    return [
        {"format": name.replace("fp8_", "").upper() if "_" in name else name}
        | {column: info(name)[key] for column, key in columns.items()}
        for name in names
    ]


@verifier
def round_to(value: float, dtype: str) -> float:
    """The number of a format nearest to a value.

    Formula: round half to even on the grid of the value's binade; past the largest finite number
    infinity, or in E4M3 and the narrower formats, which have none, the largest (as GPUs saturate).
    Unit: 1
    Source: IEEE 754
    """
    fmt = get_format(dtype)
    arguments.finite(value=value)
    rounded = nearest(Fraction(value), fmt)
    if rounded is None:
        largest = info(dtype)["max"] if fmt.finite_only else math.inf
        return math.copysign(largest, value)
    return math.copysign(float(rounded), value)


@verifier
def spacing(dtype: str, at: float = 1.0) -> float:
    """The distance from a number to the next larger one of the format.

    Formula: 2^(floor(log2 at) − m), and the smallest subnormal below the smallest normal.
    Unit: 1
    Source: IEEE 754
    """
    fmt = get_format(dtype)
    arguments.non_negative(at=at)
    if at >= decode(fmt.largest_code, fmt):
        raise ValueError(f"`at` must lie in {dtype}'s finite range, not {at}")
    return float(quantum(Fraction(at), fmt))


def _narrower_than_the_result(dtype: str) -> Format:
    """Any format but fp64: half a step at its ends is no fp64 number itself."""
    return FORMATS[arguments.one_of("format", dtype, [name for name in FORMATS if name != "fp64"])]


@verifier
def zeroed_below(dtype: str) -> float:
    """The largest magnitude that rounds to zero.

    Formula: half the smallest subnormal, 2^(−bias − m); the tie goes to the even neighbour, zero.
    Unit: 1
    Source: IEEE 754
    """
    return float(decode(1, _narrower_than_the_result(dtype)) / 2)


@verifier
def overflow_edge(dtype: str) -> float:
    """The magnitude above which every number rounds past the largest finite one.

    Formula: largest + half its spacing; the tie itself goes to the even neighbour, which is past it where
    the largest fraction is all ones.
    Unit: 1
    Source: IEEE 754
    """
    fmt = _narrower_than_the_result(dtype)
    largest = decode(fmt.largest_code, fmt)
    return float(largest + quantum(largest, fmt) / 2)


@verifier
def unit_roundoff(dtype: str) -> float:
    """The usual bound on the relative error of rounding a number in the normal range.

    Formula: u = epsilon / 2, half the step above one; what is reached, by the tie next to one, is u/(1 + u).
    Unit: 1
    Source: IEEE 754
    """
    return info(dtype)["epsilon"] / 2
