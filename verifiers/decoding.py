"""Changing the next token's distribution: penalties, typical and eta sampling, masks for a format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.sampling import Array, softmax
from verifiers.truncation import SLACK, count_kept, decimal


def _logits(logits: Sequence[float], counts: Sequence[int]) -> tuple[Array, Array]:
    """Logits and how often each token has appeared, as arrays of one length."""
    if len(logits) != len(counts) or not any(counts):
        raise ValueError("a count for every logit is needed, and some token must have appeared")
    arguments.counts(0, **{f"counts[{index}]": count for index, count in enumerate(counts)})
    return np.array(logits, dtype=float), np.array(counts)


def repetition(logits: Array, seen: Array, penalty: float, sign_aware: bool) -> Array:
    """Logits of seen tokens divided by the penalty; sign-aware: negative ones multiplied."""
    divided = np.where((logits < 0) & sign_aware, logits * penalty, logits / penalty)
    return np.where(seen, divided, logits)


def additive(logits: Array, counts: Array, frequency: float, presence: float) -> Array:
    """Logits lowered for every appearance, and once for having appeared."""
    return np.asarray(logits - frequency * counts - presence * (counts > 0))


@verifier
def repetition_penalty(
    logits: Sequence[float], counts: Sequence[int], penalty: float, sign_aware: bool = True
) -> dict[str, float]:
    """Probability of the tokens that have appeared, before and after a repetition penalty.

    Formula: a seen token's logit becomes z/θ where z ≥ 0 and z·θ where z < 0, as Transformers has it; not
    sign-aware, as CTRL writes it: z/θ always, which raises negative logits.
    Unit: before=1, after=1
    Source: keskar2019
    """
    z, seen = _logits(logits, counts)
    arguments.positive(penalty=penalty)
    return _shares(z, repetition(z, seen > 0, penalty, sign_aware), seen)


@verifier
def additive_penalty(
    logits: Sequence[float], counts: Sequence[int], frequency: float = 0.0, presence: float = 0.0
) -> dict[str, float]:
    """Probability of the tokens that have appeared, before and after frequency and presence penalties.

    Formula: z − c·α_frequency − [c > 0]·α_presence, c how often the token has appeared.
    Unit: before=1, after=1
    Source: openai2023
    """
    z, seen = _logits(logits, counts)
    arguments.finite(frequency=frequency, presence=presence)
    return _shares(z, additive(z, seen, frequency, presence), seen)


def _shares(before: Array, after: Array, counts: Array) -> dict[str, float]:
    p, q = (float(softmax(z)[counts > 0].sum()) for z in (before, after))
    return {"before": p, "after": q}


@verifier
def typical(probabilities: Sequence[float], mass: float) -> dict[str, int]:
    """How many tokens locally typical sampling keeps, and whether the likeliest is among them.

    Formula: smallest set with mass ≥ τ in rising order of |ln p + H|, H = −Σ p·ln p; top = 1 if it holds the
    likeliest token.
    Unit: kept=token, top=1
    Source: meister2023
    """
    arguments.distribution(probabilities)
    arguments.shares(mass=mass)
    arguments.positive(mass=mass)
    p = np.array([probability for probability in probabilities if probability], dtype=float)
    order = np.argsort(abs(np.log(p) - (p * np.log(p)).sum()), kind="stable")
    kept = count_kept([decimal(p[index]) for index in order], "top-p", decimal(mass))
    return {"kept": kept, "top": int(p.argmax() in order[:kept])}


@verifier
def eta(probabilities: Sequence[float], epsilon: float) -> dict[str, float]:
    """Threshold of eta sampling and how many tokens reach it.

    Formula: η = min(ε, √ε·exp(−H)); kept are the tokens with p ≥ η, the likeliest among them, as exp(−H) is
    at most its probability.
    Unit: threshold=1, kept=token
    Source: hewitt2022
    """
    arguments.distribution(probabilities)
    arguments.shares(epsilon=epsilon)
    p = np.array([probability for probability in probabilities if probability], dtype=float)
    entropy = -(p * np.log(p)).sum()
    threshold = float(min(epsilon, epsilon**0.5 * np.exp(-entropy)))
    return {"threshold": threshold, "kept": int((p >= threshold * SLACK).sum())}


@verifier
def mask_bias(first: Sequence[float], legal_after: Sequence[float]) -> dict[str, float]:
    """How far masking illegal tokens step by step is from sampling whole texts until one is legal.

    Formula: masked: p_i/Σ over tokens that can still end legally; conditioned: p_i·l_i/Σ p·l, l_i the
    probability that the model would end legally after i; distance is their total variation, legal = Σ p·l.
    Unit: distance=1, legal=1
    Source: park2024
    """
    arguments.distribution(first, "first")
    arguments.shares(**{f"legal_after[{index}]": share for index, share in enumerate(legal_after)})
    if len(first) != len(legal_after):
        raise ValueError("every first token needs its probability of ending legally")
    p, legal = np.array(first), np.array(legal_after)
    mass = float((p * legal).sum())
    arguments.positive(**{"probability of a legal text": mass})
    masked = p * (legal > 0)
    return {"distance": float(abs(masked / masked.sum() - p * legal / mass).sum() / 2), "legal": mass}


def masked_softmax(logits: Array, legal: Array) -> Array:
    """Softmax with the logits of illegal tokens at minus infinity."""
    return softmax(np.where(legal, logits, -np.inf))


@verifier
def masking_renormalises(
    sizes: tuple[int, ...] = (5, 100), seeds: int = 5, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that −∞ on illegal logits gives the distribution over the legal tokens, renormalised.

    Formula: softmax(z + mask)_i = p_i/Σ_{legal} p for legal i, 0 else.
    Unit: check
    Source: willard2023
    """
    for size in sizes:
        for seed in range(seeds):
            generator = np.random.default_rng([size, seed])
            logits, legal = generator.standard_normal(size), generator.permutation(size) <= seed
            p = softmax(logits) * legal
            same = np.allclose(masked_softmax(logits, legal), p / p.sum(), rtol=tolerance, atol=tolerance)
            assert same, "masking changes the odds of legal tokens"
    return {"tokens": ", ".join(map(str, sizes)), "seeds": seeds, "tolerance": tolerance}


@verifier
def only_subtraction_ignores_shifts(
    counts: tuple[int, ...] = (0, 1, 3, 0, 2, 0, 0, 1),
    shifts: tuple[float, ...] = (0.0, -5.0, 5.0),
    penalty: float = 1.2,
    seeds: int = 5,
) -> dict[str, object]:
    """Check that a shift of all logits, which changes no probability, changes what division penalises.

    Formula: softmax(z + c − α·counts) does not depend on c; softmax of z + c with seen logits divided by θ,
    the negative ones multiplied or not, does.
    Unit: check
    Source: keskar2019
    """
    seen = np.array(counts, dtype=bool)
    for seed in range(seeds):
        logits = [np.random.default_rng(seed).normal(shift, size=len(counts)) for shift in shifts]
        for moves, penalised in (
            (False, logits),
            (False, [additive(z, np.array(counts), penalty, penalty) for z in logits]),
            (True, [repetition(z, seen, penalty, sign_aware=True) for z in logits]),
            (True, [repetition(z, seen, penalty, sign_aware=False) for z in logits]),
        ):
            first, *others = map(softmax, penalised)
            for shifted in others:
                moved = not np.allclose(shifted, first)
                assert moved == moves, f"a shift moves the probabilities: {moved}"
    return {"counts": str(counts), "shifts": str(shifts), "penalty": penalty, "seeds": seeds}
