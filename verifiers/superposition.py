"""More features than dimensions: interference between directions, and what a linear probe can fit."""

from __future__ import annotations

import math

import numpy as np

from proofdeck import verifier
from verifiers import arguments


@verifier
def interference(active: int, width: int) -> float:
    """Root mean square of what other features, active at strength one, add to a feature's reading.

    Their directions are random: each adds a cosine of mean square 1 / width.

    Formula: √(active / width).
    Unit: 1
    Source: elhage2022, definition
    """
    arguments.counts(0, active=active)
    arguments.counts(width=width)
    return math.sqrt(active / width)


@verifier
def least_overlap(features: int, width: int) -> float:
    """Smallest that the largest cosine between so many directions can be: the Welch bound.

    Formula: √((features - width) / (width · (features - 1))), and 0 where all fit at right angles.
    Unit: 1
    Source: welch1974
    """
    arguments.counts(features=features, width=width)
    spare = max(features - width, 0)
    return math.sqrt(spare / (width * (features - 1))) if spare else 0.0


@verifier(tolerance=1e-6)
def random_overlap(features: int, width: int, seed: int = 0) -> float:
    """Largest cosine, either sign, among so many directions drawn at random.

    Unit: 1
    Source: definition
    """
    arguments.counts(2, features=features)
    arguments.counts(width=width)
    directions = np.random.default_rng(seed).standard_normal((features, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    cosines = np.abs(directions @ directions.T)
    return float(cosines[~np.eye(features, dtype=bool)].max())


@verifier
def separable_share(points: int, width: int) -> float:
    """Share of all ways to label points in general position that a linear probe without bias can fit.

    So a probe as wide as its points fits any labels, and its accuracy on them says nothing.

    Formula: Σ_{k < width} C(points - 1, k) / 2^(points - 1).
    Unit: 1
    Source: cover1965
    """
    arguments.counts(points=points, width=width)
    return sum(math.comb(points - 1, k) for k in range(width)) / (1 << points - 1)
