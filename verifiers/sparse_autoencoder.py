"""Sparse autoencoders: their size, what their penalty means, and a small one trained."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, dtypes
from verifiers.calculus import agree

Array = npt.NDArray[np.float64]


@verifier
def latents(width: int, expansion: int) -> int:
    """Features in the dictionary of a sparse autoencoder.

    Formula: expansion · width.
    Unit: 1
    Source: bricken2023
    """
    arguments.counts(width=width, expansion=expansion)
    return expansion * width


@verifier
def parameters(width: int, expansion: int) -> int:
    """Parameters of an encoder and a decoder, each with a bias.

    Formula: 2 · width · latents + latents + width.
    Unit: param
    Source: bricken2023
    """
    features = latents(width, expansion)
    return 2 * width * features + features + width


@verifier
def training_bytes(width: int, expansion: int, dtype: str = "fp32", copies: int = 4) -> int:
    """Bytes of the weights, their gradients and Adam's two moments, all of one type.

    Formula: copies · parameters · bytes per element.
    Unit: B
    Source: definition
    """
    arguments.counts(copies=copies)
    return dtypes.nbytes(copies * parameters(width, expansion), dtype)


@verifier
def summed_penalty(penalty: float, width: int, latents: int, summed_error: bool = True) -> float:
    """Weight on the summed activations that equals `penalty` on their mean, beside a mean square error.

    With `summed_error`, the whole loss is scaled so that the error is a sum as well.

    Formula: penalty · width / latents, or penalty / latents.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(penalty=penalty)
    arguments.counts(width=width, latents=latents)
    return penalty * (width if summed_error else 1) / latents


class Autoencoder(NamedTuple):
    """Weights of an encoder [d, f] with bias [f] and of a decoder [f, d] with bias [d]."""

    encoder: Array
    encoder_bias: Array
    decoder: Array
    decoder_bias: Array

    def encode(self, x: Array) -> Array:
        """Activations [n, f] of inputs x [n, d], at least zero."""
        return np.maximum(x @ self.encoder + self.encoder_bias, 0)

    def decode(self, features: Array) -> Array:
        """Reconstructions [n, d] of activations [n, f]."""
        return features @ self.decoder + self.decoder_bias


def superposed(samples: int, width: int, features: int, active: float, seed: int) -> Array:
    """Samples [n, d]: sparse sums of more unit directions than dimensions, with positive weights."""
    rng = np.random.default_rng(seed)
    directions = unit(rng.standard_normal((features, width)))
    on = rng.binomial(1, active, (samples, features))
    return np.asarray((on * rng.uniform(0.5, 1.5, on.shape)) @ directions)


def unit(rows: Array) -> Array:
    """Rows scaled to length one."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def gradients(model: Autoencoder, x: Array, penalty: float) -> Autoencoder:
    """Gradients of the mean over samples of |x̂ - x|² + penalty · Σ activations."""
    features = model.encode(x)
    error = 2 * (model.decode(features) - x) / len(x)
    back = (error @ model.decoder.T + penalty / len(x)) * (features > 0)
    return Autoencoder(x.T @ back, back.sum(axis=0), features.T @ error, error.sum(axis=0))


def fit(
    model: Autoencoder, x: Array, penalty: float, steps: int, rate: float, unit_norm: bool
) -> Autoencoder:
    """Train by Adam on all samples at once, the decoder's rows kept at length one if asked."""
    weights = list(model)
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(1, steps + 1):
        for index, gradient in enumerate(gradients(Autoencoder(*weights), x, penalty)):
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            scaled = first[index] / (1 - 0.9**step)
            weights[index] = weights[index] - rate * scaled / (
                np.sqrt(second[index] / (1 - 0.999**step)) + 1e-8
            )
        if unit_norm:
            weights[2] = unit(weights[2])
    return Autoencoder(*weights)


def start(width: int, latents: int, bias: float, seed: int) -> Autoencoder:
    """Untrained weights: random unit rows in the decoder, their transpose in the encoder."""
    decoder = unit(np.random.default_rng(seed).standard_normal((latents, width)))
    return Autoencoder(decoder.T, np.full(latents, bias), decoder, np.zeros(width))


@verifier(tolerance=1e-3)
def trained(
    penalty: float,
    width: int = 16,
    latents: int = 64,
    bias: float = 0.0,
    unit_norm: bool = True,
    steps: int = 300,
    seed: int = 0,
) -> dict[str, float]:
    """Results of a small autoencoder trained on sparse sums of superposed directions.

    `penalty` weighs the summed activations beside the summed square error, `bias` is where the
    encoder's starts. 512 samples hold 5 % of twice as many directions as dimensions.

    Formula: unexplained = Σ |x̂ - x|² / Σ |x - mean|²; active = mean number of activations above zero;
    dead = share of latents that no sample activates; sum = mean sum of activations.
    Unit: unexplained=1, active=1, dead=1, sum=1, length=1
    Source: bricken2023
    """
    arguments.non_negative(penalty=penalty)
    arguments.counts(width=width, latents=latents, steps=steps)
    arguments.finite(bias=bias)
    x = superposed(512, width, 2 * width, 0.05, seed)
    model = fit(start(width, latents, bias, seed), x, penalty, steps, 0.01, unit_norm)
    features = model.encode(x)
    return {
        "unexplained": float(((model.decode(features) - x) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()),
        "active": float((features > 0).sum(axis=1).mean()),
        "dead": float((features == 0).all(axis=0).mean()),
        "sum": float(features.sum(axis=1).mean()),
        "length": float(np.linalg.norm(model.decoder, axis=1).mean()),
    }


def rescaled(model: Autoencoder, factor: float) -> Autoencoder:
    """Divide the encoder, and multiply the decoder's rows, by a factor."""
    return Autoencoder(
        model.encoder / factor, model.encoder_bias / factor, model.decoder * factor, model.decoder_bias
    )


@verifier
def rescaling_dodges_the_penalty(
    factor: float = 10.0,
    width: int = 16,
    latents: int = 64,
    samples: int = 64,
    active: float = 0.05,
    bias: float = 0.1,
    seed: int = 0,
    tolerance: float = 1e-10,
) -> dict[str, int | float]:
    """Check that a smaller encoder and a larger decoder cut the penalty by any factor at equal error.

    Rows of length one in the decoder prevent it: what they reconstruct shrinks with the activations.

    Unit: check
    Source: bricken2023
    """
    x = superposed(samples, width, latents, active, seed)
    model = start(width, latents, bias, seed)
    smaller = rescaled(model, factor)
    before, after = model.encode(x), smaller.encode(x)
    agree(smaller.decode(after), model.decode(before), tolerance, "the reconstruction")
    agree(after.sum() * factor, before.sum(), tolerance, "the penalty times the factor")
    kept = smaller._replace(decoder=unit(smaller.decoder)).decode(after)
    agree(kept * factor, model.decode(before), tolerance, "the reconstruction by rows of length one")
    return {"factor": factor, "width": width, "latents": latents, "tolerance": tolerance}
