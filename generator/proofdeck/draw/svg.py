"""A matplotlib figure to SVG text: the same bytes for the same figure, legible on light and dark.

Anki shows a picture without the card's style sheet, so the colours must carry both backgrounds: the canvas
is transparent, text and lines are a grey with at least 4.5:1 contrast on white, and the SVG itself lightens
that grey where the viewer prefers a dark scheme. Text becomes paths: no client has our fonts.
"""

from __future__ import annotations

import io
import re
from typing import Any

INK = "#5b6470"
INK_DARK = "#c9d1d9"
SERIES = ("#2f6fb3", "#c4601d", "#2e8b57", "#a04fa0", "#b58900", "#c0392b")
"""Mid tones: at least 3:1 against white and against Anki's night background."""

STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "proofdeck",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.labelsize": 11,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
    "figure.constrained_layout.use": True,
    **{name: INK for name in (
        "text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color",
        "legend.labelcolor", "hatch.color",
    )},
}  # fmt: skip


def style() -> None:
    """Set the house style for figures made from here on."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    matplotlib.rcParams["axes.prop_cycle"] = matplotlib.cycler(color=SERIES)


def to_svg(figure: Any) -> str:
    """Return the SVG of a `matplotlib.figure.Figure`; raise TypeError for anything else."""
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise TypeError(f"returned {type(figure).__name__}: return a matplotlib.figure.Figure")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*", "", out.getvalue(), flags=re.S)
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, count=1, flags=re.S)
    return _themed(text)


def _themed(text: str) -> str:
    """Let the ink follow the viewer's colour scheme: a variable where the fixed colour stood."""
    sheet = f"<style>svg {{ --ink: {INK}; }} @media (prefers-color-scheme: dark) {{ svg {{ --ink: {INK_DARK}; }} }}</style>"
    text = text.replace(INK, f"var(--ink, {INK})")
    return re.sub(r"(<svg\b[^>]*>)", rf"\1\n {sheet}", text, count=1)
