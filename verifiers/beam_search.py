"""Beam search against the best text there is, and what length does to scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments

Array = np.ndarray[Any, np.dtype[Any]]
RULES = ("sum", "length", "gnmt")


def random_model(vocab: int, length: int, seed: tuple[int, ...], spread: float) -> list[Array]:
    """Log probabilities [V, …, V] of each token after each prefix, for every position of a text."""
    generator = np.random.default_rng(seed)
    logits = [spread * generator.standard_normal((vocab,) * (position + 1)) for position in range(length)]
    return [z - np.log(np.exp(z).sum(axis=-1, keepdims=True)) for z in logits]


def exhaustive(model: list[Array]) -> Array:
    """Log probability [V, …, V] of every text."""
    total = np.zeros(())
    for step in model:
        total = total[..., None] + step
    return total


def search(model: list[Array], width: int) -> list[tuple[float, tuple[int, ...]]]:
    """The beam at the end, the best first: log probabilities and texts."""
    beam: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for step in model:
        longer = [
            (score + float(more), (*text, token))
            for score, text in beam
            for token, more in enumerate(step[text])
        ]
        beam = sorted(longer, reverse=True)[:width]
    return beam


@verifier
def missed(
    width: int, vocab: int = 5, length: int = 4, models: int = 300, spread: float = 1.0, seed: int = 0
) -> dict[str, float]:
    """How often beam search misses the most likely text of small random models; width 1 is greedy.

    Formula: share of models whose best beam is less likely than the best of all V^L texts; loss is the mean
    gap of their log probabilities over all models. Logits are normal with standard deviation `spread`.
    Unit: share=1, loss=nat
    Source: definition
    """
    arguments.counts(width=width, length=length, models=models)
    arguments.counts(2, vocab=vocab)
    arguments.counts(0, seed=seed)
    arguments.non_negative(spread=spread)
    if vocab**length > 10**5:
        raise ValueError(f"{vocab}^{length} texts are too many to list")
    gaps = []
    for index in range(models):
        model = random_model(vocab, length, (seed, index), spread)
        score, _ = search(model, width)[0]
        gaps.append(float(exhaustive(model).max()) - score)  # both add up in the same order
    return {"share": float(np.count_nonzero(gaps)) / models, "loss": float(np.mean(gaps))}


@verifier
def greedy_and_best(first: Sequence[float], second: Sequence[Sequence[float]]) -> dict[str, float]:
    """Probability of the two-token text that greedy choice gives, and of the most likely one.

    Formula: p(a)·p(b | a), a and b the likeliest at their step, against max over all a, b.
    Unit: greedy=1, best=1
    Source: definition
    """
    arguments.distribution(first, "first")
    if len(first) != len(second):
        raise ValueError("every first token needs its own distribution of the second")
    for index, row in enumerate(second):
        arguments.distribution(row, f"second[{index}]")
    texts = list(map(mul, first, map(max, second)))
    return {"greedy": texts[list(first).index(max(first))], "best": max(texts)}


@verifier
def length_score(log_probability: float, length: int, rule: str = "gnmt", alpha: float = 0.6) -> float:
    """Score by which finished beams of different lengths are compared.

    Formula: sum: ln p; length: ln p/L^α, the mean for α = 1; gnmt: ln p/((5 + L)/6)^α.
    Unit: 1
    Source: wu2016
    """
    arguments.counts(length=length)
    arguments.one_of("rule", rule, RULES)
    arguments.non_negative(alpha=alpha, **{"-log_probability": -log_probability})
    base = {"sum": 1.0, "length": float(length), "gnmt": (5 + length) / 6}[rule]
    return log_probability / math.pow(base, alpha)


@verifier
def sum_favours_short(short: int, long: int, per_token: float) -> float:
    """How many times likelier a short text is than a long one of the same probability per token.

    Formula: p^(short − long).
    Unit: 1
    Source: wu2016
    """
    arguments.counts(short=short, long=long)
    arguments.shares(per_token=per_token)
    arguments.positive(per_token=per_token)
    return math.pow(per_token, short - long)


@verifier
def widest_beam_is_exhaustive(
    vocab: int = 3, length: int = 4, spread: float = 1.0, seeds: int = 5
) -> dict[str, object]:
    """Check that a beam wide enough for every prefix returns all texts in order of probability.

    Formula: width = V^L drops nothing; the beam is the sorted list of all texts.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        model = random_model(vocab, length, (seed,), spread)
        every = exhaustive(model)
        beam = search(model, vocab**length)
        assert [text for _, text in beam] == [
            tuple(map(int, np.unravel_index(flat, every.shape))) for flat in np.argsort(-every, axis=None)
        ], "the beam is not the sorted list"
    return {"tokens": vocab, "length": length, "seeds": seeds}
