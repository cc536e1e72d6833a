"""Independent ways to the numbers of verifiers/initialisation.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import initialisation


@witnesses("initialisation.std", "initialisation.bound")
@pytest.mark.parametrize(("fan_in", "fan_out"), [(512, 2048), (300, 100)])
def test_schemes_are_those_of_torch(fan_in: int, fan_out: int) -> None:
    torch = pytest.importorskip("torch")
    init = torch.nn.init
    torch.manual_seed(0)

    def drawn(fill: object) -> tuple[float, float]:
        weight = torch.empty(fan_out, fan_in)
        fill(weight)  # type: ignore[operator]
        return float(weight.std()), float(weight.abs().max())

    for scheme, fills in {
        "he": (init.kaiming_normal_, init.kaiming_uniform_),
        "xavier": (init.xavier_normal_, init.xavier_uniform_),
        "lecun": (
            lambda w: init.kaiming_normal_(w, nonlinearity="linear"),
            lambda w: init.kaiming_uniform_(w, nonlinearity="linear"),
        ),
    }.items():
        if scheme == "he":
            fills = tuple(lambda w, f=f: f(w, nonlinearity="relu") for f in fills)
        assert initialisation.std(scheme, fan_in, fan_out) == pytest.approx(drawn(fills[0])[0], rel=0.02)
        deviation, largest = drawn(fills[1])
        assert initialisation.std(scheme, fan_in, fan_out) == pytest.approx(deviation, rel=0.02)
        assert initialisation.bound(scheme, fan_in, fan_out) == pytest.approx(largest, rel=0.01)
    default = torch.nn.Linear(fan_in, fan_out).weight
    assert initialisation.std("heuristic", fan_in) == pytest.approx(float(default.detach().std()), rel=0.02)
    assert initialisation.bound("heuristic", fan_in) == pytest.approx(
        float(default.detach().abs().max()), rel=0.01
    )


def test_schemes_refuse_what_they_do_not_know() -> None:
    assert initialisation.std("xavier", 1, 1) == 1
    assert initialisation.bound("xavier", 1, 1) == math.sqrt(3)
    assert initialisation.std("he", 1) == initialisation.std("he", 1, 9) == math.sqrt(2)
    for wrong in (("glorot", 1, 1), ("he", 0, 1), ("he", 1, 0), ("xavier", 512)):
        with pytest.raises(ValueError):
            initialisation.std(*wrong)


@witnesses("initialisation.relu_moments")
@pytest.mark.parametrize("deviation", [0.3, 1.0, math.sqrt(2)])
def test_relu_moments_by_integration(deviation: float) -> None:
    x = np.linspace(-12 * deviation, 12 * deviation, 400_001)
    density = np.exp(-(x**2) / (2 * deviation**2))
    density /= density.sum()
    y = np.maximum(x, 0)
    mean, second = float(density @ y), float(density @ y**2)
    found = initialisation.relu_moments(deviation)
    expected = {"mean": mean, "second": second, "rms": second**0.5}
    expected |= {"variance": second - mean**2, "std": (second - mean**2) ** 0.5}
    assert found == pytest.approx(expected, rel=1e-6)
    assert initialisation.relu_moments() == initialisation.relu_moments(1.0)
    with pytest.raises(ValueError):
        initialisation.relu_moments(0)


@witnesses("initialisation.propagated")
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
@pytest.mark.parametrize("scheme", ["he", "xavier", "heuristic"])
def test_propagation_through_torch_layers(scheme: str, activation: str) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    squares, spreads = [], []
    for _ in range(5):
        x = torch.randn(64, 256)
        for _layer in range(6):
            layer = torch.nn.Linear(256, 256, bias=False)
            if scheme == "he":
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            elif scheme == "xavier":
                torch.nn.init.xavier_normal_(layer.weight)
            x = {"linear": torch.nn.Identity(), "relu": torch.relu, "tanh": torch.tanh}[activation](
                layer(x)
            ).detach()
        squares.append(float(x.pow(2).mean().sqrt()))
        spreads.append(float(x.std()))
    found = initialisation.propagated(scheme, 6, activation)
    assert found["rms"] == pytest.approx(np.mean(squares), rel=0.25)
    assert found["std"] == pytest.approx(np.mean(spreads), rel=0.25)


def test_propagation_keeps_what_theory_says() -> None:
    assert initialisation.propagated("xavier", 1)["std"] == pytest.approx(1, rel=0.05)
    assert initialisation.propagated("heuristic", 2)["rms"] == pytest.approx(1 / 3, rel=0.05)
    one = initialisation.propagated("he", 1, "relu")
    assert one["std"] == pytest.approx(initialisation.relu_moments(math.sqrt(2))["std"], rel=0.05)
    assert initialisation.propagated("he", 1) == initialisation.propagated("he", 1, "linear", 256, 64)
    assert initialisation.propagated("he", 1, width=1, samples=1)["std"] == 0
    for wrong in ({"layers": 0}, {"width": 0}, {"samples": 0}, {"activation": "gelu"}, {"scheme": "none"}):
        with pytest.raises(ValueError):
            initialisation.propagated(**{"scheme": "he", "layers": 1} | wrong)


@witnesses("initialisation.scaled_residual")
def test_scaled_residual_keeps_the_streams_variance() -> None:
    """2 · layers branches of that deviation add up to one branch of the base's."""
    for layers in (1, 12):
        variance = sum(initialisation.scaled_residual(layers) ** 2 for _ in range(2 * layers))
        assert variance == pytest.approx(0.02**2)
    assert initialisation.scaled_residual(2, base=1.0) == 0.5
    for wrong in ((0, 1.0), (1, 0.0)):
        with pytest.raises(ValueError):
            initialisation.scaled_residual(*wrong)
