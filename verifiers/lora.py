"""LoRA: parameter counts, initialisation, merging, the alpha/r scale, and what it saves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import models

Array = np.ndarray[Any, np.dtype[Any]]


def matrix_shapes(model: str) -> dict[str, tuple[int, int]]:
    """(rows out, columns in) of every linear map in one layer of an architecture."""
    m = models.get(model)
    queries, keys = m.heads * m.head_dim, m.kv_heads * m.head_dim
    shapes = {
        "q": (queries, m.d_model),
        "k": (keys, m.d_model),
        "v": (keys, m.d_model),
        "o": (m.d_model, queries),
        "up": (m.d_ff, m.d_model),
        "down": (m.d_model, m.d_ff),
    }
    return shapes | ({"gate": (m.d_ff, m.d_model)} if m.gated else {})


TARGETS = {"qv": ("q", "v"), "attention": ("q", "k", "v", "o")}


def _targets(model: str, targets: str) -> list[tuple[int, int]]:
    shapes = matrix_shapes(model)
    if targets == "all":
        return list(shapes.values())
    if targets not in TARGETS:
        raise ValueError(f"unknown targets {targets!r}; 'qv', 'attention' or 'all'")
    return [shapes[name] for name in TARGETS[targets]]


def base_parameters(model: str) -> int:
    """Parameters of a Llama-like architecture: no biases, RMSNorm, rotary positions."""
    m = models.get(model)
    if not m.gated:
        raise ValueError(f"{model} has biases and learned positions, which this does not count")
    matrices = sum(rows * columns for rows, columns in matrix_shapes(model).values())
    norms = (2 * m.layers + 1) * m.d_model
    return m.vocab * m.d_model * (1 if m.tied else 2) + m.layers * matrices + norms


def _check_rank(rank: int) -> None:
    if rank < 1:
        raise ValueError(f"rank must be at least 1, not {rank}")


@verifier
def parameters(rows: int, columns: int, rank: int) -> dict[str, float]:
    """Trainable parameters of one adapted matrix, against the matrix itself.

    Formula: r·(d + k) for B [d, r] and A [r, k], against d·k.
    Shapes: W [d, k].
    Unit: adapter=param, full=param, ratio=1
    Source: hu2022
    """
    _check_rank(rank)
    if rows < 1 or columns < 1:
        raise ValueError("rows and columns must be positive")
    adapter, full = rank * (rows + columns), rows * columns
    return {"adapter": adapter, "full": full, "ratio": full / adapter}


@verifier
def adapter(model: str, rank: int, targets: str = "qv") -> dict[str, float]:
    """Trainable parameters of a whole adapter, their share of the base model's, and its file.

    Formula: layers · Σ over targets r·(d + k); share = that over the base model's parameters;
    bytes at two a parameter.
    Unit: parameters=param, base=param, share=1, bytes=B
    Source: hu2022
    """
    _check_rank(rank)
    one_layer = sum(rank * (rows + columns) for rows, columns in _targets(model, targets))
    trainable, base = models.get(model).layers * one_layer, base_parameters(model)
    return {
        "parameters": trainable,
        "base": base,
        "share": trainable / base,
        "bytes": 2 * trainable,
    }


@verifier
def training_states(model: str, rank: int, targets: str = "qv") -> dict[str, float]:
    """Bytes of weights, gradients, fp32 master copies and Adam's moments, activations apart.

    Formula: full 16 B per parameter (2 + 2 + 4 + 8); LoRA 2 B per frozen parameter and 16 B per
    trainable one.
    Unit: full=B, lora=B, adapter=B, ratio=1
    Source: rajbhandari2020
    """
    counts = adapter(model, rank, targets)
    full, trained = 16 * counts["base"], 16 * counts["parameters"]
    lora = 2 * counts["base"] + trained
    return {"full": full, "lora": lora, "adapter": trained, "ratio": full / lora}


@verifier
def speedup(model: str, rank: int, targets: str = "qv") -> float:
    """Arithmetic of a full training step over that of a LoRA step, in the linear maps.

    Formula: 6·N/(4·N + 6·n): forward 2, input gradients 2, weight gradients 2 per parameter; the
    frozen N are spared only the last.
    Unit: 1
    Source: definition
    """
    m = models.get(model)
    matrices = sum(rows * columns for rows, columns in matrix_shapes(model).values())
    frozen = m.layers * matrices + m.vocab * m.d_model  # the head; a look-up costs no arithmetic
    return 6 * frozen / (4 * frozen + 6 * adapter(model, rank, targets)["parameters"])


def scale_of(alpha: float, rank: int, rule: str = "alpha/r") -> float:
    """The factor in front of BA: alpha/r, or rank-stabilised alpha/√r."""
    if rule == "alpha/r":
        return alpha / rank
    if rule == "alpha/sqrt(r)":
        return alpha / math.sqrt(rank)
    raise ValueError(f"unknown rule {rule!r}; 'alpha/r' or 'alpha/sqrt(r)'")


@verifier
def first_step(
    rank: int, alpha: float, columns: int, rule: str = "alpha/r", optimiser: str = "adam"
) -> float:
    """How far the first step lowers the loss, to first order, over that of full fine-tuning.

    Formula: −⟨G, ΔW⟩ with ΔW = s·ΔB·A, entries of A uniform with variance 1/(3k), B = 0, same rate.
    SGD: ΔB = −η·s·G·Aᵀ, on average s²·r/(3k). Adam: ΔB = −η·sign(G·Aᵀ), s·r/(√3·k) for a
    gradient G with normally distributed entries.
    Unit: 1
    Source: kalajdzievski2023, derived
    """
    _check_rank(rank)
    if columns < 1 or alpha <= 0:
        raise ValueError("columns and alpha must be positive")
    scale = scale_of(alpha, rank, rule)
    if optimiser == "sgd":
        return scale * scale * rank / (3 * columns)
    if optimiser == "adam":
        return scale * rank / (math.sqrt(3) * columns)
    raise ValueError(f"unknown optimiser {optimiser!r}; 'adam' or 'sgd'")


def adapter_forward(x: Array, w: Array, a: Array, b: Array, scale: float) -> Array:
    """W·x + s·B·(A·x) for a batch of rows x."""
    return np.asarray(x @ w.T + scale * (x @ a.T) @ b.T)


def merge(w: Array, a: Array, b: Array, scale: float) -> Array:
    return np.asarray(w + scale * b @ a)


def factor_gradients(x: Array, g: Array, a: Array, b: Array, scale: float) -> tuple[Array, Array]:
    """Gradients by A and B, given the gradient g by the output."""
    return scale * b.T @ g.T @ x, scale * g.T @ (x @ a.T)


def _case(seed: int, rank: int) -> tuple[Array, ...]:
    """Random x [5, 24], W [16, 24], A [r, 24], B [16, r] and an output gradient [5, 16]."""
    normal = np.random.default_rng([seed, rank]).standard_normal
    return (
        normal((5, 24)),
        normal((16, 24)),
        normal((rank, 24)),
        normal((16, rank)),
        normal((5, 16)),
    )


@verifier
def start_keeps_function() -> dict[str, object]:
    """Check that B = 0 leaves the output bit for bit, and that training can still start.

    Formula: at B = 0, dL/dB = s·gᵀ·x·Aᵀ ≠ 0 while dL/dA = s·Bᵀ·gᵀ·x = 0, at A = 0 the reverse;
    at A = B = 0 both are 0, yet L rises along (A, B) and falls along (A, −B), or the reverse.
    Shapes: x [n, k], g [n, d], A [r, k], B [d, r].
    Unit: check
    Source: hu2022
    """
    for rank in (1, 4, 8):
        for seed in range(4):
            x, w, a, b, g = _case(seed, rank)
            zero_a, zero_b = np.zeros_like(a), np.zeros_like(b)
            same = adapter_forward(x, w, a, zero_b, 2.0) == x @ w.T
            assert same.all(), "the adapter changes the output at the start"
            by_a, by_b = factor_gradients(x, g, a, zero_b, 2.0)
            assert not by_a.any() and by_b.any(), "at B = 0 only B should receive a gradient"
            same = adapter_forward(x, w, zero_a, b, 2.0) == x @ w.T
            by_a, by_b = factor_gradients(x, g, zero_a, b, 2.0)
            assert same.all() and by_a.any() and not by_b.any(), "at A = 0 only A should move"
            by_a, by_b = factor_gradients(x, g, zero_a, zero_b, 2.0)
            assert not by_a.any() and not by_b.any(), "from A = B = 0 something trains"
            there, back = (
                float((g * (adapter_forward(x, w, a, side, 2.0) - x @ w.T)).sum()) for side in (b, -b)
            )
            assert there * back < 0, "A = B = 0 is no saddle"
    return {"ranks": "1, 4, 8", "seeds": 4, "output": "equal bit for bit"}


@verifier
def merging_keeps_function() -> dict[str, object]:
    """Check that adding s·B·A to W gives the adapter's output, and that the update has rank r.

    Formula: (W + s·B·A)·x = W·x + s·B·(A·x), s = alpha/r.
    Unit: check
    Source: hu2022
    """
    for rank in (1, 4, 8):
        for seed in range(4):
            x, w, a, b, _ = _case(seed, rank)
            scale = scale_of(16, rank)
            merged = merge(w, a, b, scale)
            error = float(abs(x @ merged.T - adapter_forward(x, w, a, b, scale)).max())
            assert error < 1e-11 * abs(merged).max() * 24, f"merged output off by {error}"
            assert np.linalg.matrix_rank(merged - w, tol=1e-8) == rank, "ΔW has another rank"
    return {"ranks": "1, 4, 8", "seeds": 4, "alpha": 16, "tolerance": 1e-11}
