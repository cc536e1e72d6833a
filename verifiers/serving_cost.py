"""What serving costs: devices for a load, dollars per million tokens, and what caches and headroom change."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, queues

HOUR = 3600
DAY = 86400
PER = 1_000_000


@verifier
def per_million_tokens(
    price_per_hour: float, tokens_per_second: float, devices: int = 1, utilisation: float = 1.0
) -> float:
    """Rent of the devices for each million tokens that they serve.

    Formula: devices · price / (rate · utilisation · 3600) · 10⁶.
    Unit: $
    Source: definition
    """
    arguments.non_negative(price_per_hour=price_per_hour)
    arguments.positive(tokens_per_second=tokens_per_second, utilisation=utilisation)
    arguments.counts(devices=devices)
    arguments.shares(utilisation=utilisation)
    return devices * price_per_hour / (tokens_per_second * utilisation * HOUR) * PER


@verifier
def fleet(devices: int, price_per_hour: float, hours: float = 730.0) -> float:
    """Rent of a fleet for a time, by default the hours of a mean month.

    Formula: devices · price · hours.
    Unit: $
    Source: definition
    """
    arguments.counts(0, devices=devices)
    arguments.non_negative(price_per_hour=price_per_hour, hours=hours)
    return devices * price_per_hour * hours


@verifier
def replicas(load: float, capacity: float, utilisation: float = 1.0) -> int:
    """Fewest replicas that carry a load when each is to be busy a share of its time at most.

    Formula: ceil(load / (capacity · utilisation)).
    Unit: 1
    Source: definition
    """
    arguments.non_negative(load=load)
    arguments.positive(capacity=capacity, utilisation=utilisation)
    arguments.shares(utilisation=utilisation)
    # as the decimals that were written: rounding noise is not worth a replica
    most = Fraction(repr(capacity)) * Fraction(repr(utilisation))
    return math.ceil(Fraction(repr(load)) / most)


@verifier
def scaled_fleet(devices: int, factor: float, exponent: float = 1.0) -> int:
    """Devices of a fleet multiplied by a power of a factor, as a rule of thumb would have it.

    Formula: ceil(devices · factor^exponent).
    Unit: 1
    Source: definition
    """
    arguments.counts(0, devices=devices)
    arguments.positive(factor=factor)
    arguments.non_negative(exponent=exponent)
    return math.ceil(devices * Fraction(str(factor**exponent)))


@verifier
def tokens_per_request(tokens: float, requests_per_second: float, period: float = DAY) -> float:
    """Mean tokens of a request, from the tokens of a period (a day) and the rate of requests.

    Formula: tokens / (rate · period).
    Unit: token
    Source: definition
    """
    arguments.non_negative(tokens=tokens)
    arguments.positive(requests_per_second=requests_per_second, period=period)
    return tokens / (requests_per_second * period)


@verifier
def device_days(tokens: float, tokens_per_second: float) -> float:
    """Days of one device that processing so many tokens takes.

    Formula: tokens / rate / 86400.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(tokens=tokens)
    arguments.positive(tokens_per_second=tokens_per_second)
    return tokens / tokens_per_second / DAY


@verifier
def cache_saving(hit_rate: float, cached_share: float = 1.0) -> float:
    """Share of a fleet's work that cache hits save, where a hit saves a share of a request's work.

    A response cache saves all of it; a prefix cache only the prefill's share.

    Formula: hit rate · share.
    Unit: 1
    Source: definition
    """
    arguments.shares(hit_rate=hit_rate, cached_share=cached_share)
    return hit_rate * cached_share


@verifier
def load_ratio(before: float, after: float, cached_share: float = 1.0) -> float:
    """Factor by which the remaining load changes with a cache's hit rate.

    Formula: (1 − after · share) / (1 − before · share).
    Unit: 1
    Source: definition
    """
    left = 1 - cache_saving(before, cached_share)
    arguments.positive(load=left)
    return (1 - cache_saving(after, cached_share)) / left


@verifier
def headroom(
    offered: float, quantile: float = 0.99, wait: float = 0.0, service_time: float = 1.0
) -> dict[str, float]:
    """Servers that keep a quantile of the wait below a limit, over those that the load alone needs.

    `offered` is arrival rate times service time. Poisson arrivals, exponential service, one line.

    Unit: servers=1, least=1, factor=1, utilisation=1
    Source: kleinrock1975
    """
    servers = queues.servers_for_wait(offered, quantile, wait, service_time)
    least = math.ceil(offered)
    return {
        "servers": servers,
        "least": least,
        "factor": servers / least,
        "utilisation": offered / servers,
    }


@verifier
def self_hosting_break_even(
    price_per_hour: float, devices: int, price_per_million: float, capacity: float
) -> dict[str, float]:
    """Tokens a second from which rented devices cost less than a price per million tokens.

    Formula: devices · price / 3600 / (price per million / 10⁶); share = that / capacity, above 1 never.
    Unit: rate=token/s, share=1
    Source: definition
    """
    arguments.non_negative(price_per_hour=price_per_hour)
    arguments.counts(devices=devices)
    arguments.positive(price_per_million=price_per_million, capacity=capacity)
    rate = devices * price_per_hour * PER / (HOUR * price_per_million)
    return {"rate": rate, "share": rate / capacity}
