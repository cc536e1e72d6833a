"""Joining an image encoder to a language model: what a bridge costs, and who sees whom."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, masks
from verifiers.contrastive import clip_gradient, clip_of

Array = npt.NDArray[np.float64]


@verifier
def projector(d_vision: int, d_model: int, hidden: int = 0) -> int:
    """Parameters of the map from image features to token embeddings, with biases.

    Formula: (d_vision + 1) · d_model; with a hidden layer (d_vision + 1) · hidden + (hidden + 1) · d_model.
    Unit: param
    Source: liu2023llava, liu2024llava
    """
    arguments.counts(d_vision=d_vision, d_model=d_model)
    arguments.counts(0, hidden=hidden)
    if not hidden:
        return (d_vision + 1) * d_model
    return (d_vision + 1) * hidden + (hidden + 1) * d_model


@verifier
def cross_attention(d_vision: int, d_model: int, blocks: int, d_ff: int = 0) -> int:
    """Parameters of gated cross-attention blocks: attention to the image, a feed-forward block, two gates.

    Norms and biases are left out; all heads together are as wide as the model.

    Formula: blocks · (2 · d_model² + 2 · d_vision · d_model + 2 · d_model · d_ff + 2), d_ff four times
    d_model unless given.
    Unit: param
    Source: alayrac2022
    """
    arguments.counts(d_vision=d_vision, d_model=d_model, blocks=blocks)
    arguments.counts(0, d_ff=d_ff)
    inner = d_ff or 4 * d_model
    return blocks * (2 * d_model**2 + 2 * d_vision * d_model + 2 * d_model * inner + 2)


@verifier
def score_entries(image: int, text: int, joined: bool = True) -> int:
    """Entries of one head's score matrices: one sequence of image and text, or text that looks at the image.

    Formula: (image + text)² joined; text² + text · image by cross-attention.
    Unit: 1
    Source: definition
    """
    arguments.counts(image=image, text=text)
    return (image + text) ** 2 if joined else text**2 + text * image


def causal_stack(x: Array, weights: Array) -> Array:
    """Run causal attention layers over the rows of x."""
    mask = masks.visible(len(x), len(x), "lower-right")
    for projections in weights:
        x = x + masks.layer(projections, x, mask)
    return x


@verifier
def image_first_never_sees_the_text(
    image: int = 6,
    text: int = 4,
    width: int = 8,
    layers: int = 3,
    seeds: int = 4,
    model: Callable[[Array, Array], Array] = causal_stack,
) -> dict[str, int]:
    """In a causal decoder that reads the image first, other text changes no state of an image token.

    The text's own states do change with the image.

    Unit: check
    Source: liu2023llava
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        weights = rng.standard_normal((layers, 3, width, width)) / np.sqrt(width)
        pixels, words = rng.standard_normal((image, width)), rng.standard_normal((text, width))
        states = model(np.vstack([pixels, words]), weights)
        other_text = model(np.vstack([pixels, words[::-1]]), weights)
        other_image = model(np.vstack([pixels[::-1], words]), weights)
        assert np.array_equal(states[:image], other_text[:image]), f"seed {seed}: the image saw the text"
        assert not np.allclose(states[image:], other_image[image:]), f"seed {seed}: the text saw no image"
    return {"image": image, "text": text, "layers": layers, "seeds": seeds}


def cosines(batch: int, width: int, seed: int, noise: float | None = None) -> Array:
    """Similarities (batch, batch) of random unit vectors with others, or with noisy copies of themselves."""
    rng = np.random.default_rng(seed)
    images, texts = rng.standard_normal((2, batch, width))
    if noise is not None:
        texts = images + noise * texts
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts)]
    return np.asarray(unit[0] @ unit[1].T)


@verifier(tolerance=1e-9)
def untrained_loss(batch: int, width: int, temperature: float = 0.07, batches: int = 8) -> float:
    """CLIP loss of random embeddings: a little above chance, for chance similarities are not all equal.

    Formula: about ln N + 1/(2 · width · τ²), for cosines of variance 1/width.
    Unit: nat
    Source: radford2021
    """
    arguments.counts(batch=batch, width=width, batches=batches)
    arguments.positive(temperature=temperature)
    losses = [clip_of(cosines(batch, width, seed) / temperature) for seed in range(batches)]
    return float(np.mean(losses))


@verifier(tolerance=1e-6)
def learned_temperature(
    steps: int, rate: float = 0.01, logarithmic: bool = True, least: float = 0.01, start: float = 0.07
) -> float:
    """Temperature after Adam on sixteen pairs that already agree, learned as a number or by its logarithm.

    The pairs ask for ever lower temperatures: a plain number crosses zero, the logarithm of its inverse,
    clipped at 1/least as CLIP does, cannot.

    Formula: z = cos/τ; ∂L/∂τ = −Σ (∂L/∂z ∘ z)/τ; by s = ln(1/τ): ∂L/∂s = Σ ∂L/∂z ∘ z.
    Unit: 1
    Source: radford2021
    """
    arguments.counts(0, steps=steps)
    arguments.positive(rate=rate, least=least, start=start)
    similarities = cosines(16, 64, 0, noise=0.5)
    value = -math.log(start) if logarithmic else start
    first = second = 0.0
    for step in range(1, steps + 1):
        temperature = math.exp(-value) if logarithmic else value
        scores = similarities / temperature
        slope = float((clip_gradient(scores) * scores).sum())
        gradient = slope if logarithmic else -slope / temperature
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        value -= rate * (first / (1 - 0.9**step)) / (math.sqrt(second / (1 - 0.999**step)) + 1e-8)
        if logarithmic:
            value = min(value, -math.log(least))
        elif value <= 0:
            break
    return math.exp(-value) if logarithmic else value
