"""Drawings on LoRA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import lora

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def trainable_share() -> Figure:
    """Trainable share of Llama-2-7B: in proportion to rank, more where more matrices adapt."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2))
    ax = fig.subplots()
    ranks = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    labels = (
        ("all", "every linear map"),
        ("attention", "q, k, v, o"),
        ("qv", "q, v"),
    )
    for targets, label in labels:
        shares = [100 * lora.adapter("llama-2-7b", r, targets)["share"] for r in ranks]
        ax.plot(ranks, shares, marker="o", markersize=3, label=label)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(ranks, [str(r) for r in ranks])
    ax.set_yticks([0.01, 0.1, 1, 10], ["0.01 %", "0.1 %", "1 %", "10 %"])
    ax.set_xlabel("rank r")
    ax.set_ylabel("trainable share of 7B")
    ax.legend(loc="upper left")
    return fig
