"""Drawings on quantisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import nf4, quantisation, quantisation_outliers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def error_by_bits() -> Figure:
    """Relative rounding error of normal weights: each bit halves it, and smaller groups help a little."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    widths = [2, 3, 4, 5, 6, 7, 8]
    for group, groups, colour, name, place in (
        (4096, 60, "C0", "one scale for 4,096", (4.6, 24)),
        (32, 2000, "C1", "one for 32", (2.1, 8)),
    ):
        errors = [100 * 10 ** (-quantisation.group_sqnr(b, group, groups=groups) / 20) for b in widths]
        ax.plot(widths, errors, "o-", color=colour, linewidth=2.2, markersize=4)
        ax.annotate(name, place, color=colour)
    ax.set_yscale("log")
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    ax.set(xlabel="bits a weight", ylabel="relative error (%)", ylim=(0.4, 110))
    return fig


@figure
def outliers() -> Figure:
    """Error of ordinary int8 activations beside outlier channels, by what shares a scale."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 2.8), layout="constrained")
    ax = fig.subplots()
    found = quantisation_outliers.granularity()
    names = {"tensor": "whole tensor", "token": "token", "group": "64 channels", "channel": "channel"}
    errors = [100 * found[key] for key in names]
    ax.barh(list(names.values()), errors, color=["C1", "C0", "C0", "C0"])
    for row, error in enumerate(errors):
        ax.annotate(f"{error:.2g} %", (error + 0.3, row), va="center")
    ax.invert_yaxis()
    ax.set(xlabel="relative error (%)", ylabel="one scale for each", xlim=(0, 27))
    return fig


@figure
def nf4_levels() -> Figure:
    """NF4's 16 levels lie dense where normal weights are; those of an integer grid lie evenly."""
    from matplotlib.figure import Figure
    from numpy import exp, linspace

    fig = Figure(figsize=(5, 2.8), layout="constrained")
    ax = fig.subplots()
    x = linspace(-1, 1, 201)
    ax.fill_between(x, 1.15 + 0.9 * exp(-((2.6 * x) ** 2) / 2), 1.15, color="C0", alpha=0.35, linewidth=0)
    ax.annotate("weights of a block", (0.42, 1.85), color="C0")
    levels = [nf4.level(code) for code in range(16)]
    for row, marks, colour in ((0.75, levels, "C1"), (0.2, [n / 7 for n in range(-7, 8)], "C2")):
        ax.vlines(marks, row - 0.15, row + 0.15, color=colour, linewidth=2.2)
    ax.set_yticks([0.75, 0.2], ["NF4", "int4"])
    ax.set(xlabel="weight over the block's largest magnitude", xlim=(-1.05, 1.05), ylim=(0, 2.15))
    return fig
