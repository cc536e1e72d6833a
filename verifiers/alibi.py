"""Linear biases (ALiBi): slopes, and how far a head with flat scores then looks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.attention import softmax
from verifiers.calculus import agree, listed

Array = npt.NDArray[np.floating]


@verifier
def slope(head: int, heads: int) -> float:
    """Slope of one head's bias, heads counted from one.

    Where the number of heads is no power of two, the heads beyond the largest one take every
    second slope of twice as many heads.

    Formula: 2^(-8 · head / heads) for a power of two.
    Unit: 1
    Source: press2022
    """
    arguments.counts(head=head, **{"heads after it plus one": heads - head + 1})
    power = 2 ** (heads.bit_length() - 1)
    steps = head if head <= power else head - power - 0.5
    return float(2 ** (-8 * steps / power))


@verifier
def share_within(slope: float, distance: int) -> float:
    """Share of a head's attention that goes no further than `distance`, scores flat, context endless.

    Formula: 1 - e^(-slope · (distance + 1)).
    Unit: 1
    Source: definition
    """
    arguments.positive(slope=slope)
    arguments.counts(0, distance=distance)
    return -math.expm1(-slope * (distance + 1))


@verifier
def reach(slope: float, share: float = 0.99) -> int:
    """Distance within which a head with flat scores spends a share of its attention.

    Formula: ⌈-ln(1 - share) / slope⌉ - 1.
    Unit: token
    Source: definition
    """
    arguments.positive(slope=slope, share=share, **{"1 - share": 1 - share})
    return math.ceil(-math.log1p(-share) / slope) - 1


@verifier
def mean_distance(slope: float) -> float:
    """Mean distance of what a head with flat scores attends to, in an endless context.

    Formula: 1 / (e^slope - 1).
    Unit: token
    Source: definition
    """
    arguments.positive(slope=slope)
    return 1 / math.expm1(slope)


def bias(tokens: int, slope: float) -> Array:
    """Biases [t, t]: the slope times the distance, negative, on both sides."""
    places = np.arange(tokens)
    return np.asarray(-slope * np.abs(places[:, None] - places))


@verifier
def only_the_mask_knows_direction(
    tokens: int = 16, slopes: tuple[float, ...] = (0.5, 0.0625), tolerance: float = 1e-15
) -> dict[str, int | float | str]:
    """Check that the bias is the same forwards and backwards, and that a causal mask leaves one side.

    Unit: check
    Source: press2022
    """
    visible = np.tri(tokens, dtype=bool)
    for steepness in slopes:
        both = softmax(bias(tokens, steepness))
        agree(both, both[::-1, ::-1], tolerance, "attention, read backwards,")
        past = softmax(np.where(visible, bias(tokens, steepness), -np.inf))
        assert (past[~visible] == 0).all(), "a later token is attended to"
        assert (np.diff(past[-1]) > 0).all(), "a nearer token is attended to less"
    return {"tokens": tokens, "slopes": listed(slopes), "tolerance": tolerance}
