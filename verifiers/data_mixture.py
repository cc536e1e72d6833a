"""Mixtures of pre-training sources: shares, epochs, temperature sampling, and what filters leave."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments


@verifier
def epochs(size: float, share: float, total: float) -> float:
    """How often a run of `total` tokens sees a source that holds `size` of them.

    Formula: share · total / size.
    Unit: 1
    Source: brown2020
    """
    arguments.positive(size=size)
    arguments.shares(share=share)
    arguments.non_negative(total=total)
    return share * total / size


@verifier
def epochs_by_source(sizes: tuple[float, ...], shares: tuple[float, ...], total: float) -> dict[str, float]:
    """How often a run of `total` tokens sees each source of a mixture, by its place.

    Formula: share_i · total / size_i.
    Unit: 1
    Source: brown2020
    """
    arguments.distribution(shares, "shares")
    pairs = enumerate(zip(sizes, shares, strict=True))
    return {str(place): epochs(size, share, total) for place, (size, share) in pairs}


@verifier
def largest_run(sizes: tuple[float, ...], shares: tuple[float, ...], max_epochs: float = 1.0) -> float:
    """Tokens of the longest run of a mixture that repeats no source more than `max_epochs` times.

    Formula: min over sources of epochs · size / share.
    Unit: token
    Source: definition
    """
    arguments.positive(max_epochs=max_epochs)
    return max_epochs / max(epochs_by_source(sizes, shares, 1.0).values())


@verifier
def temperature_shares(sizes: tuple[float, ...], temperature: float = 1.0) -> dict[str, float]:
    """Shares of sources or languages sampled by their sizes at a temperature, by their places.

    Formula: p_i = n_i^(1/T) / Σ_j n_j^(1/T); the α of XLM and XLM-R is 1/T.
    Unit: 1
    Source: lample2019, conneau2020
    """
    arguments.positive(**{f"sizes[{index}]": size for index, size in enumerate(sizes)})
    arguments.positive(temperature=temperature)
    largest = max(sizes)
    weights = [(size / largest) ** (1 / temperature) for size in sizes]
    whole = math.fsum(weights)
    return {str(place): weight / whole for place, weight in enumerate(weights)}


@verifier
def upsampling(sizes: tuple[float, ...], temperature: float, place: int) -> float:
    """By what temperature multiplies one source's share over sampling by size.

    Formula: p_i(T) / p_i(1).
    Unit: 1
    Source: lample2019
    """
    arguments.counts(0, place=place)
    arguments.counts(place + 1, sources=len(sizes))
    key = str(place)
    return temperature_shares(sizes, temperature)[key] / temperature_shares(sizes)[key]


@verifier
def mixture_loss(losses: tuple[float, ...], shares: tuple[float, ...]) -> float:
    """Mean loss per token over a mixture's domains.

    Formula: Σ p_i · L_i.
    Unit: nat
    Source: definition
    """
    arguments.non_negative(**{f"losses[{index}]": loss for index, loss in enumerate(losses)})
    arguments.distribution(shares, "shares")
    return math.fsum(share * loss for share, loss in zip(shares, losses, strict=True))


@verifier
def pipeline(total: float, kept: tuple[float, ...]) -> float:
    """What filters in a row leave of a corpus, each keeping a share of what reaches it.

    Formula: total · k₁ · k₂ · … · kₙ.
    Unit: token
    Source: definition
    """
    arguments.non_negative(total=total)
    arguments.shares(**{f"kept[{index}]": share for index, share in enumerate(kept)})
    return total * math.prod(kept)


@verifier
def tokens_of_text(nbytes: float, bytes_per_token: float) -> float:
    """Tokens of a text corpus of given size on disk, uncompressed.

    Formula: bytes / bytes per token.
    Unit: token
    Source: definition
    """
    arguments.non_negative(nbytes=nbytes)
    arguments.positive(bytes_per_token=bytes_per_token)
    return nbytes / bytes_per_token
