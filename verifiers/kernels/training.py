"""Training: backward over forward, checkpointing, the optimiser's step, autocast, accumulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, decoder, timing

HEADS = 16
LIMIT = 5e-2
"""bf16 gradients through several layers, against float64."""


def _stack(layers: int, width: int, dtype: str) -> list[Any]:
    timing.positive(layers=layers, width=width)
    return [decoder.block(width, HEADS).to(timing.dtype_of(dtype)) for _ in range(layers)]


def _run(stack: list[Any], x: Any, call: Callable[[Any, Any], Any] | None = None) -> Any:
    for part in stack:
        x = call(part, x) if call else part(x)
    return x


def _gradients(stack: list[Any], x: Any, run: Callable[[], Any], seed: Any) -> Any:
    """Return the gradients of every weight and of the input, as of layers inside a model; nothing is accumulated."""
    import torch

    weights = [w for part in stack for w in part.parameters()]
    return torch.autograd.grad(run(), [*weights, x], seed)


def _forget(stack: list[Any], *inputs: Any) -> None:
    """Drop all gradients, so that a step adds to none and a peak counts its own."""
    for part in stack:
        part.zero_grad(set_to_none=True)
    for x in inputs:
        x.grad = None


def _checked(stack: list[Any], run: Callable[[Any], Any], width: int, dtype: str, limit: float) -> float:
    """Compare the first layer's output gradients on 32 tokens with the same stack in float64."""
    import copy

    import torch

    kind = timing.dtype_of(dtype)
    x, seed = (timing.random(1, 32, width, dtype=kind, seed=s) for s in (5, 6))
    got = torch.autograd.grad(run(x), list(stack[0].parameters()), seed)
    high = [copy.deepcopy(part).double() for part in stack]
    expected = torch.autograd.grad(_run(high, x.double()), list(high[0].parameters()), seed.double())
    return timing.error(_flat(got), _flat(expected), limit)


def _flat(tensors: Any) -> Any:
    import torch

    return torch.cat([t.double().flatten() for t in tensors])


def _flops(layers: int, width: int, tokens: int) -> float:
    """FLOPs of a forward: 24 width² a token and layer, and causal attention."""
    return layers * tokens * (24 * width**2 + 2 * width * tokens)


@measurement
def backward(width: int = 4096, tokens: int = 4096, layers: int = 2) -> dict[str, Any]:
    """Time of the backward pass over that of the forward, in a stack of bf16 blocks.

    Formula: backward = (forward and backward together) - forward.
    Unit: s, ratio=1, forward share=1, step share=1
    Source: kaplan2020
    """
    timing.positive(tokens=tokens)
    stack = _stack(layers, width, "bf16")
    bf16 = timing.dtype_of("bf16")
    x, seed = (timing.random(1, tokens, width, dtype=bf16, seed=s) for s in (1, 2))
    x.requires_grad_()
    error = _checked(stack, lambda small: _run(stack, small), width, "bf16", LIMIT)
    runs: dict[str, Callable[[], Any]] = {
        "forward": lambda: _run(stack, x),
        "step": lambda: _gradients(stack, x, lambda: _run(stack, x), seed),
    }
    samples = timing.clock(runs)
    floor = _flops(layers, width, tokens) / ceilings.product_rate("bf16")
    value = {name: s.median for name, s in samples.items()}
    value["backward"] = value["step"] - value["forward"]
    value["ratio"] = value["backward"] / value["forward"]
    value["forward share"], value["step share"] = floor / value["forward"], 3 * floor / value["step"]
    roofs = {"forward": value["forward share"], "step": value["step share"]}
    return timing.report(value, samples, {"gradients": error}, roofs, layers=layers, tokens=tokens)


