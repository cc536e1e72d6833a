"""Decoding: attention over a growing cache, a cache in fewer bits, and doing without a cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, decoder, timing
from verifiers.kernels.fusion import _fused

LIMIT = 2e-2
KINDS = {"mha": 1, "gqa": 4, "mqa": 0}
"""Query heads a key head; 0: all of them."""


@measurement
def attention(tokens: int, batch: int = 16, heads: int = 32, head_dim: int = 128) -> dict[str, Any]:
    """One query a head over an fp16 cache of `tokens` tokens, with as many, a quarter, or one of the key heads.

    Formula: a kind's entry is the median time of its fastest kernel; bytes = 2 · batch · key heads ·
        tokens · head_dim · 2; share = bytes / time / copy bandwidth.
    Unit: s, mha bytes=B, gqa bytes=B, mqa bytes=B, mha share=1, gqa share=1, mqa share=1, gqa speedup=1, mqa speedup=1, mha kernel=text, gqa kernel=text, mqa kernel=text
    Source: ainslie2023
    """
    timing.positive(tokens=tokens, batch=batch, heads=heads, head_dim=head_dim)
    if any(heads % (share or heads) for share in KINDS.values()):
        raise ValueError(f"{heads} heads do not fall into groups of {KINDS['gqa']}")
    value: dict[str, float | str] = {}
    samples: dict[str, timing.Sample] = {}
    errors: dict[str, float] = {}
    roofs: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for kind, share in KINDS.items():
        group = share or heads
        q, k, v = _cache(batch, heads // group, group, tokens, head_dim)
        makers = {
            f"{kind} {name}": _checked(f"{kind} {name}", run, q, k, v, errors)
            for name, run in _kernels(q, k, v).items()
        }
        functions, missing = timing.usable(makers)
        timed = timing.clock(functions)
        samples |= timed
        skipped |= missing
        best = min(timed, key=lambda name: timed[name].median)
        nbytes = 2 * k.numel() * k.element_size()
        roofs |= {name: nbytes / ceilings.copy_rate() / s.median for name, s in timed.items()}
        value |= {kind: timed[best].median, f"{kind} bytes": nbytes, f"{kind} share": roofs[best]}
        value[f"{kind} kernel"] = best.partition(" ")[2]
    value |= {
        f"{kind} speedup": samples[_name(value, "mha")].median / samples[_name(value, kind)].median
        for kind in ("gqa", "mqa")
    }
    return timing.report(value, samples, errors, roofs, skipped, batch=batch, heads=heads)


def _name(value: dict[str, float | str], kind: str) -> str:
    return f"{kind} {value[f'{kind} kernel']}"


def _cache(batch: int, key_heads: int, group: int, tokens: int, head_dim: int) -> list[Any]:
    fp16 = timing.dtype_of("fp16")
    lines = batch * key_heads
    return [
        timing.random(lines, rows, head_dim, dtype=fp16, seed=seed)
        for seed, rows in ((1, group), (2, tokens), (3, tokens))
    ]


def _kernels(q: Any, k: Any, v: Any) -> dict[str, Callable[[], Any]]:
    """Return ways to attend from q (lines, group, width) to k and v (lines, tokens, width)."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    def products() -> Any:
        return torch.softmax(q @ k.transpose(1, 2) * q.shape[-1] ** -0.5, -1) @ v

    def library() -> Any:  # a group's queries stand where a sequence's would
        return scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]

    def flash() -> Any:  # which kernel the library picks by itself depends on its version
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
            return library()

    return {
        "products": products, "library": library, "flash": flash, "triton": lambda: _fused().decode(q, k, v),
    }  # fmt: skip


def _checked(
    name: str, run: Callable[[], Any], q: Any, k: Any, v: Any, errors: dict[str, float]
) -> Callable[[], Callable[[], Any]]:
    def make() -> Callable[[], Any]:
        errors[name] = timing.error(run()[:2], _reference(q, k, v), LIMIT)
        return run

    return make


def _reference(q: Any, k: Any, v: Any) -> Any:
    import torch

    query, key, value = (x[:2].double() for x in (q, k, v))
    return torch.softmax(query @ key.transpose(1, 2) * q.shape[-1] ** -0.5, -1) @ value


