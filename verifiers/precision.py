"""Mixed precision: lost updates, loss scaling and bytes per parameter."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import formats


@verifier
def after_updates(dtype: str, weight: float = 1.0, update: float = 1e-4, steps: int = 1000) -> float:
    """A weight kept in a format after equal updates, each rounded to that format.

    Formula: w ← round(w − u), `steps` times.
    Unit: 1
    Source: micikevicius2018
    """
    fmt = formats.get_format(dtype)
    if not 0 <= steps <= 100_000:
        raise ValueError("steps must lie between 0 and 100,000")
    current = formats.nearest(Fraction(weight), fmt)
    for _ in range(steps):
        if current is None:
            raise ValueError(f"the weight leaves the range of {dtype}")
        moved = formats.nearest(current - Fraction(update), fmt)
        if moved == current:  # stuck for good: every later step is the same
            break
        current = moved
    if current is None:
        raise ValueError(f"the weight leaves the range of {dtype}")
    return float(current)


@verifier
def running_sum(dtype: str, terms: int) -> float:
    """The sum of ones added one at a time in a format.

    Formula: s ← round(s + 1); it stops at 2^(m+1), where the spacing is 2 and the tie goes back.
    Unit: 1
    Source: definition
    """
    fmt = formats.get_format(dtype)
    if not 0 <= terms <= 10**9:
        raise ValueError("terms must lie between 0 and 1e9")
    total = Fraction(0)
    for _ in range(terms):
        moved = formats.nearest(total + 1, fmt)
        if moved is None or moved == total:
            break
        total = moved
        if total == 2**20:
            raise ValueError(f"{dtype} holds more ones than this sums; ask for fewer terms")
    return float(total)


@verifier
def max_scale(gradient: float, dtype: str = "fp16") -> int:
    """The largest power of two by which a gradient can be scaled without overflow.

    Formula: the largest 2^k for which |g|·2^k rounds to a finite number.
    Unit: 1
    Source: micikevicius2018
    """
    if not gradient or not math.isfinite(gradient):
        raise ValueError("gradient must be finite and not zero")
    fmt = formats.get_format(dtype)
    size = abs(Fraction(gradient))
    k = formats.exponent_of(formats.decode(fmt.largest_code, fmt) / size)
    # just past the largest number some still round back to it
    k += formats.nearest(size * formats.power_of_two(k + 1), fmt) is not None
    if k < 0:
        raise ValueError(f"{gradient} overflows {dtype} without any scale")
    return 1 << k


def unscale(gradient: Fraction, scale: int, fmt: formats.Format) -> Fraction | None:
    """A gradient as the optimiser sees it: scaled, rounded to the format, divided in fp32."""
    scaled = formats.nearest(gradient * scale, fmt)
    return None if scaled is None else scaled / scale


@verifier
def gradient_seen(gradient: float, scale: int, dtype: str = "fp16") -> float:
    """A gradient as the optimiser sees it after scaling, rounding and unscaling.

    Formula: round(S·g)/S, the division in fp32 or wider.
    Unit: 1
    Source: micikevicius2018
    """
    if scale < 1 or scale & (scale - 1):
        raise ValueError("the scale is a power of two")
    seen = unscale(Fraction(gradient), scale, formats.get_format(dtype))
    if seen is None:
        raise ValueError(f"{gradient} times {scale} overflows {dtype}")
    return float(seen)


@verifier
def scaling_is_lossless() -> dict[str, object]:
    """Check that a power-of-two loss scale only moves the exponent.

    Formula: round(S·g)/S = round(g) where both are normal; a g that rounds to zero is kept to
    half an epsilon once S·g is normal; past the largest finite number it overflows.
    Unit: check
    Source: micikevicius2018
    """
    fmt, scale = formats.get_format("fp16"), 2**16
    for k in range(-14, -1):  # normal before scaling, and below 2^16 after it
        for numerator in range(1000, 2001, 7):
            gradient = Fraction(numerator, 1000) * Fraction(2) ** k
            assert unscale(gradient, scale, fmt) == formats.nearest(gradient, fmt), (
                f"scaling changed the mantissa of {float(gradient)}"
            )
    for numerator in range(101, 1000, 7):
        tiny = Fraction(numerator, 1000) * Fraction(2) ** -25
        kept = unscale(tiny, scale, fmt)
        assert formats.nearest(tiny, fmt) == 0, f"{float(tiny)} does not underflow"
        assert kept is not None and abs(kept / tiny - 1) <= Fraction(1, 2**11), "scaled: lost bits"
    assert unscale(Fraction(2), scale, fmt) is None, "2 · 65,536 should overflow fp16"
    return {"format": "fp16", "scale": scale, "normal": "2^-14 to 2^-1", "tiny": "below 2^-25"}


@verifier
def dynamic_scale(
    gradient: float, steps: int, initial: int = 2**16, interval: int = 2000
) -> dict[str, float]:
    """Run dynamic loss scaling against gradients of a steady largest magnitude.

    Formula: overflow: skip the step and halve the scale; `interval` clean steps in a row: double.
    `first` counts the skips before the first clean step, `share` the skips of all steps.
    Unit: scale=1, skipped=1, first=1, share=1
    Source: micikevicius2018
    """
    if steps < 1 or interval < 1 or initial < 1 or not gradient > 0:
        raise ValueError("gradient, steps, initial and interval must be positive")
    fp16 = formats.get_format("fp16")
    size, scale = Fraction(gradient), Fraction(initial)
    clean = skipped = first = 0
    for step in range(steps):
        if formats.nearest(size * scale, fp16) is None:
            first += skipped == step  # no clean step yet
            scale, clean, skipped = scale / 2, 0, skipped + 1
            continue
        clean += 1
        if clean == interval:
            scale, clean = scale * 2, 0
    return {
        "scale": float(scale),
        "skipped": skipped,
        "first": first,
        "share": skipped / steps,
    }


RECIPES = {
    # (weights, gradients, master weights, Adam's two moments), in bytes per parameter
    "fp32": (4, 4, 0, 8),
    "mixed": (2, 2, 4, 8),
    "mixed_fp32_gradients": (2, 4, 4, 8),
    "pure_16bit": (2, 2, 0, 4),
}


@verifier
def bytes_per_parameter(recipe: str) -> dict[str, int]:
    """Bytes that Adam training holds for each parameter, activations apart.

    Formula: weights + gradients + fp32 master weights + two moments.
    Unit: weights=B/param, gradients=B/param, master=B/param, moments=B/param, total=B/param
    Source: rajbhandari2020
    """
    if recipe not in RECIPES:
        raise ValueError(f"unknown recipe {recipe!r}; one of {', '.join(RECIPES)}")
    weights, gradients, master, moments = parts = RECIPES[recipe]
    return {
        "weights": weights,
        "gradients": gradients,
        "master": master,
        "moments": moments,
        "total": sum(parts),
    }
