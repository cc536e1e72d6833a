"""Witnesses of `verifiers/interpolation.py`: drawn training sets, other solvers, Hessians by autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import interpolation


def simulated(
    samples: int, features: int, of: int, noise: float, decay: float, draws: int
) -> dict[str, float]:
    """Bias, variance and risk over drawn training sets, by numpy's least-norm solver."""
    rng = np.random.default_rng(1)
    beta = np.arange(1, of + 1, dtype=float) ** (-decay / 2)
    beta /= np.linalg.norm(beta)
    found = np.zeros((draws, of))
    for row in found:
        x = rng.standard_normal((samples, of))
        y = x @ beta + noise * rng.standard_normal(samples)
        row[:features] = np.linalg.lstsq(x[:, :features], y, rcond=None)[0]
    # inputs are white, so squared errors of predictions are those of coefficients
    mean = found.mean(0)
    return {
        "risk": float(((found - beta) ** 2).sum(1).mean()) + noise**2,
        "bias": float(((mean - beta) ** 2).sum()),
        "variance": float(((found - mean) ** 2).sum(1).mean()),
    }


@witnesses("interpolation.min_norm_risk")
@pytest.mark.parametrize(
    "features, of, noise, decay",
    [(4, 30, 0.5, 0.0), (24, 30, 0.2, 0.0), (18, 18, 1.0, 0.0), (30, 30, 0.3, 1.0), (5, 30, 0.2, 2.0)],
)
def test_risks_equal_those_of_drawn_training_sets(features: int, of: int, noise: float, decay: float) -> None:
    ours = interpolation.min_norm_risk(12, features, of, noise, decay)
    drawn = simulated(12, features, of, noise, decay, draws=4000)
    for part, value in drawn.items():
        assert ours[part] == pytest.approx(value, rel=0.08, abs=0.01), part


def test_small_cases_by_hand() -> None:
    """One feature or one sample: all is the mean of 1/χ² with k degrees of freedom, which is 1/(k − 2)."""
    # three samples of one feature: the error is that of a mean over χ² with 3 degrees
    assert interpolation.min_norm_risk(3, 1, 1, noise=1.0) == {"risk": 2, "bias": 0, "variance": 1}
    # one sample of three: it finds a random direction's part of the truth, with a mean of 1/3 and
    # a squared length of 1/3, and the noise over a length of χ² with 3 degrees
    ours = interpolation.min_norm_risk(1, 3, 3, noise=1.0)
    assert ours == {
        "risk": pytest.approx(8 / 3),
        "bias": pytest.approx(4 / 9),
        "variance": pytest.approx(11 / 9),
    }
    # one of two equal features: the other half of the signal is noise, over χ² with 10 degrees
    assert interpolation.min_norm_risk(10, 1, 2) == {"risk": 0.5625, "bias": 0.5, "variance": 0.0625}
    # all features and no noise: nothing is left
    assert interpolation.min_norm_risk(10, 5, 5)["risk"] == pytest.approx(0, abs=1e-12)


def test_the_parts_add_up_and_the_edge_has_no_mean() -> None:
    ours = interpolation.min_norm_risk(40, 60, 100, 0.2)
    assert ours["risk"] == pytest.approx(ours["bias"] + ours["variance"] + 0.04)
    for features in (39, 40, 41):
        with pytest.raises(ValueError, match="infinite"):
            interpolation.min_norm_risk(40, features, 100)
    for wrong in ((0, 5, 10), (20, 0, 10), (20, 11, 10)):
        with pytest.raises(ValueError):
            interpolation.min_norm_risk(*wrong)
    for name in ("noise", "decay"):
        with pytest.raises(ValueError, match=f"^{name} cannot"):
            interpolation.min_norm_risk(20, 5, 10, **{name: -1.0})


