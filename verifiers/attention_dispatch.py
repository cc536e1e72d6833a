"""What PyTorch's fused attention does with its flags, and when it may be used at all."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers.calculus import agree, listed
from verifiers.masks import visible


@verifier
def causal_flag_means_upper_left(
    queries: tuple[int, ...] = (5, 2, 1),
    keys: int = 5,
    width: int = 8,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, int | float | str]:
    """Check that `is_causal` lets query i see keys up to i, which is no causal mask where queries are cached.

    As many queries as keys: both alignments are the same mask.

    Unit: check
    Source: pytorchsdpa
    """
    import torch

    attention = torch.nn.functional.scaled_dot_product_attention
    for count in queries:
        rng = np.random.default_rng(seed)
        q = torch.from_numpy(rng.standard_normal((count, width)))[None]
        k, v = torch.from_numpy(rng.standard_normal((2, keys, width)))[:, None]
        flagged = attention(q, k, v, is_causal=True)
        masks = {c: torch.from_numpy(visible(count, keys, c)) for c in ("upper-left", "lower-right")}
        outputs = {corner: attention(q, k, v, attn_mask=mask) for corner, mask in masks.items()}
        agree(flagged, outputs["upper-left"], tolerance, "the flagged output")
        gap = float((flagged - outputs["lower-right"]).abs().max())
        assert (gap > tolerance) == (count != keys), f"{count} queries, {keys} keys: the last is misplaced"
    return {"queries": listed(queries), "keys": keys, "tolerance": tolerance}


def flag() -> bool:
    """Return what PyTorch says of its fused flash kernel."""
    import torch

    backends: Any = torch.backends.cuda
    return bool(backends.flash_sdp_enabled())


@verifier
def kernel_flag_tells_a_setting_only() -> dict[str, str]:
    """Check that `flash_sdp_enabled` repeats what was last set, whatever devices there are.

    Unit: check
    Source: pytorchsdpa
    """
    import torch

    before = flag()
    try:
        for setting in (True, False):
            torch.backends.cuda.enable_flash_sdp(setting)
            assert flag() == setting, f"set to {setting}, the flag says otherwise"
    finally:
        torch.backends.cuda.enable_flash_sdp(before)
    return {"settings": "on, off"}


def runs_fused(shape: tuple[int, ...], **options: Any) -> bool:
    """Say whether the fused kernel takes a small problem on the CPU with these options."""
    import torch

    q = torch.ones(shape)
    kernel = torch.nn.attention.SDPBackend.FLASH_ATTENTION
    with torch.nn.attention.sdpa_kernel(kernel), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.nn.functional.scaled_dot_product_attention(q, q, q, **options)
        except RuntimeError:
            return False
    return True


@verifier
def fused_kernel_takes_only_some_calls(
    shape: tuple[int, int, int, int] = (1, 2, 4, 8), dropout: float = 0.1
) -> dict[str, str | float]:
    """Check that PyTorch's fused kernel, on the CPU, refuses dropout and masks that need a gradient.

    Unit: check
    Source: pytorchsdpa
    """
    import torch

    mask = torch.zeros(shape[2], shape[2])
    assert runs_fused(shape), "the fused kernel refuses a plain call"
    assert runs_fused(shape, attn_mask=mask), "the fused kernel refuses a mask"
    assert not runs_fused(shape, dropout_p=dropout), "the fused kernel takes dropout"
    assert not runs_fused(shape, attn_mask=mask.requires_grad_()), "the fused kernel takes a learned mask"
    return {"refused": "dropout, learned mask", "dropout": dropout}
