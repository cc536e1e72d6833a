"""Independent ways to the numbers of verifiers/intervals.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import intervals

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("p", [0.0, 0.05, 0.3, 0.5, 0.9, 1.0])
def test_binomial_equals_scipy(p: float) -> None:
    for n in (1, 2, 7, 2000):
        expected = stats.binom.pmf(range(n + 1), n, p)
        assert intervals.binomial(n, p) == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-300)


@witnesses("intervals.standard_error", "intervals.half_width")
def test_standard_error_equals_the_spread_of_simulated_rates() -> None:
    rng = np.random.default_rng(0)
    for p, n in ((0.6, 5), (0.95, 200)):
        rates = rng.binomial(n, p, 200_000) / n
        assert intervals.standard_error(p, n) == pytest.approx(rates.std(), rel=0.01)
        for confidence in (0.95, 0.8):
            expected = stats.norm.isf((1 - confidence) / 2) * stats.binom.std(n, p) / n
            assert intervals.half_width(p, n, confidence) == pytest.approx(expected, rel=1e-9)
    assert intervals.half_width(0.5, 100) == intervals.half_width(0.5, 100, 0.95)


@witnesses("intervals.rate")
@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 1), (8, 10), (10, 10), (43, 200), (0, 1)])
def test_intervals_equal_scipy(successes: int, n: int) -> None:
    test = stats.binomtest(successes, n)
    for confidence in (0.95, 0.8):
        for method, name in (("wilson", "wilson"), ("clopper-pearson", "exact")):
            expected = test.proportion_ci(confidence, name)
            got = intervals.rate(successes, n, method, confidence)
            assert got["low"] == pytest.approx(expected.low, abs=1e-9)
            assert got["high"] == pytest.approx(expected.high, abs=1e-9)
        got = intervals.rate(successes, n, "wald", confidence)
        reach = stats.norm.isf((1 - confidence) / 2) * math.sqrt(successes * (n - successes) / n) / n
        assert got["low"] == pytest.approx(successes / n - reach, abs=1e-12)
        assert got["high"] == pytest.approx(successes / n + reach, abs=1e-12)
    assert intervals.rate(successes, n) == intervals.rate(successes, n, "wilson", 0.95)


@witnesses("intervals.coverage")
@pytest.mark.parametrize("method", ["wald", "wilson", "clopper-pearson"])
def test_coverage_equals_simulated_experiments(method: str) -> None:
    rng = np.random.default_rng(0)
    for p, n in ((0.95, 40), (0.3, 12)):
        held = {}
        for successes in range(n + 1):
            if method == "wald":
                reach = 1.959964 * math.sqrt(successes * (n - successes) / n) / n
                held[successes] = abs(successes / n - p) <= reach
            else:
                name = "exact" if method == "clopper-pearson" else "wilson"
                ends = stats.binomtest(successes, n).proportion_ci(0.95, name)
                held[successes] = ends.low <= p <= ends.high
        share = np.mean([held[successes] for successes in rng.binomial(n, p, 10_000).tolist()])
        assert intervals.coverage(method, p, n) == pytest.approx(share, abs=0.01)
    assert intervals.coverage(method, 0.3, 12, 0.5) < intervals.coverage(method, 0.3, 12, 0.95)
    assert intervals.coverage(method, 0.3, 12) == intervals.coverage(method, 0.3, 12, 0.95)


def test_an_end_of_the_interval_still_holds_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(intervals.METHODS, "wald", lambda k, n, c: (k / n, k / n + 0.5))
    assert intervals.coverage("wald", 0.5, 2) == pytest.approx(0.75)


@witnesses("intervals.zero_failures_upper")
@pytest.mark.parametrize("n", [1, 30, 1000])
def test_bound_is_the_rate_that_would_rarely_show_no_failure(n: int) -> None:
    for confidence in (0.95, 0.5):
        upper = intervals.zero_failures_upper(n, confidence)
        assert stats.binom.pmf(0, n, upper) == pytest.approx(1 - confidence, rel=1e-9)
    assert intervals.zero_failures_upper(n) == intervals.zero_failures_upper(n, 0.95)


@witnesses("intervals.difference_half_width", "intervals.paired_difference")
def test_differences_equal_the_errors_of_scores() -> None:
    """Write the scores out question by question, and take numpy's variances."""
    first = np.array([1] * 30 + [1] * 4 + [0] * 1 + [0] * 15)
    second = np.array([1] * 30 + [0] * 4 + [1] * 1 + [0] * 15)
    gaps = first - second
    for confidence in (0.95, 0.9):
        z = stats.norm.isf((1 - confidence) / 2)
        half = z * gaps.std() / math.sqrt(50)
        got = intervals.paired_difference(50, 4, 1, confidence)
        assert got["difference"] == pytest.approx(gaps.mean(), rel=1e-12)
        assert got["half width"] == pytest.approx(half, rel=1e-9)
        assert got["low"] == pytest.approx(gaps.mean() - half, rel=1e-9)
        assert got["high"] == pytest.approx(gaps.mean() + half, rel=1e-9)
        expected = z * math.sqrt(first.var() / 50 + second[:20].var() / 20)
        got_half = intervals.difference_half_width(first.mean(), 50, second[:20].mean(), 20, confidence)
        assert got_half == pytest.approx(expected, rel=1e-9)
    default = intervals.difference_half_width(0.5, 9, 0.2, 8)
    assert default == intervals.difference_half_width(0.5, 9, 0.2, 8, 0.95)
    assert intervals.paired_difference(9, 3, 1) == intervals.paired_difference(9, 3, 1, 0.95)
    assert intervals.paired_difference(1, 0, 0)["half width"] == 0


