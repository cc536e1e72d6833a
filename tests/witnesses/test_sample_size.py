"""Independent ways to the numbers of verifiers/sample_size.py."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import sample_size

stats = pytest.importorskip("scipy.stats")


@witnesses("sample_size.for_half_width")
@pytest.mark.parametrize(("p", "half"), [(0.9, 0.04), (0.5, 0.1), (0.92, 0.02)])
def test_size_is_the_first_that_is_narrow_enough(p: float, half: float) -> None:
    for confidence in (0.95, 0.8):
        n = 1
        while stats.norm.isf((1 - confidence) / 2) * stats.binom.std(n, p) / n > half:
            n += 1
        assert sample_size.for_half_width(p, half, confidence) == n
    assert sample_size.for_half_width(p, half) == sample_size.for_half_width(p, half, 0.95)


def rejections(p: float, q: float, n: int, runs: int, confidence: float) -> float:
    """How often a z-test with a pooled rate finds a difference between two simulated arms."""
    rng = np.random.default_rng(0)
    first, second = rng.binomial(n, p, runs) / n, rng.binomial(n, q, runs) / n
    pooled = (first + second) / 2
    z = np.abs(first - second) / np.sqrt(2 * pooled * (1 - pooled) / n)
    return float((z > stats.norm.isf((1 - confidence) / 2)).mean())


@witnesses("sample_size.two_rates", "sample_size.power")
@pytest.mark.parametrize(("p", "q"), [(0.7, 0.75), (0.2, 0.3), (0.55, 0.45)])
def test_power_equals_a_simulated_experiment(p: float, q: float) -> None:
    for power, confidence in ((0.8, 0.95), (0.6, 0.9)):
        n = sample_size.two_rates(p, q, power, confidence)
        assert rejections(p, q, n, 20_000, confidence) == pytest.approx(power, abs=0.02)
        assert sample_size.power(p, q, n, confidence) >= power > sample_size.power(p, q, n - 1, confidence)
    assert sample_size.power(p, q, 100) == pytest.approx(rejections(p, q, 100, 40_000, 0.95), abs=0.03)
    assert sample_size.power(p, q, 100) == sample_size.power(p, q, 100, 0.95)
    assert sample_size.two_rates(p, q) == sample_size.two_rates(p, q, 0.8, 0.95, "pooled")


@witnesses("sample_size.two_rates")
@pytest.mark.parametrize("variance", ["pooled", "unpooled", "baseline"])
def test_size_is_the_first_whose_normal_curves_part(variance: str) -> None:
    """The critical difference under the null, and the power beyond it, with scipy's normal curve."""
    for p, q, power, confidence in ((0.7, 0.72, 0.8, 0.95), (0.4, 0.3, 0.9, 0.99), (0.05, 0.08, 0.8, 0.95)):
        r = (p + q) / 2
        null = {
            "pooled": 2 * r * (1 - r),
            "unpooled": p - p * p + q - q * q,
            "baseline": 2 * p * (1 - p),
        }[variance]
        other = 2 * p * (1 - p) if variance == "baseline" else p - p * p + q - q * q

        def reached(
            n: int, null: float = null, other: float = other, at: tuple[float, ...] = (p, q, confidence)
        ) -> float:
            critical = stats.norm.isf((1 - at[2]) / 2, scale=math.sqrt(null / n))
            return float(stats.norm.sf(critical, loc=abs(at[0] - at[1]), scale=math.sqrt(other / n)))

        n = sample_size.two_rates(p, q, power, confidence, variance)
        assert reached(n) >= power > reached(n - 1)


@witnesses("sample_size.paired")
@pytest.mark.parametrize(("discordant", "difference"), [(0.2, 0.08), (0.1, 0.05), (0.3, 0.3)])
def test_paired_size_equals_a_simulated_comparison(discordant: float, difference: float) -> None:
    rng = np.random.default_rng(0)
    only_first, only_second = (discordant + difference) / 2, (discordant - difference) / 2
    for power, confidence in ((0.8, 0.95), (0.6, 0.9)):
        n = sample_size.paired(discordant, difference, power, confidence)
        drawn = rng.multinomial(n, [only_first, only_second, 1 - discordant], 20_000)
        b, c = drawn[:, 0], drawn[:, 1]
        z = (b - c) / np.sqrt(np.maximum(b + c, 1))
        share = (z > stats.norm.isf((1 - confidence) / 2)).mean()
        if n > 30:
            assert share == pytest.approx(power, abs=0.04)
    assert sample_size.paired(discordant, difference) == sample_size.paired(discordant, difference, 0.8, 0.95)


@witnesses("sample_size.paired")
def test_paired_size_is_the_first_whose_normal_curves_part() -> None:
    for d, gap, power, confidence in ((0.2, 0.08, 0.8, 0.95), (0.1, 0.05, 0.9, 0.9)):

        def reached(n: int, d: float = d, gap: float = gap, confidence: float = confidence) -> float:
            critical = stats.norm.isf((1 - confidence) / 2, scale=math.sqrt(d / n))
            return float(stats.norm.sf(critical, loc=gap, scale=math.sqrt((d - gap**2) / n)))

        n = sample_size.paired(d, gap, power, confidence)
        assert reached(n) >= power > reached(n - 1)


@witnesses("sample_size.false_block")
@pytest.mark.parametrize(
    ("p", "n", "threshold"), [(0.9, 40, 0.02), (0.5, 10, 0.1), (0.7, 10, 0.0), (0.3, 50, 0.1)]
)
def test_false_blocks_equal_a_simulation(p: float, n: int, threshold: float) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.binomial(n, p, (2, 200_000))
    share = ((before - after) * 1000 > round(threshold * 1000) * n).mean()
    assert sample_size.false_block(p, n, threshold) == pytest.approx(share, abs=0.004)


