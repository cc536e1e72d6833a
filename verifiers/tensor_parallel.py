"""Tensor parallelism: shards of the matrices, what their sums cost to send, and that nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, collectives, dtypes, models, parameters
from verifiers.blocks import attention

Array = np.ndarray[Any, np.dtype[Any]]


@verifier
def traffic(model: str, tokens: int, devices: int, training: bool = False, dtype: str = "bf16") -> float:
    """Bytes that each device sends for tensor parallelism in a pass over `tokens` tokens, head apart.

    Formula: layers · 2 all-reduces of tokens · d elements, and as many again in the backward.
    Unit: B
    Source: shoeybi2019
    """
    arguments.counts(tokens=tokens)
    m = models.get(model)
    sums = m.layers * (4 if training else 2)
    return sums * collectives.sent(dtypes.nbytes(tokens * m.d_model, dtype), devices)


@verifier
def shard(model: str, devices: int) -> dict[str, int]:
    """Elements of matrices on each device of a tensor-parallel group, all layers.

    Heads, feed-forward columns and rows of the vocabulary are dealt out; where there are fewer
    key/value heads than devices, some hold the same; routers are on all.

    Unit: attention=param, feed_forward=param, embedding=param, total=param
    Source: shoeybi2019
    """
    m = models.get(model)
    if m.latent:
        raise ValueError(f"{model} has latent attention, whose compression is not split by heads")
    arguments.divides(m.heads, devices, "query heads")
    width = m.mixture.d_expert if m.mixture else m.d_ff
    arguments.divides(width, devices, "feed-forward columns")
    keys = -(-m.kv_heads // devices)
    queries = m.heads // devices
    router = m.d_model * m.mixture.experts * parameters.mixture_layers(m) if m.mixture else 0
    blocks = m.layers * parameters.block_weights(m.d_model, width // devices, m.gated)
    held = {
        "attention": m.layers * 2 * m.d_model * m.head_dim * (queries + keys),
        "feed_forward": blocks * (m.mixture.experts if m.mixture else 1) + router,
        "embedding": -(-m.vocab // devices) * m.d_model * (1 if m.tied else 2),
    }
    return held | {"total": sum(held.values())}


def add(partials: Sequence[Array]) -> Array:
    """What an all-reduce leaves on every device."""
    return np.asarray(sum(partials))


def block_partials(x: Array, up: Array, down: Array, devices: int) -> list[Array]:
    """Each device's output of relu(x·U)·D, its columns of U and the same rows of D at hand."""

    def own(columns: Array, rows: Array) -> Array:
        return np.asarray(np.maximum(x @ columns, 0) @ rows)

    return list(map(own, np.split(up, devices, axis=1), np.split(down, devices)))


def attention_partials(x: Array, w: Sequence[Array], heads: int, devices: int) -> list[Array]:
    """Each device's share of attention's output: its heads, and their rows of the output matrix."""
    query, key, value, output = w
    width = query.shape[1] // heads
    parts = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        attended = attention(x @ query[:, own], x @ key[:, own], x @ value[:, own], causal=True)
        parts.append(attended @ output[own])
    return [np.sum(group, axis=0) for group in np.split(np.stack(parts), devices)]


def confirm_split(
    combine: Callable[[Sequence[Array]], Array], partials: Sequence[Array], whole: Array, tolerance: float
) -> None:
    """Raise AssertionError unless the devices' outputs combine to the dense one, and none is it alone."""
    error = float(abs(combine(partials) - whole).max())
    assert error <= tolerance, f"{len(partials)} devices: the output is off by {error}"
    if len(partials) > 1:
        gap = min(float(abs(partial - whole).max()) for partial in partials)
        assert gap > np.sqrt(tolerance), "a device has the whole output without any exchange"


@verifier
def column_then_row_is_exact(
    devices: tuple[int, ...] = (1, 2, 4, 8),
    width: int = 6,
    inner: int = 48,
    tokens: int = 5,
    tolerance: float = 1e-10,
) -> dict[str, str | float]:
    """Check that a feed-forward block split by columns, then by rows, sums to the dense one.

    Formula: relu(x·U)·D = Σᵢ relu(x·Uᵢ)·Dᵢ: an all-reduce, as no exchange of pieces adds anything up.
    Unit: check
    Source: shoeybi2019
    """
    for count in devices:
        normal = np.random.default_rng(count).standard_normal
        x, up, down = normal((tokens, width)), normal((width, inner)), normal((inner, width))
        whole = np.maximum(x @ up, 0) @ down
        confirm_split(add, block_partials(x, up, down, count), whole, tolerance)
    return {"devices": str(devices), "width": width, "tolerance": tolerance}


@verifier
def heads_split_is_exact(
    heads: int = 8,
    head_dim: int = 2,
    devices: tuple[int, ...] = (1, 2, 4, 8),
    tokens: int = 5,
    tolerance: float = 1e-10,
) -> dict[str, str | float]:
    """Check that attention with its heads dealt out sums to the whole after the rows of its output matrix.

    Unit: check
    Source: shoeybi2019
    """
    width = heads * head_dim
    normal = np.random.default_rng(heads).standard_normal
    x, w = normal((tokens, width)), list(normal((4, width, width)))
    query, key, value = (np.stack(np.split(x @ matrix, heads, axis=1)) for matrix in w[:3])
    whole = np.concatenate(list(attention(query, key, value, causal=True)), axis=1) @ w[3]
    for count in devices:
        confirm_split(add, attention_partials(x, w, heads, count), whole, tolerance)
    return {"heads": heads, "devices": str(devices), "tolerance": tolerance}
