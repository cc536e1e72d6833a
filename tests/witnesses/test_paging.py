"""Independent ways to the numbers of verifiers/paging.py: blocks handed out and counted."""

from __future__ import annotations

import random

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import paging


class Allocator:
    """Hands out blocks token by token; a request may begin with a copy of another's block table."""

    def __init__(self, block: int) -> None:
        self.block = block
        self.blocks: list[list[int]] = []

    def grow(self, table: list[int], tokens: int) -> None:
        for _ in range(tokens):
            if not table or len(self.blocks[table[-1]]) == self.block:
                self.blocks.append([])
                table.append(len(self.blocks) - 1)
            self.blocks[table[-1]].append(1)

    def fork(self, table: list[int]) -> list[int]:
        """Share full blocks, copy the last one if it is not full."""
        copied = list(table)
        if table and len(self.blocks[table[-1]]) < self.block:
            self.blocks.append(list(self.blocks[table[-1]]))
            copied[-1] = len(self.blocks) - 1
        return copied


@witnesses("paging.blocks", "paging.waste")
@pytest.mark.parametrize("block", [1, 5, 16])
def test_blocks_and_waste_equal_those_of_an_allocator(block: int) -> None:
    lengths = [1, 4, 5, 6, 16, 17, 300]
    allocator = Allocator(block)
    for tokens in lengths:
        table: list[int] = []
        allocator.grow(table, tokens)
        assert paging.blocks(tokens, block) == len(table)
        if block == 16:
            assert paging.blocks(tokens) == len(table)
    slots = block * len(allocator.blocks)
    assert paging.waste(lengths, block) == pytest.approx(1 - sum(map(len, allocator.blocks)) / slots)
    assert paging.blocks(0, block) == 0
    assert paging.waste(lengths) == paging.waste(lengths, 16)


@witnesses("paging.reserved_waste", "paging.mean_empty_slots", "paging.geometric_waste")
def test_expected_waste_equals_that_of_many_drawn_lengths() -> None:
    rng = np.random.default_rng(0)
    for mean, block in ((299.0, 16), (20.0, 16), (7.5, 4), (3.0, 1), (1.5, 4)):
        lengths = rng.geometric(1 / mean, 200_000)
        reserved = -(-lengths // block) * block
        found = paging.geometric_waste(mean, block)
        assert found == pytest.approx(1 - lengths.sum() / reserved.sum(), abs=2e-3)
    assert paging.geometric_waste(299.0) == paging.geometric_waste(299.0, 16)
    empty = [sum(1 for _ in range(fill, 16)) for fill in range(1, 17)]
    assert paging.mean_empty_slots() == paging.mean_empty_slots(16) == sum(empty) / 16
    assert paging.mean_empty_slots(1) == 0
    strips = [2048 - length for length in (100, 298, 499)]
    assert paging.reserved_waste(299, 2048) == pytest.approx(sum(strips) / (3 * 2048))
    assert paging.reserved_waste(2048, 2048) == 0


@witnesses("paging.shared_blocks")
@pytest.mark.parametrize("block", [1, 4, 16])
@pytest.mark.parametrize("prefix", [0, 3, 32, 37])
def test_shared_blocks_equal_those_of_an_allocator_with_copies_on_write(prefix: int, block: int) -> None:
    suffixes = [1, 9, 12, 40]
    allocator = Allocator(block)
    root: list[int] = []
    allocator.grow(root, prefix)
    for position, suffix in enumerate(suffixes):
        # the first request goes on in the prefix's own last block
        table = root if position == len(suffixes) - 1 else allocator.fork(root)
        allocator.grow(table, suffix)
    assert paging.shared_blocks(prefix, suffixes, block) == len(allocator.blocks)
    apart = Allocator(block)
    for suffix in suffixes:
        apart.grow([], prefix + suffix)
    assert paging.shared_blocks(prefix, suffixes, block, share=False) == len(apart.blocks)
    if block == 16:
        assert paging.shared_blocks(prefix, suffixes) == len(allocator.blocks)


@witnesses("paging.cached_tokens", "paging.shared_fraction")
def test_hits_equal_the_longest_common_prefix_in_whole_blocks() -> None:
    source = random.Random(1)
    prompts = [[source.randint(0, 1) for _ in range(source.randint(0, 14))] for _ in range(60)]
    for block in (1, 2, 3, 16):
        hit = 0
        for index, prompt in enumerate(prompts):
            common = 0
            for earlier in prompts[:index]:
                length = 0
                while length < min(len(prompt), len(earlier)) and prompt[length] == earlier[length]:
                    length += 1
                common = max(common, length // block)
            while common * block >= len(prompt) and common:
                common -= 1
            hit += common * block
        found = paging.cached_tokens(prompts, block)
        assert found == {"hit": hit, "total": sum(map(len, prompts))}
    assert paging.cached_tokens([[]]) == {"hit": 0, "total": 0}
    repeated = [list(range(40))] * 3
    assert paging.cached_tokens(repeated) == {"hit": 64, "total": 120}
    assert paging.shared_fraction(4, 2) == pytest.approx(2 / 3)
    assert paging.shared_fraction(0, 2) == 0
    assert paging.shared_fraction(2, 0) == 1


@witnesses("paging.affinity_hit_rate")
@pytest.mark.parametrize(("turns", "shards"), [(10, 100), (1, 5), (4, 2), (3, 1)])
def test_affinity_equals_dialogues_sent_to_random_shards(turns: int, shards: int) -> None:
    rng = np.random.default_rng(turns)
    visits = rng.integers(0, shards, (4000, turns))
    hits = sum(
        visit in dialogue[:turn] for dialogue in visits.tolist() for turn, visit in enumerate(dialogue)
    )
    assert paging.affinity_hit_rate(turns, shards, False) == pytest.approx(hits / visits.size, abs=0.01)
    sticky = sum(turn > 0 for turn in range(turns)) / turns
    assert paging.affinity_hit_rate(turns, shards, True) == pytest.approx(sticky)


@pytest.mark.parametrize(
    "call",
    [
        lambda: paging.blocks(-1),
        lambda: paging.blocks(1, 0),
        lambda: paging.waste([]),
        lambda: paging.waste([0]),
        lambda: paging.waste([1], 0),
        lambda: paging.reserved_waste(0, 1),
        lambda: paging.reserved_waste(1, 0),
        lambda: paging.reserved_waste(3, 2),
        lambda: paging.reserved_waste(0.5, 1.5),  # type: ignore[arg-type]
        lambda: paging.mean_empty_slots(0),
        lambda: paging.geometric_waste(1.0),
        lambda: paging.geometric_waste(2.0, 0),
        lambda: paging.shared_blocks(-1, [1]),
        lambda: paging.shared_blocks(1, []),
        lambda: paging.shared_blocks(1, [0]),
        lambda: paging.shared_blocks(1, [1], 0),
        lambda: paging.cached_tokens([[1]], 0),
        lambda: paging.cached_tokens([]),
        lambda: paging.shared_fraction(-1, 2),
        lambda: paging.shared_fraction(2, -1),
        lambda: paging.shared_fraction(0, 0),
        lambda: paging.affinity_hit_rate(0, 1, True),
        lambda: paging.affinity_hit_rate(1, 0, True),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot|above"):
        call()  # type: ignore[operator]
