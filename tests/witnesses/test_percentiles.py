"""Independent ways to the numbers of verifiers/percentiles.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import percentiles


@witnesses("percentiles.quantile", "percentiles.quantile_ratio")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95, 0.99])
def test_quantiles_equal_those_of_scipy(share: float) -> None:
    special = pytest.importorskip("scipy.special")
    for mean, cv in ((1.0, 1.0), (3.0, 0.2), (0.5, 2.0)):
        sigma = math.sqrt(math.log(1 + cv**2))
        median = mean * math.exp(-(sigma**2) / 2)
        known = {
            "exponential": lambda p, m=mean: m * math.log(1 / (1 - p)),
            "normal": lambda p, m=mean, s=mean * cv: m + s * special.ndtri(p),
            "lognormal": lambda p, m=median, s=sigma: m * math.exp(s * special.ndtri(p)),
        }
        grid = special.ndtri((np.arange(200_000) + 0.5) / 200_000)
        sample = median * np.exp(sigma * grid)
        assert sample.mean() == pytest.approx(mean, rel=1e-3)
        assert sample.std() == pytest.approx(mean * cv, rel=0.03)
        for family, ppf in known.items():
            found = percentiles.quantile(family, share, mean, cv)
            assert found == pytest.approx(ppf(share), rel=1e-9)
            if share < 0.99 and ppf(share) > 0:
                ratio = ppf(0.99) / ppf(share)
                assert percentiles.quantile_ratio(family, 0.99, share, cv) == pytest.approx(ratio)
    for family in percentiles.FAMILIES:
        default = percentiles.quantile(family, share)
        assert default == percentiles.quantile(family, share, 1.0, 1.0)
    assert percentiles.quantile_ratio("lognormal", 0.99, 0.5) == pytest.approx(
        percentiles.quantile("lognormal", 0.99) / percentiles.quantile("lognormal", 0.5)
    )


@witnesses("percentiles.cv_for_ratio", "percentiles.sigma_for_ratio")
@pytest.mark.parametrize(("high", "low"), [(0.99, 0.95), (0.99, 0.5), (0.9, 0.2)])
@pytest.mark.parametrize("ratio", [1.1, 1.35])
def test_the_spread_for_a_ratio_gives_that_ratio(high: float, low: float, ratio: float) -> None:
    cv = percentiles.cv_for_ratio(high, low, ratio)
    assert percentiles.quantile_ratio("normal", high, low, cv) == pytest.approx(ratio)
    sigma = percentiles.sigma_for_ratio(high, low, ratio)
    cv = math.sqrt(math.exp(sigma**2) - 1)
    assert percentiles.quantile_ratio("lognormal", high, low, cv) == pytest.approx(ratio)


def test_no_deviation_is_large_enough_for_the_limit_of_the_ratio() -> None:
    """With all weight on the deviation the ratio is that of the z-scores; none is left for the mean."""
    limit = percentiles.NORMAL.inv_cdf(0.99) / percentiles.NORMAL.inv_cdf(0.9)
    with pytest.raises(ValueError, match="no normal distribution"):
        percentiles.cv_for_ratio(0.99, 0.9, limit)


def test_a_ratio_over_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(percentiles, "quantile", lambda *_, **__: 0.0)
    with pytest.raises(ValueError, match="negative"):
        percentiles.quantile_ratio("normal", 0.9, 0.5)


def test_bisection_ends_at_the_first_number_that_reaches_the_target() -> None:
    assert percentiles._bisect(lambda x: x, 0.5, 0.0, 1.0) == 0.5
    assert percentiles._bisect(lambda x: x * x, 2.0, 0.0, 2.0) == pytest.approx(math.sqrt(2), rel=1e-15)


GROUPS = [(0.1, 2.0, 0.5), (0.6, 1.0, 0.2), (0.3, 0.4, 0.9)]


@witnesses("percentiles.mixture_quantile", "percentiles.masked_regression")
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_mixed_traffic_equals_a_large_sample(share: float) -> None:
    rng = np.random.default_rng(0)
    parts = [
        median * np.exp(sigma * rng.standard_normal(round(weight * 400_000)))
        for weight, median, sigma in GROUPS
    ]
    found = percentiles.mixture_quantile(share, GROUPS)
    assert found == pytest.approx(np.quantile(np.concatenate(parts), share), rel=0.01)


def test_mixed_traffic_of_one_group_is_lognormal() -> None:
    special = pytest.importorskip("scipy.special")
    alone = percentiles.mixture_quantile(0.9, [(1.0, 3.0, 0.7)])
    assert alone == pytest.approx(3 * math.exp(0.7 * special.ndtri(0.9)))
    found = percentiles.mixture_quantile(0.9, GROUPS)
    below = sum(w * special.ndtr(math.log(found / m) / s) for w, m, s in GROUPS)
    assert below == pytest.approx(0.9, abs=1e-12)


def test_a_slow_group_moves_the_percentile_of_all_as_in_a_sample() -> None:
    rng = np.random.default_rng(0)
    normal = np.exp(0.3 * rng.standard_normal(300_000))
    group, rest = 0.5 * normal[:30_000], 2.0 * normal[30_000:]
    before = np.quantile(np.concatenate([group, rest]), 0.9)
    after = np.quantile(np.concatenate([6 * group, rest]), 0.9)
    found = percentiles.masked_regression(0.9, 0.1, 6.0, 0.5, 2.0, 0.3)
    assert found == pytest.approx(after / before - 1, rel=0.05)
    alike = percentiles.masked_regression(0.9, 0.1, 6.0, 1.0, 1.0, 0.5)
    assert percentiles.masked_regression(0.9, 0.1, 6.0) == alike
    assert percentiles.masked_regression(0.9, 0.1, 1.0) == pytest.approx(0, abs=1e-12)


@witnesses("percentiles.of_samples", "percentiles.averaged")
def test_nearest_rank_is_the_least_value_that_enough_stay_within() -> None:
    rng = np.random.default_rng(3)
    for count in (1, 2, 7, 20, 100):
        latencies = rng.exponential(size=count).tolist()
        for share in (0.01, 0.25, 0.5, 0.95, 0.99):
            enough = [x for x in latencies if sum(y <= x for y in latencies) >= share * count]
            assert percentiles.of_samples(share, latencies) == min(enough)
            assert percentiles.of_samples(share, latencies) == np.quantile(
                latencies, share, method="inverted_cdf"
            )
    # 0.07 · 100 and 0.55 · 100 are a hair above 7 and 55 in binary
    assert percentiles.of_samples(0.07, list(range(1, 101))) == 7
    assert percentiles.of_samples(0.55, list(range(1, 101))) == 55
    assert percentiles.averaged(0.5, [[1.0, 2.0, 3.0], [10.0]]) == 6.0
    assert percentiles.of_samples(0.5, [1.0, 2.0, 3.0, 10.0]) == 2.0


@witnesses("percentiles.higher_percentiles_are_no_lower")
def test_the_order_check_passes_for_sorted_and_fails_for_unsorted_ranks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    percentiles.higher_percentiles_are_no_lower(1, 1, 3)
    assert percentiles.higher_percentiles_are_no_lower(20, 2, 10) == {"samples": 20, "seeds": 2, "steps": 10}
    asked: list[float] = []
    right = percentiles.of_samples

    def records(share: float, latencies: list[float]) -> float:
        asked.append(share)
        assert len(latencies) == 20
        return right(share, latencies)

    monkeypatch.setattr(percentiles, "of_samples", records)
    percentiles.higher_percentiles_are_no_lower(20, 2, 10)
    assert asked == [step / 10 for _ in range(2) for step in range(1, 10)]
    monkeypatch.setattr(
        percentiles, "of_samples", lambda share, latencies: latencies[int(share * len(latencies))]
    )
    with pytest.raises(AssertionError, match="lies below"):
        percentiles.higher_percentiles_are_no_lower()


@pytest.mark.parametrize(
    "call",
    [
        lambda: percentiles.quantile("gauss", 0.5),
        lambda: percentiles.quantile("normal", 0.0),
        lambda: percentiles.quantile("normal", 1.0),
        lambda: percentiles.quantile("normal", 1.5),
        lambda: percentiles.quantile("exponential", 1.0),
        lambda: percentiles.quantile("normal", 0.5, 0.0),
        lambda: percentiles.quantile("normal", 0.5, 1.0, 0.0),
        lambda: percentiles.quantile_ratio("normal", 0.5, 0.5, 0.1),
        lambda: percentiles.quantile_ratio("normal", 0.5, 0.9, 0.1),
        lambda: percentiles.quantile_ratio("normal", 0.99, 0.1, 1.0),
        lambda: percentiles.quantile_ratio("normal", 0.9, 0.5, -0.1),
        lambda: percentiles.cv_for_ratio(1.0, 0.5, 1.1),
        lambda: percentiles.cv_for_ratio(0.9, 0.0, 1.1),
        lambda: percentiles.cv_for_ratio(0.9, 0.5, 1.0),
        lambda: percentiles.cv_for_ratio(0.99, 0.95, 2.0),
        lambda: percentiles.cv_for_ratio(0.5, 0.5, 1.1),
        lambda: percentiles.cv_for_ratio(0.3, 0.4, 3.0),
        lambda: percentiles.cv_for_ratio(0.9, 0.4, math.inf),
        lambda: percentiles.cv_for_ratio(0.9, 0.4, math.nan),
        lambda: percentiles.sigma_for_ratio(1.0, 0.5, 1.1),
        lambda: percentiles.sigma_for_ratio(0.9, 0.0, 1.1),
        lambda: percentiles.sigma_for_ratio(0.9, 0.5, 1.0),
        lambda: percentiles.sigma_for_ratio(0.5, 0.5, 1.1),
        lambda: percentiles.mixture_quantile(0.0, GROUPS),
        lambda: percentiles.mixture_quantile(1.0, GROUPS),
        lambda: percentiles.mixture_quantile(0.5, [(0.5, 1.0, 1.0)]),
        lambda: percentiles.mixture_quantile(0.5, [(1.0, 0.0, 1.0)]),
        lambda: percentiles.mixture_quantile(0.5, [(1.0, 1.0, 0.0)]),
        lambda: percentiles.masked_regression(0.5, 1.5, 2.0),
        lambda: percentiles.masked_regression(0.5, 0.5, 0.0),
        lambda: percentiles.of_samples(0.0, [1.0]),
        lambda: percentiles.of_samples(1.0, [1.0]),
        lambda: percentiles.of_samples(0.5, []),
        lambda: percentiles.of_samples(0.5, [1.0, -1.0]),
        lambda: percentiles.of_samples(0.5, [1.0, math.nan]),
        lambda: percentiles.averaged(0.5, []),
        lambda: percentiles.higher_percentiles_are_no_lower(0),
        lambda: percentiles.higher_percentiles_are_no_lower(seeds=0),
        lambda: percentiles.higher_percentiles_are_no_lower(steps=2),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"lie|above 0|sum|unknown|negative|no normal|at least|finite"):
        call()  # type: ignore[operator]
