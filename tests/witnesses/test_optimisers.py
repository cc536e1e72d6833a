"""Witnesses of `verifiers/optimisers.py`: PyTorch's own update functions, and simulated averages."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import optimisers

torch = pytest.importorskip("torch")
sgd = pytest.importorskip("torch.optim.sgd").sgd
adam = pytest.importorskip("torch.optim.adam").adam
adamw = pytest.importorskip("torch.optim.adamw").adamw
rmsprop = pytest.importorskip("torch.optim.rmsprop").rmsprop

SETTINGS = [
    {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.3},
    {"learning_rate": 0.02, "beta1": 0.5, "beta2": 0.7, "epsilon": 0.1, "weight_decay": 0.0},
    {"learning_rate": 0.3, "beta1": 0.0, "beta2": 0.0, "epsilon": 1e-3, "weight_decay": 0.1},
]
GRADIENTS = np.random.default_rng(0).standard_normal(8).tolist()


def torch_weight(rule: str, gradients: list[float], to: dict[str, float]) -> float:
    """A weight of one after PyTorch's functional optimisers; its classes import a compiler first."""
    weight = [torch.ones(1, dtype=torch.float64)]
    first, second = [torch.zeros_like(weight[0])], [torch.zeros_like(weight[0])]
    count, buffers = [torch.tensor(0.0)], [None]
    shared: dict[str, Any] = {
        "foreach": False,
        "lr": to["learning_rate"],
        "weight_decay": to["weight_decay"],
        "maximize": False,
    }
    for gradient in gradients:
        slope = [torch.full_like(weight[0], gradient)]
        if rule in ("sgd", "momentum", "nesterov"):
            beta = 0.0 if rule == "sgd" else to["beta1"]
            more = {"momentum": beta, "dampening": 0, "nesterov": rule == "nesterov"}
            sgd(weight, slope, buffers, **shared, **more)
        elif rule == "rmsprop":
            more = {"alpha": to["beta2"], "eps": to["epsilon"], "momentum": 0, "centered": False}
            rmsprop(weight, slope, second, [], [], count, **shared, **more, has_complex=False)
        else:
            more = {"beta1": to["beta1"], "beta2": to["beta2"], "eps": to["epsilon"], "amsgrad": False}
            {"adam": adam, "adamw": adamw}[rule](weight, slope, first, second, [], count, **shared, **more)
    return float(weight[0])


@witnesses("optimisers.weight_after")
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("to", SETTINGS)
def test_rules_equal_torchs(rule: str, to: dict[str, float]) -> None:
    theirs = torch_weight(rule, GRADIENTS, to)
    assert optimisers.weight_after(rule, GRADIENTS, weight=1.0, **to) == pytest.approx(theirs, rel=1e-12)
    assert optimisers.weight_after(rule, [], weight=0.25, **to) == 0.25


def test_defaults_are_adams_usual_ones() -> None:
    to = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0}
    tiny = [g * 1e-8 for g in GRADIENTS]
    for gradients in (GRADIENTS, tiny):
        theirs = torch_weight("adam", gradients, to)
        assert optimisers.weight_after("adam", gradients) - 1 == pytest.approx(theirs - 1, rel=1e-9)


@pytest.mark.parametrize("beta1, beta2", [(0.9, 0.99), (0.5, 0.5), (0.7, 0.2)])
def test_lion_moves_by_the_sign_of_a_blend(beta1: float, beta2: float) -> None:
    weight, kept = 1.0, 0.0
    gradients = np.random.default_rng(1).standard_normal(60).tolist()
    for gradient in gradients:
        direction = np.sign(beta1 * kept + gradient - beta1 * gradient)
        weight = weight - 0.01 * (direction + 0.2 * weight)
        kept = gradient + beta2 * (kept - gradient)
    ours = optimisers.weight_after(
        "lion", gradients, learning_rate=0.01, beta1=beta1, beta2=beta2, weight_decay=0.2
    )
    assert ours == pytest.approx(weight, rel=1e-12)
    assert optimisers.weight_after("lion", (0.0,), learning_rate=0.5) == 1


