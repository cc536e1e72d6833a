"""The roofline: FLOPs for every byte moved, and the time that a device's two ceilings allow."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, dtypes, hardware


@verifier
def matmul_intensity(m: int, n: int, k: int, dtype: str = "bf16", written: bool = True) -> float:
    """FLOPs for every byte of a product of [m, k] and [k, n], each matrix moved once.

    Formula: 2 · m · n · k / ((m · k + k · n + m · n) · bytes per element); N / (1.5 · bytes) for squares.
    Unit: FLOP/B
    Source: williams2009
    """
    arguments.counts(m=m, n=n, k=k)
    elements = m * k + k * n + (m * n if written else 0)
    return float(Fraction(2 * m * n * k * 8, elements * dtypes.bits(dtype)))


@verifier
def linear_intensity(
    tokens: int, d_in: int, d_out: int, dtype: str = "bf16", weight_dtype: str | None = None
) -> float:
    """FLOPs for every byte of a linear layer applied to some tokens, its weights perhaps narrower.

    Formula: 2 · t · d_in · d_out / (d_in · d_out · weight bytes + t · (d_in + d_out) · bytes).
    Unit: FLOP/B
    Source: williams2009
    """
    arguments.counts(tokens=tokens, d_in=d_in, d_out=d_out)
    weights = d_in * d_out * dtypes.bits(weight_dtype or dtype)
    moved = weights + tokens * (d_in + d_out) * dtypes.bits(dtype)
    return float(Fraction(2 * tokens * d_in * d_out * 8, moved))


@verifier
def elementwise_intensity(
    operations: float = 1, reads: int = 1, writes: int = 1, dtype: str = "bf16"
) -> float:
    """FLOPs for every byte of a function applied to each element by itself.

    Formula: operations / ((reads + writes) · bytes per element).
    Unit: FLOP/B
    Source: williams2009
    """
    arguments.positive(operations=operations)
    arguments.counts(0, reads=reads, writes=writes)
    arguments.counts(**{"reads + writes": reads + writes})
    return operations * 8 / ((reads + writes) * dtypes.bits(dtype))


@verifier
def attention_intensity(
    queries: int, keys: int, heads: int, kv_heads: int, head_dim: int, dtype: str = "bf16"
) -> float:
    """FLOPs for every byte of fused attention: queries, keys and values read and outputs written once.

    Formula: 4 · h · q · k · d / ((2 · h · q + 2 · g · k) · d · bytes per element), unmasked.
    Unit: FLOP/B
    Source: dao2022
    """
    arguments.counts(queries=queries, keys=keys, head_dim=head_dim)
    arguments.divides(heads, kv_heads, "query heads")
    moved = (heads * queries + kv_heads * keys) * dtypes.bits(dtype)
    return float(Fraction(2 * heads * queries * keys * 8, moved))


@verifier
def attainable(intensity: float, device: str, dtype: str = "bf16") -> float:
    """Rate that the roofline allows a kernel of this arithmetic intensity.

    Formula: min(peak, intensity · bandwidth).
    Unit: FLOP/s
    Source: williams2009
    """
    arguments.positive(intensity=intensity)
    chip = hardware.get(device)
    return min(chip.peak(dtype), intensity * chip.bandwidth)


@verifier
def share_of_peak(intensity: float, device: str, dtype: str = "bf16") -> float:
    """Largest share of a device's peak that a kernel of this intensity can reach.

    Formula: min(1, intensity / ridge).
    Unit: 1
    Source: williams2009
    """
    return attainable(intensity, device, dtype) / hardware.get(device).peak(dtype)


@verifier
def memory_time(nbytes: float, device: str, devices: int = 1) -> float:
    """Least time to move so many bytes from memory, spread over devices.

    Formula: bytes / (devices · bandwidth).
    Unit: s
    Source: williams2009
    """
    arguments.non_negative(nbytes=nbytes)
    arguments.counts(devices=devices)
    return nbytes / (devices * hardware.get(device).bandwidth)


@verifier
def compute_time(
    flops: float, device: str, dtype: str = "bf16", devices: int = 1, utilisation: float = 1.0
) -> float:
    """Time for so many FLOPs at a share of the peak of each device.

    Formula: FLOPs / (devices · peak · utilisation).
    Unit: s
    Source: williams2009
    """
    arguments.non_negative(flops=flops)
    arguments.counts(devices=devices)
    arguments.shares(utilisation=utilisation)
    arguments.positive(utilisation=utilisation)
    return flops / (devices * hardware.get(device).peak(dtype) * utilisation)


@verifier
def time_bound(
    flops: float, nbytes: float, device: str, dtype: str = "bf16", devices: int = 1
) -> dict[str, float | str]:
    """Least time for a kernel, where moving bytes and computing overlap perfectly, and its limit.

    Formula: max(FLOPs / peak, bytes / bandwidth).
    Unit: compute=s, memory=s, time=s, limit=1
    Source: williams2009
    """
    compute = compute_time(flops, device, dtype, devices)
    memory = memory_time(nbytes, device, devices)
    limit = "compute" if compute >= memory else "memory"
    return {"compute": compute, "memory": memory, "time": max(compute, memory), "limit": limit}


@verifier
def square_at_ridge(device: str, dtype: str = "bf16") -> int:
    """Least size N of a product of two N × N matrices that can be limited by compute.

    Formula: ceil(ridge · 3 · bytes per element / 2).
    Unit: 1
    Source: williams2009
    """
    chip = hardware.get(device)
    return math.ceil(Fraction(chip.peak(dtype) * 3 * dtypes.bits(dtype), chip.bandwidth * 16))


@verifier
def batch_at_ridge(device: str, dtype: str = "bf16", weight_dtype: str | None = None) -> int:
    """Least tokens a step from which reading the weights no longer limits it, activations apart.

    Each weight is read once and serves one multiply-add a token.

    Formula: ceil(ridge · weight bytes / 2).
    Unit: token
    Source: pope2022
    """
    chip = hardware.get(device)
    return math.ceil(Fraction(chip.peak(dtype) * dtypes.bits(weight_dtype or dtype), chip.bandwidth * 16))
