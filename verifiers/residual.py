"""What depth does to a residual stream, by where its norms stand."""

from __future__ import annotations

import math

import numpy as np

from proofdeck import verifier
from verifiers.normalisation import layer_norm

PLACEMENTS = ("pre", "post", "none")


def _check_depth(placement: str, blocks: int) -> None:
    if placement not in PLACEMENTS:
        raise ValueError(f"unknown placement {placement!r}; one of {', '.join(PLACEMENTS)}")
    if not 0 <= blocks <= 512:
        raise ValueError(f"blocks must lie between 0 and 512, not {blocks}")


@verifier(tolerance=1e-6)
def variance(placement: str, blocks: int, width: int = 256, tokens: int = 32) -> float:
    """Simulate the variance of a residual stream at initialisation, after a number of blocks.

    Formula: pre x + f(LN x), post LN(x + f(x)), none x + f(x); f is a random ReLU network whose
    output has the variance of its input.
    Shapes: x [tokens, width]; f: width → 2·width → width.
    Unit: 1
    Source: simulation with seed 0
    """
    _check_depth(placement, blocks)
    if width < 2 or tokens < 1 or width * tokens > 2**18:
        raise ValueError("width must be at least 2, tokens at least 1, their product at most 2^18")
    generator = np.random.default_rng(0)
    x = layer_norm(generator.standard_normal((tokens, width)))
    for _ in range(blocks):
        up = generator.standard_normal((width, 2 * width)) * math.sqrt(2 / width)
        down = generator.standard_normal((2 * width, width)) / math.sqrt(2 * width)
        # He's factor 2 on the way in makes up for the half that ReLU cuts off
        branch = np.maximum((layer_norm(x) if placement == "pre" else x) @ up, 0) @ down
        x = layer_norm(x + branch) if placement == "post" else x + branch
    return float(x.var())


@verifier
def skip_gain(placement: str, blocks: int) -> float:
    """How much of a gradient the skip path alone carries from the last block to the first.

    Formula: post 2^(−blocks/2): every block divides by the deviation of x + f(x), √2; pre
    (blocks + 1)^(−1/2): the one final norm divides by the deviation of the whole sum; none 1.
    Unit: 1
    Source: derived for branches of unit variance uncorrelated with the stream
    """
    _check_depth(placement, blocks)
    return {"post": math.pow(2, -blocks / 2), "pre": 1 / math.sqrt(blocks + 1), "none": 1.0}[placement]


@verifier
def block_share(placement: str, block: int) -> float:
    """Share of the stream's variance that a block has just added, at initialisation.

    Formula: pre 1/(l + 1) after block l; post and none 1/2 in every block.
    Unit: 1
    Source: derived for branches of unit variance uncorrelated with the stream
    """
    _check_depth(placement, block)
    if block < 1:
        raise ValueError("blocks are counted from 1")
    return 1 / (block + 1) if placement == "pre" else 0.5
