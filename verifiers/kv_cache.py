"""The key/value cache: its size, the work it saves, and that decoding with it changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dtypes, models
from verifiers.cached_attention import Decoder, causal_attention, decode, last_row, problems


def _heads(model: models.Architecture, kv_heads: int | None) -> int:
    heads = model.kv_heads if kv_heads is None else kv_heads
    arguments.divides(model.heads, heads, "query heads")
    return heads


@verifier
def width(model: str, kv_heads: int | None = None) -> int:
    """Elements that one layer caches for one token: keys and values, or one latent vector.

    `kv_heads` replaces the model's own, and its latent vector where it has one.

    Formula: 2 · kv_heads · head_dim; with multi-head latent attention rank + rotated part.
    Unit: 1
    Source: ainslie2023, deepseek2024v2
    """
    arch = models.get(model)
    if kv_heads is None:
        return arch.cache_width
    return 2 * _heads(arch, kv_heads) * arch.head_dim


@verifier
def nbytes(model: str, tokens: int, kv_heads: int | None = None, dtype: str = "fp16", batch: int = 1) -> int:
    """Bytes of the key/value cache of `batch` requests of `tokens` tokens each, all layers keeping all.

    Formula: 2 · layers · kv_heads · head_dim · tokens · batch · bytes per element.
    Unit: B
    Source: definition
    """
    arguments.counts(0, tokens=tokens, batch=batch)
    elements = models.get(model).layers * width(model, kv_heads) * tokens * batch
    return dtypes.nbytes(elements, dtype)


@verifier
def per_token(model: str, kv_heads: int | None = None, dtype: str = "fp16") -> int:
    """Bytes that one more token adds to the cache, over all layers.

    Formula: 2 · layers · kv_heads · head_dim · bytes per element.
    Unit: B/token
    Source: definition
    """
    return nbytes(model, 1, kv_heads, dtype)


@verifier
def per_device(
    model: str, tokens: int, devices: int, kv_heads: int | None = None, dtype: str = "fp16"
) -> int:
    """Bytes of cache on each device when heads, never split, are spread over `devices`.

    A latent vector serves all heads, so each device keeps it whole.

    Formula: 2 · layers · ceil(kv_heads / devices) · head_dim · tokens · bytes per element.
    Unit: B
    Source: definition
    """
    arguments.counts(devices=devices)
    arch = models.get(model)
    heads = 1 if arch.latent and kv_heads is None else _heads(arch, kv_heads)
    if arch.heads % devices or (heads % devices and devices % heads):
        raise ValueError(f"{arch.heads} query and {heads} key/value heads do not spread over {devices}")
    return nbytes(model, tokens, kv_heads, dtype) // heads * -(-heads // devices)


@verifier
def grouping_saving(model: str, kv_heads: int | None = None) -> float:
    """How many times smaller the cache is than with a key/value head for each query head.

    Formula: 2 · heads · head_dim / cached elements; heads / kv_heads where no latent vector is cached.
    Unit: 1
    Source: ainslie2023
    """
    return float(Fraction(width(model, models.get(model).heads), width(model, kv_heads)))


@verifier
def projected_rows(tokens: int, cached: bool = True) -> int:
    """Token rows sent through the key and value projections to generate `tokens` tokens.

    Formula: n with a cache, 1 + 2 + … + n = n(n + 1)/2 without.
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens)
    return tokens if cached else tokens * (tokens + 1) // 2


