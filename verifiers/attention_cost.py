"""What one unmasked head costs, tiled or not: saved bytes, FLOPs and memory traffic."""

from __future__ import annotations

from fractions import Fraction

from proofdeck import verifier
from verifiers import dtypes


def _positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")


@verifier
def score_bytes(tokens: int, dtype: str = "fp16") -> int:
    """Bytes of one head's matrix of scores, or of weights.

    Formula: tokens² · bytes per element.
    Unit: B
    Source: definition
    """
    _positive(tokens=tokens)
    return dtypes.nbytes(tokens**2, dtype)


@verifier
def saved_bytes(tokens: int, head_dim: int, dtype: str = "fp16", tiled: bool = True) -> int:
    """Bytes that one head keeps from the forward for the backward.

    Tiled: Q, K, V, O and a float32 log-sum-exp a row. Otherwise: Q, K, V and the weights.

    Formula: 4 · n · d · b + 4 · n, or 3 · n · d · b + n² · b.
    Unit: B
    Source: dao2022
    """
    _positive(tokens=tokens, head_dim=head_dim)
    matrix = dtypes.nbytes(tokens * head_dim, dtype)
    if tiled:
        return 4 * matrix + dtypes.nbytes(tokens, "fp32")
    return 3 * matrix + score_bytes(tokens, dtype)


@verifier
def flops(tokens: int, head_dim: int, backward: bool = False, recompute: bool = True) -> int:
    """FLOPs of one head's matrix products, each 2 · n² · d.

    Forward two products, S and O; backward four, and a fifth where S is recomputed.

    Unit: FLOP
    Source: definition
    """
    _positive(tokens=tokens, head_dim=head_dim)
    products = 4 + recompute if backward else 2
    return products * 2 * tokens**2 * head_dim


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
def traffic(tokens: int, head_dim: int, rows: int | None = None, dtype: str = "fp16") -> int:
    """Bytes that one head's forward moves between device memory and the chip.

    Without `rows`, three kernels: Q, K in, S out; S in, P out; P, V in, O out. With `rows`, each
    tile of that many queries streams all of K and V past it, and writes its output and float32
    log-sum-exps once. No cache is counted, so tiles that share one do better.

    Formula: 4 · n · d · b + 4 · n² · b, or 2 · n · d · b + ceil(n / rows) · 2 · n · d · b + 4 · n.
    Unit: B
    Source: dao2022, dao2023
    """
    _positive(tokens=tokens, head_dim=head_dim)
    matrix = dtypes.nbytes(tokens * head_dim, dtype)
    if rows is None:
        return 4 * matrix + 4 * score_bytes(tokens, dtype)
    _positive(rows=rows)
    return 2 * matrix + -(-tokens // rows) * 2 * matrix + dtypes.nbytes(tokens, "fp32")


@verifier
def traffic_ratio(tokens: int, head_dim: int, rows: int, dtype: str = "fp16") -> float:
    """Bytes moved by a forward in three kernels over those of a tiled one.

    Formula: tends to 2 · rows / head_dim as the length grows.
    Unit: 1
    Source: dao2022, dao2023
    """
    return traffic(tokens, head_dim, None, dtype) / traffic(tokens, head_dim, rows, dtype)


@verifier
def traffic_follows_tile_and_width() -> dict[str, str | int]:
    """Check that the saving of a long sequence is 2 · rows / head_dim to one part in a thousand.

    Unit: check
    Source: definition
    """
    tokens = 2**20
    for rows in (32, 128, 256):
        for head_dim in (64, 128, 256):
            limit = 2 * rows / head_dim
            ratio = traffic_ratio(tokens, head_dim, rows)
            assert abs(ratio - limit) < 1e-3 * limit, f"{ratio:.4g} is not near {limit:.4g}"
    return {"tokens": tokens, "rows": "32, 128, 256", "head_dim": "64, 128, 256"}


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
    if flops_per_second <= 0 or bytes_per_second <= 0:
        raise ValueError(f"rates are above zero: {flops_per_second}, {bytes_per_second}")
    return flops_per_second / bytes_per_second