@measurement
def quantised(
    tokens: int, batch: int = 16, key_heads: int = 8, group: int = 4, head_dim: int = 128
) -> dict[str, Any]:
    """Decode attention over an int8 cache (one scale a token and head) against fp16.

    Formula: fp16 is the fastest kernel's time; unpacked writes the cache out in fp16 before attending; fused
        widens it inside the kernel; bytes of the int8 cache count its scales.
    Unit: s, fp16 bytes=B, int8 bytes=B, byte ratio=1, unpacked speedup=1, fused speedup=1, fused share=1, cache error=1
    Source: definition
    """
    timing.positive(tokens=tokens, batch=batch, key_heads=key_heads, group=group, head_dim=head_dim)
    q, k, v = _cache(batch, key_heads, group, tokens, head_dim)
    (k8, k_scale), (v8, v_scale) = (_quantise(x) for x in (k, v))
    wide = [(x.double() * s.double()[..., None]) for x, s in ((k8[:2], k_scale[:2]), (v8[:2], v_scale[:2]))]
    reference = _reference(q, *wide)
    plain = _kernels(q, k, v)

    def unpacked() -> Any:
        # scales in fp16, or the product would be an fp32 tensor of twice the bytes
        keys, values = (x * s[..., None].to(q.dtype) for x, s in ((k8, k_scale), (v8, v_scale)))
        return _kernels(q, keys, values)["products"]()

    errors: dict[str, float] = {}

    def checked(name: str, run: Callable[[], Any]) -> Callable[[], Callable[[], Any]]:
        def make() -> Callable[[], Any]:
            expected = reference if name in ("unpacked", "fused") else _reference(q, k, v)
            errors[name] = timing.error(run()[:2], expected, LIMIT)
            return run

        return make

    runs = {
        **{f"fp16 {name}": run for name, run in plain.items()}, "unpacked": unpacked,
        "fused": lambda: _fused().decode(q, k8, v8, (k_scale, v_scale)),
    }  # fmt: skip
    functions, skipped = timing.usable({name: checked(name, run) for name, run in runs.items()})
    samples = timing.clock(functions)
    nbytes = {"fp16": 2 * k.numel() * 2, "int8": 2 * (k8.numel() + 4 * k_scale.numel())}
    fp16 = min(s.median for name, s in samples.items() if name.startswith("fp16"))
    value = {
        "fp16": fp16,
        "unpacked": samples["unpacked"].median,
        "unpacked speedup": fp16 / samples["unpacked"].median,
    }
    roofs = {
        name: nbytes["fp16" if name.startswith("fp16") else "int8"] / ceilings.copy_rate() / s.median
        for name, s in samples.items()
    }
    if "fused" in samples:
        fused = samples["fused"].median
        value |= {"fused": fused, "fused speedup": fp16 / fused, "fused share": roofs["fused"]}
    value |= {f"{name} bytes": size for name, size in nbytes.items()}
    value["byte ratio"] = nbytes["fp16"] / nbytes["int8"]
    value["cache error"] = timing.error(reference, _reference(q, k, v), 0.1)
    return timing.report(
        value, samples, errors, roofs, skipped, batch=batch, key_heads=key_heads, group=group
    )


def _quantise(x: Any) -> tuple[Any, Any]:
    """Return int8 and one scale a token."""
    import torch

    scale = x.float().abs().amax(-1) / 127
    return (x.float() / scale[..., None]).round().to(torch.int8), scale


@measurement
def recompute(tokens: int, layers: int = 4, width: int = 4096, heads: int = 32) -> dict[str, Any]:
    """One more token for one sequence: from the cache, or by running the whole prefix again.

    Formula: speedup = recomputed / cached.
    Unit: s, speedup=1, cached bytes=B
    Source: definition
    """
    timing.positive(tokens=tokens, layers=layers)
    stack = [decoder.layer(width, heads, seed=seed) for seed in range(layers)]
    bf16 = timing.dtype_of("bf16")
    caches = [decoder.cache(heads, tokens - 1, 1, width // heads, seed=90 + 2 * n) for n in range(layers)]
    prefix = timing.random(1, tokens, width, dtype=bf16, seed=80)

    def cached() -> Any:
        x = prefix[:, -1:]
        for part, cache in zip(stack, caches, strict=True):
            x = decoder.forward(part, x, cache)
        return x

    def recomputed() -> Any:
        x = prefix
        for part in stack:
            x = decoder.forward(part, x)
        return x[:, -1:]

    errors = {"cached": _cached_error(stack[0], width, heads)}
    samples = timing.clock({"cached": cached, "recomputed": recomputed})
    moved = sum(part.nbytes for part in stack) + sum(2 * c[0].numel() * 2 for c in caches)
    flops = layers * decoder.flops(width, tokens, tokens // 2)
    roofs = {
        "cached": moved / ceilings.copy_rate() / samples["cached"].median,
        "recomputed": ceilings.floor(flops, moved, "bf16") / samples["recomputed"].median,
    }
    value = {name: s.median for name, s in samples.items()}
    value |= {"speedup": value["recomputed"] / value["cached"], "cached bytes": moved}
    return timing.report(value, samples, errors, roofs, layers=layers, width=width, batch=1)


def _cached_error(part: decoder.Layer, width: int, heads: int) -> float:
    """Compare the last token through the cache with the whole prefix in float64, 32 tokens long."""
    from torch.nn.functional import linear, rms_norm

    x = timing.random(1, 32, width, dtype=timing.dtype_of("bf16"), seed=7)
    _, k, v = linear(rms_norm(x, (width,), eps=decoder.EPS), part.qkv).chunk(3, -1)
    keys, values = (t.reshape(1, 32, heads, -1).transpose(1, 2).contiguous() for t in (k, v))
    for t in (keys, values):
        t[:, :, -1:] = float("nan")  # the layer must write the last token's own
    expected = decoder.forward(decoder.double(part), x.double())[:, -1:]
    return timing.error(decoder.forward(part, x[:, -1:], (keys, values)), expected, LIMIT)
