"""What a few large values cost an integer grid, and what finer scales or a split save."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.quantisation import absmax, by_group, largest_code

Array = np.ndarray[Any, np.dtype[Any]]
Product = Callable[[Array, Array], Array]


def outlier_activations(
    tokens: int, channels: int, outputs: int, outliers: int, factor: float, seed: int
) -> tuple[Array, Array]:
    """Normal activations [tokens, channels], the first `outliers` channels `factor` times as large, and
    weights [channels, outputs]."""
    arguments.counts(2, tokens=tokens, channels=channels, outputs=outputs)
    arguments.counts(0, outliers=outliers, seed=seed)
    arguments.positive(factor=factor)
    if outliers > channels:
        raise ValueError(f"{outliers} outlier channels do not fit into {channels}")
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((tokens, channels))
    x[:, :outliers] *= factor
    return x, generator.standard_normal((channels, outputs))


def relative_error(result: Array, expected: Array) -> float:
    return float(np.linalg.norm(result - expected) / np.linalg.norm(expected))


def vector_wise(bits: int) -> Product:
    """The product of integer-rounded matrices, one scale for every row of x and every column of w."""
    return lambda x, w: np.asarray(absmax(x, bits, axis=1) @ absmax(w, bits, axis=0))


def decomposed(x: Array, w: Array, large: Array, product: Product) -> Array:
    """X·W with the `large` channels multiplied unrounded and the others by `product`."""
    return np.asarray(x[:, large] @ w[large] + product(x[:, ~large], w[~large]))


def split(x: Array, threshold: float) -> Array:
    """Which channels hold a value of at least the threshold."""
    return np.asarray(abs(x).max(axis=0) >= threshold)


@verifier
def bits_lost(ratio: float) -> float:
    """Bits of resolution that the rest of a tensor loses to one value `ratio` times its own largest.

    Formula: log₂ ratio, as the step of an absmax grid grows by the ratio.
    Unit: bit
    Source: dettmers2022int8, definition
    """
    arguments.positive(ratio=ratio)
    if ratio < 1:
        raise ValueError(f"an outlier is at least as large as the rest, not {ratio} times")
    return math.log2(ratio)


@verifier
def codes_left(ratio: float, bits: int = 8) -> int:
    """Codes of a symmetric grid that are left for the other values beside an outlier.

    Formula: 2·round(q/ratio) + 1, q = 2^(b−1) − 1.
    Unit: 1
    Source: definition
    """
    bits_lost(ratio)
    return 2 * round(largest_code(bits) / ratio) + 1


@verifier
def granularity(
    bits: int = 8,
    outliers: int = 3,
    factor: float = 30.0,
    channels: int = 256,
    group: int = 64,
    tokens: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Relative rounding error of activations with outlier channels, by what shares a scale.

    Formula: ‖X̂ − X‖/‖X‖ over the ordinary channels, symmetric grids; scales for the tensor, for
    each token (row), for each group of a row, for each channel (column).
    Unit: tensor=1, token=1, group=1, channel=1
    Source: xiao2023, dettmers2022int8
    """
    x, _ = outlier_activations(tokens, channels, tokens, outliers, factor, seed)
    arguments.counts(**{"ordinary channels": channels - outliers})
    restored = {
        "tensor": absmax(x, bits),
        "token": absmax(x, bits, axis=1),
        "group": by_group(x, bits, group),
        "channel": absmax(x, bits, axis=0),
    }
    return {name: relative_error(values[:, outliers:], x[:, outliers:]) for name, values in restored.items()}


@verifier
def llm_int8(
    bits: int = 8,
    outliers: int = 3,
    factor: float = 30.0,
    channels: int = 256,
    threshold: float = 6.0,
    outputs: int = 128,
    tokens: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Relative error of an integer matrix product, without and with outlier channels kept apart.

    Formula: plain = error of X̂·Ŵ, a scale a row of X and a column of W; decomposed = the same without the
    channels that hold a value ≥ threshold, these multiplied unrounded; share = those channels.
    Unit: plain=1, decomposed=1, share=1
    Source: dettmers2022int8
    """
    arguments.positive(threshold=threshold)
    x, w = outlier_activations(tokens, channels, outputs, outliers, factor, seed)
    large = split(x, threshold)
    if large.all():
        raise ValueError("every channel is an outlier at this threshold")
    exact = x @ w
    rounded = vector_wise(bits)
    return {
        "plain": relative_error(rounded(x, w), exact),
        "decomposed": relative_error(decomposed(x, w, large, rounded), exact),
        "share": float(large.mean()),
    }


@verifier
def kept_weights(
    bits: int = 4,
    outliers: int = 3,
    factor: float = 30.0,
    channels: int = 256,
    outputs: int = 128,
    tokens: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Relative output error when weights are rounded, all or but those of the outlier input channels.

    Formula: ‖X·Ŵ − X·W‖/‖X·W‖ with one scale an output; kept leaves the rows of W for the outlier channels
    unrounded, random as many others; share = the rows kept.
    Unit: rounded=1, kept=1, random=1, share=1
    Source: lin2024
    """
    x, w = outlier_activations(tokens, channels, outputs, outliers, factor, seed)
    if 2 * outliers > channels:
        raise ValueError("as many ordinary channels are needed for comparison")
    rounded = absmax(w, bits, axis=0)
    errors = {"rounded": relative_error(x @ rounded, x @ w)}
    for name, rows in (("kept", slice(0, outliers)), ("random", slice(outliers, 2 * outliers))):
        mixed = rounded.copy()
        mixed[rows] = w[rows]
        errors[name] = relative_error(x @ mixed, x @ w)
    return errors | {"share": outliers / channels}


@verifier
def decomposition_is_exact(
    sizes: tuple[int, ...] = (8, 64),
    outliers: int = 3,
    factor: float = 30.0,
    quantiles: tuple[float, ...] = (0.5, 0.9, 1.0),
    seeds: int = 4,
    tolerance: float = 1e-11,
) -> dict[str, object]:
    """Check that a product split by input channels is the whole product.

    Formula: X·W = X[:, S]·W[S] + X[:, S̄]·W[S̄] for every set S of channels.
    Unit: check
    Source: dettmers2022int8
    """
    for size in sizes:
        for seed in range(seeds):
            x, w = outlier_activations(size, size, size, outliers, factor, seed)
            for threshold in np.quantile(abs(x), quantiles):
                whole = decomposed(x, w, split(x, threshold), np.matmul)
                same = np.allclose(whole, x @ w, rtol=tolerance, atol=tolerance)
                assert same, "the split loses a part"
    return {"sizes": ", ".join(map(str, sizes)), "seeds": seeds, "tolerance": tolerance}
