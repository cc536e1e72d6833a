"""Bits per weight with scales and zero points, block formats, and the size of a quantised model."""

from __future__ import annotations

from dataclasses import dataclass

from proofdeck import verifier
from verifiers import arguments, dtypes, lora
from verifiers import parameters as counted


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """A block of weights as it lies in memory: their codes, then what restores them."""

    weights: int
    bits: int
    """Bits of one code."""
    constants: int
    """Bits of all scales and minima of a block."""

    @property
    def nbytes(self) -> int:
        return (self.weights * self.bits + self.constants) // 8


FORMATS = {
    # plain: an fp16 scale, and in *_1 an fp16 minimum, for 32 weights
    "q4_0": BlockFormat(32, 4, 16),
    "q4_1": BlockFormat(32, 4, 32),
    "q5_0": BlockFormat(32, 5, 16),
    "q5_1": BlockFormat(32, 5, 32),
    "q8_0": BlockFormat(32, 8, 16),
    # K: 256 weights under fp16 constants, in sub-blocks of 16 or 32 whose own constants are small integers
    "q2_k": BlockFormat(256, 2, 16 * (4 + 4) + 2 * 16),
    "q3_k": BlockFormat(256, 3, 16 * 6 + 16),
    "q4_k": BlockFormat(256, 4, 8 * (6 + 6) + 2 * 16),
    "q5_k": BlockFormat(256, 5, 8 * (6 + 6) + 2 * 16),
    "q6_k": BlockFormat(256, 6, 16 * 8 + 16),
    # microscaling: a shared 8-bit exponent; NVFP4: an E4M3 scale
    "mxfp4": BlockFormat(32, 4, 8),
    "mxfp6": BlockFormat(32, 6, 8),
    "mxfp8": BlockFormat(32, 8, 8),
    "nvfp4": BlockFormat(16, 4, 8),
}


@verifier
def bits_per_weight(bits: float, group: int, scale_bits: int = 16, zero_bits: int = 0) -> float:
    """Bits that one weight takes once its group's scale and zero point are counted.

    Formula: b + (scale_bits + zero_bits)/group.
    Unit: bit
    Source: frantar2023, lin2024
    """
    arguments.positive(bits=bits)
    arguments.counts(group=group)
    arguments.counts(0, scale_bits=scale_bits, zero_bits=zero_bits)
    return bits + (scale_bits + zero_bits) / group


@verifier
def compression(
    bits: float, group: int, scale_bits: int = 16, zero_bits: int = 0, dtype: str = "fp16"
) -> float:
    """How many times smaller group-quantised weights are than the same weights in another type.

    Formula: width of dtype / (b + (scale_bits + zero_bits)/group).
    Unit: 1
    Source: definition
    """
    return dtypes.bits(dtype) / bits_per_weight(bits, group, scale_bits, zero_bits)


@verifier
def block_format(name: str) -> dict[str, float]:
    """A block format by name: GGUF's Q formats, the microscaling (MX) ones, NVFP4.

    Formula: bits = code bits + constants/weights of a block. NVFP4's one fp32 scale a tensor is left out.
    Unit: weights=param, bytes=B, bits=bit
    Source: ggml2025, ocp2023, nvidia2025
    """
    found = FORMATS[arguments.one_of("block format", name, FORMATS)]
    return {
        "weights": found.weights,
        "bytes": found.nbytes,
        "bits": found.bits + found.constants / found.weights,
    }


@verifier
def weight_bytes(params: float, bits: float, group: int, scale_bits: int = 16, zero_bits: int = 0) -> float:
    """Bytes of group-quantised weights with their scales and zero points.

    Formula: N·(b + (scale_bits + zero_bits)/group)/8.
    Unit: B
    Source: definition
    """
    arguments.positive(params=params)
    return params * bits_per_weight(bits, group, scale_bits, zero_bits) / 8


@verifier
def model_bytes(
    model: str,
    bits: float,
    group: int,
    scale_bits: int = 16,
    zero_bits: int = 0,
    others: str = "fp16",
) -> dict[str, float]:
    """Bytes of a model whose linear maps are quantised; embeddings, head and norms stay in `others`.

    Formula: linear maps·(b + (scale_bits + zero_bits)/group)/8 + the rest·width of `others`; bits is their
    average over all parameters.
    Unit: linear=B, others=B, total=B, bits=bit
    Source: definition
    """
    maps, base = lora.linear_parameters(model), counted.count(model)
    linear = weight_bytes(maps, bits, group, scale_bits, zero_bits)
    rest = (base - maps) * dtypes.bits(others) / 8
    return {"linear": linear, "others": rest, "total": linear + rest, "bits": 8 * (linear + rest) / base}


@verifier
def mixed_bits(share: float, high: float, low: float) -> float:
    """Average bits per weight when a share of the weights is kept at a higher width.

    Formula: share·high + (1 − share)·low; positions of the kept ones are not counted.
    Unit: bit
    Source: dettmers2022int8
    """
    arguments.shares(share=share)
    arguments.positive(high=high, low=low)
    return share * high + (1 - share) * low


@verifier
def largest_model(memory: float, bits_per_weight: float, reserve: float = 0.0) -> float:
    """Parameters that fit into a memory at given bits per weight, a share of it held back.

    Formula: memory·(1 − reserve)·8/bits.
    Unit: param
    Source: definition
    """
    arguments.positive(memory=memory, bits_per_weight=bits_per_weight)
    arguments.shares(reserve=reserve)
    return memory * (1 - reserve) * 8 / bits_per_weight
