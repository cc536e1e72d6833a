"""Fusion: the same small function op by op, from the library, compiled, and as our own Triton kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, timing

LIMIT = 1e-2


@dataclass(frozen=True, slots=True)
class Case:
    """One function with its inputs."""

    primitive: Callable[[], Any]
    """Op by op, as one would write it first."""
    builtin: Callable[[], Any] | None
    """The library's own kernel, where it has one."""
    triton: Callable[[], Any]
    reference: Callable[[], Any]
    """The first rows in float64."""
    nbytes: int
    """Least traffic: every input read once, every output written once."""


@measurement
def op(name: str, rows: int, columns: int) -> dict[str, Any]:
    """One of softmax, layer_norm, rms_norm, swiglu, cross_entropy, rope on bf16 of rows × columns.

    Formula: a variant's entry is its median time; its share = least bytes / time / copy bandwidth.
    Unit: s, bytes=B, primitive share=1, library share=1, compiled share=1, triton share=1, compiled speedup=1, triton speedup=1, library speedup=1, compiled over library=1, triton bandwidth=B/s
    Source: definition
    """
    timing.positive(rows=rows, columns=columns)
    if name not in CASES:
        raise ValueError(f"unknown function {name!r}; known: {', '.join(CASES)}")
    case = CASES[name](rows, columns)
    errors: dict[str, float] = {}
    makers = {
        "primitive": lambda: case.primitive,
        "compiled": lambda: timing.compiled(case.primitive),
        "triton": lambda: case.triton,
    }
    if builtin := case.builtin:
        makers["library"] = lambda: builtin
    functions, skipped = timing.usable(
        {variant: _checked(variant, make, case, errors) for variant, make in makers.items()}
    )
    # a loss reads its logits and writes next to nothing
    samples = timing.clock(functions, writes=name != "cross_entropy")
    value: dict[str, float] = {variant: s.median for variant, s in samples.items()}
    roofs = {variant: case.nbytes / s.median / ceilings.copy_rate() for variant, s in samples.items()}
    value |= {f"{variant} share": roof for variant, roof in roofs.items()} | {"bytes": case.nbytes}
    value |= {
        f"{v} speedup": value["primitive"] / value[v] for v in ("compiled", "triton", "library") if v in value
    }
    if "library" in value and "compiled" in value:
        value["compiled over library"] = value["library"] / value["compiled"]
    if "triton" in value:
        value["triton bandwidth"] = case.nbytes / value["triton"]
    return timing.report(value, samples, errors, roofs, skipped, rows=rows, columns=columns)


def _checked(
    variant: str, make: Callable[[], Callable[[], Any]], case: Case, errors: dict[str, float]
) -> Callable[[], Callable[[], Any]]:
    def checked() -> Callable[[], Any]:
        function = make()
        reference = case.reference()
        errors[variant] = timing.error(function()[: reference.shape[0]], reference, LIMIT)
        return function

    return checked


def _bf16(*shape: int, seed: int) -> Any:
    return timing.random(*shape, dtype=timing.dtype_of("bf16"), seed=seed)


def _fused() -> Any:
    """Import our kernels; on a CPU they run only in Triton's interpreter."""
    import os

    if timing.device() == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        raise RuntimeError("Triton runs on a GPU or in its interpreter")
    from verifiers.kernels import fused

    return fused


def _poisoned(like: Any) -> Any:
    """An output full of NaN: an element that nobody writes shows."""
    import torch

    return torch.full_like(like, float("nan"))


def _softmax(rows: int, columns: int) -> Case:
    import torch

    x = _bf16(rows, columns, seed=1)
    out = _poisoned(x)

    def primitive() -> Any:
        weight = torch.exp(x - x.amax(-1, keepdim=True))
        return weight / weight.sum(-1, keepdim=True)

    return Case(
        primitive, lambda: torch.softmax(x, -1), lambda: _fused().softmax(x, out),
        lambda: torch.softmax(x[:64].double(), -1), 2 * x.numel() * 2,
    )  # fmt: skip


