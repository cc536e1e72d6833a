"""Collective operations between devices: what each one sends, how long that takes, and what they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments

Array = np.ndarray[Any, np.dtype[Any]]
PASSES = {"all_reduce": 2, "reduce_scatter": 1, "all_gather": 1, "all_to_all": 1}
"""How often (n − 1) / n of the data leave each device."""


@verifier
def sent(nbytes: float, devices: int, collective: str = "all_reduce") -> float:
    """Bytes that each device sends for a collective on `nbytes`: the least, where no switch adds for them.

    `nbytes` is the whole buffer: what is summed, what is gathered, what a device scatters to all. Rings
    send as much, halving and doubling too, and for an all-to-all a message to each of the others.

    Formula: 2 · (n − 1) / n · bytes for an all-reduce, (n − 1) / n · bytes for the others.
    Unit: B
    Source: patarasuk2009, thakur2005
    """
    arguments.non_negative(nbytes=nbytes)
    arguments.counts(devices=devices)
    arguments.one_of("collective", collective, PASSES)
    return PASSES[collective] * (devices - 1) * nbytes / devices


@verifier
def steps(devices: int, collective: str = "all_reduce", algorithm: str = "ring") -> int:
    """Messages that follow one another: each one costs a latency.

    Formula: n − 1 a pass around a ring, or of an all-to-all's exchanges; log2 n with halving or doubling.
    Unit: 1
    Source: thakur2005
    """
    arguments.counts(devices=devices)
    arguments.one_of("collective", collective, PASSES)
    if arguments.one_of("algorithm", algorithm, ("ring", "halving")) == "ring":
        return PASSES[collective] * (devices - 1)
    if collective == "all_to_all":
        raise ValueError("an all-to-all by halving passes pieces on, and sends more than them once")
    if devices & (devices - 1):
        raise ValueError(f"halving needs a power of two, not {devices} devices")
    return PASSES[collective] * (devices.bit_length() - 1)


@verifier
def seconds(
    nbytes: float,
    devices: int,
    bandwidth: float,
    latency: float = 0.0,
    collective: str = "all_reduce",
    algorithm: str = "ring",
) -> float:
    """Time of a collective by a device's bandwidth to its neighbours, in one direction; sums take none.

    Formula: steps · latency + bytes sent / bandwidth.
    Unit: s
    Source: thakur2005
    """
    arguments.positive(bandwidth=bandwidth)
    arguments.non_negative(latency=latency)
    moved = sent(nbytes, devices, collective) / bandwidth
    return steps(devices, collective, algorithm) * latency + moved


@verifier
def bus_bandwidth(nbytes: float, devices: int, seconds: float, collective: str = "all_reduce") -> float:
    """Bytes a second that each device's links carried, as benchmarks of collectives report it.

    Formula: bytes sent / seconds: comparable with a link's bandwidth whatever the number of devices.
    Unit: B/s
    Source: nvidia2024nccltests
    """
    arguments.positive(seconds=seconds)
    return sent(nbytes, devices, collective) / seconds


def ring_pass(pieces: Sequence[list[Array]], first: int, add: bool) -> list[int]:
    """Pass pieces once around a ring, in place; what arrives is added or kept. Elements that each one sent.

    Device d begins with piece d + first, then passes on what it received last.
    """
    count = len(pieces)
    moved = [0] * count
    for step in range(count - 1):
        turn = [(device + first - step) % count for device in range(count)]
        messages = [pieces[device][turn[device]].copy() for device in range(count)]
        for device, message in enumerate(messages):
            held = pieces[(device + 1) % count]
            held[turn[device]] = held[turn[device]] + message if add else message
            moved[device] += message.size
    return moved


def split(buffers: Sequence[Array]) -> list[list[Array]]:
    """Each device's buffer cut into one piece a device."""
    return [list(np.array_split(buffer.copy(), len(buffers))) for buffer in buffers]


def ring_all_reduce(buffers: Sequence[Array]) -> tuple[list[Array], list[int]]:
    """Reduce-scatter, then all-gather, around a ring; each device's result and the elements it sent."""
    pieces = split(buffers)
    moved = np.add(ring_pass(pieces, 0, True), ring_pass(pieces, 1, False)).tolist()
    return [np.concatenate(piece) for piece in pieces], moved


@verifier
def ring_all_reduce_sums(
    devices: tuple[int, ...] = (1, 2, 3, 4, 8), pieces: int = 5, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, str | float]:
    """Check that a ring leaves the sum on every device, each having sent 2 · (n − 1) / n of the buffer.

    Unit: check
    Source: patarasuk2009
    """
    for count in devices:
        buffers = list(np.random.default_rng([seed, count]).standard_normal((count, count * pieces)))
        results, moved = ring_all_reduce(buffers)
        error = float(abs(np.stack(results) - sum(buffers)).max())
        assert error <= tolerance, f"{count} devices: the sum is off by {error}"
        assert set(moved) == {sent(count * pieces, count)}, f"{count} devices sent {moved} elements"
    return {"devices": str(devices), "pieces": pieces, "tolerance": tolerance}


@verifier
def all_reduce_is_scatter_and_gather(
    devices: tuple[int, ...] = (1, 2, 4, 7), pieces: int = 3, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, str | float]:
    """Check that the first pass of a ring's all-reduce is a reduce-scatter and the second an all-gather.

    After the first each device has one piece of the sum, all of them every piece, and each pass sends
    what that collective alone does.

    Unit: check
    Source: rajbhandari2020, thakur2005
    """
    for count in devices:
        buffers = np.random.default_rng([seed, count]).standard_normal((count, count * pieces))
        whole, held = buffers.sum(axis=0), split(list(buffers))
        scattered = ring_pass(held, 0, True)
        own = [held[(piece - 1) % count][piece] for piece in range(count)]
        error = float(abs(np.concatenate(own) - whole).max())
        assert error <= tolerance, f"{count} devices: the scattered sums are off by {error}"
        gathered = ring_pass(held, 1, False)
        error = max(float(abs(np.concatenate(all_) - whole).max()) for all_ in held)
        assert error <= tolerance, f"{count} devices: the gathered sums are off by {error}"
        size = count * pieces
        assert set(scattered) == {sent(size, count, "reduce_scatter")}, f"{count} devices: scatter"
        assert set(gathered) == {sent(size, count, "all_gather")}, f"{count} devices: gather"
        both = sum(scattered + gathered) / count
        assert sent(size, count) == both, f"{count} devices: {sent(size, count)} is not {both}"
    return {"devices": str(devices), "pieces": pieces, "tolerance": tolerance}
