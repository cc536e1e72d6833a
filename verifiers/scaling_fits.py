"""How exponents are read off training runs: power-law fits, IsoFLOP profiles and the envelope of curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments, scaling
from verifiers.scaling import Fit


def _pairs(xs: Sequence[float], ys: Sequence[float], at_least: int) -> None:
    if len(xs) != len(ys) or len(set(xs)) < at_least:
        raise ValueError(f"needs as many values as arguments, at {at_least} or more different arguments")
    for name, values in (("xs", xs), ("ys", ys)):
        arguments.positive(**{f"{name}[{index}]": value for index, value in enumerate(values)})


@verifier(tolerance=1e-6)
def power_law(xs: tuple[float, ...], ys: tuple[float, ...]) -> dict[str, float]:
    """Power law through points: the least-squares line between their logarithms.

    Formula: ln y = ln k + p · ln x.
    Unit: factor=1, exponent=1
    Source: definition
    """
    _pairs(xs, ys, 2)
    x, y = np.log(xs), np.log(ys)
    exponent = float(((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum())
    return {"factor": math.exp(float(y.mean()) - exponent * float(x.mean())), "exponent": exponent}


@verifier(tolerance=1e-6)
def extrapolated(xs: tuple[float, ...], ys: tuple[float, ...], at: float) -> float:
    """Value of the power law through points at another argument.

    Formula: k · x^p.
    Unit: 1
    Source: definition
    """
    arguments.positive(at=at)
    line = power_law(xs, ys)
    return float(line["factor"] * at ** line["exponent"])


@verifier(tolerance=1e-6)
def isoflop_minimum(sizes: tuple[float, ...], losses: tuple[float, ...]) -> dict[str, float]:
    """Best size of one IsoFLOP profile: the vertex of a parabola fitted to the loss over log size.

    Unit: params=param, loss=nat
    Source: hoffmann2022
    """
    _pairs(sizes, losses, 3)
    x = np.log(sizes)
    centre = float(x.mean())
    curvature, slope, level = (float(c) for c in np.polyfit(x - centre, losses, 2))
    if curvature <= 0:
        raise ValueError("the fitted parabola opens downwards: these losses have no minimum")
    vertex = -slope / (2 * curvature)
    return {"params": math.exp(centre + vertex), "loss": level + slope * vertex / 2}


def losses_at(budget: float, sizes: Sequence[float], fit: Fit) -> tuple[float, ...]:
    """Return the loss of each size when it is trained for a whole budget."""
    return tuple(scaling.loss(size, budget / (6 * size), fit) for size in sizes)


def isoflop_sizes(budgets: Sequence[float], fit: Fit, spread: float, points: int) -> list[float]:
    """Approach 2 on a known law: the vertex of each budget's profile around its optimum."""
    best = []
    for budget in budgets:
        centre = scaling.optimum(budget, fit)["params"]
        sizes = tuple(np.geomspace(centre / spread, centre * spread, points).tolist())
        best.append(isoflop_minimum(sizes, losses_at(budget, sizes, fit))["params"])
    return best


def envelope_sizes(budgets: Sequence[float], fit: Fit, grid: int, reach: float) -> list[float]:
    """Approach 1 on a known law: of the curves of many sizes, the lowest at each budget."""
    lowest, highest = (scaling.optimum(budget, fit)["params"] for budget in (budgets[0], budgets[-1]))
    sizes = np.geomspace(lowest / reach, highest * reach, grid).tolist()
    return [sizes[int(np.argmin(losses_at(budget, sizes, fit)))] for budget in budgets]


@verifier
def approaches_agree(
    fit: Fit = "besiroglu",
    lowest: float = 6e18,
    highest: float = 3e21,
    budgets: int = 9,
    grid: int = 1500,
    reach: float = 10.0,
    spread: float = 4.0,
    points: int = 9,
    tolerance: float = 2e-3,
) -> dict[str, str | int | float]:
    """IsoFLOP vertices and the envelope of training curves, both of runs that obey a law, give its exponent.

    Formula: slope of ln N over ln C = β / (α + β).
    Unit: check
    Source: hoffmann2022
    """
    compute = [float(c) for c in np.geomspace(lowest, highest, budgets)]
    expected = scaling.exponents(fit)["params"]
    found = {"IsoFLOP": isoflop_sizes(compute, fit, spread, points)}
    found["envelope"] = envelope_sizes(compute, fit, grid, reach)
    for name, sizes in found.items():
        exponent = power_law(tuple(compute), tuple(sizes))["exponent"]
        if abs(exponent - expected) > tolerance:
            raise AssertionError(f"{name}: exponent {exponent:.4f} instead of {expected:.4f}")
    return {"fit": str(fit), "budgets": budgets, "tolerance": tolerance}
