"""Figures of backpropagation."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import backpropagation


@figure
def graph() -> Any:
    """The graph of (a·b + c)² with values going forward and gradients coming back along each edge."""
    from matplotlib.figure import Figure

    a, b, c = 2, -3, 10
    found = backpropagation.squared_sum(a, b, c)
    product, total = a * b, a * b + c
    fig = Figure(figsize=(5, 3.0), layout="constrained")
    ax = fig.subplots()
    nodes = {
        "a": (0, 2.2, "a"),
        "b": (0, 0.95, "b"),
        "c": (0, -0.1, "c"),
        "ab": (1.5, 1.6, "×"),
        "u": (3.0, 0.9, "+"),
        "L": (4.5, 0.9, "( )²"),
    }
    edges = (
        ("a", "ab", a, found["a"]),
        ("b", "ab", b, found["b"]),
        ("ab", "u", product, 2 * total),
        ("c", "u", c, found["c"]),
        ("u", "L", total, 2 * total),
    )
    for start, end, value, gradient in edges:
        (x0, y0, _), (x1, y1, _) = nodes[start], nodes[end]
        ax.annotate(
            "",
            (x1 - 0.25, y1 - 0.17 * (y1 - y0)),
            (x0 + 0.2, y0 + 0.1 * (y1 - y0)),
            arrowprops={"arrowstyle": "-|>", "color": "C3", "linewidth": 1.3},
        )
        for text, along, up, colour in ((value, 0.36, True, "C0"), (gradient, 0.66, False, "C1")):
            x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
            place = (x, y + 0.09) if up else (x, y - 0.09)
            said = f"{text:g}".replace("-", "−")
            ax.annotate(said, place, color=colour, ha="center", va="bottom" if up else "top")
    for x, y, name in nodes.values():
        ax.annotate(name, (x, y), ha="center", va="center", fontsize=14, color="C3")
    ax.annotate(f"L = {found['loss']:g}", (4.5, 1.35), color="C0", ha="center")
    ax.annotate("∂L/∂L = 1", (4.5, 0.45), color="C1", ha="center", va="top")
    ax.annotate("values forward", (5.1, 2.1), color="C0", ha="right")
    ax.annotate("gradients back", (5.1, 1.8), color="C1", ha="right")
    ax.set(xlim=(-0.3, 5.2), ylim=(-0.35, 2.45))
    ax.axis("off")
    return fig
