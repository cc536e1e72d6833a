"""Figures of tiled attention."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import attention_cost


@figure
def memory() -> Any:
    """Bytes kept for the backward by one head against length: quadratic, or linear when tiled."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lengths = [2**n for n in range(10, 18)]
    series = (
        (False, "C0", "weights kept", (1300, 1.6)),
        (True, "C1", "tiled", (8_500, 0.0032)),
    )
    for tiled, colour, name, place in series:
        sizes = [attention_cost.saved_bytes(n, 128, tiled=tiled) / 1e9 for n in lengths]
        ax.plot(lengths, sizes, color=colour, linewidth=2.2, marker="o", markersize=4)
        ax.annotate(f"{name}: {sizes[-1]:.3g} GB at 128k", place, color=colour)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="tokens (k = 1,024)", ylabel="kept for one head (GB)")
    ticks = lengths[::2] + lengths[-1:]
    ax.set_xticks(ticks, [f"{n // 1024}k" for n in ticks])
    return fig