@witnesses("optimisers.decay_pull")
@pytest.mark.parametrize("rule", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_pull_of_decay_equals_torchs(rule: str, scale: float) -> None:
    ends = []
    for decay in (0.0, 0.1):
        to = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": decay}
        ends.append(torch_weight(rule, [scale, -scale] * 10, to))
    ours = optimisers.decay_pull(rule, scale, steps=20)
    assert ours == pytest.approx(ends[0] - ends[1], rel=1e-9)


def test_defaults_of_the_pull() -> None:
    assert optimisers.decay_pull("adamw", 1.0) == optimisers.decay_pull(
        "adamw", 1.0, 1.0, 200, 1e-3, 0.1, 0.9, 0.999
    )
    # the decay of a weight of two is twice as large, and its share the same
    assert optimisers.decay_pull("sgd", 1.0, weight=2.0, steps=1) == pytest.approx(1e-4)
    assert optimisers.decay_pull("sgd", 1.0, steps=2) == pytest.approx(2e-4, rel=2e-3)
    assert optimisers.decay_pull("adam", 1.0, beta1=0.5, beta2=0.5) != optimisers.decay_pull("adam", 1.0)


@witnesses("optimisers.average_bias", "optimisers.uncorrected_step")
@pytest.mark.parametrize("step", [1, 5, 40])
def test_a_drawn_average_shows_the_share_of_its_mean(step: int) -> None:
    drawn = 3 + np.random.default_rng(0).standard_normal((20_000, step))
    average = np.zeros(20_000)
    for gradient in drawn.T:
        average = 0.9 * average + 0.1 * gradient
    assert average.mean() / 3 == pytest.approx(optimisers.average_bias(0.9, step), abs=0.01)
    # a steady gradient through Adam without its corrections
    first = second = 0.0
    for _ in range(step):
        first, second = 0.9 * first + 0.1, 0.95 * second + 0.05
    assert optimisers.uncorrected_step(step, beta2=0.95) == pytest.approx(first / math.sqrt(second))
    first = second = 0.0
    for _ in range(step):
        first, second = 0.8 * first + 0.2, 0.999 * second + 0.001
    assert optimisers.uncorrected_step(step, beta1=0.8) == pytest.approx(first / math.sqrt(second))
    assert optimisers.average_bias(1.0, step) == 0 and optimisers.average_bias(0.0, step) == 1


def test_uncorrected_steps_are_those_of_adam_by_default() -> None:
    assert optimisers.uncorrected_step(1) == pytest.approx(0.1 / math.sqrt(0.001))


@witnesses("optimisers.uncorrected_peak")
@pytest.mark.parametrize("beta1, beta2", [(0.9, 0.999), (0.9, 0.95), (0.0, 0.9), (0.5, 0.51)])
def test_the_peak_is_the_largest_of_many_steps(beta1: float, beta2: float) -> None:
    steps = np.arange(1, 3000)
    sizes = (1 - beta1**steps) / np.sqrt(1 - beta2**steps)
    ours = optimisers.uncorrected_peak(beta1, beta2)
    assert ours["factor"] == pytest.approx(sizes.max(), rel=1e-12)
    assert ours["step"] == steps[sizes.argmax()]


def test_the_first_of_two_equal_steps_is_the_peak() -> None:
    assert optimisers.uncorrected_step(1, 0.25, 0.5625) == optimisers.uncorrected_step(2, 0.25, 0.5625)
    assert optimisers.uncorrected_peak(0.25, 0.5625)["step"] == 1


def test_the_peak_of_adam_by_default() -> None:
    assert optimisers.uncorrected_peak() == optimisers.uncorrected_peak(0.9, 0.999)


@witnesses("optimisers.memory")
@pytest.mark.parametrize("beta", [0.5, 0.95, 0.999])
def test_weights_of_past_gradients_have_this_age_and_half_life(beta: float) -> None:
    ages = np.arange(1, 40_000)
    weights = (1 - beta) * beta ** (ages - 1)
    ours = optimisers.memory(beta)
    assert ours["steps"] == pytest.approx((weights * ages).sum(), rel=1e-9)
    assert beta ** ours["half_life"] == pytest.approx(0.5)


@witnesses("optimisers.rare_gradient_gain")
@pytest.mark.parametrize("probability, size", [(1.0, 1.0), (0.01, 1.0), (0.04, 10.0), (1.0, 0.1)])
def test_the_gain_is_that_of_a_simulated_second_moment(probability: float, size: float) -> None:
    drawn = size * (np.random.default_rng(0).random(400_000) < probability)
    second, kept = 0.0, []
    for gradient in drawn[:200_000].tolist():
        second = 0.9999 * second + 0.0001 * gradient**2
        kept.append(second)
    measured = 1 / math.sqrt(np.mean(kept[100_000:]))
    assert optimisers.rare_gradient_gain(probability, size) == pytest.approx(measured, rel=0.06)
    assert optimisers.rare_gradient_gain(probability) == optimisers.rare_gradient_gain(probability, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: optimisers.weight_after("adamax", (1.0,)),
        lambda: optimisers.weight_after("adam", (1.0,), learning_rate=0.0),
        lambda: optimisers.weight_after("adam", (1.0,), beta1=1.0),
        lambda: optimisers.weight_after("adam", (1.0,), beta2=1.0),
        lambda: optimisers.weight_after("adam", (1.0,), beta1=-0.1),
        lambda: optimisers.weight_after("adam", (1.0,), beta2=-0.1),
        lambda: optimisers.weight_after("adam", (1.0,), epsilon=-1e-8),
        lambda: optimisers.weight_after("adam", (1.0,), weight_decay=-0.1),
        lambda: optimisers.weight_after("adam", (1.0, math.nan)),
        lambda: optimisers.weight_after("adam", (), weight=math.inf),
        lambda: optimisers.decay_pull("adam", 0.0),
        lambda: optimisers.decay_pull("adam", 1.0, weight=0.0),
        lambda: optimisers.decay_pull("adam", 1.0, weight=-1.0),
        lambda: optimisers.decay_pull("adam", 1.0, steps=0),
        lambda: optimisers.average_bias(0.9, 0),
        lambda: optimisers.average_bias(1.1, 1),
        lambda: optimisers.uncorrected_step(1, beta2=1.0),
        lambda: optimisers.uncorrected_peak(0.9, 0.9),
        lambda: optimisers.memory(0.0),
        lambda: optimisers.memory(1.0),
        lambda: optimisers.rare_gradient_gain(0.0),
        lambda: optimisers.rare_gradient_gain(1.1),
        lambda: optimisers.rare_gradient_gain(0.5, 0.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
