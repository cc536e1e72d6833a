"""The residual stream as a sum: logits, memories, blocks in a row or side by side, and steering."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, log_softmax

Array = npt.NDArray[np.float64]


@verifier
def logit_differences_are_log_probability_differences(
    vocabulary: int = 100, spread: float = 5.0, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that two tokens' logits differ by as much as their log-probabilities.

    Formula: log softmax(z)_a - log softmax(z)_b = z_a - z_b.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        logits = spread * np.random.default_rng(seed).standard_normal(vocabulary)
        differences = np.subtract.outer(log_softmax(logits), log_softmax(logits))
        agree(differences, np.subtract.outer(logits, logits), tolerance, "a difference")
    return {"vocabulary": vocabulary, "seeds": seeds, "tolerance": tolerance}


def attributions(parts: Array, unembedding: Array) -> Array:
    """Logits [parts, v] that each part [parts, d] of a final residual stream adds by itself."""
    return np.stack([part @ unembedding for part in parts])


@verifier
def direct_logit_attributions_add_up(
    parts: int = 9, width: int = 32, vocabulary: int = 50, seed: int = 0, tolerance: float = 1e-11
) -> dict[str, int | float]:
    """Check that the logits are the sum of what embedding, heads and MLPs write, each unembedded alone.

    Without the last normalisation, or with its scale held fixed.

    Unit: check
    Source: elhage2021
    """
    rng = np.random.default_rng(seed)
    written, unembedding = rng.standard_normal((parts, width)), rng.standard_normal((width, vocabulary))
    logits = written.sum(axis=0) @ unembedding
    agree(attributions(written, unembedding).sum(axis=0), logits, tolerance, "the sum of attributions")
    return {"parts": parts, "width": width, "vocabulary": vocabulary, "tolerance": tolerance}


def mlp(x: Array, keys: Array, values: Array) -> Array:
    """Two layers without biases: x [..., d], keys and values [hidden, d]."""
    return np.asarray(np.tanh(x @ keys.T) @ values)


@verifier
def mlp_is_a_sum_of_memories(
    width: int = 16, hidden: int = 64, tokens: int = 5, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that an MLP returns its output weights' rows, each as strongly as its key fits the input.

    Formula: Σ_i act(k_i · x) · v_i.
    Unit: check
    Source: geva2021
    """
    rng = np.random.default_rng(seed)
    keys, values = rng.standard_normal((2, hidden, width))
    for x in rng.standard_normal((tokens, width)):
        memories = sum(np.tanh(keys[unit] @ x) * values[unit] for unit in range(hidden))
        agree(mlp(x, keys, values), memories, tolerance, "the output")
    return {"width": width, "hidden": hidden, "tokens": tokens, "tolerance": tolerance}


@verifier(tolerance=1e-6)
def parallel_block_gap(width: int = 64, hidden: int = 256, gain: float = 0.5, seed: int = 0) -> float:
    """Difference between x + A(x) + M(x) and y + M(y) with y = x + A(x), relative to the latter.

    A random linear map stands for attention over one token, M is a random MLP; `gain` scales both.

    Formula: |parallel - sequential| / |sequential|.
    Unit: 1
    Source: chowdhery2022
    """
    arguments.counts(width=width, hidden=hidden)
    arguments.positive(gain=gain)
    rng = np.random.default_rng(seed)
    x, attention = rng.standard_normal(width), rng.standard_normal((width, width)) * gain / np.sqrt(width)
    keys, values = (
        rng.standard_normal((2, hidden, width)) * np.array([1, gain]).reshape(2, 1, 1) / np.sqrt(width)
    )
    middle = x + x @ attention
    sequential = middle + mlp(middle, keys, values)
    parallel = middle + mlp(x, keys, values)
    return float(np.linalg.norm(parallel - sequential) / np.linalg.norm(sequential))


def steer(x: Array, direction: Array, readout: Array) -> float:
    """Change of a linear readout by adding a direction."""
    return float((x + direction) @ readout - x @ readout)


@verifier
def steering_shows_the_projection_only(
    width: int = 64, seeds: int = 8, most_cosine: float = 0.5, tolerance: float = 1e-10
) -> dict[str, int | float]:
    """Check that a random direction with a feature's projection moves a readout just as far.

    So that steering works does not show that the direction is the model's own feature.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        feature, other, x = np.random.default_rng(seed).standard_normal((3, width))
        other *= feature @ feature / (other @ feature)
        cosine = abs(other @ feature) / np.linalg.norm(other) / np.linalg.norm(feature)
        assert cosine < most_cosine, f"the other direction is the feature, cosine {cosine:.2f}"
        agree(steer(x, other, feature), steer(x, feature, feature), tolerance, "the shift of the readout")
    return {"width": width, "seeds": seeds, "tolerance": tolerance}


def linear_weight(inputs: int, outputs: int) -> Any:
    """Weight of PyTorch's linear map."""
    import torch

    return torch.nn.Linear(inputs, outputs).weight


@verifier
def linear_weights_are_out_by_in(inputs: int = 12, outputs: int = 30) -> dict[str, int]:
    """Check that PyTorch keeps a linear map's weight as [outputs, inputs].

    So a decoder's features are columns, with a norm for each latent along axis 0, and an unembedding's
    weight is [vocabulary, width].

    Unit: check
    Source: definition
    """
    weight = linear_weight(inputs, outputs)
    assert weight.shape == (outputs, inputs), f"the weight has shape {tuple(weight.shape)}"
    return {"inputs": inputs, "outputs": outputs}
