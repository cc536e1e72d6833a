"""Drawings on layer normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import residual

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def residual_variance() -> Figure:
    """Residual variance by depth: no norm doubles it, pre-norm adds one, post-norm resets it."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2))
    ax = fig.subplots()
    depths = [0, 1, 2, 4, 8, 12, 16, 24, 32, 48]
    styles = (("none", "no norm", "--"), ("pre", "pre-norm", "-"), ("post", "post-norm", "-"))
    for placement, label, line in styles:
        # without a norm the curve leaves the picture soon
        shown = [b for b in depths if placement != "none" or b <= 8]
        values = [residual.variance(placement, b) for b in shown]
        ax.plot(shown, values, line, marker="o", markersize=3, label=label)
    ax.set_yscale("log")
    ax.set_xlabel("residual branches passed")
    ax.set_ylabel("variance of the stream")
    ax.legend(loc="center right")
    return fig
