"""Witnesses of `verifiers/rounding.py`: loops of PyTorch tensors, drawn roundings and SciPy's normal."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import formats, rounding

torch = pytest.importorskip("torch")

DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8_e5m2": torch.float8_e5m2,
    "fp8_e4m3": torch.float8_e4m3fn,
}


def cast(number: float, dtype: str) -> float:
    return float(torch.tensor(number, dtype=torch.float64).to(DTYPES[dtype]).double())


@witnesses("rounding.lost_update")
@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp8_e4m3"])
@pytest.mark.parametrize("weight", [1.0, 1.5, 0.3, 2.0, 2.0**-6, 100.0])
def test_updates_past_the_limit_move_a_tensor(dtype: str, weight: float) -> None:
    here = cast(weight, dtype)
    for sign in (1, -1):
        lost = rounding.lost_update(dtype, weight, upwards=sign > 0)
        assert cast(here + sign * lost * 0.999, dtype) == here
        assert cast(here + sign * lost * 1.001, dtype) != here


def test_updates_are_lost_upwards_by_default_and_up_to_the_ends_of_the_range() -> None:
    assert rounding.lost_update("bf16", 1.0) == 2**-8
    assert rounding.lost_update("fp16", 65472.0) == 16  # the last number that has a next one
    assert rounding.lost_update("fp16", 2.0**-24) == 2**-25


@witnesses("rounding.stochastic")
@pytest.mark.parametrize("value", [1.001, -0.3, 0.7, 1.0, 3e-8, 65000.5])
def test_moments_equal_those_of_the_two_neighbours(value: float) -> None:
    half = torch.tensor([value], dtype=torch.float64).half()
    ours = rounding.stochastic(value, "fp16")
    neighbours = {half.item()}
    if half.item() != value:
        away = torch.tensor([math.inf if half.item() < value else -math.inf]).half()
        neighbours.add(torch.nextafter(half, away).item())
    assert {ours["low"], ours["high"]} == neighbours
    shares = np.array([1 - ours["share_up"], ours["share_up"]])
    ends = np.array([ours["low"], ours["high"]])
    assert ours["mean"] == pytest.approx(value, rel=1e-15) == pytest.approx(shares @ ends, rel=1e-12)
    assert ours["deviation"] == pytest.approx(np.sqrt(shares @ (ends - value) ** 2), rel=1e-9, abs=1e-18)


@witnesses("rounding.compensated_updates")
@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("update", [1e-4, 0.003, -5e-4])
def test_compensated_updates_equal_a_loop_of_tensors(dtype: str, update: float) -> None:
    kind = DTYPES[dtype]
    weight, lost = torch.tensor(1.0, dtype=kind), torch.tensor(0.0, dtype=kind)
    for _ in range(150):
        wanted = (lost.double() - update).to(kind)
        moved = (weight.double() + wanted.double()).to(kind)
        done = (moved.double() - weight.double()).to(kind)
        lost = (wanted.double() - done.double()).to(kind)
        weight = moved
    assert rounding.compensated_updates(dtype, 1.0, update, 150) == float(weight)


def test_defaults_of_compensated_updates() -> None:
    exact = 1 - 1000 * 1e-4
    assert rounding.compensated_updates("fp16") == pytest.approx(exact, rel=2e-3)
    assert rounding.compensated_updates("fp32") == rounding.compensated_updates("fp32", 1.0, 1e-4, 1000)
    assert rounding.compensated_updates("fp16", 0.3, steps=0) == cast(0.3, "fp16")
    # 10,000 steps are still allowed
    assert rounding.compensated_updates("fp8_e4m3", 1.0, 0.0, 10_000) == 1


@witnesses("rounding.underflow_share")
@pytest.mark.parametrize(
    "dtype, scale", [("fp16", 1.0), ("fp16", 1024.0), ("bf16", 2.0**100), ("fp8_e5m2", 1.0)]
)
def test_share_of_zeros_equals_that_of_cast_tensors(dtype: str, scale: float) -> None:
    median = formats.zeroed_below(dtype) * 2 / scale
    drawn = median * np.exp2(2 * np.random.default_rng(0).standard_normal(40_000))
    zeros = (torch.from_numpy(drawn * scale).to(DTYPES[dtype]).double() == 0).double().mean().item()
    assert rounding.underflow_share(median, 2.0, dtype, scale) == pytest.approx(zeros, abs=0.01)


def test_share_of_zeros_by_default_is_that_of_unscaled_fp16() -> None:
    edge = 2.0**-25
    assert rounding.underflow_share(edge, 1.0) == 0.5
    assert rounding.underflow_share(2 * edge, 1.0) == pytest.approx(0.5 * math.erfc(1 / math.sqrt(2)))


@witnesses("rounding.stochastic_rounding_is_unbiased")
def test_drawn_roundings_drift_as_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = rounding.stochastic_rounding_is_unbiased(("bf16",), steps=4)
    assert tried == {"formats": "bf16", "weight": 1.0, "update": 1e-4, "steps": 4}
    generator = np.random.default_rng(0)
    weights = np.ones(20_000)
    for _ in range(8):
        moved = torch.from_numpy(weights - 1e-4)
        step = 2.0 ** (torch.frexp(moved).exponent.double() - 8)  # bf16's spacing there
        low = torch.floor(moved / step) * step
        up = torch.from_numpy(generator.random(20_000)) < (moved - low) / step
        weights = (low + up * step).numpy()
    assert weights.mean() == pytest.approx(1 - 8e-4, abs=5e-5)
    # half up, half down is no fair chance
    with monkeypatch.context() as patch:
        patch.setattr(
            rounding, "chances", lambda *of: [(end, Fraction(1, 2)) for end in rounding.neighbours(*of)]
        )
        with pytest.raises(AssertionError, match="the mean drifts"):
            rounding.stochastic_rounding_is_unbiased()
    rounding.stochastic_rounding_is_unbiased(("bf16",), steps=3)
    with pytest.raises(AssertionError, match="not lost to nearest"):  # lost upwards, but not downwards
        rounding.stochastic_rounding_is_unbiased(("bf16",), update=0.003, steps=1)
    with pytest.raises(AssertionError, match="not lost to nearest"):
        rounding.stochastic_rounding_is_unbiased(("fp32",))


@pytest.mark.parametrize(
    "call",
    [
        lambda: rounding.lost_update("bf16", 0.0),
        lambda: rounding.lost_update("bf16", -1.0),
        lambda: rounding.lost_update("fp16", 65504.0),
        lambda: rounding.lost_update("fp16", 1e9),
        lambda: rounding.lost_update("fp16", 1e-9),
        lambda: rounding.stochastic(65505.0, "fp16"),
        lambda: rounding.stochastic(-65505.0, "fp16"),
        lambda: rounding.stochastic(math.inf, "fp16"),
        lambda: rounding.compensated_updates("fp16", math.inf),
        lambda: rounding.compensated_updates("fp16", update=math.inf),
        lambda: rounding.compensated_updates("fp16", steps=-1),
        lambda: rounding.compensated_updates("fp8_e4m3", 1.0, 0.0, 10_001),
        lambda: rounding.compensated_updates("fp16", 1e9),
        lambda: rounding.underflow_share(0.0, 1.0),
        lambda: rounding.underflow_share(1.0, 0.0),
        lambda: rounding.underflow_share(1.0, 1.0, scale=0.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_the_largest_number_is_still_rounded() -> None:
    assert rounding.stochastic(65504.0, "fp16")["share_up"] == 1
    assert rounding.stochastic(-65504.0, "fp16")["low"] == -65504
