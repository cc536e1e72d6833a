"""Images as tokens: patches, what a vision transformer costs, and what its first layer assumes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, encoders
from verifiers.calculus import agree

Array = npt.NDArray[np.float64]


def convolve(image: Array, kernels: Array, stride: int) -> Array:
    """Cross-correlate an image (channels, height, width) with kernels (out, channels, k, k)."""
    *_, size = kernels.shape
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return np.asarray(np.einsum("chwij,ocij->ohw", windows[:, ::stride, ::stride], kernels))


def patchify(image: Array, patch: int) -> Array:
    """Cut an image (channels, height, width) into rows of patches (patches, channels · patch²)."""
    channels, height, width = image.shape
    cut = image.reshape(channels, height // patch, patch, width // patch, patch)
    return np.asarray(cut.transpose(1, 3, 0, 2, 4).reshape(cut.shape[1] * cut.shape[3], channels * patch**2))


@verifier
def patch_embedding_is_a_convolution(
    image: int = 12,
    patch: int = 4,
    width: int = 5,
    seeds: int = 4,
    tolerance: float = 1e-12,
    channels: int = 3,
) -> dict[str, int | float]:
    """Flattened patches times a matrix are a convolution whose kernel and stride are the patch.

    So one small matrix is shared by all places: local, and blind to where a patch lies.

    Unit: check
    Source: dosovitskiy2021
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        pixels = rng.standard_normal((channels, image, image))
        kernels = rng.standard_normal((width, channels, patch, patch))
        matrix = [kernel.ravel() for kernel in kernels]
        convolved = [plane.ravel() for plane in convolve(pixels, kernels, patch)]
        agree(
            np.array(matrix) @ patchify(pixels, patch).T,
            convolved,
            tolerance,
            f"seed {seed}: the convolution",
        )
    return {"image": image, "patch": patch, "seeds": seeds, "tolerance": tolerance}


def circular(image: Array, kernels: Array) -> Array:
    """Convolve on a torus, where shifts have no edge to fall off."""
    *_, size = kernels.shape
    return convolve(np.pad(image, ((0, 0), (0, size - 1), (0, size - 1)), mode="wrap"), kernels, 1)


@verifier
def convolution_commutes_with_shifts(
    image: int = 8,
    size: int = 3,
    shift: int = 3,
    seeds: int = 4,
    tolerance: float = 1e-12,
    layer: Callable[[Array, Array], Array] = circular,
    channels: int = 3,
    outputs: int = 4,
) -> dict[str, int | float]:
    """A shifted image gives the shifted output of a convolution.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        pixels = rng.standard_normal((channels, image, image))
        kernels = rng.standard_normal((outputs, channels, size, size))
        shifted = layer(np.roll(pixels, shift, axis=2), kernels)
        moved = np.roll(layer(pixels, kernels), shift, axis=2)
        agree(shifted, moved, tolerance, f"seed {seed}: the output of the shifted image")
    return {"image": image, "shift": shift, "seeds": seeds, "tolerance": tolerance}


@verifier
def flops(model: str, patch: int | None = None) -> dict[str, int]:
    """FLOPs of a vision transformer's layers for one image: matrices, score and value products, and all.

    Patches and classifier are left out.

    Formula: matrices 2 · tokens · layers · (4 d² + 2 d · d_ff); attention 4 · tokens² · layers · d.
    Unit: matrices=FLOP, attention=FLOP, total=FLOP
    Source: dosovitskiy2021
    """
    vision = encoders.get(model)
    if not isinstance(vision, encoders.Vision):
        raise ValueError(f"{model} is no vision transformer")
    tokens = encoders.patches(vision.image, vision.patch if patch is None else patch)
    stack = vision.stack
    matrices = 2 * tokens * stack.layers * (4 * stack.d_model**2 + 2 * stack.d_model * stack.d_ff)
    attention = 4 * tokens**2 * stack.layers * stack.d_model
    return {"matrices": matrices, "attention": attention, "total": matrices + attention}


@verifier
def attention_share(model: str, patch: int | None = None) -> float:
    """Share of a vision transformer's FLOPs in the products that grow with the square of its tokens.

    Unit: 1
    Source: dosovitskiy2021
    """
    found = flops(model, patch)
    return found["attention"] / found["total"]


@verifier
def tile_tokens(
    width: int,
    height: int,
    per_tile: int,
    base: int,
    tile: int = 512,
    longest: int = 2048,
    shortest: int = 768,
) -> int:
    """Tokens of an image billed by tiles: fitted into a square, shrunk to a short side, cut into tiles.

    Formula: base + per_tile · ⌈width / tile⌉ · ⌈height / tile⌉ after both shrinkings; nothing is enlarged,
    which the source leaves open.
    Unit: token
    Source: openai2024vision
    """
    arguments.counts(width=width, height=height, tile=tile, longest=longest, shortest=shortest)
    arguments.counts(0, per_tile=per_tile, base=base)
    fit = min(1.0, longest / max(width, height))
    fit *= min(1.0, shortest / (fit * min(width, height)))
    across, down = (math.ceil(round(side * fit, 6) / tile) for side in (width, height))
    return base + per_tile * across * down


@verifier
def area_tokens(width: int, height: int, pixels_per_token: float) -> float:
    """Tokens of an image billed by its area.

    Formula: width · height / pixels per token.
    Unit: token
    Source: definition
    """
    arguments.counts(width=width, height=height)
    arguments.positive(pixels_per_token=pixels_per_token)
    return width * height / pixels_per_token


@verifier
def missed_event(frames: int, every: int) -> float:
    """Probability that looking at one frame in `every` misses an event of `frames` frames.

    Formula: max(0, 1 − frames / every), the offset of the sampled frames being uniform.
    Unit: 1
    Source: definition
    """
    arguments.counts(frames=frames, every=every)
    return max(0.0, 1 - frames / every)
