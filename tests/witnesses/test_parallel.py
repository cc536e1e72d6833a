"""Replicas counted on a grid of devices, gradients by autograd, activations by tensors kept."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import flops, parallel

LLAMA = 6_738_415_616


@witnesses("parallel.replicas", "parallel.global_batch")
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (4, 2, 3, 1), (2, 8, 1, 2), (3, 1, 2, 2)])
def test_replicas_are_counted_on_a_grid_of_devices(shape: tuple[int, int, int, int]) -> None:
    grid = list(itertools.product(*(range(length) for length in shape)))
    copies = {place[0] for place in grid}
    told = parallel.replicas(len(grid), *shape[1:])
    assert told == len(copies) and isinstance(told, int)
    # every replica reads its own sequences, `accumulation` times a micro-batch of five
    read = {(copy, step, row) for copy in copies for step in range(3) for row in range(5)}
    assert parallel.global_batch(5, 3, len(grid), *shape[1:]) == len(read)


def test_impossible_grids_are_refused() -> None:
    assert parallel.replicas(6) == 6
    assert parallel.global_batch(1, 1, 1) == 1
    for wrong in ((0,), (8, 3), (8, 0), (8, 1, 0), (8, 1, 1, 0), (8, 16), (8, -1, -1)):
        with pytest.raises(ValueError):
            parallel.replicas(*wrong)
    for sizes in ((0, 1, 1), (1, 0, 1), (1, 1, 3, 2)):
        with pytest.raises(ValueError):
            parallel.global_batch(*sizes)


@witnesses("parallel.gradient_traffic")
@pytest.mark.parametrize("devices", [1, 2, 8, 64])
def test_gradients_travel_around_a_ring_twice_and_sharded_weights_once_more(devices: int) -> None:
    shard = 2 * LLAMA / devices
    hops = devices - 1
    gather = scatter = hops * shard
    for stage, moved in ((0, scatter + gather), (1, scatter + gather), (2, scatter + gather)):
        assert parallel.gradient_traffic("llama-2-7b", devices, stage) == pytest.approx(moved)
    assert parallel.gradient_traffic("llama-2-7b", devices, 3) == pytest.approx(gather + gather + scatter)
    assert parallel.gradient_traffic(1000, devices, 3, "fp32") == pytest.approx(12 * 1000 * hops / devices)
    for stage in (-1, 4, 1.5, True):
        with pytest.raises(ValueError, match="stage"):
            parallel.gradient_traffic(1000, devices, stage)


@witnesses("parallel.pipeline_traffic")
def test_a_stage_sends_its_activations() -> None:
    torch = pytest.importorskip("torch")
    for tokens, dtype, name in ((1, torch.bfloat16, "bf16"), (4096, torch.float32, "fp32")):
        state = torch.empty(tokens, 8192, dtype=dtype, device="meta")
        assert parallel.pipeline_traffic("llama-2-70b", tokens, name) == state.nbytes
    assert parallel.pipeline_traffic("llama-2-70b", 3) == 3 * 8192 * 2
    with pytest.raises(ValueError):
        parallel.pipeline_traffic("llama-2-70b", 0)


def kept_bytes(tokens: int, batch: int, width: int, heads: int, tensor: int, sequence: bool) -> float:
    """List the tensors of one block that a device keeps for its backward, and add their bytes up."""
    rows = tokens * batch
    local = width // tensor
    inputs = rows // tensor if sequence else rows  # of norms and dropouts
    kept = [
        ("input of first norm", inputs * width, 2),
        ("input of projections", inputs * width, 2),
        ("queries", rows * local, 2),
        ("keys", rows * local, 2),
        ("values", rows * local, 2),
        ("softmax output", heads // tensor * tokens**2 * batch, 2),
        ("dropout mask of weights", heads // tensor * tokens**2 * batch, 1),
        ("dropped weights", heads // tensor * tokens**2 * batch, 2),
        ("input of output projection", rows * local, 2),
        ("dropout mask after attention", inputs * width, 1),
        ("input of second norm", inputs * width, 2),
        ("input of feed-forward", inputs * width, 2),
        ("input of activation", rows * 4 * local, 2),
        ("input of second matrix", rows * 4 * local, 2),
        ("dropout mask after feed-forward", inputs * width, 1),
    ]
    return sum(elements * size for _, elements, size in kept)


@witnesses("parallel.activation_bytes")
@pytest.mark.parametrize("tensor", [1, 2, 4])
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_blocks_activations_add_up(tensor: int, sequence: bool, batch: int) -> None:
    tokens, width, heads = 16, 24, 4
    whole = kept_bytes(tokens, batch, width, heads, tensor, sequence)
    told = parallel.activation_bytes(width, heads, tokens, batch, tensor, sequence)
    assert told == pytest.approx(whole, rel=1e-12)
    core = 5 * heads // tensor * tokens**2 * batch
    selective = parallel.activation_bytes(width, heads, tokens, batch, tensor, sequence, "selective")
    assert selective == pytest.approx(whole - core, rel=1e-12)
    full = parallel.activation_bytes(width, heads, tokens, batch, tensor, sequence, "full")
    assert full == 2 * tokens * batch * width
    if tensor == batch == 1:
        assert parallel.activation_bytes(width, heads, tokens) == told == 34 * tokens * width + core
    if not sequence:
        assert parallel.activation_bytes(width, heads, tokens, batch, tensor) == told


def test_impossible_blocks_are_refused() -> None:
    assert parallel.activation_bytes(1, 1, 1) == 39
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1, 0), (1, 1, 1, 1, 2), (1, 1, 1, 1, 0), (9, 2, 1)):
        with pytest.raises(ValueError):
            parallel.activation_bytes(*wrong)
    with pytest.raises(ValueError, match="recomputation"):
        parallel.activation_bytes(1, 1, 1, recompute="some")


@witnesses("parallel.recompute_overhead")
def test_recomputation_adds_the_blocks_forward() -> None:
    for causal in (False, True):
        once = flops.forward("llama-2-7b", 2048, causal=causal)
        again = once["total"] - once["head"]
        told = parallel.recompute_overhead("llama-2-7b", 2048, causal)
        assert told == pytest.approx(again / (3 * once["total"]), rel=1e-12)
    assert parallel.recompute_overhead("llama-2-7b", 2048) > parallel.recompute_overhead(
        "llama-2-7b", 2048, True
    )


@witnesses("parallel.accumulated_gradient")
@pytest.mark.parametrize("sizes", [(8, 8, 8, 8), (4, 28), (1, 2, 3, 9), (5,)])
@pytest.mark.parametrize("weighting", ["equal", "sum", "tokens"])
@pytest.mark.parametrize("seed", [0, 3])
def test_accumulated_gradients_by_autograd(sizes: tuple[int, ...], weighting: str, seed: int) -> None:
    torch = pytest.importorskip("torch")
    integers = np.random.default_rng(seed).integers
    x = torch.tensor(integers(-9, 10, (sum(sizes), 16)), dtype=torch.float64)
    y = -x.sum(dim=1) - torch.tensor(integers(-9, 10, (sum(sizes), 1)), dtype=torch.float64)[:, 0]

    def gradient(part: slice) -> Any:
        w = torch.zeros(16, dtype=torch.float64, requires_grad=True)
        (0.5 * (x[part] @ w - y[part]).square().mean()).backward()
        return w.grad

    whole = gradient(slice(None))
    found, start = torch.zeros(16, dtype=torch.float64), 0
    for size in sizes:
        scale = {"equal": 1 / len(sizes), "sum": 1.0, "tokens": size / sum(sizes)}[weighting]
        found += scale * gradient(slice(start, start + size))
        start += size
    told = parallel.accumulated_gradient(sizes, weighting, seed=seed)
    assert told["ratio"] == pytest.approx(float(found @ whole / (whole @ whole)), rel=1e-9)
    assert told["error"] == pytest.approx(float((found - whole).norm() / whole.norm()), rel=1e-9, abs=1e-12)
    if weighting == "tokens" or (len(set(sizes)) == 1 and weighting == "equal"):
        assert told == {"ratio": 1.0, "error": 0.0}
    if weighting == "equal" and seed == 0:
        assert parallel.accumulated_gradient(sizes) == told


def test_gradients_of_other_widths_and_impossible_shards() -> None:
    wide = parallel.accumulated_gradient((3, 9), width=64)
    assert wide != parallel.accumulated_gradient((3, 9))
    assert parallel.accumulated_gradient((3, 9), "sum")["error"] > 0.5
    assert math.isfinite(parallel.accumulated_gradient((1, 1), width=1, seed=1)["error"])
    for wrong in ((0, 3), (3, 0), (1.5, 2)):
        with pytest.raises(ValueError, match="sizes"):
            parallel.accumulated_gradient(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shards"):
        parallel.accumulated_gradient(())
    with pytest.raises(ValueError, match="width"):
        parallel.accumulated_gradient((1, 2), width=0)
    for seed in (-1, True, 1.5):
        with pytest.raises(ValueError, match="seed must"):
            parallel.accumulated_gradient((1, 2), seed=seed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weighting"):
        parallel.accumulated_gradient((1, 2), "loss")
