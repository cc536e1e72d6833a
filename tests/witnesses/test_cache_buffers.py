"""Independent ways to the numbers of verifiers/cache_buffers.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import cache_buffers
from verifiers.cache_buffers import Preallocated


@witnesses("cache_buffers.layer_nbytes")
def test_bytes_equal_those_of_two_tensors() -> None:
    torch = pytest.importorskip("torch")
    for kv_heads, width, tokens, batch in ((32, 128, 4096, 1), (1, 64, 5, 3)):
        shape = (batch, kv_heads, tokens, width)
        keys, values = (torch.empty(shape, dtype=torch.float16, device="meta") for _ in "kv")
        found = cache_buffers.layer_nbytes(kv_heads, width, tokens, "fp16", batch)
        assert found == keys.nbytes + values.nbytes
        assert cache_buffers.layer_nbytes(kv_heads, width, tokens) * batch == found
    assert cache_buffers.layer_nbytes(1, 1, 0) == cache_buffers.layer_nbytes(1, 1, 1, batch=0) == 0


class Growing:
    """Another cache: concatenates, as transformers does, and never ends."""

    def __init__(self, batch: int, heads: int, longest: int, width: int) -> None:
        self.rows = np.zeros((batch, heads, 0, width))

    def append(self, rows: np.ndarray) -> None:
        self.rows = np.concatenate([self.rows, rows], axis=2)

    def held(self) -> np.ndarray:
        return self.rows


class OneTooMany(Preallocated):
    """Reads one row beyond those written."""

    def held(self) -> np.ndarray:
        return self.room[:, :, : self.length + 1]


class Silent(Preallocated):
    """Assigns the row beyond its end to an empty slice."""

    def append(self, rows: np.ndarray) -> None:
        self.room[:, :, self.length : self.length + 1] = rows[:, :, : self.longest - self.length]
        self.length += self.length < self.longest


class OneBatch(Preallocated):
    """Allocates room for the first sequence only."""

    def held(self) -> np.ndarray:
        return self.room[:1, :, : self.length]


SHAPES = ((1, 2, 5, 4), (3, 1, 4, 2))


@witnesses("cache_buffers.buffer_returns_what_was_appended")
def test_broken_buffers_are_caught_and_a_growing_one_is_not() -> None:
    tried = {"batch, heads, longest, width": "1, 2, 5, 4; 3, 1, 4, 2"}
    assert cache_buffers.buffer_returns_what_was_appended() == tried
    assert cache_buffers.exercise(Growing, SHAPES) == tried
    for broken, message in ((OneTooMany, "2 rows of 1"), (Silent, "silently"), (OneBatch, "rows of")):
        with pytest.raises(AssertionError, match=message):
            cache_buffers.exercise(broken, SHAPES)


def test_the_exercise_writes_every_token_and_one_more() -> None:
    written = []

    class Recorded(Growing):
        def append(self, rows: np.ndarray) -> None:
            written.append(rows.shape)
            super().append(rows)

    cache_buffers.exercise(Recorded, ((2, 3, 4, 5),))
    assert written == [(2, 3, 1, 5)] * 5


def test_a_buffer_starts_empty_and_full_of_zeros() -> None:
    buffer = Preallocated(2, 3, 4, 5)
    assert buffer.held().shape == (2, 3, 0, 5)
    assert buffer.room.shape == (2, 3, 4, 5)
    assert not buffer.room.any()


@witnesses("cache_buffers.unwritten_row_weight", "cache_buffers.zero_row_changes_the_output")
def test_a_zero_row_draws_the_weight_that_torch_gives_it() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    q, keys = rng.standard_normal((2, 8)), rng.standard_normal((2, 5, 8))
    weights = []
    for query, rows in zip(q, keys, strict=True):
        longer = torch.from_numpy(np.vstack([rows, np.zeros(8)]))
        weights.append(float(torch.softmax(longer @ torch.from_numpy(query) / 8**0.5, 0)[-1]))
    assert cache_buffers.unwritten_row_weight(5, 8, 2, 3) == pytest.approx(np.mean(weights))
    assert cache_buffers.unwritten_row_weight(5, 8) == cache_buffers.unwritten_row_weight(5, 8, 1, 0)


def test_a_masked_row_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"tokens": 6, "width": 8, "heads": 2, "seeds": 3, "least": 0.01}
    assert cache_buffers.zero_row_changes_the_output() == tried
    seen = []
    right = cache_buffers.attend

    def records(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        seen.append((q, keys, values))
        return right(q, keys, values)

    monkeypatch.setattr(cache_buffers, "attend", records)
    cache_buffers.zero_row_changes_the_output(seeds=2)
    for q, keys, values in seen:
        assert q.shape == (2, 8)
        assert keys.shape == values.shape
        assert not keys[:, 6:].any()
        assert keys[:, :6].all()
    assert sorted(keys.shape[1] for _, keys, _ in seen) == [6, 6, 7, 7]
    assert not np.allclose(seen[0][0], seen[2][0])

    def masks(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        written = keys.any(axis=2).all(axis=0)
        return right(q, keys[:, written], values[:, written])

    monkeypatch.setattr(cache_buffers, "attend", masks)
    with pytest.raises(AssertionError, match="moved by 0 only"):
        cache_buffers.zero_row_changes_the_output()


@witnesses("cache_buffers.own_row_is_attended")
def test_an_attention_that_never_reads_the_last_row_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    tried = {"tokens": 6, "width": 8, "heads": 2, "seeds": 3, "least": 0.01}
    assert cache_buffers.own_row_is_attended() == tried
    q = torch.randn(1, 1, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    own = q.clone().requires_grad_()
    torch.nn.functional.scaled_dot_product_attention(q, q, own, is_causal=True)[0, 0, -1].sum().backward()
    assert own.grad[0, 0, -1].abs().min() > 0
    seen = []
    right = cache_buffers.attend

    def skips(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        seen.append((q, keys))
        return right(q, keys[:, :5], values[:, :5])

    monkeypatch.setattr(cache_buffers, "attend", skips)
    with pytest.raises(AssertionError, match="moved by 0 only"):
        cache_buffers.own_row_is_attended()
    (q, keys), (_, fewer) = seen
    assert np.array_equal(keys[:, :5], fewer)
    assert (q.shape, keys.shape) == ((2, 8), (2, 6, 8))


def test_a_change_no_larger_than_the_least_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_buffers, "attend", lambda q, keys, values: np.full(3, float(keys.shape[1])))
    for check in (cache_buffers.zero_row_changes_the_output, cache_buffers.own_row_is_attended):
        check(least=0.5)
        with pytest.raises(AssertionError, match="moved by 1 only"):
            check(least=1.0)


@witnesses("cache_buffers.grouped_heads_must_be_expanded")
def test_heads_that_broadcast_or_interleave_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError):
        torch.bmm(torch.empty(64, 1, 16), torch.empty(8, 16, 5))
    tried = {"query_heads": 64, "kv_heads": 8, "tokens": 5}
    assert cache_buffers.grouped_heads_must_be_expanded() == tried
    with pytest.raises(AssertionError, match="without complaint"):
        cache_buffers.grouped_heads_must_be_expanded(query_heads=8, kv_heads=1)

    def interleaves(array: np.ndarray, repeats: int, axis: int) -> np.ndarray:
        return np.concatenate([array] * repeats, axis=axis)

    monkeypatch.setattr(cache_buffers.np, "repeat", interleaves)
    with pytest.raises(AssertionError, match="wrong head"):
        cache_buffers.grouped_heads_must_be_expanded()


@pytest.mark.parametrize(
    "call",
    [
        lambda: cache_buffers.layer_nbytes(0, 1, 1),
        lambda: cache_buffers.layer_nbytes(1, 0, 1),
        lambda: cache_buffers.layer_nbytes(1, 1, -1),
        lambda: cache_buffers.layer_nbytes(1, 1, 1, batch=-1),
        lambda: cache_buffers.layer_nbytes(1, 1, -1, batch=-1),
        lambda: cache_buffers.unwritten_row_weight(0, 1),
        lambda: cache_buffers.unwritten_row_weight(1, 0),
        lambda: cache_buffers.unwritten_row_weight(1, 1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
