"""Parameters of decoders, to the last one: by part, total, and active for one token."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments, models
from verifiers.models import Architecture, Latent, Mixture

PARTS = ("embedding", "attention", "feed_forward", "norm", "head")


def latent_weights(d_model: int, heads: int, head_dim: int, latent: Latent) -> int:
    """Elements of one layer's matrices of latent attention."""
    values, rank = heads * head_dim, latent.q_rank
    wide = values + heads * latent.rope_dim
    queries = rank * (d_model + wide) if rank else d_model * wide
    compress = d_model * (latent.kv_rank + latent.rope_dim)
    return queries + compress + latent.kv_rank * 2 * values + values * d_model


def attention_weights(m: Architecture) -> int:
    """Elements of one layer's attention matrices."""
    if m.latent:
        return latent_weights(m.d_model, m.heads, m.head_dim, m.latent)
    return 2 * m.d_model * (m.heads + m.kv_heads) * m.head_dim


def block_weights(d_model: int, d_ff: int, gated: bool) -> int:
    """Elements of the matrices of one feed-forward block: two, or three with a gate."""
    return (2 + gated) * d_model * d_ff


def _attention_biases(m: Architecture) -> int:
    inputs = (m.heads + 2 * m.kv_heads) * m.head_dim
    return {"none": 0, "qkv": inputs, "all": inputs + m.d_model}[m.biases]


def mixture_layers(m: Architecture) -> int:
    """Layers whose feed-forward block is a mixture of experts."""
    return m.layers - m.mixture.dense_layers if m.mixture else 0


def _feed_forward(m: Architecture, active: bool) -> int:
    """All layers' feed-forward parameters: every expert's, or those that one token visits."""
    dense = block_weights(m.d_model, m.d_ff, m.gated)
    if m.biases == "all":
        dense += m.d_ff + m.d_model
    if not m.mixture:
        return m.layers * dense
    visited = m.mixture.active if active else m.mixture.experts
    expert = block_weights(m.d_model, m.mixture.d_expert, m.gated)
    layer = (visited + m.mixture.shared) * expert + m.d_model * m.mixture.experts  # and the router
    return m.mixture.dense_layers * dense + mixture_layers(m) * layer


def _norms(m: Architecture) -> int:
    vectors = (m.layers * m.norms + 1) * (1 + m.norm_bias) * m.d_model
    if m.latent:
        vectors += m.layers * (m.latent.kv_rank + m.latent.q_rank)
    return vectors


def by_part(m: Architecture, active: bool = False) -> dict[str, int]:
    """Parameters of each part of an architecture, and their sum."""
    table = m.vocab * m.d_model
    parts = {
        "embedding": table + (m.context * m.d_model if m.learned_positions else 0),
        "attention": m.layers * (attention_weights(m) + _attention_biases(m)),
        "feed_forward": _feed_forward(m, active),
        "norm": _norms(m),
        "head": 0 if m.tied else table,
    }
    return parts | {"total": sum(parts.values())}


@verifier
def count(model: str) -> int:
    """Parameters of a model, a matrix that serves as embedding and head counted once.

    Layers for multi-token prediction, which generation can leave out, are not part of it.

    Formula: embedding + layers · (attention + feed-forward + norms) + last norm + head.
    Unit: param
    Source: definition
    """
    return by_part(models.get(model))["total"]


@verifier
def active(model: str) -> int:
    """Parameters that one token visits, embedding and head included: those of its experts only.

    Unit: param
    Source: jiang2024
    """
    return by_part(models.get(model), active=True)["total"]


@verifier
def parts(model: str, only_active: bool = False) -> dict[str, int]:
    """Parameters of a model by part; the router belongs to the feed-forward part, a tied head has none.

    Unit: embedding=param, attention=param, feed_forward=param, norm=param, head=param, total=param
    Source: definition
    """
    return by_part(models.get(model), only_active)


@verifier
def share(model: str, part: str) -> float:
    """Share of a model's parameters that lies in one part, or in several joined by a plus.

    Formula: parameters of the parts / all parameters.
    Unit: 1
    Source: definition
    """
    found = by_part(models.get(model))
    names = part.split("+")
    for name in names:
        arguments.one_of("part of a model", name, PARTS)
    return sum(found[name] for name in set(names)) / found["total"]


@verifier
def block_share(model: str, part: str = "feed_forward") -> float:
    """Share of the blocks' parameters, norms apart, that is the attention's or the feed-forward part's.

    Formula: part / (attention + feed-forward), biases and routers among them; no embedding, no head.
    Unit: 1
    Source: definition
    """
    arguments.one_of("part of a block", part, ("attention", "feed_forward"))
    found = by_part(models.get(model))
    return found[part] / (found["attention"] + found["feed_forward"])


@verifier
def decoder(
    layers: int,
    d_model: int,
    heads: int,
    d_ff: int,
    vocab: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    gated: bool = True,
    tied: bool = False,
    experts: int = 0,
    active_experts: int = 0,
    shared_experts: int = 0,
    dense_layers: int = 0,
    d_expert: int | None = None,
) -> dict[str, int]:
    """Parameters of any decoder without biases, with RMSNorm and rotary positions, by part.

    Unit: embedding=param, attention=param, feed_forward=param, norm=param, head=param, total=param,
    active=param
    Source: touvron2023b
    """
    arguments.counts(layers=layers, d_model=d_model, heads=heads, d_ff=d_ff, vocab=vocab)
    arguments.counts(0, experts=experts, shared_experts=shared_experts, dense_layers=dense_layers)
    kv_heads = heads if kv_heads is None else kv_heads
    arguments.divides(heads, kv_heads, "query heads")
    if head_dim is None:
        arguments.divides(d_model, heads, "columns")
        head_dim = d_model // heads
    if not experts and (active_experts or shared_experts or dense_layers or d_expert is not None):
        raise ValueError("active and shared experts, their width and dense layers need `experts`")
    d_expert = d_ff if d_expert is None else d_expert
    arguments.counts(head_dim=head_dim, d_expert=d_expert)
    mixture = None
    if experts:
        arguments.counts(active_experts=active_experts)
        if active_experts > experts or dense_layers > layers:
            raise ValueError("more active experts than experts, or more dense layers than layers")
        mixture = Mixture(experts, active_experts, d_expert, shared_experts, dense_layers)
    sizes = (layers, d_model, heads, kv_heads, head_dim, d_ff)
    m = Architecture("any", *sizes, gated, vocab, 1, tied, "definition", mixture=mixture)
    return by_part(m) | {"active": by_part(m, active=True)["total"]}


@verifier
def multi_token_prediction(model: str) -> int:
    """Parameters of a model's layers for multi-token prediction, beyond the embedding and head they share.

    Formula: layers · (2 · d² for the projection of state and next token, its two norms and the last,
    and one block with experts).
    Unit: param
    Source: deepseek2024
    """
    m = models.get(model)
    if not m.mtp_layers:
        raise ValueError(f"{model} has no layers for multi-token prediction")
    found = by_part(m)
    block = found["attention"] // m.layers + m.norms * m.d_model
    if m.mixture:
        dense = block_weights(m.d_model, m.d_ff, m.gated) * m.mixture.dense_layers
        block += (found["feed_forward"] - dense) // mixture_layers(m)
    if m.latent:
        block += m.latent.kv_rank + m.latent.q_rank
    return m.mtp_layers * (block + 2 * m.d_model**2 + 3 * m.d_model)
