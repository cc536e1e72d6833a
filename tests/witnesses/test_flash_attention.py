"""Independent ways to the claims of verifiers/flash_attention.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import flash_attention

TILES = ((32, 32, 8, 8), (20, 33, 7, 5), (9, 40, 9, 40))
Statistics = tuple[float, float]


@witnesses("flash_attention.online_softmax_is_exact")
def test_statistics_equal_logsumexp_of_scipy_and_breaks_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    special = pytest.importorskip("scipy.special")
    scores = np.random.default_rng(0).uniform(-800, 800, 100)
    top, total = flash_attention.online_statistics(np.split(scores, 10))
    assert top == scores.max()
    assert top + np.log(total) == pytest.approx(special.logsumexp(scores), rel=1e-14)
    tried = flash_attention.online_softmax_is_exact(scores=30, bound=20)
    assert tried == {"scores": 30, "range": "-20 to 20", "orders": 3, "tolerance": 1e-12}
    right = flash_attention.online_statistics
    seen: list[np.ndarray] = []

    def spy(blocks: list[np.ndarray]) -> Statistics:
        seen.append(np.concatenate(blocks))
        return right(blocks)

    monkeypatch.setattr(flash_attention, "online_statistics", spy)
    flash_attention.online_softmax_is_exact()
    assert all(len(arranged) == 64 for arranged in seen)
    assert (seen[0] >= -5000).all() and (seen[0] < -4000).any() and (seen[0] > 4000).any()
    rising = [bool((np.diff(arranged) > 0).all()) for arranged in seen]
    falling = [bool((np.diff(arranged) < 0).all()) for arranged in seen]
    assert rising == [False] * 4 + [True] * 4 + [False] * 4
    assert falling == [False] * 8 + [True] * 4

    def never_rescales(blocks: list[np.ndarray]) -> Statistics:
        top, total = -np.inf, 0.0
        for block in blocks:
            top = max(top, block.max())
            total += np.exp(block - top).sum()
        return top, total

    def misses_the_maximum(blocks: list[np.ndarray]) -> Statistics:
        top, total = right(blocks)
        return top + 1, total

    for message, broken in {"the sum": never_rescales, "maximum": misses_the_maximum}.items():
        monkeypatch.setattr(flash_attention, "online_statistics", broken)
        with pytest.raises(AssertionError, match=message):
            flash_attention.online_softmax_is_exact()


@witnesses("flash_attention.plain_exponentials_overflow")
def test_exponentials_of_torch_overflow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([1000.0, 1001.0], dtype=torch.float64)
    plain = torch.exp(scores)
    assert torch.isnan(plain / plain.sum()).all()
    assert torch.softmax(scores, 0).sum() == 1
    top, total = flash_attention.online_statistics(list(scores.numpy()[:, None]))
    assert np.allclose(np.exp(scores.numpy() - top) / total, torch.softmax(scores, 0).numpy())
    flash_attention.plain_exponentials_overflow()
    assert flash_attention.plain_exponentials_overflow((-5.0, 800.0)) == {
        "scores": "-5, 800",
        "tolerance": 1e-15,
    }
    with pytest.raises(AssertionError, match="plain softmax"):
        flash_attention.plain_exponentials_overflow((1.0, 2.0))
    monkeypatch.setattr(flash_attention, "online_statistics", lambda blocks: (1001.0, 1.0))
    with pytest.raises(AssertionError, match="sum of weights"):
        flash_attention.plain_exponentials_overflow()


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
    blocks = list(scores.numpy()[:, None])
    assert flash_attention.guarded_statistics(blocks) == flash_attention.online_statistics(blocks)
    flash_attention.masked_start_needs_a_guard()
    assert flash_attention.masked_start_needs_a_guard(size=3)["block"] == 3
    guarded, plain = flash_attention.guarded_statistics, flash_attention.online_statistics
    monkeypatch.setattr(flash_attention, "online_statistics", guarded)
    with pytest.raises(AssertionError, match="plain update"):
        flash_attention.masked_start_needs_a_guard()
    monkeypatch.setattr(flash_attention, "online_statistics", plain)
    broken = {
        "masked first": plain,
        "masked last": lambda blocks: (0.0, guarded(blocks)[1] + 1e-9 * np.isinf(blocks[-1][0])),
        "masked all": lambda blocks: (0.0, guarded(blocks)[1] + 1e-9 * (len(blocks) == 1)),
    }
    for message, function in broken.items():
        monkeypatch.setattr(flash_attention, "guarded_statistics", function)
        with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match=message):
            flash_attention.masked_start_needs_a_guard()


def test_problems_have_the_sizes_and_the_spread_asked_for() -> None:
    for (m, n, rows, columns), problem in zip(TILES, flash_attention.problems(TILES, 160, 3), strict=True):
        (q, k, v, do), *tile = problem
        assert tile == [rows, columns]
        assert [a.shape for a in (q, k, v, do)] == [(m, 160), (n, 160), (n, 160), (m, 160)]
        assert [a.std() for a in (q, k, v, do)] == pytest.approx([3, 1, 1, 3], rel=0.1)


@witnesses("flash_attention.tiled_forward_is_exact")
def test_tiled_forward_equals_torch_and_a_stale_accumulator_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    for (q, k, v, _do), rows, columns in flash_attention.problems(TILES, 16, 3):
        tensors = [torch.from_numpy(a)[None] for a in (q, k, v)]
        expected = torch.nn.functional.scaled_dot_product_attention(*tensors)[0].numpy()
        output, lse = flash_attention.tiled_forward(q, k, v, rows, columns)
        assert np.allclose(output, expected, atol=1e-12)
        assert np.allclose(flash_attention.direct(q, k, v), expected, atol=1e-12)
        scores = tensors[0][0] @ tensors[1][0].T / q.shape[1] ** 0.5
        assert np.allclose(lse, torch.logsumexp(scores, 1).numpy(), atol=1e-12)
        huge = torch.nn.functional.scaled_dot_product_attention(1000 * tensors[0], *tensors[1:])[0].numpy()
        assert np.allclose(flash_attention.tiled_forward(1000 * q, k, v, rows, columns)[0], huge, atol=1e-9)
        assert np.allclose(flash_attention.direct(1000 * q, k, v), huge, atol=1e-9)
    flash_attention.tiled_forward_is_exact()
    tried = flash_attention.tiled_forward_is_exact(tiles=((4, 6, 3, 5),), width=2)
    assert tried == {"tiles": "3x5", "tolerance": 1e-12}

    def averages_tiles(
        q: np.ndarray, k: np.ndarray, v: np.ndarray, rows: int, columns: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Softmax each tile by itself and average: what forgets to rescale amounts to."""
        parts = [
            flash_attention.direct(q, k[j : j + columns], v[j : j + columns])
            for j in range(0, len(k), columns)
        ]
        return np.mean(parts, axis=0), np.zeros(len(q))

    monkeypatch.setattr(flash_attention, "tiled_forward", averages_tiles)
    with pytest.raises(AssertionError, match="off by"):
        flash_attention.tiled_forward_is_exact()


