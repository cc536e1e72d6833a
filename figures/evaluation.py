"""Drawings on evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import abstention, best_of_n, intervals, judging

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def error_bar() -> Figure:
    """Half-width of the 95 % interval of a score: four times the questions halve it."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    sizes = [round(10 ** (1.5 + n / 20)) for n in range(58)]
    for score, colour, place in ((0.5, "C0", (300, 6.6)), (0.9, "C1", (38, 3.2))):
        ax.plot(sizes, [100 * intervals.half_width(score, n) for n in sizes], color=colour, linewidth=2.2)
        ax.annotate(f"score {score:.0%}", place, color=colour)
    for n, name, shift, side in ((164, "HumanEval", 1.08, "left"), (14000, "MMLU", 0.92, "right")):
        ax.axvline(n, color="C3", linewidth=0.8, linestyle=":")
        ax.annotate(name, (n * shift, 14), color="C3", ha=side)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    ax.set_xticks([100, 1000, 10000], ["100", "1,000", "10,000"])
    ax.minorticks_off()
    ax.set(xlabel="questions", ylabel="± points (95% interval)", xlim=(32, 24000), ylim=(0.4, 20))
    return fig


@figure
def position_bias() -> Figure:
    """Win rate of two equal answers by a judge with a liking for the first: swapping cancels it."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    bonuses = [n / 20 for n in range(41)]
    rows = (
        ("C0", "shown first", (0.3, 80), [judging.win_rate(0, b) for b in bonuses]),
        ("C1", "shown second", (0.3, 14), [judging.win_rate(0, b, first=False) for b in bonuses]),
        ("C2", "mean of both orders", (1.05, 52), [judging.swapped_win_rate(0, b) for b in bonuses]),
    )
    for colour, name, place, rates in rows:
        ax.plot(bonuses, [100 * rate for rate in rates], color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set(
        xlabel="bonus for the first place (noise of a score = 1)",
        ylabel="win rate (%)",
        xlim=(0, 2),
        ylim=(0, 100),
    )
    return fig


@figure
def goodhart() -> Figure:
    """True quality against optimisation of an imperfect proxy, by the fitted law: it rises, peaks and falls."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    distances = [n / 20 for n in range(1, 81)]
    ax.plot(distances, distances, color="C0", linewidth=2.2)
    ax.annotate("no decline", (0.55, 1.75), color="C0")
    for decline, colour, place in ((0.15, "C1", (3.0, 1.72)), (0.25, "C2", (2.2, 0.42))):
        ax.plot(
            distances,
            [best_of_n.overoptimised(d, 1.0, decline) for d in distances],
            color=colour,
            linewidth=2.2,
        )
        peak = best_of_n.overoptimisation_peak(1.0, decline)
        ax.plot(peak["distance"], peak["reward"], "o", color=colour)
        ax.annotate(f"β = {decline}", place, color=colour)
    ax.set(xlabel="distance d = √KL of best-of-n", ylabel="true reward (α = 1)", xlim=(0, 4), ylim=(0, 2.2))
    return fig


@figure
def guess_or_abstain() -> Figure:
    """Expected score of a guess: without a penalty for errors even the wildest guess beats silence."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    confidences = [n / 50 for n in range(51)]
    for penalty, colour, place in ((0, "C0", (0.04, 0.5)), (1, "C1", (0.02, -0.36)), (3, "C2", (0.5, -1.6))):
        scores = [abstention.guess_score(p, penalty) for p in confidences]
        ax.plot(confidences, scores, color=colour, linewidth=2.2)
        ax.plot(abstention.threshold(penalty), 0, "o", color=colour)
        ax.annotate("no penalty" if not penalty else f"−{penalty} if wrong", place, color=colour)
    ax.axhline(0, color="C3", linewidth=1, linestyle=":")
    ax.annotate("silence: 0", (0.99, -0.18), color="C3", ha="right")
    ax.set(xlabel="chance of being right", ylabel="expected score", xlim=(0, 1), ylim=(-2, 1.1))
    return fig


@figure
def votes() -> Figure:
    """Chance that a majority of judges is right: many help only as far as they err independently."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    sizes = list(range(1, 42, 2))
    for shared, colour, name, place in (
        (0.0, "C0", "independent", (8, 82)),
        (0.5, "C1", "half of the cases shared", (13, 64.5)),
        (1.0, "C2", "one judge copied", (20, 57)),
    ):
        rates = [100 * judging.correlated_majority(0.6, n, shared) for n in sizes]
        ax.plot(sizes, rates, color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set(xlabel="judges, each right in 60 %", ylabel="majority right (%)", xlim=(1, 41), ylim=(50, 100))
    return fig
