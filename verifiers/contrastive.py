"""Contrastive losses over a batch of pairs: InfoNCE, CLIP's symmetric loss and SigLIP's sigmoid loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dtypes
from verifiers.calculus import Array, confirm_gradient, log_softmax, softmax, vector

Rows = Sequence[Sequence[float]]


def _softplus(scores: Array) -> Array:
    """ln(1 + exp(z)) without overflow; complex scores pass through."""
    size = scores * np.sign(scores.real)
    return np.asarray((scores + size) / 2 + np.log1p(np.exp(-size)))


def info_nce_of(scores: Array) -> Any:
    """Mean loss of the rows; row i's partner is column i."""
    return -np.trace(log_softmax(scores)) / len(scores)


def clip_of(scores: Array) -> Any:
    """Mean of the losses of the rows and of the columns."""
    return (info_nce_of(scores) + info_nce_of(scores.T)) / 2


def siglip_of(scores: Array) -> Any:
    """Binary cross-entropy of every pair, matched or not, over the number of rows."""
    signs = 2 * np.eye(len(scores)) - 1
    return _softplus(-signs * scores).sum() / len(scores)


def info_nce_gradient(scores: Array) -> Array:
    """(softmax along the row − identity)/n."""
    return np.asarray((softmax(scores) - np.eye(len(scores))) / len(scores))


def clip_gradient(scores: Array) -> Array:
    """((row softmax + column softmax)/2 − identity)/n."""
    return np.asarray((info_nce_gradient(scores) + info_nce_gradient(scores.T).T) / 2)


def siglip_gradient(scores: Array) -> Array:
    """(sigmoid of the score − identity)/n."""
    return np.asarray((1 / (1 + np.exp(-scores)) - np.eye(len(scores))) / len(scores))


LOSSES: dict[str, tuple[Callable[[Array], Any], Callable[[Array], Array]]] = {
    "info-nce": (info_nce_of, info_nce_gradient),
    "clip": (clip_of, clip_gradient),
    "siglip": (siglip_of, siglip_gradient),
}


@verifier(tolerance=1e-9)
def loss(similarities: Rows, temperature: float = 0.07, kind: str = "clip", bias: float = 0.0) -> float:
    """Contrastive loss of a batch by its matrix of similarities, the partners on the diagonal.

    Formula: z = s/τ + b; info-nce: mean of −z_ii + logsumexp_j z_ij; clip: mean of that over rows and
    columns; siglip: (1/n) Σ_ij ln(1 + exp(−y_ij·z_ij)), y one on the diagonal and minus one elsewhere.
    Unit: nat
    Source: oord2018, radford2021, zhai2023
    """
    arguments.positive(temperature=temperature)
    arguments.finite(bias=bias)
    scores = np.array(similarities, dtype=float)
    if scores.ndim != 2 or len(set(scores.shape)) != 1:
        raise ValueError(f"similarities must form a square matrix, not {scores.shape}")
    vector("similarities", [score for row in similarities for score in row])
    of, _ = LOSSES[arguments.one_of("loss", kind, LOSSES)]
    return float(of(scores / temperature + bias))


@verifier
def loss_at_chance(batch: int) -> float:
    """InfoNCE or CLIP loss of a model that cannot tell the pairs of a batch apart.

    Formula: ln N.
    Unit: nat
    Source: oord2018
    """
    arguments.counts(batch=batch)
    return math.log(batch)


@verifier
def information_bound(loss: float, batch: int) -> float:
    """Mutual information of the two views that an InfoNCE loss proves, at most ln N.

    Formula: I ≥ ln N − L.
    Unit: nat
    Source: oord2018
    """
    arguments.non_negative(loss=loss)
    return loss_at_chance(batch) - loss


@verifier
def least_loss(batch: int, temperature: float = 0.07, cosine: float | None = None) -> float:
    """InfoNCE loss with partners at a cosine of 1 and all others at `cosine`; by default the least there is.

    The least comes with the corners of a simplex, at −1/(N − 1) from each other: N vectors cannot all be
    farther apart, and need N − 1 dimensions for that.

    Formula: ln(1 + (N − 1)·exp((c − 1)/τ)).
    Unit: nat
    Source: definition
    """
    arguments.counts(2, batch=batch)
    arguments.positive(temperature=temperature)
    simplex = -1 / (batch - 1)
    other = simplex if cosine is None else cosine
    arguments.non_negative(**{"cosine + 1/(batch − 1)": other - simplex, "1 − cosine": 1 - other})
    return math.log1p((batch - 1) * math.exp((other - 1) / temperature))


@verifier(tolerance=1e-9)
def negative_share(similarities: Sequence[float], negative: int = 0, temperature: float = 0.07) -> float:
    """Share of the push on a row's negatives that one of them gets: a low temperature keeps to the hardest.

    Formula: exp(s_j/τ) / Σ_negatives exp(s_k/τ).
    Unit: 1
    Source: wang2021
    """
    arguments.positive(temperature=temperature)
    arguments.counts(0, negative=negative, **{"negatives − negative − 1": len(similarities) - negative - 1})
    return float(softmax(vector("similarities", similarities) / temperature)[negative])


@verifier
def hardest_share(negatives: int, margin: float, temperature: float = 0.07) -> float:
    """Share of the push that the hardest negative gets where all the others are equally similar.

    Formula: 1 / (1 + (n − 1)·exp(−Δ/τ)).
    Unit: 1
    Source: wang2021
    """
    arguments.counts(negatives=negatives)
    arguments.positive(temperature=temperature)
    arguments.non_negative(margin=margin)
    return 1 / (1 + (negatives - 1) * math.exp(-margin / temperature))


@verifier
def score_bytes(batch: int, devices: int = 1, dtype: str = "fp32", chunked: bool = False) -> float:
    """Bytes of the matrix of scores that one device holds.

    Formula: local batch × whole batch scores once the other side's embeddings are gathered; local batch²
    where they are passed around in chunks, as a sum over pairs (SigLIP) allows.
    Unit: B
    Source: zhai2023
    """
    arguments.divides(batch, devices, "pairs")
    local = batch // devices
    return local * (local if chunked else batch) * dtypes.bits(dtype) / 8


@verifier
def gradients_are_exact(
    batches: Sequence[int] = (2, 3, 6), seeds: int = 3, scale: float = 2.0, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check the gradients of the three losses in the scores.

    Formula: info-nce (softmax − I)/n; clip the mean of that along rows and along columns; siglip (σ − I)/n.
    Shapes: scores [n, n].
    Unit: check
    Source: definition; derivative by complex step
    """

    def flat(function: Callable[[Array], Any], shape: tuple[int, int], z: Array) -> Any:
        return function(z.reshape(shape))

    for batch in batches:
        for seed in range(seeds):
            scores = scale * np.random.default_rng([batch, seed]).standard_normal((batch, batch))
            for kind, (function, gradient) in LOSSES.items():
                of = partial(flat, function, scores.shape)
                confirm_gradient(gradient(scores).ravel(), of, scores.ravel(), tolerance, kind)
    return {"batches": ", ".join(map(str, batches)), "seeds": seeds, "tolerance": tolerance}
