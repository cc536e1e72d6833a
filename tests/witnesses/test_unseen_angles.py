"""Independent ways to the numbers of verifiers/unseen_angles.py."""

from __future__ import annotations

import math

import pytest

from proofdeck import witnesses
from verifiers import rope_scaling, unseen_angles


@witnesses("unseen_angles.unfinished")
@pytest.mark.parametrize(("trained", "width"), [(4096, 128), (512, 512), (100, 64)])
def test_unfinished_pairs_by_walking_every_position(trained: int, width: int) -> None:
    found = 0
    for pair in range(width // 2):
        step = 10000.0 ** (-2 * pair / width)
        quarters = {math.floor((p * step) % (2 * math.pi) / (math.pi / 2)) for p in range(trained + 1)}
        found += trained * step < 2 * math.pi
        # a pair counted as unfinished has not come back to its start; most miss a whole quarter
        if trained * step < 1.5 * math.pi:
            assert len(quarters) < 4
    assert unseen_angles.unfinished(trained, width) == found


@witnesses("unseen_angles.count")
@pytest.mark.parametrize("method", ["none", "linear", "ntk", "yarn", "llama3"])
def test_unseen_pairs_one_by_one(method: str) -> None:
    found = 0
    for pair in range(64):
        met = rope_scaling.angle(pair, 4096)
        asked = rope_scaling.angle(pair, 32768, method=method, factor=8.0)
        turns = rope_scaling.turns_within(pair, 4096)
        found += turns < 1 and asked > met + 1e-7
    assert unseen_angles.count(method, 8.0) == found


def test_wrong_arguments() -> None:
    for method, factor, trained, width in (
        ("dynamic", 2.0, 4096, 128),
        ("none", 1.0, 4096, 128),
        ("none", 2.0, 4096, 7),
        ("none", 2.0, 0, 128),
    ):
        with pytest.raises(ValueError):
            unseen_angles.count(method, factor, trained, width)
