"""Drawings on floating-point formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import formats

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure
def range_and_spacing() -> Figure:
    """Relative step against size: bf16 wide and coarse, fp16 narrow and fine, FP8 coarsest."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2))
    ax = fig.subplots()
    labels = {"bf16": "bf16", "fp16": "fp16", "fp8_e5m2": "E5M2", "fp8_e4m3": "E4M3"}
    for dtype, label in labels.items():
        landmarks = formats.info(dtype)
        # one point a binade, from the smallest subnormal to the largest number
        magnitudes = [landmarks["subnormal"]]
        while magnitudes[-1] * 2 < landmarks["max"]:
            magnitudes.append(magnitudes[-1] * 2)
        steps = [formats.spacing(dtype, at=m) / m for m in magnitudes]
        (line,) = ax.plot(magnitudes, steps)
        ax.annotate(
            label,
            (magnitudes[-1], steps[-1]),
            xytext=(-3, 4) if dtype == "bf16" else (4, -4),
            textcoords="offset points",
            ha="right" if dtype == "bf16" else "left",
            color=line.get_color(),
        )
    ax.set_xscale("log")
    ax.set_yscale("log", base=2)
    ax.set_xlim(1e-42, 1e42)
    ax.set_xticks([1e-40, 1e-20, 1, 1e20, 1e40])
    ax.minorticks_off()
    ax.set_xlabel("magnitude of the number")
    ax.set_ylabel("gap to the next ÷ number")
    return fig
