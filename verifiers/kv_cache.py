"""The key/value cache: its size, the work it saves, and the memory that paging saves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import dtypes, models

Array = npt.NDArray[np.float64]
Decoder = Callable[[Array, Array, Array], Array]


def _heads(model: models.Architecture, kv_heads: int | None) -> int:
    heads = model.kv_heads if kv_heads is None else kv_heads
    if heads < 1 or model.heads % heads:
        raise ValueError(f"{model.heads} query heads cannot share {heads} key/value heads evenly")
    return heads


def _positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")


@verifier
def nbytes(model: str, tokens: int, kv_heads: int | None = None, dtype: str = "fp16", batch: int = 1) -> int:
    """Bytes of the key/value cache of `batch` requests of `tokens` tokens each.

    Formula: 2 · layers · kv_heads · head_dim · tokens · batch · bytes per element.
    Unit: B
    Source: definition
    """
    arch = models.get(model)
    if tokens < 0 or batch < 0:
        raise ValueError(f"tokens and batch cannot be negative: {tokens}, {batch}")
    elements = 2 * arch.layers * _heads(arch, kv_heads) * arch.head_dim * tokens * batch
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

    Formula: 2 · layers · ceil(kv_heads / devices) · head_dim · tokens · bytes per element.
    Unit: B
    Source: definition
    """
    _positive(devices=devices)
    arch = models.get(model)
    heads = _heads(arch, kv_heads)
    if arch.heads % devices or (heads % devices and devices % heads):
        raise ValueError(
            f"{arch.heads} query and {heads} key/value heads do not spread evenly over {devices}"
        )
    return nbytes(model, tokens, heads, dtype) // heads * -(-heads // devices)


@verifier
def projected_rows(tokens: int, cached: bool = True) -> int:
    """Token rows sent through the key and value projections to generate `tokens` tokens.

    Formula: n with a cache, 1 + 2 + … + n = n(n + 1)/2 without.
    Unit: 1
    Source: definition
    """
    _positive(tokens=tokens)
    return tokens if cached else tokens * (tokens + 1) // 2


