"""Independent ways to the numbers of verifiers/activations.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import activations

POINTS = (-20.0, -3.0, -0.5, 0.0, 0.7, 2.0, 8.0)


@witnesses("activations.value", "activations.slope")
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "silu", "gelu"])
def test_values_and_slopes_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    function = {"gelu": torch.nn.functional.gelu, "silu": torch.nn.functional.silu}.get(name) or getattr(
        torch, name
    )
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert [activations.value(name, p) for p in POINTS] == pytest.approx(y.tolist(), rel=1e-12, abs=1e-15)
    assert [activations.slope(name, p) for p in POINTS] == pytest.approx(x.grad.tolist(), rel=1e-9, abs=1e-15)
    for p in (-3.0, 0.7, 2.0):
        difference = (activations.value(name, p + 1e-6) - activations.value(name, p - 1e-6)) / 2e-6
        assert activations.slope(name, p) == pytest.approx(difference, abs=1e-8)


def test_unknown_activations_are_refused() -> None:
    for function in (activations.value, activations.slope):
        with pytest.raises(ValueError, match="activation"):
            function("mish", 0.0)
        with pytest.raises(ValueError, match="finite"):
            function("relu", math.nan)


def test_far_inputs_neither_overflow_nor_vanish() -> None:
    assert activations.slope("sigmoid", -800) == 0 and activations.value("sigmoid", 800) == 1
    assert activations.slope("sigmoid", -40) == pytest.approx(math.exp(-40))
    assert activations.slope("sigmoid", 40) == pytest.approx(math.exp(-40))
    assert activations.value("sigmoid", -800) == 0 and activations.value("sigmoid", -40) == math.exp(-40)


@witnesses("activations.sigmoid_saturates_at")
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_saturation_in_real_arithmetic(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    kind = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    one = torch.ones((), dtype=kind)
    x = 1
    while float(one + torch.exp(torch.tensor(-float(x), dtype=kind))) != 1:
        x += 1
    assert activations.sigmoid_saturates_at(dtype) == x
    assert activations.sigmoid_saturates_at() == activations.sigmoid_saturates_at("fp32") == 17


@witnesses("activations.dead_share")
def test_dead_units_of_drawn_batches() -> None:
    draws = np.random.default_rng(0).normal(-1.0, 2.0, (200_000, 3))
    share = float((draws <= 0).all(axis=1).mean())
    assert activations.dead_share(-1.0, 3, deviation=2.0) == pytest.approx(share, abs=0.005)
    assert activations.dead_share(0.0, 2) == pytest.approx(0.25)
    assert activations.dead_share(0.5, 1) == activations.dead_share(0.5, 1, 1.0)
    assert activations.dead_share(-1.0, 1) == pytest.approx(1 - activations.dead_share(1.0, 1))
    for wrong in ({"examples": 0}, {"deviation": 0}, {"mean": math.inf}):
        with pytest.raises(ValueError):
            activations.dead_share(**{"mean": 0.0, "examples": 1} | wrong)


@witnesses("activations.folded_pieces")
@pytest.mark.parametrize("layers", [1, 2, 5, 9])
def test_pieces_by_the_turning_points_of_a_composed_network(layers: int) -> None:
    """Push the interval's pieces through the tent: each splits where its values cross one half."""
    breaks = {0.0, 1.0}
    for _ in range(layers):
        # what one tent maps to a break of the rest
        breaks = {b / 2 for b in breaks} | {1 - b / 2 for b in breaks} | {0.5}
    assert activations.folded_pieces(layers) == len(breaks) - 1 == 2**layers


def test_the_tent_is_one() -> None:
    assert [activations.tent(x) for x in (0.0, 0.25, 0.5, 0.75, 1.0)] == [0, 0.5, 1, 0.5, 0]
    assert activations.tent(-1.0) == 0
    assert activations.folded_pieces(14) == 2**14
    for wrong in (0, 15):
        with pytest.raises(ValueError):
            activations.folded_pieces(wrong)
