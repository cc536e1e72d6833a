"""A small size for every measurement."""

from __future__ import annotations

import importlib
from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "ceilings.copy": {"mib": 1},
    "gemm.rate": {"n": 64, "dtype": "bf16"},
    "gemm.linear": {"batch": 4, "width": 64},
    "gemm.knee": {"width": 64, "largest": 64},
    "attention.forward": {"tokens": 32, "head_dim": 16, "heads": 2},
    "attention.backward": {"tokens": 32, "head_dim": 16, "heads": 2},
    "decode.attention": {"tokens": 70, "batch": 1, "heads": 8, "head_dim": 16},
    "decode.quantised": {"tokens": 70, "batch": 1, "key_heads": 2, "head_dim": 16},
    "decode.recompute": {"tokens": 16, "layers": 1, "width": 64, "heads": 4},
    "fusion.op": {"name": "softmax", "rows": 5, "columns": 64},
    "training.backward": {"width": 64, "tokens": 32, "layers": 1},
    "training.checkpointing": {"width": 64, "tokens": 32, "layers": 2},
    "training.optimiser": {"tensors": 3, "elements": 64},
    "training.precision": {"width": 64, "tokens": 32, "layers": 1},
    "training.accumulation": {"parts": 2, "width": 64, "tokens": 32, "layers": 1},
    "launch.chain": {"ops": 4, "size": 16},
    "launch.step": {"layers": 1, "width": 64, "heads": 4, "tokens": 16},
    "serving.lora": {"tokens": 4, "width": 64, "rank": 4},
    "serving.experts": {"tokens": 32, "count": 4, "width": 64, "hidden": 32},
    "serving.verify": {"k": 3, "context": 16, "layers": 1, "width": 64, "heads": 4},
    "serving.sampling": {"vocabulary": 500, "batch": 4},
}


def function_of(name: str) -> Any:
    module, _, function = name.partition(".")
    return getattr(importlib.import_module(f"verifiers.kernels.{module}"), function)
