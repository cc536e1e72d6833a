"""Rare tokens under SGD and Adam: who learns when frequencies fall as a power of the rank."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array


def frequencies(tokens: int, exponent: float) -> Array:
    """Shares of tokens whose frequencies fall as a power of their rank (Zipf)."""
    raw = np.arange(1, tokens + 1, dtype=np.float64) ** -exponent
    return np.asarray(raw / raw.sum())


def _sgd(slopes: Array, state: dict[str, Array], step: int) -> Array:
    return slopes


def _adam(slopes: Array, state: dict[str, Array], step: int) -> Array:
    state["m"] = 0.9 * state.get("m", np.zeros_like(slopes)) + 0.1 * slopes
    state["v"] = 0.999 * state.get("v", np.zeros_like(slopes)) + 0.001 * slopes**2
    scale = np.sqrt(state["v"] / (1 - 0.999**step)) + 1e-8
    return np.asarray(state["m"] / (1 - 0.9**step) / scale)


def _sign(slopes: Array, state: dict[str, Array], step: int) -> Array:
    return np.sign(slopes)


RULES: dict[str, Callable[[Array, dict[str, Array], int], Array]] = {
    "sgd": _sgd,
    "adam": _adam,
    "sign": _sign,
}


def excess_by_rank(
    optimiser: str, learning_rate: float, steps: int, tokens: int, exponent: float, certainty: float
) -> Array:
    """Loss above its floor of every token after training a bigram table, from zero, by exact gradients.

    Token i is followed by its own successor with probability `certainty`, else by any other token alike.
    Row i of the table holds its logits. The mean loss weighs it by its frequency: gradient π_i·(p − q).
    """
    arguments.counts(steps=steps)
    arguments.counts(2, tokens=tokens)
    arguments.positive(learning_rate=learning_rate, certainty=certainty, **{"1 − certainty": 1 - certainty})
    arguments.non_negative(exponent=exponent)
    rule = RULES[arguments.one_of("optimiser", optimiser, RULES)]
    shares, others = frequencies(tokens, exponent), tokens - 1
    # all wrong logits of a row stay equal by symmetry, so two numbers a row say all: right and wrong
    logits: Array = np.zeros((tokens, 2))
    state: dict[str, Array] = {}
    for step in range(1, steps + 1):
        right = np.exp(-_surprise(logits, others))
        slopes = shares[:, None] * np.stack((right - certainty, (certainty - right) / others), axis=1)
        logits = logits - learning_rate * rule(slopes, state, step)
    # another token is less probable than the successor by the gap, and its loss so much larger
    loss = _surprise(logits, others) + (1 - certainty) * (logits[:, 0] - logits[:, 1])
    floor = certainty * math.log(certainty) + (1 - certainty) * math.log((1 - certainty) / others)
    return np.asarray(loss + floor)


def _surprise(logits: Array, others: int) -> Array:
    """Minus the logarithm of the successor's probability in each row, however large its logits are."""
    return np.asarray(np.logaddexp(0, math.log(others) + logits[:, 1] - logits[:, 0]))


@verifier(tolerance=1e-6)
def losses(
    optimiser: str,
    learning_rate: float,
    steps: int,
    tokens: int = 1000,
    exponent: float = 1.0,
    certainty: float = 0.9,
) -> dict[str, float]:
    """Excess loss of the most frequent and of the rarest token, and the mean, after learning bigrams.

    Gradients are exact: no noise. Excess is the loss above the entropy of what follows the token.
    Formula: gradient of row i: π_i·(p − q), π_i ∝ rank^−exponent; rules sgd, adam (0.9, 0.999) and sign.
    Unit: frequent=nat, rare=nat, mean=nat
    Source: kunstner2024
    """
    found = excess_by_rank(optimiser, learning_rate, steps, tokens, exponent, certainty)
    mean = float(found @ frequencies(tokens, exponent))
    return {"frequent": float(found[0]), "rare": float(found[-1]), "mean": mean}


@verifier
def tail_share(rank: int, tokens: int, exponent: float = 1.0) -> float:
    """Share of a text made up by tokens rarer than a rank, frequencies falling as a power of the rank.

    Formula: Σ_{r > rank} r^−s / Σ_r r^−s.
    Unit: 1
    Source: definition
    """
    arguments.counts(rank=rank, **{"tokens − rank": tokens - rank})
    arguments.non_negative(exponent=exponent)
    raw = [r**-exponent for r in range(1, tokens + 1)]
    return math.fsum(raw[rank:]) / math.fsum(raw)
