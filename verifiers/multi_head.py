"""Several heads in one layer: the shapes they run through, and what their outputs add up to."""

from __future__ import annotations

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.attention import Array, softmax
from verifiers.calculus import agree


def split(x: Array, heads: int) -> Array:
    """Tokens [n, d] as heads [heads, n, d / heads]."""
    return np.stack(np.split(x, heads, axis=1))


def run(x: Array, projections: Array, heads: int) -> dict[str, Array]:
    """Every array of a layer of unmasked self-attention, by name; `projections` is [4, d, d]: Q, K, V, O."""
    q, k, v = (split(x @ projections[i], heads) for i in range(3))
    weights = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
    outputs = weights @ v
    joined = outputs.swapaxes(0, 1).reshape(x.shape)
    return {
        "input": x,
        "queries, keys, values": q,
        "scores and weights": weights,
        "heads' outputs": outputs,
        "joined": joined,
        "output": joined @ projections[3],
    }


@verifier
def shapes(tokens: int, width: int, heads: int) -> list[dict[str, str]]:
    """Shapes of one sequence's arrays in a layer of self-attention, as `run` names them.

    Formula: heads × n × d/heads for queries, keys, values and outputs of heads; heads × n × n for scores.
    Unit: array=1, shape=1
    Source: vaswani2017
    """
    arguments.counts(tokens=tokens, width=width)
    arguments.divides(width, heads, "components")
    own = (heads, tokens, width // heads)
    found = {
        "input": (tokens, width),
        "queries, keys, values": own,
        "scores and weights": (heads, tokens, tokens),
        "heads' outputs": own,
        "joined": (tokens, width),
        "output": (tokens, width),
    }
    return [{"array": name, "shape": " × ".join(map(str, sizes))} for name, sizes in found.items()]


@verifier
def concatenation_is_a_sum_of_heads(
    heads: tuple[int, ...] = (1, 2, 8),
    tokens: int = 7,
    width: int = 16,
    seeds: int = 3,
    tolerance: float = 1e-12,
) -> dict[str, str | int | float]:
    """Check that joining the heads and projecting equals adding what each head writes through its own rows.

    Formula: concat(O_1 … O_h) W_O = Σ_h O_h W_O[rows of h].
    Shapes: O_h [n, d/h], W_O [d, d].
    Unit: check
    Source: elhage2021
    """
    for count in heads:
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            x = rng.standard_normal((tokens, width))
            projections = rng.standard_normal((4, width, width)) / np.sqrt(width)
            found = run(x, projections, count)
            rows = projections[3].reshape(count, width // count, width)
            summed = sum(output @ own for output, own in zip(found["heads' outputs"], rows, strict=True))
            agree(summed, found["output"], tolerance, f"the sum over {count} heads")
    return {"heads": ", ".join(map(str, heads)), "seeds": seeds, "tolerance": tolerance}
