"""Gradient clipping by norm and by value."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array


def by_norm(gradient: Array, limit: float) -> Array:
    """Shorten a gradient to a norm; shorter ones stay."""
    return np.asarray(gradient * min(1.0, limit / float(np.linalg.norm(gradient))))


def by_value(gradient: Array, limit: float) -> Array:
    """Cut every entry to a size."""
    return np.clip(gradient, -limit, limit)


WAYS = {"norm": by_norm, "value": by_value}


@verifier
def global_norm(norms: Sequence[float]) -> float:
    """Norm of all gradients together, from those of the tensors, or of the ranks' shards.

    Formula: √Σ ‖g_i‖².
    Unit: 1
    Source: pascanu2013
    """
    arguments.counts(norms=len(norms))
    arguments.non_negative(**{f"norms[{index}]": norm for index, norm in enumerate(norms)})
    return math.hypot(*norms)


@verifier
def factor(norms: Sequence[float], limit: float = 1.0) -> float:
    """Factor by which clipping by the global norm shortens all gradients.

    Formula: min(1, c/‖g‖).
    Unit: 1
    Source: pascanu2013
    """
    arguments.positive(limit=limit)
    return limit / max(limit, global_norm(norms))


@verifier
def alignment(gradient: Sequence[float], limit: float, how: str = "norm") -> float:
    """Cosine between a gradient and what clipping leaves of it.

    Formula: cos(g, clip(g)): one by norm, less where clipping by value cuts entries unequally.
    Unit: 1
    Source: pascanu2013
    """
    arguments.positive(limit=limit, norm=math.hypot(*gradient))
    whole = np.array(gradient, dtype=float)
    kept = WAYS[arguments.one_of("way of clipping", how, WAYS)](whole, limit)
    return float(whole @ kept / (np.linalg.norm(whole) * np.linalg.norm(kept)))
