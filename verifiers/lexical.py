"""Lexical retrieval: the weights that BM25 gives to terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from proofdeck import verifier
from verifiers import arguments


@verifier
def bm25(
    tf: int, df: int, documents: int, length: float, mean_length: float, k1: float = 1.2, b: float = 0.75
) -> float:
    """Score that one query term gives a document: a weight that saturates in the term's count.

    The 1 inside the logarithm is Lucene's: without it a term in most documents would count negative.

    Formula: ln(1 + (N − df + ½) / (df + ½)) · tf (k1 + 1) / (tf + k1 (1 − b + b · length / mean length)).
    Unit: 1
    Source: robertson2009
    """
    arguments.counts(0, tf=tf)
    arguments.counts(min(tf, 1), df=df)
    arguments.counts(max(1, df), documents=documents)
    arguments.positive(length=length, mean_length=mean_length)
    arguments.non_negative(k1=k1)
    arguments.shares(b=b)
    idf = math.log1p((documents - df + 0.5) / (df + 0.5))
    norm = k1 * (1 - b + b * length / mean_length)
    return idf * tf * (k1 + 1) / (tf + norm) if tf else 0.0


def _rises_below(scores: Sequence[float], limit: float) -> bool:
    """Whether scores rise by ever smaller steps and stay under the limit."""
    steps = [high - low for low, high in pairwise(scores)]
    falling = all(late < early for early, late in pairwise(steps))
    return falling and min(steps) > 0 and scores[-1] < limit


@verifier
def bm25_saturates(
    counts: int = 30,
    k1s: Sequence[float] = (0.5, 1.2, 2.0),
    documents: int = 1000,
    df: int = 10,
    length: float = 100,
    many: int = 10**9,
    tolerance: float = 1e-6,
) -> dict[str, object]:
    """Check that a term's weight rises ever more slowly with its count, towards idf · (k1 + 1).

    Unit: check
    Source: robertson2009
    """
    arguments.counts(3, counts=counts)
    arguments.counts(k1s=len(k1s))
    for k1 in k1s:
        scores = [bm25(tf, df, documents, length, length, k1) for tf in range(counts)]
        last = bm25(many, df, documents, length, length, k1)
        limit = (k1 + 1) * math.log1p((documents - df + 0.5) / (df + 0.5))
        assert _rises_below(scores, limit), f"BM25 with k1 = {k1} does not saturate"
        assert math.isclose(last, limit, rel_tol=tolerance), f"{last} is not the limit {limit}"
    return {"counts": counts, "k1": ", ".join(map(str, k1s))}
