"""Percentiles of latency: of named distributions, of mixed traffic, and their order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from statistics import NormalDist

from proofdeck import verifier
from verifiers import arguments

FAMILIES = ("exponential", "normal", "lognormal")
NORMAL = NormalDist()


def _inside(**quantiles: float) -> None:
    arguments.shares(**quantiles)
    for name, share in quantiles.items():
        if share in (0, 1):
            raise ValueError(f"{name} must lie strictly between 0 and 1, not {share!r}")


@verifier
def quantile(family: str, share: float, mean: float = 1.0, cv: float = 1.0) -> float:
    """Latency that a share of the requests stays below, from the mean and the relative deviation.

    `cv` is the standard deviation over the mean; the exponential's is 1 whatever is given.

    Formula: −m · ln(1 − q); m · (1 + cv · z); m · exp(σ · z − σ² / 2) with σ² = ln(1 + cv²).
    Unit: s
    Source: definition
    """
    arguments.one_of("family", family, FAMILIES)
    arguments.positive(mean=mean, cv=cv)
    _inside(share=share)
    if family == "exponential":
        return -mean * math.log1p(-share)
    z = NORMAL.inv_cdf(share)
    if family == "normal":
        return mean * (1 + cv * z)
    sigma = math.sqrt(math.log1p(cv**2))
    return mean * math.exp(sigma * z - sigma**2 / 2)


@verifier
def quantile_ratio(family: str, high: float, low: float, cv: float = 1.0) -> float:
    """A high percentile over a lower one, whatever the mean.

    Unit: 1
    Source: definition
    """
    if low >= high:
        raise ValueError(f"the low percentile must lie below the high one: {low}, {high}")
    below = quantile(family, low, cv=cv)
    if below <= 0:
        raise ValueError(f"a {family} latency with cv {cv} is negative at its {low} quantile")
    return quantile(family, high, cv=cv) / below


@verifier
def cv_for_ratio(high: float, low: float, ratio: float) -> float:
    """Relative deviation at which a normal distribution's two positive percentiles stand in a ratio.

    Formula: cv = (r − 1) / (z_high − r · z_low).
    Unit: 1
    Source: definition
    """
    _inside(high=high, low=low)
    arguments.positive(ratio=ratio, **{"high - low": high - low})
    over = NORMAL.inv_cdf(high) - ratio * NORMAL.inv_cdf(low)
    if ratio <= 1 or over <= 0:
        raise ValueError(f"no normal distribution has a ratio of {ratio} between {low} and {high}")
    return (ratio - 1) / over


@verifier
def sigma_for_ratio(high: float, low: float, ratio: float) -> float:
    """Standard deviation of the log at which a lognormal's percentiles stand in a ratio.

    Formula: σ = ln(r) / (z_high − z_low).
    Unit: 1
    Source: definition
    """
    _inside(high=high, low=low)
    arguments.positive(**{"ratio - 1": ratio - 1, "high - low": high - low})
    return math.log(ratio) / (NORMAL.inv_cdf(high) - NORMAL.inv_cdf(low))


def _bisect(rises: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return where a rising function reaches `target`, to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if rises(middle) < target else (low, middle)
    return high


@verifier
def mixture_quantile(share: float, groups: Sequence[Sequence[float]]) -> float:
    """Percentile of all requests where groups of them are lognormal, each with its own median.

    A group is (share of the traffic, median, standard deviation of the log).

    Formula: the x with Σ wᵢ · Φ((ln x − ln mᵢ) / σᵢ) = q.
    Unit: s
    Source: definition
    """
    _inside(share=share)
    arguments.distribution([weight for weight, _, _ in groups], "shares of the traffic")
    for _, median, sigma in groups:
        arguments.positive(median=median, sigma=sigma)
    z = NORMAL.inv_cdf(share)
    ends = [math.log(median) + sigma * z for _, median, sigma in groups]

    def below(x: float) -> float:
        return math.fsum(w * NORMAL.cdf((x - math.log(m)) / s) for w, m, s in groups)

    return math.exp(_bisect(below, share, min(ends), max(ends)))


@verifier
def masked_regression(
    share: float,
    group: float,
    slowdown: float,
    median: float = 1.0,
    other_median: float = 1.0,
    sigma: float = 0.5,
) -> float:
    """Relative rise of the percentile of all traffic when only a group of it slows down.

    Formula: percentile of (group slowed, rest) over that of (group, rest), less one.
    Unit: 1
    Source: definition
    """
    rest = (1 - group, other_median, sigma)
    before = mixture_quantile(share, [(group, median, sigma), rest])
    after = mixture_quantile(share, [(group, median * slowdown, sigma), rest])
    return after / before - 1


@verifier
def of_samples(share: float, latencies: Sequence[float]) -> float:
    """Percentile of recorded latencies by nearest rank: the least that enough of them stay within.

    Formula: the value of rank ceil(q · n).
    Unit: s
    Source: definition
    """
    _inside(share=share)
    arguments.counts(samples=len(latencies))
    arguments.non_negative(**{f"latencies[{index}]": time for index, time in enumerate(latencies)})
    # as the decimal that was written: 0.07 · 100 is a hair above 7 in binary
    return sorted(latencies)[math.ceil(Fraction(str(share)) * len(latencies)) - 1]


@verifier
def averaged(share: float, servers: Sequence[Sequence[float]]) -> float:
    """Mean over servers of their own percentiles, which is not the percentile of all requests.

    Unit: s
    Source: definition
    """
    arguments.counts(servers=len(servers))
    return math.fsum(of_samples(share, one) for one in servers) / len(servers)


@verifier
def higher_percentiles_are_no_lower(samples: int = 200, seeds: int = 3, steps: int = 50) -> dict[str, int]:
    """Check that percentiles of any recorded latencies rise, or stay, with their rank.

    Unit: check
    Source: definition
    """
    import random

    arguments.counts(samples=samples, seeds=seeds)
    arguments.counts(3, steps=steps)
    for seed in range(seeds):
        source = random.Random(seed)
        latencies = [source.random() for _ in range(samples)]
        found = [of_samples(step / steps, latencies) for step in range(1, steps)]
        assert found == sorted(found), f"seed {seed}: a higher percentile lies below a lower one"
    return {"samples": samples, "seeds": seeds, "steps": steps}
