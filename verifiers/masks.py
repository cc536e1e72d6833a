"""Masks of attention: which pairs they leave, what they zero, and what order means without them."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.attention import softmax
from verifiers.calculus import agree

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
CORNERS = ("upper-left", "lower-right")


def visible(queries: int, keys: int, corner: str, window: int | None = None) -> Mask:
    """Causal mask [queries, keys]: the first pair level, or the last; at most `window` keys a query."""
    arguments.counts(queries=queries, keys=keys)
    aligned = arguments.one_of("corner", corner, CORNERS)
    offset = keys - queries if aligned == "lower-right" else 0
    mask: Mask = np.tri(queries, keys, offset, dtype=bool)
    if window is not None:
        arguments.counts(window=window)
        mask &= ~np.tri(queries, keys, offset - window, dtype=bool)
    return mask


@verifier
def visible_keys(
    row: int, queries: int, keys: int, corner: str = "lower-right", window: int | None = None
) -> int:
    """Keys that one query sees under a causal mask, rows counted from zero.

    "upper-left" lets the first query see the first key; "lower-right" lets the last see the last.

    Unit: 1
    Source: definition
    """
    mask = visible(queries, keys, corner, window)
    arguments.counts(0, row=row, **{"queries - 1 - row": queries - 1 - row})
    return int(mask[row].sum())


@verifier
def visible_pairs(queries: int, keys: int, corner: str = "lower-right", window: int | None = None) -> int:
    """Pairs of query and key that a causal mask leaves; all of a square are n · (n + 1) / 2.

    Unit: 1
    Source: definition
    """
    return int(visible(queries, keys, corner, window).sum())


def attend(q: Array, k: Array, v: Array, mask: Mask) -> Array:
    """Attention of q [..., m, d] to k and v [..., n, d] at the pairs that are true."""
    scores = np.where(mask, q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), -np.inf)
    return softmax(scores) @ v


def layer(projections: Array, x: Array, mask: Mask) -> Array:
    """Self-attention [t, d] of tokens x [t, d] by projections [3, d, d] to queries, keys and values."""
    q, k, v = x @ projections
    return attend(q, k, v, mask)


@verifier
def masked_weights_are_exactly_zero(tokens: int = 12, seeds: int = 4) -> dict[str, int]:
    """Check that scores of minus infinity above the diagonal leave weights of exactly zero there only.

    Unit: check
    Source: definition
    """
    hidden = np.triu(np.full((tokens, tokens), True), 1)
    for seed in range(seeds):
        q, k = np.random.default_rng(seed).standard_normal((2, tokens, tokens))
        # with the identity as values, the output is the weights
        weights = attend(q, k, np.eye(tokens), visible(tokens, tokens, "upper-left"))
        assert (weights[hidden] == 0).all(), "a masked pair has a weight"
        assert (weights[~hidden] > 0).all(), "a visible pair has no weight"
    return {"tokens": tokens, "seeds": seeds}


@verifier
def order_needs_a_mask_or_positions(
    tokens: int = 12, width: int = 16, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that self-attention permutes its outputs with its inputs, and that a causal mask ends that.

    Even under the mask, the last token, which sees all, does not know the order of the others.

    Formula: f(P x) = P f(x).
    Unit: check
    Source: definition
    """
    everything = np.full((tokens, tokens), True)
    causal = visible(tokens, tokens, "lower-right")
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((tokens, width))
        attention = partial(layer, rng.standard_normal((3, width, width)))
        order = rng.permutation(tokens)
        agree(
            attention(x[order], everything), attention(x, everything)[order], tolerance, "the permuted output"
        )
        moved = np.abs(attention(x[order], causal) - attention(x, causal)[order]).max()
        assert moved > tolerance, "the causal mask is blind to order"
        early = np.append(rng.permutation(tokens - 1), tokens - 1)
        agree(attention(x[early], causal)[-1], attention(x, causal)[-1], tolerance, "the last token's output")
    return {"tokens": tokens, "seeds": seeds, "tolerance": tolerance}


@verifier
def padding_needs_a_mask(
    tokens: int = 8, padding: int = 3, width: int = 16, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that masked padding leaves the outputs of real tokens alone, and that unmasked does not.

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    attention = partial(layer, rng.standard_normal((3, width, width)))
    x = rng.standard_normal((tokens + padding, width))
    alone = attention(x[:tokens], np.full(tokens, True))
    real = np.arange(tokens + padding) < tokens
    agree(attention(x, real)[:tokens], alone, tolerance, "the output beside masked padding")
    moved = np.abs(attention(x, np.full(tokens + padding, True))[:tokens] - alone).max()
    assert moved > tolerance, "padding that is not masked changes nothing"
    return {"tokens": tokens, "padding": padding, "tolerance": tolerance}


@verifier
def mask_of_heads_broadcasts_wrongly_without_them(
    batch: int = 2, heads: int = 3, tokens: int = 5, width: int = 8, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that a [batch, 1, 1, keys] mask suits [batch, heads, n, d], and silently adds an axis to [batch, n, d].

    Unit: check
    Source: definition
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, heads, tokens, width))
    mask = rng.integers(2, size=(batch, 1, 1, tokens), dtype=bool)
    mask[..., 0] = True
    whole = attend(x, x, x, mask)
    assert whole.shape == x.shape, f"with heads, the output has shape {whole.shape}"
    for b in range(batch):
        agree(whole[b], attend(x[b], x[b], x[b], mask[b]), tolerance, "the output of a sequence")
    single = x.mean(axis=1)
    shape = attend(single, single, single, mask).shape
    assert shape == (batch, batch, tokens, width), f"without heads, the output has shape {shape}"
    return {"batch": batch, "heads": heads, "tokens": tokens, "width": width, "tolerance": tolerance}
