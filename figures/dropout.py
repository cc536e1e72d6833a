"""Noise that dropout adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import dropout_training

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def noise() -> Figure:
    """Noise of a sum after dropout: it averages out over units, but not where a branch shares one coin."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    units = [2**n for n in range(11)]
    series = (
        ([dropout_training.relative_noise(0.1, 1) for _ in units], "C1", "branch dropped whole", (12, 0.38)),
        ([dropout_training.relative_noise(0.1, n) for n in units], "C0", "units dropped singly", (12, 0.125)),
    )
    for values, colour, name, place in series:
        ax.plot(units, values, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 4, 16, 64, 256, 1024], ["1", "4", "16", "64", "256", "1,024"])
    ax.set_yticks([0, 0.1, 0.2, 0.3, 0.4], ["0", "10%", "20%", "30%", "40%"])
    ax.set(
        xlabel="equal terms in the sum", ylabel="noise over mean at p = 0.1", ylim=(0, 0.45), xlim=(1, 1024)
    )
    return fig
