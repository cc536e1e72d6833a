"""Ways of a NaN through attention: what a causal mask holds back and what not."""

from __future__ import annotations

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array


def attend(queries: Array, keys: Array, values: Array) -> tuple[Array, Array]:
    """Causal attention with masked scores replaced by minus infinity: outputs and weights."""
    tokens, width = queries.shape
    later = np.triu(np.ones((tokens, tokens), dtype=bool), 1)
    scores = np.where(later, -np.inf, queries @ keys.T / np.sqrt(width))
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = powers / powers.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(weights @ values), np.asarray(weights)


@verifier
def masked_weights_let_nan_through(
    tokens: int = 6, bad: int = 3, width: int = 4, seed: int = 0
) -> dict[str, int]:
    """Check that a NaN token spoils every row of plain causal attention, its own past included.

    Formula: later rows have a NaN score; earlier ones have a weight of exactly zero on it, and 0 · NaN = NaN.
    Unit: check
    Source: IEEE 754
    """
    arguments.counts(tokens=tokens, bad=bad, width=width, **{"tokens − bad": tokens - bad})
    rng = np.random.default_rng(seed)
    queries, keys, values = rng.standard_normal((3, tokens, width))
    for part in (queries, keys, values):
        part[bad] = np.nan
    out, weights = attend(queries, keys, values)
    assert np.isnan(out).all(), f"{int((~np.isnan(out).any(axis=1)).sum())} rows stayed clean"
    assert np.isnan(weights[bad:]).any(axis=1).all(), "a row from the token on has clean weights"
    assert (weights[:bad, bad] == 0).all(), "an earlier row gives the masked token a weight"
    # with the value alone made finite the past is clean again: the product with it is the way
    out, _ = attend(queries, keys, np.nan_to_num(values))
    assert np.isfinite(out[:bad]).all(), "an earlier row is not finite for another reason"
    return {"tokens": tokens, "bad": bad, "width": width}
