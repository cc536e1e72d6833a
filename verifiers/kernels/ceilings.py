"""The two ceilings of a device: how fast it copies memory, and how fast it multiplies large matrices."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from proofdeck import measurement
from verifiers.kernels import products, timing

COPIED = {"cuda": 2048, "cpu": 16}
"""MiB of the copy against which kernels are held."""
WIDTH = {"cuda": 8192, "cpu": 256}
"""Size of the product against which they are held."""


@measurement
def copy(mib: int = 4096) -> dict[str, Any]:
    """Bandwidth of a device-to-device copy, bytes read and written counted.

    Formula: 2 · bytes / median time.
    Unit: B/s
    Source: definition
    """
    sample, error = _copied(mib)
    rate = 2 * mib * 2**20 / sample.median
    return timing.report(rate, {"copy": sample}, {"copy": error}, {"copy": 1.0}, mib=mib)


def _copied(mib: int) -> tuple[timing.Sample, float]:
    import torch

    timing.positive(mib=mib)
    source = timing.random(mib * 2**18)
    target = torch.full_like(source, float("nan"))
    target.copy_(source)
    error = timing.error(target, source, 0.0)
    return timing.clock({"copy": lambda: target.copy_(source)}, writes=True)["copy"], error


@lru_cache
def copy_rate() -> float:
    """Return this device's copy bandwidth in B/s, measured once a process."""
    mib = COPIED[timing.device()]
    return 2 * mib * 2**20 / _copied(mib)[0].median


@lru_cache
def product_rate(dtype: str) -> float:
    """Return this device's rate for a large matrix product in FLOP/s, measured once a process."""
    n = WIDTH[timing.device()]
    work = products.product(dtype, n, n, n)
    rate = 2 * n**3 / timing.clock({dtype: work.run})[dtype].median
    timing.release()
    return rate


def floor(flops: float, nbytes: float, dtype: str) -> float:
    """Return the least time that the two ceilings allow, in seconds."""
    return max(flops / product_rate(dtype), nbytes / copy_rate())
