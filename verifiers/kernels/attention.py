"""Attention by kernel: time and peak memory, forward and backward, against length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, timing

TOKENS = 16384
"""Tokens in all on a GPU: short sequences come in larger batches, so that the work per size is comparable."""
KERNELS = {
    "math": "MATH", "efficient": "EFFICIENT_ATTENTION", "flash": "FLASH_ATTENTION", "cudnn": "CUDNN_ATTENTION",
}  # fmt: skip
LIMIT = 2e-2


@measurement
def forward(tokens: int, head_dim: int = 128, causal: bool = True, heads: int = 16) -> dict[str, Any]:
    """Forward of bf16 attention: plain (op by op in bf16), and the library's math, efficient, flash and cuDNN kernels.

    Formula: a kernel's entry is its median time; `over plain` = plain / flash, and so on;
        rate = 4 · batch · heads · tokens² · head_dim / time, half of it when causal.
    Unit: s, plain memory=B, math memory=B, efficient memory=B, flash memory=B, cudnn memory=B, over plain=1, over math=1, over efficient=1, over cudnn=1, plain memory ratio=1, math memory ratio=1, flash rate=FLOP/s, flash share=1, cudnn rate=FLOP/s, cudnn share=1
    Source: dao2023
    """
    batch = _batch(tokens, head_dim, heads)
    q, k, v = _inputs(batch, heads, tokens, head_dim)
    errors: dict[str, float] = {}
    makers = {name: _maker(name, run, (q, k, v), causal, errors) for name, run in _kernels(causal).items()}
    functions, skipped = timing.usable(makers)
    samples = timing.clock(functions)
    memory = {name: timing.peak(function) for name, function in functions.items()}
    flops = _flops(batch, heads, tokens, head_dim, causal)
    return _report(samples, memory, flops, 4 * q.numel() * 2, errors, skipped, batch=batch, heads=heads)


@measurement
def backward(tokens: int, head_dim: int = 128, causal: bool = True, heads: int = 16) -> dict[str, Any]:
    """Backward of bf16 attention by kernel; memory is the peak of forward and backward together.

    Formula: as of the forward, with 2.5 times its FLOPs: five products of matrices where it has two.
    Unit: s, plain memory=B, math memory=B, efficient memory=B, flash memory=B, cudnn memory=B, over plain=1, over math=1, over efficient=1, over cudnn=1, plain memory ratio=1, math memory ratio=1, flash rate=FLOP/s, flash share=1, cudnn rate=FLOP/s, cudnn share=1
    Source: dao2023
    """
    batch = _batch(tokens, head_dim, heads)
    inputs = [x.requires_grad_() for x in _inputs(batch, heads, tokens, head_dim)]
    seed = timing.random(*inputs[0].shape, dtype=inputs[0].dtype, seed=9)
    errors: dict[str, float] = {}
    kernels = _kernels(causal)
    makers = {name: _backward_maker(name, run, inputs, seed, causal, errors) for name, run in kernels.items()}
    functions, skipped = timing.usable(makers)
    samples: dict[str, timing.Sample] = {}
    memory: dict[str, int | None] = {}
    for name, function in functions.items():  # one graph at a time: each holds its forward's tensors
        held = _graph(kernels[name], inputs, seed)
        samples |= timing.clock({name: held})
        del held
        memory[name] = timing.peak(function)
    flops = 2.5 * _flops(batch, heads, tokens, head_dim, causal)
    nbytes = 8 * inputs[0].numel() * 2
    return _report(samples, memory, flops, nbytes, errors, skipped, batch=batch, heads=heads)


def _batch(tokens: int, head_dim: int, heads: int) -> int:
    timing.positive(tokens=tokens, head_dim=head_dim, heads=heads)
    return max(1, (TOKENS if timing.device() == "cuda" else 64) // tokens)


def _inputs(batch: int, heads: int, tokens: int, head_dim: int) -> list[Any]:
    bf16 = timing.dtype_of("bf16")
    return [timing.random(batch, heads, tokens, head_dim, dtype=bf16, seed=seed) for seed in (1, 2, 3)]


def _flops(batch: int, heads: int, tokens: int, head_dim: int, causal: bool) -> float:
    return 4 * batch * heads * tokens**2 * head_dim / (2 if causal else 1)


def _kernels(causal: bool) -> dict[str, Callable[..., Any]]:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    def chosen(backend: Any) -> Callable[..., Any]:
        def run(q: Any, k: Any, v: Any) -> Any:
            with sdpa_kernel([backend]):
                return scaled_dot_product_attention(q, k, v, is_causal=causal)

        return run

    masks: dict[int, Any] = {}

    def ahead(tokens: int) -> Any:  # made once: a model keeps its mask too
        if tokens not in masks:
            device = timing.device()
            masks[tokens] = torch.ones(tokens, tokens, dtype=torch.bool, device=device).triu_(1)
        return masks[tokens]

    def plain(q: Any, k: Any, v: Any) -> Any:
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if causal:
            scores = scores.masked_fill(ahead(q.shape[-2]), float("-inf"))
        return torch.softmax(scores, -1) @ v

    return {"plain": plain} | {
        name: chosen(getattr(SDPBackend, backend)) for name, backend in KERNELS.items()
    }


def _maker(
    name: str, run: Callable[..., Any], inputs: Any, causal: bool, errors: dict[str, float]
) -> Callable[[], Callable[[], Any]]:
    def make() -> Callable[[], Any]:
        rows = min(64, inputs[0].shape[-2])
        reference = reference_rows(*inputs, rows, causal)
        errors[name] = timing.error(run(*inputs)[0, 0, -rows:], reference, LIMIT)
        return lambda: run(*inputs)

    return make


def reference_rows(q: Any, k: Any, v: Any, rows: int, causal: bool) -> Any:
    """Return the last `rows` rows of the first head's attention, in float64."""
    import torch

    query, key, value = (x[0, 0].detach().double() for x in (q, k, v))
    scores = query[-rows:] @ key.T * q.shape[-1] ** -0.5
    if causal:
        tokens = key.shape[0]
        position = torch.arange(tokens - rows, tokens, device=q.device)[:, None]
        ahead = torch.arange(tokens, device=q.device)[None] > position
        scores = scores.masked_fill(ahead, float("-inf"))
    return torch.softmax(scores, -1) @ value


