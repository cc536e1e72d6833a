"""Vector indexes: bytes of raw and coded vectors, of graphs and lists, and the cost of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, dtypes


@verifier
def raw_bytes(vectors: int, dims: int, dtype: str = "fp32") -> int:
    """Bytes of the vectors alone.

    Formula: n · d · bytes per element.
    Unit: B
    Source: definition
    """
    arguments.counts(0, vectors=vectors)
    arguments.counts(dims=dims)
    return dtypes.nbytes(vectors * dims, dtype)


@verifier
def hnsw_links(M: int) -> dict[str, float]:
    """Places for links that HNSW keeps for each vector: on the lowest level and, on average, above.

    Formula: lowest = 2M; above = M · E[levels above] = M / (M − 1), as P(level ≥ l) = M^(−l); the paper
    puts M / ln M, the mean level before it is rounded down.
    Unit: 1
    Source: malkov2016
    """
    arguments.counts(2, M=M)
    above = M / (M - 1)
    return {"lowest": 2 * M, "above": above, "total": 2 * M + above, "paper": 2 * M + M / math.log(M)}


@verifier
def hnsw_bytes(
    vectors: int, M: int, link_bytes: int = 4, list_bytes: int = 0, vector_bytes: float = 0
) -> float:
    """Expected bytes of an HNSW graph, without the vectors.

    Formula: n · (links · link bytes + (1 + 1 / (M − 1)) · bytes per list of links + bytes per vector).
    Unit: B
    Source: malkov2016
    """
    arguments.counts(0, vectors=vectors, list_bytes=list_bytes)
    arguments.counts(link_bytes=link_bytes)
    arguments.non_negative(vector_bytes=vector_bytes)
    links = hnsw_links(M)
    lists = 1 + links["above"] / M
    return vectors * (links["total"] * link_bytes + lists * list_bytes + vector_bytes)


@verifier
def hnsw_level_vectors(vectors: int, M: int, level: int) -> float:
    """Expected vectors that reach a level of HNSW.

    Formula: n · M^(−level).
    Unit: 1
    Source: malkov2016
    """
    arguments.counts(0, vectors=vectors, level=level)
    arguments.counts(2, M=M)
    return float(vectors / M**level)


@verifier
def ivf_distances(vectors: int, lists: int, probes: int = 1) -> float:
    """Distances that a query needs in an inverted file whose lists are of equal length.

    Formula: lists + probes · n / lists.
    Unit: 1
    Source: jegou2011
    """
    arguments.counts(0, vectors=vectors)
    arguments.counts(lists=lists, probes=probes)
    if probes > lists:
        raise ValueError(f"{lists} lists cannot be probed {probes} times")
    return lists + probes * vectors / lists


@verifier
def ivf_best_lists(vectors: int, probes: int = 1) -> float:
    """Number of lists that needs the fewest distances.

    Formula: √(probes · n).
    Unit: 1
    Source: definition
    """
    arguments.counts(vectors=vectors, probes=probes)
    return math.sqrt(probes * vectors)


@verifier
def ivf_list_met(lengths: Sequence[int]) -> float:
    """Expected length of the list that a query meets, queries falling like the vectors do.

    Formula: Σ length² / Σ length, never below the mean length.
    Unit: 1
    Source: definition
    """
    arguments.counts(0, **{f"lengths[{index}]": length for index, length in enumerate(lengths)})
    arguments.counts(vectors=sum(lengths))
    return sum(length**2 for length in lengths) / sum(lengths)


@verifier
def pq_bytes(vectors: int, subspaces: int, bits: int = 8) -> int:
    """Bytes of product-quantised codes; one bit for each of d subspaces is binary quantisation.

    Formula: n · ⌈subspaces · bits / 8⌉.
    Unit: B
    Source: jegou2011
    """
    arguments.counts(0, vectors=vectors)
    arguments.counts(subspaces=subspaces, bits=bits)
    return vectors * -(-subspaces * bits // 8)


@verifier
def pq_compression(dims: int, subspaces: int, bits: int = 8, dtype: str = "fp32") -> float:
    """How many times smaller a product-quantised vector is.

    Formula: d · bytes per element / ⌈subspaces · bits / 8⌉.
    Unit: 1
    Source: jegou2011
    """
    arguments.divides(dims, subspaces, "dimensions")
    return raw_bytes(1, dims, dtype) / pq_bytes(1, subspaces, bits)


@verifier
def pq_codebook_bytes(dims: int, bits: int = 8, dtype: str = "fp32") -> int:
    """Bytes of the centroids of all subspaces, whatever their number.

    Formula: 2^bits · d · bytes per element.
    Unit: B
    Source: jegou2011
    """
    arguments.counts(bits=bits)
    return raw_bytes(2**bits, dims, dtype)


@verifier
def ivf_pq_bytes(
    vectors: int, dims: int, lists: int, subspaces: int, bits: int = 8, id_bytes: int = 8
) -> dict[str, int]:
    """Bytes of an inverted file with product-quantised codes, its centroids in fp32.

    Formula: codes + ids + lists · d · 4 + 2^bits · d · 4.
    Unit: B
    Source: jegou2011
    """
    arguments.divides(dims, subspaces, "dimensions")
    arguments.counts(lists=lists)
    arguments.counts(0, id_bytes=id_bytes)
    parts = {
        "codes": pq_bytes(vectors, subspaces, bits),
        "ids": vectors * id_bytes,
        "centroids": raw_bytes(lists, dims),
        "codebooks": pq_codebook_bytes(dims, bits),
    }
    return parts | {"total": sum(parts.values())}


@verifier
def brute_force_flops(vectors: int, dims: int, queries: int = 1) -> int:
    """FLOPs of comparing queries with every vector by dot products.

    Formula: 2 · queries · n · d.
    Unit: FLOP
    Source: definition
    """
    arguments.counts(0, vectors=vectors, queries=queries)
    arguments.counts(dims=dims)
    return 2 * queries * vectors * dims


@verifier
def brute_force_seconds(
    vectors: int, dims: int, bandwidth: float, peak: float, queries: int = 1, dtype: str = "fp32"
) -> float:
    """Least time of comparing a batch of queries with every vector, read once for all of them.

    Formula: max(n · d · bytes / bandwidth, 2 · queries · n · d / peak).
    Unit: s
    Source: williams2009
    """
    arguments.positive(bandwidth=bandwidth, peak=peak)
    arguments.counts(queries=queries)
    read = raw_bytes(vectors, dims, dtype) / bandwidth
    return max(read, brute_force_flops(vectors, dims, queries) / peak)


@verifier
def shards(vectors: int, bytes_per_vector: float, shard_bytes: float) -> int:
    """Shards of a given memory that hold an index.

    Formula: ⌈n · bytes per vector / bytes of a shard⌉.
    Unit: 1
    Source: definition
    """
    arguments.counts(vectors=vectors)
    arguments.positive(bytes_per_vector=bytes_per_vector, shard_bytes=shard_bytes)
    # as the decimals that were written: rounding noise is not worth a shard
    return math.ceil(vectors * Fraction(str(bytes_per_vector)) / Fraction(str(shard_bytes)))
