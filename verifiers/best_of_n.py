"""Best of n samples: how much it gains, what it costs in KL, and where an imperfect reward turns."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments

STEP, REACH = 0.01, 8.0
"""Grid of the integral, and how far beyond zero and beyond the bound of the maximum it goes."""


@verifier
def expected_maximum(n: int) -> float:
    """Expected largest of n standard normal numbers, in standard deviations.

    Formula: ∫ x · n·φ(x)·Φ(x)^(n−1) dx.
    Unit: 1
    Source: definition
    """
    arguments.counts(n=n)
    terms = []
    for index in range(round(-REACH / STEP), round((maximum_bound(n) + REACH) / STEP)):
        x = index * STEP
        below = math.log1p(-math.erfc(x / math.sqrt(2)) / 2)  # ln Φ(x), exact in the upper tail too
        terms.append(x * math.exp((n - 1) * below - x * x / 2))
    return n * STEP * math.fsum(terms) / math.sqrt(2 * math.pi)


@verifier
def maximum_bound(n: int) -> float:
    """Upper bound of the expected largest of n standard normals, to which it comes close very slowly.

    Formula: √(2 ln n).
    Unit: 1
    Source: definition
    """
    arguments.counts(n=n)
    return math.sqrt(2 * math.log(n))


@verifier
def gain_of_doubling(n: int) -> float:
    """What doubling the number of samples adds to the expected best, in standard deviations.

    Formula: E[max of 2n] − E[max of n].
    Unit: 1
    Source: definition
    """
    return expected_maximum(2 * n) - expected_maximum(n)


@verifier
def kl(n: int) -> float:
    """KL divergence of best-of-n from the policy that it samples, exact where no answer is drawn twice.

    Formula: ln n − (n − 1)/n; an upper bound where answers have probabilities of their own, or equal rewards.
    Unit: nat
    Source: stiennon2020, beirami2024
    """
    arguments.counts(n=n)
    return math.log(n) - (n - 1) / n


@verifier
def true_gain(n: int, correlation: float) -> float:
    """Expected true quality of the sample that a proxy reward likes best, both jointly standard normal.

    Formula: ρ · E[max of n].
    Unit: 1
    Source: definition
    """
    arguments.finite(correlation=correlation)
    arguments.shares(**{"|correlation|": abs(correlation)})
    return correlation * expected_maximum(n)


@verifier
def overoptimised(distance: float, slope: float, decline: float, method: str = "best-of-n") -> float:
    """True reward at a distance √KL from the start, as fitted for over-optimised reward models.

    Formula: best-of-n d·(α − β·d); rl d·(α − β·ln d).
    Unit: 1
    Source: gao2023
    """
    arguments.positive(distance=distance, slope=slope, decline=decline)
    lost = {"best-of-n": distance, "rl": math.log(distance)}[_method(method)]
    return distance * (slope - decline * lost)


@verifier
def overoptimisation_peak(slope: float, decline: float, method: str = "best-of-n") -> dict[str, float]:
    """Where the true reward peaks under growing optimisation of a proxy.

    Formula: best-of-n d = α/(2β); rl d = exp(α/β − 1); kl = d².
    Unit: distance=1, kl=nat, reward=1
    Source: gao2023
    """
    arguments.positive(slope=slope, decline=decline)
    share = slope / decline
    distance = {"best-of-n": share / 2, "rl": math.exp(share - 1)}[_method(method)]
    reward = overoptimised(distance, slope, decline, method)
    return {"distance": distance, "kl": distance * distance, "reward": reward}


def _method(name: str) -> str:
    return arguments.one_of("method", name, ("best-of-n", "rl"))


@verifier
def generation_over_training(samples: int) -> float:
    """FLOPs of generating n samples for each one kept, over those of training on the one, by one model.

    Formula: 2N·n / 6N.
    Unit: 1
    Source: kaplan2020
    """
    arguments.counts(samples=samples)
    return samples / 3
