"""Back-of-the-envelope sizing: request rates, storage, bandwidth, latency budgets, caches."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments

DAY = 86_400


@verifier
def request_rate(users: float, per_user_day: float, peak: float = 1.0) -> float:
    """Requests per second of a number of users; `peak` is the busiest rate over the daily mean.

    Formula: users · requests per user and day / 86400 · peak.
    Unit: 1/s
    Source: definition
    """
    arguments.non_negative(users=users, per_user_day=per_user_day)
    arguments.positive(peak=peak)
    return users * per_user_day / DAY * peak


@verifier
def storage(per_day: float, each: float, days: float, replicas: int = 1) -> float:
    """Bytes stored after a number of days of steady writing.

    Formula: items per day · bytes each · days · replicas.
    Unit: B
    Source: definition
    """
    arguments.non_negative(per_day=per_day, each=each, days=days)
    arguments.counts(replicas=replicas)
    return per_day * each * days * replicas


@verifier
def bandwidth(per_second: float, each: float) -> float:
    """Bytes per second of a rate of requests.

    Formula: requests per second · bytes each.
    Unit: B/s
    Source: definition
    """
    arguments.non_negative(per_second=per_second, each=each)
    return per_second * each


@verifier
def transfer_time(size: float, bits_per_second: float) -> float:
    """Time to move bytes over a link whose speed is told in bits per second.

    Formula: 8 · bytes / (bits per second).
    Unit: s
    Source: definition
    """
    arguments.non_negative(size=size)
    arguments.positive(bits_per_second=bits_per_second)
    return 8 * size / bits_per_second


@verifier
def latency_left(budget: float, *parts: float) -> float:
    """What the parts of a request leave of its latency budget; negative where they exceed it.

    Formula: budget − Σ parts.
    Unit: s
    Source: definition
    """
    arguments.positive(budget=budget)
    arguments.non_negative(**{f"part {index}": part for index, part in enumerate(parts)})
    return math.fsum([budget, *(-part for part in parts)])


@verifier
def zipf_hit_rate(items: int, cached: int, exponent: float = 1.0) -> float:
    """Share of requests that a cache of the most popular items answers, popularity falling as rank^−s.

    Formula: Σᵢ₌₁ᵏ i⁻ˢ / Σᵢ₌₁ⁿ i⁻ˢ.
    Unit: 1
    Source: definition
    """
    arguments.counts(items=items)
    arguments.counts(0, cached=cached, uncached=items - cached)
    arguments.non_negative(exponent=exponent)
    weights = [rank**-exponent for rank in range(1, items + 1)]
    return math.fsum(weights[:cached]) / math.fsum(weights)
