"""Figures of Adam: its bias correction, its step after a spike, and whom it teaches."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import moments, optimisers, rare_tokens


@figure
def bias_correction() -> Any:
    """Adam's step without bias correction, by step: far too long for a β₂ of 0.999, hardly so for 0.95."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    steps = sorted({round(10 ** (i / 20)) for i in range(81)})
    for beta2, colour, place in ((0.999, "C1", (45, 5.9)), (0.95, "C0", (1.15, 1.25))):
        ax.plot(
            steps, [optimisers.uncorrected_step(t, beta2=beta2) for t in steps], color=colour, linewidth=2.2
        )
        ax.annotate(f"β₂ = {beta2}", place, color=colour)
    ax.axhline(1, linestyle=":", linewidth=1.4, color="C2")
    ax.annotate("with correction", (300, 0.62), color="C2", va="top")
    ax.set_xscale("log")
    ax.set(xlabel="step", ylabel="first steps (learning rates)", xlim=(1, 10000), ylim=(0, 7))
    ax.set_xticks([1, 10, 100, 1000, 10000], ["1", "10", "100", "1,000", "10,000"])
    ax.minorticks_off()
    return fig


@figure
def rare() -> Any:
    """Excess loss of each token by its frequency rank after 100 steps of SGD and of Adam."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    ranks = list(range(1, 1001))
    series = (
        ("sgd", 10.0, "C0", "SGD, rate 10", (22, 5.1)),
        ("sgd", 150.0, "C3", "SGD, rate 150", (55, 2.4)),
        ("adam", 0.1, "C1", "Adam", (2.2, 0.22)),
    )
    for rule, rate, colour, name, place in series:
        losses = rare_tokens.excess_by_rank(rule, rate, 100, 1000, 1.0, 0.9)
        ax.plot(ranks, losses, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour, ha="left")
    ax.set_xscale("log")
    ax.set(
        xlabel="rank of the token's frequency", ylabel="excess loss (nats)", xlim=(1, 1000), ylim=(-0.1, 6.2)
    )
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    ax.minorticks_off()
    return fig


@figure
def spike() -> Any:
    """Adam's step after one gradient a hundred times too large: a kick, then slow steps for long."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    after = sorted({round(10 ** (i / 24)) - 1 for i in range(25 * 4 - 12)})
    for beta2, colour, place in ((0.999, "C1", (7, 2.2)), (0.95, "C0", (1.7, 0.55))):
        sizes = [moments.update_after_spike(100, k, beta2=beta2) for k in after]
        ax.plot([k + 1 for k in after], sizes, color=colour, linewidth=2.2)
        ax.annotate(f"β₂ = {beta2}", place, color=colour)
    ax.axhline(1, linestyle=":", linewidth=1.4, color="C2")
    ax.annotate("spike clipped away", (70, 1.08), color="C2", va="bottom")
    ax.set_xscale("log")
    ax.set(xlabel="steps since the spike, itself the first", ylabel="step (learning rates)")
    ax.set(xlim=(1, 4000), ylim=(0, 3.5))
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    ax.minorticks_off()
    return fig
