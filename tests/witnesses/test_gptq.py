"""Witnesses of `verifiers/gptq.py`: least squares column by column, and all roundings tried."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import gptq


def by_least_squares(x: Any, w: Any, steps: Any) -> Any:
    """Round a column, then fit the later columns anew to what the rounded ones leave of the output."""
    w, target = w.copy(), x @ w.T
    for column in range(w.shape[1]):
        w[:, column] = np.rint(w[:, column] / steps) * steps
        rest = target - x[:, : column + 1] @ w[:, : column + 1].T
        if column + 1 < w.shape[1]:
            w[:, column + 1 :] = np.linalg.lstsq(x[:, column + 1 :], rest, rcond=None)[0].T
    return w


@witnesses("gptq.error")
@pytest.mark.parametrize(
    "bits, correlation, columns, rows, samples, seed",
    [(4, 0.5, 8, 6, 20, 0), (3, 0.9, 5, 3, 30, 2), (2, 0, 2, 1, 2, 1)],
)
def test_gptq_equals_repeated_least_squares(
    bits: int, correlation: float, columns: int, rows: int, samples: int, seed: int
) -> None:
    x = gptq.correlated_inputs(samples, columns, correlation, seed)
    w = np.random.default_rng([seed, rows]).standard_normal((rows, columns))
    steps = np.array([np.abs(row).max() / (2 ** (bits - 1) - 1) for row in w])
    nearest = np.stack([np.rint(row / step) * step for row, step in zip(w, steps, strict=True)])
    expected = [
        np.linalg.norm(x @ (v - w).T) / np.linalg.norm(x @ w.T)
        for v in (nearest, by_least_squares(x, w, steps))
    ]
    ours = gptq.error(bits, correlation, columns, rows, samples, seed)
    assert [ours["nearest"], ours["gptq"]] == pytest.approx(expected, rel=1e-7)
    assert ours["gain"] == pytest.approx(expected[0] / expected[1], rel=1e-7)
    if seed == 0:
        assert gptq.error() == gptq.error(4, 0.5, 32, 64, 256, 0)


@witnesses("gptq.error")
def test_gptq_lies_between_nearest_and_the_best_of_all_roundings() -> None:
    gains = []
    for seed in range(6):
        x = gptq.correlated_inputs(50, 4, 0.9, seed)
        w = np.random.default_rng([seed, 1]).standard_normal((1, 4))
        step = np.abs(w).max() / 3
        errors = [
            np.linalg.norm(x @ (np.array(codes) * step - w[0])) for codes in product(range(-3, 4), repeat=4)
        ]
        ours = gptq.error(3, 0.9, 4, 1, 50, seed)
        assert min(errors) / np.linalg.norm(x @ w[0]) <= ours["gptq"] * (1 + 1e-9)
        gains.append(ours["gain"])
    assert np.mean(gains) > 1.1


@witnesses("gptq.error")
def test_inputs_have_the_correlation_asked_for() -> None:
    for correlation in (0.0, 0.3, 1.0):
        x = gptq.correlated_inputs(20_000, 3, correlation, 0)
        expected = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
        assert np.allclose(np.cov(x.T), expected, atol=0.03)
    assert gptq.correlated_inputs(2, 2, 0.5, 0).shape == (2, 2)


@witnesses("gptq.compensation_is_least_squares")
def test_another_update_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    gptq.compensation_is_least_squares()
    x = gptq.correlated_inputs(30, 4, 0.7, 1)
    update = gptq.compensate(np.linalg.inv(x.T @ x), 0.5)
    best = np.linalg.norm(0.5 * x[:, 0] + x[:, 1:] @ update)
    for direction in np.vstack([np.eye(3), -np.eye(3)]):
        assert np.linalg.norm(0.5 * x[:, 0] + x[:, 1:] @ (update + 0.01 * direction)) > best
    monkeypatch.setattr(gptq, "compensate", lambda inverse, error: error * inverse[0, 1:])
    with pytest.raises(AssertionError, match="better"):
        gptq.compensation_is_least_squares()


@pytest.mark.parametrize(
    "call",
    [
        lambda: gptq.error(1),
        lambda: gptq.error(correlation=1.1),
        lambda: gptq.error(correlation=1.0),
        lambda: gptq.error(correlation=-0.1),
        lambda: gptq.error(columns=1),
        lambda: gptq.error(rows=0),
        lambda: gptq.error(samples=31),
        lambda: gptq.error(columns=2, samples=1),
        lambda: gptq.error(seed=-1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|determine"):
        call()
