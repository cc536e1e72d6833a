"""Success over several attempts: pass@k, pass^k, their estimators and the bias of the naive one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from proofdeck import verifier
from verifiers import arguments
from verifiers.intervals import binomial

Estimator = Callable[[int, int, int], float]


def _samples(samples: int, correct: int, k: int) -> None:
    arguments.counts(0, correct=correct)
    arguments.counts(k=k)
    arguments.counts(max(k, correct), samples=samples)


@verifier
def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Chance that one of k attempts succeeds, estimated without bias from more samples.

    Formula: 1 − C(n − c, k) / C(n, k).
    Unit: 1
    Source: chen2021
    """
    _samples(samples, correct, k)
    ways = math.comb(samples, k)
    return (ways - math.comb(samples - correct, k)) / ways


@verifier
def naive_pass_at_k(samples: int, correct: int, k: int) -> float:
    """The biased estimate that puts the observed rate of success into the formula.

    Formula: 1 − (1 − c / n)^k.
    Unit: 1
    Source: chen2021
    """
    _samples(samples, correct, k)
    return 1 - (1 - correct / samples) ** k


@verifier
def pass_power_k(samples: int, correct: int, k: int) -> float:
    """Chance that all of k attempts succeed (pass^k), estimated without bias from more samples.

    Formula: C(c, k) / C(n, k).
    Unit: 1
    Source: yao2024
    """
    _samples(samples, correct, k)
    return math.comb(correct, k) / math.comb(samples, k)


@verifier
def any_of(rate: float, k: int) -> float:
    """Chance that at least one of k independent attempts succeeds.

    Formula: 1 − (1 − p)^k.
    Unit: 1
    Source: definition
    """
    arguments.shares(rate=rate)
    arguments.counts(k=k)
    return 1 - (1 - rate) ** k


@verifier
def all_of(rate: float, k: int) -> float:
    """Chance that all of k independent attempts succeed.

    Formula: p^k.
    Unit: 1
    Source: definition
    """
    arguments.shares(rate=rate)
    arguments.counts(k=k)
    return float(rate**k)


ESTIMATORS: dict[str, Estimator] = {
    "pass@k": pass_at_k,
    "naive pass@k": naive_pass_at_k,
    "pass^k": pass_power_k,
}
TRUTHS: dict[str, Callable[[float, int], float]] = {
    "pass@k": any_of,
    "naive pass@k": any_of,
    "pass^k": all_of,
}


@verifier
def bias(estimator: str, rate: float, samples: int, k: int) -> float:
    """Mean of an estimator over all outcomes of the samples, minus what it estimates.

    Formula: Σ_c C(n, c) p^c (1 − p)^(n − c) · estimate(n, c, k) − truth(p, k).
    Unit: 1
    Source: chen2021
    """
    estimate = ESTIMATORS[arguments.one_of("estimator", estimator, ESTIMATORS)]
    truth = TRUTHS[estimator](rate, k)
    arguments.counts(k, samples=samples)
    chances = enumerate(binomial(samples, rate))
    return math.fsum(chance * estimate(samples, correct, k) for correct, chance in chances) - truth


@verifier
def unbiased(
    estimators: Sequence[str] = ("pass@k", "pass^k"),
    rates: Sequence[float] = (0.0, 0.1, 0.5, 0.9, 1.0),
    samples: int = 12,
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check that the mean estimate over all outcomes is the truth, for every k up to the samples.

    Unit: check
    Source: chen2021, yao2024
    """
    arguments.counts(estimators=len(estimators), rates=len(rates), samples=samples)
    for estimator in estimators:
        for rate in rates:
            for k in range(1, samples + 1):
                error = bias(estimator, rate, samples, k)
                assert abs(error) < tolerance, f"{estimator}, p = {rate}, k = {k}: biased by {error}"
    return {"rates": ", ".join(map(str, rates)), "samples": samples, "tolerance": tolerance}


@verifier
def attempts_needed(rate: float, target: float) -> int:
    """Fewest independent attempts of which at least one succeeds with the target probability.

    Formula: min{k: 1 − (1 − p)^k ≥ target}.
    Unit: 1
    Source: definition
    """
    arguments.positive(rate=rate)
    arguments.shares(rate=rate, target=target)
    if target == 1 > rate:
        raise ValueError("no number of attempts is certain to succeed")
    k = 1 if rate == 1 else max(1, math.floor(math.log1p(-target) / math.log1p(-rate)))
    return k if any_of(rate, k) >= target else k + 1


@verifier
def benchmark_pass_at_k(rates: Sequence[float], k: int) -> float:
    """Mean over tasks of the chance that one of k attempts succeeds, from each task's own rate.

    Formula: Σ_t 1 − (1 − p_t)^k / tasks, at most 1 − (1 − mean p)^k.
    Unit: 1
    Source: definition
    """
    arguments.counts(tasks=len(rates))
    return math.fsum(any_of(rate, k) for rate in rates) / len(rates)
