"""Witnesses of `verifiers/bit_patterns.py`: PyTorch's tensors seen as integers, and tables of the MX formats."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import bit_patterns, formats

torch = pytest.importorskip("torch")

DTYPES = {
    "fp64": (torch.float64, torch.int64),
    "fp32": (torch.float32, torch.int32),
    "bf16": (torch.bfloat16, torch.int16),
    "fp16": (torch.float16, torch.int16),
    "fp8_e5m2": (torch.float8_e5m2, torch.uint8),
    "fp8_e4m3": (torch.float8_e4m3fn, torch.uint8),
}
MX = {
    "fp4_e2m1": [0, 0.5, 1, 1.5, 2, 3, 4, 6],
    "fp6_e2m3": [i / 8 for i in range(16)] + [i / 4 for i in range(8, 16)] + [i / 2 for i in range(8, 16)],
    "fp6_e3m2": [
        *(i / 16 for i in range(8)),
        *(i / 8 for i in range(4, 8)),
        *(i / 4 for i in range(4, 8)),
        *(i / 2 for i in range(4, 8)),
        *(i for i in range(4, 8)),
        *(2 * i for i in range(4, 8)),
        *(4 * i for i in range(4, 8)),
    ],
}


def code_of(number: float, dtype: str) -> int:
    kind, integer = DTYPES[dtype]
    code = int(torch.tensor([number], dtype=torch.float64).to(kind).view(integer))
    return code % 2 ** (8 * kind.itemsize)


def pattern(code: int, dtype: str) -> str:
    return f"{code:0{formats.info(dtype)['bits']}b}"


@witnesses("bit_patterns.fields", "bit_patterns.number")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "number", [0.0, -0.0, 1.0, -1.5, 0.3, 2.0**-6, 2.0**-9, -(2.0**-16), 100.0, 1e-39, 448.0]
)
def test_patterns_equal_those_of_tensors(dtype: str, number: float) -> None:
    code = code_of(number, dtype)
    ours = bit_patterns.fields(number, dtype)
    assert ours["code"] == code
    exponent, mantissa = int(formats.info(dtype)["exponent"]), int(formats.info(dtype)["mantissa"])
    assert ours["sign"] == code >> (exponent + mantissa)
    assert ours["exponent"] == (code >> mantissa) % 2**exponent
    assert ours["fraction"] == code % 2**mantissa
    stored = float(torch.tensor(number, dtype=torch.float64).to(DTYPES[dtype][0]).double())
    back = bit_patterns.number(pattern(code, dtype), dtype)
    assert struct.pack("d", back) == struct.pack("d", stored)


@pytest.mark.parametrize("dtype", ["fp8_e5m2", "fp8_e4m3"])
def test_every_finite_byte_is_read_as_torch_reads_it(dtype: str) -> None:
    numbers = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(DTYPES[dtype][0]).double().tolist()
    counts = dict.fromkeys(("normal", "subnormal", "zero", "infinite", "nan"), 0)
    for code, number in enumerate(numbers):
        if number != number:
            counts["nan"] += 1
        elif number in (float("inf"), float("-inf")):
            counts["infinite"] += 1
        else:
            tiny = float(torch.finfo(DTYPES[dtype][0]).tiny)
            counts["zero" if number == 0 else "subnormal" if abs(number) < tiny else "normal"] += 1
            assert bit_patterns.number(pattern(code, dtype), dtype) == number
            assert bit_patterns.fields(number, dtype)["code"] == code
            continue
        with pytest.raises(ValueError, match="no finite number"):
            bit_patterns.number(pattern(code, dtype), dtype)
    assert bit_patterns.census(dtype) == counts | {"total": 256}


@witnesses("bit_patterns.census")
@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_census_equals_that_of_all_sixteen_bit_tensors(dtype: str) -> None:
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(DTYPES[dtype][0]).double()
    finite = every[every.isfinite()].abs()
    tiny = torch.finfo(DTYPES[dtype][0]).tiny
    assert bit_patterns.census(dtype) == {
        "normal": int((finite >= tiny).sum()),
        "subnormal": int(((finite > 0) & (finite < tiny)).sum()),
        "zero": int((finite == 0).sum()),
        "infinite": int(every.isinf().sum()),
        "nan": int(every.isnan().sum()),
        "total": 2**16,
    }


@pytest.mark.parametrize("dtype", MX)
def test_microscaling_formats_equal_their_tables(dtype: str) -> None:
    bits = 1 + (len(MX[dtype]) - 1).bit_length()
    for code, number in enumerate(MX[dtype]):
        assert bit_patterns.number(f"{code:0{bits}b}", dtype) == number
        assert bit_patterns.fields(-float(number), dtype)["code"] == code + len(MX[dtype])
    ours = bit_patterns.census(dtype)
    assert ours["nan"] == ours["infinite"] == 0
    assert ours["total"] == 2 * len(MX[dtype]) == ours["normal"] + ours["subnormal"] + ours["zero"]


def test_numbers_past_the_largest_saturate_or_overflow() -> None:
    assert bit_patterns.fields(1e9, "fp8_e4m3")["code"] == 0b0_1111_110
    assert bit_patterns.fields(100.0, "fp4_e2m1")["code"] == 0b0_11_1
    for number, dtype in ((1e9, "fp16"), (-1e9, "fp8_e5m2"), (1e39, "bf16"), (1e39, "fp32")):
        assert bit_patterns.fields(number, dtype)["code"] == code_of(number, dtype)


@witnesses("bit_patterns.bf16_is_the_upper_half_of_fp32")
def test_the_upper_half_of_fp32_tensors_is_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bit_patterns.bf16_is_the_upper_half_of_fp32(numbers=20, binades=30.0) == {
        "numbers": 20,
        "binades": "±30",
    }
    values = torch.rand(500, generator=torch.Generator().manual_seed(0)) * 100
    cut = (values.view(torch.int32) >> 16).to(torch.int16).view(torch.bfloat16).float()
    assert torch.equal(cut.to(torch.bfloat16).float(), cut) and bool((cut <= values).all())
    for value, kept in zip(values.tolist(), cut.tolist(), strict=True):
        half = bit_patterns.upper_half(Fraction(value))
        assert formats.decode(half, bit_patterns.NARROW) == Fraction(kept)

    correct = bit_patterns.upper_half
    nearest = formats.nearest

    def check(**patches: Any) -> None:
        with monkeypatch.context() as patch:
            for name, value in patches.items():
                patch.setattr(formats if name == "nearest" else bit_patterns, name, value)
            bit_patterns.bf16_is_the_upper_half_of_fp32(numbers=40)

    with pytest.raises(AssertionError, match="not next to it"):  # one pattern too low
        check(upper_half=lambda x: correct(x) - 1)
    with pytest.raises(AssertionError, match="not next to it"):  # one too high
        check(upper_half=lambda x: correct(x) + 1)
    seen: list[Fraction] = []

    def shifts_what_it_has_cut(x: Fraction) -> int:
        seen.append(x)
        return correct(x) + (len(seen) % 2 == 0)

    with pytest.raises(AssertionError, match="other upper bits"):
        check(upper_half=shifts_what_it_has_cut)

    def upwards(x: Fraction) -> Fraction:
        return formats.decode(correct(x), bit_patterns.NARROW) + formats.quantum(x, bit_patterns.NARROW)

    with pytest.raises(AssertionError, match="no neighbour"):
        check(nearest=lambda x, fmt: Fraction(3) if fmt is bit_patterns.NARROW else nearest(x, fmt))
    with pytest.raises(AssertionError, match="more than half a step"):  # rounds away from the nearest
        check(nearest=lambda x, fmt: upwards(x) if fmt is bit_patterns.NARROW else nearest(x, fmt))


def test_numbers_that_bf16_holds_and_ties_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    for x in (1.0, 1.5, 1 + 2.0**-8, 1 + 3 * 2.0**-8):  # held, held, and two ties
        monkeypatch.setattr(formats, "round_to", lambda value, dtype, x=x: x)
        bit_patterns.bf16_is_the_upper_half_of_fp32(numbers=1)
    correct = bit_patterns.upper_half
    for x, off in ((1.0, -1), (0.01, 1)):  # a whole step too low, and a little too high
        monkeypatch.setattr(formats, "round_to", lambda value, dtype, x=x: x)
        with monkeypatch.context() as patch:
            patch.setattr(bit_patterns, "upper_half", lambda number, off=off: correct(number) + off)
            with pytest.raises(AssertionError, match="not next to it"):
                bit_patterns.bf16_is_the_upper_half_of_fp32(numbers=1)
    seen: list[float] = []
    monkeypatch.setattr(formats, "round_to", lambda value, dtype: seen.append(value) or 1.0)
    bit_patterns.bf16_is_the_upper_half_of_fp32(numbers=300, binades=4.0)
    assert 2**-4 < min(seen) < 0.1 and 10 < max(seen) < 16


@pytest.mark.parametrize(
    "call",
    [
        lambda: bit_patterns.fields(1.0, "fp7"),
        lambda: bit_patterns.fields(float("inf"), "fp16"),
        lambda: bit_patterns.number("0 1111 111", "fp8_e4m3"),
        lambda: bit_patterns.number("0 11111 00", "fp8_e5m2"),
        lambda: bit_patterns.number("0 0000 00", "fp8_e4m3"),
        lambda: bit_patterns.number("0 0000 0000", "fp8_e4m3"),
        lambda: bit_patterns.number("0 0000 002", "fp8_e4m3"),
        lambda: bit_patterns.census("fp7"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
