"""Drawings on sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import sampling

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def kept() -> Figure:
    """What top-p and min-p keep: much the same of a peaked distribution, not of a flat one."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2))
    ax = fig.subplots()
    vocab = 50257
    for exponent, name in ((1.0, "flat"), (3.0, "peaked")):
        p = sampling.zipf(exponent, vocab)
        (line,) = ax.plot(range(1, vocab + 1), p, label=name)
        cuts = {
            "top-p 0.9": sampling.zipf_kept(exponent, "top-p", 0.9),
            "min-p 0.05": sampling.zipf_kept(exponent, "min-p", 0.05),
        }
        for count in cuts.values():
            ax.plot(count, p[count - 1], "o", color=line.get_color(), markersize=7)
        if len(set(cuts.values())) == 1:  # one place, one label
            cuts = {"both": count}
        for rule, count in cuts.items():
            near_edge = count > vocab / 10
            ax.annotate(
                f"{rule}: {count:,}",
                (count, p[count - 1]),
                xytext=(-6, -14) if near_edge else (4, 7),
                textcoords="offset points",
                ha="right" if near_edge else "left",
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(1e-8, 3)
    ax.set_xlabel("rank of the token")
    ax.set_ylabel("probability")
    ax.legend(loc="lower left")
    return fig


@figure
def heat() -> Figure:
    """Tokens kept against temperature: top-k the same, min-p a few, top-p thousands."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    heats = [0.5 + n / 10 for n in range(21)]
    series = (
        ("top-p", 0.9, "top-p 0.9", (1.17, 9000)),
        ("top-k", 50, "top-k 50", (0.55, 62)),
        ("min-p", 0.1, "min-p 0.1", (1.9, 8)),
    )
    for rule, threshold, name, place in series:
        counts = [sampling.zipf_kept(1.5, rule, threshold, temperature=t) for t in heats]
        (line,) = ax.plot(heats, counts, linewidth=2.2)
        ax.annotate(name, place, color=line.get_color(), ha="right" if rule == "top-p" else "left")
    ax.set_yscale("log")
    ax.set(xlabel="temperature, applied first", ylabel="tokens kept of 50,257", xlim=(0.5, 2.5))
    return fig
