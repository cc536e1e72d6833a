"""Witnesses of `verifiers/activation_scaling.py`: PyTorch, grid search by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import activation_scaling as scaling

torch = pytest.importorskip("torch")

CASES = [(8, 3, 30.0, 32, 16, 24, 0), (4, 1, 100.0, 16, 8, 12, 5), (3, 2, 5.0, 8, 4, 2, 1)]
NAMES = "bits, hot, factor, channels, outputs, tokens, seed"


def matrices(channels: int, outputs: int, tokens: int, hot: int, factor: float, seed: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    x = torch.tensor(generator.standard_normal((tokens, channels)))
    w = torch.tensor(generator.standard_normal((channels, outputs))) / channels**0.5
    return torch.cat([x[:, :hot] * factor, x[:, hot:]], dim=1), w


def rounded(values: Any, bits: int, dims: Any) -> Any:
    top = 2 ** (bits - 1) - 1
    scale = torch.amax(values.abs(), dim=dims, keepdim=True) / top
    return torch.round(values / scale).clamp(-top, top) * scale


def error(result: Any, expected: Any) -> float:
    return float(torch.linalg.norm(result - expected) / torch.linalg.norm(expected))


@witnesses("activation_scaling.smoothing_factor", "activation_scaling.half_balances_maxima")
def test_half_meets_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling.half_balances_maxima()
    factor = scaling.smoothing_factor(60.0, 0.5)
    assert 60 / factor == pytest.approx(0.5 * factor)
    assert scaling.smoothing_factor(60.0, 0.5, 1.0) == 60  # all of it to the weights
    assert scaling.smoothing_factor(60.0, 0.5, 0.0) == 2
    assert scaling.smoothing_factor(16.0, 81.0, 0.75) == pytest.approx(8 / 3)
    monkeypatch.setattr(scaling, "smoothing", lambda x, w, alpha: abs(x).max(axis=0))
    with pytest.raises(AssertionError, match="differ"):
        scaling.half_balances_maxima()


@witnesses("activation_scaling.smoothquant")
@pytest.mark.parametrize(NAMES, CASES)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.8, 1.0])
def test_smoothquant_equals_pytorch(
    bits: int, hot: int, factor: float, channels: int, outputs: int, tokens: int, seed: int, alpha: float
) -> None:
    x, w = matrices(channels, outputs, tokens, hot, factor, seed)
    s = torch.stack([x[:, j].abs().max() ** alpha / w[j].abs().max() ** (1 - alpha) for j in range(channels)])
    before = error(rounded(x, bits, (0, 1)) @ rounded(w, bits, 0), x @ w)
    after = error(rounded(x / s, bits, (0, 1)) @ rounded(torch.diag(s) @ w, bits, 0), x @ w)
    ours = scaling.smoothquant(alpha, bits, hot, factor, channels, outputs, tokens, seed)
    assert ours == pytest.approx({"before": before, "after": after, "gain": before / after}, rel=1e-9)


@witnesses("activation_scaling.awq")
@pytest.mark.parametrize(NAMES, CASES)
@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_awq_equals_pytorch(
    bits: int, hot: int, factor: float, channels: int, outputs: int, tokens: int, seed: int, scale: float
) -> None:
    x, w = matrices(channels, outputs, tokens, hot, factor, seed)
    s = torch.ones(channels, dtype=torch.float64)
    s[:hot] = scale
    before, after = (
        error((x / t) @ rounded(t[:, None] * w, bits, 0), x @ w) for t in (torch.ones_like(s), s)
    )
    ours = scaling.awq(scale, bits, hot, factor, channels, outputs, tokens, seed)
    assert ours == pytest.approx({"before": before, "after": after, "gain": before / after}, rel=1e-9)


@witnesses("activation_scaling.awq_search")
@pytest.mark.parametrize(NAMES, CASES)
def test_search_equals_trying_every_exponent(
    bits: int, hot: int, factor: float, channels: int, outputs: int, tokens: int, seed: int
) -> None:
    x, w = matrices(channels, outputs, tokens, hot, factor, seed)
    errors = {}
    for step in range(6):
        powers = x.abs().mean(0) ** (step / 5)
        s = powers / (powers.max() * powers.min()).sqrt()
        errors[step / 5] = error((x / s) @ rounded(s[:, None] * w, bits, 0), x @ w)
    best = min(errors, key=errors.__getitem__)
    ours = scaling.awq_search(5, bits, hot, factor, channels, outputs, tokens, seed)
    assert ours == pytest.approx({"exponent": best, "before": errors[0.0], "after": errors[best]}, rel=1e-9)
    assert scaling.awq_search(1, bits, hot, factor, channels, outputs, tokens, seed)["exponent"] in (0, 1)


@witnesses("activation_scaling.awq_search")
def test_scales_are_centred_on_one_for_exponents_from_0_to_1(monkeypatch: pytest.MonkeyPatch) -> None:
    # normalised, a common factor of all channels is none: rounding does not see it, but fp16 would
    s = scaling.salience(np.array([[4.0, 9.0, 16.0], [-4.0, 9.0, 16.0]]), 0.5)
    assert s.tolist() == pytest.approx([2 / 8**0.5, 3 / 8**0.5, 4 / 8**0.5])
    tried: list[float] = []
    right = scaling.salience
    monkeypatch.setattr(scaling, "salience", lambda x, exponent: tried.append(exponent) or right(x, exponent))
    scaling.awq_search(4, channels=8)
    assert tried == [0, 0.25, 0.5, 0.75, 1]


@witnesses("activation_scaling.smoothquant", "activation_scaling.awq", "activation_scaling.awq_search")
def test_defaults() -> None:
    assert scaling.smoothquant() == scaling.smoothquant(0.5, 8, 3, 30.0, 256, 128, 128, 0)
    assert scaling.awq(2.0) == scaling.awq(2.0, 4, 3, 30.0, 256, 128, 128, 0)
    assert scaling.awq_search() == scaling.awq_search(20, 4, 3, 30.0, 256, 128, 128, 0)
    assert scaling.smoothing_factor(2.0, 3.0) == scaling.smoothing_factor(2.0, 3.0, 0.5)


@witnesses("activation_scaling.scaling_keeps_product")
def test_scale_on_the_wrong_side_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling.scaling_keeps_product()
    x, w = matrices(8, 4, 6, 2, 5.0, 0)
    s = torch.rand(8, dtype=torch.float64) + 0.1
    assert torch.allclose((x @ torch.diag(1 / s)) @ (torch.diag(s) @ w), x @ w)
    with monkeypatch.context() as patch:
        patch.setattr(scaling, "migrate", lambda x, w, scale: (x / scale, w / scale[:, None]))
        with pytest.raises(AssertionError, match="changed"):
            scaling.scaling_keeps_product()
    monkeypatch.setattr(scaling, "migrate", lambda x, w, scale: (x, w))
    with pytest.raises(AssertionError, match="moved"):
        scaling.scaling_keeps_product()


@pytest.mark.parametrize(
    "call",
    [
        lambda: scaling.smoothing_factor(0.0, 1.0),
        lambda: scaling.smoothing_factor(1.0, 0.0),
        lambda: scaling.smoothing_factor(1.0, 1.0, 1.1),
        lambda: scaling.smoothquant(-0.1),
        lambda: scaling.smoothquant(outliers=257),
        lambda: scaling.awq(0.0),
        lambda: scaling.awq(1.0, bits=1),
        lambda: scaling.awq_search(0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|fit"):
        call()
