"""Independent ways to the numbers of verifiers/chunking.py: chunks are cut and looked through."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proofdeck import witnesses
from verifiers import chunking

CUTS = [(8, 0), (8, 3), (8, 7), (1, 0), (5, 2)]


def cut(tokens: int, chunk: int, overlap: int) -> list[range]:
    """Cut until the end of the document is inside a chunk."""
    begin, pieces = 0, []
    while True:
        pieces.append(range(begin, min(begin + chunk, tokens)))
        if begin + chunk >= tokens:
            return pieces
        begin += chunk - overlap


@witnesses("chunking.chunks")
@pytest.mark.parametrize(("chunk", "overlap"), CUTS)
def test_count_equals_cutting(chunk: int, overlap: int) -> None:
    for tokens in range(1, 40):
        assert chunking.chunks(tokens, chunk, overlap) == len(cut(tokens, chunk, overlap))
    assert chunking.chunks(30, chunk) == len(cut(30, chunk, 0))


@witnesses("chunking.storage_factor")
@pytest.mark.parametrize(("chunk", "overlap"), CUTS)
def test_storage_equals_that_of_a_long_document(chunk: int, overlap: int) -> None:
    tokens = 20_000
    stored = sum(map(len, cut(tokens, chunk, overlap)))
    assert chunking.storage_factor(chunk, overlap) == pytest.approx(stored / tokens, rel=1e-3)


@witnesses("chunking.intact", "chunking.longest_safe_span")
@pytest.mark.parametrize(("chunk", "overlap"), CUTS)
def test_intact_spans_equal_a_search_of_all_chunks(chunk: int, overlap: int) -> None:
    stride = chunk - overlap
    pieces = cut(400, chunk, overlap)
    safe = 0
    for span in range(1, chunk + 3):
        # every place within one stride, far from both ends of the document
        begins = range(10 * stride, 11 * stride)
        whole = [any(b in piece and b + span - 1 in piece for piece in pieces) for b in begins]
        assert chunking.intact(span, chunk, overlap) == sum(whole) / stride
        if all(whole):
            safe = span
    assert chunking.longest_safe_span(chunk, overlap) == safe


def test_default_is_no_overlap() -> None:
    assert chunking.intact(3, 4) == 0.5
    assert chunking.longest_safe_span(4) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: chunking.chunks(0, 8),
        lambda: chunking.chunks(1, 0),
        lambda: chunking.chunks(1, 2.5),
        lambda: chunking.chunks(1, 8, -1),
        lambda: chunking.chunks(1, 8, 8),
        lambda: chunking.storage_factor(8, 8),
        lambda: chunking.intact(0, 8),
        lambda: chunking.longest_safe_span(8, 8),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
