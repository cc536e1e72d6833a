"""Independent ways to the numbers of verifiers/queues.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import queues


def stationary(offered: float, servers: int, places: int) -> np.ndarray:
    """Solve a birth-death chain: arrivals at rate `offered`, each busy server done at rate one."""
    size = places + 1
    generator = np.zeros((size, size))
    for inside in range(size):
        if inside < places:
            generator[inside, inside + 1] = offered
        if inside:
            generator[inside, inside - 1] = min(inside, servers)
        generator[inside, inside] = -generator[inside].sum()
    system = np.vstack([generator.T, np.ones(size)])
    right = np.zeros(size + 1)
    right[-1] = 1
    return np.linalg.lstsq(system, right, rcond=None)[0]


@witnesses("queues.in_flight", "queues.throughput", "queues.latency")
def test_littles_law_counts_requests_that_overlap() -> None:
    """Start 12 requests a second for 100 s, each lasting 2.5 s, and look who is inside in the middle."""
    starts = np.arange(1200) / 12
    inside = np.mean([((starts <= t) & (t < starts + 2.5)).sum() for t in np.linspace(20, 80, 601)])
    assert queues.in_flight(12, 2.5) == pytest.approx(inside, rel=0.01) == pytest.approx(30, rel=0.01)
    assert queues.in_flight(12, 2.5) == 30
    assert queues.throughput(30, 2.5) == 12
    assert queues.latency(30, 12) == 2.5
    assert (
        queues.in_flight(0, 3)
        == queues.in_flight(3, 0)
        == queues.throughput(0, 1)
        == queues.latency(0, 1)
        == 0
    )


@witnesses("queues.utilisation")
def test_utilisation_is_the_busy_share_of_servers() -> None:
    """Give jobs of 0.5 s, six a second, to four servers in turn; add up their busy time over 100 s."""
    busy = sum(0.5 for _ in range(600))
    assert queues.utilisation(6, 0.5, 4) == pytest.approx(busy / (4 * 100))
    assert queues.utilisation(6, 0.1) == pytest.approx(0.6)
    assert queues.utilisation(0, 0.1) == 0


@witnesses("queues.mm1", "queues.erlang_b", "queues.erlang_c", "queues.mmc")
@pytest.mark.parametrize(("offered", "servers"), [(0.5, 1), (0.8, 1), (1.6, 2), (3.0, 4), (6.0, 8)])
def test_means_equal_those_of_the_stationary_chain(offered: float, servers: int) -> None:
    chain = stationary(offered, servers, 150)
    inside = np.arange(len(chain))
    in_system = float(chain @ inside)
    queued = float(chain @ np.maximum(inside - servers, 0))
    assert queues.erlang_c(offered, servers) == pytest.approx(chain[servers:].sum(), rel=1e-6)
    found = queues.mmc(offered, servers, service_time=3.0)
    assert found["waiting"] == pytest.approx(chain[servers:].sum(), rel=1e-6)
    assert found["in_system"] == pytest.approx(in_system, rel=1e-6)
    assert found["response"] == pytest.approx(3 * in_system / offered, rel=1e-6)
    assert found["wait"] == pytest.approx(3 * queued / offered, rel=1e-6)
    assert queues.erlang_b(offered, servers) == pytest.approx(stationary(offered, servers, servers)[-1])
    assert queues.mmc(offered, servers)["response"] == pytest.approx(in_system / offered, rel=1e-6)
    if servers == 1:
        alone = queues.mm1(offered, 3.0)
        assert alone == pytest.approx({key: found[key] for key in alone}, rel=1e-9)
        assert queues.mm1(offered)["wait"] == pytest.approx(queued / offered, rel=1e-6)


def test_an_overloaded_loss_system_turns_away_the_rest() -> None:
    assert queues.erlang_b(3.0, 2) == pytest.approx(4.5 / (1 + 3 + 4.5))


@witnesses("queues.mm1_quantile", "queues.mmc_wait_quantile")
@pytest.mark.parametrize(("offered", "servers"), [(0.5, 1), (0.8, 1), (3.2, 4)])
def test_quantiles_equal_those_of_the_waiting_time_seen_from_the_chain(offered: float, servers: int) -> None:
    """A request that meets n others waits for n − c + 1 departures at rate c: a mixture of Erlang times."""
    special = pytest.importorskip("scipy.special")
    chain = stationary(offered, servers, 150)
    phases = np.arange(1, len(chain) - servers + 1)

    def beyond(time: float) -> float:
        return float(chain[servers:] @ special.gammaincc(phases, time * servers))

    for share in (0.9, 0.99):
        wait = queues.mmc_wait_quantile(share, offered, servers)
        assert beyond(wait) == pytest.approx(1 - share, rel=1e-5)
        assert queues.mmc_wait_quantile(share, offered, servers, 5.0) == pytest.approx(5 * wait)
    if servers == 1:
        time = queues.mm1_quantile(0.99, offered)
        own = np.arange(1, len(chain) + 1)
        assert float(chain @ special.gammaincc(own, time)) == pytest.approx(0.01, rel=1e-5)
        assert queues.mm1_quantile(0.99, offered, 5.0) == pytest.approx(5 * time)


def test_most_requests_of_an_idle_system_do_not_wait() -> None:
    assert queues.mmc_wait_quantile(0.5, 1.0, 8) == 0.0
    assert queues.erlang_c(0.01, 200) == 0.0
    assert queues.mmc_wait_quantile(0.99, 0.01, 200) == 0.0


@witnesses("queues.mg1_wait", "queues.gg1_wait")
@pytest.mark.parametrize(("rho", "cv"), [(0.6, 0.0), (0.7, 0.5), (0.5, 2.0)])
def test_mean_wait_equals_lindleys_recursion(rho: float, cv: float) -> None:
    """The wait is the height of a random walk above its running minimum."""
    rng = np.random.default_rng(1)
    count = 200_000
    services = rng.gamma(cv**-2, cv**2, count) if cv else np.ones(count)
    steps = services - rng.exponential(1 / rho, count)
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    mean = float((walk - np.minimum.accumulate(walk)).mean())
    assert queues.mg1_wait(rho, cv) == pytest.approx(mean, rel=0.04)
    assert queues.mg1_wait(rho, cv, 3.0) == pytest.approx(3 * queues.mg1_wait(rho, cv))
    assert queues.gg1_wait(rho, 1.0, cv) == pytest.approx(queues.mg1_wait(rho, cv))
    assert queues.gg1_wait(rho, 1.0, cv, 3.0) == pytest.approx(queues.mg1_wait(rho, cv, 3.0))


def test_exact_waits() -> None:
    assert queues.mg1_wait(0.5, 3.0) == pytest.approx(5.0)
    assert queues.mg1_wait(0.5, 0.0) == pytest.approx(0.5)
    assert queues.gg1_wait(0.5, 0.0, 3.0) == pytest.approx(4.5)
    assert queues.gg1_wait(0.5, 3.0, 0.0, 2.0) == pytest.approx(9.0)
    assert queues.mm1(0.0) == {"wait": 0.0, "response": 1.0, "in_system": 0.0}


@witnesses("queues.servers_for_wait")
@pytest.mark.parametrize(("offered", "share", "wait"), [(3.0, 0.99, 0.0), (10.0, 0.95, 0.1), (0.4, 0.9, 1.0)])
def test_one_server_fewer_waits_too_long(offered: float, share: float, wait: float) -> None:
    found = queues.servers_for_wait(offered, share, wait)
    late = [
        float(stationary(offered, servers, 120)[servers:].sum() * math.exp(-(servers - offered) * wait))
        for servers in range(math.floor(offered) + 1, found + 1)
    ]
    assert late[-1] <= 1 - share
    assert all(share_late > 1 - share for share_late in late[:-1])
    assert queues.servers_for_wait(offered, share, 4 * wait, 4.0) == found


def test_the_first_number_of_servers_may_do() -> None:
    assert queues.servers_for_wait(0.01, 0.5, 0.0) == 1
    assert queues.servers_for_wait(2.0, 0.5, 50.0) == 3
    for wait in (0.05, 0.1, 0.2, 0.4):
        assert queues.servers_for_wait(5.0, 0.99, wait) == queues.servers_for_wait(5.0, 0.99, wait, 1.0)


@witnesses("queues.any_slow", "queues.part_quantile")
def test_fan_out_equals_a_count_of_all_outcomes() -> None:
    import itertools

    for parts in (1, 2, 5):
        outcomes = itertools.product([(True, 0.1), (False, 0.9)], repeat=parts)
        slow = sum(math.prod(p for _, p in one) for one in outcomes if any(is_slow for is_slow, _ in one))
        assert queues.any_slow(0.1, parts) == pytest.approx(slow)
        assert queues.any_slow(1 - queues.part_quantile(0.9, parts), parts) == pytest.approx(0.1)
    assert queues.any_slow(0, 3) == 0
    assert queues.any_slow(1, 3) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: queues.in_flight(-1, 1),
        lambda: queues.in_flight(1, -1),
        lambda: queues.throughput(-1, 1),
        lambda: queues.throughput(1, 0),
        lambda: queues.latency(-1, 1),
        lambda: queues.latency(1, 0),
        lambda: queues.utilisation(-1, 1),
        lambda: queues.utilisation(1, 0),
        lambda: queues.utilisation(1, 1, 0),
        lambda: queues.mm1(1.0),
        lambda: queues.mm1(1.1),
        lambda: queues.mm1(-0.1),
        lambda: queues.mm1(0.5, 0),
        lambda: queues.mm1_quantile(0, 0.5),
        lambda: queues.mm1_quantile(1, 0.5),
        lambda: queues.mm1_quantile(-0.5, 0.5),
        lambda: queues.mm1_quantile(0.5, 1),
        lambda: queues.mg1_wait(0.5, -1),
        lambda: queues.mg1_wait(1, 1),
        lambda: queues.gg1_wait(0.5, -1, 1),
        lambda: queues.gg1_wait(0.5, 1, -1),
        lambda: queues.erlang_b(0, 1),
        lambda: queues.erlang_b(1, 0),
        lambda: queues.erlang_c(2, 2),
        lambda: queues.erlang_c(3, 2),
        lambda: queues.mmc(1, 2, 0),
        lambda: queues.mmc(2, 2),
        lambda: queues.mmc_wait_quantile(0, 1, 2),
        lambda: queues.mmc_wait_quantile(1, 1, 2),
        lambda: queues.mmc_wait_quantile(0.5, 2, 2),
        lambda: queues.mmc_wait_quantile(0.5, 1, 2, 0),
        lambda: queues.servers_for_wait(0, 0.9, 1),
        lambda: queues.servers_for_wait(math.inf, 0.9, 1),
        lambda: queues.servers_for_wait(1, 0.9, -1),
        lambda: queues.any_slow(1.1, 1),
        lambda: queues.any_slow(0.1, 0),
        lambda: queues.part_quantile(0, 1),
        lambda: queues.part_quantile(1, 1),
        lambda: queues.part_quantile(0.5, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|grows"):
        call()  # type: ignore[operator]
