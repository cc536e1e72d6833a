"""Encoders, decoders, prefix models and encoder-decoders: who sees whom, what is trained, what is kept."""

from __future__ import annotations

from functools import partial

import numpy as np

from proofdeck import verifier
from verifiers import arguments, encoders
from verifiers.calculus import agree
from verifiers.masks import Array, Mask, layer

KINDS = ("encoder", "causal", "prefix", "encoder-decoder")


def mask(kind: str, source: int, target: int) -> Mask:
    """Pairs [n, n] that are scored over source and target, true where a row sees a column.

    Of an encoder-decoder it joins three masks: the encoder's, the cross-attention's and the decoder's.
    """
    arguments.one_of("kind", kind, KINDS)
    tokens = source + target
    seen = np.tri(tokens, dtype=bool)
    if kind == "encoder":
        seen[:] = True
    elif kind != "causal":
        seen[:, :source] = True
    return seen


@verifier
def pairs(kind: str, source: int, target: int) -> int:
    """Pairs of query and key that a head scores in one layer, of "encoder", "causal", "prefix" or "encoder-decoder".

    An encoder-decoder scores them in three places: source to source, target to source, target to target.

    Formula: encoder n²; causal n(n + 1)/2; prefix and encoder-decoder s² + t·s + t(t + 1)/2, n = s + t.
    Unit: 1
    Source: raffel2020
    """
    arguments.counts(source=source, target=target)
    arguments.one_of("kind", kind, KINDS)
    tokens = source + target
    if kind == "encoder":
        return tokens**2
    if kind == "causal":
        return tokens * (tokens + 1) // 2
    return source**2 + target * source + target * (target + 1) // 2


@verifier
def predicted(objective: str, tokens: int, masked: float = 0.15, prefix: int = 0) -> float:
    """Tokens of one sequence that carry a loss, on average.

    "causal" predicts every token but the first, "masked" the share that was picked, "prefix" what follows the prefix
    of one token or more.

    Formula: n − 1; share · n; n − prefix.
    Unit: token
    Source: devlin2019, radford2019, raffel2020
    """
    arguments.counts(2, tokens=tokens)
    arguments.shares(masked=masked)
    arguments.counts(0, prefix=prefix, **{"tokens − prefix": tokens - prefix})
    if objective == "prefix":
        arguments.counts(prefix=prefix)
    found = {"causal": tokens - 1.0, "masked": masked * tokens, "prefix": float(tokens - prefix)}
    return found[arguments.one_of("objective", objective, found)]


@verifier
def visited(model: str) -> dict[str, float]:
    """Parameters of an encoder-decoder's layers that a source token and that a target token passes.

    Cross-attention's keys and values are made of source tokens, its queries and output of target tokens.
    Embedding, position biases and the two last norms are left out.

    Formula: source: encoder + cross-attention's K and V; target: decoder − the same.
    Unit: source=param, target=param, layers=param
    Source: raffel2020, radford2023
    """
    found = encoders.get(model)
    if not isinstance(found, encoders.T5 | encoders.Whisper):
        raise ValueError(f"{model} is not an encoder-decoder")
    d, side = found.decoder.d_model, found.decoder
    inner = side.heads * (side.head_dim or d // side.heads)
    bias = inner * (1 + side.key_bias) if side.bias else 0
    moved = side.layers * (2 * d * inner + bias)
    encoder, decoder = (sum(stack.parts().values()) for stack in (found.encoder, side))
    return {"source": encoder + moved, "target": decoder - moved, "layers": encoder + decoder}


@verifier
def cached(kind: str, layers: int, source: int, target: int) -> int:
    """Keys, and as many values, that a head group holds for one sequence when it has been generated.

    "decoder" keeps source and target in every layer; "encoder-decoder" spends half of its layers on the
    encoder, which keeps nothing, and holds both in the other half: the source's for cross-attention.

    Formula: layers · (s + t); layers / 2 · (s + t).
    Unit: 1
    Source: definition
    """
    arguments.counts(layers=layers, source=source, target=target)
    kinds = ("decoder", "encoder-decoder")
    if arguments.one_of("kind", kind, kinds) == "encoder-decoder":
        arguments.divides(layers, 2, "layers")
        layers //= 2
    return layers * (source + target)


def states(x: Array, seen: Mask, projections: Array) -> Array:
    """Inputs to the second of two residual layers: what its keys and values are made of."""
    return np.asarray(x + layer(projections, x, seen))


@verifier
def a_longer_prefix_rewrites_all_of_it(
    prefix: int = 6,
    more: int = 3,
    width: int = 12,
    seeds: int = 4,
    least: float = 1e-3,
    tolerance: float = 1e-12,
) -> dict[str, int | float]:
    """Check that a prefix ignores what is generated after it, and changes throughout when it gets longer.

    So a prefix model may cache while it generates, not across turns that join the prefix; a causal one may do both.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((prefix + more, width))
        projections = rng.standard_normal((3, width, width)) / np.sqrt(width)
        at = partial(states, projections=projections)
        alone = at(x[:prefix], mask("prefix", prefix, 0))
        answered = at(x, mask("prefix", prefix, more))[:prefix]
        agree(answered, alone, tolerance, "a prefix that was answered")
        longer = at(x, mask("prefix", prefix + more, 0))[:prefix]
        moved = np.abs(longer - alone).max(axis=1)
        assert (moved > least).all(), "a row of the longer prefix stayed as it was"
        causal = at(x, mask("causal", prefix, more))[:prefix]
        agree(causal, at(x[:prefix], mask("causal", prefix, 0)), tolerance, "a causal prompt that got longer")
    return {"prefix": prefix, "more": more, "seeds": seeds, "tolerance": tolerance}
