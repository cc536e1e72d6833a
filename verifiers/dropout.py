"""Dropout: inverted scaling, what it keeps and what it adds."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from proofdeck import verifier
from verifiers import arguments


@verifier
def moments(p: float, mean: float = 0.0, variance: float = 1.0) -> dict[str, float]:
    """Mean and variance of an input after inverted dropout.

    Formula: y = x·m/(1 − p), m Bernoulli(1 − p) and independent of x; E[y] = E[x]; Var[y] = (Var[x] + E[x]²)/(1 − p) − E[x]².
    Unit: 1
    Source: srivastava2014
    """
    arguments.shares(p=p)
    arguments.positive(**{"1 − p": 1 - p})
    arguments.finite(mean=mean)
    arguments.non_negative(variance=variance)
    return {"mean": mean, "variance": (variance + mean**2) / (1 - p) - mean**2}


def inverted(x: Fraction, kept: bool, p: Fraction) -> Fraction:
    """One input under inverted dropout."""
    return x / (1 - p) if kept else Fraction(0)


@verifier
def linear_layers_keep_their_mean(
    inputs: tuple[int, ...] = (3, -1, 4), weights: tuple[int, ...] = (2, 7, -5), percent: int = 30
) -> dict[str, str]:
    """Check that a linear layer's expected output under inverted dropout is that without it: all masks, exactly.

    Unit: check
    Source: srivastava2014
    """
    p = Fraction(percent, 100)
    pairs = list(zip(inputs, weights, strict=True))
    total = Fraction(0)
    for mask in product((True, False), repeat=len(pairs)):
        chance = Fraction(1)
        output = Fraction(0)
        for (x, weight), kept in zip(pairs, mask, strict=True):
            chance *= 1 - p if kept else p
            output += weight * inverted(Fraction(x), kept, p)
        total += chance * output
    plain = sum(x * weight for x, weight in pairs)
    assert total == plain, f"the mean is {total}, without dropout {plain}"
    return {"masks": str(2 ** len(inputs)), "p": f"{percent} %"}
