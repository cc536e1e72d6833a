"""Independent ways to the numbers of verifiers/design_numbers.py."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import design_numbers


@witnesses("design_numbers.request_rate")
@pytest.mark.parametrize(("users", "each", "peak"), [(86_400, 1, 1), (1000, 12, 3), (0, 5, 2), (50, 0, 1)])
def test_request_rate_makes_the_requests_of_a_day(users: float, each: float, peak: float) -> None:
    rate = design_numbers.request_rate(users, each, peak)
    assert rate * timedelta(days=1).total_seconds() == pytest.approx(sum(each for _ in range(users)) * peak)
    assert design_numbers.request_rate(users, each) == pytest.approx(rate / peak)


@witnesses("design_numbers.storage")
@pytest.mark.parametrize("replicas", [1, 3])
def test_storage_equals_a_log_that_grows_day_by_day(replicas: int) -> None:
    stored = 0.0
    for _ in range(9):
        stored += replicas * sum(100 for _item in range(40))
    assert design_numbers.storage(40, 100, 9, replicas) == stored
    assert design_numbers.storage(40, 100, 9) == stored / replicas


@witnesses("design_numbers.bandwidth", "design_numbers.transfer_time")
@pytest.mark.parametrize(("rate", "size"), [(50, 2000), (0.5, 8), (0, 3), (3, 0)])
def test_a_link_of_that_bandwidth_moves_a_second_in_a_second(rate: float, size: float) -> None:
    flow = design_numbers.bandwidth(rate, size)
    assert flow == sum([size] * int(2 * rate)) / 2
    bits = np.unpackbits(np.zeros(max(1, int(flow)), dtype=np.uint8)).size
    assert design_numbers.transfer_time(flow, bits) == pytest.approx(1 if flow else 0)


@witnesses("design_numbers.latency_left")
def test_latency_left_counts_down() -> None:
    left = 2000
    for part in (125, 300, 1500):
        left -= part
    assert design_numbers.latency_left(2.0, 0.125, 0.3, 1.5) == pytest.approx(left / 1000)
    assert design_numbers.latency_left(1, 0.125, 0.25, 0.625) == 0
    assert design_numbers.latency_left(1, 2) == -1
    assert design_numbers.latency_left(1, 0) == 1 == design_numbers.latency_left(1)


@witnesses("design_numbers.zipf_hit_rate")
@pytest.mark.parametrize(("exponent", "cached"), [(1.0, 10), (0.0, 25), (1.5, 3), (0.7, 0), (1.0, 100)])
def test_hit_rate_equals_a_cache_fed_with_draws(exponent: float, cached: int) -> None:
    generator = np.random.default_rng(4)
    weights = 1 / np.arange(1, 101) ** exponent
    draws = generator.choice(100, size=30_000, p=weights / weights.sum())
    popular = {item for item, _ in Counter(sorted(draws)).most_common(cached)}
    hits = sum(item in popular for item in draws) / len(draws)
    assert design_numbers.zipf_hit_rate(100, cached, exponent) == pytest.approx(hits, abs=0.02)
    exact = sum(rank**-exponent for rank in range(1, cached + 1)) / sum(
        rank**-exponent for rank in range(1, 101)
    )
    assert design_numbers.zipf_hit_rate(100, cached, exponent) == pytest.approx(exact)
    if exponent == 1:
        assert design_numbers.zipf_hit_rate(100, cached) == pytest.approx(exact)


@pytest.mark.parametrize(
    "call",
    [
        lambda: design_numbers.request_rate(-1, 1),
        lambda: design_numbers.request_rate(1, -1),
        lambda: design_numbers.request_rate(1, 1, 0),
        lambda: design_numbers.storage(-1, 1, 1),
        lambda: design_numbers.storage(1, -1, 1),
        lambda: design_numbers.storage(1, 1, -1),
        lambda: design_numbers.storage(1, 1, 1, 0),
        lambda: design_numbers.bandwidth(-1, 1),
        lambda: design_numbers.bandwidth(1, -1),
        lambda: design_numbers.transfer_time(-1, 1),
        lambda: design_numbers.transfer_time(1, 0),
        lambda: design_numbers.latency_left(0),
        lambda: design_numbers.latency_left(1, -1),
        lambda: design_numbers.zipf_hit_rate(0, 0),
        lambda: design_numbers.zipf_hit_rate(2, 3),
        lambda: design_numbers.zipf_hit_rate(2, -1),
        lambda: design_numbers.zipf_hit_rate(2, 1, -1),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


def test_least_arguments_are_allowed() -> None:
    assert design_numbers.storage(0, 0, 0) == 0
    assert design_numbers.request_rate(0, 0, 0.5) == 0
    assert design_numbers.zipf_hit_rate(1, 1, 0) == 1
