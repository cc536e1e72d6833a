"""Longer contexts for rotary positions: interpolation, NTK-aware bases, YaRN, and Llama 3.1's scaling."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, listed
from verifiers.positions import frequencies

Array = npt.NDArray[np.float64]


@verifier
def ntk_base(factor: float, width: int, base: float = 10_000.0) -> float:
    """Base that makes the slowest pair turn `factor` times slower and leaves the fastest alone.

    Formula: base · factor^(width / (width - 2)).
    Unit: 1
    Source: peng2024
    """
    arguments.divides(width, 2, "dimensions")
    arguments.counts(2, pairs=width // 2)
    arguments.positive(factor=factor, base=base)
    return float(base * factor ** (width / (width - 2)))


@verifier
def dynamic_base(tokens: int, trained: int, width: int, factor: float = 1.0, base: float = 10_000.0) -> float:
    """NTK-aware base that grows with the sequence, once it is longer than the trained length.

    A factor of one makes it as long as the sequence needs; transformers lets it grow `factor` times as fast.

    Formula: base · (factor · tokens / trained - (factor - 1))^(width / (width - 2)).
    Unit: 1
    Source: peng2024
    """
    arguments.counts(tokens=tokens, trained=trained)
    arguments.positive(factor=factor)
    return ntk_base(factor * max(tokens, trained) / trained - (factor - 1), width, base)


def turns(width: int, base: float, trained: int) -> Array:
    """Full turns of every pair within the trained length, [width / 2]."""
    return trained * frequencies(width, base) / math.tau


def linear(width: int, base: float, factor: float, trained: int) -> Array:
    """Position interpolation: every pair `factor` times slower."""
    return frequencies(width, base) / factor


def ntk(width: int, base: float, factor: float, trained: int) -> Array:
    """NTK-aware: a larger base."""
    return frequencies(width, ntk_base(factor, width, base))


@verifier
def ramp_bounds(
    width: int, trained: int, base: float = 10_000.0, fast: float = 32.0, slow: float = 1.0
) -> dict[str, int]:
    """Pairs between which YaRN passes from leaving speeds alone to dividing them, both ends included.

    Pairs that turn more than `fast` times within the trained length keep their speed, those that
    turn less than `slow` times are interpolated; the bounds are rounded outwards and, as in the authors' code,
    kept within 0 and width - 1, so that `last` may lie beyond the last pair where none turns so slowly.

    Formula: width · ln(trained / (2π · turns)) / (2 · ln base), rounded down for fast and up for slow.
    Unit: first=1, last=1
    Source: peng2024
    """
    arguments.divides(width, 2, "dimensions")
    arguments.counts(trained=trained)
    arguments.positive(fast=fast, slow=slow, **{"base - 1": base - 1, "fast - slow": fast - slow})
    exact = [width * math.log(trained / (math.tau * n), base) / 2 for n in (fast, slow)]
    first, last = max(math.floor(exact[0]), 0), min(math.ceil(exact[1]), width - 1)
    arguments.counts(**{"last - first": last - first})
    return {"first": first, "last": last}


def yarn(width: int, base: float, factor: float, trained: int) -> Array:
    """NTK-by-parts, as YaRN uses it: slow pairs interpolated, fast ones not, a ramp between."""
    bounds = ramp_bounds(width, trained, base)
    steps = bounds["last"] - bounds["first"]
    speeds = frequencies(width, base)
    slowed = np.clip((np.arange(len(speeds)) - bounds["first"]) / steps, 0, 1)
    return speeds / factor * slowed + speeds * (1 - slowed)


def llama3(
    width: int, base: float, factor: float, trained: int, slow: float = 1.0, fast: float = 4.0
) -> Array:
    """Llama 3.1's, by its reference code: the ramp is linear in the turns instead of in the pair's number."""
    kept = np.clip((turns(width, base, trained) - slow) / (fast - slow), 0, 1)
    speeds = frequencies(width, base)
    return speeds * kept + speeds / factor * (1 - kept)


METHODS: dict[str, Callable[[int, float, float, int], Array]] = {
    "none": lambda width, base, factor, trained: frequencies(width, base),
    "linear": linear,
    "ntk": ntk,
    "yarn": yarn,
    "llama3": llama3,
}


def speeds_of(method: str, width: int, base: float, factor: float, trained: int) -> Array:
    """Angles per position of all pairs under a method, [width / 2]."""
    arguments.counts(trained=trained)
    arguments.positive(factor=factor)
    return METHODS[arguments.one_of("method", method, METHODS)](width, base, factor, trained)


@verifier
def angle(
    pair: int,
    position: float,
    width: int = 128,
    method: str = "none",
    factor: float = 1.0,
    trained: int = 4096,
    base: float = 10_000.0,
) -> float:
    """Radians by which a pair is turned at a position, pairs counted from zero, the fastest first.

    `method` is "none", "linear", "ntk", "yarn" or "llama3"; `factor` is how many times longer the
    context becomes than the `trained` one.

    Unit: 1
    Source: su2021, chen2023pi, peng2024, llamamodels2024
    """
    speeds = speeds_of(method, width, base, factor, trained)
    arguments.finite(position=position)
    arguments.counts(0, pair=pair, **{"pairs after it": len(speeds) - 1 - pair})
    return float(position * speeds[pair])


@verifier
def slowdown(
    pair: int,
    method: str,
    factor: float,
    width: int = 128,
    trained: int = 4096,
    base: float = 10_000.0,
) -> float:
    """How many times slower a pair turns under a method than as trained.

    Unit: 1
    Source: chen2023pi, peng2024, llamamodels2024
    """
    return angle(pair, 1.0, width, "none", factor, trained, base) / angle(
        pair, 1.0, width, method, factor, trained, base
    )


@verifier
def turns_within(pair: int, trained: int, width: int = 128, base: float = 10_000.0) -> float:
    """Full turns that a pair makes within the trained length; below one, some angles are never seen.

    Formula: trained · base^(-2 · pair / width) / 2π.
    Unit: 1
    Source: peng2024
    """
    return angle(pair, trained, width, trained=trained, base=base) / math.tau


@verifier
def yarn_attention_factor(factor: float) -> float:
    """What YaRN multiplies queries and keys by each, so that scores grow by its square.

    Formula: 0.1 · ln factor + 1, and 1 where the context is not extended.
    Unit: 1
    Source: peng2024
    """
    arguments.positive(factor=factor)
    return 0.1 * math.log(max(factor, 1.0)) + 1


@verifier
def yarn_temperature(factor: float) -> float:
    """Temperature of the softmax that YaRN's factor on queries and keys amounts to, at most one.

    Formula: 1 / (0.1 · ln factor + 1)².
    Unit: 1
    Source: peng2024
    """
    return 1 / yarn_attention_factor(factor) ** 2


@verifier
def slowest_pair_ends_at_its_trained_angle(
    methods: tuple[str, ...] = ("linear", "ntk", "yarn", "llama3"),
    factors: tuple[float, ...] = (2, 8, 32),
    width: int = 128,
    trained: int = 4096,
    base: float = 10_000.0,
    tolerance: float = 1e-12,
) -> dict[str, str | int]:
    """Check that the slowest pair's angle at the end of the longer context is the trained one's at its end.

    Unscaled, it goes `factor` times as far. Under "ntk" that holds of the slowest pair alone: the ones before
    it are slowed down less than `factor` times.

    Unit: check
    Source: chen2023pi, peng2024
    """
    end = frequencies(width, base)[-1] * trained
    for factor in factors:
        for method in methods:
            last = speeds_of(method, width, base, factor, trained)[-1] * factor * trained
            agree(last / end, 1, tolerance, f"{method} × {factor}: the last angle")
    return {"methods": ", ".join(methods), "factors": listed(factors), "width": width, "trained": trained}
