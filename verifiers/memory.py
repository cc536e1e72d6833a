"""Memory of weights, gradients and optimiser states, whole or sharded, and the devices that hold it."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, dtypes, hardware, inference_time, kv_cache, parameters

MOMENTS = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adagrad": 1, "lion": 1, "adam": 2, "adamw": 2}
"""Numbers that an optimiser keeps for each parameter."""


SHARDED_FROM = {"master": 1, "moments": 1, "gradients": 2, "weights": 3}
"""ZeRO stage from which on a part is sharded."""
MIXED = ("bf16", "bf16", "fp32", "fp32")
"""Types of weights, gradients, master copies and moments in mixed precision."""


def known_stage(stage: int) -> None:
    """Raise ValueError unless ZeRO has this stage."""
    arguments.counts(0, stage=stage)
    if stage > 3:
        raise ValueError(f"stage must be 0, 1, 2 or 3, not {stage!r}")


def _count(model: str | float, only_active: bool = False) -> int:
    """Parameters of a model given by name, or the number itself."""
    if isinstance(model, str):
        return parameters.active(model) if only_active else parameters.count(model)
    arguments.positive(model=model)
    if model != int(model):
        raise ValueError(f"a model has a whole number of parameters, not {model}")
    return int(model)


@verifier
def weights(model: str | float, dtype: str = "bf16") -> int:
    """Bytes of a model's weights, given by name or by its number of parameters.

    Formula: parameters · bytes per element.
    Unit: B
    Source: definition
    """
    return dtypes.nbytes(_count(model), dtype)


def _bytes_each(optimizer: str, types: tuple[str, str, str | None, str]) -> dict[str, float]:
    """Bytes per parameter of weights, gradients, master copies and moments."""
    arguments.one_of("optimizer", optimizer, MOMENTS)
    kept, gradients, master, moments = types
    return {
        "weights": dtypes.bits(kept) / 8,
        "gradients": dtypes.bits(gradients) / 8,
        "master": dtypes.bits(master) / 8 if master else 0.0,
        "moments": MOMENTS[optimizer] * dtypes.bits(moments) / 8,
    }


@verifier
def training(
    model: str | float,
    optimizer: str = "adamw",
    dtype: str = "bf16",
    gradients: str = "bf16",
    master: str | None = "fp32",
    moments: str = "fp32",
) -> dict[str, float]:
    """Bytes of what training keeps for each parameter, activations apart.

    Formula: parameters · (weights + gradients + master copy + moments): 2 + 2 + 4 + 8 = 16 bytes each
    in mixed precision with Adam.
    Unit: weights=B, gradients=B, master=B, moments=B, total=B
    Source: rajbhandari2020
    """
    each = _bytes_each(optimizer, (dtype, gradients, master, moments))
    found = {part: _count(model) * size for part, size in each.items()}
    return found | {"total": sum(found.values())}


@verifier
def zero(
    model: str | float,
    devices: int,
    stage: int,
    optimizer: str = "adamw",
    dtype: str = "bf16",
    gradients: str = "bf16",
    master: str | None = "fp32",
    moments: str = "fp32",
) -> dict[str, float]:
    """Bytes on each device under ZeRO; every device's shard is the largest, where they are not equal.

    Stage 1 shards master copies and moments, stage 2 gradients too, stage 3 weights too; stage 0, plain
    data parallelism, nothing.

    Formula: parameters · bytes, or ceil(parameters / devices) · bytes where sharded.
    Unit: weights=B, gradients=B, master=B, moments=B, total=B
    Source: rajbhandari2020
    """
    arguments.counts(devices=devices)
    known_stage(stage)
    whole = _count(model)
    shard = -(-whole // devices)
    each = _bytes_each(optimizer, (dtype, gradients, master, moments))
    found = {part: (shard if stage >= SHARDED_FROM[part] else whole) * size for part, size in each.items()}
    return found | {"total": sum(found.values())}


@verifier
def zero_bytes_per_parameter(devices: int, stage: int, optimizer: str = "adamw") -> float:
    """Bytes on each device for each of the model's parameters, in mixed precision.

    Formula: 16; 4 + 12 / n; 2 + 14 / n; 16 / n for stages 0 to 3 with Adam.
    Unit: B
    Source: rajbhandari2020
    """
    return zero(devices, devices, stage, optimizer)["total"] / devices


@verifier
def devices(nbytes: float, device: str, usable: float = 1.0) -> int:
    """Fewest devices whose memory together holds so many bytes, a share of each being usable.

    Formula: ceil(bytes / (memory · usable)), memory as the vendor prints it.
    Unit: 1
    Source: definition
    """
    arguments.positive(nbytes=nbytes, usable=usable)
    return math.ceil(Fraction(nbytes) / hardware.room(device, usable=usable))


@verifier
def devices_for_weights(model: str | float, device: str, dtype: str = "bf16", usable: float = 1.0) -> int:
    """Fewest devices that hold a model's weights and nothing else.

    Unit: 1
    Source: definition
    """
    return devices(weights(model, dtype), device, usable)


@verifier
def devices_for_training(
    model: str | float, device: str, stage: int = 3, usable: float = 1.0, optimizer: str = "adamw"
) -> int:
    """Fewest devices on which a ZeRO stage's share fits in mixed precision, activations apart.

    Formula: least n with zero(n) ≤ memory · usable; none where what is not sharded is too large.
    Unit: 1
    Source: rajbhandari2020
    """
    arguments.positive(usable=usable)
    known_stage(stage)
    whole = _count(model)
    each = {part: Fraction(size) for part, size in _bytes_each(optimizer, MIXED).items()}
    kept = sum(size for part, size in each.items() if stage < SHARDED_FROM[part])
    spread = sum(each.values()) - kept
    room = hardware.room(device, usable=usable) - kept * whole
    if spread * whole <= room:
        return 1
    if not spread or room < spread:  # not even one parameter's share fits
        raise ValueError(f"stage {stage} leaves too much on each {device}, however many there are")
    return math.ceil(whole / (room // spread))


@verifier
def largest_model(device: str, bytes_per_parameter: float, devices: int = 1, usable: float = 1.0) -> float:
    """Parameters that fit into the memory of so many devices.

    Formula: devices · memory · usable / bytes per parameter.
    Unit: param
    Source: definition
    """
    arguments.positive(bytes_per_parameter=bytes_per_parameter, usable=usable)
    return float(hardware.room(device, devices, usable)) / bytes_per_parameter


@verifier
def read_time(
    model: str | float, device: str, dtype: str = "bf16", devices: int = 1, only_active: bool = False
) -> float:
    """Least time to read all of a model's weights once, its table of tokens too.

    A decode step reads all but that table, of which it looks rows up: inference_time.decode_step.

    Formula: bytes / (devices · bandwidth).
    Unit: s
    Source: williams2009
    """
    arguments.counts(devices=devices)
    read = dtypes.nbytes(_count(model, only_active), dtype)
    return read / (devices * hardware.bandwidth(device))


@verifier
def decode_bytes(
    model: str, batch: int, context: int, kv_heads: int | None = None, dtype: str = "bf16"
) -> dict[str, float]:
    """Bytes that one decode step reads at least: weights once, and every sequence's cache, all layers'.

    Without a table of which rows are looked up, and without the experts that random routing leaves out.

    Unit: weights=B, cache=B, total=B, cache_share=1
    Source: shazeer2019
    """
    cache = kv_cache.nbytes(model, context, kv_heads, dtype, batch)
    read = inference_time.weights_read(model, batch, dtype)
    return {"weights": read, "cache": cache, "total": read + cache, "cache_share": cache / (read + cache)}
