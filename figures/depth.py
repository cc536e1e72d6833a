"""Gradients through deep stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import depth

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def gradient() -> Figure:
    """Gradient at the first block over the last one's: plain stacks lose it, bare skips inflate it, norms hold it."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.4), layout="constrained")
    ax = fig.subplots()
    depths = [1, 4, 8, 16, 24, 32, 48, 64]
    series = (
        ("plain", 0.5, "C5", "no skip", (26, 1e-7)),
        ("residual", 0.5, "C1", "skip, no norm", (30, 3e3)),
        ("pre", 0.5, "C0", "skip and pre-norm", (33, 1.2e-2)),
    )
    for placement, gain, colour, name, place in series:
        ratios = [depth.gradient_ratio(placement, blocks, gain=gain) for blocks in depths]
        ax.plot(depths, ratios, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.axhline(1, linestyle=":", linewidth=1, color="C4")
    ax.set_yscale("log")
    ax.set(xlabel="blocks", ylabel="gradient, first over last", ylim=(1e-12, 1e6), xlim=(0, 64))
    return fig


@figure
def last_block() -> Figure:
    """Gradient of the last block's weights at initialisation: flat in depth with post-norm, falling with pre-norm."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    depths = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48]
    for placement, colour, place in (("post", "C1", (26, 5.75)), ("pre", "C0", (26, 1.8))):
        norms = [depth.last_weight_gradient(placement, blocks) for blocks in depths]
        ax.plot(depths, norms, color=colour, linewidth=2.2, marker="o", markersize=3)
        ax.annotate(f"{placement}-norm", place, color=colour)
    ax.set(xlabel="blocks", ylabel="gradient at the last block", ylim=(0, 6.8), xlim=(0, 49))
    return fig
