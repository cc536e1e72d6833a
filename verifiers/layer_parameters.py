"""Parameters of single layers of any shape, and the widths that keep them equal."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments, parameters
from verifiers.models import Latent


@verifier
def attention(
    d_model: int,
    heads: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    bias: bool = False,
) -> int:
    """Parameters of one attention layer: queries, keys, values and output.

    Formula: 2 · d · d_h · (heads + kv_heads); 4 · d² where d_h · heads = d and no heads share keys.
    Unit: param
    Source: vaswani2017, ainslie2023
    """
    kv_heads = heads if kv_heads is None else kv_heads
    arguments.divides(heads, kv_heads, "query heads")
    if head_dim is None:
        arguments.divides(d_model, heads, "columns")
        head_dim = d_model // heads
    arguments.counts(d_model=d_model, head_dim=head_dim)
    queries, keys = heads * head_dim, kv_heads * head_dim
    biases = queries + 2 * keys + d_model if bias else 0
    return 2 * d_model * (queries + keys) + biases


@verifier
def latent_attention(
    d_model: int, heads: int, head_dim: int, kv_rank: int, rope_dim: int, q_rank: int = 0
) -> int:
    """Elements of the matrices of one layer of multi-head latent attention, norms apart.

    Formula: d · (c + r) + 2 · c · h · d_h + h · d_h · d + queries: d · h · (d_h + r), or
    q · (d + h · (d_h + r)) compressed.
    Unit: param
    Source: deepseek2024v2
    """
    arguments.counts(d_model=d_model, heads=heads, head_dim=head_dim, kv_rank=kv_rank, rope_dim=rope_dim)
    arguments.counts(0, q_rank=q_rank)
    return parameters.latent_weights(d_model, heads, head_dim, Latent(kv_rank, rope_dim, q_rank))


@verifier
def feed_forward(d_model: int, d_ff: int, gated: bool = False, bias: bool = False) -> int:
    """Parameters of one feed-forward block.

    Formula: 2 · d · d_ff, or 3 · d · d_ff with a gate; biases add d_ff for each matrix in, d for the one out.
    Unit: param
    Source: vaswani2017, shazeer2020
    """
    arguments.counts(d_model=d_model, d_ff=d_ff)
    biases = (1 + gated) * d_ff + d_model if bias else 0
    return parameters.block_weights(d_model, d_ff, gated) + biases


@verifier
def embedding(vocab: int, d_model: int, tied: bool = True) -> int:
    """Parameters of the table of token vectors, and of the head where it has a matrix of its own.

    Formula: V · d, or 2 · V · d untied.
    Unit: param
    Source: press2017
    """
    arguments.counts(vocab=vocab, d_model=d_model)
    return vocab * d_model * (1 if tied else 2)


@verifier
def gated_width(d_model: int, multiple: int = 256, multiplier: float = 1.0) -> int:
    """Width inside a gated block by the rule of the Llama releases.

    Formula: 8·d/3 rounded down, times the multiplier rounded down, up to the next multiple.
    Unit: 1
    Source: touvron2023a, meta2023llamacode
    """
    arguments.counts(d_model=d_model, multiple=multiple)
    arguments.positive(multiplier=multiplier)
    width = math.floor(multiplier * (8 * d_model // 3))
    return -(-width // multiple) * multiple


@verifier
def equal_width(d_ff: int, matrices: int = 3, instead_of: int = 2) -> float:
    """Width at which a block of so many matrices has the parameters of one of `instead_of`.

    Formula: instead_of · d_ff / matrices: 8·d/3 for three matrices instead of two of 4·d.
    Unit: 1
    Source: shazeer2020
    """
    arguments.counts(d_ff=d_ff, matrices=matrices, instead_of=instead_of)
    return instead_of * d_ff / matrices
