"""Drawings on training with many devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import hardware, memory, pipeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def zero_memory() -> Figure:
    """States of Llama-2-7B on each of 8 devices by ZeRO stage: each stage shards the next part."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    stages = (0, 1, 2, 3)
    names = ("DDP", "ZeRO-1", "ZeRO-2", "ZeRO-3")
    held = [memory.zero("llama-2-7b", 8, stage) for stage in stages]
    parts = (
        (("weights",), "weights", "C0"),
        (("gradients",), "gradients", "C1"),
        (("master", "moments"), "optimiser states", "C2"),
    )
    base = [0.0] * len(stages)
    for keys, label, colour in parts:
        sizes = [sum(h[key] for key in keys) / 1e9 for h in held]
        ax.bar(names, sizes, bottom=base, color=colour, label=label, width=0.62)
        base = [low + size for low, size in zip(base, sizes, strict=True)]
    for place, total in enumerate(base):
        ax.annotate(f"{total:.3g} GB", (place, total + 2), ha="center")
    limit = hardware.memory("h100-sxm") / 1e9
    ax.axhline(limit, linestyle="--", linewidth=1.2, color="C3")
    ax.annotate("one H100", (3.4, limit + 2), color="C3", ha="right")
    ax.set(ylabel="states on a device (GB)", ylim=(0, 125))
    ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.62))
    return fig


@figure
def bubble() -> Figure:
    """Idle share of a pipelined step against micro-batches, for 4, 8 and 16 stages."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    counts = [2**n for n in range(8)]
    for stages in (16, 8, 4):
        shares = [100 * pipeline.bubble(stages, m) for m in counts]
        ax.plot(counts, shares, "o-", markersize=3, label=f"{stages} stages")
    ax.legend()
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(m) for m in counts])
    ax.set(xlabel="micro-batches in a step", ylabel="idle (% of the step)", ylim=(0, 100))
    return fig
