"""Sliding windows: caches that stop growing, layers that alternate, and how far a stack sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments, dtypes, kv_cache, models
from verifiers.cached_attention import Array, attend, masked_attention, problems


def _windowed(model: str, window: int | None, window_layers: int | None) -> tuple[int, int]:
    """Return window and number of layers that have it: the model's own unless given."""
    arch = models.get(model)
    width = arch.window if window is None else window
    layers = arch.window_layers if window_layers is None else window_layers
    if not width or (window_layers is None and not arch.window):
        raise ValueError(f"{model} has no sliding window of its own: give `window` and `window_layers`")
    arguments.counts(window=width)
    arguments.counts(0, window_layers=layers)
    arguments.counts(0, **{"layers without a window": arch.layers - layers})
    return width, layers


@verifier
def nbytes(
    model: str,
    tokens: int,
    dtype: str = "fp16",
    batch: int = 1,
    window: int | None = None,
    window_layers: int | None = None,
) -> int:
    """Bytes of the cache where some layers keep the last `window` tokens only, the newest among them.

    Formula: width · bytes per element · batch · (full layers · T + window layers · min(T, W)).
    Unit: B
    Source: jiang2023, gemma2024
    """
    arguments.counts(0, tokens=tokens, batch=batch)
    reach, local = _windowed(model, window, window_layers)
    kept = (models.get(model).layers - local) * tokens + local * min(tokens, reach)
    return dtypes.nbytes(kv_cache.width(model) * kept * batch, dtype)


@verifier
def saving(model: str, tokens: int, window: int | None = None, window_layers: int | None = None) -> float:
    """Share of the full cache that the windows save.

    Formula: window layers / layers · max(0, 1 − W / T).
    Unit: 1
    Source: jiang2023, gemma2024
    """
    arguments.counts(tokens=tokens)
    kept = nbytes(model, tokens, window=window, window_layers=window_layers)
    return 1 - kept / kv_cache.nbytes(model, tokens)


@verifier
def reach(layers: int, window: int) -> int:
    """Positions, the own included, that can influence a token through a stack of windows.

    Formula: 1 + layers · (window − 1), a window counting the own position.
    Unit: token
    Source: jiang2023
    """
    arguments.counts(layers=layers, window=window)
    return 1 + layers * (window - 1)


@verifier
def score_pairs(tokens: int, window: int) -> int:
    """Causal query-key pairs scored, per head and layer, when a query sees `window` keys at most.

    Formula: T · W − W(W − 1)/2 for T ≥ W, else T(T + 1)/2.
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens, window=window)
    seen = min(tokens, window)
    return tokens * seen - seen * (seen - 1) // 2


def decode_in_ring(q: Array, k: Array, v: Array, window: int) -> Array:
    """Decode step by step with a buffer of `window` rows, each new row written over the oldest."""
    keys, values = np.zeros((2, k.shape[0], window, k.shape[2]))
    rows = []
    for t in range(q.shape[1]):
        keys[:, t % window], values[:, t % window] = k[:, t], v[:, t]
        held = min(t + 1, window)
        rows.append(attend(q[:, t], keys[:, :held], values[:, :held]))
    return np.stack(rows, axis=1)


def compare_with_band(
    decoder: Callable[[Array, Array, Array, int], Array],
    windows: Sequence[int],
    heads: Sequence[int],
    tokens: int,
    width: int,
    tolerance: float,
) -> dict[str, str | float]:
    """Compare a decoder of limited memory with attention under a band mask."""
    for q, k, v in problems(heads, tokens, width):
        for window in windows:
            error = np.abs(decoder(q, k, v, window) - masked_attention(q, k, v, window)).max()
            assert error < tolerance, f"window {window}: differs by {error:.2g}"
    return {"tokens": tokens, "windows": ", ".join(map(str, windows)), "tolerance": tolerance}


@verifier
def ring_buffer_equals_band_mask(
    windows: Sequence[int] = (1, 3, 8, 12, 20),
    heads: Sequence[int] = (4, 2, 1),
    tokens: int = 12,
    width: int = 8,
    tolerance: float = 1e-12,
) -> dict[str, str | float]:
    """Check that a buffer of the window's length gives attention under a band mask, at any length.

    Unit: check
    Source: jiang2023
    """
    return compare_with_band(decode_in_ring, windows, heads, tokens, width, tolerance)


def influence(layers: int, window: int, tokens: int) -> Array:
    """Return which positions reach which through a stack of band masks, as 0 and 1."""
    band = np.tri(tokens) - np.tri(tokens, k=-window)
    reached = np.eye(tokens)
    for _ in range(layers):
        reached = np.minimum(band @ reached, 1)
    return reached


@verifier
def reach_of_stacked_windows(
    shapes: tuple[tuple[int, int], ...] = ((1, 4), (3, 4), (5, 2), (2, 1)), spare: int = 7
) -> dict[str, str]:
    """Check the reach of a stack of windows against the product of their masks.

    Unit: check
    Source: definition
    """
    for layers, window in shapes:
        expected = reach(layers, window)
        last = influence(layers, window, expected + spare)[-1]
        assert last.sum() == expected, f"{layers} windows of {window}: {last.sum():.0f} positions"
    return {"layers and windows": "; ".join(f"{layers}, {window}" for layers, window in shapes)}
