"""A small decoder for timing: layers with a key/value cache, or with blocks to train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from verifiers.kernels import timing


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer without norms' gains: (out, in) matrices."""

    qkv: Any
    out: Any
    up: Any
    down: Any
    heads: int

    @property
    def nbytes(self) -> int:
        return sum(w.numel() * w.element_size() for w in (self.qkv, self.out, self.up, self.down))


def layer(width: int, heads: int, dtype: str = "bf16", seed: int = 0) -> Layer:
    """Return a layer with random weights, scaled so that activations stay of order one."""
    timing.positive(width=width, heads=heads)
    if width % heads:
        raise ValueError(f"{heads} heads do not divide a width of {width}")
    kind, scale = timing.dtype_of(dtype), width**-0.5

    def weight(rows: int, columns: int, part: int) -> Any:
        return timing.random(rows, columns, dtype=kind, seed=4 * seed + part, scale=scale)

    return Layer(
        weight(3 * width, width, 0), weight(width, width, 1), weight(4 * width, width, 2),
        weight(width, 4 * width, 3), heads,
    )  # fmt: skip


EPS = 1e-5
"""Named, since the default depends on the data type: 0.8 % in bf16."""


def cache(heads: int, context: int, new: int, head_dim: int, seed: int = 0) -> tuple[Any, Any]:
    """Return bf16 keys and values of `context` earlier tokens of one sequence, with room for `new` ones."""
    shape, kind = (1, heads, context + new, head_dim), timing.dtype_of("bf16")
    return timing.random(*shape, dtype=kind, seed=seed), timing.random(*shape, dtype=kind, seed=seed + 1)


@lru_cache(maxsize=4)
def _visible(new: int, old: int, device: Any) -> Any:  # made once, not in every layer of every step
    import torch

    return torch.ones(new, old + new, dtype=torch.bool, device=device).tril(old)


def forward(part: Layer, x: Any, cache: tuple[Any, Any] | None = None) -> Any:
    """Run the layer on x (batch, new tokens, width).

    A cache holds earlier keys and values and room for the new ones, which are written there: to join old and
    new in a fresh tensor would copy the whole cache in every step.
    """
    from torch.nn.functional import gelu, linear, rms_norm, scaled_dot_product_attention

    batch, new, width = x.shape
    q, k, v = linear(rms_norm(x, (width,), eps=EPS), part.qkv).chunk(3, -1)
    q, k, v = (t.view(batch, new, part.heads, -1).transpose(1, 2) for t in (q, k, v))
    mask = None
    if cache is not None:
        old = cache[0].shape[2] - new
        cache[0][:, :, old:], cache[1][:, :, old:] = k, v
        k, v = cache
        if new > 1:
            mask = _visible(new, old, x.device)
    mixed = scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=cache is None and new > 1)
    x = x + linear(mixed.transpose(1, 2).reshape(batch, new, width), part.out)
    return x + linear(gelu(linear(rms_norm(x, (width,), eps=EPS), part.up)), part.down)


def double(part: Layer) -> Layer:
    """Return the same layer in float64."""
    return Layer(part.qkv.double(), part.out.double(), part.up.double(), part.down.double(), part.heads)


def flops(width: int, new: int, context: int) -> int:
    """Return the FLOPs of `new` tokens through a layer, each over `context` tokens."""
    return 2 * 12 * width**2 * new + 4 * width * new * context


def block(width: int, heads: int) -> Any:
    """Return one block to train, as a module in fp32, made where it runs."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = heads
            self.first, self.second = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
            self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            batch, tokens, _ = x.shape
            parts = self.qkv(self.first(x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
            return x + self.down(torch.nn.functional.gelu(self.up(self.second(x))))

    torch.manual_seed(0)
    with torch.device(timing.device()):
        return Block()
