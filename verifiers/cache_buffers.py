"""Buffers that hold a cache: allocated once, appended to, and what goes wrong at their edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, dtypes
from verifiers.attention import softmax
from verifiers.cached_attention import attend

Array = npt.NDArray[np.float64]


@verifier
def layer_nbytes(kv_heads: int, head_dim: int, tokens: int, dtype: str = "fp16", batch: int = 1) -> int:
    """Bytes of one layer's keys and values, for any shape; half of it for the keys alone.

    Formula: 2 · kv_heads · head_dim · tokens · batch · bytes per element.
    Unit: B
    Source: definition
    """
    arguments.counts(kv_heads=kv_heads, head_dim=head_dim)
    arguments.counts(0, tokens=tokens, batch=batch)
    return dtypes.nbytes(2 * kv_heads * head_dim * tokens * batch, dtype)


class Buffer(Protocol):
    """A cache of one layer's rows of shape [batch, heads, 1, width]."""

    def append(self, rows: Array) -> None:
        """Add the next token's rows."""

    def held(self) -> Array:
        """Return all rows so far, [batch, heads, tokens, width]."""


@dataclass(slots=True)
class Preallocated:
    """A cache that allocates the longest length at once."""

    batch: int
    heads: int
    longest: int
    width: int
    length: int = 0
    room: Array = field(init=False)

    def __post_init__(self) -> None:
        self.room = np.zeros((self.batch, self.heads, self.longest, self.width))

    def append(self, rows: Array) -> None:
        """Write the next token's rows; raise IndexError where there is no room left."""
        if self.length == self.longest:
            raise IndexError(f"the cache holds {self.longest} tokens and no more")
        self.room[:, :, self.length : self.length + 1] = rows
        self.length += 1

    def held(self) -> Array:
        """Return the rows written, and no row that was only allocated."""
        return self.room[:, :, : self.length]


def exercise(
    make: Callable[[int, int, int, int], Buffer], shapes: Sequence[tuple[int, int, int, int]]
) -> dict[str, str]:
    """Fill buffers of (batch, heads, longest, width) token by token; then write one token too many."""
    for batch, heads, longest, width in shapes:
        buffer = make(batch, heads, longest, width)
        rows = np.random.default_rng(longest).standard_normal((batch, heads, longest, width))
        for token in range(longest):
            buffer.append(rows[:, :, token : token + 1])
            held = buffer.held()
            assert np.array_equal(held, rows[:, :, : token + 1]), f"{held.shape[2]} rows of {token + 1}"
        try:
            buffer.append(rows[:, :, :1])
        except IndexError:
            continue
        assert buffer.held().shape[2] > longest, "a token beyond the buffer was dropped silently"
    return {"batch, heads, longest, width": "; ".join(", ".join(map(str, shape)) for shape in shapes)}


@verifier
def buffer_returns_what_was_appended(
    shapes: Sequence[tuple[int, int, int, int]] = ((1, 2, 5, 4), (3, 1, 4, 2)),
) -> dict[str, str]:
    """Check that a preallocated cache gives back the rows written, of every batch, and refuses one too many.

    Unit: check
    Source: definition
    """
    return exercise(Preallocated, shapes)


@verifier(tolerance=1e-6)
def unwritten_row_weight(tokens: int, width: int, heads: int = 1, seed: int = 0) -> float:
    """Mean attention weight that a row of zeros draws, read by mistake after `tokens` random keys.

    A key of zeros has score 0 and not −∞, so it takes part in the softmax.

    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens, width=width, heads=heads)
    rng = np.random.default_rng(seed)
    q, keys = rng.standard_normal((heads, width)), rng.standard_normal((heads, tokens, width))
    scores = np.einsum("hd,htd->ht", q, keys) / np.sqrt(width)
    with_zero = np.concatenate([scores, np.zeros((heads, 1))], axis=1)
    return float(softmax(with_zero)[:, -1].mean())


@verifier
def zero_row_changes_the_output(
    tokens: int = 6, width: int = 8, heads: int = 2, seeds: int = 3, least: float = 0.01
) -> dict[str, int | float]:
    """Check that one allocated but unwritten row, read as part of the cache, changes attention's output.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        q = rng.standard_normal((heads, width))
        rows = rng.standard_normal((2, heads, tokens, width))
        longer = np.concatenate([rows, np.zeros((2, heads, 1, width))], axis=2)
        moved = np.abs(attend(q, *longer) - attend(q, *rows)).max()
        assert moved > least, f"seed {seed}: the output moved by {moved:.2g} only"
    return {"tokens": tokens, "width": width, "heads": heads, "seeds": seeds, "least": least}


@verifier
def own_row_is_attended(
    tokens: int = 6, width: int = 8, heads: int = 2, seeds: int = 3, least: float = 0.01
) -> dict[str, int | float]:
    """Check that leaving a token's own key and value out of the cache it attends to changes its output.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        q = rng.standard_normal((heads, width))
        rows = rng.standard_normal((2, heads, tokens, width))
        moved = np.abs(attend(q, *rows) - attend(q, *rows[:, :, :-1])).max()
        assert moved > least, f"seed {seed}: the output moved by {moved:.2g} only"
    return {"tokens": tokens, "width": width, "heads": heads, "seeds": seeds, "least": least}


@verifier
def grouped_heads_must_be_expanded(
    query_heads: int = 64, kv_heads: int = 8, width: int = 16, tokens: int = 5, seed: int = 0
) -> dict[str, int]:
    """Check that query heads do not multiply fewer key heads until each key head is repeated.

    Unit: check
    Source: ainslie2023
    """
    rng = np.random.default_rng(seed)
    q, keys = rng.standard_normal((query_heads, 1, width)), rng.standard_normal((kv_heads, tokens, width))
    try:
        q @ keys.transpose(0, 2, 1)
    except ValueError:
        pass
    else:
        raise AssertionError(f"{query_heads} query heads met {kv_heads} key heads without complaint")
    group, _ = divmod(query_heads, kv_heads)
    scores = q @ np.repeat(keys, group, axis=0).transpose(0, 2, 1)
    grouped = q.reshape(kv_heads, group, width) @ keys.transpose(0, 2, 1)
    assert np.allclose(scores, grouped.reshape(scores.shape)), "wrong head repeated"
    return {"query_heads": query_heads, "kv_heads": kv_heads, "tokens": tokens}
