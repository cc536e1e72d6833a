"""Independent ways to the numbers of verifiers/overtraining.py: numerical roots and constrained minima."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import overtraining, scaling

optimize = pytest.importorskip("scipy.optimize")
FITS = ["chinchilla", "besiroglu", (0.5, 3.0, 40.0, 0.3, 0.6)]


def tokens_to_match(scale: float, compute: float, fit: Any) -> tuple[float, dict[str, float]]:
    """Return log tokens with which a scaled model reaches the optimum's loss, and that optimum."""
    best = scaling.optimum(compute, fit)

    def gap(log_tokens: float) -> float:
        return scaling.loss(scale * best["params"], math.exp(log_tokens), fit) - best["loss"]

    return float(optimize.brentq(gap, -20, 200, xtol=1e-12)), best


@witnesses("overtraining.overtraining")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("scale, compute", [(0.3, 1e21), (0.5, 1e24), (1.0, 1e22), (2.5, 1e20)])
def test_overtraining_equals_a_root_of_the_loss(fit: Any, scale: float, compute: float) -> None:
    log_tokens, best = tokens_to_match(scale, compute, fit)
    found = overtraining.overtraining(scale, fit)
    tokens = math.exp(log_tokens) / best["tokens"]
    assert found["tokens"] == pytest.approx(tokens, rel=1e-6)
    assert found["compute"] == pytest.approx(scale * tokens, rel=1e-6)
    assert found["tokens_per_param"] == pytest.approx(tokens / scale, rel=1e-6)
    assert overtraining.overtraining(scale) == overtraining.overtraining(scale, "chinchilla")


@witnesses("overtraining.smallest_scale")
@pytest.mark.parametrize("fit", FITS)
def test_smallest_scale_is_where_endless_data_would_be_needed(fit: Any) -> None:
    best = scaling.optimum(1e23, fit)
    smallest = overtraining.smallest_scale(fit)
    terms = scaling.loss_terms(smallest * best["params"], 1e30, fit)
    assert terms["floor"] + terms["params"] == pytest.approx(best["loss"], rel=1e-12)
    assert overtraining.overtraining(1.001 * smallest, fit)["tokens"] > 1e4
    with pytest.raises(ValueError, match="no amount"):
        overtraining.overtraining(0.999 * smallest, fit)
    assert overtraining.smallest_scale() == overtraining.smallest_scale("chinchilla")


def test_a_size_whose_loss_is_met_by_endless_data_only_is_refused() -> None:
    with pytest.raises(ValueError, match="no amount"):
        overtraining.overtraining(0.5, (1.0, 1.0, 1.0, 1.0, 1.0))


@witnesses("overtraining.size_at_ratio")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("multiple", [0.05, 1.0, 14.3, 500.0])
def test_size_at_ratio_equals_a_root(fit: Any, multiple: float) -> None:
    best = scaling.optimum(1e22, fit)

    def gap(log_scale: float) -> float:
        params = best["params"] * math.exp(log_scale)
        tokens = params * multiple * best["tokens_per_param"]
        return scaling.loss(params, tokens, fit) - best["loss"]

    scale = math.exp(optimize.brentq(gap, -15, 15, xtol=1e-13))
    found = overtraining.size_at_ratio(multiple, fit)
    assert found["params"] == pytest.approx(scale, rel=1e-8)
    assert found["compute"] == pytest.approx(multiple * scale * scale, rel=1e-8)
    assert overtraining.size_at_ratio(multiple) == overtraining.size_at_ratio(multiple, "chinchilla")


@witnesses("overtraining.lifetime_compute")
def test_lifetime_compute_adds_forward_passes() -> None:
    served = sum(scaling.forward_compute(7, 1) for _ in range(11))
    assert overtraining.lifetime_compute(7, 5, 11) == scaling.training_compute(7, 5) + served
    assert overtraining.lifetime_compute(7, 5, 0) == 210


@witnesses("overtraining.lifetime_optimum")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("served", [0, 1e9, 1e12, 1e14])
def test_lifetime_optimum_equals_a_constrained_minimum(fit: Any, served: float) -> None:
    target = scaling.constants(fit)["E"] + 0.3
    alone = scaling.compute_for_loss(target, fit)

    def cost(log_params: float) -> float:
        params = math.exp(log_params)
        tokens = scaling.tokens_for_loss(params, target, fit)
        return math.log(6 * params * tokens + 2 * params * served)

    # below the smallest size that can reach the target there is nothing to evaluate
    low = math.log(alone["params"] * overtraining.smallest_scale(fit)) + 1e-9
    minimum = optimize.minimize_scalar(
        cost, bounds=(low, math.log(alone["params"]) + 1), method="bounded", options={"xatol": 1e-9}
    )
    found = overtraining.lifetime_optimum(target, served, fit)
    assert math.log(found["params"]) == pytest.approx(minimum.x, abs=1e-4)
    assert found["compute"] == pytest.approx(math.exp(minimum.fun), rel=1e-8)
    assert scaling.loss(found["params"], found["tokens"], fit) == pytest.approx(target, rel=1e-9)
    assert found["tokens_per_param"] == pytest.approx(found["tokens"] / found["params"], rel=1e-12)
    without = 6 * alone["params"] * alone["tokens"] + 2 * alone["params"] * served
    assert found["saved"] == pytest.approx(1 - found["compute"] / without, abs=1e-12)


def test_lifetime_optimum_without_service_is_the_compute_optimum() -> None:
    found, alone = overtraining.lifetime_optimum(2.1, 0), scaling.compute_for_loss(2.1)
    assert found["params"] == pytest.approx(alone["params"], rel=1e-12)
    assert found["tokens"] == pytest.approx(alone["tokens"], rel=1e-12)


def test_wrong_arguments_are_refused() -> None:
    for bad in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="scale"):
            overtraining.overtraining(bad)
        with pytest.raises(ValueError, match="multiple"):
            overtraining.size_at_ratio(bad)
    with pytest.raises(ValueError, match="served"):
        overtraining.lifetime_optimum(2.0, -math.inf)
    for call in (
        lambda: overtraining.lifetime_compute(1, 1, -1),
        lambda: overtraining.lifetime_compute(0, 1, 1),
        lambda: overtraining.lifetime_optimum(2.0, -1),
        lambda: overtraining.lifetime_optimum(1.69, 1),
        lambda: overtraining.smallest_scale("nobody"),
    ):
        with pytest.raises(ValueError):
            call()
