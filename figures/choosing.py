"""Drawings on choosing between prompts, retrieval and fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import prompt_cache, sample_size, token_cost

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRICES = (3.0, 15.0)  # dollars a million tokens in and out
ANSWER = 500


@figure
def cost() -> Figure:
    """Dollars for a number of calls: long context, cached or not, retrieval, and a fine-tuned model."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.4), layout="constrained")
    ax = fig.subplots()
    calls = [round(10 ** (2 + n / 4)) for n in range(17)]
    reply = token_cost.call(0, ANSWER, *PRICES)
    cached = [
        prompt_cache.cost(200000, n, PRICES[0], write=1.25, read=0.1, fresh=500) + n * reply for n in calls
    ]
    tuned = [1000 + n * token_cost.call(500, ANSWER, *PRICES) for n in calls]
    series = (
        ("200,000 tokens of context", [n * token_cost.call(200000, ANSWER, *PRICES) for n in calls]),
        ("the same, cached", cached),
        ("4,000 tokens retrieved", [n * token_cost.call(4000, ANSWER, *PRICES) for n in calls]),
        ("fine-tuned, 1,000 once", tuned),
    )
    for name, dollars in series:
        ax.plot(calls, dollars, label=name, linewidth=2.0)
    ax.set(xscale="log", yscale="log", xlabel="calls", ylabel="dollars")
    ax.legend(loc="lower right")
    return fig


@figure
def sample_sizes() -> Figure:
    """Questions needed to show a difference at 80 % power: separate arms, and the same questions for both."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    gaps = [0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10]
    series = (
        ("separate users, in each arm", [sample_size.two_rates(0.80, 0.80 + g) for g in gaps], (4.3, 1500)),
        ("same questions for both", [sample_size.paired(0.2, g) for g in gaps], (2.1, 210)),
    )
    for name, sizes, place in series:
        (line,) = ax.plot([100 * g for g in gaps], sizes, "o-", markersize=4)
        ax.annotate(name, place, color=line.get_color())
    ax.set_yscale("log")
    ax.set_yticks([100, 300, 1000, 3000], ["100", "300", "1,000", "3,000"])
    ax.set(xlabel="difference from 80 % (points)", ylabel="questions needed", ylim=(90, 9000))
    return fig
