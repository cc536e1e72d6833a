"""Activation checkpointing: what is stored, what is computed twice, and which segments are best."""

from __future__ import annotations

import math
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, models
from verifiers.calculus import agree, listed

KINDS = ("none", "selective", "full")


def _architecture(model: str, recompute: str) -> models.Architecture:
    arch = models.get(model)
    arguments.one_of("recomputation", recompute, KINDS)
    if arch.gated or arch.kv_heads != arch.heads or arch.d_ff != 4 * arch.d_model:
        raise ValueError(f"counted for a plain block four times as wide inside; {model} has another")
    return arch


@verifier
def peak(layers: int, segment: int, inside: float = 1.0) -> float:
    """Largest number of activations held at once, in units of one layer's input.

    Each segment keeps its input. The backward of a segment first rebuilds all that its layers
    save: `inside` units a layer, the layer's own input among them.

    Formula: max over segments i of i + inside · length_i - 1 = ceil(L / s) + inside · s - 1
    where s divides L.
    Unit: 1
    Source: chen2016
    """
    arguments.counts(layers=layers, segment=segment)
    arguments.finite(inside=inside)
    arguments.non_negative(**{"layers − segment": layers - segment, "inside − 1": inside - 1})
    before, last = divmod(layers - 1, segment)  # whole segments before the last one, and its length less one
    return max(before + inside * (last + 1), before - 1 + inside * segment)


@verifier
def best_segment(layers: int, inside: float = 1.0) -> int:
    """Layers a segment for which `peak` is least; the shortest where several are.

    Formula: near √(layers / inside).
    Unit: 1
    Source: definition
    """
    arguments.counts(layers=layers)
    return min(range(1, layers + 1), key=lambda segment: peak(layers, segment, inside))


@verifier
def best_peak(layers: int, inside: float = 1.0) -> float:
    """Least `peak` over all lengths of segment.

    Formula: near 2 · √(layers · inside).
    Unit: 1
    Source: definition
    """
    return peak(layers, best_segment(layers, inside), inside)


@verifier
def least_peak_is_at_the_root(
    cases: tuple[tuple[int, int], ...] = ((64, 1), (100, 1), (144, 4), (98, 2), (96, 17)),
    tolerance: float = 1e-9,
) -> dict[str, str]:
    """Check that L / s + A · s - 1 is the peak where s divides L, and is least at s = √(L / A).

    Unit: check
    Source: definition
    """
    for layers, inside in cases:
        bound = 2 * math.sqrt(layers * inside) - 1
        for segment in (s for s in range(1, layers + 1) if layers % s == 0):
            found = peak(layers, segment, inside)
            agree(found, layers / segment + inside * segment - 1, tolerance, "the formula of the peak")
            assert found >= bound - tolerance, "the bound is beaten"
            if segment**2 * inside == layers:
                agree(found, bound, tolerance, "the peak at the root")
                agree(best_peak(layers, inside), bound, tolerance, "the best peak")
    return {"layers": listed([n for n, _ in cases]), "inside": listed([a for _, a in cases])}


@verifier
def layer_bytes(model: str, tokens: int, batch: int = 1, recompute: str = "none") -> int:
    """Bytes that one block with GELU and dropout keeps for its backward: 16-bit activations, one-byte masks.

    "selective" rebuilds scores, weights and their dropout; "full" keeps the block's input alone.

    Formula: s · b · h · (34 + 5 · a · s / h), or 34 · s · b · h, or 2 · s · b · h.
    Unit: B
    Source: korthikanti2022
    """
    arguments.counts(tokens=tokens, batch=batch)
    arch = _architecture(model, recompute)
    width = tokens * batch * arch.d_model
    if recompute == "full":
        return 2 * width
    core = 0 if recompute == "selective" else 5 * arch.heads * tokens**2 * batch
    return 34 * width + core


@verifier
def model_bytes(model: str, tokens: int, batch: int = 1, recompute: str = "none") -> int:
    """Bytes of activations of all blocks at the peak: what each keeps, and one block rebuilt.

    Unit: B
    Source: korthikanti2022
    """
    kept = layer_bytes(model, tokens, batch, recompute)
    return models.get(model).layers * kept + layer_bytes(model, tokens, batch) - kept


@verifier
def inside_ratio(model: str, tokens: int, recompute: str = "none") -> float:
    """Bytes that one block keeps over the bytes of its input.

    Formula: 17 + 2.5 · a · s / h, or 17 with a recomputed attention core.
    Unit: 1
    Source: korthikanti2022
    """
    input_bytes = layer_bytes(model, tokens, recompute="full")
    return float(Fraction(layer_bytes(model, tokens, recompute=recompute), input_bytes))


@verifier
def core_share(model: str, tokens: int) -> float:
    """Share of a block's forward matrix FLOPs spent on scores and weighted values, of all pairs of tokens.

    Formula: 4 · s² · h / (24 · s · h² + 4 · s² · h) = s / (6 · h + s).
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens)
    arch = _architecture(model, "none")
    return float(Fraction(tokens, 6 * arch.d_model + tokens))


@verifier
def extra_flops(model: str, tokens: int, recompute: str = "full", early_stop: bool = False) -> float:
    """Matrix FLOPs that recomputation adds, over those of a forward and a backward without it.

    With `early_stop` the last product of what is recomputed is left out, since no gradient needs
    its result: so does PyTorch, where no dropout follows that product.

    Formula: recomputed share of the forward / (1 + 2).
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens)
    arch = _architecture(model, recompute)
    core, linear = 4 * tokens * arch.d_model, 24 * arch.d_model**2
    again = {"none": 0, "selective": core, "full": core + linear}[recompute]
    if early_stop:
        again -= {"none": 0, "selective": core // 2, "full": 8 * arch.d_model**2}[recompute]
    return float(Fraction(again, 3 * (core + linear)))


@verifier
def schedules(layers: int) -> list[dict[str, str | float]]:
    """Stored activations, forward work and step cost of three schedules, layers a power of four.

    "nested" goes to the middle, reverses the right half, then the left, each in the same way.

    Formula: n, 1; 2√n - 1, 2; log2 n + 1, 1 + log2(n) / 2; cost (forward work + 2) / 3.
    Unit: stored=1, forwards=1, cost=1
    Source: chen2016
    """
    arguments.counts(layers=layers)
    depth = layers.bit_length() - 1
    if layers != 1 << depth or depth % 2:
        raise ValueError(f"needs a power of four, not {layers}")
    root = math.isqrt(layers)
    rows = (
        ("keep all", layers, Fraction(1)),
        ("segments of √n", peak(layers, root), Fraction(2)),
        ("nested halves", depth + 1, 1 + Fraction(depth, 2)),
    )
    return [
        {"schedule": name, "stored": stored, "forwards": float(f), "cost": float((f + 2) / 3)}
        for name, stored, f in rows
    ]
