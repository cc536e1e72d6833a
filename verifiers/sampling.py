"""Sampling from a language model: temperature, top-k, top-p, min-p, and their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, combinations
from typing import Any

import numpy as np

from proofdeck import verifier

Array = np.ndarray[Any, np.dtype[Any]]

RULES = ("top-k", "top-p", "min-p")


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    if not temperature > 0:
        raise ValueError("temperature must be positive; zero means argmax, a separate case")
    scaled = (logits - logits.max()) / temperature
    weights = np.exp(scaled)
    return np.asarray(weights / weights.sum())


def count_kept(ordered: Sequence[Any], rule: str, threshold: Any) -> int:
    """How many of the probabilities, the largest first, a rule keeps.

    Works on floats and on Fractions; top-p keeps the shortest prefix whose mass reaches p.
    """
    if rule == "top-k":
        return min(int(threshold), len(ordered))
    if rule == "min-p":
        return sum(1 for p in ordered if p >= threshold * ordered[0])
    mass = ordered[0] * 0
    for count, p in enumerate(ordered, start=1):
        mass += p
        if mass >= threshold:
            return count
    return len(ordered)


def _check_rule(rule: str, threshold: float) -> None:
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; one of {', '.join(RULES)}")
    if rule == "top-k" and (threshold < 1 or threshold != int(threshold)):
        raise ValueError("top-k needs a positive whole number")
    if rule != "top-k" and not 0 < threshold <= 1:
        raise ValueError(f"{rule} needs a threshold in (0, 1]")


def zipf(exponent: float, vocab: int, temperature: float = 1.0) -> Array:
    """Probabilities ∝ rank^(−exponent), the largest first; temperature divides the exponent."""
    if not 2 <= vocab <= 10**6 or exponent < 0:
        raise ValueError("vocab must lie between 2 and 1e6, and exponent must not be negative")
    return softmax(-exponent * np.log(np.arange(1, vocab + 1)), temperature)


@verifier
def kept(probabilities: Sequence[float], rule: str, threshold: float) -> int:
    """Number of tokens that a rule keeps of a small distribution, in exact decimals.

    Formula: top-k: k; top-p: shortest prefix, in falling order, with mass ≥ p; min-p: all with
    p_i ≥ m·max p.
    Unit: token
    Source: holtzman2020, nguyen2024
    """
    _check_rule(rule, threshold)
    exact = sorted((Fraction(repr(float(p))) for p in probabilities), reverse=True)
    if not exact or min(exact) < 0 or sum(exact) != 1:
        raise ValueError("probabilities must not be negative and must sum to one")
    return count_kept(exact, rule, Fraction(repr(float(threshold))))


@verifier
def zipf_kept(
    exponent: float, rule: str, threshold: float, temperature: float = 1.0, vocab: int = 50257
) -> int:
    """Number of tokens that a rule keeps of a Zipf distribution, after temperature.

    Formula: p_r ∝ r^(−s/T) over the vocabulary; the rules as in `kept`.
    Unit: token
    Source: holtzman2020, nguyen2024
    """
    _check_rule(rule, threshold)
    # rounding must not decide about a token that stands exactly on the threshold
    slack = 1.0 if rule == "top-k" else 1 - 1e-12
    return count_kept(zipf(exponent, vocab, temperature).tolist(), rule, threshold * slack)


@verifier
def zipf_mass(exponent: float, first: int, temperature: float = 1.0, vocab: int = 50257) -> float:
    """Probability of the most likely tokens of a Zipf distribution, taken together.

    Formula: Σ_{r ≤ first} r^(−s/T) / Σ_r r^(−s/T).
    Unit: 1
    Source: definition
    """
    if not 1 <= first <= vocab:
        raise ValueError("first must lie between 1 and vocab")
    return float(zipf(exponent, vocab, temperature)[:first].sum())


@verifier
def effective_tokens(logits: Sequence[float], temperature: float = 1.0) -> float:
    """Perplexity of a tempered distribution: the size of a uniform one with the same entropy.

    Formula: exp(−Σ p ln p), p = softmax(z/T).
    Unit: token
    Source: definition
    """
    if len(logits) < 1:
        raise ValueError("at least one logit is needed")
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
    if not 0 <= mass <= 1 or tokens < 0:
        raise ValueError("mass must lie between 0 and 1, and tokens must not be negative")
    return 1 - (1 - mass) ** tokens


def entropy_slope(logits: Array, temperature: float) -> float:
    """Closed form of dH/dT: the variance of the logits over T³."""
    p = softmax(logits, temperature)
    mean = (p * logits).sum()
    return float((p * (logits - mean) ** 2).sum() / temperature**3)


@verifier
def entropy_rises_with_temperature() -> dict[str, object]:
    """Check the derivative of the entropy by temperature, and so that it never falls.

    Formula: dH/dT = Var_p(z)/T³ ≥ 0, zero only where all logits are equal.
    Unit: check
    Source: definition; derivative by complex step
    """
    for size in (3, 10, 100):
        for seed in range(4):
            logits = 3 * np.random.default_rng([size, seed]).standard_normal(size)
            for temperature in (0.3, 1.0, 4.0):
                scaled = (logits - logits.max()) / (temperature + 1e-30j)
                log_p = scaled - np.log(np.exp(scaled).sum())
                true = -(np.exp(log_p) * log_p).sum().imag / 1e-30
                error = abs(entropy_slope(logits, temperature) - true)
                assert error < 1e-10 * max(1.0, abs(true)), f"slope off by {error}"
                assert true > 0, "the entropy falls"
    return {"tokens": "3, 10, 100", "seeds": 4, "T": "0.3, 1, 4", "tolerance": 1e-10}


@verifier
def cold_limit_is_argmax() -> dict[str, object]:
    """Check that all but the largest logit lose their probability as the temperature falls.

    Formula: 1 − p_max ≤ (V − 1)·exp(−Δ/T), Δ the gap to the second; tied logits share equally.
    Unit: check
    Source: definition
    """
    for seed in range(10):
        logits = np.random.default_rng(seed).standard_normal(50)
        gap = float(np.diff(np.sort(logits)[-2:])[0])
        for temperature in (1.0, 0.1, 0.01, 0.001):
            p = softmax(logits, temperature)
            assert int(p.argmax()) == int(logits.argmax()), "the top token changed"
            bound = 49 * math.exp(-gap / temperature)
            assert p.sum() - p.max() <= bound + 1e-12, "slower than the bound"
    tied = softmax(np.array([2.0, 2.0, 1.0]), 0.001)
    assert np.allclose(tied, [0.5, 0.5, 0.0], atol=1e-12), "tied logits do not share"
    return {"tokens": 50, "seeds": 10, "T": "1, 0.1, 0.01, 0.001", "tolerance": 1e-12}


@verifier
def nucleus_is_smallest_set() -> dict[str, object]:
    """Check the nucleus against every subset: none with fewer tokens reaches the mass p.

    Formula: min |S| over all S with Σ_{i in S} p_i ≥ p.
    Unit: check
    Source: holtzman2020
    """
    for seed in range(8):
        weights = np.random.default_rng(seed).integers(1, 20, size=7).tolist()
        ordered = sorted((Fraction(w, sum(weights)) for w in weights), reverse=True)
        # the masses of prefixes themselves are the boundary cases: reached, not exceeded
        for threshold in (Fraction(1, 10), Fraction(9, 10), *accumulate(ordered)):
            smallest = next(
                size
                for size in range(1, 8)
                if any(sum(subset) >= threshold for subset in combinations(ordered, size))
            )
            assert count_kept(ordered, "top-p", threshold) == smallest, "not the smallest set"
    return {"tokens": 7, "subsets": "all", "seeds": 8, "arithmetic": "exact fractions"}


@verifier
def min_p_is_a_logit_gap() -> dict[str, object]:
    """Check that min-p after temperature keeps the logits within T·ln(1/m) of the largest.

    Formula: p_i ≥ m·p_max ⇔ z_max − z_i ≤ T·ln(1/m): no normaliser, so the tail has no say.
    Unit: check
    Source: nguyen2024
    """
    for seed in range(10):
        logits = np.sort(3 * np.random.default_rng(seed).standard_normal(500))[::-1]
        for temperature in (0.5, 1.0, 2.0):
            for m in (0.02, 0.1, 0.5):
                near = int((logits[0] - logits <= temperature * math.log(1 / m)).sum())
                p = softmax(logits, temperature).tolist()
                assert count_kept(p, "min-p", m) == near, "min-p differs from the gap"
    return {"tokens": 500, "seeds": 10, "T": "0.5, 1, 2", "m": "0.02, 0.1, 0.5"}


@verifier
def top_k_ignores_temperature() -> dict[str, object]:
    """Check that temperature never changes the order of tokens, hence not the top-k set.

    Formula: z_i ≥ z_j ⇔ softmax(z/T)_i ≥ softmax(z/T)_j for T > 0.
    Unit: check
    Source: definition
    """
    for seed in range(10):
        logits = np.random.default_rng(seed).standard_normal(200)
        order = np.argsort(-logits, kind="stable")
        for temperature in (0.2, 1.0, 5.0):
            tempered = np.argsort(-softmax(logits, temperature), kind="stable")
            assert (order == tempered).all(), "temperature reordered the tokens"
    return {"tokens": 200, "seeds": 10, "T": "0.2, 1, 5"}
