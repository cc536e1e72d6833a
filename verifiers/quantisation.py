"""Rounding to integer grids: scale and zero point, error, and what the grid's range costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, formats

Array = np.ndarray[Any, np.dtype[Any]]

SCHEMES = ("symmetric", "affine")
NARROW = ("bf16", "fp16", "fp8_e5m2", "fp8_e4m3")
DISTRIBUTIONS = ("normal", "uniform", "laplace", "one-sided")


def largest_code(bits: int) -> int:
    """Largest code of a symmetric grid: 127 in 8 bits, −128 being left out."""
    arguments.counts(2, bits=bits)
    return (1 << (bits - 1)) - 1


def absmax(values: Array, bits: int, axis: int | None = None) -> Array:
    """Values rounded to symmetric grids, one scale for all or one along `axis`."""
    step = abs(values).max(axis=axis, keepdims=True) / largest_code(bits)
    codes = np.rint(np.divide(values, step, out=np.zeros_like(values), where=step > 0))  # zeros stay zeros
    return np.asarray(codes * step)


def by_group(values: Array, bits: int, group: int) -> Array:
    """Values rounded to symmetric grids, one scale for every `group` neighbours of a row."""
    rows, columns = values.shape
    arguments.divides(columns, group, "columns")
    return absmax(values.reshape(rows * columns // group, group), bits, axis=1).reshape(rows, columns)


def affine_parameters(low: float, high: float, bits: int) -> tuple[float, int]:
    """Scale and zero point that map low to code 0 and high to the largest of `bits` bits."""
    scale = (high - low) / (2**bits - 1)
    return scale, round(-low / scale)


def encode(values: Array, scale: float, zero: int) -> Array:
    return np.rint(values / scale) + zero


def restore(codes: Array, scale: float, zero: int) -> Array:
    return scale * (codes - zero)


def draw(distribution: str, shape: tuple[int, ...], seed: int) -> Array:
    """Independent samples: normal, uniform on ±1, Laplace, or normal with its negative part cut to 0."""
    arguments.one_of("distribution", distribution, DISTRIBUTIONS)
    arguments.counts(0, seed=seed)
    generator = np.random.default_rng(seed)
    if distribution == "uniform":
        return 2 * generator.random(shape) - 1
    if distribution == "laplace":
        return generator.laplace(size=shape)
    normal = generator.standard_normal(shape)
    return normal if distribution == "normal" else np.maximum(normal, 0)


def decibels(values: Array, restored: Array) -> float:
    return float(10 * np.log10((values**2).sum() / ((values - restored) ** 2).sum()))


@verifier
def round_trip(
    value: float, low: float, high: float, bits: int = 8, scheme: str = "affine", include_zero: bool = True
) -> dict[str, float]:
    """Code of a value on an integer grid over a range, and the value that comes back.

    Formula: code = clamp(round(x/s) + z), restored = s·(code − z). Affine: s = (high − low)/(2^b − 1),
    z = round(−low/s), codes 0 … 2^b − 1, the range widened to hold zero unless told not to; symmetric:
    s = max(|low|, |high|)/(2^(b−1) − 1), z = 0.
    Unit: scale=1, zero_point=1, code=1, restored=1
    Source: jacob2018
    """
    arguments.one_of("scheme", scheme, SCHEMES)
    arguments.positive(**{"high - low": high - low})
    arguments.finite(value=value)
    top = largest_code(bits)
    if scheme == "symmetric":
        scale, zero, bottom = max(abs(low), abs(high)) / top, 0, -top
    else:
        if include_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        scale, zero = affine_parameters(low, high, bits)
        bottom, top = 0, 2**bits - 1
    code = min(max(round(value / scale) + zero, bottom), top)
    return {"scale": scale, "zero_point": zero, "code": code, "restored": scale * (code - zero)}


@verifier
def clamped_to_signed(
    bits: int = 8, distribution: str = "normal", samples: int = 100_000, seed: int = 0
) -> dict[str, float]:
    """What happens to affine codes 0 … 2^b − 1 that are stored in a signed integer without a shift.

    Formula: saturated = share of codes above 2^(b−1) − 1; error and right are ‖x̂ − x‖/‖x‖ with and
    without that clamp.
    Unit: saturated=1, error=1, right=1
    Source: definition
    """
    arguments.counts(2, samples=samples)
    top = largest_code(bits)
    values = draw(distribution, (samples,), seed)
    scale, zero = affine_parameters(float(values.min()), float(values.max()), bits)
    codes = encode(values, scale, zero)
    clamped = np.minimum(codes, top)
    size = np.linalg.norm(values)
    errors = [float(np.linalg.norm(restore(c, scale, zero) - values) / size) for c in (clamped, codes)]
    return {"saturated": float((codes > clamped).mean()), "error": errors[0], "right": errors[1]}


@verifier
def one_sided_cost(bits: int = 8) -> float:
    """Factor in mean squared error when data from zero up is put on a symmetric grid, not an affine one.

    Formula: ((2^b − 1)/(2^(b−1) − 1))², the steps' ratio squared: half the symmetric codes go unused.
    Unit: 1
    Source: jacob2018, definition
    """
    return float(((2**bits - 1) / largest_code(bits)) ** 2)


@verifier
def full_scale_sqnr(bits: int, signal: str = "uniform") -> float:
    """Signal over quantisation noise, in dB, of a signal that fills the grid's range evenly.

    Formula: step q = range/2^b, noise q²/12; uniform: 20·b·log₁₀2, a sine: 10·log₁₀1.5 more.
    Unit: 1
    Source: bennett1948
    """
    arguments.counts(bits=bits)
    arguments.one_of("signal", signal, ("uniform", "sine"))
    more = {"uniform": 1.0, "sine": 1.5}[signal]
    return 20 * bits * math.log10(2) + 10 * math.log10(more)


@verifier
def group_sqnr(
    bits: int, group: int, distribution: str = "normal", groups: int = 2000, seed: int = 0
) -> float:
    """Signal over quantisation noise, in dB, of random weights with one symmetric scale a group.

    Formula: 10·log₁₀(Σ w²/Σ (w − ŵ)²), ŵ = s·round(w/s), s = max |w| of the group/(2^(b−1) − 1).
    Unit: 1
    Source: definition
    """
    arguments.counts(2, group=group)
    arguments.counts(groups=groups)
    values = draw(distribution, (groups, group), seed)
    return decibels(values, by_group(values, bits, group))


def magnitudes(dtype: str) -> Array:
    """All numbers of a floating-point format from zero up."""
    fmt = formats.get_format(dtype)
    return np.array([float(formats.decode(code, fmt)) for code in range(fmt.largest_code + 1)])


@verifier
def float_error(dtype: str, samples: int = 100_000, seed: int = 0) -> float:
    """Relative RMS error of normal values rounded to a floating-point format of at most 16 bits.

    Formula: ‖x̂ − x‖/‖x‖, x̂ the number of the format nearest to x.
    Unit: 1
    Source: definition
    """
    arguments.one_of("format of at most 16 bits", dtype, NARROW)
    arguments.counts(2, samples=samples)
    grid = magnitudes(dtype)
    sizes = abs(draw("normal", (samples,), seed))
    nearest = grid[np.searchsorted((grid[1:] + grid[:-1]) / 2, sizes)]
    return float(np.linalg.norm(nearest - sizes) / np.linalg.norm(sizes))


@verifier
def error_is_uniform_within_half_a_step(
    bits: int = 8, samples: int = 20_000, seeds: int = 4, margin: float = 0.04, rounding: float = 1e-9
) -> dict[str, object]:
    """Check that rounding to an affine grid errs by at most half a step, with mean square s²/12.

    Formula: |x̂ − x| ≤ s/2 and mean (x̂ − x)² ≈ s²/12 for data much wider than the step.
    Unit: check
    Source: bennett1948
    """
    for seed in range(seeds):
        values = draw("normal", (samples,), seed)
        scale, zero = affine_parameters(float(values.min()), float(values.max()), bits)
        error = restore(encode(values, scale, zero), scale, zero) - values
        worst = float(abs(error).max()) / scale
        assert math.isclose(max(worst, 0.5), 0.5, rel_tol=rounding), f"errs by {worst} steps"
        evenness = 12 * float((error**2).mean()) / scale**2
        assert math.isclose(evenness, 1, rel_tol=margin), f"12·MSE/s² is {evenness}"
    return {"bits": bits, "samples": samples, "seeds": seeds, "margin": margin}


@verifier
def zero_is_exact(
    ranges: tuple[tuple[float, float], ...] = ((-1.0, 2.0), (5.0, 6.0), (-3.0, -1.0), (-0.1, 7.3)),
    bits: tuple[int, ...] = (4, 8),
) -> dict[str, object]:
    """Check that 0.0 comes back as exactly 0.0 where the affine range holds zero.

    Formula: z = round(−low/s) is an integer code, so restored(z) = s·(z − z) = 0; a range without zero
    puts z outside the codes, and 0.0 comes back as the end of the range.
    Unit: check
    Source: jacob2018
    """
    for low, high in ranges:
        for width in bits:
            held = round_trip(0.0, low, high, width)["restored"]
            assert held == 0, f"zero comes back as {held} on [{low}, {high}] in {width} bits"
            bare = round_trip(0.0, low, high, width, include_zero=False)["restored"]
            assert (bare == 0) == (low <= 0 <= high), f"[{low}, {high}] restores zero as {bare}"
    return {"ranges": str(ranges), "bits": ", ".join(map(str, bits))}