def regressed(features: int, samples: int, ridge: float, inputs: int, seeds: int) -> dict[str, object]:
    """The same draws, solved by numpy's least squares; a ridge becomes extra rows."""
    tests, trains = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, fresh = rng.standard_normal((samples, inputs)), rng.standard_normal((500, inputs))
        truth = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] / 2
        y = truth + 0.3 * rng.standard_normal(samples)
        w, b = rng.standard_normal((inputs, features)), rng.standard_normal(features)
        phi = np.clip(x @ w / inputs**0.5 + b, 0, None) / features**0.5
        other = np.clip(fresh @ w / inputs**0.5 + b, 0, None) / features**0.5
        if ridge:
            rows = np.vstack([phi, math.sqrt(ridge) * np.eye(features)])
            found = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(features)]), rcond=None)[0]
        else:
            found = np.linalg.lstsq(phi, y, rcond=1e-10)[0]
        tests.append(np.mean((other @ found - np.sin(2 * fresh[:, 0]) - fresh[:, 1] * fresh[:, 2] / 2) ** 2))
        trains.append(np.mean((phi @ found - y) ** 2))
    return {
        "test": pytest.approx(np.median(tests), rel=1e-6),
        "train": pytest.approx(np.median(trains), rel=1e-6, abs=1e-12),
    }


@witnesses("interpolation.random_features")
@pytest.mark.parametrize("features, ridge, inputs", [(1, 0.0, 5), (300, 0.0, 3), (100, 0.01, 5)])
def test_regressions_equal_those_of_another_solver(features: int, ridge: float, inputs: int) -> None:
    ours = interpolation.random_features(features, ridge=ridge, inputs=inputs, seeds=3)
    assert ours == regressed(features, 100, ridge, inputs, 3)


def test_fifteen_draws_without_a_ridge_are_the_default() -> None:
    assert interpolation.random_features(20) == regressed(20, 100, 0.0, 5, 15)


def test_features_that_are_off_for_all_samples_get_no_weight() -> None:
    """Of four samples and four ReLUs some are always off, and a plain inverse would not exist."""
    assert interpolation.random_features(4, samples=4) == regressed(4, 4, 0.0, 5, 15)


def test_features_must_be_counted() -> None:
    for wrong in ({"features": 0}, {"features": 5, "inputs": 2}, {"features": 5, "ridge": -1.0}):
        with pytest.raises(ValueError):
            interpolation.random_features(**wrong)  # type: ignore[arg-type]


@witnesses("interpolation.descent_takes_the_nearest_solution", "interpolation.norm_reached")
def test_torch_descends_to_the_solution_of_least_distance() -> None:
    torch = pytest.importorskip("torch")
    matrix, labels = interpolation._problem(5, 12, 0)
    x, y = torch.tensor(matrix), torch.tensor(labels)
    start = torch.linspace(-1, 1, 12, dtype=torch.float64)
    w = start.clone()
    for _ in range(6000):
        leaf = w.clone().requires_grad_()
        (slope,) = torch.autograd.grad((x @ leaf - y).square().sum() / 2, leaf)
        w = w - slope / torch.linalg.matrix_norm(x, 2) ** 2
    # the nearest solution differs from the start by nothing that the rows do not span
    null = np.linalg.svd(matrix)[2][5:]
    assert np.abs(null @ (w - start).numpy()).max() < 1e-9
    assert torch.allclose(x @ w, y, atol=1e-9)
    assert interpolation.descent_takes_the_nearest_solution(seeds=1)["rows"] == 5
    assert interpolation.norm_reached("gd") == pytest.approx(1)
    least = np.linalg.norm(np.linalg.lstsq(matrix, labels, rcond=None)[0])
    found = interpolation.descend(matrix, labels, np.zeros(12), "adam", 6000, 0)
    assert np.abs(null @ found).max() > 0.01
    assert interpolation.norm_reached("adam") == pytest.approx(np.linalg.norm(found) / least)
    assert interpolation.norm_reached("adam") == interpolation.norm_reached("adam", steps=6000)


