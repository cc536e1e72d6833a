"""Prefill and decode of a model on a device: bytes read, and the least time that its ceilings allow."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import (
    arguments,
    dtypes,
    flops,
    hardware,
    kv_cache,
    models,
    parameters,
    roofline,
    windowed_cache,
)


@verifier
def distinct_experts(experts: int, active: int, tokens: int) -> float:
    """Expected number of experts that some tokens visit, each choosing `active` at random.

    Formula: E · (1 − (1 − k / E)^tokens).
    Unit: 1
    Source: definition
    """
    arguments.counts(active=active, tokens=tokens)
    arguments.counts(active, experts=experts)
    return experts * (1 - (1 - active / experts) ** tokens)


@verifier
def weights_read(model: str, tokens: int = 1, dtype: str = "bf16") -> float:
    """Bytes of weights that a step over so many tokens reads, a table of which rows are looked up left out.

    Of experts, as many as random routing is expected to visit.

    Formula: (parameters − looked-up tables − experts not visited) · bytes per element.
    Unit: B
    Source: pope2022
    """
    arguments.counts(tokens=tokens)
    arch = models.get(model)
    parts = parameters.parts(model)
    read: float = parts["total"] - parts["embedding"]
    if arch.tied:
        read += arch.vocab * arch.d_model
    if arch.mixture:
        layers = arch.layers - arch.mixture.dense_layers
        expert = parameters.block_weights(arch.d_model, arch.mixture.d_expert, arch.gated)
        visited = distinct_experts(arch.mixture.experts, arch.mixture.active, tokens)
        read -= layers * (arch.mixture.experts - visited) * expert
    return read * dtypes.bits(dtype) / 8


def cache_bytes(model: str, context: int, dtype: str) -> int:
    """Return the bytes of one request's cache, its windowed layers keeping the window only."""
    if models.get(model).window_layers:
        return windowed_cache.nbytes(model, context, dtype)
    return kv_cache.nbytes(model, context, dtype=dtype)


@verifier
def prefill_time(
    model: str,
    tokens: int,
    device: str,
    dtype: str = "bf16",
    devices: int = 1,
    utilisation: float = 1.0,
) -> float:
    """Time to process a prompt at a share of the devices' peak, the head applied to its last token.

    Formula: causal forward FLOPs / (devices · peak · utilisation).
    Unit: s
    Source: pope2022
    """
    work = flops.forward(model, tokens, causal=True, logits=1)["total"]
    return roofline.compute_time(work, device, dtype, devices, utilisation)


@verifier
def prefill_growth(model: str, tokens: int) -> float:
    """FLOPs of a prompt over those of a prompt whose tokens see none of each other: 1 plus attention's share.

    Formula: causal forward FLOPs / (those less scores and weighted values).
    Unit: 1
    Source: kaplan2020
    """
    work = flops.forward(model, tokens, causal=True, logits=1)
    return work["total"] / (work["total"] - work["scores"])


@verifier
def decode_step(
    model: str,
    batch: int,
    context: int,
    device: str,
    devices: int = 1,
    dtype: str = "bf16",
    weight_dtype: str | None = None,
    cache_dtype: str | None = None,
) -> dict[str, float | str]:
    """Least time of one decode step of a batch whose requests have `context` tokens cached.

    No time for communication, and perfect overlap of reading and computing: an upper bound of the rate.

    Formula: max((weights + batch · cache) / bandwidth, FLOPs / peak); rate = batch / time.
    Unit: weights=B, cache=B, flops=FLOP, memory=s, compute=s, time=s, limit=1, rate=token/s,
    rate_each=token/s
    Source: pope2022
    """
    arguments.counts(batch=batch)
    weights = weights_read(model, batch, weight_dtype or dtype)
    cache = batch * cache_bytes(model, context, cache_dtype or dtype)
    work = flops.forward(model, 1, context, batch, causal=True, absorbed=True)["total"]
    bound = roofline.time_bound(work, weights + cache, device, dtype, devices)
    time = float(bound["time"])
    parts = {"weights": weights, "cache": cache, "flops": work, "rate": batch / time, "rate_each": 1 / time}
    return parts | bound


