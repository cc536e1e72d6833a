"""Prompt caching: what a cached prefix costs, when it pays, and what keeps the prefix the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments

PER = 1_000_000


def _uses(uses: int, misses: int, write: float, read: float) -> float:
    """Sum the price factors of all uses: a miss writes the cache, a hit reads it."""
    arguments.counts(uses=uses)
    arguments.counts(0, misses=misses, hits=uses - misses)
    arguments.non_negative(write=write, read=read)
    return misses * write + (uses - misses) * read


@verifier
def cost(
    prefix: int, uses: int, price: float, write: float, read: float, misses: int = 1, fresh: int = 0
) -> float:
    """Price of a cached prefix, and `fresh` uncached tokens behind it, over a number of uses.

    The price is in $ per million tokens; writing costs `write` times it and reading `read` times.

    Formula: (prefix · (misses · write + hits · read) + uses · fresh) · price / 10⁶.
    Unit: $
    Source: definition
    """
    arguments.counts(0, prefix=prefix, fresh=fresh)
    arguments.non_negative(price=price)
    return (prefix * _uses(uses, misses, write, read) + uses * fresh) * price / PER


@verifier
def saving(uses: int, write: float, read: float, misses: int = 1, prefix_share: float = 1.0) -> float:
    """Share of the input cost that caching saves; negative where it costs more.

    Formula: prefix share · (1 − (misses · write + hits · read) / uses).
    Unit: 1
    Source: definition
    """
    arguments.shares(prefix_share=prefix_share)
    return prefix_share * (1 - _uses(uses, misses, write, read) / uses)


def _factors(write: float, read: float) -> tuple[Fraction, Fraction]:
    arguments.non_negative(write=write, read=read)
    arguments.positive(**{"1 − read": 1 - read})
    return Fraction(repr(write)), Fraction(repr(read))


@verifier
def break_even_reads(write: float, read: float) -> float:
    """Reads that earn back the surcharge of one write.

    Formula: (write − 1) / (1 − read).
    Unit: 1
    Source: definition
    """
    exact_write, exact_read = _factors(write, read)
    return float((exact_write - 1) / (1 - exact_read))


@verifier
def break_even_uses(write: float, read: float) -> int:
    """Least number of uses, the writing one included, at which the cache costs less than no cache.

    Formula: the least n with write + (n − 1) · read < n.
    Unit: 1
    Source: definition
    """
    exact_write, exact_read = _factors(write, read)
    return max(1, math.floor((exact_write - exact_read) / (1 - exact_read)) + 1)


@verifier
def hit_rate(gaps: Sequence[float], lifetime: float) -> float:
    """Share of calls that find the cache alive, when each call renews its lifetime.

    `gaps` are the pauses between the calls; the first call always misses.

    Formula: number of gaps ≤ lifetime / (gaps + 1).
    Unit: 1
    Source: definition
    """
    arguments.positive(lifetime=lifetime)
    arguments.non_negative(**{f"gaps[{index}]": gap for index, gap in enumerate(gaps)})
    return sum(gap <= lifetime for gap in gaps) / (len(gaps) + 1)


@verifier
def poisson_hit_rate(per_second: float, lifetime: float) -> float:
    """Share of hits in the long run, calls coming at random with a mean rate and renewing the cache.

    Formula: 1 − e^(−rate · lifetime), the chance of a gap no longer than the lifetime.
    Unit: 1
    Source: definition
    """
    arguments.positive(per_second=per_second, lifetime=lifetime)
    return -math.expm1(-per_second * lifetime)


@verifier
def shared_prefix(old: Sequence[str], new: Sequence[str]) -> int:
    """Leading items that two prompts have in common: what a prefix cache can reuse.

    Unit: 1
    Source: definition
    """
    for count, (before, after) in enumerate(zip(old, new, strict=False)):
        if before != after:
            return count
    return min(len(old), len(new))


@verifier
def shuffled_prefix(items: int) -> float:
    """Mean number of leading items that a random order shares with the cached order.

    Formula: Σₖ₌₁ⁿ (n − k)! / n!, the chances that the first k all agree.
    Unit: 1
    Source: definition
    """
    arguments.counts(items=items)
    agree = sum(math.factorial(items - k) for k in range(1, items + 1))
    return float(Fraction(agree, math.factorial(items)))


@verifier
def cached_tokens(shared: int, minimum: int, step: int) -> int:
    """Tokens of a shared prefix that a cache with a least length and whole steps reuses.

    Formula: 0 below the minimum, else minimum + ⌊(shared − minimum) / step⌋ · step.
    Unit: token
    Source: definition
    """
    arguments.counts(0, shared=shared, minimum=minimum)
    arguments.counts(step=step)
    return 0 if shared < minimum else minimum + (shared - minimum) // step * step


PARTS = ("static", "dynamic", "history")


@verifier
def layout(
    calls: int, static: int, dynamic: int, added: int, order: Sequence[str] = PARTS,
    changes: bool = True, write: float = 1.0, read: float = 0.1,
) -> dict[str, float]:  # fmt: skip
    """Replay a conversation against a prefix cache that holds the prompt of the call before.

    Each call adds `added` tokens of history; the dynamic part is new in every call where it `changes`.
    `order` says how the parts lie in the prompt.

    Formula: a call reads what precedes the first part that differs, and writes the rest.
    Unit: tokens=token, read=token, hit_share=1, cost_share=1, same_prompts=1
    Source: definition
    """
    arguments.counts(calls=calls)
    arguments.counts(0, static=static, dynamic=dynamic, added=added)
    arguments.non_negative(write=write, read=read)
    if sorted(order) != sorted(PARTS):
        raise ValueError(f"order must name each of {', '.join(PARTS)} once, not {list(order)}")
    total = hits = same = 0
    before: list[tuple[str, int]] = []
    for number in range(calls):
        pieces = {
            "static": [("static", static)],
            "dynamic": [(f"dynamic {number * changes}", dynamic)],
            "history": [(f"turn {turn}", added) for turn in range(number)],
        }
        prompt = [piece for part in order for piece in pieces[part] if piece[1]]
        reused = shared_prefix([name for name, _ in before], [name for name, _ in prompt])
        hits += sum(tokens for _, tokens in prompt[:reused])
        total += sum(tokens for _, tokens in prompt)
        same += prompt == before
        before = prompt
    arguments.positive(tokens=total)
    cost_share = (hits * read + (total - hits) * write) / total
    return {
        "tokens": total, "read": hits, "hit_share": hits / total, "cost_share": cost_share,
        "same_prompts": same,
    }  # fmt: skip
