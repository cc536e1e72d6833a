"""Context windows: what fits, when to compact, what truncation and summaries keep."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from proofdeck import verifier
from verifiers import arguments


def _as_written(share: float) -> Fraction:
    """The decimal as it is written, so that 29 % of 100 tokens are 29 and not 28."""
    return Fraction(repr(share))


@verifier
def left(window: int, *parts: int) -> int:
    """Tokens of a window that its parts leave free; negative where they do not fit.

    Formula: window − Σ parts.
    Unit: token
    Source: definition
    """
    arguments.counts(window=window)
    arguments.counts(0, **{f"part {index}": part for index, part in enumerate(parts)})
    return window - sum(parts)


@verifier
def trigger_share(window: int, reserve: int) -> float:
    """Share of a window in use at which compaction starts when `reserve` tokens are kept free.

    Formula: (window − reserve) / window.
    Unit: 1
    Source: definition
    """
    arguments.counts(0, reserve=reserve, free=window - reserve)
    arguments.counts(window=window)
    return (window - reserve) / window


@verifier
def calls_that_fit(window: int, per_call: int, base: int = 0, reserve: int = 0) -> int:
    """Calls whose results fit into a window beside the prompt and the reserve.

    Formula: ⌊(window − base − reserve) / tokens per call⌋.
    Unit: 1
    Source: definition
    """
    arguments.counts(per_call=per_call)
    arguments.counts(0, base=base, reserve=reserve, free=window - base - reserve)
    return (window - base - reserve) // per_call


@verifier
def held(turns: int, per_turn: int, base: int = 0) -> int:
    """Tokens that a conversation holds after a number of turns.

    Formula: base + turns · tokens per turn.
    Unit: token
    Source: definition
    """
    arguments.counts(0, turns=turns, per_turn=per_turn, base=base)
    return base + turns * per_turn


@verifier
def compaction(
    window: int, per_call: int, calls: int, freed: float, base: int = 0, reserve: int = 0
) -> dict[str, int]:
    """Replay tool calls with compaction: before a call that would pass the trigger, a share is freed.

    The share counts of everything held but the base, which is never compacted.

    Unit: cycles=1, first_after=1, held=token, most=token
    Source: definition
    """
    arguments.counts(per_call=per_call, calls=calls)
    arguments.shares(freed=freed)
    arguments.positive(freed=freed)
    arguments.counts(0, base=base, reserve=reserve, free=window - reserve - base - per_call)
    kept = 1 - _as_written(freed)
    history = most = cycles = first = 0
    for number in range(calls):
        while base + history + per_call > window - reserve:
            first = first or number
            cycles += 1
            history = int(history * kept)
        history += per_call
        most = max(most, base + history)
    return {"cycles": cycles, "first_after": first, "held": base + history, "most": most}


@verifier
def summary_limit(chunk: int, ratio: float) -> float:
    """Length that a rolling summary tends to, if each round rewrites summary and new text to a share.

    Formula: the fixed point of s = ratio · (s + chunk), that is chunk · ratio / (1 − ratio).
    Unit: token
    Source: definition
    """
    arguments.counts(0, chunk=chunk)
    arguments.shares(ratio=ratio)
    arguments.positive(**{"1 − ratio": 1 - ratio})
    return chunk * ratio / (1 - ratio)


@verifier
def fact_survives(kept: float, rounds: int) -> float:
    """Chance that a fact is still in a summary rewritten a number of times, each keeping it with `kept`.

    Formula: keptⁿ, the rounds being independent.
    Unit: 1
    Source: definition
    """
    arguments.shares(kept=kept)
    arguments.counts(0, rounds=rounds)
    return kept**rounds


@verifier
def delegated(agents: int, inside: int, summary: int) -> dict[str, float]:
    """Context of a caller whose sub-agents each read `inside` tokens and return a summary.

    Formula: inline agents · inside; delegated agents · summary; ratio inside / summary.
    Unit: inline=token, delegated=token, ratio=1
    Source: definition
    """
    arguments.counts(agents=agents, summary=summary)
    arguments.counts(0, inside=inside)
    return {"inline": agents * inside, "delegated": agents * summary, "ratio": inside / summary}


def middle_cut(tokens: list[int], limit: int, head: float) -> list[int]:
    """Keep the head and the tail of what is too long, the share `head` of the limit in front."""
    front = int(limit * _as_written(head))
    return tokens[:front] + tokens[max(front, len(tokens) - limit + front) :]


@verifier
def truncated(tokens: int, limit: int, head: float = 0.5) -> dict[str, int]:
    """Tokens in front, at the end, and dropped when a long output keeps its head and its tail.

    Unit: front=token, end=token, dropped=token
    Source: definition
    """
    arguments.counts(0, tokens=tokens, limit=limit)
    arguments.shares(head=head)
    kept = middle_cut(list(range(tokens)), limit, head)
    front = next((at for at, token in enumerate(kept) if token != at), len(kept))
    return {"front": front, "end": len(kept) - front, "dropped": tokens - len(kept)}


@verifier
def truncation_keeps_both_ends(
    longest: int = 12, heads: tuple[float, ...] = (0.0, 0.3, 0.5, 1.0)
) -> dict[str, str]:
    """Check that head-and-tail truncation fills its limit exactly, keeps order and drops one middle piece.

    Unit: check
    Source: definition
    """
    for tokens in range(longest + 1):
        for limit in range(longest + 1):
            for head in heads:
                kept = middle_cut(list(range(tokens)), limit, head)
                case = f"{tokens} tokens, limit {limit}, head {head}"
                assert len(kept) == min(tokens, limit), f"{case}: {len(kept)} kept"
                jumps = [after - before for before, after in pairwise([-1, *kept, tokens])]
                assert min(jumps) > 0, f"{case}: out of order"
                assert sum(jump > 1 for jump in jumps) <= 1, f"{case}: more than one gap"
    return {"tokens": f"0 to {longest}", "heads": ", ".join(map(str, heads))}


@verifier
def output_escalation(needed: int, first: int, retries: int, factor: float = 2.0) -> dict[str, int]:
    """Raise the output limit after each truncated reply; a limit that is not raised fails again.

    Formula: limitᵢ = ⌊first · factorⁱ⌋, until needed ≤ limit or the retries are spent.
    Unit: calls=1, limit=token, complete=1
    Source: definition
    """
    arguments.counts(needed=needed, first=first)
    arguments.counts(0, retries=retries)
    arguments.non_negative(**{"factor − 1": factor - 1})
    calls, limit = 1, first
    while limit < needed and calls <= retries:
        limit = int(first * _as_written(factor) ** calls)
        calls += 1
    return {"calls": calls, "limit": limit, "complete": int(limit >= needed)}


@verifier
def recoveries(
    overflows: tuple[int, ...], allowed: int = 1, reset_after: int | None = None
) -> dict[str, int]:
    """Overflows survived when at most `allowed` emergency compactions may follow each other.

    The count starts anew once `reset_after` turns have passed without overflow, and never if that is None.

    Unit: survived=1, gave_up=1
    Source: definition
    """
    arguments.counts(0, allowed=allowed)
    if reset_after is not None:
        arguments.counts(reset_after=reset_after)
    used = survived = last = 0
    for turn in overflows:
        arguments.counts(later=turn - last)
        if reset_after is not None and turn - last > reset_after:
            used = 0
        if used == allowed:
            return {"survived": survived, "gave_up": turn}
        used += 1
        survived += 1
        last = turn
    return {"survived": survived, "gave_up": 0}
