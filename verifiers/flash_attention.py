"""Tiled attention: the online softmax, the tiled forward and the recomputing backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers.calculus import agree, listed

Array = npt.NDArray[np.floating]
Tiles = tuple[tuple[int, int, int, int], ...]
"""Queries, keys, and rows and columns of a tile; some do not divide the lengths."""


def online_statistics(blocks: Sequence[Array]) -> tuple[float, float]:
    """Return the maximum m and Σ exp(s - m) of scores that arrive block by block."""
    top, total = -np.inf, 0.0
    for block in blocks:
        higher = max(top, float(block.max()))
        total = total * np.exp(top - higher) + float(np.exp(block - higher).sum())
        top = higher
    return top, total


def guarded_statistics(blocks: Sequence[Array]) -> tuple[float, float]:
    """Return the same, with the lowest number to subtract as long as every score is minus infinity."""
    top, total = -np.inf, 0.0
    for block in blocks:
        higher = max(top, float(block.max()))
        reference = max(higher, float(np.finfo(float).min))
        total = total * np.exp(top - reference) + float(np.exp(block - reference).sum())
        top = higher
    return top, total


def tiled_forward(q: Array, k: Array, v: Array, rows: int, columns: int) -> tuple[Array, Array]:
    """Attend tile by tile, q [m, d], k and v [n, d]: the output [m, d] and log-sum-exps [m]."""
    output, lse = np.empty_like(q), np.empty(len(q), dtype=q.dtype)
    root = np.sqrt(q.dtype.type(q.shape[1]))
    for i in range(0, len(q), rows):
        tile = q[i : i + rows]
        top = np.full(len(tile), -np.inf, dtype=q.dtype)
        total, acc = np.zeros_like(top), np.zeros_like(tile)
        for j in range(0, len(k), columns):
            scores = tile @ k[j : j + columns].T / root
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


@verifier
def online_softmax_is_exact(
    scores: int = 64,
    bound: float = 5000,
    block_sizes: tuple[int, ...] = (1, 3, 16, 64),
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, str | int | float]:
    """Check that a running maximum and a rescaled running sum equal those of a second pass.

    Formula: m' = max(m, max s); l' = l · exp(m - m') + Σ exp(s - m').
    Unit: check
    Source: milakov2018
    """
    drawn = np.random.default_rng(seed).uniform(-bound, bound, scores)
    orders = (drawn, np.sort(drawn), np.sort(drawn)[::-1])
    for arranged in orders:
        for size in block_sizes:
            top, total = online_statistics([arranged[j : j + size] for j in range(0, scores, size)])
            assert top == drawn.max(), f"maximum {top} is not {drawn.max()}"
            agree(total, np.exp(drawn - top).sum(), tolerance, "the sum")
    return {
        "scores": scores,
        "range": f"-{bound:g} to {bound:g}",
        "orders": len(orders),
        "tolerance": tolerance,
    }


@verifier
def plain_exponentials_overflow(
    scores: tuple[float, ...] = (1000.0, 1001.0), tolerance: float = 1e-15
) -> dict[str, str | float]:
    """Check that exponentials of these scores overflow, and those of their distances to the top do not.

    Unit: check
    Source: milakov2018
    """
    row = np.array(scores)
    with np.errstate(over="ignore", invalid="ignore"):
        plain = np.exp(row) / np.exp(row).sum()
    assert np.isnan(plain).any(), f"the plain softmax gives {plain}"
    top, total = online_statistics(list(row[:, None]))
    agree((np.exp(row - top) / total).sum(), 1, tolerance, "the sum of weights")
    return {"scores": listed(scores), "tolerance": tolerance}


@verifier
def masked_start_needs_a_guard(
    size: int = 8, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, str | int | float]:
    """Check that the plain update of a masked first block is not a number, and a guarded one right.

    Formula: exp(-inf - (-inf)) is not a number.
    Unit: check
    Source: definition
    """
    block, hidden = np.random.default_rng(seed).standard_normal(size), np.full(size, -np.inf)
    with np.errstate(invalid="ignore"):
        _, total = online_statistics([hidden, block])
    assert np.isnan(total), f"the plain update gives {total}"
    expected = np.exp(block - block.max()).sum()
    cases = {"first": [hidden, block], "last": [block, hidden], "all": [hidden]}
    for name, blocks in cases.items():
        total = guarded_statistics(blocks)[1]
        agree(total, expected * (name != "all"), tolerance, f"masked {name}: the sum")
    return {"block": size, "masked": ", ".join(cases), "tolerance": tolerance}


def problems(tiles: Tiles, width: int, spread: float) -> Iterator[tuple[tuple[Array, ...], int, int]]:
    """Yield q [m, d], k, v [n, d], do [m, d] and the sizes of a tile."""
    for seed, (m, n, rows, columns) in enumerate(tiles):
        rng = np.random.default_rng(seed)
        q, do = spread * rng.standard_normal((2, m, width))
        k, v = rng.standard_normal((2, n, width))
        yield (q, k, v, do), rows, columns


def sizes(tiles: Tiles) -> str:
    """Write the tiles as 8x8, 7x5."""
    return ", ".join(f"{rows}x{columns}" for _m, _n, rows, columns in tiles)


@verifier
def tiled_forward_is_exact(
    tiles: Tiles = ((32, 32, 8, 8), (20, 33, 7, 5), (9, 40, 9, 40)),
    width: int = 16,
    spread: float = 3,
    tolerance: float = 1e-12,
) -> dict[str, str | float]:
    """Check tiled attention in float64 against attention over the whole score matrix.

    Unit: check
    Source: dao2022
    """
    for (q, k, v, _do), rows, columns in problems(tiles, width, spread):
        output = tiled_forward(q, k, v, rows, columns)[0]
        agree(output, direct(q, k, v), tolerance, f"{rows}x{columns} tiles: the output")
    return {"tiles": sizes(tiles), "tolerance": tolerance}


@verifier
def tiling_changes_the_last_bits(
    tokens: int = 256,
    width: int = 64,
    tile: int = 64,
    least: float = 0.5,
    seed: int = 0,
    tolerance: float = 1e-5,
) -> dict[str, str | int | float]:
    """Check that float32 outputs of tiled and direct attention are close, and most not identical.

    Unit: check
    Source: definition
    """
    q, k, v = np.random.default_rng(seed).standard_normal((3, tokens, width)).astype(np.float32)
    tiled, whole = tiled_forward(q, k, v, tile, tile)[0], direct(q, k, v)
    agree(tiled, whole, tolerance, "the output")
    assert (tiled != whole).mean() > least, "most outputs are the same bit for bit"
    return {"tokens": tokens, "tiles": f"{tile}x{tile}", "dtype": "float32", "tolerance": tolerance}


@verifier
def tiled_backward_is_exact(
    tiles: Tiles = ((32, 32, 8, 8), (20, 33, 7, 5), (9, 40, 9, 40)),
    width: int = 16,
    spread: float = 3,
    tolerance: float = 1e-11,
) -> dict[str, str | float]:
    """Check the gradients rebuilt tile by tile from Q, K, V, O and log-sum-exps against autograd.

    Unit: check
    Source: dao2022
    """
    import torch

    for (q, k, v, do), rows, columns in problems(tiles, width, spread):
        saved = (q, k, v, *tiled_forward(q, k, v, rows, columns))
        leaves = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
        weights = torch.softmax(leaves[0] @ leaves[1].T / width**0.5, dim=1)
        exact = torch.autograd.grad(weights @ leaves[2], leaves, torch.from_numpy(do))
        got = tiled_backward(saved, do, rows, columns)
        for index, name in enumerate(("dQ", "dK", "dV")):
            agree(got[index], exact[index].numpy(), tolerance, f"{rows}x{columns} tiles: {name}")
    return {"tiles": sizes(tiles), "tolerance": tolerance}
