"""Witnesses of `verifiers/nan_paths.py`: PyTorch's own operations, and sums that skip what is masked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import nan_paths
from verifiers.calculus import Array

torch = pytest.importorskip("torch")


@witnesses("nan_paths.masked_weights_let_nan_through")
def test_pytorch_spoils_the_same_rows() -> None:
    assert nan_paths.masked_weights_let_nan_through()["tokens"] == 6
    generator = torch.Generator().manual_seed(3)
    q, k, v = torch.randn(3, 5, 2, generator=generator)
    clean = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    ours, _ = nan_paths.attend(q.numpy(), k.numpy(), v.numpy())
    assert np.allclose(ours, clean.numpy(), atol=1e-6)
    for part in (q, k, v):
        part[4] = math.nan
    scores = (q @ k.T / math.sqrt(2)).masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf)
    assert (torch.softmax(scores, dim=1) @ v).isnan().all()


def test_attention_that_skips_masked_products_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = nan_paths.attend

    def skipping(queries: Array, keys: Array, values: Array) -> tuple[Array, Array]:
        _, weights = honest(queries, keys, values)
        rows = [weights[i, : i + 1] @ values[: i + 1] for i in range(len(values))]
        return np.array(rows), weights

    monkeypatch.setattr(nan_paths, "attend", skipping)
    with pytest.raises(AssertionError, match="3 rows stayed clean"):
        nan_paths.masked_weights_let_nan_through()


def test_the_last_token_may_be_the_bad_one_and_the_first_may_not() -> None:
    assert nan_paths.masked_weights_let_nan_through(tokens=4, bad=3)["bad"] == 3
    with pytest.raises(ValueError, match="bad"):
        nan_paths.masked_weights_let_nan_through(tokens=4, bad=0)