@pytest.mark.parametrize("size", [1.0, 1e-12])
def test_torch_takes_the_same_steps(size: float) -> None:
    """The first steps, where those of Adam still depend on its every number; on tiny slopes also on its ε."""
    torch = pytest.importorskip("torch")
    matrix, labels = interpolation._problem(5, 12, 0)
    x, y = torch.tensor(matrix), torch.tensor(labels) * size
    start = torch.zeros(12, dtype=torch.float64)

    def slope(w: Any) -> Any:
        leaf = w.clone().requires_grad_()
        return torch.autograd.grad((x @ leaf - y).square().sum() / 2, leaf)[0]

    w = start.clone()
    for _ in range(5):
        w = w - slope(w) / torch.linalg.eigvalsh(x @ x.T)[-1]
    ours = interpolation.descend(matrix, y.numpy(), start.numpy(), "gd", 5, 0)
    assert ours == pytest.approx(w.numpy(), rel=1e-9, abs=1e-9 * size)
    # the function behind torch.optim.Adam, whose class takes seconds to load a compiler
    adam = pytest.importorskip("torch.optim.adam").adam
    w, first, second, steps = start.clone(), start.clone(), start.clone(), torch.zeros(())
    for done in range(5):
        adam(
            [w], [slope(w)], [first], [second], [], [steps], foreach=False, amsgrad=False,
            beta1=0.9, beta2=0.999, lr=0.05 * (4 - done) / 5, weight_decay=0.0, eps=1e-12, maximize=False,
        )  # fmt: skip
    ours = interpolation.descend(matrix, y.numpy(), start.numpy(), "adam", 5, 0)
    assert ours == pytest.approx(w.numpy(), rel=1e-9, abs=1e-9 * size)


def test_norms_are_refused_for_unknown_rules_and_where_no_solution_is_to_be_chosen() -> None:
    with pytest.raises(ValueError):
        interpolation.norm_reached("newton")
    for wrong, name in (({"columns": 5}, "columns − rows"), ({"rows": 0}, "rows"), ({"steps": 0}, "steps")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            interpolation.norm_reached("gd", **wrong)


def test_all_equations_must_hold_to_a_ten_thousandth(monkeypatch: pytest.MonkeyPatch) -> None:
    # a step of SGD solves one equation and leaves the others
    for rule, steps in (("gd", 3), ("sgd", 1)):
        with pytest.raises(ValueError, match="residual"):
            interpolation.norm_reached(rule, steps=steps)
    # zeros miss the label by the label
    monkeypatch.setattr(interpolation, "descend", lambda *a: np.zeros(2))
    monkeypatch.setattr(interpolation, "_problem", lambda *a: (np.eye(1, 2), np.array([1e-4])))
    assert interpolation.norm_reached("gd") == 0
    monkeypatch.setattr(interpolation, "_problem", lambda *a: (np.eye(1, 2), np.array([1.1e-4])))
    with pytest.raises(ValueError, match="residual"):
        interpolation.norm_reached("gd")


def test_one_wrong_weight_would_fail_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = interpolation.descend
    monkeypatch.setattr(interpolation, "descend", lambda *a: honest(*a) + 1e-5 * np.eye(12)[7])
    with pytest.raises(AssertionError, match="nearest"):
        interpolation.descent_takes_the_nearest_solution(seeds=1)


def test_adam_would_fail_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = interpolation.descend
    monkeypatch.setattr(interpolation, "descend", lambda *a: honest(*a[:3], "adam", *a[4:]))
    with pytest.raises(AssertionError, match="nearest"):
        interpolation.descent_takes_the_nearest_solution(seeds=1)


@witnesses("interpolation.sharpness")
@pytest.mark.parametrize("scale, product", [(1.0, 1.0), (10.0, 1.0), (0.5, 3.0)])
def test_sharpness_is_the_hessians_largest_eigenvalue(scale: float, product: float) -> None:
    torch = pytest.importorskip("torch")

    def loss(w: object) -> object:
        return (w[0] * torch.relu(w[1]) - product) ** 2 / 2  # type: ignore[index]

    at = torch.tensor([product / scale, scale], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(loss, at)
    assert float(torch.linalg.eigvalsh(hessian)[-1]) == pytest.approx(interpolation.sharpness(scale, product))
    with pytest.raises(ValueError):
        interpolation.sharpness(0.0)


def test_the_product_is_one_unless_told() -> None:
    assert interpolation.sharpness(2.0) == 4.25
