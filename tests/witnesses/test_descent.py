"""Witnesses of `verifiers/descent.py`: runs on parabolas, drawn gradients and PyTorch's layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import descent

torch = pytest.importorskip("torch")
adam = pytest.importorskip("torch.optim.adam").adam


def grows(curvature: float, rate: float, beta: float, averaged: bool) -> bool:
    """Whether heavy-ball descent on a parabola diverges, by the eigenvalues of its linear map."""
    share = 1 - beta if averaged else 1.0
    velocity = [beta, share * curvature]
    matrix = np.array([velocity, [-rate * velocity[0], 1 - rate * velocity[1]]])
    return bool(max(abs(np.linalg.eigvals(matrix))) > 1)


@witnesses("descent.stable_learning_rate")
@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("curvature, beta", [(1.0, 0.0), (0.3, 0.9), (25.0, 0.5)])
def test_descent_diverges_just_past_the_limit(curvature: float, beta: float, averaged: bool) -> None:
    limit = descent.stable_learning_rate(curvature, beta, averaged)
    assert not grows(curvature, limit * 0.999, beta, averaged)
    assert grows(curvature, limit * 1.001, beta, averaged)


def test_plain_descent_is_the_default() -> None:
    assert descent.stable_learning_rate(4.0) == 0.5
    assert descent.stable_learning_rate(4.0, 0.5) == 0.75


@witnesses("descent.quadratic")
@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("rate, curvature", [(0.5, 1.0), (2.1, 1.0), (0.05, 8.0)])
def test_runs_equal_those_of_torch_tensors(optimiser: str, rate: float, curvature: float) -> None:
    weight, velocity = torch.tensor([3.0], dtype=torch.float64), torch.zeros(1).double()
    first, second, count = torch.zeros(1).double(), torch.zeros(1).double(), torch.tensor(0.0)
    away = []
    for _ in range(30):
        leaf = weight.clone().requires_grad_()
        (slope,) = torch.autograd.grad((curvature / 2 * leaf**2).sum(), leaf)
        if optimiser == "adam":
            more: dict[str, Any] = {"beta1": 0.8, "beta2": 0.95, "lr": rate, "weight_decay": 0.0, "eps": 1e-8}
            more |= {"foreach": False, "amsgrad": False, "maximize": False}
            adam([weight], [slope], [first], [second], [], [count], **more)
        else:
            velocity = (0.8 * velocity if optimiser == "momentum" else 0) + slope
            weight = weight - rate * velocity
        away.append(abs(weight.item()))
    ours = descent.quadratic(optimiser, rate, curvature, 3.0, steps=30, beta1=0.8, beta2=0.95)
    assert ours == {"largest": pytest.approx(max(away)), "last": pytest.approx(away[-1])}


def test_defaults_of_a_run() -> None:
    ours = descent.quadratic("adam", 0.1)
    assert ours == descent.quadratic("adam", 0.1, 1.0, 1.0, 200, 0.9, 0.999)
    assert descent.quadratic("sgd", 1.0)["largest"] == 0
    # adam's epsilon of 1e-8 matters beside a gradient as small
    assert descent.quadratic("adam", 1e-9, weight=1e-8, steps=1)["last"] == pytest.approx(0.95e-8)


@witnesses("descent.averaged_update")
@pytest.mark.parametrize("mean, noise, batch", [(0.5, 1.0, 1), (0.5, 1.0, 16), (1.0, 0.0, 3), (2.0, 5.0, 4)])
def test_normalised_updates_equal_those_of_drawn_batches(mean: float, noise: float, batch: int) -> None:
    drawn = mean + noise * np.random.default_rng(0).standard_normal((40_000, batch)).mean(axis=1)
    measured = drawn.mean() / math.sqrt((drawn**2).mean())
    assert descent.averaged_update(mean, noise, batch) == pytest.approx(measured, rel=0.01)
    if batch == 1:
        assert descent.averaged_update(mean, noise) == descent.averaged_update(mean, noise, 1)


@witnesses("descent.scaled_learning_rate")
@pytest.mark.parametrize("batch, new", [(1, 16), (64, 4), (8, 8)])
def test_rates_keep_the_noise_of_a_walk(batch: float, new: float) -> None:
    # over as many samples, the variance of the walk is (samples/B)·η²·σ²/B for plain gradients and
    # (samples/B)·η² for normalised ones
    def plain(rate: float, size: float) -> float:
        return rate**2 / size**2

    def normalised(rate: float, size: float) -> float:
        return rate**2 / size

    for optimiser, variance in (("sgd", plain), ("adam", normalised)):
        rate = descent.scaled_learning_rate(0.3, batch, new, optimiser)
        assert variance(rate, new) == pytest.approx(variance(0.3, batch))
    assert descent.scaled_learning_rate(0.3, batch, new) == pytest.approx(0.3 * new / batch)


@witnesses("descent.noise_scale")
def test_noise_scale_is_found_from_drawn_gradients() -> None:
    generator = np.random.default_rng(0)
    mean, spread = np.array([1.0, 2.0, 0.0]), np.array([3.0, 1.0, 2.0])
    norms = {
        size: float(
            ((mean + spread * generator.standard_normal((60_000, 3)) / math.sqrt(size)) ** 2)
            .sum(axis=1)
            .mean()
        )
        for size in (2, 32)
    }
    ours = descent.noise_scale(2, norms[2], 32, norms[32])
    assert ours["signal"] == pytest.approx(mean @ mean, rel=0.02)
    assert ours["noise"] == pytest.approx(spread @ spread, rel=0.02)
    assert ours["scale"] == pytest.approx((spread @ spread) / (mean @ mean), rel=0.03)
    assert descent.noise_scale(1, 5.0, 2, 5.0) == {"signal": 5, "noise": 0, "scale": 0}


@witnesses("descent.steps_for_batch")
@pytest.mark.parametrize("batch", [1.0, 30.0, 4000.0])
def test_steps_are_those_of_the_best_rate_on_noisy_descent(batch: float) -> None:
    # progress of a step at the best rate, over that without noise: 1/(1 + B_noise/B)
    signal, noise = 2.0, 60.0
    rates = np.linspace(1e-4, 1, 200_001)
    best = (rates * signal - rates**2 / 2 * (signal + noise / batch)).max()
    ours = descent.steps_for_batch(batch, noise / signal)
    assert ours["steps"] == pytest.approx((signal / 2) / best, rel=1e-4)
    fewest = noise / signal  # samples at a tiny batch: steps·B → B_noise
    assert ours["samples"] == pytest.approx(ours["steps"] * batch / fewest, rel=1e-9)


@witnesses("descent.limit_ignores_fan_out")
@pytest.mark.parametrize("fan_out", [1, 8, 64])
def test_torch_layers_have_the_same_limit(fan_out: int) -> None:
    inputs = torch.randn(64, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = inputs @ torch.ones(4, fan_out, dtype=torch.float64)
    top = float(torch.linalg.matrix_norm(inputs, 2)) ** 2 / 64
    for factor, grows_up in ((0.9, False), (1.1, True)):
        weight = torch.zeros(4, fan_out, dtype=torch.float64, requires_grad=True)
        for _ in range(60):
            (slope,) = torch.autograd.grad(((inputs @ weight - target) ** 2).sum() / 128, weight)
            with torch.no_grad():
                weight -= factor * descent.stable_learning_rate(top) * slope
        assert ((weight - 1).norm() > math.sqrt(4 * fan_out)) == grows_up


def test_least_squares_error_equals_a_run_of_torch() -> None:
    inputs = np.random.default_rng(3).standard_normal((6, 2))
    start = torch.from_numpy(np.random.default_rng([6, 2]).standard_normal((2, 5)))
    away = start.clone().requires_grad_()
    for _ in range(3):
        (slope,) = torch.autograd.grad(((torch.from_numpy(inputs) @ away) ** 2).sum() / 12, away)
        away = (away - 0.4 * slope).detach().requires_grad_()
    ours = descent.least_squares_error(inputs, 5, 0.4, 3)
    assert ours == pytest.approx((away.norm() / start.norm()).item(), rel=1e-12)


def test_a_wrong_limit_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = descent.limit_ignores_fan_out(fan_in=3, fan_outs=(2, 1), samples=20)
    assert tried == {"fan_in": 3, "fan_out": "2, 1", "samples": 20, "margin": 0.05}
    with monkeypatch.context() as patch:
        patch.setattr(descent, "stable_learning_rate", lambda curvature: 2.2 / curvature)
        with pytest.raises(AssertionError, match="no approach"):
            descent.limit_ignores_fan_out()
        patch.setattr(descent, "stable_learning_rate", lambda curvature: 1.8 / curvature)
        with pytest.raises(AssertionError, match="no divergence"):
            descent.limit_ignores_fan_out()
    for still, told in ((0.999, "no divergence"), (1.0, "no approach"), (1.001, "no approach")):
        monkeypatch.setattr(descent, "least_squares_error", lambda *of, still=still: still)
        with pytest.raises(AssertionError, match=told):
            descent.limit_ignores_fan_out()
    ends = iter([0.5, 1.5])
    monkeypatch.setattr(descent, "least_squares_error", lambda *of: next(ends))
    descent.limit_ignores_fan_out(fan_outs=(1,))
    ends = iter([0.5, 1.0])
    monkeypatch.setattr(descent, "least_squares_error", lambda *of: next(ends))
    with pytest.raises(AssertionError, match="no divergence"):
        descent.limit_ignores_fan_out()


@pytest.mark.parametrize(
    "call",
    [
        lambda: descent.stable_learning_rate(0.0),
        lambda: descent.stable_learning_rate(1.0, 1.0),
        lambda: descent.stable_learning_rate(1.0, -0.1),
        lambda: descent.quadratic("sgd", 0.1, steps=0),
        lambda: descent.quadratic("sgd", 0.1, curvature=0.0),
        lambda: descent.quadratic("sgd", 0.0),
        lambda: descent.quadratic("adamax", 0.1),
        lambda: descent.averaged_update(0.0, 1.0),
        lambda: descent.averaged_update(1.0, -1.0),
        lambda: descent.averaged_update(1.0, 1.0, 0),
        lambda: descent.scaled_learning_rate(0.0, 1, 2),
        lambda: descent.scaled_learning_rate(0.1, 0, 2),
        lambda: descent.scaled_learning_rate(0.1, 1, 0),
        lambda: descent.scaled_learning_rate(0.1, 1, 2, "lion"),
        lambda: descent.noise_scale(0, 5.0, 2, 4.0),
        lambda: descent.noise_scale(2, 5.0, 2, 4.0),
        lambda: descent.noise_scale(1, 0.0, 2, 4.0),
        lambda: descent.noise_scale(1, 5.0, 2, 0.0),
        lambda: descent.noise_scale(1, 10.0, 2, 5.0),
        lambda: descent.noise_scale(1, 2.0, 100, 2.5),
        lambda: descent.quadratic("sgd", 0.1, weight=math.nan),
        lambda: descent.steps_for_batch(0, 1),
        lambda: descent.steps_for_batch(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
