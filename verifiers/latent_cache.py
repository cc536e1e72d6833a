"""Multi-head latent attention: one cached vector a token, from which all heads' keys and values come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dtypes, models
from verifiers.attention import softmax
from verifiers.cached_attention import Array


@verifier
def nbytes(layers: int, rank: int, rotated: int, tokens: int, dtype: str = "bf16", batch: int = 1) -> int:
    """Bytes of the latent vectors and shared rotated keys of a model of any shape.

    Formula: layers · (rank + rotated) · tokens · batch · bytes per element.
    Unit: B
    Source: deepseek2024v2
    """
    arguments.counts(layers=layers, rank=rank)
    arguments.counts(0, rotated=rotated, tokens=tokens, batch=batch)
    return dtypes.nbytes(layers * (rank + rotated) * tokens * batch, dtype)


@verifier
def equivalent_groups(model: str) -> float:
    """Key/value heads of grouped queries, as wide as the model's, that would cache as much.

    Formula: (rank + rotated) / (2 · head_dim).
    Unit: 1
    Source: deepseek2024v2
    """
    arch = models.get(model)
    if not arch.latent:
        raise ValueError(f"{model} caches no latent vector")
    return arch.cache_width / (2 * arch.head_dim)


def decompressed(q: Array, latents: Array, up_keys: Array, up_values: Array) -> Array:
    """Attend to keys and values rebuilt from latents: q [h, d], latents [t, r], maps up [h, r, d]."""
    keys, values = latents @ up_keys, latents @ up_values
    scores = np.einsum("hd,htd->ht", q, keys) / np.sqrt(q.shape[1])
    return np.asarray(np.einsum("ht,htd->hd", softmax(scores), values))


def absorbed(q: Array, latents: Array, up_keys: Array, up_values: Array) -> Array:
    """Attend to the latents themselves: the maps act on one query and one output, not on every token."""
    moved = np.einsum("hd,hrd->hr", q, up_keys)
    weights = softmax(moved @ latents.T / np.sqrt(q.shape[1]))
    return np.asarray(np.einsum("hr,hrd->hd", weights @ latents, up_values))


def compare(
    attend: Callable[[Array, Array, Array, Array], Array],
    heads: int,
    width: int,
    rank: int,
    tokens: int,
    seeds: int,
    tolerance: float,
) -> dict[str, int | float]:
    """Compare a way to attend to latents with attention to the keys and values rebuilt from them."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        shapes = ((heads, width), (tokens, rank), (heads, rank, width), (heads, rank, width))
        q, latents, up_keys, up_values = (rng.standard_normal(shape) for shape in shapes)
        given = (q, latents, up_keys, up_values)
        error = np.abs(attend(*given) - decompressed(*given)).max()
        assert error < tolerance, f"seed {seed}: differs by {error:.2g}"
    return {"heads": heads, "width": width, "rank": rank, "tokens": tokens, "tolerance": tolerance}


@verifier
def absorbed_equals_decompressed(
    heads: int = 4,
    width: int = 8,
    rank: int = 6,
    tokens: int = 10,
    seeds: int = 3,
    tolerance: float = 1e-12,
) -> dict[str, int | float]:
    """Check that decoding from the latents alone gives the attention of rebuilt keys and values.

    Without the rotated part of keys, which is cached beside the latents and no map can absorb.

    Unit: check
    Source: deepseek2024v2
    """
    return compare(absorbed, heads, width, rank, tokens, seeds, tolerance)


@verifier
def decode_flops(model: str, tokens: int, absorb: bool = True) -> int:
    """FLOPs of one decode step's attention beside its projections from the model's width, over all layers.

    Absorbed, the maps to keys and values act once, on query and output; else on every cached token.

    Formula: 2 · layers · heads · (T · (2 · rank + rotated) + 2 · rank · head_dim), or
    2 · layers · heads · T · (2 · head_dim + rotated + 2 · rank · head_dim).
    Unit: FLOP
    Source: deepseek2024v2
    """
    arguments.counts(tokens=tokens)
    arch = models.get(model)
    if not arch.latent:
        raise ValueError(f"{model} caches no latent vector")
    rank, rotated = arch.latent.kv_rank, arch.latent.rope_dim
    maps = 2 * rank * arch.head_dim
    if absorb:
        products = tokens * (2 * rank + rotated) + maps
    else:
        products = tokens * (2 * arch.head_dim + rotated + maps)
    return 2 * arch.layers * arch.heads * products
