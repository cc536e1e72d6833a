"""The softmax: from logits to probabilities, and what shifting and scaling the logits does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from proofdeck import verifier
from verifiers import arguments

Vector = NDArray[np.float64]


def softmax(logits: Vector) -> Vector:
    """Probabilities of the logits, the largest subtracted first."""
    weights = np.exp(logits - logits.max())
    probabilities: Vector = weights / weights.sum()
    return probabilities


@verifier
def probability(logits: Sequence[float], target: int, temperature: float = 1.0) -> float:
    """Probability that the softmax gives one class.

    Formula: exp(z_target / T) / Σ exp(z_k / T).
    Shapes: logits (K).
    Unit: 1
    Source: definition
    """
    arguments.finite(**{f"logits[{index}]": logit for index, logit in enumerate(logits)})
    arguments.positive(temperature=temperature)
    arguments.counts(0, target=target)
    if target >= len(logits):
        raise ValueError(f"class {target} of {len(logits)} logits")
    return float(softmax(np.array(logits, dtype=float) / temperature)[target])


@verifier
def odds(gap: float, temperature: float = 1.0) -> float:
    """How many times as probable a class is as one whose logit lies `gap` lower.

    Formula: exp(gap / T), whatever the other logits are.
    Unit: 1
    Source: definition
    """
    arguments.finite(gap=gap)
    arguments.positive(temperature=temperature)
    return math.exp(gap / temperature)


@verifier
def knows_differences_only(
    classes: Sequence[int] = (2, 5, 50),
    shifts: Sequence[float] = (-700.0, -3.0, 3.0, 700.0),
    factor: float = 2.0,
    seeds: int = 4,
    tolerance: float = 1e-12,
    function: Callable[[Vector], Vector] = softmax,
) -> dict[str, object]:
    """Check that adding one number to all logits changes nothing, and multiplying them does.

    Formula: softmax(z + c) = softmax(z); p_i / p_j = exp(z_i − z_j), whatever the other logits;
    softmax(f · z) is another distribution.
    Shapes: z [K].
    Unit: check
    Source: definition
    """
    for count in classes:
        for seed in range(seeds):
            logits = np.random.default_rng(seed).normal(size=count)
            p = function(logits)
            for shift in shifts:
                moved = float(np.abs(function(logits + shift) - p).max())
                assert moved <= tolerance, f"a shift by {shift} moves a probability by {moved}"
            ratios = np.log(p[0] / p[1:]) - (logits[0] - logits[1:])
            assert float(np.abs(ratios).max()) <= tolerance, "log odds are not logit differences"
            assert float(np.abs(function(factor * logits) - p).max()) > 1e-3, "scaling changed nothing"
    return {"classes": list(classes), "shifts": list(shifts), "seeds": seeds, "tolerance": tolerance}
