"""What depth does to a residual stream, by where its norms stand."""

from __future__ import annotations

import math

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.normalisation import layer_norm

PLACEMENTS = ("pre", "post", "none")


def _placed(placement: str, blocks: int) -> str:
    arguments.counts(0, blocks=blocks, **{"512 - blocks": 512 - blocks})
    return arguments.one_of("placement", placement, PLACEMENTS)


@verifier(tolerance=1e-6)
def variance(placement: str, blocks: int, width: int = 256, tokens: int = 32) -> float:
    """Simulate the variance of a residual stream at initialisation, after a number of blocks.

    Before any norm at the end: after l blocks about l + 1 with pre, 1 with post, 2^l with none.

    Formula: pre x + f(LN x), post LN(x + f(x)), none x + f(x); f is a random ReLU network whose
    output has the second moment of its input.
    Shapes: x [tokens, width]; f: width → 2·width → width.
    Unit: 1
    Source: simulation with seed 0
    """
    _placed(placement, blocks)
    arguments.counts(2, width=width)
    arguments.counts(tokens=tokens)
    arguments.counts(0, **{"2^18 - width · tokens": 2**18 - width * tokens})
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
    placed = _placed(placement, blocks)
    return {"post": math.pow(2, -blocks / 2), "pre": 1 / math.sqrt(blocks + 1), "none": 1.0}[placed]


@verifier
def block_share(placement: str, block: int) -> float:
    """Share of the stream's variance that a block has just added, at initialisation.

    Formula: pre 1/(l + 1) after block l; post and none 1/2 in every block.
    Unit: 1
    Source: derived for branches of unit variance uncorrelated with the stream
    """
    arguments.counts(block=block)
    return 1 / (block + 1) if _placed(placement, block) == "pre" else 0.5
