"""Tokens, bytes and words: what UTF-8 bounds, what a vocabulary costs, and who pays for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments

Array = np.ndarray[Any, np.dtype[Any]]


@verifier
def utf8_bytes(text: str) -> int:
    """Bytes of a text in UTF-8: no byte-level tokeniser needs more tokens.

    Unit: B
    Source: definition
    """
    return len(text.encode())


@verifier
def character_bytes(code_point: int) -> int:
    """Bytes of one character in UTF-8: the most byte-level tokens that it can take.

    Formula: 1 below U+0080, 2 below U+0800, 3 below U+10000, else 4.
    Unit: B
    Source: rfc3629
    """
    arguments.counts(0, code_point=code_point)
    if code_point > 0x10FFFF or 0xD800 <= code_point < 0xE000:
        raise ValueError(f"U+{code_point:X} is no character")
    return 1 + (code_point >= 0x80) + (code_point >= 0x800) + (code_point >= 0x10000)


@verifier
def bytes_per_character(text: str) -> float:
    """Mean bytes of a text's characters in UTF-8.

    Formula: bytes / code points.
    Unit: B
    Source: definition
    """
    arguments.counts(characters=len(text))
    return utf8_bytes(text) / len(text)


@verifier
def words_per_token(words: float, tokens: float) -> float:
    """Words that a token stands for, on a text; the reciprocal is the tokeniser's fertility.

    Formula: words / tokens.
    Unit: 1/token
    Source: rust2021
    """
    arguments.non_negative(words=words)
    arguments.positive(tokens=tokens)
    return words / tokens


@verifier
def worst_premium(bytes_per_character: float, english: float, characters: float = 1.0) -> float:
    """Most tokens that byte-level encoding can take for a text over those of its English translation.

    Formula: bytes per character · characters (over English) · English characters per token.
    Unit: 1
    Source: petrov2023
    """
    arguments.positive(bytes_per_character=bytes_per_character, english=english, characters=characters)
    return bytes_per_character * characters * english


@verifier
def request_factors(premium: float) -> dict[str, float]:
    """What a text that takes `premium` times the tokens costs and holds, relative to the other.

    Formula: price, cache and prefill's matrices grow with m; attention's scores with m²; the context
    window holds 1/m of the text.
    Unit: 1
    Source: petrov2023, ahia2023
    """
    arguments.positive(premium=premium)
    return {"price": premium, "scores": premium**2, "context": 1 / premium}


@verifier
def vocabulary_bits(vocabulary: int) -> float:
    """Bits that name one entry of a vocabulary: what a token carries at most.

    Formula: log₂ V.
    Unit: bit
    Source: definition
    """
    arguments.counts(vocabulary=vocabulary)
    return math.log2(vocabulary)


@verifier
def id_bytes(vocabulary: int) -> int:
    """Bytes of the narrowest unsigned integer of 1, 2, 4 or 8 bytes that holds every token's number.

    Unit: B
    Source: definition
    """
    arguments.counts(vocabulary=vocabulary)
    bits = (vocabulary - 1).bit_length()
    if bits > 64:
        raise ValueError(f"{vocabulary} tokens need numbers of more than 64 bits")
    return next(width for width in (1, 2, 4, 8) if bits <= 8 * width)


@verifier
def embedding_share(vocabulary: int, d_model: int, params: float, tied: bool = True) -> float:
    """Share of a model's parameters in its embedding, and in its output head where that is another.

    Formula: V · d / N, twice that untied.
    Unit: 1
    Source: definition
    """
    arguments.counts(vocabulary=vocabulary, d_model=d_model)
    arguments.positive(params=params)
    share = vocabulary * d_model * (1 if tied else 2) / params
    arguments.shares(share=share)
    return share


@verifier
def head_flops(vocabulary: int, d_model: int) -> int:
    """FLOPs of the output head per token; the look-up of a row takes none.

    Formula: 2 · V · d.
    Unit: FLOP
    Source: definition
    """
    arguments.counts(vocabulary=vocabulary, d_model=d_model)
    return 2 * vocabulary * d_model


@verifier
def text_cost(vocabulary: int, d_model: int, other_params: float, tokens_per_byte: float) -> float:
    """Forward FLOPs per byte of text: a larger vocabulary's longer head against its fewer tokens.

    Formula: 2 · (N_blocks + V · d) · tokens per byte.
    Unit: FLOP/B
    Source: tao2024
    """
    arguments.positive(other_params=other_params, tokens_per_byte=tokens_per_byte)
    return (2 * other_params + head_flops(vocabulary, d_model)) * tokens_per_byte


@verifier
def reordered_rows(order: tuple[int, ...], tokens: tuple[int, ...]) -> dict[str, int]:
    """Tokens of a text that look up another row once a vocabulary is renumbered, and what a remap leaves.

    `order` gives each old number its new one. `wrong` counts tokens whose new number meets another old
    row; `remapped` counts them after rows were moved along.

    Unit: token
    Source: definition
    """
    arguments.counts(1 + max(tokens, default=0), entries=len(order))
    if sorted(order) != list(range(len(order))):
        raise ValueError("the order must give every number once")
    arguments.counts(0, **{f"tokens[{place}]": token for place, token in enumerate(tokens)})
    moved = [order.index(row) for row in range(len(order))]
    return {
        "wrong": sum(order[token] != token for token in tokens),
        "remapped": sum(moved[order[token]] != token for token in tokens),
    }


def one_hot_product(table: Array, tokens: Array) -> Array:
    """Return the rows of tokens as a product with one-hot vectors. Shapes: V × d, n → n × d."""
    return np.asarray(np.eye(len(table), dtype=table.dtype)[tokens] @ table)


@verifier
def lookup_is_a_one_hot_product(
    vocabulary: int = 500, d_model: int = 64, tokens: int = 100, seeds: int = 3, dtype: str = "float32"
) -> dict[str, str | int]:
    """Indexing rows of an embedding gives, bit for bit, what multiplying by one-hot vectors would.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        table = rng.standard_normal((vocabulary, d_model)).astype(dtype)
        chosen = rng.integers(vocabulary, size=tokens)
        if not np.array_equal(one_hot_product(table, chosen), table[chosen]):
            raise AssertionError(f"seed {seed}: the product differs from the rows")
    return {"vocabulary": vocabulary, "d": d_model, "seeds": seeds, "dtype": dtype}
