"""Drawings on constrained decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import prompting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def valid_share() -> Figure:
    """Texts that have the wanted form, with and without a mask, against the model's confidence."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lead = list(range(0, 11))
    series = (
        ("masked", "with the grammar's mask", (0.4, 92)),
        ("free", "without", (5.8, 52)),
    )
    for mask, name, place in series:
        shares = [100 * prompting.valid_share(mask, float(x), samples=2000) for x in lead]
        (line,) = ax.plot(lead, shares, "o-", markersize=4)
        ax.annotate(name, place, color=line.get_color())
    ax.set(xlabel="lead of legal tokens (logits)", ylabel="valid texts (%)", ylim=(-3, 105))
    return fig
