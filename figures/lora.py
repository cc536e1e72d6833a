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


@figure
def shapes() -> Figure:
    """A frozen square matrix beside the two thin factors of rank 16, drawn to scale for width 256."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    fig = Figure(figsize=(5, 2.9), layout="constrained")
    ax = fig.subplots()
    width, rank = 256, 16
    for x, y, w, h, colour in (
        (0, 0, width, width, "C0"),
        (330, 0, rank, width, "C1"),
        (380, width - rank, width, rank, "C1"),
    ):
        ax.add_patch(
            Rectangle((x, y), w, h, facecolor=colour, alpha=0.4 if colour == "C0" else 0.8, linewidth=0)
        )
    counts = lora.parameters(width, width, rank)
    frozen = f"W, frozen\n{width} × {width}\n{counts['full']:,} numbers"
    ax.annotate(frozen, (128, 128), ha="center", va="center", fontsize=13)
    ax.annotate("+", (293, 128), ha="center", fontsize=16)
    ax.annotate("B", (338, 262), ha="center", color="C1", fontsize=13)
    ax.annotate("A", (508, 262), ha="center", color="C1", fontsize=13)
    trained = f"trained, rank {rank}:\nB {width} × {rank}\nA {rank} × {width}\n{counts['adapter']:,} numbers"
    ax.annotate(trained, (380, 120), color="C1", va="center", fontsize=13)
    ax.set(xlim=(-5, 645), ylim=(-5, 295), aspect="equal")
    ax.axis("off")
    return fig
