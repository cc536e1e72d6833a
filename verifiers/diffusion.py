"""Diffusion models: noise schedules, the reverse step, guidance, and the passes that an image takes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree

Array = npt.NDArray[np.float64]
SCHEDULES = ("linear", "cosine")


def betas(schedule: str, steps: int) -> Array:
    """Noise added by each step: linear from 1e-4 to 0.02 over a thousand steps, or cosine, at most 0.999."""
    arguments.one_of("schedule", schedule, SCHEDULES)
    arguments.counts(2, steps=steps)
    if schedule == "linear":
        # another number of steps keeps the total noise
        return np.asarray(np.minimum(np.linspace(1e-4, 0.02, steps) * 1000 / steps, 0.999))
    times = np.arange(steps + 1) / steps
    kept = np.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return np.asarray(np.minimum(1 - kept[1:] / kept[:-1], 0.999))


@verifier
def kept(schedule: str, steps: int, step: int | None = None) -> dict[str, float]:
    """What the noisy sample keeps after `step` steps, all by default: ᾱ, its root, and the noise's scale.

    Formula: ᾱ_t = Π (1 − β_s); x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · ε.
    Unit: 1
    Source: ho2020, nichol2021
    """
    added = betas(schedule, steps)
    last = steps if step is None else step
    arguments.counts(step=last)
    if last > steps:
        raise ValueError(f"step {last} lies beyond the {steps} steps")
    product = float(np.prod(1 - added[:last]))
    return {"product": product, "signal": math.sqrt(product), "noise": math.sqrt(1 - product)}


def moments(added: Array, mean: float, variance: float) -> tuple[float, float]:
    """Mean and variance of a sample after noising it step by step."""
    for beta in added:
        mean *= math.sqrt(1 - beta)
        variance = (1 - beta) * variance + beta
    return mean, variance


@verifier
def one_jump_equals_all_steps(
    steps: int = 300, mean: float = 2.0, variance: float = 0.25, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Noising in one jump by ᾱ gives the mean and variance of noising step by step.

    Unit: check
    Source: ho2020
    """
    for schedule in SCHEDULES:
        found = kept(schedule, steps)
        walked = moments(betas(schedule, steps), mean, variance)
        jumped = (found["signal"] * mean, found["product"] * variance + found["noise"] ** 2)
        agree(walked, jumped, tolerance, f"{schedule}: the jump")
    return {"steps": steps, "tolerance": tolerance}


def reverse_mean(x: float, noise: float, beta: float, product: float) -> float:
    """The reverse step's mean, told by the noise: (x − β/√(1 − ᾱ) · ε)/√(1 − β)."""
    return (x - beta / math.sqrt(1 - product) * noise) / math.sqrt(1 - beta)


@verifier
def reverse_mean_is_the_posterior_mean(
    steps: int = 1000, stride: int = 37, seed: int = 0, tolerance: float = 1e-9
) -> dict[str, int | float]:
    """With the true noise, the reverse step's mean is that of q(x_{t−1} | x_t, x_0), by Bayes' rule.

    Unit: check
    Source: ho2020
    """
    rng = np.random.default_rng(seed)
    added = betas("linear", steps)
    products = np.cumprod(1 - added)
    for t in range(1, steps, stride):
        clean, noise = rng.standard_normal(2)
        x = math.sqrt(products[t]) * clean + math.sqrt(1 - products[t]) * noise
        # precisions of x_{t−1} given x_0, and of x_t as a message about it
        prior, message = 1 / (1 - products[t - 1]), (1 - added[t]) / added[t]
        centre = prior * math.sqrt(products[t - 1]) * clean + message * x / math.sqrt(1 - added[t])
        ours = reverse_mean(x, noise, added[t], products[t])
        agree(ours, centre / (prior + message), tolerance, f"step {t}: the mean")
    return {"steps": steps, "stride": stride, "tolerance": tolerance}