@measurement
def checkpointing(width: int = 2048, tokens: int = 16384, layers: int = 8) -> dict[str, Any]:
    """A training step with everything kept, and with every block checkpointed, reentrant or not.

    Formula: overhead = time / time with everything kept - 1; saving = peak kept / peak.
    Unit: s, kept memory=B, reentrant memory=B, modern memory=B, reentrant overhead=1, modern overhead=1, reentrant saving=1, modern saving=1
    Source: chen2016
    """
    from torch.utils.checkpoint import checkpoint

    timing.positive(tokens=tokens)
    stack = _stack(layers, width, "bf16")
    bf16 = timing.dtype_of("bf16")
    x, seed = (timing.random(1, tokens, width, dtype=bf16, seed=s) for s in (1, 2))
    x.requires_grad_()  # without it the reentrant kind would give no gradients at all
    calls: dict[str, Callable[[Any, Any], Any] | None] = {
        "kept": None,
        "reentrant": lambda part, y: checkpoint(part, y, use_reentrant=True),
        "modern": lambda part, y: checkpoint(part, y, use_reentrant=False),
    }

    def step(name: str) -> Callable[[], Any]:
        def run() -> Any:
            _forget(stack, x)
            _run(stack, x, calls[name]).backward(seed)
            return stack[0].qkv.weight.grad

        return run

    steps = {name: step(name) for name in calls}
    kept = steps["kept"]()
    errors = {name: timing.error(run(), kept, 1e-2) for name, run in steps.items() if name != "kept"}
    errors["kept"] = _checked(stack, lambda small: _run(stack, small), width, "bf16", LIMIT)
    del kept
    samples = timing.clock(steps)
    floor = _flops(layers, width, tokens) / ceilings.product_rate("bf16")
    roofs = {name: (3 if name == "kept" else 4) * floor / s.median for name, s in samples.items()}
    value = {name: s.median for name, s in samples.items()}
    for name in ("reentrant", "modern"):
        value[f"{name} overhead"] = value[name] / value["kept"] - 1
    peaks: dict[str, int | None] = {}
    for name, run in steps.items():
        _forget(stack, x)
        peaks[name] = timing.peak(run)
    value |= {f"{name} memory": size for name, size in peaks.items() if size}
    for name in ("reentrant", "modern"):
        if peaks["kept"] and peaks[name]:
            value[f"{name} saving"] = value["kept memory"] / value[f"{name} memory"]
    return timing.report(value, samples, errors, roofs, layers=layers, width=width, tokens=tokens)


@measurement
def optimiser(tensors: int = 256, elements: int = 2**20) -> dict[str, Any]:
    """One AdamW step on fp32 weights in many tensors: a loop, grouped operations, one fused kernel.

    Formula: share = 28 B a weight (weight, gradient and both moments read, all but the gradient written)
        / time / copy bandwidth.
    Unit: s, grouped speedup=1, fused speedup=1, fused share=1, loop share=1
    Source: definition
    """
    import torch

    timing.positive(tensors=tensors, elements=elements)
    ways: dict[str, dict[str, bool]] = {
        "loop": {"foreach": False}, "grouped": {"foreach": True}, "fused": {"fused": True},
    }  # fmt: skip
    errors: dict[str, float] = {}

    def maker(name: str) -> Callable[[], Callable[[], Any]]:
        def make() -> Callable[[], Any]:
            weights = [timing.random(elements, seed=n).requires_grad_() for n in range(tensors)]
            for n, weight in enumerate(weights):
                weight.grad = timing.random(elements, seed=1000 + n)
            first = weights[0].detach().double(), weights[0].grad.double()
            chosen = torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.1, **ways[name])
            chosen.step()
            expected = first[0] * (1 - 1e-2 * 0.1) - 1e-2 * first[1] / (first[1].abs() + 1e-8)
            errors[name] = timing.error(weights[0].detach(), expected, 1e-5)
            return chosen.step

        return make

    functions, skipped = timing.usable({name: maker(name) for name in ways})
    samples = timing.clock(functions)
    value = {name: s.median for name, s in samples.items()}
    roofs = {name: 28 * tensors * elements / t / ceilings.copy_rate() for name, t in value.items()}
    value |= {
        f"{name} speedup": value["loop"] / value[name] for name in ("grouped", "fused") if name in value
    }
    value |= {f"{name} share": roofs[name] for name in ("loop", "fused") if name in roofs}
    return timing.report(value, samples, errors, roofs, skipped, tensors=tensors, elements=elements)