@witnesses("intervals.correlation")
def test_interval_of_a_correlation_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    for n in (4, 50, 200):
        x = rng.standard_normal(n)
        y = 0.6 * x + rng.standard_normal(n)
        found = stats.pearsonr(x, y)
        for confidence in (0.95, 0.8):
            expected = found.confidence_interval(confidence)
            got = intervals.correlation(float(found.statistic), n, confidence)
            assert got["low"] == pytest.approx(expected.low, abs=1e-9)
            assert got["high"] == pytest.approx(expected.high, abs=1e-9)
    assert intervals.correlation(-0.3, 20) == intervals.correlation(-0.3, 20, 0.95)


@witnesses("intervals.bootstrap")
def test_bootstrap_equals_quantiles_of_all_resamples() -> None:
    values = (0.0, 1.0, 1.5, 7.0, 2.0)
    means = sorted(sum(drawn) / 5 for drawn in itertools.product(values, repeat=5))
    for confidence in (0.9, 0.5):
        got = intervals.bootstrap(values, confidence, resamples=20_000)
        tail = (1 - confidence) / 2
        for end, share in (("low", tail), ("high", 1 - tail)):
            below = sum(mean < got[end] - 1e-9 for mean in means) / len(means)
            upto = sum(mean <= got[end] + 1e-9 for mean in means) / len(means)
            assert below - 0.015 <= share <= upto + 0.015
    got = intervals.bootstrap(values)
    assert got == intervals.bootstrap(values, 0.95, 2000, 0) != intervals.bootstrap(values, seed=1)
    assert intervals.bootstrap((3.0, 3.0), resamples=1) == {"low": 3.0, "high": 3.0}


@witnesses("intervals.design_effect")
@pytest.mark.parametrize(("size", "rho"), [(1, 0.5), (5, 0.2), (10, 1.0)])
def test_design_effect_equals_the_variance_of_simulated_means(size: int, rho: float) -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((20_000, 4, 1)) * math.sqrt(rho)
    scores = shared + rng.standard_normal((20_000, 4, size)) * math.sqrt(1 - rho)
    ratio = scores.mean((1, 2)).var() * 4 * size
    assert intervals.design_effect(size, rho) == pytest.approx(ratio, rel=0.04)


@witnesses("intervals.clustered_standard_error")
def test_clustered_error_equals_pairs_of_questions() -> None:
    """Add up the products of the deviations of every pair of questions that share a cluster."""
    clusters = [[1.0, 1.0, 0.0], [0.0], [1.0, 0.5], [0.0, 0.0, 0.25, 0.0]]
    flat = [(number, score) for number, scores in enumerate(clusters) for score in scores]
    mean = sum(score for _, score in flat) / len(flat)
    total = sum((x - mean) * (y - mean) for a, x in flat for b, y in flat if a == b)
    assert intervals.clustered_standard_error(clusters) == pytest.approx(
        math.sqrt(total) / len(flat), rel=1e-12
    )
    alone = [[1.0], [0.0], [0.0], [1.0]]
    assert intervals.clustered_standard_error(alone) == intervals.standard_error(0.5, 4)


def test_a_perfect_correlation_is_named() -> None:
    with pytest.raises(ValueError, match=r"1 − \|r\| must be above 0"):
        intervals.correlation(1.0, 30)


def test_a_confidence_lies_between_zero_and_one() -> None:
    for call in (
        lambda: intervals.half_width(0.5, 5, 1.0),
        lambda: intervals.rate(1, 5, "clopper-pearson", 1.0),
        lambda: intervals.zero_failures_upper(5, 1.0),
        lambda: intervals.bootstrap([1.0, 2.0], 1.0),
    ):
        with pytest.raises(ValueError, match="1 − confidence"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: intervals.standard_error(1.1, 5),
        lambda: intervals.standard_error(0.5, 0),
        lambda: intervals.half_width(0.5, 5, 1.0),
        lambda: intervals.half_width(0.5, 5, 0.0),
        lambda: intervals.rate(1, 5, "agresti"),
        lambda: intervals.rate(-1, 5),
        lambda: intervals.rate(6, 5),
        lambda: intervals.rate(0, 0),
        lambda: intervals.rate(1, 5, "clopper-pearson", 1.0),
        lambda: intervals.rate(1, 5, "clopper-pearson", 0.0),
        lambda: intervals.coverage("wald", 0, 5),
        lambda: intervals.coverage("wald", 1, 5),
        lambda: intervals.coverage("wald", 0.5, 0),
        lambda: intervals.zero_failures_upper(0),
        lambda: intervals.zero_failures_upper(5, 1),
        lambda: intervals.zero_failures_upper(5, 0),
        lambda: intervals.paired_difference(3, 2, 2),
        lambda: intervals.paired_difference(0, 0, 0),
        lambda: intervals.paired_difference(3, -1, 1),
        lambda: intervals.paired_difference(3, 1, -1),
        lambda: intervals.correlation(0.5, 3),
        lambda: intervals.correlation(1.0, 30),
        lambda: intervals.correlation(-1.0, 30),
        lambda: intervals.bootstrap([1.0]),
        lambda: intervals.bootstrap([1.0, 2.0], 1.0),
        lambda: intervals.bootstrap([1.0, 2.0], 0.0),
        lambda: intervals.bootstrap([1.0, 2.0], resamples=0),
        lambda: intervals.design_effect(0.9, 0.5),
        lambda: intervals.design_effect(2, 1.5),
        lambda: intervals.clustered_standard_error([[1.0]]),
        lambda: intervals.clustered_standard_error([[1.0], []]),
        lambda: intervals.clustered_standard_error([[1.0, 0.0], [0.0, math.nan]]),
        lambda: intervals.bootstrap([1.0, math.nan]),
        lambda: intervals.bootstrap([1.0, math.inf]),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
