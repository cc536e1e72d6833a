"""Rotary angles, their extension, and what distance costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import alibi, rope, rope_scaling

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def turns() -> Figure:
    """Turns of each rotary pair within 4,096 tokens: hundreds for the first, a fraction for the last eighteen."""
    from matplotlib.figure import Figure

    from verifiers import unseen_angles

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    made = [rope_scaling.turns_within(pair, 4096) for pair in range(64)]
    finished = 64 - unseen_angles.unfinished(4096)
    ax.plot(range(finished), made[:finished], color="C0", linewidth=2.4)
    ax.plot(range(finished - 1, 64), made[finished - 1 :], color="C1", linewidth=2.4)
    ax.axhline(1, linestyle=":", linewidth=1, color="C4")
    ax.annotate("one full turn", (1, 1.25), color="C4")
    ax.annotate("every angle met", (22, 60), color="C0")
    ax.annotate(f"{64 - finished} pairs:\nangles left unseen", (60, 0.012), color="C1", ha="right")
    ax.set_yscale("log")
    ax.set(
        xlabel="pair of components, fast to slow",
        ylabel="turns in 4,096 tokens",
        ylim=(8e-3, 1500),
        xlim=(0, 63),
    )
    return fig


@figure
def extension() -> Figure:
    """How much slower each pair turns for an eightfold context: all alike, by a larger base, or by parts."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.3), layout="constrained")
    ax = fig.subplots()
    series = (
        ("linear", "C5", "position interpolation", (1, 7.15)),
        ("ntk", "C1", "NTK-aware", (48, 4.0)),
        ("yarn", "C0", "YaRN", (20, 4.0)),
    )
    for method, colour, name, place in series:
        slower = [rope_scaling.slowdown(pair, method, 8.0) for pair in range(64)]
        ax.plot(range(64), slower, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set_yticks([1, 2, 4, 6, 8], ["1×", "2×", "4×", "6×", "8×"])
    ax.set(xlabel="pair of components, fast to slow", ylabel="slowed down by", ylim=(0.5, 8.7), xlim=(0, 63))
    return fig


@figure
def decay() -> Figure:
    """Rotary scores by distance: a vector's score with itself falls unevenly, a random pair's spread stays."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.3), layout="constrained")
    ax = fig.subplots()
    distances = sorted({round(10 ** (n / 24)) for n in range(97)})
    spread = [rope.random_score_std(d, 128) for d in distances]
    aligned = [rope.aligned_score(d, 128) for d in distances]
    ax.plot(distances, spread, color="C1", linewidth=2.2)
    ax.annotate("random pair: spread of the score", (1.3, 1.05), color="C1")
    ax.plot(distances, aligned, color="C0", linewidth=2.2)
    ax.annotate("a vector with itself:\nmean score", (100, 0.6), color="C0")
    ax.set_xscale("log")
    ax.set(xlabel="distance in tokens", ylabel="score, 1 in place", xlim=(1, 10000), ylim=(-0.15, 1.2))
    return fig


@figure
def reach() -> Figure:
    """ALiBi's weights by distance for heads of eight: each forgets at its own fixed rate."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    distances = sorted({round(10 ** (n / 24)) for n in range(85)})
    for head, colour, place in ((1, "C1", (3.4, 0.34)), (4, "C2", (22, 0.44)), (8, "C0", (300, 0.5))):
        slope = alibi.slope(head, heads=8)
        weights = [1 - alibi.share_within(slope, d - 1) for d in distances]
        ax.plot(distances, weights, color=colour, linewidth=2.2)
        ax.annotate(f"head {head}", place, color=colour)
    ax.set_xscale("log")
    ax.set(xlabel="distance in tokens", ylabel="weight, 1 at distance 0", xlim=(1, 3000), ylim=(0, 1.02))
    return fig
