"""Independent ways to the numbers of verifiers/quantised_cache.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import quantised_cache


def packed(values: int, bits: int, group: int, side_bits: int) -> int:
    """Count the bits of groups of packed codes, each group followed by its scale and zero point."""
    total = 0
    while values:
        taken = min(group, values)
        total += taken * bits + side_bits
        values -= taken
    return total


@witnesses("quantised_cache.bits_per_value", "quantised_cache.saving", "quantised_cache.nbytes")
@pytest.mark.parametrize(("bits", "group"), [(4, 32), (2, 128), (8, 1), (3, 7)])
def test_sizes_equal_those_of_packed_groups(bits: int, group: int) -> None:
    near = pytest.approx
    assert quantised_cache.bits_per_value(bits, group) == near(packed(group, bits, group, 32) / group)
    assert quantised_cache.bits_per_value(bits, group, 8, 0) == near(packed(group, bits, group, 8) / group)
    assert quantised_cache.bits_per_value(bits, group, 0, 5) == near(packed(group, bits, group, 5) / group)
    whole = group * 16 / packed(group, bits, group, 32)
    assert quantised_cache.saving(bits, group) == pytest.approx(whole)
    assert quantised_cache.saving(bits, group, 8, 0, 32) == pytest.approx(
        group * 32 / packed(group, bits, group, 8)
    )
    for tokens, kept in ((3, 0), (5, 2), (2, 9)):
        values = 32 * 2 * 8 * 128 * max(0, tokens - kept)
        stored = -(-packed(values, bits, group, 32) // 8) + 32 * 2 * 8 * 128 * 2 * min(tokens, kept)
        found = quantised_cache.nbytes("llama-3-8b", tokens, bits, group, full_precision_tokens=kept)
        assert found == stored
        assert isinstance(found, int)
    assert quantised_cache.nbytes("llama-3-8b", 3, bits, group) == quantised_cache.nbytes(
        "llama-3-8b", 3, bits, group, 16, 16, 0
    )
    bare = quantised_cache.nbytes("llama-3-8b", 3, bits, group, 0, 0)
    assert bare == -(-packed(32 * 2 * 8 * 128 * 3, bits, group, 0) // 8)
    small = quantised_cache.nbytes("llama-3-8b", 3, bits, group, 5, 8)
    assert small == -(-packed(32 * 2 * 8 * 128 * 3, bits, group, 13) // 8)
    assert quantised_cache.nbytes("llama-3-8b", 0, bits, group) == 0


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_rounding_equals_torchs_fake_quantisation(bits: int) -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).standard_normal((6, 40))
    for axis in (0, 1):
        found = quantised_cache.quantise(values, bits, axis)
        rows = values if axis == 1 else values.T
        for row, read in zip(rows, found if axis == 1 else found.T, strict=True):
            step = (row.max() - row.min()) / (2**bits - 1)
            expected = torch.fake_quantize_per_tensor_affine(
                torch.from_numpy(row - row.min()).float(), step, 0, 0, 2**bits - 1
            )
            assert np.allclose(read - row.min(), expected.numpy(), atol=1e-5)


@witnesses("quantised_cache.error_by_axis", "quantised_cache.channel_scales_survive_outliers")
def test_errors_equal_those_of_scales_found_in_a_loop() -> None:
    rng = np.random.default_rng(4)
    keys = rng.standard_normal((20, 9))
    keys[:, :2] *= 12.0
    errors: dict[str, list[float]] = {"per_token": [], "per_channel": []}
    for token in range(20):
        for channel in range(2, 9):
            value = keys[token, channel]
            for name, line in (("per_token", keys[token]), ("per_channel", keys[:, channel])):
                levels = np.linspace(line.min(), line.max(), 8)
                errors[name].append(float(np.abs(levels - value).min() ** 2))
    found = quantised_cache.error_by_axis(3, 2, 12.0, 20, 9, 4)
    assert found["per_token"] == pytest.approx(np.mean(errors["per_token"]))
    assert found["per_channel"] == pytest.approx(np.mean(errors["per_channel"]))
    flat = np.sort(np.abs(keys).ravel())
    assert found["peak"] == pytest.approx(flat[-1] / ((flat[89] + flat[90]) / 2))
    named = quantised_cache.error_by_axis(2, 3, 30.0, 256, 128, 0)
    assert quantised_cache.error_by_axis() == named
    assert quantised_cache.error_by_axis(tokens=2)["per_channel"] == pytest.approx(0, abs=1e-20)
    assert quantised_cache.error_by_axis(2, 0)["peak"] < 10 < named["peak"]
    assert quantised_cache.error_by_axis(outliers=1, channels=2)["per_channel"] > 0


def test_scales_along_the_wrong_axis_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"bits": "2, 4", "outliers": 3, "size": 30.0, "seeds": 3}
    assert quantised_cache.channel_scales_survive_outliers() == tried
    asked = []
    right = quantised_cache.error_by_axis

    def records(bits: int, outliers: int, size: float, seed: int) -> dict[str, float]:
        asked.append((bits, outliers, seed))
        return right(bits, outliers, size, seed=seed)

    monkeypatch.setattr(quantised_cache, "error_by_axis", records)
    quantised_cache.channel_scales_survive_outliers((2,), seeds=2)
    assert asked == [(2, 3, 0), (2, 0, 0), (2, 3, 1), (2, 0, 1)]

    def gives(spoilt: float, plain: float) -> None:
        monkeypatch.setattr(
            quantised_cache,
            "error_by_axis",
            lambda bits, outliers, size, seed: {
                "per_channel": 2.0,
                "per_token": 2 * (spoilt if outliers else plain),
            },
        )

    gives(10.5, 1.9)
    quantised_cache.channel_scales_survive_outliers()
    for spoilt, plain, message in ((9.5, 1.9, "2 bits: "), (10, 1.9, "2 bits: "), (11, 2.0, "no outliers")):
        gives(spoilt, plain)
        with pytest.raises(AssertionError, match=message):
            quantised_cache.channel_scales_survive_outliers()


@pytest.mark.parametrize(
    "call",
    [
        lambda: quantised_cache.bits_per_value(0, 1),
        lambda: quantised_cache.bits_per_value(1.5, 1),  # type: ignore[arg-type]
        lambda: quantised_cache.bits_per_value(1, 0),
        lambda: quantised_cache.bits_per_value(1, 1, -1),
        lambda: quantised_cache.bits_per_value(1, 1, 1, -1),
        lambda: quantised_cache.saving(1, 1, from_bits=0),
        lambda: quantised_cache.nbytes("llama-3-8b", -1, 1, 1),
        lambda: quantised_cache.nbytes("llama-3-8b", 1, 0, 1),
        lambda: quantised_cache.nbytes("llama-3-8b", 1, 1, 0),
        lambda: quantised_cache.nbytes("llama-3-8b", 1, 1, 1, -1),
        lambda: quantised_cache.nbytes("llama-3-8b", 1, 1, 1, 1, -1),
        lambda: quantised_cache.nbytes("llama-3-8b", 1, 1, 1, full_precision_tokens=-1),
        lambda: quantised_cache.error_by_axis(0),
        lambda: quantised_cache.error_by_axis(outliers=-1),
        lambda: quantised_cache.error_by_axis(outliers=128),
        lambda: quantised_cache.error_by_axis(size=0),
        lambda: quantised_cache.error_by_axis(tokens=1),
        lambda: quantised_cache.error_by_axis(outliers=0, channels=1),
        lambda: quantised_cache.error_by_axis(seed=-1),
        lambda: quantised_cache.nbytes("llama-3-8b", 1.5, 1, 1),  # type: ignore[arg-type]
        lambda: quantised_cache.nbytes("llama-3-8b", 1, 1, 1, full_precision_tokens=1.5),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        call()  # type: ignore[operator]
