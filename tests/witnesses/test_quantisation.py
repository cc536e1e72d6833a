"""Witnesses of `verifiers/quantisation.py`: PyTorch's quantised tensors and float8, brute force, theory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import quantisation

torch = pytest.importorskip("torch")


def fake_quantise(values: Any, scale: float, zero: int, low: int, high: int) -> Any:
    """Each value replaced by the nearest of all numbers on the grid, which PyTorch must confirm."""
    tensor = torch.as_tensor(values, dtype=torch.float64)
    grid = scale * (torch.arange(low, high + 1, dtype=torch.float64) - zero)
    right = torch.bucketize(tensor, (grid[1:] + grid[:-1]) / 2)
    if low <= zero <= high:
        theirs = torch.fake_quantize_per_tensor_affine(tensor.float(), scale, zero, low, high)
        off = (grid[right] - theirs).abs()  # single precision may take a tie to the other side
        assert (off <= 1.01 * scale).all() and (off > scale / 2).sum() <= 1 + len(tensor) / 1000
    return grid[right]


@witnesses("quantisation.round_trip")
@pytest.mark.parametrize("low, high", [(-1.0, 2.0), (0.0, 5.0), (-3.0, 0.0), (-7.0, 7.0), (-0.3, 0.9)])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_affine_codes_equal_pytorchs(low: float, high: float, bits: int) -> None:
    observer = torch.ao.quantization.MinMaxObserver(
        dtype=torch.quint8, quant_min=0, quant_max=2**bits - 1, eps=1e-12
    )
    observer(torch.tensor([low, high], dtype=torch.float64))
    scale, zero = (float(number) for number in observer.calculate_qparams())
    for value in (low, high, 0.0, 0.37 * high + 0.63 * low, low - 1, high + 1):
        ours = quantisation.round_trip(value, low, high, bits)
        assert ours["scale"] == pytest.approx(scale, rel=1e-6)
        assert ours["zero_point"] == zero
        back = fake_quantise([value], ours["scale"], int(zero), 0, 2**bits - 1)
        assert ours["restored"] == pytest.approx(back.item(), abs=1e-9)
        assert ours["code"] == round(back.item() / ours["scale"]) + zero


@witnesses("quantisation.round_trip")
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_symmetric_codes_equal_pytorchs(bits: int) -> None:
    top = 2 ** (bits - 1) - 1
    for low, high in ((-1.0, 2.2), (-6.0, 2.0), (3.0, 4.1)):
        scale = max(-low, high) / top
        for value in (low, high, 0.0, 0.3, -9.0, 9.0):
            back = fake_quantise([value], scale, 0, -top, top).item()
            ours = quantisation.round_trip(value, low, high, bits, "symmetric")
            assert ours == pytest.approx(
                {"scale": scale, "zero_point": 0, "code": round(back / scale), "restored": back}, abs=1e-9
            )


@witnesses("quantisation.round_trip", "quantisation.zero_is_exact")
def test_a_range_without_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    quantisation.zero_is_exact()
    # 8 bits are the default, and so are affine codes and a range that holds zero
    assert quantisation.round_trip(1.0, 0.0, 255.0)["scale"] == 1
    bare = quantisation.round_trip(0.0, 5.0, 6.0, include_zero=False)
    assert (bare["zero_point"], bare["code"]) == (-1275, 0)
    assert bare["restored"] == pytest.approx(5)
    assert quantisation.round_trip(5.5, 5.0, 6.0)["scale"] == 6 / 255
    assert quantisation.round_trip(-5.5, -6.0, -5.0)["scale"] == 6 / 255
    right = quantisation.round_trip
    monkeypatch.setattr(
        quantisation, "round_trip", lambda *args, include_zero=True: right(*args, include_zero=False)
    )
    with pytest.raises(AssertionError, match="comes back"):
        quantisation.zero_is_exact()
    monkeypatch.undo()
    monkeypatch.setattr(quantisation, "round_trip", lambda *args, include_zero=True: right(*args))
    with pytest.raises(AssertionError, match="restores zero"):
        quantisation.zero_is_exact()
    monkeypatch.undo()
    quantisation.zero_is_exact(ranges=((0.0, 1.0), (-1.0, 0.0)))  # zero at an end is held


@witnesses("quantisation.clamped_to_signed")
@pytest.mark.parametrize("bits, samples, seed", [(8, 3000, 0), (4, 500, 1)])
def test_unshifted_signed_codes_saturate(bits: int, samples: int, seed: int) -> None:
    values = torch.tensor(quantisation.draw("normal", (samples,), seed))
    scale = ((values.max() - values.min()) / (2**bits - 1)).item()
    zero = round(-values.min().item() / scale)
    top = 2 ** (bits - 1) - 1
    wrong = fake_quantise(values, scale, zero, -top - 1, top)
    right = fake_quantise(values, scale, zero, 0, 2**bits - 1)
    limit = scale * (top - zero)
    ours = quantisation.clamped_to_signed(bits, "normal", samples, seed)
    assert ours["saturated"] == (right > limit + scale / 2).double().mean()
    norm = torch.linalg.norm
    assert ours["error"] == pytest.approx((norm(wrong - values) / norm(values)).item(), rel=1e-9)
    assert ours["right"] == pytest.approx((norm(right - values) / norm(values)).item(), rel=1e-9)
    assert ours["right"] < ours["error"] / 5
    if samples == 500:
        assert quantisation.clamped_to_signed() == quantisation.clamped_to_signed(8, "normal", 100_000, 0)
        assert quantisation.clamped_to_signed(samples=2)["right"] < 0.01


@witnesses("quantisation.one_sided_cost")
@pytest.mark.parametrize("bits", [4, 8])
def test_one_sided_data_pay_for_the_negative_half(bits: int) -> None:
    values = torch.rand(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    top = 2 ** (bits - 1) - 1
    symmetric = fake_quantise(values, values.max().item() / top, 0, -top, top)
    affine = fake_quantise(values, values.max().item() / (2**bits - 1), 0, 0, 2**bits - 1)
    ratio = (symmetric - values).square().mean() / (affine - values).square().mean()
    assert quantisation.one_sided_cost(bits) == pytest.approx(ratio.item(), rel=0.02)
    assert quantisation.one_sided_cost() == quantisation.one_sided_cost(8)


@witnesses("quantisation.full_scale_sqnr")
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_full_scale_signals(bits: int) -> None:
    ramp = (np.arange(2**18) + 0.5) / 2**17 - 1
    for signal, values in (("uniform", ramp), ("sine", np.sin(np.pi * ramp))):
        step = 2 / 2**bits
        codes = np.minimum(np.floor((values + 1) / step), 2**bits - 1)
        restored = (codes + 0.5) * step - 1
        measured = 10 * math.log10((values**2).mean() / ((restored - values) ** 2).mean())
        ours = quantisation.full_scale_sqnr(bits, signal)
        # the error of a sine is not quite uniform where it turns, which few bits feel
        assert ours == pytest.approx(measured, abs=1e-3 if signal == "uniform" else 3 / 2 ** (bits / 2))
    more = quantisation.full_scale_sqnr(bits, "sine") - quantisation.full_scale_sqnr(bits)
    assert more == pytest.approx(10 * math.log10(1.5))
    assert quantisation.full_scale_sqnr(bits) == quantisation.full_scale_sqnr(bits, "uniform")


@witnesses("quantisation.group_sqnr")
@pytest.mark.parametrize("distribution", ["normal", "uniform", "laplace", "one-sided"])
@pytest.mark.parametrize("bits, group, groups, seed", [(4, 32, 40, 0), (8, 128, 10, 1), (3, 2, 50, 3)])
def test_groups_equal_pytorchs_channels(
    distribution: str, bits: int, group: int, groups: int, seed: int
) -> None:
    values = torch.tensor(quantisation.draw(distribution, (groups, group), seed))
    top = 2 ** (bits - 1) - 1
    scales = values.abs().amax(1) / top
    zeros = torch.zeros(groups, dtype=torch.int32)
    back = torch.fake_quantize_per_channel_affine(values, scales.float(), zeros, 0, -top, top)
    exact = torch.stack(
        [fake_quantise(row, s.item(), 0, -top, top) for row, s in zip(values, scales, strict=True)]
    )
    assert torch.allclose(back, exact, atol=1e-5)
    noise = (exact - values).square().sum()
    expected = 10 * torch.log10(values.square().sum() / noise).item()
    assert quantisation.group_sqnr(bits, group, distribution, groups, seed) == pytest.approx(
        expected, rel=1e-6
    )
    if groups == 50:
        assert quantisation.group_sqnr(3, 2, groups=1) > 0
        assert quantisation.group_sqnr(4, 8) == quantisation.group_sqnr(4, 8, "normal", 2000, 0)


def test_drawn_data_have_the_named_distribution() -> None:
    # mean, mean square and mean magnitude of each law
    laws = {"normal": (0, 1, (2 / math.pi) ** 0.5), "uniform": (0, 1 / 3, 0.5), "laplace": (0, 2, 1)}
    for name, moments in laws.items():
        values = quantisation.draw(name, (200, 200), 0)
        assert [values.mean(), (values**2).mean(), abs(values).mean()] == pytest.approx(moments, abs=0.03)
    assert -1 <= quantisation.draw("uniform", (1000,), 1).min() < -0.99
    cut = quantisation.draw("one-sided", (40_000,), 0)
    assert cut.min() == 0 and np.mean(cut == 0) == pytest.approx(0.5, abs=0.01)
    assert (cut**2).mean() == pytest.approx(0.5, abs=0.03)


@witnesses("quantisation.float_error")
@pytest.mark.parametrize(
    "name, dtype",
    [("fp8_e4m3", torch.float8_e4m3fn), ("fp8_e5m2", torch.float8_e5m2), ("fp16", torch.float16)],
)
def test_float_error_equals_pytorchs_rounding(name: str, dtype: Any) -> None:
    values = torch.tensor(quantisation.draw("normal", (5000,), 3))
    error = torch.linalg.norm(values.to(dtype).double() - values) / torch.linalg.norm(values)
    assert quantisation.float_error(name, 5000, 3) == pytest.approx(error.item(), rel=1e-4)
    if name == "fp8_e4m3":
        assert quantisation.float_error(name) == quantisation.float_error(name, 100_000, 0)
        assert quantisation.float_error(name, 2) < 0.1


@witnesses("quantisation.float_error")
@pytest.mark.parametrize(
    "name, dtype",
    [
        ("fp8_e4m3", torch.float8_e4m3fn),
        ("fp8_e5m2", torch.float8_e5m2),
        ("bf16", torch.bfloat16),
        ("fp16", torch.float16),
    ],
)
def test_magnitudes_are_those_of_pytorch(name: str, dtype: Any) -> None:
    codes = torch.arange(2 ** (8 * dtype.itemsize - 1), dtype=torch.int64)
    numbers = codes.to(torch.uint8 if dtype.itemsize == 1 else torch.int16).view(dtype).double()
    assert np.array_equal(quantisation.magnitudes(name), numbers[numbers.isfinite()].numpy())


@witnesses("quantisation.error_is_uniform_within_half_a_step")
def test_an_error_that_is_not_uniform_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    quantisation.error_is_uniform_within_half_a_step()
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = fake_quantise(values, 0.03, 0, -500, 500) - values
    assert error.abs().max() <= 0.015 + 1e-12
    assert error.square().mean().item() == pytest.approx(0.03**2 / 12, rel=0.04)
    with monkeypatch.context() as patch:
        patch.setattr(quantisation, "encode", lambda values, scale, zero: np.floor(values / scale) + zero)
        with pytest.raises(AssertionError, match="errs by"):
            quantisation.error_is_uniform_within_half_a_step()
    with monkeypatch.context() as patch:  # a scale as large as all the data
        patch.setattr(quantisation, "affine_parameters", lambda low, high, bits: (2 * (high - low), 0))
        with pytest.raises(AssertionError, match="MSE"):
            quantisation.error_is_uniform_within_half_a_step()
    with monkeypatch.context() as patch:  # another origin than the data's, so only the mean square is off
        patch.setattr(quantisation, "restore", lambda codes, scale, zero: scale * (codes - zero) * 0.999)
        with pytest.raises(AssertionError, match="errs by"):
            quantisation.error_is_uniform_within_half_a_step()


@pytest.mark.parametrize(
    "call",
    [
        lambda: quantisation.round_trip(0.0, 1.0, 1.0),
        lambda: quantisation.round_trip(math.inf, 0.0, 1.0),
        lambda: quantisation.round_trip(math.nan, 0.0, 1.0),
        lambda: quantisation.round_trip(0.0, 0.0, 1.0, 1),
        lambda: quantisation.round_trip(0.0, 0.0, 1.0, 8, "log"),
        lambda: quantisation.clamped_to_signed(0),
        lambda: quantisation.clamped_to_signed(1),
        lambda: quantisation.clamped_to_signed(samples=1),
        lambda: quantisation.clamped_to_signed(distribution="cauchy"),
        lambda: quantisation.clamped_to_signed(seed=-1),
        lambda: quantisation.one_sided_cost(1),
        lambda: quantisation.full_scale_sqnr(0),
        lambda: quantisation.full_scale_sqnr(8, "square"),
        lambda: quantisation.group_sqnr(8, 1),
        lambda: quantisation.group_sqnr(8, 8, groups=0),
        lambda: quantisation.float_error("fp32"),
        lambda: quantisation.float_error("fp9"),
        lambda: quantisation.float_error("fp16", 1),
        lambda: quantisation.by_group(np.ones((2, 6)), 8, 4),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|unknown|cannot|divide"):
        call()


pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.ao.quantization is deprecated", "ignore:.*MinMaxObserver", "ignore:torch.quantize"
)