@measurement
def precision(width: int = 2048, tokens: int = 8192, layers: int = 4) -> dict[str, Any]:
    """Forward and backward in fp32, in tf32, under bf16 autocast, and with bf16 weights.

    Formula: speedup = fp32 / the variant's time.
    Unit: s, tf32 speedup=1, autocast speedup=1, bf16 speedup=1, autocast over tf32=1, fp32 memory=B, autocast memory=B, bf16 memory=B
    Source: micikevicius2018
    """
    import torch

    timing.positive(tokens=tokens)
    full, low = _stack(layers, width, "fp32"), _stack(layers, width, "bf16")
    x, seed = (timing.random(1, tokens, width, seed=s) for s in (1, 2))
    bf16 = timing.dtype_of("bf16")
    x_low, seed_low = x.to(bf16).requires_grad_(), seed.to(bf16)
    x.requires_grad_()

    def fp32(y: Any = x, mode: str = "highest", cast: bool = False) -> Any:
        torch.set_float32_matmul_precision(mode)
        with torch.autocast(timing.device(), torch.bfloat16, enabled=cast):
            return _run(full, y)

    forwards: dict[str, Callable[[Any], Any]] = {
        "fp32": lambda y: fp32(y),
        "tf32": lambda y: fp32(y, "high"),
        "autocast": lambda y: fp32(y, cast=True).float(),
    }
    limits = {"fp32": 1e-4, "tf32": 1e-2, "autocast": LIMIT}
    errors = {n: _checked(full, run, width, "fp32", limits[n]) for n, run in forwards.items()}
    errors["bf16"] = _checked(low, lambda y: _run(low, y), width, "bf16", LIMIT)
    steps: dict[str, Callable[[], Any]] = {
        "fp32": lambda: _gradients(full, x, lambda: fp32(x), seed),
        "tf32": lambda: _gradients(full, x, lambda: fp32(x, "high"), seed),
        "autocast": lambda: _gradients(full, x, lambda: fp32(x, cast=True).float(), seed),
        "bf16": lambda: _gradients(low, x_low, lambda: _run(low, x_low), seed_low),
    }
    samples = timing.clock(steps)
    value = {name: s.median for name, s in samples.items()}
    flops = 3 * _flops(layers, width, tokens)
    kinds = {"fp32": "fp32", "tf32": "tf32", "autocast": "bf16", "bf16": "bf16"}
    roofs = {name: flops / ceilings.product_rate(kind) / value[name] for name, kind in kinds.items()}
    value |= {f"{name} speedup": value["fp32"] / value[name] for name in ("tf32", "autocast", "bf16")}
    value["autocast over tf32"] = value["tf32"] / value["autocast"]
    peaks = {name: timing.peak(steps[name]) for name in ("fp32", "autocast", "bf16")}
    value |= {f"{name} memory": size for name, size in peaks.items() if size}
    return timing.report(value, samples, errors, roofs, layers=layers, width=width, tokens=tokens)


@measurement
def accumulation(parts: int = 8, width: int = 2048, tokens: int = 16384, layers: int = 4) -> dict[str, Any]:
    """One batch of 1,024-token sequences at once, or in parts whose gradients add up.

    Formula: overhead = accumulated / whole - 1; saving = peak of the whole / peak of the parts.
    Unit: s, overhead=1, whole memory=B, accumulated memory=B, saving=1
    Source: definition
    """
    timing.positive(parts=parts, tokens=tokens)
    stack = _stack(layers, width, "bf16")
    bf16 = timing.dtype_of("bf16")
    length = min(1024, max(1, tokens // parts))
    x, seed = (timing.random(tokens // length, length, width, dtype=bf16, seed=s) for s in (1, 2))

    def step(pieces: int) -> Any:
        _forget(stack)
        for y, s in zip(x.chunk(pieces), seed.chunk(pieces), strict=True):
            _run(stack, y).backward(s)
        return stack[0].qkv.weight.grad

    runs = {"whole": lambda: step(1), "accumulated": lambda: step(parts)}
    errors = {"accumulated": timing.error(runs["accumulated"](), runs["whole"](), LIMIT)}
    errors["whole"] = _checked(stack, lambda small: _run(stack, small), width, "bf16", LIMIT)
    samples = timing.clock(runs)
    value = {name: s.median for name, s in samples.items()}
    floor = 3 * tokens * layers * (24 * width**2 + 2 * width * length) / ceilings.product_rate("bf16")
    roofs = {name: floor / t for name, t in value.items()}
    value["overhead"] = value["accumulated"] / value["whole"] - 1
    peaks = []
    for run in runs.values():
        _forget(stack)
        peaks.append(timing.peak(run))
    whole, accumulated = peaks
    if whole and accumulated:
        value |= {"whole memory": whole, "accumulated memory": accumulated, "saving": whole / accumulated}
    return timing.report(value, samples, errors, roofs, parts=parts, layers=layers, tokens=tokens)
