"""Angles that a context longer than the trained one asks of sinusoids and rotary pairs."""

from __future__ import annotations

import math

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.rope_scaling import speeds_of

SLACK = 1e-9  # rounding: a pair that ends exactly at its trained angle has seen it


@verifier
def unfinished(trained: int, width: int = 128, base: float = 10000.0) -> int:
    """Pairs that make less than a full turn within the trained length, and so leave angles unseen.

    Formula: pairs i with trained · base^(−2i/width) < 2π.
    Unit: 1
    Source: peng2024
    """
    return count("none", 2.0, trained, width, base)


@verifier
def count(method: str, factor: float, trained: int = 4096, width: int = 128, base: float = 10000.0) -> int:
    """Pairs that a context `factor` times as long turns to angles never met in training.

    `method` is "none", "linear", "ntk", "yarn" or "llama3". A pair that made a full turn has met every angle.

    Formula: pairs with trained angle θ < 2π at the trained end whose angle at the longer end exceeds θ.
    Unit: 1
    Source: peng2024
    """
    arguments.counts(trained=trained, width=width)
    arguments.divides(width, 2, "components")
    arguments.finite(factor=factor)
    arguments.positive(**{"factor − 1": factor - 1, "base − 1": base - 1})
    met = trained * speeds_of("none", width, base, factor, trained)
    asked = factor * trained * speeds_of(method, width, base, factor, trained)
    return int(np.sum((met < 2 * math.pi) & (asked > met * (1 + SLACK))))
