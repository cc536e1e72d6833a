"""Cutting documents into overlapping chunks: how many, how much they store, what they leave whole."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments


def _stride(chunk: int, overlap: int) -> int:
    arguments.counts(chunk=chunk)
    arguments.counts(0, overlap=overlap)
    if overlap >= chunk:
        raise ValueError(f"chunks of {chunk} tokens cannot share {overlap}")
    return chunk - overlap


@verifier
def chunks(tokens: int, chunk: int, overlap: int = 0) -> int:
    """Chunks that cover a document, each beginning `chunk − overlap` tokens after the last.

    Formula: 1 + ⌈max(0, tokens − chunk) / (chunk − overlap)⌉.
    Unit: 1
    Source: definition
    """
    stride = _stride(chunk, overlap)
    arguments.counts(tokens=tokens)
    return 1 + -(-max(0, tokens - chunk) // stride)


@verifier
def storage_factor(chunk: int, overlap: int) -> float:
    """Tokens stored over tokens of a long document.

    Formula: chunk / (chunk − overlap).
    Unit: 1
    Source: definition
    """
    return chunk / _stride(chunk, overlap)


@verifier
def intact(span: int, chunk: int, overlap: int = 0) -> float:
    """Share of the spans of a given length, anywhere in a long text, that lie whole in some chunk.

    Formula: min(1, max(0, chunk − span + 1) / (chunk − overlap)).
    Unit: 1
    Source: definition
    """
    stride = _stride(chunk, overlap)
    arguments.counts(span=span)
    return min(1.0, max(0, chunk - span + 1) / stride)


@verifier
def longest_safe_span(chunk: int, overlap: int = 0) -> int:
    """Longest span that is never cut in two, wherever it stands.

    Formula: overlap + 1.
    Unit: token
    Source: definition
    """
    _stride(chunk, overlap)
    return overlap + 1
