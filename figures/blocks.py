"""Where the parameters of a decoder lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def parameter_shares() -> Figure:
    """Parameters by part: feed-forward blocks hold twice what attention does, and more with grouped keys."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    models = (
        ("gpt2", "GPT-2\nsmall"),
        ("gpt3-175b", "GPT-3"),
        ("llama-2-7b", "Llama-2\n7B"),
        ("llama-3-8b", "Llama-3\n8B"),
        ("llama-2-70b", "Llama-2\n70B"),
    )
    parts = (
        ("feed_forward", "C0", "feed-forward"),
        ("attention", "C1", "attention"),
        ("embedding+head", "C2", "tables"),
    )
    left = [0.0] * len(models)
    for part, colour, name in parts:
        shares = [100 * parameters.share(model, part) for model, _ in models]
        ax.barh(range(len(models)), shares, left=left, color=colour, label=name, height=0.72)
        for row, share in enumerate(shares):
            if share > 7:
                ax.text(left[row] + share / 2, row, f"{share:.0f}%", color="white", ha="center", va="center")
        left = [a + b for a, b in zip(left, shares, strict=True)]
    ax.set_yticks(range(len(models)), [name for _, name in models])
    ax.invert_yaxis()
    ax.set_axisbelow(True)
    ax.set(xlabel="share of all parameters (%)", xlim=(0, 100))
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    return fig
