"""Independent ways to the numbers of verifiers/rate_limits.py."""

from __future__ import annotations

import random
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import rate_limits


def random_times(chance: random.Random, count: int = 30, end: int = 60) -> list[float]:
    """Times in tenths of a second, in order, some of them equal."""
    return sorted(chance.randrange(end) / 10 for _ in range(count))


@witnesses("rate_limits.token_bucket")
@pytest.mark.parametrize(("per_second", "burst"), [(1, 1), (2, 3), (5, 1), (0.5, 4), (1, 0), (4, 1.5)])
def test_bucket_admits_what_a_virtual_schedule_admits(per_second: float, burst: float) -> None:
    """The cell-rate algorithm keeps one time instead of a level: when the bucket would be full again."""
    chance = random.Random(int(10 * burst) + int(per_second))
    gap, depth = 10_000 / per_second, 10_000 * burst / per_second  # in tenths of a millisecond
    for _ in range(5):
        times = random_times(chance)
        full, admitted = 0.0, 0
        for time in times:
            now = round(time * 10_000)
            after = max(full, now) + gap
            if after - now <= depth:
                full, admitted = after, admitted + 1
        assert rate_limits.token_bucket(times, per_second, burst) == admitted


@witnesses("rate_limits.bucket_total")
@pytest.mark.parametrize(("seconds", "per_second", "burst"), [(10, 2, 5), (3, 1, 1), (0, 4, 2)])
def test_bucket_total_is_reached_by_a_flood(seconds: int, per_second: int, burst: int) -> None:
    flood = [time / 100 for time in range(100 * seconds + 1) for _ in range(burst)]
    total = rate_limits.bucket_total(seconds, per_second, burst)
    assert rate_limits.token_bucket(flood, per_second, burst) == total
    assert total == burst + sum(per_second for _ in range(seconds))


@pytest.mark.parametrize(("per_second", "burst"), [(0.7, 2.4), (1.3, 1), (0.3, 1.7), (0.9, 0.9), (2, 0)])
@pytest.mark.parametrize("tenths", [0, 9, 30])
def test_bucket_total_counts_whole_requests(tenths: int, per_second: float, burst: float) -> None:
    flood = [tick / 100 for tick in range(10 * tenths + 1) for _ in range(3)]
    assert rate_limits.bucket_total(tenths / 10, per_second, burst) == rate_limits.token_bucket(
        flood, per_second, burst
    )


