"""Independent ways to the numbers of verifiers/vector_index.py: real arrays and real faiss indexes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import vector_index


@pytest.fixture(scope="module")
def faiss() -> Any:
    return pytest.importorskip("faiss")


def vectors(count: int, dims: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, dims)).astype(np.float32)


@witnesses("vector_index.raw_bytes")
def test_raw_bytes_equal_an_array() -> None:
    for dtype, kind in (("fp32", np.float32), ("fp16", np.float16), ("int8", np.int8)):
        assert vector_index.raw_bytes(37, 19, dtype) == np.zeros((37, 19), kind).nbytes
    assert vector_index.raw_bytes(5, 3) == 60
    assert vector_index.raw_bytes(0, 3) == 0
    with pytest.raises(ValueError, match="vectors must be at least 0"):
        vector_index.raw_bytes(-1, 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@witnesses("vector_index.hnsw_links", "vector_index.hnsw_bytes", "vector_index.hnsw_level_vectors")
@pytest.mark.parametrize("M", [4, 16, 32])
def test_graph_equals_that_of_faiss(faiss: Any, M: int) -> None:  # noqa: N803
    """The levels that faiss draws, and the places that it lays out for links, without building links."""
    index = faiss.IndexHNSWFlat(1, M)
    count = 200_000
    index.hnsw.prepare_level_tab(count)
    levels = faiss.vector_to_array(index.hnsw.levels)
    links = faiss.vector_to_array(index.hnsw.neighbors)
    found = vector_index.hnsw_links(M)
    assert found["total"] == pytest.approx(links.size / count, rel=0.01)
    assert found["lowest"] == faiss.vector_to_array(index.hnsw.cum_nneighbor_per_level)[1]
    assert found["above"] == pytest.approx(M * (levels - 1).mean(), rel=0.06)
    assert vector_index.hnsw_bytes(count, M) == pytest.approx(links.nbytes, rel=0.01)
    # faiss stores a level (4 bytes) and an offset (8 bytes) for each vector besides
    offsets = faiss.vector_to_array(index.hnsw.offsets)
    stored = links.nbytes + offsets.nbytes + levels.nbytes
    assert vector_index.hnsw_bytes(count, M, vector_bytes=12) == pytest.approx(stored, rel=0.01)
    for level in (0, 1, 2):
        expected = (levels > level).sum()
        assert vector_index.hnsw_level_vectors(count, M, level) == pytest.approx(expected, rel=0.1, abs=30)


@witnesses("vector_index.hnsw_links")
def test_paper_counts_the_mean_level_before_rounding() -> None:
    """Levels are −ln(u) / ln(M): exponential, with that mean."""
    drawn = -np.log(1 - np.random.default_rng(0).random(200_000)) / math.log(16)
    found = vector_index.hnsw_links(16)
    assert found["paper"] == pytest.approx(32 + 16 * drawn.mean(), rel=0.01)
    assert found["above"] == pytest.approx(16 * np.floor(drawn).mean(), rel=0.05)
    assert vector_index.hnsw_links(2)["total"] == 6
    assert vector_index.hnsw_level_vectors(80, 2, 3) == 10


@witnesses("vector_index.hnsw_bytes")
def test_lists_of_links_have_headers_of_their_own() -> None:
    """Lay out the lists of 200,000 vectors one by one: each has a count, each vector a label."""
    rng = np.random.default_rng(1)
    uppers = np.floor(-np.log(1 - rng.random(200_000)) / math.log(8)).astype(int)
    total = sum(16 * 4 + 4 + upper * (8 * 4 + 4) + 12 for upper in uppers.tolist())
    got = vector_index.hnsw_bytes(200_000, 8, list_bytes=4, vector_bytes=12)
    assert got == pytest.approx(total, rel=0.005)
    assert vector_index.hnsw_bytes(10, 2, 8) == pytest.approx(10 * 6 * 8)
    assert vector_index.hnsw_bytes(10, 2, 1, 1) == pytest.approx(10 * (6 + 2))


@witnesses("vector_index.ivf_distances")
def test_distances_equal_a_search_of_equal_lists() -> None:
    for lists, probes in ((10, 1), (10, 3), (10, 10), (1, 1)):
        held = np.arange(600) % lists
        compared = lists + sum(int((held == probed).sum()) for probed in range(probes))
        assert vector_index.ivf_distances(600, lists, probes) == compared
    assert vector_index.ivf_distances(0, 4) == 4
    assert vector_index.ivf_distances(100, 10) == 20


@witnesses("vector_index.ivf_best_lists")
@pytest.mark.parametrize(("count", "probes"), [(10_000, 1), (10_000, 9), (777, 4)])
def test_best_number_of_lists_equals_a_search(count: int, probes: int) -> None:
    def cost(lists: int) -> float:
        return lists + probes * count / lists

    best = min(range(1, count + 1), key=cost)
    assert vector_index.ivf_best_lists(count, probes) == pytest.approx(best, abs=1)
    assert vector_index.ivf_best_lists(count) == pytest.approx(math.sqrt(count))


@witnesses("vector_index.ivf_list_met")
def test_met_list_equals_a_draw_of_vectors() -> None:
    lengths = [5, 1, 0, 14]
    home = [index for index, length in enumerate(lengths) for _ in range(length)]
    assert vector_index.ivf_list_met(lengths) == sum(lengths[h] for h in home) / len(home)
    assert vector_index.ivf_list_met([3, 3]) == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@witnesses("vector_index.pq_bytes", "vector_index.pq_codebook_bytes", "vector_index.pq_compression")
@pytest.mark.parametrize(("subspaces", "bits"), [(8, 8), (4, 8), (8, 4), (4, 6), (1, 5)])
def test_codes_equal_those_of_faiss(faiss: Any, subspaces: int, bits: int) -> None:
    quantiser = faiss.ProductQuantizer(16, subspaces, bits)
    codes = quantiser.code_size
    assert vector_index.pq_bytes(7, subspaces, bits) == 7 * codes
    centroids = faiss.vector_to_array(quantiser.centroids)
    assert vector_index.pq_codebook_bytes(16, bits) == quantiser.ksub * 16 * 4
    assert centroids.nbytes in (0, vector_index.pq_codebook_bytes(16, bits))
    assert vector_index.pq_compression(16, subspaces, bits) == 64 / codes
    assert vector_index.pq_compression(16, subspaces, bits, "fp16") == 32 / codes


def test_defaults_are_bytes_and_fp32() -> None:
    assert vector_index.pq_bytes(3, 16) == 48
    assert vector_index.pq_bytes(0, 16) == 0
    assert vector_index.pq_compression(64, 8) == 32
    assert vector_index.pq_codebook_bytes(2) == 256 * 2 * 4
    assert vector_index.pq_codebook_bytes(2, 1, "fp16") == 8


@witnesses("vector_index.pq_bytes")
def test_binary_codes_equal_packed_bits() -> None:
    signs = vectors(9, 100) > 0
    assert vector_index.pq_bytes(9, 100, bits=1) == np.packbits(signs, axis=1).nbytes


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@witnesses("vector_index.ivf_pq_bytes")
def test_index_equals_the_parts_of_a_faiss_index(faiss: Any) -> None:
    dims, lists, subspaces, bits = 16, 4, 4, 4
    data = vectors(2000, dims)
    coarse = faiss.IndexFlatL2(dims)
    index = faiss.IndexIVFPQ(coarse, dims, lists, subspaces, bits)
    index.train(data[:1000])
    index.add(data)
    codes = ids = 0
    for number in range(lists):
        size = index.invlists.list_size(number)
        codes += size * index.invlists.code_size
        ids += size * 8
    centroids = coarse.reconstruct_n(0, lists).nbytes
    codebooks = faiss.vector_to_array(index.pq.centroids).nbytes
    got = vector_index.ivf_pq_bytes(2000, dims, lists, subspaces, bits)
    parts = {"codes": codes, "ids": ids, "centroids": centroids, "codebooks": codebooks}
    assert got == parts | {"total": sum(parts.values())}
    assert got["total"] == pytest.approx(len(faiss.serialize_index(index)), rel=0.02)
    assert vector_index.ivf_pq_bytes(0, 16, 1, 4, id_bytes=0)["total"] == 16 * 4 + 256 * 16 * 4


@witnesses("vector_index.brute_force_flops")
def test_search_flops_equal_counted_operations() -> None:
    done = 0

    class Number:
        def __add__(self, other: Number) -> Number:
            nonlocal done
            done += 1
            return self

        def __mul__(self, other: Number) -> Number:
            nonlocal done
            done += 1
            return self

    corpus, asked = np.full((30, 4), Number()), np.full((5, 4), Number())
    for query in asked:
        for vector in corpus:
            total = Number()
            for x, y in zip(query, vector, strict=True):
                total = total + x * y
    assert vector_index.brute_force_flops(30, 4, 5) == done
    assert vector_index.brute_force_flops(300, 24) == 2 * 300 * 24
    assert vector_index.brute_force_flops(0, 24, 0) == 0


@witnesses("vector_index.brute_force_seconds")
def test_time_is_that_of_the_slower_stream() -> None:
    """One query reads 4 bytes for 2 FLOPs; many queries share the reading."""
    slow = vector_index.brute_force_seconds(1000, 10, bandwidth=100.0, peak=1e6)
    assert slow == 1000 * 10 * 4 / 100
    assert vector_index.brute_force_seconds(1000, 10, 100.0, 1e6, dtype="int8") == 100
    busy = vector_index.brute_force_seconds(1000, 10, 1e9, 500.0, queries=7)
    assert busy == 2 * 7 * 1000 * 10 / 500
    assert vector_index.brute_force_seconds(1000, 10, 1e9, 500.0) == 2 * 1000 * 10 / 500


@witnesses("vector_index.shards")
def test_shards_equal_filling_one_after_the_other() -> None:
    for count, size, room in ((10, 3.0, 7.0), (100, 1.5, 15.0), (1, 1.0, 9.0), (7, 2.5, 2.5)):
        shards, left = 1, room
        for _ in range(int(count * 2)):
            # half vectors at a time: a vector may be cut, bytes may not be lost
            if left < size / 2:
                shards, left = shards + 1, left + room
            left -= size / 2
        assert vector_index.shards(count, size, room) == shards
    # 3 · 0.1 is a hair above 0.3 in binary
    assert vector_index.shards(3, 0.1, 0.3) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: vector_index.raw_bytes(2.5, 4),
        lambda: vector_index.raw_bytes(1, 0),
        lambda: vector_index.raw_bytes(1, 4, "fp33"),
        lambda: vector_index.hnsw_links(1),
        lambda: vector_index.hnsw_bytes(-1, 16),
        lambda: vector_index.hnsw_bytes(1, 16, 0),
        lambda: vector_index.hnsw_bytes(1, 16, list_bytes=-1),
        lambda: vector_index.hnsw_bytes(1, 16, vector_bytes=-1),
        lambda: vector_index.hnsw_level_vectors(-1, 16, 0),
        lambda: vector_index.hnsw_level_vectors(1, 16, -1),
        lambda: vector_index.hnsw_level_vectors(1, 1, 0),
        lambda: vector_index.ivf_distances(-1, 4),
        lambda: vector_index.ivf_distances(1, 0),
        lambda: vector_index.ivf_distances(1, 4, 0),
        lambda: vector_index.ivf_distances(1, 4, 5),
        lambda: vector_index.ivf_best_lists(0),
        lambda: vector_index.ivf_best_lists(1, 0),
        lambda: vector_index.ivf_list_met([0, 0]),
        lambda: vector_index.ivf_list_met([3, -1]),
        lambda: vector_index.pq_bytes(-1, 8),
        lambda: vector_index.pq_bytes(1, 0),
        lambda: vector_index.pq_bytes(1, 8, 0),
        lambda: vector_index.pq_compression(10, 4),
        lambda: vector_index.pq_codebook_bytes(4, 0),
        lambda: vector_index.ivf_pq_bytes(1, 10, 1, 4),
        lambda: vector_index.ivf_pq_bytes(1, 16, 0, 4),
        lambda: vector_index.ivf_pq_bytes(1, 16, 1, 4, id_bytes=-1),
        lambda: vector_index.brute_force_flops(-1, 1),
        lambda: vector_index.brute_force_flops(1, 0),
        lambda: vector_index.brute_force_flops(1, 1, -1),
        lambda: vector_index.brute_force_seconds(1, 1, 0, 1),
        lambda: vector_index.brute_force_seconds(1, 1, 1, 0),
        lambda: vector_index.brute_force_seconds(1, 1, 1, 1, queries=0),
        lambda: vector_index.shards(0, 1, 1),
        lambda: vector_index.shards(1, 0, 1),
        lambda: vector_index.shards(1, 1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
