"""The unigram tokeniser: the likeliest segmentation, all segmentations, and expected counts of pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from proofdeck import verifier
from verifiers import arguments

Pieces = Sequence[tuple[str, float]]
"""Pieces with their log-probabilities, in nats; a vocabulary's, or some of them."""


def _table(pieces: Pieces) -> dict[str, float]:
    table = dict(pieces)
    if len(table) < len(pieces) or "" in table:
        raise ValueError("a piece is empty or given twice")
    arguments.non_negative(**{f"−ln p({piece})": -log for piece, log in table.items()})
    arguments.shares(**{"sum of the probabilities": round(math.fsum(map(math.exp, table.values())), 9)})
    return table


def _ending(text: str, end: int, table: dict[str, float]) -> Iterator[tuple[int, float]]:
    """Yield start and log-probability of every piece of the text that ends at a place."""
    for start in range(end):
        if text[start:end] in table:
            yield start, table[text[start:end]]


def _forward(text: str, table: dict[str, float], join: Callable[[list[float]], float]) -> list[float]:
    """Return for every place how its prefix's segmentations score, combined by `join`; −∞ without any."""
    scores = [0.0]
    for end in range(1, len(text) + 1):
        scores.append(join([scores[start] + log for start, log in _ending(text, end, table)]))
    return scores


def _largest(logs: list[float]) -> float:
    return max(logs, default=-math.inf)


def _log_sum(logs: list[float]) -> float:
    largest = _largest(logs)
    if largest == -math.inf:
        return largest
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs))


def _score(text: str, pieces: Pieces, join: Callable[[list[float]], float]) -> float:
    score = _forward(text, _table(pieces), join)[-1]
    if score == -math.inf:
        raise ValueError(f"no sequence of these pieces makes up {text!r}")
    return score


def segment(text: str, pieces: Pieces) -> list[str]:
    """Return the likeliest segmentation, by Viterbi's algorithm."""
    _score(text, pieces, _largest)
    table = _table(pieces)
    scores = _forward(text, table, _largest)
    found: list[str] = []
    end = len(text)
    while end:
        start, _ = max(_ending(text, end, table), key=lambda item: scores[item[0]] + item[1])
        found.append(text[start:end])
        end = start
    return found[::-1]


@verifier
def tokens(text: str, pieces: tuple[tuple[str, float], ...]) -> int:
    """Tokens of a text's likeliest segmentation.

    Unit: token
    Source: kudo2018
    """
    return len(segment(text, pieces))


@verifier
def best_log_probability(text: str, pieces: tuple[tuple[str, float], ...]) -> float:
    """Log-probability of a text's likeliest segmentation.

    Formula: max over segmentations of Σ ln p(piece).
    Unit: nat
    Source: kudo2018
    """
    return _score(text, pieces, _largest)


@verifier
def log_probability(text: str, pieces: tuple[tuple[str, float], ...]) -> float:
    """Log-probability of a text over all its segmentations.

    Formula: ln Σ over segmentations of Π p(piece), by the forward recursion.
    Unit: nat
    Source: kudo2018
    """
    return _score(text, pieces, _log_sum)


@verifier
def segmentations(text: str, pieces: tuple[tuple[str, float], ...]) -> int:
    """Number of ways to make up a text from pieces.

    Unit: 1
    Source: kudo2018
    """
    table = _table(pieces)
    ways = [1]
    for end in range(1, len(text) + 1):
        ways.append(sum(ways[start] for start, _ in _ending(text, end, table)))
    return ways[-1]


@verifier
def segments_into(
    text: str, pieces: tuple[tuple[str, float], ...], expected: tuple[str, ...]
) -> dict[str, str | int]:
    """A text's likeliest segmentation is the expected one.

    Unit: check
    Source: kudo2018
    """
    found = segment(text, pieces)
    if found != list(expected):
        raise AssertionError(f"{text!r} becomes {found}")
    return {"text": text, "pieces": len(pieces)}


@verifier
def expected_count(text: str, pieces: tuple[tuple[str, float], ...], piece: str) -> float:
    """Expected occurrences of a piece over all segmentations of a text: what the E-step counts.

    Formula: Σ over its places of forward · p(piece) · backward / p(text).
    Unit: 1
    Source: kudo2018
    """
    table = _table(pieces)
    arguments.one_of("piece", piece, table)
    whole = log_probability(text, pieces)
    forward = _forward(text, table, _log_sum)
    reverse = {key[::-1]: log for key, log in table.items()}
    backward = _forward(text[::-1], reverse, _log_sum)[::-1]
    places = [start for start in range(len(text)) if text.startswith(piece, start)]
    return math.fsum(
        math.exp(forward[start] + table[piece] + backward[start + len(piece)] - whole) for start in places
    )
