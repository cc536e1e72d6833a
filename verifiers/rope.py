"""Rotary positions: rotations of queries and keys whose scores depend on distance alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, listed
from verifiers.positions import frequencies

Array = npt.NDArray[np.float64]


def rotate(x: Array, position: float, base: float) -> Array:
    """Turn each pair of neighbouring components of x [..., d] by its angle at a position."""
    angles = position * frequencies(x.shape[-1], base)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = np.empty_like(x)
    turned[..., 0::2] = even * np.cos(angles) - odd * np.sin(angles)
    turned[..., 1::2] = even * np.sin(angles) + odd * np.cos(angles)
    return turned


def _problem(width: int, seed: int) -> tuple[Array, Array]:
    q, k = np.random.default_rng(seed).standard_normal((2, width))
    return q, k


@verifier
def aligned_score(
    distance: float, width: int, base: float = 10_000.0, first: int = 0, last: int | None = None
) -> float:
    """Mean score of a random vector with itself so far away, over its score with itself in place.

    `first` and `last` pick pairs, fast ones first, and `last` itself is left out.

    Formula: mean of cos(distance · base^(-2i/width)) over the pairs.
    Unit: 1
    Source: su2021
    """
    arguments.finite(distance=distance)
    speeds = frequencies(width, base)
    end = len(speeds) if last is None else last
    arguments.counts(0, first=first, last=end)
    arguments.counts(0, **{"pairs after the last": len(speeds) - end, "last - first - 1": end - first - 1})
    return float(np.cos(distance * speeds[first:end]).mean())


@verifier(tolerance=1e-6)
def random_score_std(distance: float, width: int, base: float = 10_000.0) -> float:
    """Standard deviation of a rotated score over √width, all components independent with variance one.

    The variance of q · R k is the sum of the squares of R's entries, and a rotation leaves it alone.

    Formula: √(Σ R²) / √width = 1.
    Unit: 1
    Source: definition
    """
    arguments.finite(distance=distance)
    arguments.counts(width=width)
    turned = rotate(np.eye(width), distance, base)
    return float(np.linalg.norm(turned) / np.sqrt(width))


@verifier
def favourite_distance(turned: float, width: int, reach: int, base: float = 10_000.0) -> int:
    """Distance, of 0 to `reach`, of the largest mean score of a random query with itself turned back.

    Formula: argmax over k of Σ_i cos((k - turned) · base^(-2i/width)).
    Unit: 1
    Source: definition
    """
    arguments.counts(reach=reach)
    arguments.finite(turned=turned)
    gaps = np.arange(reach + 1) - turned
    return int(np.cos(np.multiply.outer(gaps, frequencies(width, base))).sum(axis=1).argmax())


@verifier
def scores_depend_on_distance_only(
    width: int = 64,
    positions: tuple[tuple[int, int], ...] = ((5, 2), (10, 3), (3, 10)),
    shifts: tuple[int, ...] = (7, 100, 1000),
    base: float = 10_000.0,
    seed: int = 0,
    tolerance: float = 1e-10,
) -> dict[str, int | float | str]:
    """Check that q at m scores with k at n as it does with both moved on by any shift.

    Formula: (R_m q) · (R_n k) = q · R_{n - m} k.
    Unit: check
    Source: su2021
    """
    q, k = _problem(width, seed)
    for m, n in positions:
        score = q @ rotate(k, n - m, base)
        for shift in (0, *shifts):
            moved = rotate(q, m + shift, base) @ rotate(k, n + shift, base)
            agree(moved, score, tolerance, f"the score at {m} and {n}, moved by {shift},")
    return {"width": width, "shifts": listed(shifts), "pairs": len(positions), "tolerance": tolerance}


@verifier
def rotation_keeps_lengths(
    width: int = 64,
    positions: tuple[int, ...] = (1, 100, 10_000),
    base: float = 10_000.0,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, int | float | str]:
    """Check that a rotated vector is as long as before, at any position.

    Unit: check
    Source: su2021
    """
    q, _k = _problem(width, seed)
    for position in positions:
        length = np.linalg.norm(rotate(q, position, base))
        agree(length, np.linalg.norm(q), tolerance, f"the length at {position}")
    return {"width": width, "positions": listed(positions), "tolerance": tolerance}


def rotate_halves(x: Array, position: float, base: float) -> Array:
    """Turn pairs of component i and i + d/2 of x [..., d], the layout of GPT-NeoX and Llama's ports."""
    half = x.shape[-1] // 2
    angles = position * frequencies(x.shape[-1], base)
    first, second = x[..., :half], x[..., half:]
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1)


@verifier
def layouts_differ_by_a_permutation(
    width: int = 64,
    positions: tuple[int, ...] = (0, 3, 1000),
    base: float = 10_000.0,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, int | float | str]:
    """Check that pairing halves is pairing neighbours in another order, and both are complex products.

    Formula: (x_2i + i · x_2i+1) · exp(i · position · w_i).
    Unit: check
    Source: su2021
    """
    q, _k = _problem(width, seed)
    order = np.arange(width).reshape(width // 2, 2).T.ravel()
    for position in positions:
        turned = rotate(q, position, base)
        complex_pairs = q.view(np.complex128) * np.exp(1j * position * frequencies(width, base))
        agree(turned.view(np.complex128), complex_pairs, tolerance, "the complex product")
        agree(rotate_halves(q[order], position, base), turned[order], tolerance, "the other layout")
    return {"width": width, "positions": listed(positions), "tolerance": tolerance}
