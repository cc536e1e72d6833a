"""Absolute positions: sinusoids and what their dot products tell of distance, and learned tables."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, listed

Array = npt.NDArray[np.float64]


def frequencies(width: int, base: float) -> Array:
    """Angle per position of every pair, base^(-2i/width), [width / 2]."""
    arguments.divides(width, 2, "dimensions")
    arguments.positive(base=base)
    return np.asarray(base ** (-np.arange(0, width, 2) / width))


def sinusoids(positions: Array, width: int, base: float) -> Array:
    """Encodings [n, width / 2, 2] of positions [n]: sine and cosine of every pair's angle."""
    angles = np.multiply.outer(positions, frequencies(width, base))
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1)


@verifier
def wavelength(pair: int, width: int, base: float = 10_000.0) -> float:
    """Positions in one turn of a pair of dimensions, pairs counted from zero.

    Formula: 2π · base^(2 · pair / width).
    Unit: 1
    Source: vaswani2017
    """
    speeds = frequencies(width, base)
    arguments.counts(0, pair=pair, **{"pairs after it": len(speeds) - 1 - pair})
    return float(math.tau / speeds[pair])


@verifier
def dot(distance: float, width: int, base: float = 10_000.0) -> float:
    """Dot product of the sinusoids of two positions so far apart, wherever they are.

    Formula: Σ_i cos(distance · base^(-2i/width)); width / 2 at a distance of zero.
    Unit: 1
    Source: definition
    """
    arguments.finite(distance=distance)
    return float(np.cos(distance * frequencies(width, base)).sum())


def dots(distances: int, width: int, base: float) -> Array:
    """Dot products of sinusoids 0, 1, …, `distances` apart."""
    angles = np.multiply.outer(np.arange(distances + 1), frequencies(width, base))
    return np.asarray(np.cos(angles).sum(axis=1))


@verifier
def rises(width: int, distances: int, base: float = 10_000.0) -> int:
    """Steps among the first `distances` by which the sinusoids' dot product grows with distance.

    Unit: 1
    Source: definition
    """
    arguments.counts(distances=distances)
    return int((np.diff(dots(distances, width, base)) > 0).sum())


@verifier
def first_rise(width: int, distances: int, base: float = 10_000.0) -> int:
    """Smallest distance whose dot product exceeds that of the distance before; 0 if it never does.

    Unit: 1
    Source: definition
    """
    arguments.counts(distances=distances)
    rising = np.diff(dots(distances, width, base)) > 0
    return int(np.append(False, rising).argmax())


@verifier
def linear_fit(width: int, positions: int, base: float = 10_000.0) -> float:
    """Share of the sinusoids' variance that a straight line in the position explains (R²).

    Formula: Σ cov(x, position)² / var(position) over Σ var(x), sums over all dimensions.
    Unit: 1
    Source: definition
    """
    arguments.counts(2, positions=positions)
    places = np.arange(positions, dtype=float)
    encodings = sinusoids(places, width, base).reshape(positions, width)
    encodings = encodings - encodings.mean(axis=0)
    # the encodings are centred, so that the mean of the places would add nothing to the product
    along = places / np.linalg.norm(places - places.mean())
    return float(((along @ encodings) ** 2).sum() / (encodings**2).sum())


def rotation(angle: Array) -> Array:
    """Rotations [n, 2, 2] that add angles [n] to a sine and a cosine."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.moveaxis(np.array([[cosine, sine], [-sine, cosine]]), -1, 0)


@verifier
def shift_is_one_rotation_everywhere(
    width: int = 64,
    shifts: tuple[int, ...] = (1, 9, 100),
    positions: int = 50,
    base: float = 10_000.0,
    tolerance: float = 1e-12,
) -> dict[str, int | float | str]:
    """Check that moving on by k multiplies every pair by one rotation, the same at all positions.

    Formula: sin(w(p + k)) = sin wp · cos wk + cos wp · sin wk; cos(w(p + k)) = cos wp · cos wk - sin wp · sin wk.
    Unit: check
    Source: vaswani2017
    """
    places = np.arange(positions, dtype=float)
    before = sinusoids(places, width, base)
    for shift in shifts:
        turned = np.einsum("wab,pwb->pwa", rotation(shift * frequencies(width, base)), before)
        agree(turned, sinusoids(places + shift, width, base), tolerance, f"the shift by {shift}")
    return {"width": width, "shifts": listed(shifts), "positions": positions, "tolerance": tolerance}


@verifier
def dot_depends_on_distance_only(
    width: int = 64,
    distances: tuple[int, ...] = (0, 1, 10, 100),
    positions: int = 50,
    base: float = 10_000.0,
    tolerance: float = 1e-12,
) -> dict[str, int | float | str]:
    """Check that the dot product of two sinusoids is a sum of cosines of their distance.

    Each product of two sines or cosines is half a cosine of the distance and half one of the sum of the places;
    the latter cancel.

    Formula: sin a · sin b + cos a · cos b = cos(a - b).
    Unit: check
    Source: definition
    """
    table = sinusoids(np.arange(positions + max(distances), dtype=float), width, base)
    for distance in distances:
        products = np.einsum("pwa,pwa->p", table[:positions], table[distance : distance + positions])
        agree(products, dot(distance, width, base), tolerance, f"the product at {distance}")
    return {"width": width, "distances": listed(distances), "positions": positions, "tolerance": tolerance}


@verifier
def learned_parameters(positions: int, width: int) -> int:
    """Parameters of a table of learned positions; there is no row for a position beyond it.

    Formula: positions · width.
    Unit: param
    Source: radford2019
    """
    arguments.counts(positions=positions, width=width)
    return positions * width
