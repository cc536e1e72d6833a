"""Tiled attention: the online softmax, the tiled forward and the recomputing backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from proofdeck import verifier

Array = npt.NDArray[np.floating]
Streamer = Callable[[Sequence[Array]], tuple[float, float]]
Forward = Callable[[Array, Array, Array, int, int], tuple[Array, Array]]


def online_statistics(blocks: Sequence[Array]) -> tuple[float, float]:
    """Return the maximum m and Σ exp(s - m) of scores that arrive block by block."""
    top, total = -np.inf, 0.0
    for block in blocks:
        higher = max(top, float(block.max()))
        total = total * np.exp(top - higher) + float(np.exp(block - higher).sum())
        top = higher
    return top, total


def guarded_statistics(blocks: Sequence[Array]) -> tuple[float, float]:
    """Return the same, with a reference of zero as long as every score is minus infinity."""
    top, total = -np.inf, 0.0
    for block in blocks:
        higher = max(top, float(block.max()))
        reference = higher if np.isfinite(higher) else 0.0
        total = total * np.exp(top - reference) + float(np.exp(block - reference).sum())
        top = higher
    return top, total


def tiled_forward(q: Array, k: Array, v: Array, rows: int, columns: int) -> tuple[Array, Array]:
    """Attend tile by tile, q [m, d], k and v [n, d]: the output [m, d] and log-sum-exps [m]."""
    output, lse = np.empty_like(q), np.empty(len(q), dtype=q.dtype)
    for i in range(0, len(q), rows):
        tile = q[i : i + rows]
        top = np.full(len(tile), -np.inf, dtype=q.dtype)
        total, acc = np.zeros_like(top), np.zeros_like(tile)
        for j in range(0, len(k), columns):
            scores = tile @ k[j : j + columns].T / np.sqrt(q.dtype.type(q.shape[1]))
            higher = np.maximum(top, scores.max(axis=1))
            weights, rescale = np.exp(scores - higher[:, None]), np.exp(top - higher)
            total = total * rescale + weights.sum(axis=1)
            acc = acc * rescale[:, None] + weights @ v[j : j + columns]
            top = higher
        output[i : i + rows] = acc / total[:, None]
        lse[i : i + rows] = top + np.log(total)
    return output, lse


def tiled_backward(
    saved: tuple[Array, Array, Array, Array, Array], do: Array, rows: int, columns: int
) -> tuple[Array, Array, Array]:
    """Return dq, dk, dv from (q, k, v, output, lse): no weight outlives its tile."""
    q, k, v, output, lse = saved
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    delta = (do * output).sum(axis=1)
    root = np.sqrt(q.shape[1])
    for j in range(0, len(k), columns):
        right = slice(j, j + columns)
        for i in range(0, len(q), rows):
            left = slice(i, i + rows)
            weights = np.exp(q[left] @ k[right].T / root - lse[left, None])
            ds = weights * (do[left] @ v[right].T - delta[left, None]) / root
            dv[right] += weights.T @ do[left]
            dq[left] += ds @ k[right]
            dk[right] += ds.T @ q[left]
    return dq, dk, dv


def direct(q: Array, k: Array, v: Array) -> Array:
    """Attend with the whole score matrix at once."""
    scores = q @ k.T / np.sqrt(q.dtype.type(q.shape[1]))
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True) @ v)


def compare_online(streamer: Streamer) -> dict[str, str | int | float]:
    """Compare statistics of scores up to ±5,000, in blocks of any size and order, with one pass."""
    for seed, sizes in enumerate(((64,), (16, 16, 16, 16), (1, 60, 3), (1,) * 64)):
        rng = np.random.default_rng(seed)
        for order in ("random", "rising", "falling"):
            scores = rng.uniform(-5000, 5000, 64)
            scores = scores if order == "random" else np.sort(scores)[:: 1 if order == "rising" else -1]
            blocks = np.split(scores, np.cumsum(sizes)[:-1])
            top, total = streamer(blocks)
            expected = np.exp(scores - scores.max()).sum()
            assert top == scores.max(), f"maximum {top} is not {scores.max()}"
            assert abs(total - expected) < 1e-12 * expected, f"sum {total} is not {expected}"
    return {"scores": 64, "range": "-5000 to 5000", "orders": 3, "tolerance": 1e-12}


@verifier
def online_softmax_is_exact() -> dict[str, str | int | float]:
    """Check that a running maximum and a rescaled running sum equal those of a second pass.

    Formula: m' = max(m, max s); l' = l · exp(m - m') + Σ exp(s - m').
    Unit: check
    Source: milakov2018
    """
    return compare_online(online_statistics)


def compare_masked(streamer: Streamer) -> dict[str, str | int | float]:
    """Check that masked blocks, scores of minus infinity, first or everywhere, add nothing."""
    block, hidden = np.random.default_rng(0).standard_normal(8), np.full(8, -np.inf)
    expected = np.exp(block - block.max()).sum()
    for blocks, sums in (([hidden, block], expected), ([block, hidden], expected), ([hidden], 0.0)):
        total = streamer(blocks)[1]
        assert abs(total - sums) < 1e-12, f"the sum of masked blocks is {total}, not {sums}"
    return {"block": 8, "masked": "first, last, all", "tolerance": 1e-12}


@verifier
def masked_start_needs_a_guard() -> dict[str, str | int | float]:
    """Check that the plain update of a masked first block is not a number, and a guarded one right.

    Formula: exp(-inf - (-inf)) is not a number.
    Unit: check
    Source: definition
    """
    with np.errstate(invalid="ignore"):
        _, total = online_statistics([np.full(8, -np.inf), np.zeros(8)])
    assert np.isnan(total), f"the plain update gives {total}"
    return compare_masked(guarded_statistics)


def problems() -> Iterator[tuple[tuple[Array, Array, Array], int, int]]:
    """Yield q, k, v and tile sizes, some of which do not divide the lengths."""
    for seed, (m, n, rows, columns) in enumerate(((32, 32, 8, 8), (20, 33, 7, 5), (9, 40, 9, 40))):
        rng = np.random.default_rng(seed)
        q = 3 * rng.standard_normal((m, 16))
        k, v = rng.standard_normal((2, n, 16))
        yield (q, k, v), rows, columns


def compare_forward(forward: Forward) -> dict[str, str | float]:
    """Compare a tiled forward with attention over the whole score matrix."""
    for (q, k, v), rows, columns in problems():
        error = np.abs(forward(q, k, v, rows, columns)[0] - direct(q, k, v)).max()
        assert error < 1e-12, f"{rows}x{columns} tiles: the output is off by {error:.2g}"
    return {"tiles": "8x8, 7x5, 9x40", "tolerance": 1e-12}


@verifier
def tiled_forward_is_exact() -> dict[str, str | float]:
    """Check tiled attention in float64 against attention over the whole score matrix.

    Unit: check
    Source: dao2022
    """
    return compare_forward(tiled_forward)


@verifier
def tiling_changes_the_last_bits() -> dict[str, str | int | float]:
    """Check that float32 outputs of tiled and direct attention are close, and most not identical.

    Unit: check
    Source: definition
    """
    q, k, v = np.random.default_rng(0).standard_normal((3, 256, 64)).astype(np.float32)
    tiled, whole = tiled_forward(q, k, v, 64, 64)[0], direct(q, k, v)
    assert np.allclose(tiled, whole, rtol=0, atol=1e-5), "the outputs are far apart"
    assert (tiled != whole).mean() > 0.5, "most outputs are the same bit for bit"
    return {"tokens": 256, "tiles": "64x64", "dtype": "float32", "tolerance": 1e-5}


def compare_backward(
    backward: Callable[..., tuple[Array, Array, Array]],
) -> dict[str, str | float]:
    """Compare a backward, given only q, k, v, output and log-sum-exps, with autograd."""
    import torch

    for (q, k, v), rows, columns in problems():
        do = np.random.default_rng(7).standard_normal(q.shape)
        saved = (q, k, v, *tiled_forward(q, k, v, rows, columns))
        leaves = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
        weights = torch.softmax(leaves[0] @ leaves[1].T / 4.0, dim=1)
        exact = torch.autograd.grad(weights @ leaves[2], leaves, torch.from_numpy(do))
        got = backward(saved, do, rows, columns)
        for name, ours, theirs in zip(("dQ", "dK", "dV"), got, exact, strict=True):
            error = np.abs(ours - theirs.numpy()).max()
            assert error < 1e-11, f"{rows}x{columns} tiles: {name} is off by {error:.2g}"
    return {"tiles": "8x8, 7x5, 9x40", "tolerance": 1e-11}


@verifier
def tiled_backward_is_exact() -> dict[str, str | float]:
    """Check the gradients rebuilt tile by tile from Q, K, V, O and log-sum-exps against autograd.

    Unit: check
    Source: dao2022
    """
    return compare_backward(tiled_backward)
