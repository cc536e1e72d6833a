"""Attention over blocks of keys on several devices, joined by log-sum-exps."""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers.calculus import agree
from verifiers.flash_attention import direct, tiled_forward

Array = npt.NDArray[np.floating]


def merge(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Join outputs [m, d] and log-sum-exps [m] of the same queries over two sets of keys."""
    lse = np.logaddexp(first[1], second[1])
    left, right = (np.exp(part[1] - lse)[:, None] * part[0] for part in (first, second))
    return left + right, lse


@verifier
def blocks_of_keys_merge_in_any_order(
    blocks: int = 4, tokens: int = 32, width: int = 16, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that unmasked attention over blocks of keys, each on another device, joins into the exact output.

    In ring attention blocks of keys and values travel, and each device joins what its own queries make of them;
    where keys stay and are split for decoding, outputs and log-sum-exps travel.

    Formula: o = Σ_b exp(lse_b - lse) · o_b, lse = log Σ_b exp(lse_b).
    Unit: check
    Source: liu2023ring
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        q, k, v = rng.standard_normal((3, tokens, width))
        places = np.array_split(rng.permutation(tokens), blocks)
        parts = [tiled_forward(q, k[place], v[place], tokens, tokens) for place in places]
        agree(reduce(merge, parts)[0], direct(q, k, v), tolerance, "the output")
    return {"blocks": blocks, "tokens": tokens, "seeds": seeds, "tolerance": tolerance}
