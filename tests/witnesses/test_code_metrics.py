"""Independent ways to the numbers of verifiers/code_metrics.py."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import code_metrics


@witnesses("code_metrics.pass_at_k", "code_metrics.pass_power_k")
@pytest.mark.parametrize("samples", [1, 4, 6])
def test_estimates_equal_a_count_of_all_choices(samples: int) -> None:
    for correct in range(samples + 1):
        outcomes = [1] * correct + [0] * (samples - correct)
        for k in range(1, samples + 1):
            drawn = list(combinations(outcomes, k))
            assert code_metrics.pass_at_k(samples, correct, k) == sum(map(any, drawn)) / len(drawn)
            assert code_metrics.pass_power_k(samples, correct, k) == sum(map(all, drawn)) / len(drawn)


@witnesses("code_metrics.naive_pass_at_k")
def test_naive_estimate_equals_draws_with_replacement() -> None:
    for samples, correct, k in ((4, 1, 2), (5, 3, 3), (3, 0, 2), (3, 3, 1)):
        outcomes = [1] * correct + [0] * (samples - correct)
        drawn = list(product(outcomes, repeat=k))
        expected = sum(map(any, drawn)) / len(drawn)
        assert code_metrics.naive_pass_at_k(samples, correct, k) == pytest.approx(expected, rel=1e-12)


@witnesses("code_metrics.any_of", "code_metrics.all_of")
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 1.0])
def test_chances_equal_enumeration(rate: float) -> None:
    for k in (1, 2, 5):
        some = every = Fraction(0)
        for outcome in product((0, 1), repeat=k):
            chance = Fraction(rate) ** sum(outcome) * (1 - Fraction(rate)) ** (k - sum(outcome))
            some += chance * any(outcome)
            every += chance * all(outcome)
        assert code_metrics.any_of(rate, k) == pytest.approx(float(some), abs=1e-15)
        assert code_metrics.all_of(rate, k) == pytest.approx(float(every), abs=1e-15)


@witnesses("code_metrics.bias")
@pytest.mark.parametrize("name", ["naive pass@k", "pass@k", "pass^k"])
def test_bias_equals_a_simulation(name: str) -> None:
    rng = np.random.default_rng(0)
    rate, samples, k = 0.2, 6, 3
    correct = rng.binomial(samples, rate, 40_000)
    if name == "naive pass@k":
        estimates, truth = 1 - (1 - correct / samples) ** k, 1 - 0.8**3
    else:
        # the first k of the samples are as good as any k
        runs = rng.random((40_000, samples)) < rate
        first = runs[:, :k]
        estimates, truth = (first.any(1), 1 - 0.8**3) if name == "pass@k" else (first.all(1), 0.2**3)
    assert code_metrics.bias(name, rate, samples, k) == pytest.approx(estimates.mean() - truth, abs=0.01)


@witnesses("code_metrics.bias")
def test_naive_bias_of_two_attempts_in_closed_form() -> None:
    """E(1 − p̂)² = (1 − p)² + p(1 − p)/n, so the naive pass@2 is p(1 − p)/n too low."""
    for rate, samples in ((0.3, 5), (0.5, 2), (0.9, 10)):
        expected = -rate * (1 - rate) / samples
        assert code_metrics.bias("naive pass@k", rate, samples, 2) == pytest.approx(expected, rel=1e-12)


@witnesses("code_metrics.bias")
def test_bias_over_thousands_of_samples() -> None:
    expected = -0.3 * 0.7 / 2000
    assert code_metrics.bias("naive pass@k", 0.3, 2000, 2) == pytest.approx(expected, rel=1e-6)
    for samples in (0, -1):
        with pytest.raises(ValueError, match="samples must be at least 1"):
            code_metrics.bias("pass@k", 0.5, samples, 1)


@witnesses("code_metrics.unbiased")
def test_unbiased_in_exact_numbers_and_not_for_the_naive_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = Fraction(1, 3)
    for k in (1, 2, 3, 4):
        mean = Fraction(0)
        for outcome in product((0, 1), repeat=4):
            chance = rate ** sum(outcome) * (1 - rate) ** (4 - sum(outcome))
            drawn = list(combinations(outcome, k))
            mean += chance * Fraction(sum(map(any, drawn)), len(drawn))
        assert mean == 1 - (1 - rate) ** k
    code_metrics.unbiased()
    code_metrics.unbiased(estimators=["pass^k"], samples=3)
    code_metrics.unbiased(["pass@k"], [0.5], 1)
    for name, wrong in (
        ("pass@k", code_metrics.naive_pass_at_k),
        ("pass^k", lambda n, c, k: (c / n) ** k),
        ("pass@k", lambda n, c, k: code_metrics.pass_at_k(n, c, k) if k < n else 0.5),
        ("pass@k", lambda n, c, k: code_metrics.pass_at_k(n, c, k) if k > 1 else 0.5),
        ("pass^k", lambda n, c, k: code_metrics.pass_power_k(n, c, k) - 1e-9),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(code_metrics.ESTIMATORS, name, wrong)
            with pytest.raises(AssertionError):
                code_metrics.unbiased()
    with pytest.raises(AssertionError):
        code_metrics.unbiased(rates=[0.0], samples=1, tolerance=0)


@witnesses("code_metrics.attempts_needed")
@pytest.mark.parametrize("rate", [0.01, 0.25, 0.5, 0.75, 0.999, 1.0])
def test_attempts_equal_trying_one_after_the_other(rate: float) -> None:
    for target in (0.0, 0.25, 0.5, 0.75, 0.9, 0.99):
        k = 1
        while 1 - (1 - rate) ** k < target:
            k += 1
        assert code_metrics.attempts_needed(rate, target) == k
    assert code_metrics.attempts_needed(1.0, 1.0) == 1


def test_attempts_that_just_reach_the_target_are_enough() -> None:
    for rate in (0.1, 0.2, 0.3, 0.7, 0.9):
        for k in range(1, 12):
            assert code_metrics.attempts_needed(rate, 1 - (1 - rate) ** k) == k
    with pytest.raises(ValueError, match="certain"):
        code_metrics.attempts_needed(0.5, 1)


@witnesses("code_metrics.benchmark_pass_at_k")
def test_benchmark_equals_simulated_attempts() -> None:
    rng = np.random.default_rng(0)
    rates = [0.0, 0.1, 0.9]
    solved = [(rng.random((50_000, 4)) < rate).any(1).mean() for rate in rates]
    assert code_metrics.benchmark_pass_at_k(rates, 4) == pytest.approx(np.mean(solved), abs=0.005)
    assert code_metrics.benchmark_pass_at_k([0.5], 2) == 0.75


@pytest.mark.parametrize(
    "call",
    [
        lambda: code_metrics.pass_at_k(5, 2, 6),
        lambda: code_metrics.pass_at_k(5, 6, 1),
        lambda: code_metrics.pass_at_k(5, -1, 1),
        lambda: code_metrics.pass_at_k(5, 1, 0),
        lambda: code_metrics.naive_pass_at_k(0, 0, 1),
        lambda: code_metrics.pass_power_k(2, 3, 1),
        lambda: code_metrics.any_of(1.1, 1),
        lambda: code_metrics.any_of(0.5, 0),
        lambda: code_metrics.all_of(-0.1, 1),
        lambda: code_metrics.all_of(0.5, 0),
        lambda: code_metrics.bias("naive", 0.5, 3, 1),
        lambda: code_metrics.bias("pass@k", 1.5, 3, 1),
        lambda: code_metrics.bias("pass@k", 0.5, 3, 4),
        lambda: code_metrics.unbiased([]),
        lambda: code_metrics.unbiased(rates=[]),
        lambda: code_metrics.unbiased(samples=0),
        lambda: code_metrics.attempts_needed(0, 0.5),
        lambda: code_metrics.attempts_needed(1.1, 0.5),
        lambda: code_metrics.attempts_needed(0.5, 1.1),
        lambda: code_metrics.attempts_needed(0.5, -0.5),
        lambda: code_metrics.benchmark_pass_at_k([], 1),
        lambda: code_metrics.benchmark_pass_at_k([2], 1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
