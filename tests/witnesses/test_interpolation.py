"""Witnesses of `verifiers/interpolation.py`: drawn training sets, other solvers, Hessians by autograd."""

from __future__ import annotations

import math

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
    [(4, 30, 0.5, 0.0), (24, 30, 0.2, 0.0), (30, 30, 0.3, 1.0), (5, 30, 0.2, 2.0)],
)
def test_risks_equal_those_of_drawn_training_sets(features: int, of: int, noise: float, decay: float) -> None:
    ours = interpolation.min_norm_risk(12, features, of, noise, decay)
    drawn = simulated(12, features, of, noise, decay, draws=4000)
    for part, value in drawn.items():
        assert ours[part] == pytest.approx(value, rel=0.08, abs=0.01), part


def test_the_parts_add_up_and_the_edge_has_no_mean() -> None:
    ours = interpolation.min_norm_risk(40, 60, 100, 0.2)
    assert ours["risk"] == pytest.approx(ours["bias"] + ours["variance"] + 0.04)
    for features in (39, 40, 41):
        with pytest.raises(ValueError, match="infinite"):
            interpolation.min_norm_risk(40, features, 100)
    for wrong in ((0, 5, 10), (20, 0, 10), (20, 11, 10)):
        with pytest.raises(ValueError):
            interpolation.min_norm_risk(*wrong)


@witnesses("interpolation.random_features")
@pytest.mark.parametrize("features, ridge", [(20, 0.0), (300, 0.0), (100, 0.01)])
def test_regressions_equal_those_of_another_solver(features: int, ridge: float) -> None:
    """The same draws, solved by numpy's least squares; a ridge becomes extra rows."""
    tests, trains = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, fresh = rng.standard_normal((100, 5)), rng.standard_normal((500, 5))
        truth = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] / 2
        y = truth + 0.3 * rng.standard_normal(100)
        w, b = rng.standard_normal((5, features)), rng.standard_normal(features)
        phi = np.clip(x @ w / 5**0.5 + b, 0, None) / features**0.5
        other = np.clip(fresh @ w / 5**0.5 + b, 0, None) / features**0.5
        if ridge:
            rows = np.vstack([phi, math.sqrt(ridge) * np.eye(features)])
            found = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(features)]), rcond=None)[0]
        else:
            found = np.linalg.lstsq(phi, y, rcond=1e-10)[0]
        tests.append(np.mean((other @ found - np.sin(2 * fresh[:, 0]) - fresh[:, 1] * fresh[:, 2] / 2) ** 2))
        trains.append(np.mean((phi @ found - y) ** 2))
    ours = interpolation.random_features(features, ridge=ridge, seeds=3)
    assert ours["test"] == pytest.approx(np.median(tests), rel=1e-6)
    assert ours["train"] == pytest.approx(np.median(trains), rel=1e-6, abs=1e-12)


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
    found = interpolation.descend(matrix, labels, np.zeros(12), "adam", 6000, 1.0, 0)
    assert np.abs(null @ found).max() > 0.01
    assert interpolation.norm_reached("adam") == pytest.approx(np.linalg.norm(found) / least)
    with pytest.raises(ValueError):
        interpolation.norm_reached("newton")
    with pytest.raises(ValueError, match="residual"):
        interpolation.norm_reached("gd", steps=3)


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
