"""Adaptive softmax: a short head of frequent tokens, and clusters of rare ones in fewer dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from proofdeck import verifier
from verifiers import arguments, rare_tokens


def _clusters(vocab: int, d_model: int, cutoffs: Sequence[int], shrink: float) -> list[tuple[int, int]]:
    """Size and width of each cluster of rare tokens."""
    arguments.counts(d_model=d_model, **{"number of cutoffs": len(cutoffs)})
    edges = [*cutoffs, vocab]
    for low, high in pairwise([0, *edges]):
        arguments.counts(**{f"tokens between {low} and {high}": high - low})
    arguments.positive(shrink=shrink)
    found = []
    for index, (low, high) in enumerate(pairwise(edges)):
        width = int(d_model // shrink ** (index + 1))
        arguments.counts(**{f"width of cluster {index + 1}": width})
        found.append((high - low, width))
    return found


@verifier
def parameters(vocab: int, d_model: int, cutoffs: Sequence[int], shrink: float = 4.0) -> int:
    """Parameters of an adaptive softmax without biases; a full softmax has V · d.

    Formula: d · (head + clusters) + Σ d_i · (d + V_i), d_i = ⌊d / shrink^i⌋.
    Unit: param
    Source: grave2017
    """
    clusters = _clusters(vocab, d_model, cutoffs, shrink)
    head = d_model * (cutoffs[0] + len(clusters))
    return head + sum(width * (d_model + size) for size, width in clusters)


@verifier
def training_flops(
    vocab: int, d_model: int, cutoffs: Sequence[int], shrink: float = 4.0, exponent: float = 1.0
) -> float:
    """Expected FLOPs of one token's logits in training, where the target's cluster alone is computed.

    Formula: 2 · d · (head + clusters) + Σ P_i · 2 · d_i · (d + V_i), P_i the share of text in cluster i,
    frequencies falling as rank^−exponent.
    Unit: FLOP
    Source: grave2017
    """
    clusters = _clusters(vocab, d_model, cutoffs, shrink)
    shares = rare_tokens.frequencies(vocab, exponent)
    total, low = 2.0 * d_model * (cutoffs[0] + len(clusters)), cutoffs[0]
    for size, width in clusters:
        total += float(shares[low : low + size].sum()) * 2 * width * (d_model + size)
        low += size
    return total
