"""Drawings on learning from preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import kl_control, preference

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def dpo_push() -> Figure:
    """Share of DPO's full push against the margin: all of it where the order is wrong, none once it is safe."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    margins = [m / 2 for m in range(-80, 81)]
    for beta, colour, name, place in (
        (0.1, "C0", "β = 0.1", (13, 0.27)),
        (0.5, "C1", "β = 0.5", (7.5, 0.07)),
    ):
        ax.plot(
            margins, [-preference.dpo_slope(m, beta) / beta for m in margins], color=colour, linewidth=2.2
        )
        ax.annotate(name, place, color=colour)
    ax.axvline(0, linewidth=0.8, linestyle=":", color="C3")
    ax.annotate("start", (1, 0.94), color="C3")
    ax.set(
        xlabel="margin of the log-ratios (nats)",
        ylabel="share of the full push",
        xlim=(-40, 40),
        ylim=(0, 1.02),
    )
    return fig


@figure
def kl_frontier() -> Figure:
    """Most reward that any policy can have at a distance from the reference: β picks the point."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    reference, rewards = (0.2, 0.3, 0.5), (1, 0, -1)
    betas = [10 ** (n / 20) for n in range(-24, 41)]
    points = [kl_control.tilted_policy(reference, rewards, b) for b in betas]
    ax.plot([p["kl"] for p in points], [p["reward"] for p in points], color="C0", linewidth=2.2)
    for beta, shift in (
        (0.1, (-16, -20)),
        (0.5, (8, -12)),
        (1.0, (8, -10)),
        (2.0, (8, -8)),
        (10.0, (10, -4)),
    ):
        at = kl_control.tilted_policy(reference, rewards, beta)
        ax.plot(at["kl"], at["reward"], "o", color="C1")
        ax.annotate(
            f"β = {beta:g}", (at["kl"], at["reward"]), xytext=shift, textcoords="offset points", color="C1"
        )
    ax.set(xlabel="KL to the reference (nats)", ylabel="mean reward", xlim=(-0.05, 1.75), ylim=(-0.4, 1.1))
    return fig
