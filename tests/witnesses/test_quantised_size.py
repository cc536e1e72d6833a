"""Witnesses of `verifiers/quantised_size.py`: blocks as C structures, allocated buffers, published sizes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import quantised_size

HALF, BYTE = ctypes.c_uint16, ctypes.c_uint8

BLOCKS = {
    # weights, then the members of the block structures in ggml-common.h
    "q4_0": (32, {"d": HALF, "qs": BYTE * 16}),
    "q4_1": (32, {"d": HALF, "m": HALF, "qs": BYTE * 16}),
    "q5_0": (32, {"d": HALF, "qh": BYTE * 4, "qs": BYTE * 16}),
    "q5_1": (32, {"d": HALF, "m": HALF, "qh": BYTE * 4, "qs": BYTE * 16}),
    "q8_0": (32, {"d": HALF, "qs": BYTE * 32}),
    "q2_k": (256, {"scales": BYTE * 16, "qs": BYTE * 64, "d": HALF, "dmin": HALF}),
    "q3_k": (256, {"hmask": BYTE * 32, "qs": BYTE * 64, "scales": BYTE * 12, "d": HALF}),
    "q4_k": (256, {"d": HALF, "dmin": HALF, "scales": BYTE * 12, "qs": BYTE * 128}),
    "q5_k": (256, {"d": HALF, "dmin": HALF, "scales": BYTE * 12, "qh": BYTE * 32, "qs": BYTE * 128}),
    "q6_k": (256, {"ql": BYTE * 128, "qh": BYTE * 64, "scales": BYTE * 16, "d": HALF}),
    "mxfp4": (32, {"e": BYTE, "qs": BYTE * 16}),
    "mxfp6": (32, {"e": BYTE, "qs": BYTE * 24}),
    "mxfp8": (32, {"e": BYTE, "qs": BYTE * 32}),
    "nvfp4": (16, {"d": BYTE, "qs": BYTE * 8}),
}


@witnesses("quantised_size.block_format")
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_equal_c_structures(name: str) -> None:
    weights, members = BLOCKS[name]
    structure: Any = type(
        name, (ctypes.Structure,), {"_pack_": 1, "_layout_": "ms", "_fields_": [*members.items()]}
    )
    size = ctypes.sizeof(structure)
    ours = quantised_size.block_format(name)
    assert ours == {"weights": weights, "bytes": size, "bits": 8 * size / weights}
    assert isinstance(ours["bytes"], int)


def test_every_format_is_witnessed() -> None:
    assert set(BLOCKS) == set(quantised_size.FORMATS)


@witnesses("quantised_size.bits_per_weight", "quantised_size.compression", "quantised_size.weight_bytes")
@pytest.mark.parametrize(
    "bits, group, scale, zero", [(4, 128, 16, 4), (4, 32, 16, 0), (8, 64, 32, 8), (2, 16, 8, 8), (3, 1, 0, 0)]
)
def test_bits_equal_those_of_buffers(bits: int, group: int, scale: int, zero: int) -> None:
    groups = 1024
    codes = bytes(groups * group * bits // 8)
    constants = bytes(groups * scale // 8), bytes(groups * zero // 8)
    total = len(codes) + sum(map(len, constants))
    weights = groups * group
    assert quantised_size.bits_per_weight(bits, group, scale, zero) == 8 * total / weights
    assert quantised_size.weight_bytes(weights, bits, group, scale, zero) == total
    assert quantised_size.compression(bits, group, scale, zero) == 2 * weights / total
    assert quantised_size.compression(bits, group, scale, zero, "fp32") == 4 * weights / total


def test_a_scale_of_16_bits_and_no_zero_point_are_the_default() -> None:
    assert quantised_size.bits_per_weight(4, 32) == 4.5
    assert quantised_size.compression(4, 32) == 16 / 4.5
    assert quantised_size.weight_bytes(64, 4, 32) == 36
    llama = quantised_size.model_bytes("llama-2-7b", 4, 32)
    assert llama == quantised_size.model_bytes("llama-2-7b", 4, 32, 16, 0, "fp16")
    assert quantised_size.largest_model(9, 4) == 18


@witnesses("quantised_size.model_bytes")
@pytest.mark.parametrize("others, width", [("fp16", 2), ("fp32", 4), ("int8", 1)])
def test_model_bytes_add_published_shapes_up(others: str, width: int) -> None:
    # Llama 2 70B: eight key/value heads of 128, 80 layers, 8192 wide, 28672 inside, 32000 tokens
    layer = 2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 28672
    rest = 2 * 32000 * 8192 + 161 * 8192
    assert 80 * layer + rest == 68_976_648_192
    ours = quantised_size.model_bytes("llama-2-70b", 4, 128, 16, 4, others)
    quantised = 80 * layer // 2 + 80 * layer // 128 * 2 + 80 * layer // 256
    assert ours["linear"] == quantised
    assert ours["others"] == rest * width
    assert ours["total"] == quantised + rest * width
    assert ours["bits"] == pytest.approx(8 * ours["total"] / 68_976_648_192)


@witnesses("quantised_size.mixed_bits", "quantised_size.largest_model")
def test_averages_and_capacities_by_counting() -> None:
    widths = [16] * 3 + [4] * 253
    assert quantised_size.mixed_bits(3 / 256, 16, 4) == pytest.approx(sum(widths) / 256)
    assert quantised_size.mixed_bits(0, 16, 4) == 4 and quantised_size.mixed_bits(1, 16, 4) == 16
    # a card of 24 GB, a fifth held back
    assert quantised_size.largest_model(24e9, 4.5, 0.2) * 4.5 / 8 == pytest.approx(0.8 * 24e9)
    assert quantised_size.largest_model(24e9, 16) == 12e9
    assert quantised_size.largest_model(24e9, 16, 1) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: quantised_size.bits_per_weight(0, 32),
        lambda: quantised_size.bits_per_weight(4, 0),
        lambda: quantised_size.bits_per_weight(4, 32, -1),
        lambda: quantised_size.bits_per_weight(4, 32, 16, -1),
        lambda: quantised_size.compression(4, 32, dtype="fp17"),
        lambda: quantised_size.block_format("q9_9"),
        lambda: quantised_size.weight_bytes(0, 4, 32),
        lambda: quantised_size.model_bytes("llama-9", 4, 32),
        lambda: quantised_size.mixed_bits(1.1, 16, 4),
        lambda: quantised_size.mixed_bits(0.5, 0, 4),
        lambda: quantised_size.mixed_bits(0.5, 16, 0),
        lambda: quantised_size.largest_model(0, 4),
        lambda: quantised_size.largest_model(1, 0),
        lambda: quantised_size.largest_model(1, 4, 1.5),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|unknown"):
        call()
