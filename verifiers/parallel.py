"""Replicas, batches and gradients of data parallelism; activations and traffic of the other kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from proofdeck import verifier
from verifiers import arguments, collectives, dtypes, flops, memory, models


@verifier
def replicas(devices: int, tensor: int = 1, pipeline: int = 1, context: int = 1) -> int:
    """Degree of data parallelism: copies of the model among the devices.

    Formula: devices / (tensor · pipeline · context).
    Unit: 1
    Source: narayanan2021
    """
    arguments.counts(tensor=tensor, pipeline=pipeline, context=context)
    group = tensor * pipeline * context
    arguments.divides(devices, group, "devices")
    return devices // group


@verifier
def global_batch(
    microbatch: int,
    accumulation: int,
    devices: int,
    tensor: int = 1,
    pipeline: int = 1,
    context: int = 1,
) -> int:
    """Sequences in one step of the optimiser.

    Formula: micro-batch · accumulation steps · replicas, not devices.
    Unit: 1
    Source: narayanan2021
    """
    arguments.counts(microbatch=microbatch, accumulation=accumulation)
    return microbatch * accumulation * replicas(devices, tensor, pipeline, context)


@verifier
def gradient_traffic(model: str | float, devices: int, stage: int, dtype: str = "bf16") -> float:
    """Bytes that each device sends in a step of data parallelism under a ZeRO stage.

    Stages 0 to 2 sum gradients and spread the result, or the weights made of it; stage 3 gathers the
    weights for the forward and again for the backward, and scatters the sums of gradients of the same type.

    Formula: 2 · (n − 1) / n · bytes of the model; 3 · (n − 1) / n at stage 3.
    Unit: B
    Source: rajbhandari2020
    """
    memory.known_stage(stage)
    once = collectives.sent(memory.weights(model, dtype), devices, "all_gather")
    return (3 if stage == 3 else 2) * once


@verifier
def pipeline_traffic(model: str, tokens: int, dtype: str = "bf16") -> int:
    """Bytes that a pipeline stage sends to the next for `tokens` tokens, and receives back as gradients.

    Formula: tokens · d · bytes per element.
    Unit: B
    Source: narayanan2021
    """
    arguments.counts(tokens=tokens)
    return dtypes.nbytes(tokens * models.get(model).d_model, dtype)


@verifier
def activation_bytes(
    d_model: int,
    heads: int,
    tokens: int,
    batch: int = 1,
    tensor: int = 1,
    sequence_parallel: bool = False,
    recompute: str = "none",
) -> float:
    """Bytes that one plain block keeps for its backward on each device of a tensor-parallel group.

    16-bit activations, one-byte dropout masks, a feed-forward block four times as wide inside.

    Formula: s·b·h · (10 + 24/t + 5·a·s/(h·t)), the 10 divided too with sequence parallelism; the last
    term gone with "selective" recomputation; 2·s·b·h with "full".
    Unit: B
    Source: korthikanti2022
    """
    arguments.counts(tokens=tokens, batch=batch)
    arguments.divides(d_model, heads, "columns")
    arguments.divides(heads, tensor, "heads")
    arguments.one_of("recomputation", recompute, ("none", "selective", "full"))
    width = tokens * batch * d_model
    if recompute == "full":
        return 2 * width
    whole = 10 / (tensor if sequence_parallel else 1) + 24 / tensor
    core = 5 * heads * tokens**2 * batch / tensor if recompute == "none" else 0
    return whole * width + core


@verifier
def recompute_overhead(model: str, tokens: int, causal: bool = False) -> float:
    """FLOPs that recomputing every block's forward adds to a training step.

    Formula: forward of the blocks / (3 · whole forward): one third less the head's share.
    Unit: 1
    Source: korthikanti2022
    """
    kept, again = (
        flops.training(model, tokens, causal=causal, recompute=each)["total"] for each in (False, True)
    )
    return again / kept - 1


@verifier
def accumulated_gradient(
    sizes: Sequence[int], weighting: str = "equal", width: int = 16, seed: int = 0
) -> dict[str, float]:
    """Gradient accumulated over shards, against that of the mean loss over all tokens at once.

    Squared error of a linear model on random data. "equal" averages the shards' mean gradients, as data
    parallelism does; "sum" forgets to divide; "tokens" weights each shard by its size. `ratio` is the
    length found along the gradient over that gradient's own, `error` the distance to it over its length.

    Unit: ratio=1, error=1
    Source: definition
    """
    arguments.counts(shards=len(sizes), width=width)
    arguments.counts(0, seed=seed)
    arguments.counts(**{f"sizes[{index}]": size for index, size in enumerate(sizes)})
    arguments.one_of("weighting", weighting, ("equal", "sum", "tokens"))
    integers, count = np.random.default_rng(seed).integers, sum(sizes)
    x = integers(-9, 10, (count, width))
    y = x.sum(axis=1, keepdims=True) + integers(-9, 10, (count, 1))
    # gradients of (x·w + y)² / 2 at w = 0; whole numbers, so that equal gradients are equal
    shards = np.split(x * y, np.cumsum(sizes)[:-1])
    sums = np.array([shard.sum(axis=0) for shard in shards]).astype(object)
    share = {"equal": Fraction(1, len(sizes)), "sum": Fraction(1)}
    scale = [share.get(weighting, Fraction(size, count)) / size for size in sizes]
    whole, found = sums.sum(axis=0) / Fraction(count), np.array(scale) @ sums
    missed, length = found - whole, whole @ whole
    return {"ratio": float(found @ whole / length), "error": math.sqrt(missed @ missed / length)}