@witnesses("rate_limits.window")
@pytest.mark.parametrize("limit", [1, 3, 7])
@pytest.mark.parametrize("tenths", [5, 10])
def test_windows_equal_counts_per_bin(limit: int, tenths: int) -> None:
    chance = random.Random(limit * tenths)
    for _ in range(5):
        times = random_times(chance)
        ticks = [round(time * 10) for time in times]
        bins: dict[int, int] = {}
        fixed: list[int] = []
        sliding: list[int] = []
        for tick in ticks:
            if bins.get(tick // tenths, 0) < limit:
                bins[tick // tenths] = bins.get(tick // tenths, 0) + 1
                fixed.append(tick)
            if sum(tick - tenths < at <= tick for at in sliding) < limit:
                sliding.append(tick)
        for kind, passed in (("fixed", fixed), ("sliding", sliding)):
            worst = max(sum(at <= other < at + tenths for other in passed) for at in passed)
            found = rate_limits.window(times, limit, tenths / 10, kind)
            assert found == {"admitted": len(passed), "worst": worst}
        assert rate_limits.window(times, limit, tenths / 10)["admitted"] == len(fixed)


def test_the_edge_of_a_fixed_window_lets_twice_the_limit_pass() -> None:
    times = [0.9] * 6 + [1.0] * 6
    assert rate_limits.window(times, 5, 1) == {"admitted": 10, "worst": 10}
    assert rate_limits.window(times, 5, 1, "sliding") == {"admitted": 5, "worst": 5}
    assert rate_limits.window([], 5, 1) == {"admitted": 0, "worst": 0}


@witnesses("rate_limits.requests_per_minute")
def test_requests_per_minute_are_the_most_under_both_limits() -> None:
    for requests in range(0, 12):
        for tokens in range(0, 60, 6):
            most = max(n for n in range(100) if n <= requests and n * 6 <= tokens)
            assert rate_limits.requests_per_minute(requests, tokens, 6) == most
    assert rate_limits.requests_per_minute(100, 5, 2) == 2.5


@witnesses("rate_limits.alarm", "rate_limits.pace_errors")
@pytest.mark.parametrize("rule", rate_limits.RULES)
@pytest.mark.parametrize("margin", [0, 1, 3])
def test_pace_errors_equal_a_count_in_tenths(rule: str, margin: int) -> None:
    agree = missed = false = fast = 0
    for elapsed in range(11):
        for used in range(11):
            told = used - margin > (elapsed if rule == "elapsed" else 10 - elapsed)
            assert rate_limits.alarm(elapsed / 10, used / 10, rule, margin / 10) == told
            true = used > elapsed
            agree += told == true
            fast += true
            missed += true and not told
            false += told and not true
    found = rate_limits.pace_errors(rule, margin / 10, steps=10)
    assert found["agree"] == pytest.approx(agree / 121)
    assert found["missed"] == pytest.approx(missed / fast)
    assert found["false"] == pytest.approx(false / (121 - fast))


def test_pace_defaults() -> None:
    assert rate_limits.alarm(0.5, 0.6) == 1
    assert rate_limits.alarm(0.5, 0.5) == 0
    assert rate_limits.alarm(0.9, 0.8) == 0
    assert rate_limits.pace_errors("remaining") == rate_limits.pace_errors("remaining", 0, 100)
    assert rate_limits.pace_errors("elapsed", steps=1) == {"agree": 1, "missed": 0, "false": 0}


@witnesses("rate_limits.throttles")
def test_throttling_on_a_missing_header_goes_by_policy() -> None:
    assert [rate_limits.throttles(left, 3) for left in (0, 2, 3, 4)] == [1, 1, 0, 0]
    assert [rate_limits.throttles(left, 3, "closed") for left in (2, 3)] == [1, 0]
    assert rate_limits.throttles(None, 3) == rate_limits.throttles(None, 3, "open") == 0
    assert rate_limits.throttles(None, 3, "closed") == 1
    assert rate_limits.throttles(0, 0) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: rate_limits.token_bucket([1], 0, 1),
        lambda: rate_limits.token_bucket([1], 1, -1),
        lambda: rate_limits.token_bucket([-1], 1, 1),
        lambda: rate_limits.token_bucket([2, 1], 1, 1),
        lambda: rate_limits.bucket_total(-1, 1, 1),
        lambda: rate_limits.bucket_total(1, 0, 1),
        lambda: rate_limits.bucket_total(1, 1, -1),
        lambda: rate_limits.window([1], 0, 1),
        lambda: rate_limits.window([1], 1, 0),
        lambda: rate_limits.window([1], 1, 1, "rolling"),
        lambda: rate_limits.requests_per_minute(-1, 1, 1),
        lambda: rate_limits.requests_per_minute(1, -1, 1),
        lambda: rate_limits.requests_per_minute(1, 1, 0),
        lambda: rate_limits.alarm(1.1, 0),
        lambda: rate_limits.alarm(0, 1.1),
        lambda: rate_limits.alarm(0, 0, margin=-0.1),
        lambda: rate_limits.alarm(0, 0, "left"),
        lambda: rate_limits.pace_errors("elapsed", steps=0),
        lambda: rate_limits.pace_errors("left"),
        lambda: rate_limits.pace_errors("elapsed", -0.1),
        lambda: rate_limits.throttles(-1, 1),
        lambda: rate_limits.throttles(1, -1),
        lambda: rate_limits.throttles(1, 1, "ajar"),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
