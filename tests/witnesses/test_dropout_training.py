"""Independent ways to the numbers of verifiers/dropout_training.py."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import dropout, dropout_training


@witnesses("dropout_training.backward_reuses_the_mask")
def test_backward_of_torchs_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    assert dropout_training.backward_reuses_the_mask()["seeds"] == 4
    torch.manual_seed(0)
    x = torch.randn(1000, dtype=torch.float64, requires_grad=True)
    y = torch.nn.functional.dropout(x, 0.3)
    upstream = torch.randn(1000, dtype=torch.float64)
    y.backward(upstream)
    kept = (y != 0).double()
    ours = dropout_training.backward(upstream.numpy(), kept.numpy(), 0.3)
    assert ours == pytest.approx(x.grad.numpy(), rel=1e-12)
    monkeypatch.setattr(dropout_training, "backward", lambda g, kept, p: g * kept)
    with pytest.raises(AssertionError, match="backward"):
        dropout_training.backward_reuses_the_mask()
    monkeypatch.setattr(dropout_training, "backward", lambda g, kept, p: g)
    with pytest.raises(AssertionError, match="backward"):
        dropout_training.backward_reuses_the_mask()


@witnesses("dropout_training.forgotten_scale")
def test_forgotten_scale_over_all_masks_of_a_linear_chain() -> None:
    p, layers = Fraction(1, 4), 3
    mean = Fraction(0)
    for coins in product((0, 1), repeat=layers):
        chance = Fraction(1)
        for coin in coins:
            chance *= 1 - p if coin else p
        mean += chance * int(all(coins))
    assert dropout_training.forgotten_scale(0.25, layers) == pytest.approx(float(1 / mean))
    for rate, deep in ((1.0, 1), (-0.1, 1), (0.1, 0)):
        with pytest.raises(ValueError):
            dropout_training.forgotten_scale(rate, deep)


@witnesses("dropout_training.relative_noise", "dropout_training.row_sum_std")
def test_noise_of_drawn_masks() -> None:
    rng = np.random.default_rng(0)
    for p, coins in ((0.1, 1), (0.5, 16)):
        sums = ((rng.random((200000, coins)) >= p) / (1 - p)).mean(axis=1)
        assert dropout_training.relative_noise(p, coins) == pytest.approx(sums.std(), rel=0.01)
    row = np.array([0.7, 0.2, 0.1])
    sums = (row * (rng.random((200000, 3)) >= 0.2) / 0.8).sum(axis=1)
    assert sums.mean() == pytest.approx(1, abs=0.01)
    assert dropout_training.row_sum_std(0.2, tuple(row)) == pytest.approx(sums.std(), rel=0.01)
    for rate, tossed in ((1.0, 1), (0.1, 0)):
        with pytest.raises(ValueError):
            dropout_training.relative_noise(rate, tossed)
    with pytest.raises(ValueError):
        dropout_training.row_sum_std(0.1, (0.5, 0.6))


@witnesses("dropout_training.squared_error_gains_a_ridge_penalty")
def test_ridge_penalty_by_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dropout_training.squared_error_gains_a_ridge_penalty() == {"masks": "8", "p": "30 %"}
    x, w, p = np.array([3, -1, 4]), np.array([2, 7, -5]), 0.3
    kept = np.random.default_rng(0).random((400000, 3)) >= p
    found = ((6 - (x * kept / (1 - p)) @ w) ** 2).mean()
    assert found == pytest.approx((6 - x @ w) ** 2 + p / (1 - p) * ((x * w) ** 2).sum(), rel=0.01)
    with pytest.raises(ValueError):
        dropout_training.squared_error_gains_a_ridge_penalty((1, 2), (3,))
    monkeypatch.setattr(dropout, "inverted", lambda x, kept, p: x if kept else Fraction(0))
    with pytest.raises(AssertionError, match="expected error"):
        dropout_training.squared_error_gains_a_ridge_penalty()


@witnesses("dropout_training.expected_depth")
def test_expected_depth_is_the_sum_of_survivals() -> None:
    for blocks, last in ((54, 0.5), (12, 0.9), (1, 0.0)):
        summed = sum(1 - Fraction(i, blocks) * (1 - Fraction(last)) for i in range(1, blocks + 1))
        assert dropout_training.expected_depth(blocks, last) == pytest.approx(float(summed))
    for wrong, survival in ((0, 0.5), (5, 1.5)):
        with pytest.raises(ValueError):
            dropout_training.expected_depth(wrong, survival)
