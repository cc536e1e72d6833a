"""Agreement of raters: Cohen's kappa, plain and weighted, its sampling noise, correlation, bias."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from statistics import correlation, fmean

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.sequences import paired

PENALTIES = {"none": 0, "linear": 1, "quadratic": 2}
"""Weighting to the power of the distance that it punishes; none punishes all distances alike."""


def _table(counts: Sequence[Sequence[float]]) -> list[list[Fraction]]:
    cells = {f"counts[{i}][{j}]": count for i, row in enumerate(counts) for j, count in enumerate(row)}
    arguments.non_negative(**cells)
    whole = sum(map(Fraction, cells.values()))
    if any(len(row) != len(counts) for row in counts) or not whole:
        raise ValueError("a square table of counts is needed, its rows one rater and its columns the other")
    return [[Fraction(count) / whole for count in row] for row in counts]


@verifier
def observed(counts: Sequence[Sequence[float]]) -> float:
    """Share of items on which two raters agree.

    Formula: Σ diagonal / Σ table.
    Shapes: counts (classes, classes), row by one rater and column by the other.
    Unit: 1
    Source: cohen1960
    """
    return float(sum(row[place] for place, row in enumerate(_table(counts))))


@verifier
def kappa(counts: Sequence[Sequence[float]], weights: str = "none") -> float:
    """Cohen's kappa: agreement beyond chance; weighted kappa punishes by the distance of the classes.

    Formula: 1 − Σ w_ij p_ij / Σ w_ij p_i p_j, with w = [i ≠ j], |i − j| or (i − j)².
    Shapes: counts (classes, classes), row by one rater and column by the other.
    Unit: 1
    Source: cohen1960, cohen1968
    """
    power = PENALTIES[arguments.one_of("weighting", weights, PENALTIES)]
    table = _table(counts)
    rows = [sum(row) for row in table]
    columns = [sum(row[place] for row in table) for place in range(len(table))]
    cells = [(i, j, abs(i - j) ** power) for i, j in permutations(range(len(table)), 2)]
    chance = sum(penalty * rows[i] * columns[j] for i, j, penalty in cells)
    if not chance:
        raise ValueError("kappa is undefined where both raters give one and the same class only")
    return float(1 - sum(penalty * table[i][j] for i, j, penalty in cells) / chance)


@verifier(tolerance=1e-6)
def kappa_below(kappa: float, samples: int, threshold: float, prevalence: float = 0.5) -> float:
    """Probability that a sample's kappa of two binary raters falls below a threshold.

    Formula: Σ multinomial probabilities of the tables with kappa < threshold; both raters say yes with
    the prevalence π and disagree with probability 2 π (1 − π) (1 − kappa).
    Unit: 1
    Source: cohen1960
    """
    arguments.shares(kappa=kappa)
    arguments.counts(samples=samples)
    arguments.non_negative(**{"1 + threshold": 1 + threshold, "1 − threshold": 1 - threshold})
    arguments.positive(prevalence=prevalence, **{"1 − prevalence": 1 - prevalence})
    if samples > 300:
        raise ValueError(f"tables of {samples} samples are too many to go through; at most 300")
    split = prevalence * (1 - prevalence) * (1 - kappa)
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(samples) + 1))))
    total = 0.0
    for rest in range(samples + 1):
        both, upto = np.triu_indices(rest + 1)
        cells = [both, upto - both, np.full_like(both, samples - rest), rest - upto]
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = (prevalence - split, split, split, 1 - prevalence - split)
            chance = logs[samples] + sum(
                np.where(cell > 0, cell * np.log(rate), 0) - logs[cell]
                for cell, rate in paired(cells=cells, rates=rates)
            )
        yes, other_yes = cells[0] + cells[1], cells[0] + cells[2]
        agree = samples * (cells[0] + cells[3])
        by_chance = yes * other_yes + (samples - yes) * (samples - other_yes)
        # in whole numbers, so that a kappa of exactly the threshold is not below it
        low = agree - by_chance < threshold * (samples**2 - by_chance) - 1e-9
        total += float(np.exp(chance[low]).sum())
    return total


@verifier
def scores(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """How the scores of two raters correlate, and how far the second is off the first.

    Formula: correlation = cov / (σ σ'), bias = mean(second − first), error = mean |second − first|.
    Shapes: first (n), second (n).
    Unit: 1
    Source: definition
    """
    gaps = [b - a for a, b in paired(first=first, second=second)]
    arguments.finite(**{f"gaps[{index}]": gap for index, gap in enumerate(gaps)})
    return {
        "correlation": correlation(first, second),
        "bias": fmean(gaps),
        "error": fmean(map(abs, gaps)),
    }


@verifier
def always_one_class(prevalence: float) -> dict[str, float]:
    """Agreement and kappa of a rater who always says yes with one who does so at the prevalence.

    Formula: agreement = π, kappa = 0.
    Unit: 1
    Source: cohen1960
    """
    arguments.positive(prevalence=prevalence, **{"1 − prevalence": 1 - prevalence})
    table = ((prevalence, 0), (1 - prevalence, 0))
    return {"agreement": observed(table), "kappa": kappa(table)}


@verifier
def shifted_rater(levels: int, shift: int) -> dict[str, float]:
    """Correlation, error and kappa of a rater who adds a constant to every score of another.

    Formula: kappa = −pe / (1 − pe), pe = max(0, levels − shift) / levels², for evenly used levels.
    Unit: 1
    Source: cohen1960
    """
    arguments.counts(2, levels=levels)
    arguments.counts(shift=shift)
    grades = list(range(levels))
    size = levels + shift
    table = [[int(column == row + shift) for column in range(size)] for row in range(size)]
    return scores(grades, [grade + shift for grade in grades]) | {"kappa": kappa(table)}