@verifier
def score_pairs(tokens: int, cached: bool = True) -> int:
    """Causal query-key pairs scored, per head and layer, to generate `tokens` tokens.

    Formula: n(n + 1)/2 with a cache; without, step t scores its whole triangle again:
    the sum of t(t + 1)/2 over t = n(n + 1)(n + 2)/6.
    Unit: 1
    Source: definition
    """
    _positive(tokens=tokens)
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
    _positive(block=block, longest=longest)
    used = longest * (longest + 1) // 2
    reserved = sum(block * -(-t // block) for t in range(1, longest + 1))
    return float(1 - Fraction(used, reserved))


@verifier
def decode_intensity(model: str, kv_heads: int | None = None, dtype: str = "fp16") -> float:
    """FLOPs of decode attention for every byte of cache that it reads, whatever its length.

    Formula: 4 · heads · head_dim · T / (2 · kv_heads · head_dim · T · bytes per element).
    Unit: FLOP/B
    Source: definition
    """
    arch = models.get(model)
    bits = 2 * _heads(arch, kv_heads) * dtypes.bits(dtype)
    return float(Fraction(4 * arch.heads * 8, bits))


@verifier
def formula_equals_allocated_bytes() -> dict[str, str | int]:
    """Check the size formula against real arrays, one per layer, role and head.

    Unit: check
    Source: definition
    """
    names = ("gpt2", "llama-3-8b", "mistral-7b")
    for name in names:
        arch = models.get(name)
        for tokens, batch in ((1, 1), (17, 3)):
            shape = (2, arch.layers, batch, arch.kv_heads, tokens, arch.head_dim)
            allocated = np.empty(shape, dtype=np.float16).nbytes
            found = nbytes(name, tokens, batch=batch)
            assert found == allocated, f"{name}, {batch} of {tokens} tokens: {allocated} B"
    return {"models": ", ".join(names), "tokens": "1, 17", "batch": "1, 3"}


def attend(q: Array, keys: Array, values: Array) -> Array:
    """Attend from one query a head, q [h, d], to keys and values [g, t, d], h a multiple of g."""
    group = q.shape[0] // keys.shape[0]
    keys, values = np.repeat(keys, group, axis=0), np.repeat(values, group, axis=0)
    scores = np.einsum("hd,htd->ht", q, keys) / np.sqrt(q.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ht,htd->hd", weights, values))


def decode(q: Array, k: Array, v: Array) -> Array:
    """Decode step by step: append one row to the cache, then attend to all rows so far."""
    keys, values = k[:, :0], v[:, :0]
    rows = []
    for t in range(q.shape[1]):
        keys = np.concatenate([keys, k[:, t : t + 1]], axis=1)
        values = np.concatenate([values, v[:, t : t + 1]], axis=1)
        rows.append(attend(q[:, t], keys, values))
    return np.stack(rows, axis=1)


def causal_attention(q: Array, k: Array, v: Array) -> Array:
    """Attend from all positions at once, q [h, t, d], k and v [g, t, d], with a causal mask."""
    group = q.shape[0] // k.shape[0]
    k, v = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
    future = np.triu(np.ones(scores.shape[1:], dtype=bool), 1)
    scores = np.where(future, -np.inf, scores)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return np.asarray(weights / weights.sum(axis=2, keepdims=True) @ v)


def problems() -> Iterator[tuple[Array, Array, Array]]:
    """Yield random queries, keys and values: full, grouped and single key/value heads."""
    for seed, kv_heads in enumerate((4, 2, 1)):
        rng = np.random.default_rng(seed)
        shapes = ((4, 12, 8), (kv_heads, 12, 8), (kv_heads, 12, 8))
        q, k, v = (rng.standard_normal(shape) for shape in shapes)
        yield q, k, v


def compare_with_full(decoder: Decoder) -> dict[str, str | int | float]:
    """Compare a step-by-step decoder with attention over the whole sequence at once."""
    for q, k, v in problems():
        error = np.abs(decoder(q, k, v) - causal_attention(q, k, v)).max()
        assert error < 1e-12, f"{k.shape[0]} key/value heads: differs by {error:.2g}"
    return {"query_heads": 4, "kv_heads": "4, 2, 1", "tokens": 12, "tolerance": 1e-12}


@verifier
def cached_decoding_equals_full_attention() -> dict[str, str | int | float]:
    """Check that decoding with a cache gives every row of full causal attention.

    Unit: check
    Source: definition
    """
    return compare_with_full(decode)


@verifier
def past_queries_are_never_read() -> dict[str, int]:
    """Check that a row changes with an earlier key or value, and with no other row's query.

    Unit: check
    Source: definition
    """
    for q, k, v in problems():
        last = causal_attention(q, k, v)[:, -1]
        for position in range(q.shape[1] - 1):
            moved = [array.copy() for array in (q, k, v)]
            for array in moved:
                array[:, position] += 1.0
            other_q, other_k, other_v = moved
            assert np.array_equal(causal_attention(other_q, k, v)[:, -1], last), "query was read"
            assert not np.allclose(causal_attention(q, other_k, v)[:, -1], last), "key not read"
            assert not np.allclose(causal_attention(q, k, other_v)[:, -1], last), "value not read"
    return {"query_heads": 4, "tokens": 12}


@verifier
def grouping_is_tied_heads() -> dict[str, str | int | float]:
    """Check that grouped heads equal full multi-head attention with repeated projections.

    x [t, 32]; key and value weights [g, 32, 8] against the same weights repeated to [h, 32, 8].

    Unit: check
    Source: ainslie2023
    """
    rng = np.random.default_rng(0)
    x, w_q = rng.standard_normal((10, 32)), rng.standard_normal((4, 32, 8))
    for groups in (1, 2, 4):
        w_k, w_v = rng.standard_normal((2, groups, 32, 8))
        grouped = causal_attention(x @ w_q, x @ w_k, x @ w_v)
        tied = [np.concatenate([w[[h * groups // 4]] for h in range(4)]) for w in (w_k, w_v)]
        full = causal_attention(x @ w_q, x @ tied[0], x @ tied[1])
        error = np.abs(grouped - full).max()
        assert error < 1e-12, f"{groups} groups: differs by {error:.2g}"
    return {"query_heads": 4, "kv_heads": "1, 2, 4", "tokens": 10, "tolerance": 1e-12}
