"""Figures of bias, variance and double descent."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import interpolation

SIZES = (3, 5, 10, 20, 40, 60, 80, 90, 95, 105, 110, 120, 150, 200, 300, 500, 1000, 2000)


@figure
def double_descent() -> Any:
    """Test and training error of random features by their number: the test error peaks at 100 samples."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    errors = [interpolation.random_features(p) for p in SIZES]
    ax.plot(SIZES, [e["test"] for e in errors], color="C1", linewidth=2.2)
    fitted = [(p, e["train"]) for p, e in zip(SIZES, errors, strict=True) if e["train"] > 1e-3]
    ax.plot(*zip(*fitted, strict=True), color="C0", linewidth=2.2)
    ax.annotate("test", (420, 0.75), color="C1")
    ax.annotate("training", (9, 0.14), color="C0")
    ax.axvline(100, linestyle=":", linewidth=1.4, color="C2")
    ax.annotate("as many features\nas samples", (115, 0.012), color="C2")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set(xlabel="random features", ylabel="squared error", xlim=(3, 2000), ylim=(0.005, 200))
    ax.set_xticks([3, 10, 30, 100, 300, 1000], ["3", "10", "30", "100", "300", "1,000"])
    ax.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    ax.minorticks_off()
    return fig


@figure
def variance_peak() -> Any:
    """Bias squared and variance by the number of features used: bias falls, variance peaks at 40 samples."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    for part in (range(1, 39), range(42, 101)):
        rows = [interpolation.min_norm_risk(40, p, of=100, noise=0.2) for p in part]
        ax.plot(part, [r["variance"] for r in rows], color="C1", linewidth=2.2)
        ax.plot(part, [r["bias"] for r in rows], color="C0", linewidth=2.2)
    ax.annotate("variance", (53, 2.6), color="C1")
    ax.annotate("bias²", (3, 1.12), color="C0")
    ax.axvline(40, linestyle=":", linewidth=1.4, color="C2")
    ax.annotate("40 samples", (41.5, 0.12), color="C2")
    ax.set(xlabel="features used, of 100", ylabel="part of the test error", xlim=(0, 100), ylim=(0, 4))
    return fig
