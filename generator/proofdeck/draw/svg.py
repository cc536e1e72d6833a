"""A matplotlib figure to SVG text: the same bytes for the same figure, legible on light and dark.

Anki shows a picture without the card's style sheet. The canvas is transparent and the ink dark; in night mode
the note type's style turns the picture's lightness around and keeps its hues, by Anki's own class, since not
every client tells a picture which scheme it is shown in. Text becomes paths: no client has our fonts.
"""

from __future__ import annotations

import io
import re
from typing import Any

INK = "#3a424b"
SERIES = ("#1f6fb5", "#c4571a", "#2a8a57", "#9a489a", "#a67c00", "#bf3a2b")
"""At least 3:1 against white and, turned around, against Anki's night background."""

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
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color", "legend.labelcolor", "hatch.color"), INK),
}  # fmt: skip


def style() -> None:
    """Set the house style for figures made from here on."""
    import matplotlib
    from cycler import cycler

    matplotlib.use("Agg")
    matplotlib.rcdefaults()
    settings: Any = matplotlib.rcParams
    settings.update(STYLE, **{"axes.prop_cycle": cycler(color=SERIES)})


def to_svg(figure: Any) -> str:
    """Return the SVG of a `matplotlib.figure.Figure`; raise TypeError for anything else."""
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise TypeError(f"returned {type(figure).__name__}: return a matplotlib.figure.Figure")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*", "", out.getvalue(), flags=re.S)
    return re.sub(r"\s*<metadata>.*?</metadata>", "", text, count=1, flags=re.S)
