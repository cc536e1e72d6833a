"""What attention attends to, and what its square costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import attention_cost

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def lookup() -> Figure:
    """Attention weights of an induction head: each repeated letter looks at what followed it before."""
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from verifiers import induction

    text = "kvcahekvcahe"
    letters = sorted(set(text))
    one_hot = np.eye(len(letters))[[letters.index(c) for c in text]]
    pattern, _ = induction.two_layers(one_hot, 12.0, False)
    fig = Figure(figsize=(5, 4.2), layout="constrained")
    ax = fig.subplots()
    # opacity carries the weight, so that empty cells are the card's own background
    for row, weights in enumerate(pattern):
        for column, weight in enumerate(weights[: row + 1]):
            box = (column - 0.5, row - 0.5)
            ax.add_patch(Rectangle(box, 1, 1, facecolor="C0", alpha=float(weight), linewidth=0))
            ax.add_patch(Rectangle(box, 1, 1, facecolor="none", edgecolor="C0", alpha=0.35, linewidth=0.6))
    ax.set(xlim=(-0.6, len(text) - 0.4), ylim=(len(text) - 0.4, -0.6), aspect="equal")
    ax.set_xticks(range(len(text)), list(text))
    ax.set_yticks(range(len(text)), list(text))
    ax.set(xlabel="key: the token attended to", ylabel="query: the token that reads")
    ax.annotate("hidden by the mask", (8.2, 2.2), ha="center")
    ax.grid(False)
    return fig


@figure
def quadratic_share() -> Figure:
    """Share of an attention layer's FLOPs that grows with the square: half of them at twice the width."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lengths = [2**n for n in range(9, 18)]
    for width, colour, place in ((1024, "C1", (2700, 0.42)), (8192, "C0", (23000, 0.42))):
        shares = [attention_cost.quadratic_share(n, width) for n in lengths]
        ax.plot(lengths, shares, color=colour, linewidth=2.2)
        ax.plot(2 * width, 0.5, "o", color=colour)
        ax.annotate(f"width {width:,}", place, color=colour)
    ax.set_xscale("log", base=2)
    ax.set_xticks([512, 2048, 8192, 32768, 131072], ["512", "2k", "8k", "32k", "128k"])
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    ax.set(xlabel="tokens", ylabel="quadratic share of FLOPs", ylim=(0, 1), xlim=(512, 131072))
    return fig
