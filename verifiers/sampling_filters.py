"""Filters at work: temperature and truncation together, ties, and how often two draws agree."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, product

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.sampling import Array, listed, softmax, zipf
from verifiers.truncation import count_kept_rounded, decimal


@verifier
def left_after(
    exponent: float, temperature: float = 1.0, top_p: float = 1.0, top_k: int = 50257, vocab: int = 50257
) -> dict[str, float]:
    """What temperature, then top-k, then top-p leave of a Zipf distribution.

    Formula: p_r ∝ r^(−s/T); the first k; of these, renormalised, the shortest prefix with mass ≥ p, all for
    p = 1; effective = exp(entropy) of what is kept, renormalised.
    Unit: kept=token, effective=token
    Source: holtzman2020
    """
    arguments.counts(top_k=top_k)
    arguments.shares(top_p=top_p)
    arguments.positive(top_p=top_p)
    p = zipf(exponent, vocab, temperature)[:top_k]
    kept = p[: count_kept_rounded((p / p.sum()).tolist(), "top-p", top_p)]
    present = kept[kept > 0] / kept.sum()  # the far tail of a cold distribution underflows
    return {"kept": len(kept), "effective": float(np.exp(-(present * np.log(present)).sum()))}


@verifier
def two_draws_differ(logits: Sequence[float], temperature: float = 1.0) -> float:
    """Probability that two independent draws give different tokens.

    Formula: 1 − Σ p², p = softmax(z/T).
    Unit: 1
    Source: definition
    """
    arguments.counts(logits=len(logits))
    return float(1 - (softmax(np.array(logits, dtype=float), temperature) ** 2).sum())


@verifier
def kept_by_threshold(logits: Sequence[float], k: int) -> int:
    """Tokens that top-k keeps when it compares with the k-th largest logit, as tensor code does.

    Formula: |{i: z_i ≥ z_(k)}|: more than k where logits tie with the k-th.
    Unit: token
    Source: definition
    """
    arguments.counts(k=k)
    arguments.finite(**{f"logits[{index}]": logit for index, logit in enumerate(logits)})
    if k > len(logits):
        raise ValueError(f"there are {len(logits)} logits, fewer than {k}")
    smallest = sorted(logits)[-k]
    return sum(logit >= smallest for logit in logits)


@verifier
def kept_exceeding(probabilities: Sequence[float], threshold: float) -> int:
    """Tokens of a nucleus whose mass must exceed p instead of reaching it, in exact decimals.

    Formula: shortest prefix, in falling order, with mass > p: one token more where a prefix holds exactly p.
    Unit: token
    Source: holtzman2020
    """
    arguments.distribution(probabilities)
    arguments.shares(threshold=threshold)
    masses = list(accumulate(sorted((decimal(p) for p in probabilities), reverse=True)))
    return min(bisect_right(masses, decimal(threshold)) + 1, len(masses))


def by_sorting(logits: Array, temperature: float, k: int, top_p: float) -> Array:
    """Sort, cut off after k, cut off where the mass before a token reaches p, scatter back."""
    order = np.argsort(-logits)
    p = softmax(logits[order[:k]], temperature)
    p[p.cumsum() - p >= top_p] = 0
    found = np.zeros_like(logits)
    found[order[:k]] = p / p.sum()
    return found


def by_masking(logits: Array, temperature: float, k: int, top_p: float) -> Array:
    """Mask logits below the k-th largest; keep a token while those likelier than it hold less than p."""
    p = softmax(np.where(logits >= np.sort(logits)[-k], logits, -np.inf), temperature)
    likelier = (p[:, None] < p).astype(float) @ p
    return softmax(np.where((likelier < top_p) & (p > 0), logits, -np.inf), temperature)


@verifier
def sorting_and_masking_agree(
    tokens: int = 60,
    seeds: int = 5,
    temperatures: tuple[float, ...] = (0.7, 1.5),
    ks: tuple[int, ...] = (1, 10, 50),
    masses: tuple[float, ...] = (0.3, 0.9, 1.0),
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check that two ways to code temperature, top-k and top-p give the same distribution.

    Formula: sort, cut and scatter back = mask below the k-th logit and where likelier tokens hold p.
    Unit: check
    Source: holtzman2020
    """
    for seed in range(seeds):
        logits = np.random.default_rng(seed).standard_normal(tokens)
        for temperature, k, top_p in product(temperatures, ks, masses):
            a, b = (way(logits, temperature, k, top_p) for way in (by_sorting, by_masking))
            assert np.allclose(a, b, rtol=tolerance, atol=tolerance), (
                f"T {temperature}, k {k}, p {top_p} differ"
            )
    return {"tokens": tokens, "seeds": seeds, "k": listed(ks), "p": listed(masses), "tolerance": tolerance}
