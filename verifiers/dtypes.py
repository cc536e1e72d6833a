"""Storage width of data types by name."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments

BITS = {
    "fp64": 64,
    "fp32": 32,
    "tf32": 32,  # 19 of them are multiplied, all are stored
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "fp6": 6,
    "int64": 64,
    "int32": 32,
    "int16": 16,
    "int8": 8,
    "uint8": 8,
    "bool": 8,
    "int4": 4,
    "fp4": 4,
    "nf4": 4,
    "int3": 3,
    "int2": 2,
    "int1": 1,
}


@verifier
def bits(dtype: str) -> int:
    """Bits that one element of a data type takes in memory, without the scales of its block.

    Unit: bit
    Source: definition
    """
    return BITS[arguments.one_of("data type", dtype, BITS)]


@verifier
def itemsize(dtype: str) -> int:
    """Bytes of one element; a type that takes no whole number of bytes has none.

    Formula: bits / 8.
    Unit: B
    Source: definition
    """
    width = bits(dtype)
    if width % 8:
        raise ValueError(f"{dtype} takes {width} bits, less than a byte: use nbytes(count, dtype)")
    return width // 8


@verifier
def nbytes(count: int, dtype: str) -> int:
    """Bytes of so many densely packed elements, a started byte counted whole.

    Formula: ceil(count · bits / 8).
    Unit: B
    Source: definition
    """
    arguments.counts(0, count=count)
    return -(-count * bits(dtype) // 8)
