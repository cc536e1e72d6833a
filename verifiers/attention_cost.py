"""What unmasked attention costs, tiled or not: scores, saved bytes, FLOPs and memory traffic."""

from __future__ import annotations

from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, dtypes
from verifiers.calculus import agree, listed


@verifier
def score_entries(tokens: int, heads: int = 1, layers: int = 1) -> int:
    """Scores that full attention computes for one sequence: one a query, key, head and layer.

    Formula: tokens² · heads · layers.
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens, heads=heads, layers=layers)
    return tokens**2 * heads * layers


@verifier
def score_bytes(tokens: int, dtype: str = "fp16", heads: int = 1, layers: int = 1) -> int:
    """Bytes of the matrices of scores, or of weights: one head's unless told otherwise.

    Formula: tokens² · heads · layers · bytes per element.
    Unit: B
    Source: definition
    """
    return dtypes.nbytes(score_entries(tokens, heads, layers), dtype)


@verifier
def matrix_bytes(tokens: int, head_dim: int, dtype: str = "fp16") -> int:
    """Bytes of one head's queries, keys, values or outputs.

    Formula: tokens · head_dim · bytes per element.
    Unit: B
    Source: definition
    """
    arguments.counts(tokens=tokens, head_dim=head_dim)
    return dtypes.nbytes(tokens * head_dim, dtype)


@verifier
def statistics_bytes(tokens: int, dtype: str = "fp32") -> int:
    """Bytes of one head's log-sum-exps, all that tiled attention stores besides Q, K, V and O.

    Formula: tokens · bytes per element.
    Unit: B
    Source: dao2023
    """
    arguments.counts(tokens=tokens)
    return dtypes.nbytes(tokens, dtype)


@verifier
def streamed_entries(tokens: int, head_dim: int) -> int:
    """Numbers that one head's online softmax leaves behind: an output row, a maximum and a sum a query.

    Formula: tokens · (head_dim + 2).
    Unit: 1
    Source: milakov2018
    """
    arguments.counts(tokens=tokens, head_dim=head_dim)
    return tokens * (head_dim + 2)


@verifier
def saved_bytes(tokens: int, head_dim: int, dtype: str = "fp16", tiled: bool = True) -> int:
    """Bytes that one head keeps from the forward for the backward.

    Tiled: Q, K, V, O and a float32 log-sum-exp a row. Otherwise: Q, K, V and the weights.

    Formula: 4 · n · d · b + 4 · n, or 3 · n · d · b + n² · b.
    Unit: B
    Source: dao2022, dao2023
    """
    kept = statistics_bytes(tokens) + matrix_bytes(tokens, head_dim, dtype)
    return 3 * matrix_bytes(tokens, head_dim, dtype) + (kept if tiled else score_bytes(tokens, dtype))


@verifier
def flops(
    tokens: int,
    head_dim: int,
    backward: bool = False,
    recompute: bool = True,
    heads: int = 1,
    layers: int = 1,
) -> int:
    """FLOPs of attention's own matrix products, each 2 · n² · d a head and layer.

    Forward two products, S and O; backward four, and a fifth where S is recomputed.

    Unit: FLOP
    Source: definition
    """
    arguments.counts(head_dim=head_dim)
    products = 4 + recompute if backward else 2
    return products * 2 * score_entries(tokens, heads, layers) * head_dim


@verifier
def layer_flops(tokens: int, width: int) -> int:
    """FLOPs of a layer of attention with its four square projections, as many key heads as query heads.

    Formula: 8 · n · width² + 4 · n² · width.
    Unit: FLOP
    Source: definition
    """
    return 8 * tokens * width**2 + flops(tokens, width)


@verifier
def quadratic_share(tokens: int, width: int) -> float:
    """Share of an attention layer's FLOPs that grows with the square of the length.

    Formula: 4 · n² · width / (8 · n · width² + 4 · n² · width) = n / (n + 2 · width).
    Unit: 1
    Source: definition
    """
    return flops(tokens, width) / layer_flops(tokens, width)


@verifier
def additive_entries(queries: int, keys: int, hidden: int) -> int:
    """Hidden units that additive attention vᵀ tanh(W₁ q + W₂ k) evaluates, for every pair its own.

    Formula: queries · keys · hidden.
    Unit: 1
    Source: bahdanau2015
    """
    arguments.counts(queries=queries, keys=keys, hidden=hidden)
    return queries * keys * hidden


@verifier
def backward_over_forward(recompute: bool = True) -> float:
    """Matrix-product FLOPs of attention's backward over those of its forward.

    Unit: 1
    Source: definition
    """
    return float(Fraction(flops(1, 1, True, recompute), flops(1, 1)))


@verifier
def training_flops_ratio() -> float:
    """Matrix-product FLOPs of forward and backward with recomputed scores over those without.

    Formula: (2 + 5) / (2 + 4).
    Unit: 1
    Source: definition
    """
    kept, rebuilt = (flops(1, 1) + flops(1, 1, True, r) for r in (False, True))
    return float(Fraction(rebuilt, kept))


@verifier
def rescaling_share(columns: int) -> float:
    """FLOPs that rescale a tile's accumulator, over those of the tile's two matrix products.

    Formula: rows · d / (4 · rows · columns · d) = 1 / (4 · columns).
    Unit: 1
    Source: definition
    """
    arguments.counts(columns=columns)
    return 1 / (4 * columns)


@verifier
def traffic(tokens: int, head_dim: int, rows: int | None = None, dtype: str = "fp16") -> int:
    """Bytes that one head's forward moves between device memory and the chip.

    Without `rows`, three kernels: Q, K in, S out; S in, P out; P, V in, O out. With `rows`, each
    tile of that many queries streams all of K and V past it, and writes its output and float32
    log-sum-exps once. No cache is counted, so tiles that share one do better.

    Formula: 4 · n · d · b + 4 · n² · b, or 2 · n · d · b + ceil(n / rows) · 2 · n · d · b + 4 · n.
    Unit: B
    Source: dao2022, dao2023
    """
    matrix = matrix_bytes(tokens, head_dim, dtype)
    if rows is None:
        return 4 * matrix + 4 * score_bytes(tokens, dtype)
    arguments.counts(rows=rows)
    return 2 * matrix + -(-tokens // rows) * 2 * matrix + statistics_bytes(tokens)


@verifier
def traffic_ratio(tokens: int, head_dim: int, rows: int, dtype: str = "fp16") -> float:
    """Bytes moved by a forward in three kernels over those of a tiled one.

    Formula: tends to 2 · rows / head_dim as the length grows.
    Unit: 1
    Source: dao2022, dao2023
    """
    return traffic(tokens, head_dim, None, dtype) / traffic(tokens, head_dim, rows, dtype)


@verifier
def traffic_follows_tile_and_width(
    tokens: int = 2**20,
    rows: tuple[int, ...] = (32, 128, 256),
    head_dims: tuple[int, ...] = (64, 128, 256),
    tolerance: float = 1e-3,
) -> dict[str, str | int]:
    """Check that the saving of a long sequence is 2 · rows / head_dim to one part in a thousand.

    Unit: check
    Source: definition
    """
    for height in rows:
        for head_dim in head_dims:
            limit = 2 * height / head_dim
            saving = traffic_ratio(tokens, head_dim, height)
            agree(saving / limit, 1, tolerance, f"the saving at {height} rows")
    return {
        "tokens": tokens,
        "rows": listed(rows),
        "head_dim": listed(head_dims),
    }


@verifier
def intensity(tokens: int, head_dim: int, dtype: str = "fp16") -> float:
    """FLOPs of a forward in three kernels for every byte that it moves.

    Formula: 4 · n² · d / (4 · n · d · b + 4 · n² · b), which tends to d / b.
    Unit: FLOP/B
    Source: definition
    """
    return flops(tokens, head_dim) / traffic(tokens, head_dim, None, dtype)


@verifier
def ridge(flops_per_second: float, bytes_per_second: float) -> float:
    """FLOPs that a device can do in the time in which it moves one byte.

    Unit: FLOP/B
    Source: definition
    """
    arguments.positive(flops_per_second=flops_per_second, bytes_per_second=bytes_per_second)
    return flops_per_second / bytes_per_second
