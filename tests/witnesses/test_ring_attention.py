"""Independent ways to the claim of verifiers/ring_attention.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import ring_attention


@witnesses("ring_attention.blocks_of_keys_merge_in_any_order")
def test_merged_halves_equal_fused_attention_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, 1, 6, 8, generator=generator)
    k, v = torch.randn(2, 1, 1, 20, 8, generator=generator)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    parts = []
    for place in (slice(13, 20), slice(0, 13)):
        output, lse = kernel(q, k[:, :, place], v[:, :, place])
        parts.append((output[0, 0].numpy(), lse.reshape(-1).numpy()))
    whole, lse = kernel(q, k, v)
    merged = ring_attention.merge(*parts)
    assert np.allclose(merged[0], whole[0, 0].numpy(), atol=1e-6)
    assert np.allclose(merged[1], lse.reshape(-1).numpy(), atol=1e-6)
    tried = ring_attention.blocks_of_keys_merge_in_any_order(blocks=3, tokens=10, seeds=1)
    assert (tried["blocks"], tried["tokens"], tried["seeds"]) == (3, 10, 1)
    right, joined = ring_attention.merge, []

    def counted(*parts: tuple) -> tuple:
        joined.append(len(parts))
        return right(*parts)

    monkeypatch.setattr(ring_attention, "merge", counted)
    ring_attention.blocks_of_keys_merge_in_any_order(blocks=5, seeds=2)
    assert joined == [2] * 8

    def averages(first: tuple, second: tuple) -> tuple:
        return (first[0] + second[0]) / 2, np.logaddexp(first[1], second[1])

    monkeypatch.setattr(ring_attention, "merge", averages)
    with pytest.raises(AssertionError, match="the output"):
        ring_attention.blocks_of_keys_merge_in_any_order()
