"""Drawings on mixtures of experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import moe

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def dropped() -> Figure:
    """Tokens dropped by 8 experts against the capacity factor: even routers lose few, skewed ones many."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    factors = [1 + n / 16 for n in range(17)]
    series = (
        ("skewed, 1,024 tokens", [moe.dropped_when_skewed(1024, 8, f) for f in factors]),
        ("even, 64 tokens", [moe.dropped(64, 8, f) for f in factors]),
        ("even, 1,024 tokens", [moe.dropped(1024, 8, f) for f in factors]),
    )
    for name, shares in series:
        ax.plot(factors, [100 * s for s in shares], linewidth=2.2, label=name)
    ax.legend()
    ax.set(xlabel="capacity factor", ylabel="tokens dropped (%)", xlim=(1, 2), ylim=(0, 28))
    return fig
