"""Figures of the key/value cache."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import kv_cache


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