def test_a_fall_of_just_the_threshold_does_not_block() -> None:
    # with two samples only a fall of both, by 100 points, exceeds 50 points: 1/4 · 1/4
    assert sample_size.false_block(0.5, 2, 0.5) == 1 / 16
    # 0.29 · 100 is a hair below 29 in binary
    exact = math.fsum(stats.binom.pmf(k, 100, 0.5) * stats.binom.cdf(k - 30, 100, 0.5) for k in range(101))
    assert sample_size.false_block(0.5, 100, 0.29) == pytest.approx(exact, rel=1e-9)
    assert sample_size.false_block(1, 5, 0) == 0
    assert sample_size.false_block(0.5, 1, 1) == 0


@witnesses("sample_size.false_alarm")
@pytest.mark.parametrize(("p", "n", "threshold"), [(0.05, 200, 0.02), (0.5, 10, 0.1), (0.3, 50, 0.1)])
def test_false_alarms_equal_a_simulation(p: float, n: int, threshold: float) -> None:
    rng = np.random.default_rng(0)
    off = np.abs(rng.binomial(n, p, 200_000) * 1000 - round(n * p * 1000))
    share = (off >= round(threshold * n * 1000)).mean()
    assert sample_size.false_alarm(p, n, threshold) == pytest.approx(share, abs=0.004)


def test_an_alarm_rings_at_the_threshold() -> None:
    assert sample_size.false_alarm(0.5, 2, 0.5) == 0.5
    assert sample_size.false_alarm(0.5, 2, 0.0) == 1
    # 0.07 · 100 is a hair above 7 in binary: 43 of 100 is off by just 7 points
    exact = 2 * stats.binom.cdf(43, 100, 0.5)
    assert sample_size.false_alarm(0.5, 100, 0.07) == pytest.approx(exact, rel=1e-9)
    assert sample_size.false_alarm(1, 1, 1) == 0


@witnesses("sample_size.passes_needed")
def test_passes_equal_a_search() -> None:
    for tests in (1, 3, 20, 100):
        for hundredths in range(101):
            needed = min(k for k in range(tests + 1) if 100 * k >= hundredths * tests)
            assert sample_size.passes_needed(tests, hundredths / 100) == needed


def test_rates_without_variance_give_no_size() -> None:
    for call in (
        lambda: sample_size.two_rates(0, 0.1, variance="baseline"),
        lambda: sample_size.two_rates(0, 1, variance="unpooled"),
    ):
        with pytest.raises(ValueError, match="variance must be above 0"):
            call()
    assert sample_size.two_rates(0, 1) == 2


def test_a_power_that_chance_alone_has_needs_no_size() -> None:
    """Without any sample the test rejects on the right side in half of the level, 2.5 %."""
    for power in (0.01, 0.0249):
        with pytest.raises(ValueError, match="chance alone"):
            sample_size.two_rates(0.5, 0.6, power, variance="unpooled")
        with pytest.raises(ValueError, match="chance alone"):
            sample_size.paired(0.2, 0.0001, power)
    assert sample_size.two_rates(0.5, 0.6, 0.0251, variance="unpooled") == 1
    with pytest.raises(ValueError, match="chance alone"):
        sample_size._samples(0, 0.1)


def test_a_power_lies_between_zero_and_one() -> None:
    with pytest.raises(ValueError, match="1 − power"):
        sample_size.two_rates(0.5, 0.6, 1)
    for wrong in ((1.1, 0.5), (0.5, 1.1)):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            sample_size.two_rates(*wrong)
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            sample_size.power(*wrong, 10)
    with pytest.raises(ValueError, match="power must be above 0"):
        sample_size.two_rates(0.5, 0.6, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sample_size.for_half_width(1.1, 0.1),
        lambda: sample_size.for_half_width(0, 0.1),
        lambda: sample_size.for_half_width(1, 0.1),
        lambda: sample_size.for_half_width(0.5, 0),
        lambda: sample_size.for_half_width(0.5, 0.1, 1),
        lambda: sample_size.two_rates(1.1, 0.5),
        lambda: sample_size.two_rates(0.5, -0.1),
        lambda: sample_size.two_rates(0.5, 0.5),
        lambda: sample_size.two_rates(0.5, 0.6, 0),
        lambda: sample_size.two_rates(0.5, 0.6, 1),
        lambda: sample_size.two_rates(0.5, 0.6, 0.8, 1),
        lambda: sample_size.two_rates(0.5, 0.6, variance="poole"),
        lambda: sample_size.power(0.5, 0.5, 10),
        lambda: sample_size.power(1.5, 0.5, 10),
        lambda: sample_size.power(0.5, 1.5, 10),
        lambda: sample_size.power(0.5, 0.6, 0),
        lambda: sample_size.power(0.0, 1.0, 10),
        lambda: sample_size.paired(1.1, 0.1),
        lambda: sample_size.paired(0.5, 0),
        lambda: sample_size.paired(0.1, 0.2),
        lambda: sample_size.paired(0.2, 0.1, 1),
        lambda: sample_size.false_block(1.1, 5, 0.1),
        lambda: sample_size.false_block(0.5, 0, 0.1),
        lambda: sample_size.false_block(0.5, 5, -0.1),
        lambda: sample_size.false_alarm(-0.1, 5, 0.1),
        lambda: sample_size.false_alarm(0.5, 0, 0.1),
        lambda: sample_size.false_alarm(0.5, 5, 1.1),
        lambda: sample_size.passes_needed(0, 0.5),
        lambda: sample_size.passes_needed(3, 1.5),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
