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
    (found,) = torch.autograd.grad(y.float().square().sum(), x)
    return found


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


def borders(start: str, blocks: int, size: int, seed: int) -> tuple[list[Any], list[Any]]:
    """Inputs of residual blocks under bf16 autocast, and what each block adds to its input.

    Weights are fp32; the stream starts as embeddings of a type.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(size, size, generator=generator) for _ in range(blocks)]
    stream = torch.randn(size, size, generator=generator).to(getattr(torch, start))
    inputs, added = [], []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for weight in weights:
            inputs.append(stream)
            added.append(torch.nn.functional.layer_norm(stream, (size,)) @ weight)
            stream = stream + added[-1]
    return inputs, added


@verifier
def residual_stream_keeps_its_type(blocks: int = 4, size: int = 8, seed: int = 0) -> dict[str, int]:
    """Check that under bf16 autocast a residual stream keeps the type of its embeddings, fp32 or bf16.

    Formula: every block adds a product in bf16; fp32 + bf16 is fp32 with four bytes a number, and bf16 +
    bf16 is bf16 with two.
    Unit: check
    Source: definition
    """
    width = {}
    for start in ("float32", "bfloat16"):
        inputs, added = borders(start, blocks, size, seed)
        kinds = {str(x.dtype).removeprefix("torch.") for x in inputs}
        assert kinds == {start}, f"a stream of {start} crosses borders in {', '.join(sorted(kinds))}"
        kinds = {str(x.dtype).removeprefix("torch.") for x in added}
        assert kinds == {"bfloat16"}, f"blocks add {', '.join(sorted(kinds))}"
        (width[start],) = {x.element_size() for x in inputs}
    assert width["float32"] == 2 * width["bfloat16"], f"bytes a number: {width}"
    return {"blocks": blocks, "size": size} | width
