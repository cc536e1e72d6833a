"""Speculative decoding: that drafts, tests and replacements leave the target's distribution as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod
from operator import add, sub
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.truncation import decimal

Exact = tuple[Fraction, ...]
Texts = dict[tuple[int, ...], Fraction]
Model = Callable[[tuple[int, ...]], Exact]
RESAMPLING = ("residual", "target")


def exact(probabilities: Sequence[float], name: str) -> Exact:
    """Decimal probabilities as fractions that sum to one."""
    arguments.distribution(probabilities, name)
    fractions = tuple(map(decimal, probabilities))
    if sum(fractions) != 1:
        raise ValueError(f"{name} must sum to 1 exactly, written in decimals")
    return fractions


def pair(target: Sequence[float], draft: Sequence[float]) -> tuple[Exact, Exact]:
    if len(target) != len(draft):
        raise ValueError("both models need the same vocabulary")
    return exact(target, "target"), exact(draft, "draft")


def accept(p: Exact, q: Exact) -> Exact:
    """Probability that each token is drafted and kept: q·min(1, p/q)."""
    return tuple(map(min, p, q))


def residual(p: Exact, q: Exact) -> Exact:
    """Distribution from which a rejected token is replaced: the normalised positive part of p − q."""
    excess = tuple(map(sub, p, accept(p, q)))
    total = sum(excess)
    return tuple(part / total for part in excess) if total else p


def one_token(p: Exact, q: Exact, resampling: str) -> Exact:
    """Distribution of the token that draft, test and replacement give together."""
    kept = accept(p, q)
    instead = residual(p, q) if resampling == "residual" else p
    rejected = 1 - sum(kept)
    return tuple(map(add, kept, (rejected * part for part in instead)))


def distance(p: Exact, q: Exact) -> Fraction:
    """Total variation distance."""
    return Fraction(sum(map(abs, map(sub, p, q)))) / 2


@verifier
def acceptance(target: Sequence[float], draft: Sequence[float]) -> float:
    """Probability that a drafted token is accepted.

    Formula: Σ min(p, q) = 1 − TV(p, q).
    Unit: 1
    Source: leviathan2023
    """
    return float(sum(accept(*pair(target, draft))))


@verifier
def output_distance(target: Sequence[float], draft: Sequence[float], resampling: str = "residual") -> float:
    """Total variation distance of the emitted token's distribution from the target's.

    Formula: TV(min(p, q) + (1 − Σ min(p, q))·r, p); r is the residual max(0, p − q), normalised, or p.
    Unit: 1
    Source: leviathan2023
    """
    arguments.one_of("resampling", resampling, RESAMPLING)
    p, q = pair(target, draft)
    return float(distance(one_token(p, q, resampling), p))


def random_model(vocab: int, *seed: int) -> Model:
    """A made-up model: each prefix has its own distribution, with some tokens at zero."""

    @cache
    def model(prefix: tuple[int, ...]) -> Exact:
        weights = np.random.default_rng([*seed, len(prefix), *prefix]).integers(0, 4, vocab).tolist()
        weights[len(prefix) % vocab] += 1  # never all zero
        return tuple(Fraction(weight, sum(weights)) for weight in weights)

    return model


def one_pass(target: Model, draft: Model, prefix: tuple[int, ...], drafts: int) -> Texts:
    """Distribution of the tokens that one pass appends to a prefix."""
    p = target(prefix)
    if not drafts:
        return {(token,): p[token] for token in range(len(p))}
    q = draft(prefix)
    kept, instead = accept(p, q), residual(p, q)
    found: Texts = {(token,): (1 - sum(kept)) * instead[token] for token in range(len(p))}
    for token, chance in enumerate(kept):
        for rest, share in one_pass(target, draft, (*prefix, token), drafts - 1).items():
            found[(token, *rest)] = chance * share
    return found


def decode(target: Model, draft: Model, drafts: int, length: int) -> Texts:
    """Distribution of the first `length` tokens that passes give one after the other."""
    done: Texts = {}
    open_prefixes: Texts = {(): Fraction(1)}
    while open_prefixes:
        longer: Texts = {}
        for prefix, chance in open_prefixes.items():
            for tokens, share in one_pass(target, draft, prefix, drafts).items():
                text = (prefix + tokens)[:length]
                into = done if len(text) == length else longer
                into[text] = into.get(text, Fraction(0)) + chance * share
        open_prefixes = longer
    return done


@verifier
def is_lossless(
    vocab: int = 3,
    length: int = 3,
    drafts: tuple[int, ...] = (1, 2, 3),
    seeds: int = 3,
    models: tuple[int, int] = (0, 1),
) -> dict[str, object]:
    """Check by enumeration that speculative decoding emits each text as often as the target alone would.

    Formula: P(text) = Π p(token | prefix), summed exactly over every course of drafts, rejections and
    bonus tokens, for models whose distributions depend on the whole prefix.
    Unit: check
    Source: leviathan2023
    """
    for seed in range(seeds):
        target, draft = (random_model(vocab, seed, model) for model in models)
        for count in drafts:
            found = decode(target, draft, count, length)
            for text in product(range(vocab), repeat=length):
                expected = prod(
                    (target(text[:at])[token] for at, token in enumerate(text)), start=Fraction(1)
                )
                assert found[text] == expected, f"{text} comes with {found[text]}, not {expected}"
    return {"tokens": vocab, "length": length, "drafts": str(drafts), "arithmetic": "exact fractions"}


def causal_logits(tokens: Sequence[int], seed: int, vocab: int, width: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Logits [tokens, vocab] of a small causal transformer layer with random weights."""
    normal = np.random.default_rng(seed).standard_normal
    embedding, w_in, w_out = normal((vocab, width)), normal((width, 4 * width)), normal((4 * width, width))
    x = embedding[list(tokens)]
    q, k, v = (x @ normal((width, width)) / width for _ in "qkv")
    weights = np.exp(q @ k.T) * np.tri(len(x))
    x = x + weights @ v / weights.sum(axis=1, keepdims=True)
    return np.asarray((x + np.tanh(x @ w_in / width) @ w_out / width) @ embedding.T)


@verifier
def one_pass_scores_all_drafts(
    vocab: int = 11,
    width: int = 8,
    prompt: int = 5,
    drafts: int = 4,
    seeds: int = 4,
    tolerance: float = 1e-10,
) -> dict[str, object]:
    """Check that one pass over prompt and drafts gives the logits that stepwise passes would.

    Formula: a causal position depends on earlier tokens only, so its logits are those of the prefix alone.
    Unit: check
    Source: leviathan2023
    """
    for seed in range(seeds):
        text = np.random.default_rng([seed, vocab]).integers(vocab, size=prompt + drafts).tolist()
        together = causal_logits(text, seed, vocab, width)
        for length in range(prompt, len(text)):
            alone = causal_logits(text[:length], seed, vocab, width)[-1]
            same = np.allclose(together[length - 1], alone, rtol=tolerance, atol=tolerance)
            assert same, f"position {length} differs"
    return {"prompt": prompt, "drafts": drafts, "seeds": seeds, "tolerance": tolerance}