def _graph(run: Callable[..., Any], inputs: Any, seed: Any) -> Callable[[], Any]:
    """Run the forward once; return its backward, which can be repeated."""
    import torch

    out = run(*inputs)
    return lambda: torch.autograd.grad(out, inputs, seed, retain_graph=True)


def _backward_maker(
    name: str, run: Callable[..., Any], inputs: Any, seed: Any, causal: bool, errors: dict[str, float]
) -> Callable[[], Callable[[], Any]]:
    def make() -> Callable[[], Any]:
        import torch

        errors[name] = _gradient_error(name, run, inputs, seed, causal)
        return lambda: torch.autograd.grad(run(*inputs), inputs, seed)

    return make


def _gradient_error(name: str, run: Callable[..., Any], inputs: Any, seed: Any, causal: bool) -> float:
    """Compare the gradients of a short piece (at most 1,024 tokens, one head) with float64."""
    import torch

    short = [x.detach()[:1, :1, :1024].contiguous() for x in (*inputs, seed)]
    low = [x.clone().requires_grad_() for x in short[:3]]
    high = [x.double().requires_grad_() for x in short[:3]]
    plain = _kernels(causal)["plain"]
    got = torch.autograd.grad(run(*low), low, short[3])
    expected = torch.autograd.grad(plain(*high), high, short[3].double())
    return max(timing.error(a, b, LIMIT) for a, b in zip(got, expected, strict=True))


def _report(
    samples: dict[str, timing.Sample], memory: dict[str, int | None], flops: float, nbytes: float,
    errors: dict[str, float], skipped: dict[str, str], **conditions: int,
) -> dict[str, Any]:  # fmt: skip
    floor = ceilings.floor(flops, nbytes, "bf16")
    value: dict[str, float] = {name: s.median for name, s in samples.items()}
    value |= {f"{name} memory": size for name, size in memory.items() if size is not None}
    flash = value["flash"]
    value |= {f"over {name}": value[name] / flash for name in samples if name != "flash"}
    for name in ("plain", "math"):
        if value.get(f"{name} memory") and value.get("flash memory"):
            value[f"{name} memory ratio"] = value[f"{name} memory"] / value["flash memory"]
    for name in ("flash", "cudnn"):
        if name in samples:
            rate = flops / value[name]
            value |= {f"{name} rate": rate, f"{name} share": rate / ceilings.product_rate("bf16")}
    roofs = {name: floor / s.median for name, s in samples.items()}
    return timing.report(value, samples, errors, roofs, skipped, **conditions)
