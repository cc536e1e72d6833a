"""Queues in closed form: Little's law, M/M/1, M/M/c, M/G/1, and what a queue does to the tail."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments


def _open_share(**shares: float) -> None:
    """Refuse a share of exactly one (or zero): an unbounded queue, or a quantile without a value."""
    arguments.shares(**shares)
    for name, share in shares.items():
        if share in (0, 1):
            raise ValueError(f"{name} must lie strictly between 0 and 1, not {share!r}")


def _loaded(utilisation: float) -> None:
    arguments.shares(utilisation=utilisation)
    if utilisation == 1:
        raise ValueError("a random queue with utilisation 1 grows without bound")


@verifier
def in_flight(arrival_rate: float, latency: float) -> float:
    """Mean number of requests inside a system, by Little's law.

    Formula: L = λ · W, whatever the distributions and the order of service.
    Unit: 1
    Source: little1961
    """
    arguments.non_negative(arrival_rate=arrival_rate, latency=latency)
    return arrival_rate * latency


@verifier
def throughput(in_flight: float, latency: float) -> float:
    """Requests per second that leave a system which holds `in_flight` of them for `latency` each.

    Formula: λ = L / W.
    Unit: 1/s
    Source: little1961
    """
    arguments.non_negative(in_flight=in_flight)
    arguments.positive(latency=latency)
    return in_flight / latency


@verifier
def latency(in_flight: float, arrival_rate: float) -> float:
    """Mean time in a system that holds `in_flight` requests while `arrival_rate` a second arrive.

    Formula: W = L / λ.
    Unit: s
    Source: little1961
    """
    arguments.non_negative(in_flight=in_flight)
    arguments.positive(arrival_rate=arrival_rate)
    return in_flight / arrival_rate


@verifier
def utilisation(arrival_rate: float, service_time: float, servers: int = 1) -> float:
    """Work that arrives for each server: below 1 the share of time in which it is busy.

    At 1 and above a random queue grows without bound.

    Formula: ρ = λ · S / c.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(arrival_rate=arrival_rate)
    arguments.positive(service_time=service_time)
    arguments.counts(servers=servers)
    return arrival_rate * service_time / servers


@verifier
def mm1(utilisation: float, service_time: float = 1.0) -> dict[str, float]:
    """Means of an M/M/1 queue: Poisson arrivals, exponential service, one server.

    Formula: wait = S · ρ / (1 − ρ); response = S / (1 − ρ); in_system = ρ / (1 − ρ).
    Unit: wait=s, response=s, in_system=1
    Source: kleinrock1975
    """
    _loaded(utilisation)
    arguments.positive(service_time=service_time)
    in_system = utilisation / (1 - utilisation)
    return {
        "wait": service_time * in_system,
        "response": service_time / (1 - utilisation),
        "in_system": in_system,
    }


@verifier
def mm1_quantile(quantile: float, utilisation: float, service_time: float = 1.0) -> float:
    """Response time that a share `quantile` of the requests of an M/M/1 queue stays below.

    Formula: −ln(1 − q) · S / (1 − ρ): served first come, first served, the response time is exponential.
    Unit: s
    Source: kleinrock1975
    """
    _open_share(quantile=quantile)
    return -math.log1p(-quantile) * mm1(utilisation, service_time)["response"]


@verifier
def mg1_wait(utilisation: float, cv: float, service_time: float = 1.0) -> float:
    """Mean wait before service in an M/G/1 queue, by Pollaczek and Khinchine.

    `cv` is the standard deviation of the service time over its mean: 0 constant, 1 exponential.

    Formula: S · ρ / (1 − ρ) · (1 + cv²) / 2.
    Unit: s
    Source: kleinrock1975
    """
    arguments.non_negative(cv=cv)
    return mm1(utilisation, service_time)["wait"] * (1 + cv**2) / 2