def test_forward_holds_no_more_than_one_tile_of_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    exp = np.exp

    def weigh(array: np.ndarray) -> np.ndarray:
        sizes.append(np.size(array))
        return exp(array)

    q, k, v = np.random.default_rng(0).standard_normal((3, 64, 4))
    monkeypatch.setattr(flash_attention.np, "exp", weigh)
    flash_attention.tiled_forward(q, k, v, 16, 8)
    assert max(sizes) == 16 * 8
    assert len(sizes) == 2 * 4 * 8


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
    tried = flash_attention.tiling_changes_the_last_bits(tokens=100, width=16, tile=32)
    assert (tried["tokens"], tried["tiles"]) == (100, "32x32")
    right = flash_attention.tiled_forward

    def whole(q: np.ndarray, k: np.ndarray, v: np.ndarray, rows: int, columns: int) -> tuple:
        assert rows == columns == 64
        return flash_attention.direct(q, k, v), None

    def half(q: np.ndarray, k: np.ndarray, v: np.ndarray, rows: int, columns: int) -> tuple:
        output = flash_attention.direct(q, k, v)
        output[::2] = np.nextafter(output[::2], np.float32(9))
        return output, None

    def far(*problem: np.ndarray) -> tuple:
        return right(*problem)[0] + np.float32(1e-4), None

    for message, broken in {"the same bit for bit": half, "same bit": whole, "off by": far}.items():
        monkeypatch.setattr(flash_attention, "tiled_forward", broken)
        with pytest.raises(AssertionError, match=message):
            flash_attention.tiling_changes_the_last_bits()


@witnesses("flash_attention.tiled_backward_is_exact")
def test_tiled_backward_equals_fused_attention_of_torch_and_breaks_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    for (q, k, v, do), rows, columns in flash_attention.problems(TILES, 16, 1):
        leaves = [torch.from_numpy(a)[None].requires_grad_() for a in (q, k, v)]
        output = torch.nn.functional.scaled_dot_product_attention(*leaves)
        exact = torch.autograd.grad(output, leaves, torch.from_numpy(do)[None])
        saved = (q, k, v, *flash_attention.tiled_forward(q, k, v, rows, columns))
        got = flash_attention.tiled_backward(saved, do, rows, columns)
        for ours, theirs in zip(got, exact, strict=True):
            assert np.allclose(ours, theirs[0].numpy(), atol=1e-11)
    flash_attention.tiled_backward_is_exact()
    tried = flash_attention.tiled_backward_is_exact(tiles=((4, 6, 3, 5),), width=2)
    assert tried == {"tiles": "3x5", "tolerance": 1e-11}
    right = flash_attention.tiled_backward

    def keeps_only_the_maximum(saved: tuple, do: np.ndarray, rows: int, columns: int) -> tuple:
        """Give the row maximum where the log-sum-exp belongs."""
        q, k, v, output, _lse = saved
        top = (q @ k.T / np.sqrt(q.shape[1])).max(axis=1)
        return right((q, k, v, output, top), do, rows, columns)

    monkeypatch.setattr(flash_attention, "tiled_backward", keeps_only_the_maximum)
    with pytest.raises(AssertionError, match="off by"):
        flash_attention.tiled_backward_is_exact()
