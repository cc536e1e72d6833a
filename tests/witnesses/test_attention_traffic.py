"""Independent ways to the numbers of verifiers/attention_traffic.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention_traffic


class Memory:
    """A slow memory that counts elements loaded and stored."""

    def __init__(self) -> None:
        self.moved = 0

    def load(self, array: np.ndarray) -> np.ndarray:
        self.moved += array.size
        return array.copy()

    def store(self, place: np.ndarray, values: np.ndarray) -> None:
        self.moved += place.size
        place[...] = values


def plain(memory: Memory, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Three kernels, each through slow memory."""
    scores, weights = np.empty((2, len(q), len(k)))
    output = np.empty_like(q)
    memory.store(scores, memory.load(q) @ memory.load(k).T)
    loaded = memory.load(scores)
    shifted = np.exp(loaded - loaded.max(axis=1, keepdims=True))
    memory.store(weights, shifted / shifted.sum(axis=1, keepdims=True))
    memory.store(output, memory.load(weights) @ memory.load(v))
    return output


def keys_outside(memory: Memory, q: np.ndarray, k: np.ndarray, v: np.ndarray, columns: int) -> np.ndarray:
    """The first FlashAttention: outputs, maxima and sums live in slow memory between the passes."""
    rows = min(columns, q.shape[1])
    output, top, total = np.zeros_like(q), np.full(len(q), -np.inf), np.zeros(len(q))
    for j in range(0, len(k), columns):
        keys, values = memory.load(k[j : j + columns]), memory.load(v[j : j + columns])
        for i in range(0, len(q), rows):
            left = slice(i, i + rows)
            scores = memory.load(q[left]) @ keys.T
            before, sums, so_far = memory.load(top[left]), memory.load(total[left]), memory.load(output[left])
            higher = np.maximum(before, scores.max(axis=1))
            weights, scale = np.exp(scores - higher[:, None]), np.exp(before - higher)
            new = sums * scale + weights.sum(axis=1)
            memory.store(output[left], (so_far * (sums * scale)[:, None] + weights @ values) / new[:, None])
            memory.store(top[left], higher)
            memory.store(total[left], new)
    return output


@witnesses(
    "attention_traffic.tile_columns",
    "attention_traffic.outer_keys",
    "attention_traffic.whole_matrices",
    "attention_traffic.outer_keys_saving",
)
@pytest.mark.parametrize(
    ("tokens", "head_dim", "sram"), [(64, 8, 512), (50, 4, 100), (30, 16, 64), (7, 3, 25)]
)
def test_traffic_equals_that_of_an_instrumented_memory(tokens: int, head_dim: int, sram: int) -> None:
    q, k, v = np.random.default_rng(0).standard_normal((3, tokens, head_dim))
    columns = math.ceil(sram / (4 * head_dim))
    whole, tiled = Memory(), Memory()
    assert np.allclose(plain(whole, q, k, v), keys_outside(tiled, q, k, v, columns), atol=1e-12)
    assert attention_traffic.tile_columns(sram, head_dim) == columns
    assert attention_traffic.whole_matrices(tokens, head_dim) == whole.moved
    assert attention_traffic.outer_keys(tokens, head_dim, sram) == tiled.moved
    saving = attention_traffic.outer_keys_saving(tokens, head_dim, sram)
    assert saving == pytest.approx(whole.moved / tiled.moved, rel=1e-15)


@witnesses("attention_traffic.outer_keys_growth")
def test_growth_equals_that_of_an_instrumented_memory() -> None:
    def moved(tokens: int, head_dim: int, sram: int) -> int:
        memory = Memory()
        q, k, v = np.random.default_rng(0).standard_normal((3, tokens, head_dim))
        keys_outside(memory, q, k, v, math.ceil(sram / (4 * head_dim)))
        return memory.moved

    growth, before = attention_traffic.outer_keys_growth, moved(40, 4, 90)
    assert growth(40, 4, 90, double="tokens") == moved(80, 4, 90) / before
    assert growth(40, 4, 90, double="head_dim") == moved(40, 8, 90) / before
    assert growth(40, 4, 90, double="sram") == moved(40, 4, 180) / before
    assert growth(40, 4, 90, half="tokens") == moved(20, 4, 90) / before
    assert growth(40, 4, 90, double="tokens", half="sram") == moved(80, 4, 45) / before
    assert growth(40, 4, 90) == 1


