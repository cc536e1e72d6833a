"""Drawings on in-context learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import induction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def induction_loss() -> Figure:
    """Loss on a repeated random sequence: both heads together copy it, one alone stays at chance."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    sharpness = [n / 2 for n in range(1, 25)]
    series = (
        (False, "C0", "both heads", (6.2, 0.45)),
        (True, "C1", "previous-token head silenced", (3.4, 4.02)),
    )
    for ablated, colour, name, place in series:
        losses = [induction.circuit(sharpness=s, ablated=ablated, sequences=8)["loss"] for s in sharpness]
        ax.plot(sharpness, losses, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set(
        xlabel="scale of the scores and the output logits",
        ylabel="loss, second half (nats)",
        xlim=(0, 12),
        ylim=(0, 4.4),
    )
    return fig