@verifier
def compute_bound_batch(
    model: str, context: int, device: str, dtype: str = "bf16", weight_dtype: str | None = None
) -> int:
    """Least batch from which a decode step is limited by compute; 0 where the caches never let it be.

    Formula: the least B with FLOPs(B) / peak ≥ (weights + B · cache) / bandwidth.
    Unit: 1
    Source: pope2022
    """

    def limit(batch: int) -> object:
        return decode_step(model, batch, context, device, 1, dtype, weight_dtype)["limit"]

    first = decode_step(model, 1, context, device, 1, dtype, weight_dtype)
    alone = roofline.time_bound(float(first["flops"]), float(first["cache"]), device, dtype)
    if alone["limit"] == "memory":
        return 0
    low, high = 0, 1
    while limit(high) == "memory":
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if limit(middle) == "memory" else (low, middle)
    return high


@verifier
def cache_tokens(
    model: str,
    device: str,
    devices: int = 1,
    usable: float = 1.0,
    dtype: str = "bf16",
    weight_bytes: float | None = None,
    cache_dtype: str | None = None,
) -> int:
    """Tokens whose cache fits beside the weights, all layers keeping all tokens.

    `weight_bytes` replaces the bytes of all of the model's parameters, for a round number or another type.

    Formula: floor((devices · memory · usable − weights) / cache of a token); 0 where weights do not fit.
    Unit: token
    Source: kwon2023
    """
    room = hardware.room(device, devices, usable)
    weights = dtypes.nbytes(parameters.count(model), dtype) if weight_bytes is None else weight_bytes
    arguments.non_negative(weight_bytes=weights)
    return max(
        0, math.floor((room - Fraction(weights)) / kv_cache.per_token(model, None, cache_dtype or dtype))
    )


@verifier
def requests_within(
    model: str,
    context: int,
    device: str,
    devices: int = 1,
    usable: float = 1.0,
    dtype: str = "bf16",
    weight_bytes: float | None = None,
    cache_dtype: str | None = None,
) -> float:
    """Requests of `context` tokens whose caches fit beside the weights, a part of one included.

    Formula: tokens whose cache fits / context.
    Unit: 1
    Source: kwon2023
    """
    arguments.counts(context=context)
    return cache_tokens(model, device, devices, usable, dtype, weight_bytes, cache_dtype) / context


@verifier
def requests_as_large_as_weights(model: str, context: int, dtype: str = "bf16") -> float:
    """Requests whose caches together take as many bytes as the model's weights.

    Formula: weight bytes / cache bytes of one request.
    Unit: 1
    Source: definition
    """
    arguments.counts(context=context)
    return dtypes.nbytes(parameters.count(model), dtype) / cache_bytes(model, context, dtype)


@verifier
def transfer_time(
    model: str, tokens: int, bytes_per_second: float, kv_heads: int | None = None, dtype: str = "fp16"
) -> float:
    """Time to move one request's cache over a link, as from a prefill to a decode server.

    Formula: cache bytes / bandwidth.
    Unit: s
    Source: zhong2024
    """
    arguments.positive(bytes_per_second=bytes_per_second)
    return kv_cache.nbytes(model, tokens, kv_heads, dtype) / bytes_per_second


@verifier
def tokens_processed(prompt: int, generated: int, cached: bool = True) -> int:
    """Token rows that pass through the model to answer a prompt with so many tokens.

    The prompt yields the first token; the last one generated is never fed back.

    Formula: p + g − 1 with a cache; without, step i takes p + i − 1: g · p + g(g − 1)/2.
    Unit: token
    Source: definition
    """
    arguments.counts(prompt=prompt, generated=generated)
    if cached:
        return prompt + generated - 1
    return generated * prompt + generated * (generated - 1) // 2
