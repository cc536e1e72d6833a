"""Time to the first token and between tokens, with passes that give one token or several."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments


@verifier
def timing(prefill: float, step: float, tokens: int, per_pass: float = 1) -> dict[str, float]:
    """Times of a response: the prefill gives the first token, passes of the decoder give the others.

    Formula: first = prefill; each = step / tokens per pass; whole = prefill + (n − 1) · each.
    Unit: s
    Source: leviathan2023
    """
    arguments.positive(prefill=prefill, step=step)
    arguments.counts(tokens=tokens)
    arguments.non_negative(**{"per_pass − 1": per_pass - 1})
    each = step / per_pass
    return {"first": prefill, "each": each, "whole": prefill + (tokens - 1) * each}
