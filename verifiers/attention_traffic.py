"""Memory traffic of FlashAttention's first algorithm and of softmax, and the on-chip memory behind it."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments

ACCESSES = {"naive": (2, 3), "safe": (3, 4), "online": (2, 3)}
"""Passes over a row, and loads and stores of each of its elements."""


@verifier
def tile_columns(sram: int, head_dim: int) -> int:
    """Keys in a tile, so that tiles of Q, K, V and O fill a fast memory of `sram` elements.

    Formula: ⌈sram / (4 · head_dim)⌉.
    Unit: token
    Source: dao2022
    """
    arguments.counts(sram=sram, head_dim=head_dim)
    return -(-sram // (4 * head_dim))


@verifier
def outer_keys(tokens: int, head_dim: int, sram: int) -> int:
    """Elements that one head's forward moves with keys in the outer loop, as FlashAttention began.

    Each tile of K and V is read once; past each, all of Q streams in, and the outputs, maxima and
    sums so far are read and written back.

    Formula: 2 · n · d + ⌈n / columns⌉ · (3 · n · d + 4 · n).
    Unit: 1
    Source: dao2022
    """
    arguments.counts(tokens=tokens)
    passes = -(-tokens // tile_columns(sram, head_dim))
    return 2 * tokens * head_dim + passes * tokens * (3 * head_dim + 4)


@verifier
def whole_matrices(tokens: int, head_dim: int) -> int:
    """Elements that one head's forward moves in three kernels, scores and weights written and read.

    Formula: 4 · n · d + 4 · n².
    Unit: 1
    Source: dao2022
    """
    arguments.counts(tokens=tokens, head_dim=head_dim)
    return 4 * tokens * head_dim + 4 * tokens**2


@verifier
def outer_keys_saving(tokens: int, head_dim: int, sram: int) -> float:
    """Elements moved in three kernels over those moved with keys in the outer loop.

    Unit: 1
    Source: dao2022
    """
    return whole_matrices(tokens, head_dim) / outer_keys(tokens, head_dim, sram)


@verifier
def outer_keys_growth(
    tokens: int, head_dim: int, sram: int, double: str | None = None, half: str | None = None
) -> float:
    """How many times more `outer_keys` moves once one of "tokens", "head_dim" and "sram" is doubled, or one halved.

    Odd sizes are halved downwards.

    Unit: 1
    Source: dao2022
    """
    sizes = {"tokens": tokens, "head_dim": head_dim, "sram": sram}
    if double is not None:
        sizes[arguments.one_of("size", double, sizes)] *= 2
    if half is not None:
        sizes[arguments.one_of("size", half, sizes)] //= 2
    return outer_keys(**sizes) / outer_keys(tokens, head_dim, sram)


@verifier
def squares_in_sram(sram: int, head_dim: int) -> float:
    """How many squares of the head's width a fast memory of `sram` elements holds.

    FlashAttention's traffic is of order n² · d² / sram, plain attention's of order n² where tokens are many
    more than head_dim; so this is the order of its saving.

    Formula: sram / head_dim².
    Unit: 1
    Source: dao2022
    """
    arguments.counts(sram=sram, head_dim=head_dim)
    return sram / head_dim**2


@verifier
def softmax_passes(algorithm: str) -> int:
    """Passes over a row that a softmax makes: "naive", "safe" (largest subtracted) or "online".

    Unit: 1
    Source: milakov2018
    """
    return ACCESSES[arguments.one_of("algorithm", algorithm, ACCESSES)][0]


@verifier
def softmax_accesses(algorithm: str, elements: int = 1) -> int:
    """Loads and stores of a softmax over `elements` numbers that do not stay on the chip.

    Unit: 1
    Source: milakov2018
    """
    arguments.counts(elements=elements)
    return ACCESSES[arguments.one_of("algorithm", algorithm, ACCESSES)][1] * elements


@verifier
def shared_memory_bandwidth(multiprocessors: int, clock: float, bytes_per_cycle: int = 128) -> float:
    """Bytes a second that all multiprocessors together move from and to their shared memories.

    By default each has 32 banks of four bytes a cycle.

    Formula: multiprocessors · bytes per cycle · cycles per second.
    Unit: B/s
    Source: definition
    """
    arguments.counts(multiprocessors=multiprocessors, bytes_per_cycle=bytes_per_cycle)
    arguments.positive(clock=clock)
    return multiprocessors * bytes_per_cycle * clock
