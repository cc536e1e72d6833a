"""Mixed precision: lost updates, loss scaling and bytes per parameter."""

from __future__ import annotations

from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, formats


@verifier
def after_updates(dtype: str, weight: float = 1.0, update: float = 1e-4, steps: int = 1000) -> float:
    """A weight kept in a format after equal updates, each rounded to that format.

    Formula: w ← round(w − u), `steps` times.
    Unit: 1
    Source: micikevicius2018
    """
    fmt = formats.get_format(dtype)
    arguments.counts(0, steps=steps, **{"100,000 − steps": 100_000 - steps})
    arguments.finite(weight=weight, update=update)
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

    Formula: s ← round(s + 1); it stops at 2^(m+1), where the spacing is 2 and the tie goes back, or at the
    largest number of a format that saturates before.
    Unit: 1
    Source: definition
    """
    fmt = formats.get_format(dtype)
    arguments.counts(0, terms=terms)
    return float(min(terms, 2 ** (fmt.mantissa + 1), formats.decode(fmt.largest_code, fmt)))


@verifier
def max_scale(gradient: float, dtype: str = "fp16") -> int:
    """The largest power of two by which a gradient can be scaled without overflow.

    Formula: the largest 2^k for which |g|·2^k rounds to a finite number.
    Unit: 1
    Source: micikevicius2018
    """
    arguments.finite(gradient=gradient)
    arguments.positive(**{"the size of gradient": abs(gradient)})
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
    arguments.finite(gradient=gradient)
    arguments.counts(scale=scale)
    if scale & (scale - 1):
        raise ValueError("the scale is a power of two")
    seen = unscale(Fraction(gradient), scale, formats.get_format(dtype))
    if seen is None:
        raise ValueError(f"{gradient} times {scale} overflows {dtype}")
    return float(seen)


@verifier
def scaling_is_lossless(
    dtype: str = "fp16",
    scale: int = 2**16,
    normal: tuple[int, int] = (-14, -1),
    tiny: int = -25,
    numerators: tuple[int, int, int] = (101, 1000, 7),
) -> dict[str, object]:
    """Check that a power-of-two loss scale only moves the exponent.

    Formula: round(S·g)/S = round(g) where both are normal; a g that rounds to zero is kept to
    half an epsilon once S·g is normal; past the largest finite number it overflows.
    Unit: check
    Source: micikevicius2018
    """
    fmt = formats.get_format(dtype)
    *_, whole, _ = numerators
    lowest, highest = normal
    for numerator in range(*numerators):
        for k in range(lowest, highest):  # normal before scaling, and in range after it
            gradient = (1 + Fraction(numerator, whole)) * formats.power_of_two(k)
            assert unscale(gradient, scale, fmt) == formats.nearest(gradient, fmt), (
                f"scaling changed the mantissa of {float(gradient)}"
            )
        below = Fraction(numerator, whole) * formats.power_of_two(tiny)
        kept = unscale(below, scale, fmt)
        assert formats.nearest(below, fmt) == 0, f"{float(below)} does not underflow"
        assert kept, f"{float(below)} is lost in spite of the scale"
        error = abs(kept / below - 1)
        assert error <= Fraction(formats.unit_roundoff(dtype)), f"scaled: lost bits of {float(below)}"
    largest = formats.decode(fmt.largest_code, fmt)
    assert unscale(largest, scale, fmt) is None, f"{float(largest)} · {scale} should overflow {dtype}"
    return {
        "format": dtype,
        "scale": scale,
        "normal": f"2^{lowest} to 2^{highest}",
        "tiny": f"below 2^{tiny}",
    }


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
    arguments.counts(steps=steps, interval=interval, initial=initial)
    arguments.positive(gradient=gradient)
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
    weights, gradients, master, moments = parts = RECIPES[arguments.one_of("recipe", recipe, RECIPES)]
    return {
        "weights": weights,
        "gradients": gradients,
        "master": master,
        "moments": moments,
        "total": sum(parts),
    }
