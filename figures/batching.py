"""Drawings on batches of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import batching

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def utilisation() -> Figure:
    """Busy slots of a batch against its size: refilled at once, and static with two spreads of lengths."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    sizes = [2**n for n in range(9)]
    refilled = [100 * batching.simulate(b, requests=200_000)["continuous_utilisation"] for b in sizes]
    series = (
        ("refilled at every step", refilled, (3, 89)),
        (
            "static, uniform lengths",
            [100 * batching.static_utilisation(b, "uniform") for b in sizes],
            (9, 58),
        ),
        ("static, exponential lengths", [100 * batching.static_utilisation(b) for b in sizes], (1.3, 14)),
    )
    for name, shares, place in series:
        (line,) = ax.plot(sizes, shares, "o-", markersize=3)
        ax.annotate(name, place, color=line.get_color())
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(b) for b in sizes])
    ax.set(xlabel="slots in the batch", ylabel="slots busy (%)", ylim=(0, 104))
    return fig
