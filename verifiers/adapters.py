"""Parameter-efficient fine-tuning beside LoRA: what each method trains, and what many copies weigh."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dtypes, lora, models, parameters

Array = np.ndarray[Any, np.dtype[Any]]


def _counted(model: str, trained: int) -> dict[str, float]:
    base = parameters.count(model)
    return {"parameters": trained, "share": trained / base}


@verifier
def prompt_tuning(model: str, tokens: int) -> dict[str, float]:
    """Parameters of trained input vectors that are put before the prompt.

    Formula: tokens·d; share = that over the model's parameters.
    Unit: parameters=param, share=1
    Source: lester2021
    """
    arguments.counts(tokens=tokens)
    return _counted(model, tokens * models.get(model).d_model)


@verifier
def prefix_tuning(model: str, tokens: int) -> dict[str, float]:
    """Parameters of trained keys and values put before those of every layer.

    Formula: 2·layers·tokens·kv_heads·head_dim, what the cache of so many tokens holds; the network that
    may produce them in training is not kept.
    Unit: parameters=param, share=1
    Source: li2021
    """
    arguments.counts(tokens=tokens)
    m = models.get(model)
    if m.latent:
        raise ValueError(f"{model} caches a latent vector, not keys and values")
    return _counted(model, m.layers * tokens * m.cache_width)


@verifier
def ia3(model: str) -> dict[str, float]:
    """Parameters of (IA)³: gains of keys, values and the inner feed-forward activations.

    Formula: layers·(2·kv_heads·head_dim + d_ff).
    Unit: parameters=param, share=1
    Source: liu2022ia3
    """
    shapes = lora.matrix_shapes(model)
    gains = sum(shapes[name][0] for name in ("k", "v", "up"))
    return _counted(model, models.get(model).layers * gains)


@verifier
def bottleneck(model: str, width: int, per_layer: int = 2) -> dict[str, float]:
    """Parameters of bottleneck adapters: a map down, a nonlinearity and a map up, with biases.

    Formula: layers·per_layer·(2·d·m + m + d); norms that may be trained too are not counted.
    Unit: parameters=param, share=1
    Source: houlsby2019
    """
    arguments.counts(width=width, per_layer=per_layer)
    m = models.get(model)
    one = 2 * m.d_model * width + width + m.d_model
    return _counted(model, m.layers * per_layer * one)


@verifier
def dora(model: str, rank: int, targets: str = "all") -> dict[str, float]:
    """Parameters of DoRA: LoRA's factors for the direction and one magnitude for each output.

    Formula: layers·Σ over targets (r·(d + k) + d). Its code norms every row of W [out, in]; the paper
    writes columns, whose number over all the maps of a block is often the same.
    Shapes: W [d, k].
    Unit: parameters=param, share=1
    Source: liu2024dora
    """
    magnitudes = sum(rows for rows, _ in lora.target_shapes(model, targets))
    factors = int(lora.adapter(model, rank, targets)["parameters"])
    return _counted(model, factors + models.get(model).layers * magnitudes)


@verifier
def vera(model: str, rank: int, targets: str = "all") -> dict[str, float]:
    """Parameters of VeRA: two gain vectors a matrix, around frozen random factors that all layers share.

    Formula: layers·Σ over targets (d + r).
    Shapes: W [d, k].
    Unit: parameters=param, share=1
    Source: kopiczko2024
    """
    arguments.counts(rank=rank)
    shapes = lora.target_shapes(model, targets)
    return _counted(model, models.get(model).layers * sum(rows + rank for rows, _ in shapes))


@verifier
def fleet(model: str, copies: int, rank: int, targets: str = "all", dtype: str = "fp16") -> dict[str, float]:
    """Bytes of many fine-tuned versions of a model: full copies, LoRA adapters, these with one base.

    Formula: copies·N·width, copies·n·width, (N + copies·n)·width; ratio = full over the last.
    Unit: full=B, adapters=B, shared=B, ratio=1
    Source: hu2022
    """
    arguments.counts(copies=copies)
    counts = lora.adapter(model, rank, targets)
    full, adapters, base = (
        count * dtypes.bits(dtype) / 8
        for count in (copies * counts["base"], copies * counts["parameters"], counts["base"])
    )
    shared = base + adapters
    return {"full": full, "adapters": adapters, "shared": shared, "ratio": full / shared}


def attend(q: Array, keys: Array, values: Array) -> tuple[Array, Array]:
    """Softmax attention of queries over keys, and the sum of the exponentials of each query."""
    scores = np.exp(q @ keys.T)
    return scores @ values / scores.sum(axis=1, keepdims=True), scores.sum(axis=1, keepdims=True)


@verifier
def prefix_mixes_attention(
    tokens: int = 6, prefix: int = 3, width: int = 8, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that a prefix adds its own attention to the model's, weighted by its share of the softmax.

    Formula: attn(q, [P_K; K], [P_V; V]) = λ·attn(q, P_K, P_V) + (1 − λ)·attn(q, K, V), with λ the
    prefix's share of the sum of exponentials.
    Unit: check
    Source: he2022
    """
    for seed in range(seeds):
        normal = np.random.default_rng(seed).standard_normal
        q, k, v = (normal((tokens, width)) for _ in "qkv")
        prefix_k, prefix_v = normal((prefix, width)), normal((prefix, width))
        whole, _ = attend(q, np.concatenate([prefix_k, k]), np.concatenate([prefix_v, v]))
        (own, sum_own), (added, sum_added) = attend(q, k, v), attend(q, prefix_k, prefix_v)
        mixed = (sum_added * added + sum_own * own) / (sum_added + sum_own)
        assert np.allclose(whole, mixed, rtol=tolerance, atol=tolerance), "the prefix does not mix in"
    return {"tokens": tokens, "prefix": prefix, "width": width, "seeds": seeds, "tolerance": tolerance}


def scale_rows(w: Array, gains: Array) -> Array:
    """A weight with the gains of its outputs folded in."""
    return np.asarray(gains[:, None] * w)


@verifier
def gains_merge(
    rows: int = 12, columns: int = 8, tokens: int = 5, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that gains on a linear map's outputs, as (IA)³ trains them, fold into its weight.

    Formula: l ⊙ (W·x) = (diag(l)·W)·x.
    Unit: check
    Source: liu2022ia3
    """
    for seed in range(seeds):
        normal = np.random.default_rng(seed).standard_normal
        x, w, gains = normal((tokens, columns)), normal((rows, columns)), normal(rows)
        merged = x @ scale_rows(w, gains).T
        assert np.allclose(merged, gains * (x @ w.T), rtol=tolerance, atol=tolerance), "gains do not fold in"
    return {"rows": rows, "columns": columns, "seeds": seeds, "tolerance": tolerance}
