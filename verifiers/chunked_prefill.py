"""Prompts processed in chunks beside decoding: the gaps between tokens, and what chunks cost."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments


@verifier
def stall(
    prompt: int, decodes: int, fixed: float, per_token: float, budget: int | None = None
) -> dict[str, float]:
    """Longest gap between tokens of running replies, and time to the new prompt's first token.

    A step takes the time of its tokens, each alike (attention's growth along the prompt is left out),
    yet no less than `fixed` (reading the weights). Without `budget` the whole prompt shares one step
    with the running replies; with it, each step takes at most so many tokens, one a reply and the rest
    of the prompt.

    Formula: step = max(fixed, tokens · per_token); chunk = budget − decodes; ceil(prompt / chunk) steps.
    Unit: steps=1, longest_gap=s, first_token=s
    Source: agrawal2024
    """
    arguments.counts(prompt=prompt)
    arguments.counts(0, decodes=decodes)
    arguments.positive(fixed=fixed, per_token=per_token)
    chunk = prompt
    if budget is not None:
        arguments.counts(**{"budget less the running replies": budget - decodes})
        chunk = min(prompt, budget - decodes)
    steps = -(-prompt // chunk)
    last = prompt - (steps - 1) * chunk
    full = max(fixed, (chunk + decodes) * per_token)
    end = max(fixed, (last + decodes) * per_token)
    return {"steps": steps, "longest_gap": full, "first_token": (steps - 1) * full + end}


@verifier
def cache_reads(prompt: int, chunk: int) -> int:
    """Cached tokens that are read again while a prompt is processed in chunks.

    Formula: Σ i · chunk over the chunks i = 0, 1, …, ⌈prompt / chunk⌉ − 1.
    Unit: token
    Source: agrawal2024
    """
    arguments.counts(prompt=prompt, chunk=chunk)
    chunks = -(-prompt // chunk)
    return chunk * chunks * (chunks - 1) // 2


@verifier
def score_pairs(prompt: int, chunk: int) -> int:
    """Causal query-key pairs of a prompt in chunks: the same for chunks of every size.

    Formula: Σ over chunks of c · (tokens before) + c(c + 1)/2.
    Unit: 1
    Source: definition
    """
    arguments.counts(prompt=prompt, chunk=chunk)
    pairs = 0
    for index in range(-(-prompt // chunk)):
        start = index * chunk
        size = min(chunk, prompt - start)
        pairs += size * start + size * (size + 1) // 2
    return pairs
