"""Witnesses of `verifiers/formats.py`: PyTorch's own casts, finfo and bit patterns."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import formats

torch = pytest.importorskip("torch")

DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8_e5m2": torch.float8_e5m2,
    "fp8_e4m3": torch.float8_e4m3fn,
}
SMALL = ["bf16", "fp16", "fp8_e5m2", "fp8_e4m3"]


def cast(number: float, dtype: str) -> float:
    # from float64: a detour by float32 would round twice
    return float(torch.tensor(number, dtype=torch.float64).to(DTYPES[dtype]).double())


def positive_numbers(dtype: str) -> Any:
    """Every finite non-negative number of a format of at most 16 bits, from its bit patterns."""
    bits = DTYPES[dtype].itemsize * 8
    codes = torch.arange(2 ** (bits - 1), dtype=torch.int32)
    kind = torch.uint8 if bits == 8 else torch.int16
    numbers = codes.to(kind).view(DTYPES[dtype]).double()
    return numbers[torch.isfinite(numbers)]


@witnesses("formats.info", "formats.table")
@pytest.mark.parametrize("dtype", DTYPES)
def test_landmarks_equal_torch_finfo(dtype: str) -> None:
    finfo, ours = torch.finfo(DTYPES[dtype]), formats.info(dtype)
    assert (ours["bits"], ours["max"], ours["epsilon"]) == (finfo.bits, finfo.max, finfo.eps)
    assert ours["normal"] == finfo.tiny
    if finfo.bits <= 16:
        numbers = positive_numbers(dtype)
        assert numbers.max() == ours["max"]
        assert numbers[numbers > 0].min() == ours["subnormal"]
        assert ours["binades"] == pytest.approx(
            math.log2(numbers.max().item() / numbers[numbers > 0].min().item()), rel=1e-12
        )
        rows = {row["format"].lower(): row for row in formats.table()}
        assert rows[dtype.replace("fp8_", "")]["max"] == finfo.max


@witnesses("formats.round_to")
@pytest.mark.parametrize("dtype", SMALL)
def test_rounding_equals_torch_casts(dtype: str) -> None:
    numbers = positive_numbers(dtype)
    middles = (numbers[1:] + numbers[:-1]) / 2  # the ties, and points on either side of them
    points = torch.cat([numbers, middles, middles * (1 - 1e-9), middles * (1 + 1e-9)])
    points = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:3000]]
    for point in [*points.tolist(), -0.3, 1e-12]:
        # float8 casts of PyTorch go by way of float32; keep to numbers that float32 holds
        point = float(torch.tensor(point, dtype=torch.float32))
        assert formats.round_to(point, dtype) == cast(point, dtype), point
    # older PyTorch turns what E4M3 cannot hold into NaN, newer saturates, as GPUs do
    assert formats.round_to(1e6, dtype) == cast(1e6, dtype) or math.isnan(cast(1e6, dtype))


@witnesses("formats.spacing")
@pytest.mark.parametrize("dtype", SMALL)
def test_spacing_is_the_gap_between_neighbouring_bit_patterns(dtype: str) -> None:
    numbers = positive_numbers(dtype)
    for index in range(0, len(numbers) - 1, max(1, len(numbers) // 500)):
        here, there = numbers[index], numbers[index + 1]
        assert formats.spacing(dtype, at=float(here)) == float(there - here)


@witnesses("formats.zeroed_below")
@pytest.mark.parametrize("dtype", SMALL)
def test_the_largest_number_that_a_cast_turns_to_zero(dtype: str) -> None:
    edge = formats.zeroed_below(dtype)
    assert cast(edge, dtype) == 0
    assert cast(edge * 1.001, dtype) > 0


@pytest.mark.parametrize("dtype", formats.FORMATS)
def test_patterns_are_encoded_back(dtype: str) -> None:
    fmt = formats.get_format(dtype)
    last = fmt.largest_code
    for code in {
        0,
        1,
        2,
        2**fmt.mantissa - 1,
        2**fmt.mantissa,
        2**fmt.mantissa + 1,
        last // 3,
        last - 1,
        last,
    }:
        assert formats.encode(formats.decode(code, fmt), fmt) == code


def test_exponents_of_any_fraction_are_floors_of_logarithms() -> None:
    for number in (
        Fraction(1, 3),
        Fraction(2, 3),
        Fraction(5, 7),
        Fraction(10, 3),
        Fraction(1),
        Fraction(65504),
    ):
        assert formats.exponent_of(number) == math.floor(math.log2(number))
        assert formats.power_of_two(formats.exponent_of(number)) == Fraction(2) ** math.floor(
            math.log2(number)
        )


@witnesses("formats.overflow_edge", "formats.unit_roundoff")
@pytest.mark.parametrize("dtype", ["fp32", *SMALL])
def test_numbers_past_the_edge_overflow_and_rounding_errs_by_the_unit(dtype: str) -> None:
    largest, edge = torch.finfo(DTYPES[dtype]).max, formats.overflow_edge(dtype)
    near = 1e-12 if dtype == "fp32" else 1e-6  # float8 casts go by way of float32
    assert cast(edge * (1 - near), dtype) == largest
    beyond = formats.round_to(edge * (1 + near), dtype)
    assert beyond == (math.inf if dtype != "fp8_e4m3" else largest)
    assert cast(edge * (1 + near), dtype) in (beyond, pytest.approx(math.nan, nan_ok=True))
    above = 1 + torch.finfo(DTYPES[dtype]).eps / 2
    unit = formats.unit_roundoff(dtype)
    assert abs(cast(above, dtype) - above) == unit
    points = torch.rand(2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1
    errors = (points.to(DTYPES[dtype]).double() - points).abs() / points
    assert 0.9 * unit / (1 + unit) < errors.max() <= unit / (1 + unit)


def test_microscaling_formats_have_the_landmarks_of_their_specification() -> None:
    largest = {"fp6_e3m2": 28.0, "fp6_e2m3": 7.5, "fp4_e2m1": 6.0}
    smallest = {"fp6_e3m2": 0.0625, "fp6_e2m3": 0.125, "fp4_e2m1": 0.5}
    for dtype, most in largest.items():
        ours = formats.info(dtype)
        assert (ours["max"], ours["subnormal"]) == (most, smallest[dtype])
        assert formats.round_to(100.0, dtype) == most and formats.round_to(-100.0, dtype) == -most
        assert formats.round_to(smallest[dtype] / 2, dtype) == 0
    assert formats.overflow_edge("fp4_e2m1") == 7
    assert formats.round_to(2.5, "fp4_e2m1") == 2 and formats.round_to(5.0, "fp4_e2m1") == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda: formats.info("fp7"),
        lambda: formats.round_to(math.inf, "fp16"),
        lambda: formats.round_to(math.nan, "fp16"),
        lambda: formats.spacing("fp16", at=70_000.0),
        lambda: formats.spacing("fp16", at=65_504.0),
        lambda: formats.spacing("fp16", at=-1.0),
        lambda: formats.round_to(True, "fp16"),
        lambda: formats.spacing("fp16", at=math.nan),
        lambda: formats.spacing("fp16", at=True),
        lambda: formats.zeroed_below("fp7"),
        lambda: formats.zeroed_below("fp64"),
        lambda: formats.overflow_edge("fp64"),
        lambda: formats.unit_roundoff("fp7"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
