"""Storage width of data types by name."""

from __future__ import annotations

import difflib

BITS = {
    "fp64": 64,
    "fp32": 32,
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "int64": 64,
    "int32": 32,
    "int16": 16,
    "int8": 8,
    "uint8": 8,
    "int4": 4,
    "fp4": 4,
    "nf4": 4,
    "int2": 2,
}


def bits(dtype: str) -> int:
    """Return the bits that one element of `dtype` takes in memory."""
    try:
        return BITS[dtype]
    except (KeyError, TypeError):
        pass
    near = difflib.get_close_matches(str(dtype).lower(), BITS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(BITS)}"
    raise ValueError(f"unknown data type {dtype!r}; {hint}")


def itemsize(dtype: str) -> int:
    """Return the bytes of one element; a type narrower than a byte has no whole number."""
    width = bits(dtype)
    if width % 8:
        raise ValueError(f"{dtype} takes {width} bits, less than a byte: use nbytes(count, dtype)")
    return width // 8


def nbytes(count: int, dtype: str) -> int:
    """Return the bytes of `count` densely packed elements, a started byte counted whole."""
    if count < 0:
        raise ValueError(f"a count of elements cannot be negative: {count}")
    return -(-count * bits(dtype) // 8)