def _layer_norm(rows: int, columns: int) -> Case:
    from torch.nn.functional import layer_norm

    x, gain, shift = _bf16(rows, columns, seed=1), _bf16(columns, seed=2), _bf16(columns, seed=3)
    out = _poisoned(x)

    def primitive() -> Any:
        centred = x.float() - x.float().mean(-1, keepdim=True)
        variance = (centred * centred).mean(-1, keepdim=True)
        return (centred * (variance + 1e-5).rsqrt() * gain + shift).to(x.dtype)

    return Case(
        primitive, lambda: layer_norm(x, (columns,), gain, shift), lambda: _fused().layer_norm(x, gain, shift, out),
        lambda: layer_norm(x[:64].double(), (columns,), gain.double(), shift.double()), 2 * x.numel() * 2,
    )  # fmt: skip


def _rms_norm(rows: int, columns: int) -> Case:
    from torch.nn.functional import rms_norm

    x, gain = _bf16(rows, columns, seed=1), _bf16(columns, seed=2)
    out = _poisoned(x)

    def primitive() -> Any:
        high = x.float()
        return (high * ((high * high).mean(-1, keepdim=True) + 1e-5).rsqrt() * gain).to(x.dtype)

    return Case(
        primitive, lambda: rms_norm(x, (columns,), gain, 1e-5), lambda: _fused().rms_norm(x, gain, out),
        lambda: rms_norm(x[:64].double(), (columns,), gain.double(), 1e-5), 2 * x.numel() * 2,
    )  # fmt: skip


def _swiglu(rows: int, columns: int) -> Case:
    from torch.nn.functional import silu

    gate, up = _bf16(rows, columns, seed=1), _bf16(rows, columns, seed=2)
    out = _poisoned(gate)
    return Case(
        lambda: silu(gate) * up, None, lambda: _fused().swiglu(gate, up, out),
        lambda: silu(gate[:64].double()) * up[:64].double(), 3 * gate.numel() * 2,
    )  # fmt: skip


def _cross_entropy(rows: int, columns: int) -> Case:
    import torch
    from torch.nn.functional import cross_entropy

    logits = _bf16(rows, columns, seed=1)
    target = torch.arange(rows, device=logits.device) * 7919 % columns
    out = _poisoned(target.float())

    def primitive() -> Any:
        chances = torch.log_softmax(logits.float(), -1)
        return -chances.gather(1, target[:, None])[:, 0]

    return Case(
        primitive, lambda: cross_entropy(logits, target, reduction="none"),
        lambda: _fused().cross_entropy(logits, target, out),
        lambda: cross_entropy(logits[:64].double(), target[:64], reduction="none"), logits.numel() * 2,
    )  # fmt: skip


def _rope(rows: int, columns: int) -> Case:
    """Rotary embedding of `rows` tokens, `columns` wide in heads of 128."""
    import torch

    width = 128 if columns % 128 == 0 else columns
    x = _bf16(rows, columns // width, width, seed=1)
    out = _poisoned(x)
    speed = 10000.0 ** (-torch.arange(0, width, 2, device=x.device) / width)
    angle = torch.arange(rows, device=x.device)[:, None] * speed
    cosine, sine = angle.cos(), angle.sin()

    def rotate(x: Any, cosine: Any, sine: Any) -> Any:
        first, second = x.chunk(2, -1)
        turned = torch.cat((-second, first), -1)
        c, s = (torch.cat((t, t), -1)[:, None] for t in (cosine, sine))
        return x * c + turned * s

    return Case(
        lambda: rotate(x, cosine, sine).to(x.dtype), None, lambda: _fused().rope(x, cosine, sine, out),
        lambda: rotate(x[:64].double(), cosine[:64].double(), sine[:64].double()),
        2 * x.numel() * 2 + 2 * cosine.numel() * 4,
    )  # fmt: skip


CASES: dict[str, Callable[[int, int], Case]] = {
    "softmax": _softmax, "layer_norm": _layer_norm, "rms_norm": _rms_norm, "swiglu": _swiglu,
    "cross_entropy": _cross_entropy, "rope": _rope,
}  # fmt: skip
