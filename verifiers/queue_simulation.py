"""Queues by simulation: what no closed form tells, and what a load test fails to see."""

from __future__ import annotations

import heapq
import math

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments

Array = npt.NDArray[np.float64]


def draw(rng: np.random.Generator, cv: float, count: int) -> Array:
    """Draw times with mean 1 and relative deviation `cv`: constant (0), Gamma, exponential (1)."""
    if cv == 0:
        return np.ones(count)
    return rng.gamma(cv**-2, cv**2, count)


def serve(arrivals: Array, services: Array, servers: int = 1) -> Array:
    """Return response times of requests served first come, first served, by `servers` servers."""
    free = [0.0] * servers
    responses = np.empty(len(arrivals))
    for index, (arrival, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        done = max(arrival, free[0]) + service
        heapq.heapreplace(free, done)
        responses[index] = done - arrival
    return responses


@verifier(tolerance=1e-6)
def response(
    utilisation: float,
    servers: int = 1,
    cv_service: float = 1.0,
    cv_arrival: float = 1.0,
    requests: int = 100_000,
    seed: int = 0,
) -> dict[str, float]:
    """Simulated response times of a G/G/c queue, in mean service times.

    The first tenth of the requests, which meets an empty system, is not counted.

    Unit: mean=s, wait=s, p50=s, p95=s, p99=s, p99_over_p50=1
    Source: definition
    """
    arguments.counts(servers=servers, requests=requests)
    arguments.non_negative(cv_service=cv_service, cv_arrival=cv_arrival)
    arguments.positive(utilisation=utilisation, **{"1 - utilisation": 1 - utilisation})
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(draw(rng, cv_arrival, requests)) / (utilisation * servers)
    services = draw(rng, cv_service, requests)
    counted = slice(requests // 10, None)
    times = serve(arrivals, services, servers)[counted]
    p50, p95, p99 = np.quantile(times, (0.5, 0.95, 0.99)).tolist()
    mean = float(times.mean())
    return {
        "mean": mean,
        "wait": mean - float(services[counted].mean()),
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "p99_over_p50": p99 / p50,
    }


@verifier
def stalled_load_test(
    stall: float = 1.0, service: float = 0.001, every: int = 1000, rate: float = 100.0
) -> dict[str, float]:
    """p99 that a closed and an open load generator report for a server that stalls now and then.

    The closed one sends its next request after the answer, so each stall delays one request; the open
    one keeps sending `rate` a second, and requests queue up behind the stall.

    Unit: closed=s, open=s
    Source: tene2014
    """
    arguments.positive(stall=stall, service=service, rate=rate)
    arguments.counts(every=every)
    arguments.positive(spare=1 / rate - service - stall / every)
    # the queue drains before the next stall, so one period tells of all
    services = np.array([service + stall] + [service] * (every - 1))
    opened = serve(np.arange(every) / rate, services)
    return {"closed": float(np.quantile(services, 0.99)), "open": float(np.quantile(opened, 0.99))}


def time_average(arrivals: Array, responses: Array) -> float:
    """Return the mean number in the system from the first arrival to the last departure."""
    events = np.concatenate([arrivals, arrivals + responses])
    steps = np.repeat([1, -1], len(arrivals))
    order = np.argsort(events, kind="stable")
    inside = np.cumsum(steps[order])[:-1]
    times = np.diff(events[order])
    return float((inside * times).sum() / times.sum())


@verifier
def littles_law_holds(
    servers: int = 3, requests: int = 2000, utilisation: float = 0.8, tolerance: float = 1e-9
) -> dict[str, float]:
    """Check L = λ · W on sample paths: Poisson or regular arrivals, constant to bursty service.

    Unit: check
    Source: little1961
    """
    arguments.counts(servers=servers, requests=requests)
    arguments.positive(utilisation=utilisation)
    for seed, (cv_arrival, cv_service) in enumerate(((1.0, 1.0), (0.0, 2.0), (1.0, 0.0))):
        rng = np.random.default_rng(seed)
        arrivals = np.cumsum(draw(rng, cv_arrival, requests)) / (utilisation * servers)
        responses = serve(arrivals, draw(rng, cv_service, requests), servers)
        span = float((arrivals + responses).max() - arrivals[0])
        expected = requests / span * float(responses.mean())
        found = time_average(arrivals, responses)
        assert math.isclose(found, expected, rel_tol=tolerance), f"{found} in system, not {expected}"
    return {"servers": servers, "requests": requests, "utilisation": utilisation, "tolerance": tolerance}
