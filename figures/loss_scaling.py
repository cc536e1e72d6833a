"""Figures of loss scaling."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import formats, rounding


@figure
def window() -> Any:
    """Spread of gradients against what fp16 holds: half are lost unscaled, hardly any scaled by 1,024."""
    import math

    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    cut, edge = formats.zeroed_below("fp16"), formats.overflow_edge("fp16")
    normal = formats.info("fp16")["normal"]
    middle, spread = math.log2(cut), 3.0
    for scale, colour, name in ((1, "C1", "as they are"), (1024, "C0", "times 1,024")):
        centre = middle + math.log2(scale)
        places = [centre + spread * i / 20 for i in range(-70, 71)]
        heights = [math.exp(-(((x - centre) / spread) ** 2) / 2) for x in places]
        ax.plot(places, heights, color=colour, linewidth=2.2)
        lost = sum(x <= middle for x in places)  # those on the left
        ax.fill_between(places[:lost], heights[:lost], color=colour, alpha=0.35)
        share = rounding.underflow_share(cut, spread, scale=scale)
        label = f"{name}:\n{100 * share:.2g}% lost"
        ax.annotate(
            label,
            (centre + (-3.4 if scale == 1 else 3.4), 0.86),
            color=colour,
            ha="right" if scale == 1 else "left",
        )
    for place, name, ha in ((middle, "zero", "right"), (math.log2(edge), "∞", "left")):
        ax.axvline(place, color="C2", linewidth=1.6)
        ax.annotate(name, (place + (-0.7 if ha == "right" else 0.6), 0.06), color="C2", ha=ha)
    ax.axvline(math.log2(normal), color="C2", linestyle=":", linewidth=1.4)
    ax.annotate("normal numbers →", (math.log2(normal) + 6, 0.35), color="C2")
    ax.set(xlabel="size of a gradient", ylabel="how many", xlim=(-42, 20), ylim=(0, 1.12), yticks=[])
    marks = (-40, -30, -20, -10, 0, 10)
    ax.set_xticks(marks, [f"2$^{{{m}}}$".replace("-", "−") for m in marks])
    return fig
