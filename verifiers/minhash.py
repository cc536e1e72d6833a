"""Near-duplicates: shingles, MinHash signatures, and locality-sensitive hashing of their bands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.truncation import decimal

Array = np.ndarray[Any, np.dtype[Any]]
Item = str | int

UNITS: dict[str, Callable[[str], Sequence[str]]] = {"character": list, "word": str.split}


def shingle_set(text: str, length: int, unit: str) -> frozenset[tuple[str, ...]]:
    """Return the different runs of `length` characters or words of a text."""
    arguments.counts(length=length)
    parts = UNITS[arguments.one_of("unit of shingles", unit, UNITS)](text)
    return frozenset(tuple(parts[start : start + length]) for start in range(len(parts) - length + 1))


def _jaccard(ours: frozenset[Any], theirs: frozenset[Any]) -> float:
    arguments.counts(shingles=len(ours | theirs))
    return len(ours & theirs) / len(ours | theirs)


def minima(sets: Sequence[Iterable[int]], universe: int, permutations: int, seed: int) -> Array:
    """Return each set's signature: the least rank of its members under each random permutation.

    Ranks are drawn as numbers between 0 and 1, whose order is a random permutation.
    Shapes: sets × permutations.
    """
    arguments.counts(0, seed=seed)
    ranks = np.random.default_rng(seed).random((permutations, universe))
    return np.stack([ranks[:, sorted(members)].min(axis=1) for members in sets])


@verifier
def shingles(text: str, length: int, unit: str = "word") -> int:
    """Number of different shingles of a text.

    Unit: 1
    Source: broder1997
    """
    return len(shingle_set(text, length, unit))


@verifier
def jaccard(text: str, other: str, length: int, unit: str = "word") -> float:
    """Similarity of two texts: shingles in both over shingles in either.

    Formula: |A ∩ B| / |A ∪ B|.
    Unit: 1
    Source: broder1997
    """
    return _jaccard(shingle_set(text, length, unit), shingle_set(other, length, unit))


@verifier
def containment(text: str, other: str, length: int, unit: str = "word") -> float:
    """Share of a text's shingles that stand in another as well.

    Formula: |A ∩ B| / |A|.
    Unit: 1
    Source: broder1997
    """
    ours = shingle_set(text, length, unit)
    arguments.counts(shingles=len(ours))
    return len(ours & shingle_set(other, length, unit)) / len(ours)


@verifier
def estimate(
    text: str, other: str, length: int, permutations: int, seed: int = 0, unit: str = "word"
) -> float:
    """Similarity as two MinHash signatures tell it: the share of permutations with equal minima.

    Unit: 1
    Source: broder1997
    """
    arguments.counts(permutations=permutations)
    ours, theirs = shingle_set(text, length, unit), shingle_set(other, length, unit)
    arguments.counts(least=min(len(ours), len(theirs)))
    number = {shingle: place for place, shingle in enumerate(sorted(ours | theirs))}
    sets = [[number[shingle] for shingle in side] for side in (ours, theirs)]
    first, second = minima(sets, len(number), permutations, seed)
    return float((first == second).mean())


@verifier
def standard_error(similarity: float, permutations: int) -> float:
    """Standard deviation of a MinHash estimate around the similarity.

    Formula: √(J · (1 − J) / k).
    Unit: 1
    Source: broder1997
    """
    arguments.shares(similarity=similarity)
    arguments.counts(permutations=permutations)
    return math.sqrt(similarity * (1 - similarity) / permutations)


@verifier
def permutations_for(error: float, similarity: float = 0.5) -> int:
    """Fewest permutations whose estimate of a similarity has at most a given standard error.

    Formula: ⌈J · (1 − J) / error²⌉, at least 1, of the decimals as written.
    Unit: 1
    Source: broder1997
    """
    arguments.shares(similarity=similarity)
    arguments.positive(error=error)
    share = decimal(similarity)
    return max(1, math.ceil(share * (1 - share) / decimal(error) ** 2))


@verifier
def signature_bytes(documents: int, permutations: int, nbytes: int = 4) -> int:
    """Bytes of the signatures of a collection.

    Formula: documents · permutations · bytes per minimum.
    Unit: B
    Source: definition
    """
    arguments.counts(documents=documents, permutations=permutations, nbytes=nbytes)
    return documents * permutations * nbytes


@verifier
def pairs(documents: int) -> int:
    """Comparisons of every document with every other.

    Formula: n · (n − 1) / 2.
    Unit: 1
    Source: definition
    """
    arguments.counts(documents=documents)
    return math.comb(documents, 2)


def collisions(shared: int, alone: int, permutations: int, seed: int) -> float:
    """Share of permutations with equal minima of two sets with `shared` common and `alone` own members."""
    universe = shared + 2 * alone
    sets = (range(shared + alone), (*range(shared), *range(shared + alone, universe)))
    first, second = minima(sets, universe, permutations, seed)
    return float((first == second).mean())


@verifier
def collides_as_often_as_similar(
    cases: tuple[tuple[int, int], ...] = ((8, 1), (5, 5), (1, 9), (30, 10)),
    permutations: int = 4000,
    seed: int = 7,
    errors: float = 4.0,
) -> dict[str, str | int | float]:
    """Two sets' minima under a random permutation agree with a probability equal to their similarity.

    Formula: P(min A = min B) = |A ∩ B| / |A ∪ B|.
    Unit: check
    Source: broder1997
    """
    for shared, alone in cases:
        similarity = shared / (shared + 2 * alone)
        found = collisions(shared, alone, permutations, seed)
        if abs(found - similarity) > errors * standard_error(similarity, permutations):
            raise AssertionError(f"similarity {similarity:.4f}, yet {found:.4f} of the minima agree")
    return {"sets (shared, alone)": str(cases), "permutations": permutations, "standard errors": errors}
