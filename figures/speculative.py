"""Drawings on speculative decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import speculative

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def speedup() -> Figure:
    """Speed-up against drafts a pass at three rates of acceptance, a draft costing a tenth of a step."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lengths = list(range(0, 13))
    for acceptance, height in ((0.9, 3.62), (0.7, 1.86), (0.5, 1.2)):
        speeds = [speculative.speedup(acceptance, k, 0.1) if k else 1.0 for k in lengths]
        (line,) = ax.plot(lengths, speeds, "o-", markersize=3)
        best = speculative.best_drafts(acceptance, 0.1)
        ax.plot(
            [best], [speculative.speedup(acceptance, best, 0.1)], "o", color=line.get_color(), markersize=9
        )
        ax.annotate(f"{acceptance:.0%} accepted", (12, height), color=line.get_color(), ha="right")
    ax.axhline(1, linestyle="--", linewidth=1, color="C3")
    ax.annotate("plain decoding", (0.2, 0.78), color="C3")
    ax.set(xlabel="drafts in a pass", ylabel="times as fast", ylim=(0.5, 4))
    return fig
