"""How many samples a comparison needs, and what small samples do to gates and alarms."""

from __future__ import annotations

import math
from statistics import NormalDist

from proofdeck import verifier
from verifiers import arguments
from verifiers.intervals import binomial, z_score

VARIANCES = ("pooled", "unpooled", "baseline")


def _power_z(power: float) -> float:
    arguments.positive(power=power, **{"1 − power": 1 - power})
    return NormalDist().inv_cdf(power)


def _samples(reach: float, difference: float) -> int:
    if reach <= 0:
        raise ValueError("chance alone has as much power: take a higher power or confidence")
    return math.ceil((reach / difference) ** 2)


@verifier
def for_half_width(p: float, half_width: float, confidence: float = 0.95) -> int:
    """Trials after which the normal interval of a rate is as narrow as wanted.

    Formula: ⌈z² p (1 − p) / half-width²⌉.
    Unit: 1
    Source: definition
    """
    arguments.positive(p=p, **{"1 − p": 1 - p})
    arguments.positive(half_width=half_width)
    return math.ceil((z_score(confidence) / half_width) ** 2 * p * (1 - p))


@verifier
def two_rates(
    p: float, q: float, power: float = 0.8, confidence: float = 0.95, variance: str = "pooled"
) -> int:
    """Samples in each arm to detect that two rates differ, with a two-sided test.

    Formula: ⌈(z_α s₀ + z_β s₁)² / (p − q)²⌉ with s₁² = p(1−p) + q(1−q); pooled: s₀² = 2 r(1−r) with r
    their mean; unpooled: s₀ = s₁; baseline: s₀² = s₁² = 2 p(1−p).
    Unit: 1
    Source: fleiss2003
    """
    arguments.shares(p=p, q=q)
    arguments.one_of("variance", variance, VARIANCES)
    arguments.positive(difference=abs(p - q))
    middle = (p + q) / 2
    spread = p * (1 - p) + q * (1 - q)
    under_null = 2 * middle * (1 - middle) if variance == "pooled" else spread
    if variance == "baseline":
        spread = under_null = 2 * p * (1 - p)
    arguments.positive(variance=under_null)
    reach = z_score(confidence) * math.sqrt(under_null) + _power_z(power) * math.sqrt(spread)
    return _samples(reach, p - q)


@verifier
def power(p: float, q: float, n: int, confidence: float = 0.95) -> float:
    """Probability that n samples in each arm show that two rates differ.

    Formula: Φ((|p − q| √n − z_α s₀) / s₁), with the pooled s₀ and s₁ of `two_rates`.
    Unit: 1
    Source: fleiss2003
    """
    arguments.shares(p=p, q=q)
    arguments.counts(n=n)
    arguments.positive(difference=abs(p - q))
    middle = (p + q) / 2
    null = z_score(confidence) * math.sqrt(2 * middle * (1 - middle))
    spread = math.sqrt(p * (1 - p) + q * (1 - q))
    arguments.positive(spread=spread)
    return NormalDist().cdf((abs(p - q) * math.sqrt(n) - null) / spread)


@verifier
def paired(discordant: float, difference: float, power: float = 0.8, confidence: float = 0.95) -> int:
    """Questions for which a paired comparison detects a difference, from the share that only one solves.

    Formula: ⌈(z_α √d + z_β √(d − δ²))² / δ²⌉.
    Unit: 1
    Source: connor1987
    """
    arguments.shares(discordant=discordant)
    arguments.positive(difference=difference)
    if difference > discordant:
        raise ValueError(f"a difference of {difference} needs at least as many discordant questions")
    spread = math.sqrt(discordant - difference**2)
    reach = z_score(confidence) * math.sqrt(discordant) + _power_z(power) * spread
    return _samples(reach, difference)


@verifier
def false_block(p: float, n: int, threshold: float) -> float:
    """Probability that a fresh sample of an unchanged system falls behind a first one by over a threshold.

    Formula: P(X − Y > threshold · n), X and Y independent Binomial(n, p).
    Unit: 1
    Source: definition
    """
    arguments.shares(p=p, threshold=threshold)
    arguments.counts(n=n)
    chances = binomial(n, p)
    # a hair below the threshold is the threshold
    gap = math.floor(threshold * n + 1e-9)
    return math.fsum(
        chance * math.fsum(chances[: max(0, before - gap)]) for before, chance in enumerate(chances)
    )


@verifier
def false_alarm(p: float, n: int, threshold: float) -> float:
    """Probability that a sample of an unchanged system is off its true rate by a threshold or more.

    Formula: P(|X − n p| ≥ threshold · n), X Binomial(n, p).
    Unit: 1
    Source: definition
    """
    arguments.shares(p=p, threshold=threshold)
    arguments.counts(n=n)
    return math.fsum(
        chance for k, chance in enumerate(binomial(n, p)) if abs(k - n * p) >= threshold * n - 1e-9
    )


@verifier
def passes_needed(tests: int, threshold: float) -> int:
    """Tests that must pass for a suite to reach a threshold.

    Formula: ⌈threshold · tests⌉.
    Unit: 1
    Source: definition
    """
    arguments.counts(tests=tests)
    arguments.shares(threshold=threshold)
    return math.ceil(threshold * tests - 1e-9)
