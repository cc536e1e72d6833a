"""Serving: adapters merged or not, experts looped or grouped, checking a draft, choosing a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, decoder, timing

LIMIT = 2e-2


@measurement
def lora(tokens: int, width: int = 4096, rank: int = 16) -> dict[str, Any]:
    """A square bf16 layer with its LoRA adapter beside it, against the same adapter merged into the weights.

    Formula: overhead = separate / merged - 1; arithmetic = 2 · rank / width, the adapter's share of FLOPs.
    Unit: s, overhead=1, arithmetic=1
    Source: hu2022
    """
    timing.positive(tokens=tokens, width=width, rank=rank)
    bf16 = timing.dtype_of("bf16")
    x = timing.random(tokens, width, dtype=bf16, seed=1)
    weight = timing.random(width, width, dtype=bf16, seed=2, scale=width**-0.5)
    down = timing.random(width, rank, dtype=bf16, seed=3, scale=width**-0.5)
    up = timing.random(rank, width, dtype=bf16, seed=4, scale=rank**-0.5)
    merged_weight = (weight.double() + down.double() @ up.double()).to(bf16)

    runs = {"separate": lambda: x @ weight + (x @ down) @ up, "merged": lambda: x @ merged_weight}
    reference = x[:64].double() @ (weight.double() + down.double() @ up.double())
    errors = {name: timing.error(run()[:64], reference, LIMIT) for name, run in runs.items()}
    samples = timing.clock(runs)
    flops = {"separate": 2 * tokens * width * (width + 2 * rank), "merged": 2 * tokens * width**2}
    nbytes = 2 * (width**2 + 2 * tokens * width)
    roofs = {n: ceilings.floor(flops[n], nbytes, "bf16") / s.median for n, s in samples.items()}
    value = {name: s.median for name, s in samples.items()}
    value |= {"overhead": value["separate"] / value["merged"] - 1, "arithmetic": 2 * rank / width}
    return timing.report(value, samples, errors, roofs, width=width, rank=rank)


@measurement
def experts(
    tokens: int, count: int = 64, top: int = 2, width: int = 2048, hidden: int = 1024
) -> dict[str, Any]:
    """Feed-forward experts on routed bf16 tokens: one product an expert, one grouped product, or one dense layer.

    Formula: dense does the same FLOPs in one pair of products; cost = grouped / dense.
    Unit: s, speedup=1, cost=1, looped cost=1
    Source: shazeer2017
    """
    import torch
    from torch.nn.functional import silu

    timing.positive(tokens=tokens, count=count, top=top, width=width, hidden=hidden)
    bf16 = timing.dtype_of("bf16")
    rows = tokens * top
    chosen = torch.randint(count, (rows,), generator=torch.Generator().manual_seed(0))
    sizes = torch.bincount(chosen, minlength=count)
    ends = sizes.cumsum(0)
    limits = [0, *ends.tolist()]
    offsets = ends.to(timing.device(), torch.int32)
    x = timing.random(rows, width, dtype=bf16, seed=1)
    up = timing.random(count, width, hidden, dtype=bf16, seed=2, scale=width**-0.5)
    down = timing.random(count, hidden, width, dtype=bf16, seed=3, scale=hidden**-0.5)

    def looped() -> Any:
        out = torch.empty_like(x)
        for n in range(count):
            piece = slice(limits[n], limits[n + 1])
            out[piece] = silu(x[piece] @ up[n]) @ down[n]
        return out

    product = getattr(torch.nn.functional, "grouped_mm", None) or torch._grouped_mm
    errors: dict[str, float] = {}
    spots = torch.arange(0, rows, max(1, rows // 64), device=x.device)
    owner = torch.bucketize(spots, offsets.long(), right=True)
    hidden_rows = silu(torch.einsum("rw,rwh->rh", x[spots].double(), up[owner].double()))
    expected = torch.einsum("rh,rhw->rw", hidden_rows, down[owner].double())

    def checked(name: str, run: Callable[[], Any]) -> Callable[[], Callable[[], Any]]:
        def make() -> Callable[[], Any]:
            errors[name] = timing.error(run()[spots], expected, LIMIT)
            return run

        return make

    ways: dict[str, Callable[[], Any]] = {
        "looped": looped,
        "grouped": lambda: product(silu(product(x, up, offs=offsets)), down, offs=offsets),
    }
    functions, skipped = timing.usable({name: checked(name, run) for name, run in ways.items()})
    functions["dense"] = lambda: silu(x @ up[0]) @ down[0]
    samples = timing.clock(functions)
    hit = int((sizes > 0).sum())  # an expert that nobody chose is not read
    flops, nbytes = 4 * rows * width * hidden, 2 * (2 * hit * width * hidden + 2 * x.numel())
    floor = ceilings.floor(flops, nbytes, "bf16")
    roofs = {name: floor / s.median for name, s in samples.items() if name != "dense"}
    value = {name: s.median for name, s in samples.items()}
    value["looped cost"] = value["looped"] / value["dense"]
    if "grouped" in value:
        value |= {"speedup": value["looped"] / value["grouped"], "cost": value["grouped"] / value["dense"]}
    return timing.report(value, samples, errors, roofs, skipped, count=count, top=top, width=width)


@measurement
def verify(
    k: int, context: int = 4096, layers: int = 4, width: int = 4096, heads: int = 32
) -> dict[str, Any]:
    """Running k drafted tokens through a stack at once, against one token k times.

    Formula: speedup = k · one / verify, were every draft accepted and drafting free; cost = verify / one.
    Unit: s, speedup=1, cost=1
    Source: leviathan2023
    """
    timing.positive(k=k, context=context, layers=layers)
    bf16 = timing.dtype_of("bf16")
    stack = [decoder.layer(width, heads, seed=seed) for seed in range(layers)]
    caches = [decoder.cache(heads, context, k, width // heads, seed=90 + 2 * n) for n in range(layers)]

    def runs(new: int, parts: Any = stack, kept: Any = caches, high: bool = False) -> Callable[[], Any]:
        x = timing.random(1, new, width, dtype=bf16, seed=80)
        used = [(keys[:, :, : context + new], values[:, :, : context + new]) for keys, values in kept]

        def run() -> Any:
            y = x.double() if high else x
            for part, cache in zip(parts, used, strict=True):
                y = decoder.forward(part, y, cache)
            return y

        return run

    wide = [(caches[0][0].double(), caches[0][1].double())]
    doubled = runs(k, [decoder.double(stack[0])], wide, high=True)
    errors = {"verify": timing.error(runs(k, stack[:1], caches[:1])(), doubled(), LIMIT)}
    del wide, doubled
    timing.release()
    samples = timing.clock({"one": runs(1), "verify": runs(k)})
    value = {name: s.median for name, s in samples.items()}
    value |= {"speedup": k * value["one"] / value["verify"], "cost": value["verify"] / value["one"]}
    nbytes = sum(part.nbytes for part in stack) + sum(2 * c[0].numel() * 2 for c in caches)
    roofs = {
        name: ceilings.floor(layers * decoder.flops(width, new, context), nbytes, "bf16") / value[name]
        for name, new in (("one", 1), ("verify", k))
    }
    return timing.report(value, samples, errors, roofs, layers=layers, width=width, context=context)


@measurement
def sampling(
    vocabulary: int = 131072, batch: int = 64, p: float = 0.9, candidates: int = 64
) -> dict[str, Any]:
    """Choosing a token from fp32 logits: the largest, a draw, top-p by sorting, and top-p among a few candidates.

    Formula: share = bytes of the logits / time / copy bandwidth; cost = time / time of argmax; a draw is the
        largest quotient of the chances and exponential random numbers.
    Unit: s, draw cost=1, sorted cost=1, shortlist cost=1, argmax share=1
    Source: holtzman2020
    """
    import torch

    timing.positive(vocabulary=vocabulary, batch=batch, p=p, candidates=candidates)
    logits = timing.random(batch, vocabulary, seed=1, scale=4.0)

    def drawn(chances: Any) -> Any:
        """Draw in proportion to the chances; `multinomial` does so too, but makes the host wait for a check."""
        return (chances / torch.empty_like(chances).exponential_()).argmax(-1, keepdim=True)

    def chosen(ordered: Any, places: Any) -> Any:
        """Draw from the smallest set of likeliest tokens that holds p."""
        before = ordered.cumsum(-1) - ordered
        kept = ordered.masked_fill(before >= p, 0.0)
        return places.gather(-1, drawn(kept))

    def by_sorting() -> Any:
        return chosen(*torch.sort(torch.softmax(logits, -1), -1, descending=True))

    def by_shortlist() -> Any:  # cuts the tail even where p is not reached
        return chosen(*torch.topk(torch.softmax(logits, -1), min(candidates, vocabulary), -1))

    runs: dict[str, Callable[[], Any]] = {
        "argmax": lambda: logits.argmax(-1),
        "draw": lambda: drawn(torch.softmax(logits, -1)),
        "sorted": by_sorting,
        "shortlist": by_shortlist,
    }
    errors = {name: _outside(logits, run(), 1.0 if name == "draw" else p) for name, run in runs.items()}
    if not torch.equal(runs["argmax"](), logits.double().argmax(-1)):
        raise AssertionError("argmax is not the argmax of float64")
    samples = timing.clock(runs)
    value = {name: s.median for name, s in samples.items()}
    value |= {f"{name} cost": value[name] / value["argmax"] for name in ("draw", "sorted", "shortlist")}
    roofs = {name: 4 * logits.numel() / ceilings.copy_rate() / s.median for name, s in samples.items()}
    value["argmax share"] = roofs["argmax"]
    return timing.report(value, samples, errors, roofs, batch=batch, p=p, candidates=candidates)


def _outside(logits: Any, tokens: Any, p: float) -> float:
    """Return the share of tokens drawn from outside the nucleus of p; raise AssertionError if there is one."""
    import torch

    chances = torch.softmax(logits.double(), -1)
    own = chances.gather(-1, tokens.reshape(-1, 1))
    likelier = (chances * (chances > own)).sum(-1)
    wrong = float((likelier >= p + 1e-4).double().mean())
    if wrong:
        raise AssertionError(f"{wrong:.0%} of the tokens lie outside the nucleus")
    return wrong