@witnesses("attention_traffic.squares_in_sram")
def test_tiled_traffic_scales_as_the_squares_say() -> None:
    """Twice the memory halves what is moved, twice the width doubles it twice over, once per side."""
    tokens, sram = 2**16, 2**17
    counts = {d: attention_traffic.outer_keys(tokens, d, sram) for d in (64, 128)}
    assert counts[128] / counts[64] == pytest.approx(4, rel=0.03)
    more = attention_traffic.outer_keys(tokens, 64, 2 * sram)
    assert counts[64] / more == pytest.approx(2, rel=0.03)
    orders = [attention_traffic.squares_in_sram(sram, d) for d in (64, 128)]
    assert orders == [32, 8]
    assert attention_traffic.squares_in_sram(3, 2) == 0.75


class Row:
    """A row of numbers that counts its loads and stores, and each time it is begun anew."""

    def __init__(self, values: list[float]) -> None:
        self.values, self.accesses, self.passes = values, 0, 0

    def load(self) -> list[float]:
        self.passes += 1
        self.accesses += len(self.values)
        return list(self.values)

    def rewrite(self, values: list[float]) -> None:
        self.accesses += len(values)
        self.values = values


def naive(row: Row) -> None:
    total = sum(math.exp(s) for s in row.load())
    row.rewrite([math.exp(s) / total for s in row.load()])


def safe(row: Row) -> None:
    top = max(row.load())
    total = sum(math.exp(s - top) for s in row.load())
    row.rewrite([math.exp(s - top) / total for s in row.load()])


def online(row: Row) -> None:
    top, total = -math.inf, 0.0
    for s in row.load():
        higher = max(top, s)
        top, total = higher, total * math.exp(top - higher) + math.exp(s - higher)
    row.rewrite([math.exp(s - top) / total for s in row.load()])


@witnesses("attention_traffic.softmax_passes", "attention_traffic.softmax_accesses")
@pytest.mark.parametrize("softmax", [naive, safe, online])
def test_accesses_equal_those_of_an_instrumented_row(softmax: object) -> None:
    special = pytest.importorskip("scipy.special")
    scores = np.random.default_rng(0).standard_normal(37)
    row = Row(scores.tolist())
    softmax(row)  # type: ignore[operator]
    assert np.allclose(row.values, special.softmax(scores), atol=1e-15)
    name = softmax.__name__  # type: ignore[attr-defined]
    assert attention_traffic.softmax_passes(name) == row.passes
    assert attention_traffic.softmax_accesses(name, 37) == row.accesses
    assert attention_traffic.softmax_accesses(name) == row.accesses / 37


@witnesses("attention_traffic.shared_memory_bandwidth")
def test_bandwidth_equals_bytes_moved_in_a_simulated_second() -> None:
    """Thirty-two banks of four bytes a cycle, as on the A100, clocked at seven cycles a second."""
    moved = sum(4 for _cycle in range(7) for _multiprocessor in range(3) for _bank in range(32))
    assert attention_traffic.shared_memory_bandwidth(3, 7) == moved
    assert attention_traffic.shared_memory_bandwidth(3, 7, 64) == moved / 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: attention_traffic.tile_columns(0, 1),
        lambda: attention_traffic.tile_columns(1, 0),
        lambda: attention_traffic.outer_keys(0, 1, 1),
        lambda: attention_traffic.whole_matrices(0, 1),
        lambda: attention_traffic.whole_matrices(1, 0),
        lambda: attention_traffic.squares_in_sram(0, 1),
        lambda: attention_traffic.squares_in_sram(1, 0),
        lambda: attention_traffic.outer_keys_growth(1, 1, 1, double="heads"),
        lambda: attention_traffic.outer_keys_growth(1, 1, 1, half="sram"),
        lambda: attention_traffic.softmax_passes("fast"),
        lambda: attention_traffic.softmax_accesses("fast"),
        lambda: attention_traffic.softmax_accesses("safe", 0),
        lambda: attention_traffic.shared_memory_bandwidth(0, 1.0),
        lambda: attention_traffic.shared_memory_bandwidth(1, 0.0),
        lambda: attention_traffic.shared_memory_bandwidth(1, 1.0, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
