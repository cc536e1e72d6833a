"""Drawings on prompt injection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import injection

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def attempts() -> Figure:
    """Chance that some attack gets through, against the number of independent attempts."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    tries = [round(10 ** (n / 20)) for n in range(81)]
    for bypass, colour, name, place in (
        (0.1, "C1", "90 % caught", (1.1, 80)),
        (0.01, "C0", "99 %", (15, 50)),
        (0.001, "C2", "99.9 %", (135, 50)),
    ):
        ax.plot(tries, [100 * injection.breach(bypass, n) for n in tries], color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set_xscale("log")
    ax.set_xticks([1, 10, 100, 1000, 10000], ["1", "10", "100", "1,000", "10,000"])
    ax.minorticks_off()
    ax.set(xlabel="attempts", ylabel="some attack succeeds (%)", xlim=(1, 10000), ylim=(0, 102))
    return fig
