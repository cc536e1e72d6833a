"""What optimisers keep in memory: full, factored and 8-bit states."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dtypes
from verifiers.calculus import Array, agree, vector

PER_WEIGHT = {"sgd": 0, "momentum": 1, "lion": 1, "muon": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
"""State values for each weight; Adafactor's depend on the shape."""


@verifier
def values(optimiser: str, shape: Sequence[int], momentum: bool = False) -> int:
    """Numbers that an optimiser keeps for a weight tensor.

    Formula: sgd 0, momentum, rmsprop, lion and muon 1, adam and adamw 2 a weight; adafactor rows + columns
    for each matrix of the last two dimensions, the whole for a vector, and 1 a weight more with momentum.
    Unit: 1
    Source: kingma2015, shazeer2018
    """
    arguments.counts(**{f"shape[{index}]": size for index, size in enumerate(shape)})
    weights = math.prod(shape)
    if arguments.one_of("optimiser", optimiser, (*PER_WEIGHT, "adafactor")) in PER_WEIGHT:
        return PER_WEIGHT[optimiser] * weights
    *stack, rows, columns = (*shape, 0) if len(shape) < 2 else shape
    return math.prod(stack) * (rows + columns) + momentum * weights


@verifier
def nbytes(params: float, optimiser: str = "adamw", dtype: str = "fp32", block: int = 0) -> float:
    """Bytes of an optimiser's states, where `block` states share one fp32 scale if given.

    Formula: states a weight · N · (bytes of the type + 4/block).
    Unit: B
    Source: dettmers2022
    """
    arguments.non_negative(params=params)
    arguments.counts(0, block=block)
    each = PER_WEIGHT[arguments.one_of("optimiser", optimiser, PER_WEIGHT)]
    scales = dtypes.bits("fp32") / block if block else 0.0
    return each * params * (dtypes.bits(dtype) + scales) / 8


def factored(squares: Array) -> Array:
    """Adafactor's estimate of a matrix from its row and column sums."""
    return np.asarray(np.outer(squares.sum(axis=1), squares.sum(axis=0)) / squares.sum())


def generalised_divergence(squares: Array, estimate: Array) -> float:
    """Generalised KL divergence (I-divergence) of non-negative matrices."""
    return float((squares * np.log(squares / estimate) - squares + estimate).sum())


@verifier
def factored_states(
    rows: int = 6,
    columns: int = 4,
    seeds: int = 5,
    steps: Sequence[float] = (-0.1, 0.1),
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check what the factored second moment of Adafactor keeps of the full one.

    Formula: V̂ = R·C/ΣV has V's row and column sums, is V itself where V has rank one, and no other matrix
    of rank one is nearer in the generalised KL divergence (random ones are tried).
    Unit: check
    Source: shazeer2018
    """
    for seed in range(seeds):
        generator = np.random.default_rng([rows, columns, seed])
        full = generator.exponential(size=(rows, columns))
        estimate = factored(full)
        for axis in range(full.ndim):
            agree(estimate.sum(axis=axis), full.sum(axis=axis), tolerance, f"the sums along axis {axis}")
        agree(factored(estimate), estimate, tolerance, "the estimate of a matrix of rank one")
        nearest = generalised_divergence(full, estimate)
        for step in steps:
            scales = np.add.outer(generator.standard_normal(rows), generator.standard_normal(columns))
            other = estimate * np.exp(step * scales)
            assert generalised_divergence(full, other) > nearest, "another matrix of rank one is nearer"
    return {"rows": rows, "columns": columns, "seeds": seeds, "tolerance": tolerance}


def blockwise(numbers: Array, block: int, bits: int) -> Array:
    """Round numbers to a symmetric linear code whose largest value is that of their block."""
    top = 2 ** (bits - 1) - 1
    kept = numbers.copy()
    for part in np.split(kept, range(block, len(kept), block)):  # views
        scale = abs(part).max() / top
        if scale:
            part[:] = np.rint(part / scale) * scale
    return kept


@verifier
def blockwise_error(numbers: Sequence[float], block: int, bits: int = 8) -> dict[str, float]:
    """Errors of states that are quantised in blocks, each by its own largest size, with evenly spaced codes.

    Formula: scale = max|x|/(2^(b−1) − 1) of the block, x̂ = round(x/scale)·scale; `zeroed` counts numbers
    that are not zero and become it.
    Unit: largest=1, mean=1, zeroed=1
    Source: dettmers2022
    """
    arguments.counts(numbers=len(numbers), block=block)
    arguments.counts(2, bits=bits)
    exact = vector("numbers", numbers)
    kept = blockwise(exact, block, bits)
    error = abs(kept - exact)
    zeroed = int(((kept == 0) & (exact != 0)).sum())
    return {"largest": float(error.max()), "mean": float(error.mean()), "zeroed": zeroed}


@verifier
def outlier_stays_in_its_block(
    count: int = 4096, block: int = 256, outlier: float = 1e4, bits: int = 8, seed: int = 0
) -> dict[str, object]:
    """Check that one outlier spoils the resolution of its own block alone.

    Formula: in every other block the error is at most half a step of that block; with one block for all
    the outlier's step rules everywhere.
    Unit: check
    Source: dettmers2022
    """
    numbers = np.random.default_rng(seed).standard_normal(count)
    calm = blockwise(numbers, block, bits)
    hit = np.arange(count) < block
    disturbed = np.where(np.arange(count) == 0, outlier, numbers)
    apart, together = (blockwise(disturbed, size, bits) for size in (block, count))
    agree(apart[~hit], calm[~hit], 0.0, "a block without the outlier")
    assert abs(apart - disturbed)[hit].max() > abs(calm - numbers).max(), "the outlier's block is unharmed"
    assert abs(together - disturbed)[~hit].max() > abs(calm - numbers).max(), "one block would do as well"
    return {"numbers": count, "block": block, "outlier": outlier, "bits": bits}


@verifier
def newton_schulz(singular: float, steps: int = 5) -> float:
    """A singular value after Muon's orthogonalisation of the momentum matrix.

    Formula: σ ← a·σ + b·σ³ + c·σ⁵ with (a, b, c) = (3.4445, −4.7750, 2.0315), on a matrix scaled to a norm
    of at most one; singular values end up near one, not at it.
    Unit: 1
    Source: jordan2024
    """
    arguments.shares(singular=singular)
    arguments.counts(0, steps=steps)
    for _ in range(steps):
        singular = 3.4445 * singular - 4.7750 * singular**3 + 2.0315 * singular**5
    return singular
