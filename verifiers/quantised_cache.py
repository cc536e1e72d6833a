"""Caches stored in few bits: what scales add, and along which axis to share them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, kv_cache, models, quantised_size

Array = npt.NDArray[np.float64]


@verifier
def bits_per_value(bits: int, group: int, scale_bits: int = 16, zero_bits: int = 16) -> float:
    """Bits that one cached value takes, its share of the group's scale and zero point included.

    Formula: bits + (scale bits + zero bits) / group.
    Unit: bit
    Source: liu2024kivi
    """
    arguments.counts(bits=bits)
    return quantised_size.bits_per_weight(bits, group, scale_bits, zero_bits)


@verifier
def saving(bits: int, group: int, scale_bits: int = 16, zero_bits: int = 16, from_bits: int = 16) -> float:
    """How many times smaller the cache gets.

    Formula: bits before / bits per value after.
    Unit: 1
    Source: liu2024kivi
    """
    arguments.counts(from_bits=from_bits)
    return from_bits / bits_per_value(bits, group, scale_bits, zero_bits)


@verifier
def nbytes(
    model: str,
    tokens: int,
    bits: int,
    group: int,
    scale_bits: int = 16,
    zero_bits: int = 16,
    full_precision_tokens: int = 0,
) -> int:
    """Bytes of one request's quantised cache, its scales and the latest tokens kept in 16 bits.

    Formula: layers · width · (quantised tokens · bits per value + 16 · the rest) / 8, rounded up; a started
    group has a scale and a zero point of its own.
    Unit: B
    Source: liu2024kivi
    """
    arguments.counts(bits=bits, group=group)
    arguments.counts(0, scale_bits=scale_bits, zero_bits=zero_bits)
    arguments.counts(0, tokens=tokens, full_precision_tokens=full_precision_tokens)
    whole = min(tokens, full_precision_tokens)
    values = models.get(model).layers * kv_cache.width(model) * (tokens - whole)
    groups = -(-values // group)
    stored = values * bits + groups * (scale_bits + zero_bits)
    return -(-stored // 8) + kv_cache.nbytes(model, whole)


def quantise(values: Array, bits: int, axis: int) -> Array:
    """Round to 2^bits levels between the extremes along an axis, and return what is read back."""
    low, high = values.min(axis=axis, keepdims=True), values.max(axis=axis, keepdims=True)
    step = (high - low) / (2**bits - 1)
    return np.asarray(np.rint((values - low) / step) * step + low)


def outlying_keys(tokens: int, channels: int, outliers: int, size: float, seed: int) -> Array:
    """Draw keys [tokens, channels], the first channels `size` times as large as the others."""
    keys = np.random.default_rng(seed).standard_normal((tokens, channels))
    keys[:, :outliers] *= size
    return keys


@verifier(tolerance=1e-6)
def error_by_axis(
    bits: int = 2,
    outliers: int = 3,
    size: float = 30.0,
    tokens: int = 256,
    channels: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Mean squared error on the ordinary channels of keys, with one scale a token or one a channel.

    Formula: mean (k̂ − k)² over the channels that are not outliers, which have variance one; k̂ the nearest of
    2^b levels from min to max along the axis. `peak` is the largest magnitude over the median one.
    Unit: per_token=1, per_channel=1, peak=1
    Source: liu2024kivi
    """
    arguments.counts(bits=bits)
    arguments.counts(2, tokens=tokens, channels=channels)
    arguments.counts(0, outliers=outliers, seed=seed)
    arguments.counts(**{"ordinary channels": channels - outliers})
    arguments.positive(size=size)
    keys = outlying_keys(tokens, channels, outliers, size, seed)
    ordinary = keys[:, outliers:]
    errors = {
        name: float(((quantise(keys, bits, axis)[:, outliers:] - ordinary) ** 2).mean())
        for name, axis in (("per_token", 1), ("per_channel", 0))
    }
    return errors | {"peak": float(np.abs(keys).max() / np.median(np.abs(keys)))}


@verifier
def channel_scales_survive_outliers(
    bits: tuple[int, ...] = (2, 4),
    outliers: int = 3,
    size: float = 30.0,
    seeds: int = 3,
    factor: float = 10.0,
    alike: float = 2.0,
) -> dict[str, str | int | float]:
    """Check that outlying channels spoil scales shared by a token's channels, and not those of a channel.

    Formula: error by token > factor · error by channel with outliers, < alike · it without.
    Unit: check
    Source: liu2024kivi
    """
    for width in bits:
        for seed in range(seeds):
            found = error_by_axis(width, outliers, size, seed=seed)
            assert found["per_token"] > factor * found["per_channel"], f"{width} bits: {found}"
            plain = error_by_axis(width, 0, size, seed=seed)
            assert plain["per_token"] < alike * plain["per_channel"], f"{width} bits, no outliers: {plain}"
    return {"bits": ", ".join(map(str, bits)), "outliers": outliers, "size": size, "seeds": seeds}
