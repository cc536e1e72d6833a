"""Witnesses of `verifiers/quantisation_outliers.py`: integer products in PyTorch, brute force, hand counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import quantisation_outliers as outliers

torch = pytest.importorskip("torch")

CASES = [
    # bits, hot, factor, channels, outputs, tokens, seed
    (8, 3, 30.0, 64, 16, 24, 0),
    (4, 1, 100.0, 16, 8, 12, 5),
    (8, 0, 1.0, 8, 4, 4, 1),
]


def matrices(channels: int, outputs: int, tokens: int, hot: int, factor: float, seed: int) -> tuple[Any, Any]:
    """The inputs as the docstring describes them, from NumPy's generator."""
    generator = np.random.default_rng(seed)
    x = torch.tensor(generator.standard_normal((tokens, channels)))
    w = torch.tensor(generator.standard_normal((channels, outputs))) / channels**0.5
    return torch.cat([x[:, :hot] * factor, x[:, hot:]], dim=1), w


def rounded(values: Any, bits: int, dims: Any) -> Any:
    """Nearest grid point, one scale for all values along `dims`."""
    top = 2 ** (bits - 1) - 1
    scale = torch.amax(values.abs(), dim=dims, keepdim=True) / top
    return torch.round(values / scale).clamp(-top, top) * scale


def error(result: Any, expected: Any) -> float:
    return float(torch.linalg.norm(result - expected) / torch.linalg.norm(expected))


@witnesses("quantisation_outliers.bits_lost", "quantisation_outliers.codes_left")
@pytest.mark.parametrize("ratio", [1.0, 2.0, 20.0, 1000.0])
def test_an_outlier_takes_codes_from_the_rest(ratio: float) -> None:
    top = 127
    rest = np.linspace(-1, 1, 20_001)
    step = ratio / top
    used = len(np.unique(np.rint(rest / step)))
    assert outliers.codes_left(ratio) == outliers.codes_left(ratio, 8) == used
    assert outliers.bits_lost(ratio) == pytest.approx(math.log(step / (1 / top), 2))
    assert outliers.codes_left(2.0, 4) == 2 * round(7 / 2) + 1


@witnesses("quantisation_outliers.granularity")
@pytest.mark.parametrize("bits, hot, factor, channels, outputs, tokens, seed", CASES)
def test_granularity_equals_pytorch(
    bits: int, hot: int, factor: float, channels: int, outputs: int, tokens: int, seed: int
) -> None:
    x, _ = matrices(channels, 2, tokens, hot, factor, seed)
    ours = outliers.granularity(bits, hot, factor, channels, 4, tokens, seed)
    grouped = x.reshape(tokens, -1, 4)
    expected = {
        "tensor": rounded(x, bits, (0, 1)),
        "token": rounded(x, bits, 1),
        "group": rounded(grouped, bits, 2).reshape(x.shape),
        "channel": rounded(x, bits, 0),
    }
    for name, values in expected.items():
        assert ours[name] == pytest.approx(error(values[:, hot:], x[:, hot:]), rel=1e-9), name


@witnesses("quantisation_outliers.llm_int8")
@pytest.mark.parametrize("bits, hot, factor, channels, outputs, tokens, seed", CASES)
def test_decomposition_equals_integer_products(
    bits: int, hot: int, factor: float, channels: int, outputs: int, tokens: int, seed: int
) -> None:
    x, w = matrices(channels, outputs, tokens, hot, factor, seed)
    top = 2 ** (bits - 1) - 1

    def product(a: Any, b: Any) -> Any:
        sa, sb = a.abs().amax(1, keepdim=True) / top, b.abs().amax(0, keepdim=True) / top
        codes = torch.round(a / sa).to(torch.int32), torch.round(b / sb).to(torch.int32)
        return (codes[0] @ codes[1]).double() * sa * sb

    large = [j for j in range(channels) if x[:, j].abs().max() >= 6.0]
    small = [j for j in range(channels) if j not in large]
    ours = outliers.llm_int8(bits, hot, factor, channels, 6.0, outputs, tokens, seed)
    assert ours["share"] == len(large) / channels == hot / channels
    assert ours["plain"] == pytest.approx(error(product(x, w), x @ w), rel=1e-9)
    both = x[:, large] @ w[large] + product(x[:, small], w[small])
    assert ours["decomposed"] == pytest.approx(error(both, x @ w), rel=1e-9)
    if hot == 1:
        everything = outliers.llm_int8(
            bits, hot, factor, channels, float(x.abs().max()), outputs, tokens, seed
        )
        assert everything["share"] == 1 / channels  # a value on the threshold is an outlier


