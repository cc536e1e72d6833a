"""Sampling from a language model: temperature, top-k, top-p, min-p, and their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, combinations
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.truncation import check_rule, count_kept, count_kept_rounded, decimal

Array = np.ndarray[Any, np.dtype[Any]]


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    arguments.positive(temperature=temperature)  # zero means argmax, a case of its own
    arguments.finite(**{"largest logit": float(logits.max())})
    scaled = (logits - logits.max()) / temperature
    weights = np.exp(scaled)
    return np.asarray(weights / weights.sum())


def zipf(exponent: float, vocab: int, temperature: float = 1.0) -> Array:
    """Probabilities ∝ rank^(−exponent), the largest first; temperature divides the exponent."""
    arguments.counts(2, vocab=vocab)
    arguments.non_negative(exponent=exponent)
    return softmax(-exponent * np.log(np.arange(1, vocab + 1)), temperature)


@verifier
def kept(probabilities: Sequence[float], rule: str, threshold: float) -> int:
    """Number of tokens that a rule keeps of a small distribution, in exact decimals.

    Formula: top-k: k; top-p: shortest prefix, in falling order, with mass ≥ p; min-p: all with
    p_i ≥ m·max p.
    Unit: token
    Source: holtzman2020, nguyen2024
    """
    check_rule(rule, threshold)
    arguments.distribution(probabilities)
    exact = sorted((decimal(p) for p in probabilities), reverse=True)
    return count_kept(exact, rule, decimal(threshold))


@verifier
def zipf_kept(
    exponent: float, rule: str, threshold: float, temperature: float = 1.0, vocab: int = 50257
) -> int:
    """Number of tokens that a rule keeps of a Zipf distribution, after temperature.

    Formula: p_r ∝ r^(−s/T) over the vocabulary; the rules as in `kept`, p = 1 keeping every token.
    Unit: token
    Source: holtzman2020, nguyen2024
    """
    check_rule(rule, threshold)
    return count_kept_rounded(zipf(exponent, vocab, temperature).tolist(), rule, threshold)


@verifier
def zipf_mass(exponent: float, first: int, temperature: float = 1.0, vocab: int = 50257) -> float:
    """Probability of the most likely tokens of a Zipf distribution, taken together.

    Formula: Σ_{r ≤ first} r^(−s/T) / Σ_r r^(−s/T).
    Unit: 1
    Source: definition
    """
    arguments.counts(first=first)
    if first > vocab:
        raise ValueError(f"there are {vocab} tokens, fewer than {first}")
    return float(zipf(exponent, vocab, temperature)[:first].sum())


@verifier
def effective_tokens(logits: Sequence[float], temperature: float = 1.0) -> float:
    """Perplexity of a tempered distribution: the size of a uniform one with the same entropy.

    Formula: exp(−Σ p ln p), p = softmax(z/T).
    Unit: token
    Source: definition
    """
    arguments.counts(logits=len(logits))
    p = softmax(np.array(logits, dtype=float), temperature)
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


@verifier
def tail_risk(mass: float, tokens: int) -> float:
    """Probability that at least one of many draws comes from a tail of given mass.

    Formula: 1 − (1 − m)^n.
    Unit: 1
    Source: definition
    """
    arguments.shares(mass=mass)
    arguments.counts(0, tokens=tokens)
    if mass == 1:
        return float(tokens > 0)
    return -math.expm1(tokens * math.log1p(-mass))  # the plain power loses a thin tail


def entropy_slope(logits: Array, temperature: float) -> float:
    """Closed form of dH/dT: the variance of the logits over T³."""
    p = softmax(logits, temperature)
    mean = (p * logits).sum()
    return float((p * (logits - mean) ** 2).sum() / temperature**3)


def listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


@verifier
def entropy_rises_with_temperature(
    sizes: tuple[int, ...] = (3, 10, 100),
    temperatures: tuple[float, ...] = (0.3, 1.0, 4.0),
    seeds: int = 4,
    spread: float = 3.0,
    tolerance: float = 1e-10,
    step: complex = 1e-30j,
) -> dict[str, object]:
    """Check the derivative of the entropy by temperature, and so that it never falls.

    Formula: dH/dT = Var_p(z)/T³ ≥ 0, zero only where all logits are equal.
    Unit: check
    Source: definition; derivative by complex step
    """
    for size in sizes:
        for seed in range(seeds):
            logits = spread * np.random.default_rng([size, seed]).standard_normal(size)
            for temperature in temperatures:
                scaled = logits / (temperature + step)
                log_p = scaled - np.log(np.exp(scaled).sum())
                true = (np.exp(log_p) * -log_p).sum().imag / step.imag
                slope = entropy_slope(logits, temperature)
                assert math.isclose(slope, true, rel_tol=tolerance, abs_tol=tolerance), "slope off"
                assert slope > 0, "the entropy falls"
    return {"tokens": listed(sizes), "seeds": seeds, "T": listed(temperatures), "tolerance": tolerance}


@verifier
def cold_limit_is_argmax(
    tokens: int = 50,
    seeds: int = 10,
    temperatures: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001),
    tied: tuple[float, ...] = (2.0, 2.0, 1.0),
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check that all but the largest logit lose their probability as the temperature falls.

    Formula: 1 − p_max ≤ (V − 1)·exp(−Δ/T), Δ the gap to the second; tied logits share equally.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        logits = np.random.default_rng(seed).standard_normal(tokens)
        gaps = np.sort(logits.max() - logits)
        for temperature in temperatures:
            tail = softmax(logits, temperature)[logits < logits.max()].sum()
            bound = (tokens - 1) * math.exp(-gaps[1] / temperature)
            assert max(tail, bound) == bound, "slower than the bound"
    largest = np.array(tied) == max(tied)
    shared = softmax(np.array(tied), min(temperatures))
    assert np.allclose(shared, largest / largest.sum(), atol=tolerance), "tied logits do not share"
    return {"tokens": tokens, "seeds": seeds, "T": listed(temperatures), "tolerance": tolerance}


@verifier
def nucleus_is_smallest_set(
    tokens: int = 7,
    seeds: int = 8,
    weights: tuple[int, int] = (1, 20),
    masses: tuple[str, ...] = ("1/10", "9/10"),
) -> dict[str, object]:
    """Check the nucleus against every subset: none with fewer tokens reaches the mass p.

    Formula: min |S| over all S with Σ_{i in S} p_i ≥ p.
    Unit: check
    Source: holtzman2020
    """
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).integers(*weights, size=tokens).tolist()
        ordered = sorted((Fraction(weight, sum(drawn)) for weight in drawn), reverse=True)
        # the masses of prefixes themselves are the boundary cases: reached, not exceeded
        for threshold in (*map(Fraction, masses), *accumulate(ordered)):
            count = count_kept(ordered, "top-p", threshold)
            assert reaches(ordered, count, threshold), "the mass is not reached"
            assert not reaches(ordered, count - 1, threshold), "not the smallest set"
    return {"tokens": tokens, "subsets": "all", "seeds": seeds, "arithmetic": "exact fractions"}


def reaches(probabilities: Sequence[Fraction], size: int, mass: Fraction) -> bool:
    """Whether any subset of a size holds the mass."""
    return any(sum(subset) >= mass for subset in combinations(probabilities, size))


@verifier
def min_p_is_a_logit_gap(
    tokens: int = 500,
    seeds: int = 10,
    temperatures: tuple[float, ...] = (0.5, 1.0, 2.0),
    fractions: tuple[float, ...] = (0.02, 0.1, 0.5),
    spread: float = 3.0,
) -> dict[str, object]:
    """Check that min-p after temperature keeps the logits within T·ln(1/m) of the largest.

    Formula: p_i ≥ m·p_max ⇔ z_max − z_i ≤ T·ln(1/m): no normaliser, so the tail has no say.
    Unit: check
    Source: nguyen2024
    """
    for seed in range(seeds):
        logits = spread * np.random.default_rng(seed).standard_normal(tokens)
        for temperature in temperatures:
            for m in fractions:
                near = np.count_nonzero(logits.max() - logits <= -temperature * math.log(m))
                p = sorted(softmax(logits, temperature).tolist(), reverse=True)
                assert count_kept(p, "min-p", m) == near, "min-p differs from the gap"
    return {"tokens": tokens, "seeds": seeds, "T": listed(temperatures), "m": listed(fractions)}


@verifier
def top_k_ignores_temperature(
    tokens: int = 200, seeds: int = 10, temperatures: tuple[float, ...] = (0.2, 1.0, 5.0)
) -> dict[str, object]:
    """Check that temperature never changes the order of tokens, hence not the top-k set.

    Formula: z_i ≥ z_j ⇔ softmax(z/T)_i ≥ softmax(z/T)_j for T > 0.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        logits = np.random.default_rng(seed).standard_normal(tokens)
        for temperature in temperatures:
            tempered = softmax(logits, temperature)
            assert np.array_equal(logits.argsort(), tempered.argsort()), "temperature reordered the tokens"
    return {"tokens": tokens, "seeds": seeds, "T": listed(temperatures)}
