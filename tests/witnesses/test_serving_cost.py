"""Independent ways to the numbers of verifiers/serving_cost.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import serving_cost


@witnesses("serving_cost.per_million_tokens", "serving_cost.fleet", "serving_cost.device_days")
def test_an_hour_of_devices_pays_for_the_tokens_of_that_hour() -> None:
    tokens = sum(1000 if second % 2 else 0 for second in range(3600))
    dollars = sum(3.5 for _device in range(4))
    price = serving_cost.per_million_tokens(3.5, 1000, 4, 0.5)
    assert price * tokens / 1e6 == pytest.approx(dollars)
    assert serving_cost.per_million_tokens(3.6, 1000) == pytest.approx(1.0)
    assert serving_cost.per_million_tokens(0, 1) == 0
    month = sum(3.5 for _device in range(5) for _hour in range(730))
    assert serving_cost.fleet(5, 3.5) == month
    assert serving_cost.fleet(5, 3.5, 2) == 35
    assert serving_cost.fleet(0, 1) == serving_cost.fleet(1, 0) == serving_cost.fleet(1, 1, 0) == 0
    assert serving_cost.device_days(24 * 3600 * 1000 * 3, 1000) == pytest.approx(3)
    assert serving_cost.device_days(0, 1) == 0


@witnesses("serving_cost.replicas", "serving_cost.scaled_fleet")
@pytest.mark.parametrize(
    ("load", "capacity", "busy"), [(50_000, 1000, 1.0), (50_001, 1000, 0.7), (7, 0.7, 0.1)]
)
def test_one_replica_fewer_is_too_busy(load: float, capacity: float, busy: float) -> None:
    found = serving_cost.replicas(load, capacity, busy)
    per_mille = round(capacity * 1000 * busy)
    assert found * per_mille >= load * 1000 > (found - 1) * per_mille
    assert serving_cost.replicas(load, capacity) == serving_cost.replicas(load, capacity, 1.0)
    assert serving_cost.replicas(0, 1) == 0


def test_a_fleet_grows_by_a_power_of_a_factor() -> None:
    assert serving_cost.scaled_fleet(5000, 2, 0.5) == math.isqrt(2 * 5000**2) + 1
    assert serving_cost.scaled_fleet(7, 3) == 21
    assert serving_cost.scaled_fleet(7, 1.5) == 11
    # 10 · 1.1 is a hair above 11 in binary
    assert serving_cost.scaled_fleet(10, 1.1) == 11
    assert serving_cost.scaled_fleet(7, 9, 0) == 7
    assert serving_cost.scaled_fleet(0, 9) == 0


@witnesses("serving_cost.tokens_per_request")
def test_tokens_spread_over_the_requests_of_a_day() -> None:
    requests = sum(3 for _second in range(86400))
    assert serving_cost.tokens_per_request(7 * requests, 3) == pytest.approx(7)
    assert serving_cost.tokens_per_request(60, 3, 10) == 2
    assert serving_cost.tokens_per_request(0, 3) == 0


@witnesses("serving_cost.cache_saving", "serving_cost.load_ratio")
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_hits_save_a_share_of_the_work_of_every_request(share: float) -> None:
    """Replay a thousand requests of 100 units each, a hit doing the rest only."""
    work = {}
    for hits in (200, 550):
        work[hits] = sum(100 * (1 - share) if request < hits else 100 for request in range(1000))
    saved = 1 - work[550] / 100_000
    assert serving_cost.cache_saving(0.55, share) == pytest.approx(saved)
    assert serving_cost.load_ratio(0.55, 0.2, share) == pytest.approx(work[200] / work[550])
    if share == 1:
        assert serving_cost.cache_saving(0.55) == pytest.approx(saved)
        assert serving_cost.load_ratio(0.55, 0.2) == pytest.approx(work[200] / work[550])
    assert serving_cost.load_ratio(0, 1) == 0


@witnesses("serving_cost.headroom")
def test_one_server_fewer_breaks_the_limit_in_a_simulated_queue() -> None:
    import heapq

    found = serving_cost.headroom(8.3, 0.9, 0.2, 0.5)
    rng = np.random.default_rng(0)
    late = {}
    for servers in (found["servers"] - 1, found["servers"]):
        free = [0.0] * servers
        waits = []
        for arrival, service in zip(
            np.cumsum(rng.exponential(0.5 / 8.3, 80_000)), rng.exponential(0.5, 80_000), strict=True
        ):
            start = max(arrival, free[0])
            waits.append(start - arrival)
            heapq.heapreplace(free, start + service)
        late[servers] = np.mean(np.array(waits[8000:]) > 0.2)
    assert late[found["servers"]] < 0.1 < late[found["servers"] - 1]
    assert found["least"] == 9
    assert found["factor"] == found["servers"] / 9
    assert found["utilisation"] == 8.3 / found["servers"]
    assert serving_cost.headroom(8.3) == serving_cost.headroom(8.3, 0.99, 0.0, 1.0)
    assert serving_cost.headroom(8.3, 0.99, 0.3) == serving_cost.headroom(8.3, 0.99, 0.3, 1.0)
    names = ["servers", "least", "factor", "utilisation"]
    assert list(serving_cost.headroom(3, 0.5, 10)) == names


@witnesses("serving_cost.self_hosting_break_even")
def test_both_ways_cost_the_same_at_the_break_even() -> None:
    found = serving_cost.self_hosting_break_even(2.5, 8, 0.6, 20_000)
    bought = sum(0.6 for _million in range(round(found["rate"] * 3600 * 10**4 / 10**6))) / 10**4
    assert bought == pytest.approx(8 * 2.5, rel=1e-4)
    assert found["share"] == pytest.approx(found["rate"] / 20_000)
    assert serving_cost.self_hosting_break_even(0, 1, 1, 1) == {"rate": 0, "share": 0}


@pytest.mark.parametrize(
    "call",
    [
        lambda: serving_cost.per_million_tokens(-1, 1),
        lambda: serving_cost.per_million_tokens(1, 0),
        lambda: serving_cost.per_million_tokens(1, 1, 0),
        lambda: serving_cost.per_million_tokens(1, 1, 1, 0),
        lambda: serving_cost.per_million_tokens(1, 1, 1, 1.1),
        lambda: serving_cost.fleet(-1, 1),
        lambda: serving_cost.fleet(1, -1),
        lambda: serving_cost.fleet(1, 1, -1),
        lambda: serving_cost.replicas(-1, 1),
        lambda: serving_cost.replicas(1, 0),
        lambda: serving_cost.replicas(1, 1, 0),
        lambda: serving_cost.replicas(1, 1, 1.1),
        lambda: serving_cost.scaled_fleet(-1, 1),
        lambda: serving_cost.scaled_fleet(1, 0),
        lambda: serving_cost.scaled_fleet(1, 1, -1),
        lambda: serving_cost.tokens_per_request(-1, 1),
        lambda: serving_cost.tokens_per_request(1, 0),
        lambda: serving_cost.tokens_per_request(1, 1, 0),
        lambda: serving_cost.device_days(-1, 1),
        lambda: serving_cost.device_days(1, 0),
        lambda: serving_cost.cache_saving(1.1),
        lambda: serving_cost.cache_saving(0.1, 1.1),
        lambda: serving_cost.load_ratio(1, 0.5),
        lambda: serving_cost.headroom(0),
        lambda: serving_cost.headroom(1, 0.9, -1),
        lambda: serving_cost.self_hosting_break_even(-1, 1, 1, 1),
        lambda: serving_cost.self_hosting_break_even(1, 0, 1, 1),
        lambda: serving_cost.self_hosting_break_even(1, 1, 0, 1),
        lambda: serving_cost.self_hosting_break_even(1, 1, 1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
