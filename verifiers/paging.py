"""Paged key/value memory: blocks, what stays empty in them, and what requests can share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


def _lengths(lengths: Sequence[int]) -> None:
    arguments.counts(requests=len(lengths))
    for tokens in lengths:
        arguments.counts(tokens=tokens)


@verifier
def blocks(tokens: int, block: int = 16) -> int:
    """Blocks that hold so many tokens.

    Formula: ceil(tokens / block).
    Unit: 1
    Source: kwon2023
    """
    arguments.counts(0, tokens=tokens)
    arguments.counts(block=block)
    return -(-tokens // block)


@verifier
def waste(lengths: Sequence[int], block: int = 16) -> float:
    """Share of the reserved slots of paged requests that stays empty, all in their last blocks.

    Formula: 1 − Σ tokens / Σ block · ceil(tokens / block).
    Unit: 1
    Source: kwon2023
    """
    _lengths(lengths)
    reserved = block * sum(blocks(tokens, block) for tokens in lengths)
    return float(1 - Fraction(sum(lengths), reserved))


@verifier
def reserved_waste(mean_length: float, reserved: int) -> float:
    """Share of a strip reserved for the longest request that an average one leaves empty.

    Formula: 1 − mean / reserved.
    Unit: 1
    Source: kwon2023
    """
    arguments.positive(mean_length=mean_length)
    arguments.counts(reserved=reserved)
    arguments.non_negative(**{"reserved - mean_length": reserved - mean_length})
    return 1 - mean_length / reserved


@verifier
def mean_empty_slots(block: int = 16) -> float:
    """Slots that a request leaves empty in its last block, where every fill is as likely.

    Formula: (block − 1) / 2.
    Unit: token
    Source: kwon2023
    """
    arguments.counts(block=block)
    return (block - 1) / 2


@verifier
def geometric_waste(mean_length: float, block: int = 16) -> float:
    """Expected share of empty reserved slots when lengths are geometric with a given mean.

    Formula: 1 − m · (1 − s^b) / b with s = 1 − 1/m: a request ends after a given token with chance 1/m.
    Unit: 1
    Source: definition
    """
    arguments.positive(**{"mean_length - 1": mean_length - 1})
    arguments.counts(block=block)
    survives = 1 - 1 / mean_length
    return 1 - mean_length * (1 - survives**block) / block


@verifier
def shared_blocks(prefix: int, suffixes: Sequence[int], block: int = 16, share: bool = True) -> int:
    """Blocks of requests that begin with the same prefix; only its full blocks can be shared.

    Formula: floor(p / b) + Σ ceil((p mod b + sᵢ) / b), or Σ ceil((p + sᵢ) / b) unshared.
    Unit: 1
    Source: kwon2023
    """
    arguments.counts(0, prefix=prefix)
    arguments.counts(block=block)
    _lengths(suffixes)
    if not share:
        return sum(blocks(prefix + suffix, block) for suffix in suffixes)
    full, rest = divmod(prefix, block)
    return full + sum(blocks(rest + suffix, block) for suffix in suffixes)


@verifier
def cached_tokens(prompts: Sequence[Sequence[int]], block: int = 16) -> dict[str, int]:
    """Prompt tokens found in blocks of earlier prompts, where a block counts only after an equal prefix.

    Nothing is evicted, and at least the last token of a prompt is computed, or it would have no logits.

    Unit: hit=token, total=token
    Source: kwon2023
    """
    arguments.counts(block=block, prompts=len(prompts))
    seen: set[tuple[int, ...]] = set()
    hit = 0
    for prompt in prompts:
        prefixes = [tuple(prompt[: block * (full + 1)]) for full in range(len(prompt) // block)]
        hit += block * sum(len(prefix) < len(prompt) and prefix in seen for prefix in prefixes)
        seen.update(prefixes)
    return {"hit": hit, "total": sum(len(prompt) for prompt in prompts)}


@verifier
def shared_fraction(prefix: float, suffix: float) -> float:
    """Share of a prompt's tokens that lies in its cached prefix.

    Formula: prefix / (prefix + suffix).
    Unit: 1
    Source: definition
    """
    arguments.non_negative(prefix=prefix, suffix=suffix)
    arguments.positive(tokens=prefix + suffix)
    return prefix / (prefix + suffix)


@verifier
def affinity_hit_rate(turns: int, shards: int, sticky: bool) -> float:
    """Expected share of a dialogue's turns that reach a shard which holds its earlier turns.

    Else each turn goes to a random one, which finds the cache of any earlier visit there; nothing is evicted.

    Formula: sticky (T − 1) / T; random 1 − (1 − r^T) / (T · (1 − r)), r = 1 − 1/shards.
    Unit: 1
    Source: definition
    """
    arguments.counts(turns=turns, shards=shards)
    if sticky:
        return (turns - 1) / turns
    missed = Fraction(shards - 1, shards)
    return float(1 - sum(missed**turn for turn in range(turns)) / turns)