@verifier
def score_pairs(tokens: int, cached: bool = True) -> int:
    """Causal query-key pairs scored, per head and layer, to generate `tokens` tokens.

    Formula: n(n + 1)/2 with a cache; without, step t scores its whole triangle again:
    the sum of t(t + 1)/2 over t = n(n + 1)(n + 2)/6.
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens)
    if cached:
        return tokens * (tokens + 1) // 2
    return tokens * (tokens + 1) * (tokens + 2) // 6


@verifier
def expected_waste(block: int, longest: int) -> float:
    """Share of reserved cache slots left empty, lengths uniform on 1 … `longest`.

    A request of t tokens reserves ceil(t / block) blocks; `block=longest` is one contiguous strip.

    Formula: 1 - E[t] / E[block · ceil(t / block)].
    Unit: 1
    Source: definition
    """
    arguments.counts(block=block, longest=longest)
    used = sum(range(longest + 1))
    reserved = sum(block * -(-t // block) for t in range(longest + 1))
    return float(1 - Fraction(used, reserved))


@verifier
def decode_intensity(model: str, kv_heads: int | None = None, dtype: str = "fp16") -> float:
    """FLOPs of decode attention for every byte of cache that it reads, whatever its length.

    With a latent cache the projections to keys and values are absorbed into query and output, and
    every head multiplies the cached vector itself.

    Formula: 4 · heads · head_dim / (2 · kv_heads · head_dim · bytes per element); latent:
    2 · heads · (2 · rank + rotated) / ((rank + rotated) · bytes per element).
    Unit: FLOP/B
    Source: definition
    """
    arch = models.get(model)
    products = 2 * arch.head_dim
    if arch.latent and kv_heads is None:
        products = 2 * arch.latent.kv_rank + arch.latent.rope_dim
    bits = width(model, kv_heads) * dtypes.bits(dtype)
    return float(Fraction(2 * arch.heads * products * 8, bits))


@verifier
def formula_equals_allocated_bytes(
    names: tuple[str, ...] = ("gpt2", "llama-3-8b", "mistral-7b"),
    sizes: tuple[tuple[int, int], ...] = ((1, 1), (17, 3)),
) -> dict[str, str | int]:
    """Check the size formula against real arrays, one per layer, role and head.

    Unit: check
    Source: definition
    """
    for name in names:
        arch = models.get(name)
        for tokens, batch in sizes:
            shape = (2, arch.layers, batch, arch.kv_heads, tokens, arch.head_dim)
            allocated = np.empty(shape, dtype=np.float16).nbytes
            found = nbytes(name, tokens, batch=batch)
            assert found == allocated, f"{name}, {batch} of {tokens} tokens: {allocated} B"
    tried = ", ".join(str(tokens) for tokens, _ in sizes)
    return {"models": ", ".join(names), "tokens": tried, "batch": ", ".join(str(b) for _, b in sizes)}


def compare_with_full(
    decoder: Decoder, heads: Sequence[int], tokens: int, width: int, tolerance: float
) -> dict[str, str | int | float]:
    """Compare a step-by-step decoder with attention over the whole sequence at once."""
    for q, k, v in problems(heads, tokens, width):
        error = np.abs(decoder(q, k, v) - causal_attention(q, k, v)).max()
        assert error < tolerance, f"{k.shape[0]} key/value heads: differs by {error:.2g}"
    kv_heads = ", ".join(map(str, heads))
    return {"query_heads": heads[0], "kv_heads": kv_heads, "tokens": tokens, "tolerance": tolerance}


@verifier
def cached_decoding_equals_full_attention(
    heads: Sequence[int] = (4, 2, 1), tokens: int = 12, width: int = 8, tolerance: float = 1e-12
) -> dict[str, str | int | float]:
    """Check that decoding with a cache gives every row of full causal attention.

    Unit: check
    Source: definition
    """
    return compare_with_full(decode, heads, tokens, width, tolerance)


@verifier
def past_queries_are_never_read(
    heads: Sequence[int] = (4, 2, 1), tokens: int = 12, width: int = 8, value: float = 3.0
) -> dict[str, int]:
    """Check that a row changes with an earlier key or value, and with no other row's query.

    Unit: check
    Source: definition
    """
    for q, k, v in problems(heads, tokens, width):
        last = last_row(q, k, v)
        for position in range(tokens - 1):
            other_q, other_k, other_v = (array.copy() for array in (q, k, v))
            for array in (other_q, other_k, other_v):
                array[:, position] = value
            assert np.array_equal(last_row(other_q, k, v), last), "query was read"
            assert not np.allclose(last_row(q, other_k, v), last), "key not read"
            assert not np.allclose(last_row(q, k, other_v), last), "value not read"
    return {"query_heads": heads[0], "tokens": tokens}


@verifier
def grouping_is_tied_heads(
    heads: Sequence[int] = (4, 1, 2),
    tokens: int = 10,
    d_model: int = 32,
    head_dim: int = 8,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, str | int | float]:
    """Check that grouped heads equal full multi-head attention with repeated projections.

    x [t, 32]; key and value weights [g, 32, 8] against the same weights repeated to [h, 32, 8].

    Unit: check
    Source: ainslie2023
    """
    query_heads = heads[0]
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((tokens, d_model))
    w_q = rng.standard_normal((query_heads, d_model, head_dim))
    for groups in heads:
        w_k, w_v = rng.standard_normal((2, groups, d_model, head_dim))
        grouped = causal_attention(x @ w_q, x @ w_k, x @ w_v)
        own = [head * groups // query_heads for head in range(query_heads)]
        full = causal_attention(x @ w_q, x @ w_k[own], x @ w_v[own])
        error = np.abs(grouped - full).max()
        assert error < tolerance, f"{groups} groups: differs by {error:.2g}"
    kv_heads = ", ".join(map(str, sorted(heads)))
    return {"query_heads": query_heads, "kv_heads": kv_heads, "tokens": tokens, "tolerance": tolerance}
