"""NF4: levels at normal quantiles, its error beside other 4-bit grids, and its double quantisation."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, lora

Array = np.ndarray[Any, np.dtype[Any]]

OFFSET = 1 - (1 / 30 + 1 / 32) / 2
"""Quantile of the outermost level: half a step from the end, the mean over 15 and over 16 steps."""
FP4 = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Positive magnitudes of a float with 2 exponent bits and 1 mantissa bit."""
CODEBOOKS = ("nf4", "int4", "fp4", "lloyd-max")


def nf4_levels() -> list[float]:
    """The 16 levels: 7 below zero, zero, 8 above, each side evenly spaced in probability."""
    quantile = NormalDist().inv_cdf
    above, below = (
        [quantile(0.5 + (OFFSET - 0.5) * step / steps) for step in range(1, steps + 1)] for steps in (8, 7)
    )
    return [z / above[-1] for z in [*(-z for z in reversed(below)), 0.0, *above]]


def normal_blocks(block: int, blocks: int, seed: int) -> Array:
    """Standard normal weights, one block a row."""
    arguments.counts(2, block=block)
    arguments.counts(blocks=blocks)
    arguments.counts(0, seed=seed)
    return np.random.default_rng(seed).standard_normal((blocks, block))


def codes(samples: Array, levels: Array) -> Array:
    """Index of the level nearest to each sample; levels rise."""
    return np.asarray(np.searchsorted((levels[1:] + levels[:-1]) / 2, samples))


def lloyd_max(samples: Array, levels: Array, rounds: int) -> Array:
    """Levels of locally least squared error: `rounds` times each moves to the mean of its samples."""
    ordered = np.sort(samples)
    sums = np.concatenate([[0.0], ordered.cumsum()])
    for _ in range(rounds):
        borders = np.searchsorted(ordered, (levels[1:] + levels[:-1]) / 2)
        edges = np.concatenate([[0], borders, [len(ordered)]])
        used = np.diff(edges) > 0
        levels = levels.copy()
        levels[used] = (np.diff(sums[edges])[used]) / np.diff(edges)[used]
    return levels


def codebook(name: str, scaled: Array, rounds: int = 60) -> Array:
    """Rising levels in [−1, 1] of a 4-bit grid; Lloyd-Max ones are fitted to the samples given."""
    arguments.one_of("codebook", name, CODEBOOKS)
    if name == "int4":
        return np.arange(-7, 8) / 7
    if name == "fp4":
        return np.array([-z for z in reversed(FP4)] + [0, *FP4]) / FP4[-1]
    levels = np.array(nf4_levels())
    return levels if name == "nf4" else lloyd_max(scaled.ravel(), levels, rounds)


@verifier
def level(code: int) -> float:
    """One of NF4's 16 levels, code 0 being −1 and code 15 being 1.

    Formula: −Φ⁻¹ of 7 probabilities in even steps from 1/2 (excluded) to o, 0, Φ⁻¹ of 8 such, all over
    Φ⁻¹(o); o = 1 − (1/30 + 1/32)/2.
    Unit: 1
    Source: dettmers2023, bitsandbytes
    """
    arguments.counts(0, code=code)
    if code > 15:
        raise ValueError(f"a 4-bit code is at most 15, not {code}")
    return nf4_levels()[code]


@verifier
def sqnr(grid: str = "nf4", block: int = 64, blocks: int = 2000, seed: int = 0) -> float:
    """Signal over quantisation noise of normal weights, in dB, one absmax scale a block.

    Formula: 10·log₁₀(Σ w² / Σ (w − ŵ)²), ŵ = s·(level nearest to w/s), s = max |w| over the block; `grid` is
    nf4, int4 (±7), fp4 (E2M1) or lloyd-max (16 levels fitted to the scaled weights themselves).
    Unit: 1
    Source: dettmers2023
    """
    weights = normal_blocks(block, blocks, seed)
    scales = abs(weights).max(axis=1, keepdims=True)
    levels = codebook(grid, weights / scales)
    noise = weights - scales * levels[codes(weights / scales, levels)]
    return float(10 * np.log10((weights**2).sum() / (noise**2).sum()))


@verifier
def level_use(grid: str = "nf4", block: int = 64, blocks: int = 2000, seed: int = 0) -> dict[str, float]:
    """How unevenly normal weights use the levels of a 4-bit grid, one absmax scale a block.

    Formula: shares of weights nearest to the least and to the most used level; bits is the entropy of
    the codes.
    Unit: least=1, most=1, bits=bit
    Source: definition
    """
    weights = normal_blocks(block, blocks, seed)
    scaled = weights / abs(weights).max(axis=1, keepdims=True)
    levels = codebook(grid, scaled)
    shares = np.bincount(codes(scaled, levels).ravel(), minlength=len(levels)) / scaled.size
    used = shares[shares > 0]
    bits = -(used * np.log2(used)).sum()
    return {"least": float(shares.min()), "most": float(shares.max()), "bits": float(bits)}


@verifier
def constant_bits(
    block: int = 64, double: bool = True, second_block: int = 256, scale_bits: int = 8
) -> float:
    """Bits per weight that the blocks' scales take, themselves quantised or left in fp32.

    Formula: scale_bits/block + 32/(block·second_block) with double quantisation, else 32/block.
    Unit: bit
    Source: dettmers2023
    """
    arguments.counts(block=block, second_block=second_block, scale_bits=scale_bits)
    return scale_bits / block + 32 / (block * second_block) if double else 32 / block


@verifier
def double_quantisation_saving(block: int = 64, second_block: int = 256, scale_bits: int = 8) -> float:
    """Bits per weight that quantising the blocks' scales saves.

    Formula: 32/block − (scale_bits/block + 32/(block·second_block)).
    Unit: bit
    Source: dettmers2023
    """
    doubled = constant_bits(block, True, second_block, scale_bits)
    return constant_bits(block, double=False) - doubled


@verifier
def storage(params: float, block: int = 64, double: bool = True) -> dict[str, float]:
    """Bytes of weights kept in NF4 with their scales, and how much smaller they are than in 16 bits.

    Formula: N·(4 + bits of the scales)/8; ratio = 16/(4 + bits of the scales).
    Unit: bits=bit, bytes=B, ratio=1
    Source: dettmers2023
    """
    arguments.positive(params=params)
    bits = 4 + constant_bits(block, double)
    return {"bits": bits, "bytes": params * bits / 8, "ratio": 16 / bits}


@verifier
def qlora_states(
    model: str, rank: int, targets: str = "all", block: int = 64, double: bool = True
) -> dict[str, float]:
    """Bytes of QLoRA training: NF4 linear maps, 16-bit embeddings and norms, 16 B a trained parameter.

    Formula: weights = linear maps·(4 + bits of the scales)/8 + 2·(the rest); adapter = 16·trained;
    activations come on top.
    Unit: weights=B, adapter=B, total=B
    Source: dettmers2023
    """
    counts = lora.adapter(model, rank, targets)
    linear = lora.linear_parameters(model)
    weights = storage(linear, block, double)["bytes"] + 2 * (counts["base"] - linear)
    adapter = 16 * counts["parameters"]
    return {"weights": weights, "adapter": adapter, "total": weights + adapter}
