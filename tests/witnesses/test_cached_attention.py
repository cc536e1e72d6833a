"""The attention on small arrays behind the checks of caches, against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from verifiers import cached_attention

SHAPES = ((4, 2, 1), 12, 8)


def test_problems_have_a_query_head_for_every_group() -> None:
    found = [tuple(array.shape for array in problem) for problem in cached_attention.problems((6, 2), 5, 3)]
    assert found == [((6, 5, 3), (6, 5, 3), (6, 5, 3)), ((6, 5, 3), (2, 5, 3), (2, 5, 3))]
    first, second = (q for q, _, _ in cached_attention.problems((2, 2), 5, 3))
    assert not np.allclose(first, second)


@pytest.mark.parametrize("window", [None, 1, 4, 12, 30])
def test_masked_attention_equals_that_of_torch(window: int | None) -> None:
    torch = pytest.importorskip("torch")
    for q, k, v in cached_attention.problems(*SHAPES):
        rows = torch.arange(12)
        behind = rows[:, None] - rows
        seen = (behind >= 0) & (behind < (window or 12))
        expected = torch.nn.functional.scaled_dot_product_attention(
            *(torch.from_numpy(a)[None] for a in (q, k, v)), attn_mask=seen, enable_gqa=True
        )[0].numpy()
        assert np.allclose(cached_attention.masked_attention(q, k, v, window), expected, atol=1e-12)
        if window is None:
            assert np.allclose(cached_attention.causal_attention(q, k, v), expected, atol=1e-12)
            assert np.allclose(cached_attention.decode(q, k, v), expected, atol=1e-12)
            assert np.allclose(cached_attention.last_row(q, k, v), expected[:, -1], atol=1e-12)
            last = cached_attention.attend(q[:, -1], k, v)
            assert np.allclose(last, expected[:, -1], atol=1e-12)
