"""Confidence intervals: of a rate, a difference, a correlation, any statistic, and their true coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from proofdeck import verifier
from verifiers import arguments

Interval = tuple[float, float]


def z_score(confidence: float) -> float:
    """Return how many standard errors a two-sided interval reaches to each side."""
    arguments.positive(confidence=confidence, **{"1 − confidence": 1 - confidence})
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def binomial(n: int, p: float) -> list[float]:
    """Return the probabilities of 0 … n successes, built up from the likeliest number."""
    if p == 1:
        return [0.0] * n + [1.0]
    mode = int((n + 1) * p)
    odds = p / (1 - p)
    weights = [1.0] * (n + 1)
    for k in range(mode, n):
        weights[k + 1] = weights[k] * odds * (n - k) / (k + 1)
    for k in range(mode, 0, -1):
        weights[k - 1] = weights[k] / odds * k / (n - k + 1)
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


def _named(interval: Interval) -> dict[str, float]:
    return {"low": interval[0], "high": interval[1]}


@verifier
def standard_error(p: float, n: int) -> float:
    """Standard error of a rate observed in n independent trials.

    Formula: √(p (1 − p) / n).
    Unit: 1
    Source: miller2024
    """
    arguments.shares(p=p)
    arguments.counts(n=n)
    return math.sqrt(p * (1 - p) / n)


@verifier
def half_width(p: float, n: int, confidence: float = 0.95) -> float:
    """Half-width of the normal (Wald) interval of a rate.

    Formula: z · √(p (1 − p) / n).
    Unit: 1
    Source: miller2024
    """
    return z_score(confidence) * standard_error(p, n)


def _wald(successes: int, n: int, confidence: float) -> Interval:
    p = successes / n
    return p - half_width(p, n, confidence), p + half_width(p, n, confidence)


def _wilson(successes: int, n: int, confidence: float) -> Interval:
    p, z2 = successes / n, z_score(confidence) ** 2
    middle = p + z2 / (2 * n)
    reach = math.sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n)
    return (middle - reach) / (1 + z2 / n), (middle + reach) / (1 + z2 / n)


def _upper(successes: int, n: int, confidence: float) -> float:
    """Rate under which so few successes have half of the chance that the interval may miss."""
    low, middle, high = successes / n, (successes / n + 1) / 2, 1.0
    while low < middle < high:
        tail = math.fsum(binomial(n, middle)[: successes + 1])
        low, high = (low, middle) if tail < (1 - confidence) / 2 else (middle, high)
        middle = (low + high) / 2
    return middle


def _clopper_pearson(successes: int, n: int, confidence: float) -> Interval:
    z_score(confidence)
    return 1 - _upper(n - successes, n, confidence), _upper(successes, n, confidence)


METHODS: dict[str, Callable[[int, int, float], Interval]] = {
    "wald": _wald,
    "wilson": _wilson,
    "clopper-pearson": _clopper_pearson,
}


@verifier
def rate(successes: int, n: int, method: str = "wilson", confidence: float = 0.95) -> dict[str, float]:
    """Confidence interval of a rate, by Wald, Wilson or Clopper-Pearson.

    Formula: p ± z √(p q / n); or (p + z²/2n ± z √(p q / n + z²/4n²)) / (1 + z²/n); or the rates whose
    binomial tails hold half of the rest.
    Unit: 1
    Source: wilson1927, clopper1934
    """
    find = METHODS[arguments.one_of("method", method, METHODS)]
    arguments.counts(0, successes=successes)
    arguments.counts(max(1, successes), n=n)
    return _named(find(successes, n, confidence))


@verifier
def coverage(method: str, p: float, n: int, confidence: float = 0.95) -> float:
    """Probability that an interval holds the true rate, over all outcomes of n trials.

    Formula: Σ_k P(Binomial(n, p) = k) · [low(k) ≤ p ≤ high(k)].
    Unit: 1
    Source: brown2001
    """
    arguments.positive(p=p, **{"1 − p": 1 - p})
    arguments.counts(n=n)
    found = (rate(successes, n, method, confidence) for successes in range(n + 1))
    chances = binomial(n, p)
    return math.fsum(chances[k] for k, ends in enumerate(found) if ends["low"] <= p <= ends["high"])


@verifier
def zero_failures_upper(n: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of a failure rate after n trials without a failure; about 3 / n at 95 %.

    Formula: 1 − (1 − confidence)^(1/n).
    Unit: 1
    Source: hanley1983
    """
    arguments.counts(n=n)
    arguments.positive(confidence=confidence, **{"1 − confidence": 1 - confidence})
    return -math.expm1(math.log1p(-confidence) / n)


