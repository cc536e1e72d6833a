"""Drawings of circles."""

from __future__ import annotations

from matplotlib.figure import Figure

from proofdeck import figure
from verifiers import circle


@figure
def growth() -> Figure:
    """Area of a disc against its radius."""
    radii = [step / 10 for step in range(1, 31)]
    drawing = Figure(figsize=(5, 3))
    axes = drawing.subplots()
    axes.plot(radii, [circle.area(radius)["area"] for radius in radii])
    axes.set_xlabel("radius in m")
    axes.set_ylabel("area in m²")
    return drawing
