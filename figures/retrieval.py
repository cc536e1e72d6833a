"""Drawings on retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import chunking

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def chunk_overlap() -> Figure:
    """Share of spans that lie whole in a chunk of 400 tokens, by their length and the overlap."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    spans = list(range(1, 401, 3))
    for overlap in (200, 80, 0):
        shares = [100 * chunking.intact(span, 400, overlap) for span in spans]
        extra = chunking.storage_factor(400, overlap)
        name = f"overlap {overlap}, {extra:.3g}× stored" if overlap else "no overlap"
        ax.plot(spans, shares, linewidth=2.2, label=name)
    ax.legend(loc="lower left")
    ax.set(
        xlabel="length of the span (tokens)", ylabel="spans in one piece (%)", xlim=(0, 400), ylim=(0, 106)
    )
    return fig
