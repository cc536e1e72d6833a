"""Independent ways to the numbers of verifiers/scaling_fits.py: SciPy's regressions and exact points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import scaling, scaling_fits

stats = pytest.importorskip("scipy.stats")
optimize = pytest.importorskip("scipy.optimize")


@witnesses("scaling_fits.power_law", "scaling_fits.extrapolated")
@pytest.mark.parametrize("seed", range(3))
def test_power_law_equals_scipys_regression_of_logarithms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xs = tuple(np.exp(rng.normal(3, 2, 6)).tolist())
    ys = tuple(np.exp(rng.normal(1, 2, 6)).tolist())
    line = stats.linregress(np.log(xs), np.log(ys))
    found = scaling_fits.power_law(xs, ys)
    assert found["exponent"] == pytest.approx(line.slope, rel=1e-9)
    assert found["factor"] == pytest.approx(math.exp(line.intercept), rel=1e-9)
    expected = math.exp(line.intercept + line.slope * math.log(17.0))
    assert scaling_fits.extrapolated(xs, ys, 17.0) == pytest.approx(expected, rel=1e-9)


def test_two_points_fix_a_power_law() -> None:
    assert scaling_fits.power_law((1.0, 4.0), (3.0, 6.0)) == pytest.approx({"factor": 3, "exponent": 0.5})


@witnesses("scaling_fits.isoflop_minimum")
@pytest.mark.parametrize("sizes", [(1e8, 2e8, 5e8), (3e7, 1e8, 2e8, 9e8, 4e9)])
def test_isoflop_minimum_equals_that_of_a_fitted_parabola(sizes: tuple[float, ...]) -> None:
    losses = tuple(2.5 + 0.1 * math.log(size / 4e8) ** 2 + 0.01 * (size % 7) for size in sizes)

    def misses(shape: np.ndarray) -> np.ndarray:
        curvature, centre, level = shape
        return curvature * (np.log(sizes) - centre) ** 2 + level - losses

    _, centre, level = optimize.least_squares(misses, (0.2, 19.6, 2.4), xtol=1e-15, ftol=1e-15).x
    found = scaling_fits.isoflop_minimum(sizes, losses)
    assert math.log(found["params"]) == pytest.approx(centre, rel=1e-6)
    assert found["loss"] == pytest.approx(level, rel=1e-6)


@witnesses("scaling_fits.approaches_agree")
@pytest.mark.parametrize("fit", ["chinchilla", "besiroglu", (1.0, 100.0, 500.0, 0.5, 0.25)])
def test_both_approaches_find_the_exponent_of_the_numerical_minimum(fit: object) -> None:
    assert scaling_fits.approaches_agree(fit)["budgets"] == 9  # type: ignore[arg-type]
    budgets = [1e19, 1e20, 1e21]

    def best(budget: float) -> float:
        def loss(log_n: float) -> float:
            return scaling.loss(math.exp(log_n), budget / 6 / math.exp(log_n), fit)  # type: ignore[arg-type]

        return float(optimize.minimize_scalar(loss, bounds=(5, 40), method="bounded").x)

    slope = stats.linregress(np.log(budgets), [best(budget) for budget in budgets]).slope
    for sizes in (
        scaling_fits.isoflop_sizes(budgets, fit, 1.2, 9),  # type: ignore[arg-type]
        scaling_fits.envelope_sizes(budgets, fit, 1500, 10.0),  # type: ignore[arg-type]
        scaling_fits.envelope_sizes(budgets, fit, 1500, 1.0),  # type: ignore[arg-type]
    ):
        assert stats.linregress(np.log(budgets), np.log(sizes)).slope == pytest.approx(slope, abs=2e-3)
        assert np.log(sizes) == pytest.approx([best(budget) for budget in budgets], abs=5e-3)


def test_the_check_fails_for_each_broken_approach(monkeypatch: pytest.MonkeyPatch) -> None:
    right = scaling.exponents("chinchilla")["params"]
    for name in ("isoflop_sizes", "envelope_sizes"):
        for wrong in (right - 0.003, right + 0.003):
            with monkeypatch.context() as patch:
                patch.setattr(scaling_fits, name, lambda budgets, *_, p=wrong: [b**p for b in budgets])
                with pytest.raises(AssertionError, match="exponent"):
                    scaling_fits.approaches_agree("chinchilla")
    with pytest.raises(AssertionError, match="exponent"):
        scaling_fits.approaches_agree("chinchilla", grid=12)
    monkeypatch.setattr(scaling_fits, "power_law", lambda *_: {"exponent": right})
    assert scaling_fits.approaches_agree("chinchilla", tolerance=0)["tolerance"] == 0


def test_wrong_arguments_are_refused() -> None:
    for xs, ys in (
        ((1.0,), (1.0,)),
        ((1.0, 1.0), (1.0, 2.0)),
        ((1.0, 2.0), (1.0, 2.0, 3.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0)),
        ((0.0, 2.0), (1.0, 2.0)),
        ((1.0, 2.0), (1.0, 0.0)),
        ((1.0, math.nan), (1.0, 2.0)),
        ((1.0, math.inf), (1.0, 2.0)),
        ((1.0, 2.0), (1.0, math.nan)),
        ((1.0, 2.0), (2.0, True)),
        ((), ()),
    ):
        with pytest.raises(ValueError):
            scaling_fits.power_law(xs, ys)
    for sizes, losses in (
        ((1.0, 2.0), (1.0, 2.0)),
        ((1.0, 2.0, 2.0), (1.0, 2.0, 3.0)),
        ((1.0, 2.0, 4.0), (1.0, 1.01, 1.0)),
        ((1.0, 1.0, 1.0), (1.0, 2.0, 3.0)),
    ):
        with pytest.raises(ValueError):
            scaling_fits.isoflop_minimum(sizes, losses)
    with pytest.raises(ValueError, match="at must"):
        scaling_fits.extrapolated((1.0, 2.0), (1.0, 2.0), 0.0)
