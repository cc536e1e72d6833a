"""Our own Triton kernels: each reads its input once and writes its output once."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl


@triton.jit
def _softmax(x, y, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    value = tl.load(x + row * columns + at, mask=inside, other=float("-inf")).to(tl.float32)
    weight = tl.exp(value - tl.max(value, 0))
    tl.store(y + row * columns + at, weight / tl.sum(weight, 0), mask=inside)


@triton.jit
def _layer_norm(x, gain, shift, y, columns, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    value = tl.load(x + row * columns + at, mask=inside, other=0.0).to(tl.float32)
    centred = tl.where(inside, value - tl.sum(value, 0) / columns, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / columns + eps)
    weight = tl.load(gain + at, mask=inside, other=0.0, eviction_policy="evict_last").to(tl.float32)
    bias = tl.load(shift + at, mask=inside, other=0.0, eviction_policy="evict_last").to(tl.float32)
    tl.store(y + row * columns + at, centred * scale * weight + bias, mask=inside)


@triton.jit
def _rms_norm(x, gain, y, columns, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    value = tl.load(x + row * columns + at, mask=inside, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(value * value, 0) / columns + eps)
    weight = tl.load(gain + at, mask=inside, other=0.0, eviction_policy="evict_last").to(tl.float32)
    tl.store(y + row * columns + at, value * scale * weight, mask=inside)


@triton.jit
def _swiglu(gate, up, y, count, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    g = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + at, g / (1.0 + tl.exp(-g)) * u, mask=inside)


@triton.jit
def _cross_entropy(logits, target, loss, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    top = -1.0e30
    total = 0.0
    # in stages: the next blocks are loaded while this one is summed
    for start in tl.range(0, columns, BLOCK, num_stages=3):
        inside = start + at < columns
        value = tl.load(logits + row * columns + start + at, mask=inside, other=float("-inf")).to(tl.float32)
        higher = tl.maximum(top, tl.max(value, 0))
        total = total * tl.exp(top - higher) + tl.sum(tl.exp(value - higher), 0)
        top = higher
    correct = tl.load(logits + row * columns + tl.load(target + row)).to(tl.float32)
    tl.store(loss + row, tl.log(total) + top - correct)


@triton.jit
def _rope(x, cosine, sine, y, heads, HALF: tl.constexpr, HEADS: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, HEADS)[:, None]
    pair = tl.arange(0, HALF)[None, :]
    inside = head < heads
    at = (token * heads + head) * 2 * HALF + pair
    first = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(x + at + HALF, mask=inside, other=0.0).to(tl.float32)
    c = tl.load(cosine + token * HALF + pair)
    s = tl.load(sine + token * HALF + pair)
    tl.store(y + at, first * c - second * s, mask=inside)
    tl.store(y + at + HALF, second * c + first * s, mask=inside)


@triton.jit
def _decode(
    q, k, v, k_scale, v_scale, part, top, total, tokens, chunk, scale,
    GROUP: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    QUANTISED: tl.constexpr,
):  # fmt: skip
    """One chunk of one key head's cache, for the query heads that share it."""
    head, piece = tl.program_id(0).to(tl.int64), tl.program_id(1)
    pieces = tl.num_programs(1)
    row, width, at = tl.arange(0, ROWS), tl.arange(0, WIDTH), tl.arange(0, BLOCK)
    live = row < GROUP
    query = tl.load(q + (head * GROUP + row[:, None]) * WIDTH + width[None], mask=live[:, None], other=0.0)
    highest = tl.full((ROWS,), -1.0e30, tl.float32)
    weight = tl.zeros((ROWS,), tl.float32)
    sums = tl.zeros((ROWS, WIDTH), tl.float32)
    for start in range(piece * chunk, min(tokens, (piece + 1) * chunk), BLOCK):
        token = start + at
        inside = token < tokens
        place = (head * tokens + token[:, None]) * WIDTH + width[None]
        key = tl.load(k + place, mask=inside[:, None], other=0)
        value = tl.load(v + place, mask=inside[:, None], other=0)
        score = tl.dot(query, tl.trans(key.to(query.dtype))) * scale
        if QUANTISED:
            score *= tl.load(k_scale + head * tokens + token, mask=inside, other=0.0)[None]
        score = tl.where(inside[None], score, float("-inf"))
        higher = tl.maximum(highest, tl.max(score, 1))
        shrink = tl.exp(highest - higher)
        p = tl.exp(score - higher[:, None])
        weight = weight * shrink + tl.sum(p, 1)
        if QUANTISED:
            p *= tl.load(v_scale + head * tokens + token, mask=inside, other=0.0)[None]
        sums = sums * shrink[:, None] + tl.dot(p.to(query.dtype), value.to(query.dtype))
        highest = higher
    line = (head * pieces + piece) * GROUP + row
    tl.store(part + line[:, None] * WIDTH + width[None], sums, mask=live[:, None])
    tl.store(top + line, highest, mask=live)
    tl.store(total + line, weight, mask=live)


