"""Areas of circles."""

from __future__ import annotations

import math

from proofdeck import verifier


def polygon_area(corners: int, radius: float = 1.0) -> float:
    """Area of the regular polygon inside a circle."""
    return corners / 2 * radius**2 * math.sin(2 * math.pi / corners)


@verifier
def area(radius: float) -> dict[str, float]:
    """Area of a disc, and its ratio to the area of a disc of half the radius.

    Formula: π r².
    Unit: area=1, ratio_to_half=1
    Source: definition
    """
    if radius <= 0:
        raise ValueError(f"radius {radius}: a disc has a positive radius")
    return {"area": math.pi * radius**2, "ratio_to_half": radius**2 / (radius / 2) ** 2}


@verifier
def circumference_ratio(factor: float) -> float:
    """By what the circumference grows when the radius grows by `factor`.

    Unit: 1
    Source: definition
    """
    return (2 * math.pi * factor) / (2 * math.pi)


@verifier
def area_equals_the_limit_of_polygons() -> dict[str, str]:
    """Polygons of ever more corners fill the disc: an independent way to π r².

    Unit: check
    Source: Archimedes
    """
    radii = (0.5, 1.0, 3.0)
    for radius in radii:
        found = polygon_area(10**6, radius)
        assert math.isclose(found, area(radius)["area"], rel_tol=1e-10), f"radius {radius}: {found}"
    return {"radii": ", ".join(map(str, radii)), "corners": "10^6"}
