"""Prompting: serial depth of a chain of thought, size of a tree of thoughts, forms, in-context learning."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.sequences import paired

Array = np.ndarray[Any, np.dtype[Any]]


@verifier
def serial_layers(layers: int, tokens: int) -> int:
    """Layers that one after the other lead to the last of some generated tokens.

    Formula: layers · tokens, as each token is sampled before the next one's first layer.
    Unit: 1
    Source: feng2023
    """
    arguments.counts(layers=layers, tokens=tokens)
    return layers * tokens


@verifier
def tree_of_thoughts(branching: int, depth: int, beam: int | None = None) -> dict[str, int]:
    """Thoughts generated in a tree, whole or with only the best few of each level kept.

    Formula: leaves = branching^depth, all = Σ branching · (nodes kept on the level above).
    Unit: 1
    Source: yao2023
    """
    arguments.counts(branching=branching, depth=depth)
    width = branching**depth if beam is None else beam
    arguments.counts(beam=width)
    kept, generated = 1, []
    for _ in range(depth):
        generated.append(kept * branching)
        kept = min(generated[-1], width)
    return {"leaves": generated[-1], "all": sum(generated)}


@cache
def _ways(numbers: tuple[Fraction, ...], target: Fraction) -> int:
    if len(numbers) == 1:
        return int(numbers == (target,))
    found = 0
    for i, j in combinations(range(len(numbers)), 2):
        a, b = numbers[i], numbers[j]
        rest = [number for place, number in enumerate(numbers) if place not in (i, j)]
        results = {a + b, a - b, b - a, a * b}
        results |= {x / y for x, y in ((a, b), (b, a)) if y}
        found += sum(_ways(tuple(sorted([*rest, result])), target) for result in results)
    return found


@verifier
def ways_to_reach(numbers: Sequence[int], target: int) -> int:
    """Ways to combine all the numbers, two at a time by + − × ÷, into a target (24 in the Game of 24).

    Formula: sum over pairs and distinct results of the ways from what is left.
    Unit: 1
    Source: yao2023
    """
    arguments.counts(numbers=len(numbers))
    arguments.counts(0, **{f"numbers[{index}]": number for index, number in enumerate(numbers)})
    if len(numbers) > 5:
        raise ValueError(f"at most 5 numbers, not {len(numbers)}")
    return _ways(tuple(sorted(map(Fraction, numbers))), Fraction(target))


FORM = ("{", '"', "a", '"', ":", "0123456789", "}")
"""What may stand at each place of a small JSON object."""
VOCABULARY = '{}":abc0123456789'
LEGAL = [np.array([token in legal for token in VOCABULARY]) for legal in FORM]


def keep_legal(logits: Array, legal: Array) -> Array:
    """Set the logits of all tokens that the form forbids to minus infinity."""
    return np.where(legal, logits, -np.inf)


def keep_all(logits: Array, legal: Array) -> Array:
    """Leave the logits as they are."""
    return logits


MASKS: dict[str, Callable[[Array, Array], Array]] = {"masked": keep_legal, "free": keep_all}


def _sample(mask: str, confidence: float, rng: np.random.Generator) -> str:
    """Write a small object with a noisy model that leans towards a legal token by `confidence`."""
    noise = rng.gumbel(size=(len(FORM), len(VOCABULARY)))
    masked = (
        MASKS[mask](row + confidence * legal, legal) for row, legal in paired(rows=list(noise), legal=LEGAL)
    )
    return "".join(VOCABULARY[int(np.argmax(logits))] for logits in masked)


def _valid(text: str) -> bool:
    try:
        return isinstance(json.loads(text)["a"], int)
    except (ValueError, TypeError, KeyError):
        return False


@verifier
def valid_share(mask: str, confidence: float, samples: int = 300, seed: int = 0) -> float:
    """Share of sampled texts that are an object of the wanted form, with illegal tokens masked or free.

    Formula: simulation with logits of confidence · [token is legal] and temperature 1.
    Unit: 1
    Source: willard2023
    """
    arguments.one_of("mask", mask, MASKS)
    arguments.non_negative(confidence=confidence)
    arguments.counts(samples=samples)
    rng = np.random.default_rng(seed)
    return sum(_valid(_sample(mask, confidence, rng)) for _ in range(samples)) / samples


@verifier
def masking_guarantees_form(
    confidences: Sequence[float] = (0.0, 3.0, 6.0), samples: int = 100
) -> dict[str, object]:
    """Check that every text sampled under a grammar's mask has the form, however poor the model.

    Unit: check
    Source: willard2023
    """
    for confidence in confidences:
        share = valid_share("masked", confidence, samples)
        assert share == 1, f"only {share:.0%} of the masked texts have the form"
    return {"confidences": ", ".join(map(str, confidences)), "samples": samples}


def linear_attention(keys: Array, values: Array, query: Array, rate: float) -> Array:
    """Attention without softmax: Σ rate · value · (key · query)."""
    return np.asarray(rate * values.T @ (keys @ query))


def gradient_step(weights: Array, inputs: Array, targets: Array, rate: float) -> Array:
    """Weights after a step down ½ Σ ‖W x − y‖², its gradient taken by complex steps."""
    stepped = weights.copy()
    for place in np.ndindex(*weights.shape):
        moved = weights.astype(complex)
        moved[place] += 1e-20j
        loss = ((inputs @ moved.T - targets) ** 2).sum() / 2
        stepped[place] -= rate * loss.imag / 1e-20
    return stepped


@verifier
def attention_does_a_gradient_step(
    examples: int = 12,
    inputs: int = 5,
    outputs: int = 3,
    rate: float = 0.1,
    seeds: int = 4,
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check that one linear attention head predicts like a linear model after one gradient step.

    Values are the errors y − W x of the examples in the prompt, keys their inputs: the head then adds
    to W x_q what a step of gradient descent on those examples would add.

    Unit: check
    Source: vonoswald2022
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        weights, x = rng.standard_normal((outputs, inputs)), rng.standard_normal((examples, inputs))
        y, query = rng.standard_normal((examples, outputs)), rng.standard_normal(inputs)
        attended = weights @ query + linear_attention(x, y - x @ weights.T, query, rate)
        error = np.abs(attended - gradient_step(weights, x, y, rate) @ query).max()
        assert error < tolerance, f"attention and gradient step differ by {error}"
    return {"examples": examples, "inputs": inputs, "outputs": outputs, "seeds": seeds}
