"""Independent ways to the claims of verifiers/flash_attention.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import flash_attention


@witnesses("flash_attention.online_softmax_is_exact")
def test_statistics_equal_logsumexp_of_scipy_and_breaks_are_caught() -> None:
    special = pytest.importorskip("scipy.special")
    scores = np.random.default_rng(0).uniform(-800, 800, 100)
    top, total = flash_attention.online_statistics(np.split(scores, 10))
    assert top + np.log(total) == pytest.approx(special.logsumexp(scores), rel=1e-14)

    def never_rescales(blocks: list[np.ndarray]) -> tuple[float, float]:
        top, total = -np.inf, 0.0
        for block in blocks:
            top = max(top, block.max())
            total += np.exp(block - top).sum()
        return top, total

    with pytest.raises(AssertionError, match="sum"):
        flash_attention.compare_online(never_rescales)


@witnesses("flash_attention.masked_start_needs_a_guard")
def test_torch_gives_nothing_a_number_where_all_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    hidden = torch.full((4,), -torch.inf)
    assert torch.isnan(torch.exp(hidden.max() - hidden.max()))
    assert torch.isnan(torch.softmax(hidden, 0)).all()
    scores = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    expected = torch.logsumexp(torch.cat([hidden.double(), scores]), 0).item()
    top, total = flash_attention.guarded_statistics([hidden.double().numpy(), scores.numpy()])
    assert top + np.log(total) == pytest.approx(expected, rel=1e-14)
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match="nan"):
        flash_attention.compare_masked(flash_attention.online_statistics)
    guarded = flash_attention.guarded_statistics
    monkeypatch.setattr(flash_attention, "online_statistics", guarded)
    with pytest.raises(AssertionError, match="plain update"):
        flash_attention.masked_start_needs_a_guard()


@witnesses("flash_attention.tiled_forward_is_exact")
def test_tiled_forward_equals_torch_and_a_stale_accumulator_is_caught() -> None:
    torch = pytest.importorskip("torch")
    for (q, k, v), rows, columns in flash_attention.problems():
        tensors = [torch.from_numpy(a)[None] for a in (q, k, v)]
        expected = torch.nn.functional.scaled_dot_product_attention(*tensors)[0].numpy()
        output, lse = flash_attention.tiled_forward(q, k, v, rows, columns)
        assert np.allclose(output, expected, atol=1e-12)
        scores = tensors[0][0] @ tensors[1][0].T / q.shape[1] ** 0.5
        assert np.allclose(lse, torch.logsumexp(scores, 1).numpy(), atol=1e-12)

    def averages_tiles(
        q: np.ndarray, k: np.ndarray, v: np.ndarray, rows: int, columns: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Softmax each tile by itself and average: what forgets to rescale amounts to."""
        parts = [
            flash_attention.direct(q, k[j : j + columns], v[j : j + columns])
            for j in range(0, len(k), columns)
        ]
        return np.mean(parts, axis=0), np.zeros(len(q))

    with pytest.raises(AssertionError, match="off by"):
        flash_attention.compare_forward(averages_tiles)


@witnesses("flash_attention.tiling_changes_the_last_bits")
def test_fused_and_plain_attention_of_torch_differ_in_the_last_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = torch.randn(3, 1, 2, 256, 64, generator=torch.Generator().manual_seed(0))
    fused = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    plain = torch.softmax(q @ k.mT / 8, -1) @ v
    assert torch.allclose(fused, plain, rtol=0, atol=1e-5)
    assert (fused != plain).double().mean() > 0.5

    def whole(q: np.ndarray, k: np.ndarray, v: np.ndarray, rows: int, columns: int) -> tuple:
        return flash_attention.direct(q, k, v), None

    monkeypatch.setattr(flash_attention, "tiled_forward", whole)
    with pytest.raises(AssertionError, match="bit for bit"):
        flash_attention.tiling_changes_the_last_bits()


@witnesses("flash_attention.tiled_backward_is_exact")
def test_tiled_backward_equals_fused_attention_of_torch_and_breaks_are_caught() -> None:
    torch = pytest.importorskip("torch")
    for (q, k, v), rows, columns in flash_attention.problems():
        do = np.random.default_rng(3).standard_normal(q.shape)
        leaves = [torch.from_numpy(a)[None].requires_grad_() for a in (q, k, v)]
        output = torch.nn.functional.scaled_dot_product_attention(*leaves)
        exact = torch.autograd.grad(output, leaves, torch.from_numpy(do)[None])
        saved = (q, k, v, *flash_attention.tiled_forward(q, k, v, rows, columns))
        got = flash_attention.tiled_backward(saved, do, rows, columns)
        for ours, theirs in zip(got, exact, strict=True):
            assert np.allclose(ours, theirs[0].numpy(), atol=1e-11)

    def keeps_only_the_maximum(saved: tuple, do: np.ndarray, rows: int, columns: int) -> tuple:
        """Give the row maximum where the log-sum-exp belongs."""
        q, k, v, output, _lse = saved
        top = (q @ k.T / np.sqrt(q.shape[1])).max(axis=1)
        return flash_attention.tiled_backward((q, k, v, output, top), do, rows, columns)

    with pytest.raises(AssertionError, match="off by"):
        flash_attention.compare_backward(keeps_only_the_maximum)