@verifier
def gg1_wait(utilisation: float, cv_arrival: float, cv_service: float, service_time: float = 1.0) -> float:
    """Approximate mean wait before service in a G/G/1 queue, by Kingman's heavy-traffic limit.

    Formula: S · ρ / (1 − ρ) · (cv_a² + cv_s²) / 2; exact for Poisson arrivals, for which cv_a = 1.
    Unit: s
    Source: kingman1961
    """
    arguments.non_negative(cv_arrival=cv_arrival, cv_service=cv_service)
    return mm1(utilisation, service_time)["wait"] * (cv_arrival**2 + cv_service**2) / 2


@verifier
def erlang_b(offered: float, servers: int) -> float:
    """Share of requests turned away by `servers` servers without a queue (M/M/c/c).

    `offered` is arrival rate times service time, in servers.

    Formula: B(0) = 1; B(c) = a · B(c − 1) / (c + a · B(c − 1)).
    Unit: 1
    Source: kleinrock1975
    """
    arguments.positive(offered=offered)
    arguments.counts(servers=servers)
    blocked = 1.0
    for others in range(servers):
        blocked = offered * blocked / (others + 1 + offered * blocked)
    return blocked


@verifier
def erlang_c(offered: float, servers: int) -> float:
    """Share of requests that find all `servers` servers busy and wait (M/M/c).

    Formula: C = B / (1 − ρ · (1 − B)), ρ = offered / servers, B from Erlang's loss formula.
    Unit: 1
    Source: kleinrock1975
    """
    blocked = erlang_b(offered, servers)
    rho = offered / servers
    _loaded(rho)
    return blocked / (1 - rho * (1 - blocked))


@verifier
def mmc(offered: float, servers: int, service_time: float = 1.0) -> dict[str, float]:
    """Means of an M/M/c queue: one line, `servers` servers.

    Formula: wait = C · S / (c − a); response = wait + S; in_system = a · response / S.
    Unit: waiting=1, wait=s, response=s, in_system=1
    Source: kleinrock1975
    """
    arguments.positive(service_time=service_time)
    waiting = erlang_c(offered, servers)
    wait = waiting * service_time / (servers - offered)
    response = wait + service_time
    return {
        "waiting": waiting,
        "wait": wait,
        "response": response,
        "in_system": offered * response / service_time,
    }


@verifier
def mmc_wait_quantile(quantile: float, offered: float, servers: int, service_time: float = 1.0) -> float:
    """Wait before service that a share `quantile` of the requests of an M/M/c queue stays below.

    Formula: max(0, ln(C / (1 − q)) · S / (c − a)), served first come, first served.
    Unit: s
    Source: kleinrock1975
    """
    _open_share(quantile=quantile)
    arguments.positive(service_time=service_time)
    waiting = erlang_c(offered, servers)
    # the chance of waiting can underflow to zero
    return math.log(max(1.0, waiting / (1 - quantile))) * service_time / (servers - offered)


@verifier
def servers_for_wait(offered: float, quantile: float, wait: float, service_time: float = 1.0) -> int:
    """Fewest servers of an M/M/c queue with the quantile of the wait at `wait` or below.

    Formula: the least c > a with quantile(c) ≤ wait.
    Unit: 1
    Source: kleinrock1975
    """
    arguments.positive(offered=offered)
    arguments.non_negative(wait=wait)
    servers = math.floor(offered) + 1
    while mmc_wait_quantile(quantile, offered, servers, service_time) > wait:
        servers += 1
    return servers


@verifier
def any_slow(slow: float, parts: int) -> float:
    """Share of requests slowed by at least one of `parts` independent parts, each slow with share `slow`.

    Formula: 1 − (1 − p)^n.
    Unit: 1
    Source: dean2013
    """
    arguments.shares(slow=slow)
    arguments.counts(parts=parts)
    return 1 - (1 - slow) ** parts


@verifier
def part_quantile(quantile: float, parts: int) -> float:
    """Quantile that each of `parts` independent parts must hold for the slowest to hold `quantile`.

    Formula: q^(1/n).
    Unit: 1
    Source: dean2013
    """
    _open_share(quantile=quantile)
    arguments.counts(parts=parts)
    return float(quantile ** (1 / parts))
