"""Figures of the key/value cache."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import cache_buffers, kv_cache


@figure
def growth() -> Any:
    """KV cache of one Llama-2-70B request against its length, with and without grouped queries."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lengths = range(0, 4097, 512)
    series = (
        (64, "C0", "64 KV heads", (2300, 7.6), "right"),
        (8, "C1", "8 KV heads (the model)", (4000, 1.9), "right"),
    )
    for kv_heads, colour, name, place, align in series:
        sizes = [kv_cache.nbytes("llama-2-70b", n, kv_heads) / 1e9 for n in lengths]
        ax.plot(lengths, sizes, color=colour, linewidth=2.2)
        ax.annotate(f"{name}: {sizes[-1]:.3g} GB", place, color=colour, ha=align)
    ax.set(xlabel="tokens in the request", ylabel="KV cache (GB)", xlim=(0, 4096), ylim=(0, 11.5))
    ax.set_xticks([0, 1024, 2048, 3072, 4096])
    return fig


@figure
def wiring() -> Any:
    """Eight query heads wired to eight, two or one key/value heads, and the bytes that a token caches."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    queries, width = 8, 128
    for row, (name, heads) in enumerate((("MHA", 8), ("GQA", 2), ("MQA", 1))):
        low = -1.75 * row
        group = queries // heads
        for query in range(queries):
            owner = query // group
            middle = (owner + 0.5) * group - 0.5
            ax.plot([query, middle], [low, low - 0.8], color="C0", linewidth=1.4, zorder=1)
            ax.plot([query], [low], "o", color="C0", markersize=9)
            if query % group == 0:
                ax.plot([middle], [low - 0.8], "s", color="C1", markersize=11)
        cached = cache_buffers.layer_nbytes(heads, width, tokens=1)
        ax.annotate(name, (-0.8, low - 0.4), ha="right", va="center", fontweight="bold")
        ax.annotate(f"{cached:,} B", (7.7, low - 0.4), ha="left", va="center", color="C1")
    ax.annotate("query heads", (3.5, 0.3), ha="center", color="C0")
    ax.annotate(
        "key/value heads of width 128; fp16 bytes a token and layer", (3.5, -4.85), ha="center", color="C1"
    )
    ax.set(xlim=(-2.3, 9.9), ylim=(-5.2, 0.8))
    ax.axis("off")
    return fig
