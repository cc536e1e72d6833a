"""Entropy, divergences, perplexity and bits per byte."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments, scaling
from verifiers.calculus import Array, agree, confirm_gradient, listed, log_softmax, random_logits


def _pair(p: Sequence[float], q: Sequence[float]) -> list[tuple[float, float]]:
    """Two distributions over the same outcomes, outcome by outcome."""
    arguments.distribution(p, "p")
    arguments.distribution(q, "q")
    return list(zip(p, q, strict=True))


def _support(p: Sequence[float], q: Sequence[float]) -> list[tuple[float, float]]:
    """The outcomes that p can have; q must not rule them out."""
    pairs = [(x, y) for x, y in _pair(p, q) if x]
    arguments.positive(**{f"q[{index}], where p is not zero": y for index, (_, y) in enumerate(pairs)})
    return pairs


def _entropy_of_logits(logits: Array) -> complex:
    log_p = log_softmax(logits)
    return complex(-(np.exp(log_p) * log_p).sum())


def entropy_gradient_in_logits(logits: Array) -> Array:
    """Closed form of the gradient of the entropy of softmax(z) in z."""
    log_p = log_softmax(logits)
    return np.asarray(-np.exp(log_p) * (log_p + _entropy_of_logits(logits).real))


@verifier
def entropy(probabilities: Sequence[float]) -> float:
    """Entropy of a distribution: the least mean loss that any model of it can have.

    Formula: −Σ p ln p.
    Unit: nat
    Source: shannon1948
    """
    arguments.distribution(probabilities)
    return -math.fsum(p * math.log(p) for p in probabilities if p)


@verifier
def cross_entropy(truth: Sequence[float], model: Sequence[float]) -> float:
    """Mean loss of a model's distribution on outcomes drawn from the true one.

    Formula: −Σ p ln q.
    Unit: nat
    Source: definition
    """
    return -math.fsum(x * math.log(y) for x, y in _support(truth, model))


@verifier
def kl_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """Kullback–Leibler divergence of p from q: the loss that a model q adds to the entropy of p.

    Formula: Σ p ln(p/q).
    Unit: nat
    Source: definition
    """
    return math.fsum(x * math.log(x / y) for x, y in _support(p, q))


@verifier
def js_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """Jensen–Shannon divergence: symmetric, finite for any pair, and at most ln 2.

    Formula: ½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q)/2.
    Unit: nat
    Source: lin1991
    """
    middle = [(x + y) / 2 for x, y in _pair(p, q)]
    return (kl_divergence(p, middle) + kl_divergence(q, middle)) / 2


@verifier
def total_variation(p: Sequence[float], q: Sequence[float]) -> float:
    """The largest difference that two distributions make to the probability of any event.

    Formula: ½ Σ |p − q|.
    Unit: 1
    Source: definition
    """
    return math.fsum(abs(x - y) for x, y in _pair(p, q)) / 2


@verifier
def perplexity(loss: float) -> float:
    """Perplexity of a mean loss per token in nats: the size of the uniform choice that is as hard.

    Formula: exp(L).
    Unit: 1
    Source: definition
    """
    arguments.non_negative(loss=loss)
    return math.exp(loss)


@verifier
def loss(perplexity: float) -> float:
    """Mean loss per token of a perplexity.

    Formula: ln PPL.
    Unit: nat
    Source: definition
    """
    arguments.positive(perplexity=perplexity)
    arguments.non_negative(**{"perplexity − 1": perplexity - 1})
    return math.log(perplexity)


@verifier
def text_perplexity(probabilities: Sequence[float]) -> float:
    """Perplexity of a text by the probabilities that the model gave to its tokens.

    Formula: exp(−(1/T) Σ ln p_t), the inverse of their geometric mean.
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=len(probabilities))
    arguments.shares(**{f"p[{index}]": p for index, p in enumerate(probabilities)})
    arguments.positive(**{f"p[{index}]": p for index, p in enumerate(probabilities)})
    return math.exp(-math.fsum(map(math.log, probabilities)) / len(probabilities))


@verifier
def bits(loss: float, symbols_per_token: float = 1.0) -> float:
    """Bits per token, or per byte or character, of a loss per token in nats.

    Formula: L / ln 2 / (bytes or characters per token); per byte it compares models with different
    tokenizers, which the perplexity of a token does not.
    Unit: bit
    Source: gao2020
    """
    arguments.non_negative(loss=loss)
    arguments.positive(symbols_per_token=symbols_per_token)
    return loss / math.log(2) / symbols_per_token


@verifier
def compute_factor(before: float, after: float, fit: scaling.Fit = "chinchilla") -> float:
    """How many times the compute takes a model's perplexity from `before` to `after`, by a scaling law.

    Formula: C(ln after) / C(ln before), C(L) the least compute that reaches the loss L.
    Unit: 1
    Source: hoffmann2022
    """
    costs = [scaling.compute_for_loss(loss(level), fit)["compute"] for level in (after, before)]
    return costs[0] / costs[1]


@verifier
def truth_has_least_loss(
    classes: int = 6, seeds: int = 20, steps: Sequence[float] = (1e-4, 0.1, 1.0), tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that no model of a distribution has a mean loss below its entropy, so no perplexity of one.

    Formula: −Σ p ln q ≥ −Σ p ln p, with equality for q = p alone.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        direction, p = random_logits(classes, seed)
        least = entropy(p.tolist())
        agree(cross_entropy(p.tolist(), p.tolist()), least, tolerance, "the loss of the truth")
        for step in steps:
            q = np.exp(log_softmax(np.log(p) + step * direction))
            assert cross_entropy(p.tolist(), q.tolist()) > least, "a model beats the entropy"
    return {"classes": classes, "seeds": seeds, "steps": listed(steps), "tolerance": tolerance}


@verifier
def pinsker(
    classes: int = 6, seeds: int = 50, scales: Sequence[float] = (0.01, 1.0, 5.0)
) -> dict[str, object]:
    """Check that a small KL divergence bounds how far any probability can move.

    Formula: total variation ≤ √(KL/2) (Pinsker).
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        direction, p = random_logits(classes, seed)
        for scale in scales:
            q = np.exp(log_softmax(np.log(p) + scale * direction))
            moved, divergence = (f(p.tolist(), q.tolist()) for f in (total_variation, kl_divergence))
            assert moved <= math.sqrt(divergence / 2), f"{moved} is more than KL {divergence} allows"
    return {"classes": classes, "seeds": seeds, "scales": listed(scales)}


@verifier
def entropy_gradient(
    classes: Sequence[int] = (2, 5, 50), seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check the gradient of an entropy bonus in the logits.

    Formula: dH/dz_k = −p_k·(ln p_k + H).
    Shapes: z, p [K].
    Unit: check
    Source: definition; derivative by complex step
    """
    for size in classes:
        for seed in range(seeds):
            logits, _ = random_logits(size, seed)
            ours = entropy_gradient_in_logits(logits)
            confirm_gradient(ours, _entropy_of_logits, logits, tolerance, "dH/dz")
    return {"classes": listed(classes), "seeds": seeds, "tolerance": tolerance}
