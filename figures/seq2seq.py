"""Who sees whom in encoders, decoders and prefix models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import seq2seq

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def masks() -> Figure:
    """Masks of an encoder, a decoder and a prefix model: full, triangular, and full over the prefix alone."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    source, target = 4, 3
    tokens = source + target
    fig = Figure(figsize=(5, 2.3), layout="constrained")
    kinds = (("encoder", "encoder"), ("causal", "decoder"), ("prefix", "encoder-decoder\nor prefix LM"))
    for ax, (kind, name) in zip(fig.subplots(1, 3), kinds, strict=True):
        seen = seq2seq.mask(kind, source, target)
        for row in range(tokens):
            for column in range(tokens):
                corner = (column - 0.45, row - 0.45)
                box = Rectangle(corner, 0.9, 0.9, edgecolor="C0", linewidth=0.6, alpha=0.4, facecolor="none")
                if seen[row, column]:
                    box = Rectangle(corner, 0.9, 0.9, linewidth=0, facecolor="C1" if column > row else "C0")
                ax.add_patch(box)
        ax.set(xlim=(-0.6, tokens - 0.4), ylim=(tokens - 0.4, -0.6), aspect="equal", xticks=[], yticks=[])
        ax.set_xlabel(name)
        for side in ax.spines.values():
            side.set_visible(False)
    fig.get_axes()[0].set_ylabel("query")
    return fig