@verifier(tolerance=1e-9)
def sampled(schedule: str, steps: int, mean: float, variance: float) -> dict[str, float]:
    """Mean and standard deviation of what ancestral sampling draws, with a perfect model of normal data.

    Each step adds noise of variance β. All is linear and normal, so that no sampling is needed.

    Formula: E[ε | x_t] = √(1 − ᾱ)(x_t − √ᾱ·mean)/(ᾱ·variance + 1 − ᾱ).
    Unit: 1
    Source: ho2020
    """
    arguments.finite(mean=mean)
    arguments.positive(variance=variance)
    added = betas(schedule, steps)
    products = np.cumprod(1 - added)
    centre, spread = 0.0, 1.0
    for t in range(steps - 1, -1, -1):
        slope = math.sqrt(1 - products[t]) / (products[t] * variance + 1 - products[t])
        offset = -slope * math.sqrt(products[t]) * mean
        centre = reverse_mean(centre, slope * centre + offset, added[t], products[t])
        gain = reverse_mean(1, slope, added[t], products[t])
        # the last step adds no noise
        spread = gain**2 * spread + (added[t] if t else 0)
    return {"mean": float(centre), "std": math.sqrt(spread)}


@verifier
def guided(unconditional: float, conditional: float, weight: float) -> float:
    """Noise prediction with classifier-free guidance.

    Formula: ε_u + w · (ε_c − ε_u); zero is unconditional, one conditional, more extrapolates. The paper's
    own weight is one less.
    Unit: 1
    Source: ho2022
    """
    arguments.finite(unconditional=unconditional, conditional=conditional, weight=weight)
    return unconditional + weight * (conditional - unconditional)


@verifier
def guided_normal(
    weight: float, mean: float, variance: float, prior_mean: float = 0.0, prior_variance: float = 1.0
) -> dict[str, float]:
    """The density whose score is the guided one of clean data, for normal prior and conditional.

    Guidance at every noise level does not draw from it exactly, but this is where it pushes: for a weight
    above one and a conditional narrower than the prior, narrower still and beyond the conditional's mean.

    Formula: p^(1−w) · p_c^w; precision (1 − w)/prior variance + w/variance.
    Unit: 1
    Source: ho2022
    """
    arguments.finite(weight=weight, mean=mean, prior_mean=prior_mean)
    arguments.positive(variance=variance, prior_variance=prior_variance)
    precision = (1 - weight) / prior_variance + weight / variance
    if precision <= 0:
        raise ValueError(f"a weight of {weight} leaves no density: the precision is {precision}")
    centre = ((1 - weight) * prior_mean / prior_variance + weight * mean / variance) / precision
    return {"mean": centre, "std": math.sqrt(1 / precision)}


@verifier(tolerance=1e-9)
def loss_of_silence(values: int = 4096, samples: int = 64) -> float:
    """Mean squared error of a model that predicts zero for the noise, as one with a zeroed output layer does.

    Formula: E[ε²] = 1.
    Unit: 1
    Source: ho2020
    """
    arguments.counts(values=values, samples=samples)
    noise = np.random.default_rng(0).standard_normal((samples, values))
    return float((noise**2).mean())


@verifier
def latent(height: int, width: int, factor: int = 8, channels: int = 4) -> dict[str, float]:
    """Values of an image's latent, and how many times fewer than its three colours' they are.

    Formula: (height / factor) · (width / factor) · channels; 3 · factor² / channels.
    Unit: 1
    Source: rombach2022
    """
    arguments.divides(height, factor, "rows")
    arguments.divides(width, factor, "columns")
    arguments.counts(channels=channels)
    values = (height // factor) * (width // factor) * channels
    return {"values": values, "reduction": 3 * height * width / values}


@verifier
def passes(steps: int, conditions: int = 1) -> int:
    """Runs of the network for one image: one a step, and one more for every guided condition.

    Unit: 1
    Source: ho2022
    """
    arguments.counts(steps=steps)
    arguments.counts(0, conditions=conditions)
    return steps * (1 + conditions)


@verifier
def time(flops: float, steps: int, peak: float, utilisation: float, conditions: int = 1) -> float:
    """Seconds of one device for one image.

    Formula: FLOPs a pass · passes / (peak · utilisation).
    Unit: s
    Source: definition
    """
    arguments.positive(flops=flops, peak=peak, utilisation=utilisation)
    arguments.shares(utilisation=utilisation)
    return flops * passes(steps, conditions) / (peak * utilisation)