@witnesses("quantisation_outliers.kept_weights")
@pytest.mark.parametrize("bits, hot, factor, channels, outputs, tokens, seed", CASES)
def test_kept_rows_equal_pytorch(
    bits: int, hot: int, factor: float, channels: int, outputs: int, tokens: int, seed: int
) -> None:
    x, w = matrices(channels, outputs, tokens, hot, factor, seed)
    coarse = rounded(w, bits, 0)
    ours = outliers.kept_weights(bits, hot, factor, channels, outputs, tokens, seed)
    kept = torch.cat([w[:hot], coarse[hot:]])
    other = torch.cat([coarse[:hot], w[hot : hot + hot], coarse[hot + hot :]])
    assert ours["share"] == hot / channels
    for name, weights in (("rounded", coarse), ("kept", kept), ("random", other)):
        assert ours[name] == pytest.approx(error(x @ weights, x @ w), rel=1e-9), name
    half = outliers.kept_weights(4, 4, 2.0, 8, 4, 4)  # as many others as hot ones is enough
    assert half["share"] == 0.5


@witnesses(
    "quantisation_outliers.granularity",
    "quantisation_outliers.llm_int8",
    "quantisation_outliers.kept_weights",
)
def test_defaults_are_three_channels_of_256_thirty_times_as_large() -> None:
    assert outliers.granularity() == outliers.granularity(8, 3, 30.0, 256, 64, 128, 0)
    assert outliers.llm_int8() == outliers.llm_int8(8, 3, 30.0, 256, 6.0, 128, 128, 0)
    assert outliers.kept_weights() == outliers.kept_weights(4, 3, 30.0, 256, 128, 128, 0)
    # a normal value does reach 5 among so many, but the hot ones alone reach 6
    assert outliers.llm_int8(threshold=9.0) == outliers.llm_int8()
    mild = [outliers.llm_int8(factor=2.5, threshold=t)["share"] for t in (6.0, 9.0)]
    assert outliers.llm_int8(factor=2.5)["share"] == mild[0] > mild[1]
    assert outliers.llm_int8(threshold=3.0)["share"] > outliers.llm_int8()["share"] == 3 / 256


@witnesses("quantisation_outliers.decomposition_is_exact")
def test_a_split_that_loses_a_part_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    outliers.decomposition_is_exact()
    x, w = matrices(8, 4, 6, 2, 5.0, 0)
    chosen = torch.tensor([True, False] * 4)
    halves = torch.zeros_like(x), torch.zeros_like(x)
    halves[0][:, chosen], halves[1][:, ~chosen] = x[:, chosen], x[:, ~chosen]
    assert torch.allclose(halves[0] @ w + halves[1] @ w, x @ w)
    monkeypatch.setattr(outliers, "decomposed", lambda x, w, large, product: product(x[:, ~large], w[~large]))
    with pytest.raises(AssertionError, match="loses"):
        outliers.decomposition_is_exact()


@pytest.mark.parametrize(
    "call",
    [
        lambda: outliers.bits_lost(0.99),
        lambda: outliers.bits_lost(math.inf),
        lambda: outliers.codes_left(0.5),
        lambda: outliers.codes_left(2.0, 1),
        lambda: outliers.granularity(group=48),
        lambda: outliers.granularity(tokens=1),
        lambda: outliers.granularity(channels=1, outliers=0, group=1),
        lambda: outliers.granularity(outliers=-1),
        lambda: outliers.granularity(factor=0.0),
        lambda: outliers.granularity(seed=-1),
        lambda: outliers.llm_int8(outputs=1),
        lambda: outliers.llm_int8(threshold=0.0),
        lambda: outliers.llm_int8(threshold=0.01),
        lambda: outliers.llm_int8(threshold=math.nan),
        lambda: outliers.granularity(outliers=256),
        lambda: outliers.llm_int8(outliers=257),
        lambda: outliers.kept_weights(outliers=129),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|divide|at least|fit|outlier|needed"):
        call()


def test_the_smallest_sizes_are_allowed() -> None:
    assert outliers.granularity(outliers=255)["channel"] > 0
    assert outliers.outlier_activations(2, 2, 2, 2, 1.0, 0)[0].shape == (2, 2)