def _warps(block: int) -> int:
    """Four 16-byte loads a thread: as much in flight as with more warps, and several programs on a processor."""
    return max(1, min(16, block // 1024))


def softmax(x: Any, out: Any) -> Any:
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    _softmax[(rows,)](x, out, columns, BLOCK=block, num_warps=_warps(block))
    return out


def layer_norm(x: Any, gain: Any, shift: Any, out: Any, eps: float = 1e-5) -> Any:
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    _layer_norm[(rows,)](x, gain, shift, out, columns, eps, BLOCK=block, num_warps=_warps(block))
    return out


def rms_norm(x: Any, gain: Any, out: Any, eps: float = 1e-5) -> Any:
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    _rms_norm[(rows,)](x, gain, out, columns, eps, BLOCK=block, num_warps=_warps(block))
    return out


def swiglu(gate: Any, up: Any, out: Any) -> Any:
    block = 2048
    _swiglu[(triton.cdiv(gate.numel(), block),)](gate, up, out, gate.numel(), BLOCK=block, num_warps=8)
    return out


def cross_entropy(logits: Any, target: Any, out: Any) -> Any:
    rows, columns = logits.shape
    block = min(8192, triton.next_power_of_2(columns))
    _cross_entropy[(rows,)](logits, target, out, columns, BLOCK=block, num_warps=_warps(block))
    return out


def rope(x: Any, cosine: Any, sine: Any, out: Any) -> Any:
    tokens, heads, width = x.shape
    _rope[(tokens,)](
        x, cosine, sine, out, heads, HALF=width // 2, HEADS=triton.next_power_of_2(heads), num_warps=4
    )
    return out


def decode(q: Any, k: Any, v: Any, scales: Any = None, programs: int = 528) -> Any:
    """Attend with one query a head, the cache split among programs; q (heads, group, width)."""
    heads, group, width = q.shape
    tokens = k.shape[1]
    block = 64
    pieces = max(1, min(triton.cdiv(tokens, block), triton.cdiv(programs, heads)))
    chunk = triton.cdiv(triton.cdiv(tokens, pieces), block) * block
    pieces = triton.cdiv(tokens, chunk)
    part = torch.empty(heads, pieces, group, width, dtype=torch.float32, device=q.device)
    top = torch.empty(heads, pieces, group, 1, dtype=torch.float32, device=q.device)
    total = torch.empty_like(top)
    k_scale, v_scale = scales if scales else (q, q)
    _decode[(heads, pieces)](
        q, k, v, k_scale, v_scale, part, top, total, tokens, chunk, width**-0.5,
        GROUP=group, ROWS=max(16, triton.next_power_of_2(group)), WIDTH=width, BLOCK=block,
        QUANTISED=bool(scales), num_warps=4,
    )  # fmt: skip
    share = torch.exp(top - top.amax(1, keepdim=True))
    return ((part * share).sum(1) / (total * share).sum(1)).to(q.dtype)
