"""Sums and updates in narrow formats: what is lost, and what compensation and chance bring back."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, formats
from verifiers.formats import Format


def neighbours(number: Fraction, fmt: Format) -> tuple[Fraction, Fraction]:
    """The two numbers of the format around a number; twice the number itself where it is one of them."""
    step = formats.quantum(abs(number), fmt)
    low, high = (whole(number / step) * step for whole in (math.floor, math.ceil))
    if max(abs(low), abs(high)) > formats.decode(fmt.largest_code, fmt):
        raise ValueError(f"{float(number)} leaves the range of the format")
    return low, high


def chances(number: Fraction, fmt: Format) -> tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]:
    """The neighbours, low and high, each with the probability that stochastic rounding takes it."""
    low, high = neighbours(number, fmt)
    up = (number - low) / (high - low) if high > low else Fraction(1)
    return (low, 1 - up), (high, up)


@verifier
def lost_update(dtype: str, weight: float, upwards: bool = True) -> float:
    """The largest update in a direction that leaves a weight of a format as it was.

    Formula: half the distance to the next number in that direction, which below a power of two is half
    that above; the tie itself is lost where the weight's last bit is even.
    Unit: 1
    Source: micikevicius2018
    """
    arguments.positive(weight=weight)
    fmt = formats.get_format(dtype)
    here = formats.nearest(Fraction(weight), fmt)
    if here is None or not 0 < here < formats.decode(fmt.largest_code, fmt):
        raise ValueError(f"{weight} does not lie inside the range of {dtype}")
    code = formats.encode(here, fmt)
    return float(abs(formats.decode(code + (1 if upwards else -1), fmt) - here) / 2)


@verifier
def stochastic(value: float, dtype: str) -> dict[str, float]:
    """Stochastic rounding of a number: up or down, by chance, so that the mean is the number.

    Formula: up with probability (x − low)/(high − low); mean x, variance (x − low)·(high − x).
    Unit: low=1, high=1, share_up=1, mean=1, deviation=1
    Source: gupta2015
    """
    arguments.finite(value=value)
    x = Fraction(value)
    (low, down), (high, up) = chances(x, formats.get_format(dtype))
    return {
        "low": float(low),
        "high": float(high),
        "share_up": float(up),
        "mean": float(up * high + down * low),
        "deviation": math.sqrt((x - low) * (high - x)),
    }


@verifier
def compensated_updates(dtype: str, weight: float = 1.0, update: float = 1e-4, steps: int = 1000) -> float:
    """A weight kept in a format after equal updates with Kahan's compensation, in the same format.

    Formula: y = round(c − u), w' = round(w + y), c ← round(y − (w' − w)): the part that was lost is added
    to the next update.
    Unit: 1
    Source: kahan1965
    """
    arguments.counts(0, steps=steps, **{"10,000 − steps": 10_000 - steps})
    arguments.finite(weight=weight, update=update)
    fmt = formats.get_format(dtype)

    def kept(number: Fraction) -> Fraction:
        rounded = formats.nearest(number, fmt)
        if rounded is None:
            raise ValueError(f"the weight leaves the range of {dtype}")
        return rounded

    current, lost, change = kept(Fraction(weight)), Fraction(), Fraction(update)
    for _ in range(steps):
        wanted = kept(lost - change)
        moved = kept(current + wanted)
        current, lost = moved, kept(wanted - kept(moved - current))
    return float(current)


@verifier
def underflow_share(median: float, spread: float, dtype: str = "fp16", scale: float = 1.0) -> float:
    """Share of log-normal gradients that a format turns into zero, after scaling by a loss scale.

    Formula: Φ((log2(cut/S) − log2(median))/spread), cut half the smallest subnormal, spread in binades.
    Unit: 1
    Source: micikevicius2018
    """
    arguments.positive(median=median, spread=spread, scale=scale)
    binades = math.log2(formats.zeroed_below(dtype)) - math.log2(scale) - math.log2(median)
    return statistics.NormalDist().cdf(binades / spread)


@verifier
def stochastic_rounding_is_unbiased(
    dtypes: Sequence[str] = ("bf16", "fp16", "fp8_e4m3"),
    weight: float = 1.0,
    update: Fraction | float = 1e-4,
    steps: int = 8,
) -> dict[str, object]:
    """Check that updates rounded by chance sum up in the mean, where rounding to nearest loses them all.

    Formula: E[w_t] = w − t·u, exactly, over all outcomes with their probabilities.
    Unit: check
    Source: gupta2015
    """
    for dtype in dtypes:
        fmt = formats.get_format(dtype)
        start, change = Fraction(weight), Fraction(update)
        outcomes = {start: Fraction(1)}
        for _ in range(steps):
            after: dict[Fraction, Fraction] = {}
            for number, probability in outcomes.items():
                for end, share in chances(number - change, fmt):
                    after[end] = after.get(end, Fraction()) + probability * share
            outcomes = after
        mean = sum(number * probability for number, probability in outcomes.items())
        assert mean == start - steps * change, f"{dtype}: the mean drifts to {float(mean)}"
        assert formats.nearest(start - change, fmt) == start, f"{dtype}: the update is not lost to nearest"
    return {"formats": ", ".join(dtypes), "weight": weight, "update": float(update), "steps": steps}
