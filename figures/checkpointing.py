"""Figures of activation checkpointing."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import checkpointing


@figure
def trade() -> Any:
    """GPT-3's activations against extra FLOPs: nothing, the attention core, or all recomputed."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    points = (
        ("none", "C0", "keep all", 1.5),
        ("selective", "C1", "redo attention core", 1.5),
        ("full", "C2", "redo everything", -1.5),
    )
    for kind, colour, name, shift in points:
        extra = 100 * checkpointing.extra_flops("gpt3-175b", 2048, kind)
        size = checkpointing.model_bytes("gpt3-175b", 2048, recompute=kind) / 1e9
        ax.plot([extra], [size], "o", color=colour, markersize=8)
        ax.annotate(
            f"{name}: {size:.3g} GB",
            (extra + shift, size),
            color=colour,
            ha="left" if shift > 0 else "right",
            va="center",
        )
    ax.set_yscale("log")
    ax.set(xlabel="extra FLOPs of a step (%)", ylabel="activations (GB)")
    ax.set(xlim=(-2, 37), ylim=(4, 500))
    ax.set_yticks([10, 100], ["10", "100"])
    return fig


@figure
def segments() -> Any:
    """Peak activations of 96 layers against layers a segment, for thin layers and for real ones."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lengths = list(range(1, 97))
    series = (
        (1, "C0", "a layer keeps its input only", (1.15, 11.2)),
        (17, "C1", "it keeps 17 inputs' worth", (1.4, 330)),
    )
    for inside, colour, name, place in series:
        peaks = [checkpointing.peak(96, n, inside) for n in lengths]
        best = checkpointing.best_segment(96, inside)
        ax.plot(lengths, peaks, color=colour, linewidth=2.2)
        ax.plot([best], [checkpointing.peak(96, best, inside)], "o", color=colour, markersize=7)
        ax.annotate(name, place, color=colour)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="layers in a segment", ylabel="peak (layer inputs)", xlim=(1, 96), ylim=(10, 2000))
    ticks = [1, 2, 4, 8, 16, 32, 64]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    return fig
