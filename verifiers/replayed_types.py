"""Recomputation in another type: what a checkpoint saves in 16 bits, and what PyTorch refuses."""

from __future__ import annotations

from typing import Any

from proofdeck import verifier


def gradient(recompute_in: str, size: int, check: str, seed: int) -> Any:
    """Gradient of a checkpointed layer that ran in bf16, recomputed in a type."""
    import contextlib

    import torch
    from torch.utils.checkpoint import checkpoint

    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(size, size, generator=generator)
    x = torch.randn(size, size, generator=generator).requires_grad_()

    def layer(rows: Any) -> Any:
        return torch.tanh(rows @ weight) @ weight

    def contexts() -> tuple[Any, Any]:
        same = recompute_in == "bfloat16"
        return contextlib.nullcontext(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=same)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = checkpoint(layer, x, use_reentrant=False, context_fn=contexts, determinism_check=check)
    return torch.autograd.grad(y.float().square().sum(), x)[0]


@verifier
def another_type_is_refused(size: int = 16, seed: int = 0) -> dict[str, int]:
    """Check that PyTorch refuses a recomputation in another type, and that unchecked it fails or differs.

    Unit: check
    Source: definition
    """
    import torch
    from torch.utils.checkpoint import CheckpointError

    right = gradient("bfloat16", size, "default", seed)
    try:
        gradient("float32", size, "default", seed)
    except CheckpointError:
        pass
    else:
        raise AssertionError("a recomputation in fp32 passed the check of types")
    try:
        other = gradient("float32", size, "none", seed)
    except RuntimeError:
        return {"size": size}
    assert not torch.equal(right, other), "the gradients are the same in either type"
    return {"size": size}
