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


def first_place(queries: int, keys: int, corner: str) -> int:
    """Return the place among the keys of the first query's own: below zero where queries are more."""
    arguments.counts(queries=queries, keys=keys)
    aligned = arguments.one_of("corner", corner, CORNERS)
    return keys - queries if aligned == "lower-right" else 0


def visible(queries: int, keys: int, corner: str) -> Mask:
    """Causal mask [queries, keys], true where a query sees a key: the first pair level, or the last."""
    return np.tri(queries, keys, first_place(queries, keys, corner), dtype=bool)


def seen_from(place: int, keys: int, window: int | None) -> int:
    """Count the keys from the first one, or the window's first one, to a place."""
    first = 0
    if window is not None:
        arguments.counts(window=window)
        first = max(0, place + 1 - window)
    return max(0, min(place + 1, keys) - first)


@verifier
def visible_keys(
    row: int, queries: int, keys: int, corner: str = "lower-right", window: int | None = None
) -> int:
    """Keys that one query sees under a causal mask, rows counted from zero.

    "upper-left" puts the first query beside the first key; "lower-right" the last beside the last, as where
    earlier keys are cached. A window counts the query's own key.

    Unit: 1
    Source: definition
    """
    place = first_place(queries, keys, corner) + row
    arguments.counts(0, row=row, **{"queries - 1 - row": queries - 1 - row})
    return seen_from(place, keys, window)


@verifier
def visible_pairs(queries: int, keys: int, corner: str = "lower-right", window: int | None = None) -> int:
    """Pairs of query and key that a causal mask leaves, with at most `window` keys a query.

    Formula: n · (n + 1) / 2 of n queries and n keys without a window.
    Unit: 1
    Source: definition
    """
    first = first_place(queries, keys, corner)
    return sum(seen_from(first + row, keys, window) for row in range(queries))


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
    tokens: int = 12, width: int = 16, spread: float = 0.25, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that self-attention permutes its outputs with its inputs, and that a causal mask ends that.

    In one layer the last token, which sees all, does not know the others' order even under the mask; in a
    second it does, as their outputs differ by what each of them saw.

    Formula: f(P x) = P f(x).
    Unit: check
    Source: definition
    """
    everything = np.full((tokens, tokens), True)
    causal = visible(tokens, tokens, "lower-right")
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((tokens, width))
        attention = partial(layer, rng.normal(0, spread, (3, width, width)))
        order = rng.permutation(tokens)
        agree(
            attention(x[order], everything), attention(x, everything)[order], tolerance, "the permuted output"
        )
        moved = np.abs(attention(x[order], causal) - attention(x, causal)[order]).max()
        assert moved > tolerance, "the causal mask is blind to order"
        early = np.append(rng.permutation(tokens - 1), tokens - 1)
        one, other = attention(x, causal), attention(x[early], causal)
        agree(other[-1], one[-1], tolerance, "the last token's output")
        deeper = np.abs(attention(other, causal)[-1] - attention(one, causal)[-1]).max()
        assert deeper > tolerance, "two layers under the mask are blind to order"
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
