"""Independent ways to the numbers of verifiers/dropout_training.py."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import dropout, dropout_training
from verifiers.calculus import Array


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


@witnesses("dropout_training.backward_reuses_the_mask")
def test_check_tosses_coins_of_the_rate_and_two_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    right, tossed = dropout_training.backward, []

    def spied(upstream: Array, kept: Array, p: float) -> Array:
        tossed.append(kept)
        return right(upstream, kept, p)

    monkeypatch.setattr(dropout_training, "backward", spied)
    dropout_training.backward_reuses_the_mask(widths=(64,), rates=(0.1,))
    coins = np.array(tossed)
    assert set(coins.flat) == {0.0, 1.0}
    assert coins[:, 0].tolist() == [1, 0] * 4
    assert coins[:, 1:].mean() == pytest.approx(0.9, abs=0.06)


@witnesses("dropout_training.backward_reuses_the_mask")
def test_check_catches_a_gradient_that_no_mask_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropout_training, "complex_step", lambda loss, x: np.ones(len(x)))
    monkeypatch.setattr(dropout_training, "backward", lambda upstream, kept, p: np.ones(len(kept)))
    with pytest.raises(AssertionError, match="a fresh mask gave the same gradient"):
        dropout_training.backward_reuses_the_mask(tolerance=0.0)


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
    assert dropout_training.forgotten_scale(0.25) == pytest.approx(4 / 3)
    for rate, deep in ((1.0, 1), (-0.1, 1), (0.1, 0)):
        with pytest.raises(ValueError):
            dropout_training.forgotten_scale(rate, deep)


@witnesses("dropout_training.relative_noise", "dropout_training.row_sum_std")
def test_noise_of_drawn_masks() -> None:
    rng = np.random.default_rng(0)
    for p, coins in ((0.1, 1), (0.5, 16)):
        sums = ((rng.random((200000, coins)) >= p) / (1 - p)).mean(axis=1)
        assert dropout_training.relative_noise(p, coins) == pytest.approx(sums.std(), rel=0.01)
    # one coin that falls nine times in ten: mean 9/10, deviation 3/10
    assert dropout_training.relative_noise(0.1) == pytest.approx(1 / 3)
    row = np.array([0.7, 0.2, 0.1])
    sums = (row * (rng.random((200000, 3)) >= 0.2) / 0.8).sum(axis=1)
    assert sums.mean() == pytest.approx(1, abs=0.01)
    assert dropout_training.row_sum_std(0.2, tuple(row)) == pytest.approx(sums.std(), rel=0.01)
    for rate, tossed in ((1.0, 1), (0.1, 0)):
        with pytest.raises(ValueError):
            dropout_training.relative_noise(rate, tossed)
    with pytest.raises(ValueError):
        dropout_training.row_sum_std(0.1, (0.5, 0.6))
    for rate, named in ((1.0, "^1 − p must be above 0"), (-0.1, "^p must lie between 0 and 1")):
        with pytest.raises(ValueError, match=named):
            dropout_training.row_sum_std(rate, (1.0,))


@witnesses("dropout_training.squared_error_gains_a_ridge_penalty")
def test_ridge_penalty_by_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dropout_training.squared_error_gains_a_ridge_penalty() == {"masks": "8", "p": "30 %"}
    x, w, p = np.array([3, -1, 4]), np.array([2, 7, -5]), 0.3
    kept = np.random.default_rng(0).random((400000, 3)) >= p
    found = ((6 - (x * kept / (1 - p)) @ w) ** 2).mean()
    assert found == pytest.approx((6 - x @ w) ** 2 + p / (1 - p) * ((x * w) ** 2).sum(), rel=0.01)
    with pytest.raises(ValueError):
        dropout_training.squared_error_gains_a_ridge_penalty((1, 2), (3,))
    right, rates = dropout.inverted, set[Fraction]()

    def spied(x: Fraction, kept: bool, p: Fraction) -> Fraction:
        rates.add(p)
        return right(x, kept, p)

    monkeypatch.setattr(dropout, "inverted", spied)
    dropout_training.squared_error_gains_a_ridge_penalty(percent=25)
    assert rates == {Fraction(1, 4)}
    monkeypatch.setattr(dropout, "inverted", lambda x, kept, p: x if kept else Fraction(0))
    with pytest.raises(AssertionError, match="expected error"):
        dropout_training.squared_error_gains_a_ridge_penalty()


@witnesses("dropout_training.expected_depth")
def test_expected_depth_is_the_sum_of_survivals() -> None:
    for blocks, last in ((54, 0.5), (12, 0.9), (1, 0.0)):
        summed = sum(1 - Fraction(i, blocks) * (1 - Fraction(last)) for i in range(1, blocks + 1))
        assert dropout_training.expected_depth(blocks, last) == pytest.approx(float(summed))
    # three quarters of a deep network's blocks, and a quarter of one block less (Huang et al.)
    assert dropout_training.expected_depth(54) == 54 * 3 / 4 - 1 / 4
    for wrong, survival in ((0, 0.5), (5, 1.5)):
        with pytest.raises(ValueError):
            dropout_training.expected_depth(wrong, survival)
