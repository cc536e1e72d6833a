"""Gradients through deep stacks: plain, residual, pre-norm and post-norm, from the last block to the first."""

from __future__ import annotations

import math

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array, agree
from verifiers.normalisation import layer_norm, layer_norm_backward

PLACEMENTS = ("plain", "residual", "pre", "post")


def stack(
    placement: str, blocks: int, width: int, tokens: int, gain: float, seed: int
) -> tuple[float, float]:
    """Gradient norms at the last block's input and at the first one's, for random upstream gradients.

    Blocks are linear → ReLU → linear, He-scaled with an output gain; the backward is written out by hand.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((tokens, width))
    tape: list[tuple[Array, Array, Array, Array, Array]] = []
    for _ in range(blocks):
        up = rng.standard_normal((width, width)) * math.sqrt(2 / width)
        down = rng.standard_normal((width, width)) * gain / math.sqrt(width)
        inner = (layer_norm(x) if placement == "pre" else x) @ up
        branch = np.maximum(inner, 0) @ down
        summed = branch if placement == "plain" else x + branch
        tape.append((x, up, down, inner, summed))
        x = layer_norm(summed) if placement == "post" else summed
    gradient = rng.standard_normal(x.shape)
    if placement == "pre":
        gradient = layer_norm_backward(x, gradient)
    first = last = 0.0
    for index, (x, up, down, inner, summed) in enumerate(reversed(tape)):
        if placement == "post":
            gradient = layer_norm_backward(summed, gradient)
        through = ((gradient @ down.T) * (inner > 0)) @ up.T
        if placement == "pre":
            through = layer_norm_backward(x, through)
        gradient = through if placement == "plain" else gradient + through
        first = float(np.linalg.norm(gradient))
        last = first if index == 0 else last
    return last, first


@verifier(tolerance=1e-6)
def gradient_ratio(
    placement: str, blocks: int, width: int = 64, tokens: int = 16, gain: float = 1.0, seeds: int = 4
) -> float:
    """Gradient at the first block's input over that at the last one's, at initialisation.

    Blocks are feed-forward ones with ReLU whose output has `gain` times the root mean square of their input.
    `plain` has neither skips nor norms, `residual` skips alone; pre-norm has one more norm before the head.

    Formula: geometric mean over seeds of ‖∂L/∂x_1‖ / ‖∂L/∂x_last‖.
    Shapes: x (tokens, width).
    Unit: 1
    Source: xiong2020
    """
    arguments.one_of("placement", placement, PLACEMENTS)
    arguments.counts(blocks=blocks, tokens=tokens, seeds=seeds)
    arguments.counts(2, width=width)
    arguments.positive(gain=gain)
    pairs = [stack(placement, blocks, width, tokens, gain, seed) for seed in range(seeds)]
    return math.exp(sum(math.log(first / last) for last, first in pairs) / seeds)


@verifier(tolerance=1e-6)
def last_weight_gradient(
    placement: str, blocks: int, width: int = 64, tokens: int = 64, seeds: int = 8
) -> float:
    """Gradient norm that one token gives the last block's output matrix, root mean square over tokens and seeds.

    Gradients of norm one on average arrive at the norm behind that block, with pre-norm the one before the head.

    Formula: √E[‖hidden‖² · ‖∂L/∂(x + f)‖²]: flat with depth in post-norm, as 1/√blocks in pre-norm.
    Unit: 1
    Source: xiong2020
    """
    arguments.one_of("placement", placement, ("pre", "post"))
    arguments.counts(blocks=blocks, tokens=tokens, seeds=seeds)
    arguments.counts(2, width=width)
    total = 0.0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((tokens, width))
        hidden = summed = x
        for _ in range(blocks):
            up = rng.standard_normal((width, width)) * math.sqrt(2 / width)
            down = rng.standard_normal((width, width)) / math.sqrt(width)
            hidden = np.maximum((layer_norm(x) if placement == "pre" else x) @ up, 0)
            summed = x + hidden @ down
            x = layer_norm(summed) if placement == "post" else summed
        upstream = rng.standard_normal((tokens, width)) / math.sqrt(width)
        arriving = layer_norm_backward(summed, upstream)
        total += float((hidden**2).sum(axis=1) @ (arriving**2).sum(axis=1)) / tokens
    return math.sqrt(total / seeds)


@verifier
def scaling_the_skip_up_scales_the_branch_down(
    width: int = 32, factors: tuple[float, ...] = (0.5, 2.0, 5.0), seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that under post-norm LN(a·x + f) is LN(x + f/a): DeepNorm's larger skip is a smaller branch.

    Without epsilon, for any a > 0.

    Unit: check
    Source: wang2022deepnet
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, branch = rng.standard_normal((2, width))
        for factor in factors:
            agree(
                layer_norm(factor * x + branch), layer_norm(x + branch / factor), tolerance, f"a = {factor:g}"
            )
    return {"width": width, "seeds": seeds, "tolerance": tolerance}


@verifier
def deepnorm(layers: int) -> dict[str, float]:
    """DeepNorm's constants for a decoder alone: the skip's factor and the initial gain of the branches.

    Formula: α = (2M)^(1/4), β = (8M)^(−1/4).
    Unit: 1
    Source: wang2022deepnet
    """
    arguments.counts(layers=layers)
    return {"alpha": (2 * layers) ** 0.25, "beta": (8 * layers) ** -0.25}
