"""Widths of data types against those of PyTorch, and packing against arrays of bits."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import dtypes

NAMES = {
    "fp64": "float64",
    "fp32": "float32",
    "tf32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
    "int64": "int64",
    "int32": "int32",
    "int16": "int16",
    "int8": "int8",
    "uint8": "uint8",
    "bool": "bool",
}
NARROW = {"fp6": 6, "int4": 4, "fp4": 4, "nf4": 4, "int3": 3, "int2": 2, "int1": 1}


@witnesses("dtypes.bits")
def test_narrow_types_tell_their_width_by_name() -> None:
    assert {name: dtypes.bits(name) for name in NARROW} == NARROW
    assert set(dtypes.BITS) == set(NAMES) | set(NARROW)
    with pytest.raises(ValueError, match="unknown data type 'float16'; did you mean 'fp16'"):
        dtypes.bits("float16")


@witnesses("dtypes.bits", "dtypes.itemsize")
@pytest.mark.parametrize(("name", "theirs"), NAMES.items())
def test_widths_are_those_of_tensors(name: str, theirs: str) -> None:
    torch = pytest.importorskip("torch")
    size = torch.empty(3, dtype=getattr(torch, theirs)).element_size()
    assert (dtypes.itemsize(name), dtypes.bits(name)) == (size, 8 * size)
    assert isinstance(dtypes.itemsize(name), int)


@pytest.mark.parametrize("name", NARROW)
def test_types_narrower_than_a_byte_have_no_itemsize(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} takes {NARROW[name]} bits, less than a byte"):
        dtypes.itemsize(name)


@witnesses("dtypes.nbytes")
def test_packed_elements_take_as_many_bytes_as_packed_bits() -> None:
    for name in (*NARROW, "int8", "fp16", "fp64"):
        width = dtypes.bits(name)
        for count in (0, 1, 2, 3, 5, 8, 1001):
            packed = np.packbits(np.zeros(count * width, dtype=np.uint8))
            assert dtypes.nbytes(count, name) == packed.nbytes
    with pytest.raises(ValueError, match="count"):
        dtypes.nbytes(-1, "fp16")
    with pytest.raises(ValueError, match="count"):
        dtypes.nbytes(1.5, "fp16")  # type: ignore[arg-type]
