"""Matrix products by data type, each checked against float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verifiers.kernels import timing

LIMITS = {"fp64": 1e-12, "fp32": 1e-5, "tf32": 3e-3, "fp16": 3e-3, "bf16": 1e-2, "fp8": 5e-2, "int8": 0.0}
"""Largest relative error against float64 on the same (already rounded) operands; fast accumulation of fp8 keeps
some 14 bits of every sum."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product ready to run, and its error on its first rows."""

    run: Callable[[], Any]
    error: float
    nbytes: int
    """Least traffic: both operands read, the result written."""


def product(dtype: str, m: int, n: int, k: int, data: str = "random") -> Product:
    """Prepare (m, k) · (k, n) in `dtype`; the right operand lies transposed, as a layer's weights do."""
    import torch

    timing.positive(m=m, n=n, k=k)
    if data not in ("random", "zeros"):
        raise ValueError(f"unknown data {data!r}; known: random, zeros")
    a, b = _operand(dtype, m, k, 1), _operand(dtype, n, k, 2).t()
    run = _kernel(dtype, a, b)
    found = run()
    rows = min(m, 64)
    reference = a[:rows].to(torch.float64) @ b.to(torch.float64)
    error = timing.error(found[:rows], reference, LIMITS[dtype])
    nbytes = (
        a.numel() * a.element_size() + b.numel() * b.element_size() + found.numel() * found.element_size()
    )
    del found, reference
    if data == "zeros":  # after the check, which zeros would pass whatever the kernel
        a.copy_(torch.zeros_like(a))
        b.copy_(torch.zeros_like(b))
    return Product(run, error, nbytes)


def _operand(dtype: str, rows: int, columns: int, seed: int) -> Any:
    kind = timing.dtype_of(dtype)
    if dtype == "int8":
        return timing.random(rows, columns, seed=seed, scale=40.0).clamp_(-127, 127).round_().to(kind)
    return timing.random(rows, columns, dtype=kind, seed=seed)


def _kernel(dtype: str, a: Any, b: Any) -> Callable[[], Any]:
    import torch

    if dtype == "fp8":
        one = torch.ones((), device=a.device)
        return lambda: torch._scaled_mm(
            a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
        )
    if dtype == "int8":
        return lambda: torch._int_mm(a, b)
    if dtype != "tf32":  # "highest" is what a process starts with
        return lambda: torch.mm(a, b)

    def run() -> Any:
        torch.set_float32_matmul_precision("high")
        try:
            return torch.mm(a, b)
        finally:  # what is timed next in this process must not inherit it
            torch.set_float32_matmul_precision("highest")

    return run