@verifier
def difference_half_width(p: float, n: int, q: float, m: int, confidence: float = 0.95) -> float:
    """Half-width of the interval of the difference of two rates from separate samples.

    Formula: z · √(p (1 − p) / n + q (1 − q) / m).
    Unit: 1
    Source: miller2024
    """
    return z_score(confidence) * math.hypot(standard_error(p, n), standard_error(q, m))


@verifier
def paired_difference(
    n: int, only_first: int, only_second: int, confidence: float = 0.95
) -> dict[str, float]:
    """Difference of two systems on the same questions, from those that just one of them gets right.

    Formula: d = (b − c) / n; half-width = z · √(((b + c) / n − d²) / n).
    Unit: 1
    Source: miller2024
    """
    arguments.counts(0, only_first=only_first, only_second=only_second)
    arguments.counts(max(1, only_first + only_second), n=n)
    mean = (only_first - only_second) / n
    half = z_score(confidence) * math.sqrt(((only_first + only_second) / n - mean**2) / n)
    return {"difference": mean, "half width": half, "low": mean - half, "high": mean + half}


@verifier
def correlation(r: float, n: int, confidence: float = 0.95) -> dict[str, float]:
    """Confidence interval of a correlation by Fisher's transformation.

    Formula: tanh(artanh r ± z / √(n − 3)).
    Unit: 1
    Source: definition
    """
    arguments.counts(4, n=n)
    arguments.positive(**{"1 − |r|": 1 - abs(r)})
    reach = z_score(confidence) / math.sqrt(n - 3)
    return _named((math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)))


@verifier(tolerance=1e-6)
def bootstrap(
    values: Sequence[float], confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> dict[str, float]:
    """Percentile interval of the mean of values resampled with replacement.

    Formula: quantiles of mean(values drawn n times with replacement) at (1 ∓ confidence) / 2.
    Unit: 1
    Source: efron1979
    """
    z_score(confidence)
    arguments.counts(2, values=len(values))
    arguments.counts(resamples=resamples)
    arguments.finite(**{f"values[{index}]": value for index, value in enumerate(values)})
    rng = np.random.default_rng(seed)
    means = rng.choice(np.asarray(values, dtype=float), (resamples, len(values))).mean(1)
    tail = (1 - confidence) / 2
    return _named((float(np.quantile(means, tail)), float(np.quantile(means, 1 - tail))))


@verifier
def design_effect(cluster_size: float, correlation: float) -> float:
    """How many times the variance of a mean grows when questions come in clusters of equal size.

    Formula: 1 + (m − 1) · ρ.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(**{"cluster_size − 1": cluster_size - 1})
    arguments.shares(correlation=correlation)
    return 1 + (cluster_size - 1) * correlation


@verifier
def clustered_standard_error(clusters: Sequence[Sequence[float]]) -> float:
    """Standard error of a mean over questions that come in clusters: errors add up within each.

    Formula: √(Σ_clusters (Σ (x − mean))²) / n.
    Shapes: clusters holds the scores of each cluster.
    Unit: 1
    Source: miller2024
    """
    arguments.counts(2, clusters=len(clusters))
    arguments.counts(**{f"clusters[{index}]": len(scores) for index, scores in enumerate(clusters)})
    for scores in clusters:
        arguments.finite(**{f"scores[{index}]": score for index, score in enumerate(scores)})
    n = sum(map(len, clusters))
    mean = math.fsum(map(math.fsum, clusters)) / n
    return math.hypot(*(math.fsum(scores) - len(scores) * mean for scores in clusters)) / n
