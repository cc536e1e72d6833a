"""The helper that pairs lists."""

from __future__ import annotations

import pytest

from verifiers.sequences import paired


def test_items_are_put_side_by_side() -> None:
    assert paired(a=[1, 2], b="xy", c=(3, 4)) == [(1, "x", 3), (2, "y", 4)]
    assert paired(a=[], b=[]) == []


@pytest.mark.parametrize("rows", [{"a": [1], "b": []}, {"a": [1], "b": [1, 2]}])
def test_lists_of_different_lengths_are_refused(rows: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError, match=f"{len(rows['a'])} a, {len(rows['b'])} b"):
        paired(**rows)
