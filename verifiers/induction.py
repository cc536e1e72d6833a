"""Induction heads: their score, the circuit of two heads, and why one layer cannot have it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import softmax

Array = npt.NDArray[np.float64]


def score_of(pattern: Array, period: int) -> float:
    """Mean attention of the queries after the first period at the key `period` − 1 before them."""
    queries = range(period, len(pattern))
    return float(np.mean([pattern[query, query - period + 1] for query in queries]))


@verifier
def uniform_score(period: int) -> float:
    """Induction score, on a sequence said twice, of a causal head that attends evenly.

    Formula: mean of 1/(i + 1) over the second half, i from `period` to 2 · period − 1.
    Unit: 1
    Source: olsson2022
    """
    arguments.counts(2, period=period)
    return sum(1 / (position + 1) for position in range(period, 2 * period)) / period


@verifier
def target(position: int, period: int) -> int:
    """The key that an induction head attends to in a repeated sequence: one past the last occurrence.

    Formula: position − period + 1.
    Unit: 1
    Source: olsson2022
    """
    arguments.counts(2, period=period)
    arguments.counts(period, position=position)  # before, nothing has been said twice
    return position - period + 1


def causal_softmax(scores: Array) -> Array:
    return softmax(np.where(np.tri(len(scores), dtype=bool), scores, -np.inf))


def two_layers(tokens: Array, sharpness: float, ablated: bool) -> tuple[Array, Array]:
    """Return pattern of the second layer and the distribution of the next token, one-hot tokens given.

    The first layer's head attends to the position before and copies what stood there to a room of its own
    in the residual stream; the second looks there for the current token, and copies what it finds.
    """
    length = len(tokens)
    before = np.eye(length, k=-1)
    copied = before @ tokens if not ablated else np.zeros_like(tokens)
    pattern = causal_softmax(sharpness * tokens @ copied.T)
    return pattern, softmax(sharpness * pattern @ tokens)


@verifier(tolerance=1e-9)
def circuit(
    vocab: int = 48, period: int = 24, sharpness: float = 12.0, ablated: bool = False, sequences: int = 16
) -> dict[str, float]:
    """Induction score and loss on the second half of random sequences said twice, of a circuit built by hand.

    `ablated` silences the head that attends to the token before.

    Shapes: tokens (2 · period, vocab), one-hot.
    Unit: score=1, loss=nat
    Source: elhage2021, olsson2022
    """
    arguments.counts(2, vocab=vocab, period=period)
    arguments.counts(sequences=sequences)
    arguments.positive(sharpness=sharpness)
    if period > vocab:
        raise ValueError(f"a period of {period} distinct tokens needs a vocabulary as large, not {vocab}")
    rng = np.random.default_rng(0)
    scores, losses = [], []
    for _ in range(sequences):
        ids = np.tile(rng.permutation(vocab)[:period], 2)
        pattern, odds = two_layers(np.eye(vocab)[ids], sharpness, ablated)
        scores.append(score_of(pattern, period))
        losses += [-math.log(odds[i, ids[i + 1]]) for i in range(period, 2 * period - 1)]
    return {"score": float(np.mean(scores)), "loss": float(np.mean(losses))}


def scores_of_one_layer(x: Array, queries: Array, keys: Array) -> Array:
    return np.asarray((x @ queries) @ (x @ keys).T)


@verifier
def one_layer_is_blind_to_the_token_before(
    length: int = 10, width: int = 8, seeds: int = 4
) -> dict[str, int]:
    """In the first layer the score of a query at a key does not depend on the token before the key.

    That is what an induction head must know, so one layer of attention cannot have one. Embeddings, of
    positions too, belong to one place each.

    Unit: check
    Source: elhage2021
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((length, width))
        queries, keys = rng.standard_normal((2, width, width))
        scores = scores_of_one_layer(x, queries, keys)
        for key in range(1, length):
            changed = x.copy()
            changed[key - 1] = rng.standard_normal(width)
            moved = scores_of_one_layer(changed, queries, keys)[-1, key] - scores[-1, key]
            assert moved == 0, f"seed {seed}: the score at {key} moved by {moved:.2g}"
    return {"length": length, "width": width, "seeds": seeds}
