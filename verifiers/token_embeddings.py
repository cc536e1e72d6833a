"""The table of token vectors: what sharing it with the head saves and asks, and how its rows compare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, flops, layer_parameters

Array = np.ndarray[Any, np.dtype[Any]]


def one_hot(vocab: int) -> Array:
    """A row for each token."""
    return np.eye(vocab)


@verifier
def one_hot_vectors_are_equidistant(vocabularies: tuple[int, ...] = (2, 3, 50)) -> dict[str, str]:
    """Check that any two one-hot vectors have a cosine of 0 and are √2 apart: they know no similarity.

    Unit: check
    Source: definition
    """
    for vocab in vocabularies:
        rows, apart = one_hot(vocab), 1 - np.eye(vocab)
        assert np.array_equal(rows @ rows.T, np.eye(vocab)), f"{vocab} vectors are not orthonormal"
        squares = ((rows[:, None] - rows) ** 2).sum(axis=-1)
        assert np.array_equal(squares, 2 * apart), f"{vocab} vectors are not √2 apart"
    return {"vocabularies": str(vocabularies)}


@verifier
def tying(vocab: int, d_model: int, tokens: int = 1) -> dict[str, float]:
    """What sharing one matrix between embedding and head saves: parameters, not the work of the logits.

    Formula: V · d parameters instead of 2 · V · d; 2 · n · d · V FLOPs either way.
    Unit: tied=param, untied=param, tied_flops=FLOP, untied_flops=FLOP
    Source: press2017
    """
    head = flops.matmul(tokens, d_model, vocab)
    return {
        "tied": layer_parameters.embedding(vocab, d_model),
        "untied": layer_parameters.embedding(vocab, d_model, tied=False),
        "tied_flops": head,
        "untied_flops": head,
    }


@verifier
def shared_mean_cosine(ratio: float) -> float:
    """Mean cosine of independent vectors with a common mean, in many dimensions.

    Formula: r / (1 + r), r the squared length of the mean over the mean squared length of the rest.
    Unit: 1
    Source: derived
    """
    arguments.non_negative(ratio=ratio)
    return ratio / (1 + ratio)


@verifier(tolerance=1e-6)
def tied_initial_loss(vocab: int, d_model: int, std: float, seeds: int = 16) -> dict[str, float]:
    """Simulate the first loss where the table serves as head and the state is the last token's own vector.

    No block, position or last norm has changed that state, and the next token is any other one. Given the
    vector e, its own logit is |e|² and all others are normal with deviation std · |e|.

    Formula: loss near std² · d once that exceeds ln V; ln V for small std.
    Unit: own_logit=1, other_deviation=1, loss=nat, uniform=nat
    Source: derived
    """
    arguments.counts(2, vocab=vocab)
    arguments.counts(d_model=d_model, seeds=seeds)
    arguments.positive(std=std)
    own, spread, losses = [], [], []
    for seed in range(seeds):
        generator = np.random.default_rng([seed, vocab])
        square = std**2 * float(generator.chisquare(d_model))
        others = std * math.sqrt(square) * generator.standard_normal(vocab - 1)
        normaliser = float(np.logaddexp.reduce(np.append(others, square)))
        own.append(square)
        spread.append(float(others.std()))
        losses.append(normaliser - float(others.mean()))
    return {
        "own_logit": math.fsum(own) / seeds,
        "other_deviation": math.fsum(spread) / seeds,
        "loss": math.fsum(losses) / seeds,
        "uniform": math.log(vocab),
    }
