"""Caches with limited room: hit rates under eviction policies, and allocators that fragment."""

from __future__ import annotations

import itertools
import random
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from operator import itemgetter

from proofdeck import verifier
from verifiers import arguments

POLICIES = ("lru", "fifo", "lfu")


def hits(keys: Iterable[int], capacity: int, policy: str) -> int:
    """Count the requests for keys that a cache of `capacity` entries already holds."""
    held: OrderedDict[int, None] = OrderedDict()
    uses: Counter[int] = Counter()
    found = 0
    for key in keys:
        uses.update([key])
        if key in held:
            found += 1
            if policy == "lru":
                held.move_to_end(key)
            continue
        if len(held) == capacity:
            # ties among the least used go to the entry longest held
            victim = min(held, key=uses.__getitem__) if policy == "lfu" else next(iter(held))
            del held[victim]
        held[key] = None
    return found


@verifier
def trace_hit_rate(keys: Sequence[int], capacity: int, policy: str = "lru") -> float:
    """Share of a trace's requests that a cache of limited room answers.

    "lru", "fifo", or "lfu", which counts every use so far, also those before an eviction ("perfect" LFU).

    Unit: 1
    Source: definition
    """
    arguments.counts(capacity=capacity, requests=len(keys))
    return hits(keys, capacity, arguments.one_of("policy", policy, POLICIES)) / len(keys)


def zipf_weights(items: int, skew: float) -> list[float]:
    """Return the popularity of items by rank, summing to one."""
    arguments.counts(items=items)
    arguments.non_negative(skew=skew)
    weights = [rank**-skew for rank in range(1, items + 1)]
    return [weight / sum(weights) for weight in weights]


@verifier
def ideal_hit_rate(items: int, capacity: int, skew: float = 1.0) -> float:
    """Share of independent Zipf requests for the most popular items, which a cache that knew them would hold.

    Formula: Σ over the first `capacity` ranks of r^(−s) / Σ over all of them.
    Unit: 1
    Source: definition
    """
    arguments.counts(capacity=capacity)
    return sum(zipf_weights(items, skew)[:capacity])


@verifier(tolerance=1e-6)
def zipf_hit_rate(
    items: int, capacity: int, skew: float = 1.0, policy: str = "lru", requests: int = 20_000, seed: int = 0
) -> float:
    """Simulated hit rate of a cache under independent requests of Zipf popularity, first fifth uncounted.

    Unit: 1
    Source: definition
    """
    arguments.counts(capacity=capacity, requests=requests)
    arguments.one_of("policy", policy, POLICIES)
    weights = list(itertools.accumulate(zipf_weights(items, skew)))
    keys = random.Random(seed).choices(range(items), cum_weights=weights, k=requests)
    warm = requests // 5
    return (hits(keys, capacity, policy) - hits(keys[:warm], capacity, policy)) / (requests - warm)


@verifier(tolerance=1e-6)
def che_hit_rate(items: int, capacity: int, skew: float = 1.0) -> float:
    """Hit rate of an LRU cache under Zipf requests, by Che's approximation.

    Formula: Σ pᵢ · (1 − e^(−pᵢ t)) at the t with Σ (1 − e^(−pᵢ t)) = capacity.
    Unit: 1
    Source: che2002
    """
    import numpy as np

    arguments.counts(capacity=capacity, **{"items - capacity": items - capacity})
    popularity = np.array(zipf_weights(items, skew))

    def newton(time: float) -> float:
        left = np.exp(-popularity * time)
        return float(time + (capacity - (1 - left).sum()) / (popularity * left).sum())

    # from below, Newton's steps on a concave function rise to its root
    time = float(capacity)
    while (after := newton(time)) > time:
        time = after
    return float((popularity * (1 - np.exp(-popularity * time))).sum())


def place(kind: str, strips: list[tuple[int, int]], size: int, room: int) -> int | None:
    """Return where `size` slots are free beside sorted (start, length) strips, or None.

    Contiguous slots must lie together: the first gap wide enough. Paged ones may lie anywhere.
    """
    if kind == "paged":
        return 0 if room - sum(length for _, length in strips) >= size else None
    end = 0
    for start, length in [*strips, (room, room)]:
        if start - end >= size:
            return end
        end = start + length
    return None


@verifier
def external_fragmentation(
    room: int = 2048, longest: int = 256, requests: int = 500, seed: int = 0
) -> dict[str, float]:
    """Mean share of slots in use when a request finds no place: one strip a request, or single slots.

    Requests of random length arrive; where one does not fit, random ones leave until it does. Strips go to the
    first gap wide enough.

    Unit: contiguous=1, paged=1
    Source: kwon2023
    """
    arguments.counts(longest=longest, requests=requests)
    arguments.counts(longest, room=room)
    return {kind: _used_when_full(kind, room, longest, requests, seed) for kind in ("contiguous", "paged")}


def _used_when_full(kind: str, room: int, longest: int, requests: int, seed: int) -> float:
    source = random.Random(seed)
    strips: list[tuple[int, int]] = []
    shares = []
    for _ in range(requests):
        size = 1 + int(longest * source.random())
        if place(kind, strips, size, room) is None:
            shares.append(sum(length for _, length in strips) / room)
        while (start := place(kind, strips, size, room)) is None:
            strips.pop(source.randrange(len(strips)))
        strips = sorted([*strips, (start, size)], key=itemgetter(0))
    if not shares:
        raise ValueError(f"{requests} requests never filled {room} slots")
    return sum(shares) / len(shares)
