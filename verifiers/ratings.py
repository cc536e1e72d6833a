"""Ratings from pairwise battles: Elo, Bradley-Terry, their uncertainty, and smoothed rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.intervals import z_score

Array = np.ndarray[Any, np.dtype[Any]]
POINTS = 400 / math.log(10)
"""Elo points of one natural logarithm of the odds."""


@verifier
def expected_score(difference: float) -> float:
    """Expected score, wins plus half the draws, of a player rated higher by a difference.

    Formula: 1 / (1 + 10^(−difference / 400)).
    Unit: 1
    Source: definition
    """
    arguments.finite(difference=difference)
    # of the two odds the one below one, which cannot overflow
    odds = 10 ** (-abs(difference) / 400)
    return (odds if difference < 0 else 1) / (1 + odds)


@verifier
def rating_gap(score: float) -> float:
    """Difference in rating that an expected score stands for.

    Formula: 400 · log₁₀(score / (1 − score)).
    Unit: 1
    Source: definition
    """
    arguments.positive(score=score, **{"1 − score": 1 - score})
    return 400 * math.log10(score / (1 - score))


@verifier
def elo_update(rating: float, other: float, score: float, k: float = 32) -> float:
    """Rating after a game with a score of 1, ½ or 0.

    Formula: rating + k · (score − expected score).
    Unit: 1
    Source: definition
    """
    arguments.shares(score=score)
    arguments.positive(k=k)
    return rating + k * (score - expected_score(rating - other))


@verifier
def elo_after(scores: Sequence[float], k: float = 32, start: float = 1000) -> dict[str, float]:
    """Ratings of two players after games in the given order, from equal ratings.

    Formula: one update after the other; the second loses what the first wins.
    Shapes: scores of the first player, game by game.
    Unit: 1
    Source: definition
    """
    first = start
    for score in scores:
        first = elo_update(first, 2 * start - first, score, k)
    return {"first": first, "second": 2 * start - first}


def _battles(wins: Sequence[Sequence[float]]) -> Array:
    table = np.array(wins, dtype=float)
    players = len(table)
    square = players >= 2 and table.shape == (players, players)
    if not square or not np.isfinite(table).all() or table.min() < 0 or table.diagonal().any():
        raise ValueError("wins[i][j] counts how often i beat j: a square table, zeros on its diagonal")
    # everybody must be linked by wins to everybody, or a strength is infinite
    linked = np.eye(players, dtype=bool) | (table > 0)
    if not np.linalg.matrix_power(linked, players).all():
        raise ValueError("each group of players must have won against the others and lost to them")
    return table


def _fit(table: Array) -> Array:
    """Log strengths of largest likelihood, of mean zero, by Newton's method; the last one held at zero."""
    games = table + table.T
    strengths = np.zeros(len(table))

    def likelihood(at: Array) -> float:
        return -float((table * np.logaddexp(0, at[None, :] - at[:, None])).sum())

    while True:
        odds = _win_probability(strengths)
        gradient = (table - games * odds).sum(1)
        step = np.zeros(len(table))
        step[:-1] = np.linalg.solve(_information(games, odds)[:-1, :-1], gradient[:-1])
        # far from the optimum a whole step can overshoot
        while likelihood(strengths + step) < likelihood(strengths):
            step /= 2
        done = likelihood(strengths + step) == likelihood(strengths)
        strengths = strengths + step
        if done:
            return np.asarray(strengths - strengths.mean())


def _win_probability(strengths: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(strengths[None, :] - strengths[:, None])))


def _information(games: Array, odds: Array) -> Array:
    """Fisher information of the log strengths: a graph's Laplacian, weighted by p (1 − p)."""
    weights = games * odds * (1 - odds)
    return np.asarray(np.diag(weights.sum(1)) - weights)


@verifier(tolerance=1e-6)
def bradley_terry(wins: Sequence[Sequence[float]]) -> list[float]:
    """Ratings of largest likelihood, in Elo points around zero; the order of games has no say.

    Formula: argmax Σ wins_ij · log(1 / (1 + exp(θ_j − θ_i))), rating = θ · 400 / ln 10, mean zero.
    Shapes: wins (players, players), row beats column.
    Unit: 1
    Source: chiang2024
    """
    return [float(rating) for rating in POINTS * _fit(_battles(wins))]


@verifier(tolerance=1e-6)
def gap_half_width(wins: Sequence[Sequence[float]], a: int, b: int, confidence: float = 0.95) -> float:
    """Half-width of the confidence interval of the difference of two Bradley-Terry ratings.

    Formula: z · √((I⁻¹)_aa) · 400 / ln 10, with I the Fisher information, row and column of b left out.
    Unit: 1
    Source: chiang2024
    """
    table = _battles(wins)
    arguments.counts(0, a=a, b=b)
    if max(a, b) >= len(table) or a == b:
        raise ValueError(f"{a} and {b} must be two of {len(table)} players")
    games = table + table.T
    # with b held at zero, what is left of a's variance is that of the difference
    others = np.arange(len(table)) != b
    information = _information(games, _win_probability(_fit(table)))[others][:, others]
    variance = np.linalg.inv(information).diagonal()[others[:a].sum()]
    return z_score(confidence) * POINTS * math.sqrt(variance)


@verifier
def battles_needed(difference: float, confidence: float = 0.95) -> int:
    """Battles of two models after which the interval of their difference excludes zero half of the time.

    Formula: ⌈(z · 400 / ln 10 / difference)² / (p (1 − p))⌉ with p the expected score.
    Unit: 1
    Source: chiang2024
    """
    arguments.positive(difference=difference)
    p = expected_score(difference)
    return math.ceil((z_score(confidence) * POINTS / difference) ** 2 / (p * (1 - p)))


@verifier
def smoothed_rate(successes: int, trials: int, prior: float, weight: float) -> float:
    """Rate of success that leans on a prior as if it had been seen in `weight` trials.

    Formula: (successes + weight · prior) / (trials + weight).
    Unit: 1
    Source: definition
    """
    arguments.counts(0, successes=successes)
    arguments.counts(successes, trials=trials)
    arguments.shares(prior=prior)
    arguments.non_negative(weight=weight)
    arguments.positive(**{"trials + weight": trials + weight})
    return (successes + weight * prior) / (trials + weight)


@verifier
def newcomer_rank(
    quality: float, weight: float, items: int = 1000, trials: int = 200, shape: float = 2.0, seed: int = 0
) -> dict[str, int]:
    """Rank of a new item without any trial among tried ones: by raw count, smoothed rate, true quality.

    Formula: qualities ~ Beta(shape, 4 · shape), successes ~ Binomial(trials, quality), and the prior is
    the mean observed rate.
    Unit: 1
    Source: definition
    """
    arguments.shares(quality=quality)
    arguments.counts(items=items, trials=trials)
    arguments.positive(shape=shape)
    rng = np.random.default_rng(seed)
    qualities = rng.beta(shape, 4 * shape, items)
    successes = rng.binomial(trials, qualities)
    prior = float(successes.mean() / trials)
    own = smoothed_rate(0, 0, prior, weight)
    rates = (successes + weight * prior) / (trials + weight)
    return {
        "raw": 1 + int((successes > 0).sum()),
        "smoothed": 1 + int((rates > own).sum()),
        "true": 1 + int((qualities > quality).sum()),
    }
