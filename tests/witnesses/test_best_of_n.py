"""Witnesses of `verifiers/best_of_n.py`: SciPy's quadrature, drawn samples and searches."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import best_of_n

integrate = pytest.importorskip("scipy.integrate")
stats = pytest.importorskip("scipy.stats")


def quadrature(n: int) -> float:
    """E[max] by its quantiles: ∫ Φ⁻¹(u^(1/n)) du."""
    return float(integrate.quad(lambda u: stats.norm.ppf(u ** (1 / n)), 0, 1, limit=500, epsabs=1e-11)[0])


@witnesses("best_of_n.expected_maximum", "best_of_n.gain_of_doubling", "best_of_n.maximum_bound")
@pytest.mark.parametrize("n", [1, 2, 3, 64, 1024])
def test_the_expected_maximum_equals_quadrature_and_lies_below_its_bound(n: int) -> None:
    ours = best_of_n.expected_maximum(n)
    assert ours == pytest.approx(quadrature(n), abs=1e-8)
    assert best_of_n.gain_of_doubling(n) == pytest.approx(quadrature(2 * n) - quadrature(n), abs=1e-8)
    bound = best_of_n.maximum_bound(n)
    assert ours <= bound + 1e-12
    assert math.exp(bound**2 / 2) == pytest.approx(n)  # a normal's density has fallen to 1/n there


def test_known_maxima() -> None:
    assert best_of_n.expected_maximum(1) == pytest.approx(0, abs=1e-12)
    assert best_of_n.expected_maximum(2) == pytest.approx(1 / math.sqrt(math.pi), rel=1e-11)
    assert best_of_n.expected_maximum(3) == pytest.approx(1.5 / math.sqrt(math.pi), rel=1e-11)
    for huge in (30, 100, 300):  # asymptotically the normal quantile of 1 − e^−γ/n
        quantile = stats.norm.isf(0.5615 * 10.0**-huge)
        assert best_of_n.expected_maximum(10**huge) == pytest.approx(quantile, abs=0.005)
    # a tail that a Φ rounded to one would lose
    assert best_of_n.expected_maximum(10**12) == pytest.approx(stats.norm.isf(0.5615e-12), abs=0.02)
    drawn = np.random.default_rng(0).standard_normal((40_000, 16)).max(axis=1)
    assert best_of_n.expected_maximum(16) == pytest.approx(drawn.mean(), abs=0.01)


@witnesses("best_of_n.kl")
@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_kl_equals_that_of_many_enumerated_answers(n: int) -> None:
    answers = 200_000
    cumulative = np.linspace(0, 1, answers + 1)
    chosen = np.diff(cumulative**n)  # the answer of each rank, from the worst, is picked as the best of n
    chosen = chosen[chosen > 0]
    measured = (chosen * np.log(chosen * answers)).sum()
    assert best_of_n.kl(n) == pytest.approx(measured, abs=2e-3)


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.25,) * 4, (0.9, 0.1)])
@pytest.mark.parametrize("n", [2, 8])
def test_kl_is_a_bound_for_few_answers_though_all_rewards_differ(shares: tuple[float, ...], n: int) -> None:
    cumulative = np.cumsum([0.0, *shares])
    chosen = np.diff(cumulative**n)
    measured = (chosen * np.log(chosen / np.array(shares))).sum()
    assert measured < best_of_n.kl(n) - 0.01


@witnesses("best_of_n.true_gain")
@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.6, 1.0])
def test_the_true_gain_equals_that_of_drawn_rewards(correlation: float) -> None:
    generator = np.random.default_rng(0)
    proxy = generator.standard_normal((30_000, 8))
    truth = correlation * proxy + math.sqrt(1 - correlation**2) * generator.standard_normal((30_000, 8))
    picked = truth[np.arange(30_000), proxy.argmax(axis=1)]
    assert best_of_n.true_gain(8, correlation) == pytest.approx(picked.mean(), abs=0.02)


@witnesses("best_of_n.overoptimised", "best_of_n.overoptimisation_peak")
@pytest.mark.parametrize("method", ["best-of-n", "rl"])
@pytest.mark.parametrize("slope, decline", [(1.0, 0.25), (0.7, 0.3), (0.2, 0.4)])
def test_the_peak_is_the_best_of_a_fine_grid(method: str, slope: float, decline: float) -> None:
    distances = np.geomspace(0.01, 100, 40_001)
    rewards = [best_of_n.overoptimised(float(d), slope, decline, method) for d in distances[::40]]
    lost = distances if method == "best-of-n" else np.log(distances)
    curve = distances * slope - decline * distances * lost
    assert rewards == pytest.approx(curve[::40].tolist())
    peak = best_of_n.overoptimisation_peak(slope, decline, method)
    assert peak["reward"] == pytest.approx(curve.max(), rel=1e-6)
    assert peak["distance"] == pytest.approx(distances[curve.argmax()], rel=1e-3)
    assert math.sqrt(peak["kl"]) == pytest.approx(peak["distance"])
    if method == "best-of-n":
        assert best_of_n.overoptimisation_peak(slope, decline) == peak
        assert best_of_n.overoptimised(2.0, slope, decline) == pytest.approx(2 * slope - 4 * decline)


@witnesses("best_of_n.generation_over_training")
@pytest.mark.parametrize("samples", [1, 3, 64])
def test_generation_costs_two_of_six_flops_a_weight(samples: int) -> None:
    torch = pytest.importorskip("torch")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode
    # a middle layer: its inputs need gradients too
    layer, inputs = torch.nn.Linear(8, 8, bias=False), torch.ones(1, 8, requires_grad=True)
    with counter(display=False) as training:
        layer(inputs).sum().backward()
    with counter(display=False) as generating, torch.no_grad():
        for _ in range(samples):
            layer(inputs)
    expected = generating.get_total_flops() / training.get_total_flops()
    assert best_of_n.generation_over_training(samples) == pytest.approx(expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda: best_of_n.expected_maximum(0),
        lambda: best_of_n.expected_maximum(1.5),
        lambda: best_of_n.maximum_bound(0),
        lambda: best_of_n.maximum_bound(1.5),
        lambda: best_of_n.maximum_bound(True),
        lambda: best_of_n.gain_of_doubling(True),
        lambda: best_of_n.kl(1.5),
        lambda: best_of_n.kl(True),
        lambda: best_of_n.true_gain(4, True),
        lambda: best_of_n.true_gain(4, math.nan),
        lambda: best_of_n.gain_of_doubling(0),
        lambda: best_of_n.kl(0),
        lambda: best_of_n.true_gain(4, 1.01),
        lambda: best_of_n.true_gain(4, -1.01),
        lambda: best_of_n.overoptimised(0.0, 1.0, 1.0),
        lambda: best_of_n.overoptimised(1.0, 0.0, 1.0),
        lambda: best_of_n.overoptimised(1.0, 1.0, 0.0),
        lambda: best_of_n.overoptimised(1.0, 1.0, 1.0, "sft"),
        lambda: best_of_n.overoptimisation_peak(0.0, 1.0),
        lambda: best_of_n.overoptimisation_peak(1.0, 0.0),
        lambda: best_of_n.overoptimisation_peak(1.0, 1.0, "sft"),
        lambda: best_of_n.generation_over_training(0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
