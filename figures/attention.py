"""Figures of attention scores."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import attention


@figure
def saturation() -> Any:
    """Largest of 32 attention weights against head width: only the square root keeps it level."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    widths = [4**n for n in range(6)]
    series = (
        ("none", "C0", "no scale", (200, 0.74)),
        ("sqrt", "C1", r"divided by $\sqrt{d_k}$", (60, 0.21)),
        ("linear", "C2", r"divided by $d_k$", (60, 0.09)),
    )
    for scale, colour, name, place in series:
        tops = [attention.saturation(d, keys=32, scale=scale)["top"] for d in widths]
        ax.plot(widths, tops, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set_xscale("log", base=2)
    ax.set(xlabel="head dimension $d_k$", ylabel="mean largest weight (share)")
    ax.set(xlim=(1, 1024), ylim=(0, 1))
    ax.set_xticks(widths, [str(d) for d in widths])
    return fig
