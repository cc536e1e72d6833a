"""Witnesses of `verifiers/nan_paths.py`: PyTorch's own operations, and sums that skip what is masked."""

from __future__ import annotations

import math
from collections.abc import Callable

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


def test_large_scores_do_not_overflow() -> None:
    q = 30 * torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert (q[0] @ q[1].T).abs().max() > 800
    values = torch.eye(5, dtype=torch.float64)
    theirs = torch.nn.functional.scaled_dot_product_attention(q[:1], q[1:], values[None], is_causal=True)[0]
    ours, _ = nan_paths.attend(q[0].numpy(), q[1].numpy(), values.numpy())
    assert np.allclose(ours, theirs.numpy(), atol=1e-12)


def change_attention(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Array, Array], tuple[Array, Array]]
) -> None:
    honest = nan_paths.attend
    monkeypatch.setattr(nan_paths, "attend", lambda *parts: change(*honest(*parts)))


def test_a_softmax_over_the_past_alone_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether masked places of a spoilt row hold NaN or zero depends on the implementation."""
    change_attention(monkeypatch, lambda out, weights: (out, np.tril(weights)))
    nan_paths.masked_weights_let_nan_through()


def clean_row(out: Array, weights: Array) -> tuple[Array, Array]:
    weights[4] = 0.2
    return out, weights


def leaked_weight(out: Array, weights: Array) -> tuple[Array, Array]:
    weights[1, 3] = 1e-300
    return out, weights


def row_spoilt_anyway(out: Array, weights: Array) -> tuple[Array, Array]:
    out[1] = np.nan
    return out, weights


@pytest.mark.parametrize(
    "change, message",
    [
        (clean_row, "clean weights"),
        (leaked_weight, "gives the masked token a weight"),
        (row_spoilt_anyway, "for another reason"),
    ],
)
def test_one_wrong_row_is_enough_to_fail(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Array, Array], tuple[Array, Array]], message: str
) -> None:
    change_attention(monkeypatch, change)
    with pytest.raises(AssertionError, match=message):
        nan_paths.masked_weights_let_nan_through(tokens=6, bad=3)


def test_the_last_token_may_be_the_bad_one_and_the_first_may_not() -> None:
    assert nan_paths.masked_weights_let_nan_through(tokens=4, bad=3)["bad"] == 3
    for bad, name in ((0, "bad"), (4, "tokens − bad")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            nan_paths.masked_weights_let_nan_through(tokens=4, bad=bad)
