"""LoRA: parameter counts, initialisation, merging, the alpha/r scale, and what it saves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, models
from verifiers import parameters as counted

Array = np.ndarray[Any, np.dtype[Any]]

TARGETS = {
    "qv": ("q", "v"),
    "attention": ("q", "k", "v", "o"),
    "all": ("q", "k", "v", "o", "up", "down", "gate"),
}
RULES = ("alpha/r", "alpha/sqrt(r)")


def matrix_shapes(model: str) -> dict[str, tuple[int, int]]:
    """(rows out, columns in) of every linear map in one layer of a dense architecture."""
    m = models.get(model)
    if m.latent or m.mixture:
        raise ValueError(f"the layers of {model} are not alike: experts or latent attention")
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


def target_shapes(model: str, targets: str) -> list[tuple[int, int]]:
    names = TARGETS[arguments.one_of("targets", targets, TARGETS)]
    return [shape for name, shape in matrix_shapes(model).items() if name in names]


def linear_parameters(model: str) -> int:
    """Elements of all linear maps within the layers, of every expert, without biases and routers."""
    m = models.get(model)
    sparse = counted.mixture_layers(m)
    total = m.layers * counted.attention_weights(m)
    total += (m.layers - sparse) * counted.block_weights(m.d_model, m.d_ff, m.gated)
    if m.mixture:
        expert = counted.block_weights(m.d_model, m.mixture.d_expert, m.gated)
        total += sparse * (m.mixture.experts + m.mixture.shared) * expert
    return total


@verifier
def parameters(rows: int, columns: int, rank: int) -> dict[str, float]:
    """Trainable parameters of one adapted matrix, against the matrix itself.

    Formula: r·(d + k) for B [d, r] and A [r, k], against d·k.
    Shapes: W [d, k].
    Unit: adapter=param, full=param, ratio=1
    Source: hu2022
    """
    arguments.counts(rows=rows, columns=columns, rank=rank)
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
    arguments.counts(rank=rank)
    one_layer = sum(rank * (rows + columns) for rows, columns in target_shapes(model, targets))
    trainable, base = models.get(model).layers * one_layer, counted.count(model)
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
    frozen = linear_parameters(model) + m.vocab * m.d_model  # the head; a look-up costs no arithmetic
    return 6 * frozen / (4 * frozen + 6 * adapter(model, rank, targets)["parameters"])


def scale_of(alpha: float, rank: int, rule: str = "alpha/r") -> float:
    """The factor in front of BA: alpha/r, or rank-stabilised alpha/√r."""
    arguments.one_of("rule", rule, RULES)
    return alpha / (rank if rule == "alpha/r" else math.sqrt(rank))


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
    arguments.counts(rank=rank, columns=columns)
    arguments.positive(alpha=alpha)
    arguments.one_of("optimiser", optimiser, ("adam", "sgd"))
    scale = scale_of(alpha, rank, rule)
    if optimiser == "sgd":
        return scale * scale * rank / (3 * columns)
    return scale * rank / (math.sqrt(3) * columns)


def adapter_forward(x: Array, w: Array, a: Array, b: Array, scale: float) -> Array:
    """W·x + s·B·(A·x) for a batch of rows x."""
    return np.asarray(x @ w.T + scale * (x @ a.T) @ b.T)


def merge(w: Array, a: Array, b: Array, scale: float) -> Array:
    return np.asarray(w + scale * b @ a)


def factor_gradients(x: Array, g: Array, a: Array, b: Array, scale: float) -> tuple[Array, Array]:
    """Gradients by A and B, given the gradient g by the output."""
    return scale * b.T @ g.T @ x, scale * g.T @ (x @ a.T)


def random_case(seed: int, rank: int, tokens: int, rows: int, columns: int) -> tuple[Array, ...]:
    """Random x [n, k], W [d, k], A [r, k], B [d, r] and an output gradient [n, d]."""
    normal = np.random.default_rng([seed, rank]).standard_normal
    return (
        normal((tokens, columns)),
        normal((rows, columns)),
        normal((rank, columns)),
        normal((rows, rank)),
        normal((tokens, rows)),
    )


@verifier
def start_keeps_function(
    ranks: tuple[int, ...] = (1, 4, 8),
    seeds: int = 4,
    scale: float = 2.0,
    sizes: tuple[int, int, int] = (5, 16, 24),
) -> dict[str, object]:
    """Check that B = 0 leaves the output bit for bit, and that training can still start.

    Formula: at B = 0, dL/dB = s·gᵀ·x·Aᵀ ≠ 0 while dL/dA = s·Bᵀ·gᵀ·x = 0, at A = 0 the reverse;
    at A = B = 0 both are 0, yet L rises along (A, B) and falls along (A, −B), or the reverse.
    Shapes: x [n, k], g [n, d], A [r, k], B [d, r]; `sizes` are n, d, k.
    Unit: check
    Source: hu2022
    """
    for rank in ranks:
        for seed in range(seeds):
            x, w, a, b, g = random_case(seed, rank, *sizes)
            zero_a, zero_b = np.zeros_like(a), np.zeros_like(b)
            base = x @ w.T
            for factors, moving in (((a, zero_b), "B"), ((zero_a, b), "A"), ((zero_a, zero_b), "")):
                same = np.array_equal(adapter_forward(x, w, *factors, scale), base)
                assert same, "the adapter changes the output at the start"
                by_a, by_b = map(np.count_nonzero, factor_gradients(x, g, *factors, scale))
                moved = "A" * bool(by_a) + "B" * bool(by_b)
                assert moved == moving, f"{moved or 'nothing'} receives a gradient, not {moving or 'nothing'}"
            there, back = (
                np.sign((g * (adapter_forward(x, w, a, way, scale) - base)).sum()) for way in (b, -b)
            )
            assert there == -back != 0, "A = B = 0 is no saddle"
    return {"ranks": ", ".join(map(str, ranks)), "seeds": seeds, "output": "equal bit for bit"}


@verifier
def merging_keeps_function(
    ranks: tuple[int, ...] = (1, 4, 8),
    seeds: int = 4,
    alpha: float = 16,
    tolerance: float = 1e-11,
    sizes: tuple[int, int, int] = (5, 16, 24),
    rank_tolerance: float = 1e-8,
) -> dict[str, object]:
    """Check that adding s·B·A to W gives the adapter's output, and that the update has rank r.

    Formula: (W + s·B·A)·x = W·x + s·B·(A·x), s = alpha/r.
    Shapes: x [n, k], A [r, k], B [d, r]; `sizes` are n, d, k.
    Unit: check
    Source: hu2022
    """
    for rank in ranks:
        for seed in range(seeds):
            x, w, a, b, _ = random_case(seed, rank, *sizes)
            scale = scale_of(alpha, rank)
            merged = merge(w, a, b, scale)
            expected = adapter_forward(x, w, a, b, scale)
            same = np.allclose(x @ merged.T, expected, rtol=tolerance, atol=tolerance)
            assert same, "merged output differs"
            assert np.linalg.matrix_rank(merged - w, tol=rank_tolerance) == rank, "ΔW has another rank"
    return {
        "ranks": ", ".join(map(str, ranks)),
        "seeds": seeds,
        "alpha": alpha,
        "tolerance": tolerance,
    }
