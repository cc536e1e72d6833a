"""The transformer block as an equation: where its norms stand, how its stream adds up, what gates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, softmax
from verifiers.normalisation import jacobian, layer_norm

Array = np.ndarray[Any, np.dtype[Any]]
Map = Callable[[Array], Array]


def attention(q: Array, k: Array, v: Array, causal: bool = False) -> Array:
    """softmax(Q·Kᵀ/√d)·V for q [..., m, d], k and v [..., n, d], m ≤ n; the last query sees all keys."""
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(q.shape[-2], k.shape[-2], k.shape[-2] - q.shape[-2]), scores, -np.inf)
    return np.asarray(softmax(scores) @ v)


def silu(x: Array) -> Array:
    return np.asarray(x / (1 + np.exp(-x)))


def relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0))


def swiglu(x: Array, gate: Array, up: Array, down: Array) -> Array:
    """(SiLU(x·W₁) ∘ x·W₃)·W₂: `gate` is W₁, `up` is W₃."""
    return np.asarray((silu(x @ gate) * (x @ up)) @ down)


def pre_norm(x: Array, f: Map) -> Array:
    return np.asarray(x + f(layer_norm(x)))


def post_norm(x: Array, f: Map) -> Array:
    return np.asarray(layer_norm(x + f(x)))


def differ(first: Array, second: Array, least: float, what: str) -> None:
    """Raise AssertionError, saying `what`, unless some number differs by more than `least`."""
    assert abs(first - second).max() > least, what


def _matrices(shapes: Sequence[tuple[int, int]], seed: int) -> list[Array]:
    normal = np.random.default_rng(seed).standard_normal
    return [normal(shape) / np.sqrt(shape[0]) for shape in shapes]


@verifier
def placements_differ_in_the_skip(
    width: int = 6, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that pre-norm's skip is the identity, while every gradient of post-norm passes its norm.

    Formula: J = I + J_f · J_LN for x + f(LN(x)); J = J_LN · (I + J_f) for LN(x + f(x)).
    Unit: check
    Source: xiong2020
    """
    for seed in range(seeds):
        up, down, (x,) = _matrices([(width, 2 * width), (2 * width, width), (1, width)], seed)
        one = np.eye(width)

        def f(at: Array, up: Array = up, down: Array = down) -> Array:
            return np.asarray(np.tanh(at @ up) @ down)

        pre = one + jacobian(f, layer_norm(x)) @ jacobian(layer_norm, x)
        post = jacobian(layer_norm, x + f(x)) @ (one + jacobian(f, x))
        for placed, told in ((pre_norm, pre), (post_norm, post)):
            found = jacobian(partial(placed, f=f), x)
            agree(found, told, tolerance, f"{placed.__name__}: the Jacobian")
    return {"width": width, "seeds": seeds, "tolerance": tolerance}


@verifier
def swiglu_gate_is_the_activated_branch(
    width: int = 8,
    inner: int = 20,
    scale: float = 3.0,
    closed: float = -60.0,
    tolerance: float = 1e-12,
    rows: int = 5,
    seed: int = 0,
    least: float = 1e-3,
) -> dict[str, int | float]:
    """Check which of SwiGLU's matrices is the gate: that under the SiLU; the output is linear in the other.

    Unit: check
    Source: shazeer2020
    """
    x, gate, up, down = _matrices([(rows, width), (width, inner), (width, inner), (inner, width)], seed)
    out = swiglu(x, gate, up, down)
    agree(swiglu(x, gate, scale * up, down) / scale, out, tolerance, "not linear in W₃: it")
    differ(swiglu(x, scale * gate, up, down) / scale, out, least, "linear in W₁")
    # inputs of ones let the gate's be set: far below zero the SiLU is shut
    ones, shut = np.ones(width), np.full((width, inner), closed / width)
    agree(swiglu(ones, shut, up, down), np.zeros(width), tolerance, "the output of a closed gate")
    differ(swiglu(ones, gate, shut, down), np.zeros(width), least, "the linear branch closes too")
    return {"width": width, "inner": inner, "scale": scale, "tolerance": tolerance}


@verifier
def linear_blocks_collapse(
    width: int = 8, inner: int = 32, tolerance: float = 1e-12, ratio: int = 4, seed: int = 0
) -> dict[str, int | float]:
    """Check that a feed-forward block without activation is one matrix, however wide inside.

    Formula: (x·A)·B = x·(A·B), of rank at most d; with ReLU no matrix gives the same.
    Unit: check
    Source: definition
    """
    x, up, down = _matrices([(ratio * width, width), (width, inner), (inner, width)], seed)
    agree(x @ up @ down, x @ (up @ down), tolerance, "one matrix")
    bent = relu(x @ up) @ down
    best = x @ np.linalg.lstsq(x, bent, rcond=None)[0]
    differ(best, bent, np.sqrt(tolerance), "with ReLU one matrix does it too")
    return {"width": width, "inner": inner, "tolerance": tolerance}


def decoder(x: Array, w: Sequence[Array], causal: bool = True, log: list[str] | None = None) -> Array:
    """Blocks of pre-norm attention and SwiGLU, seven matrices each; what was added, in order, into `log`."""
    log = [] if log is None else log
    for query, key, value, output, gate, up, down in zip(*[iter(w)] * 7, strict=True):
        n = layer_norm(x)
        x = x + attention(n @ query, n @ key, n @ value, causal) @ output
        log.append("attention")
        x = x + swiglu(layer_norm(x), gate, up, down)
        log.append("feed-forward")
    return layer_norm(x)


def weights(layers: int, width: int, seed: int = 0) -> list[Array]:
    """Random matrices of a small decoder, one head, the feed-forward block three times as wide inside."""
    square, wide, back = (width, width), (width, 3 * width), (3 * width, width)
    return _matrices([square, square, square, square, wide, wide, back] * layers, seed)


@verifier
def prefixes_equal_the_full_pass(
    layers: int = 2, width: int = 8, tokens: int = 7, tolerance: float = 1e-12, seed: int = 1
) -> dict[str, int | float]:
    """Check that a causal mask makes one pass over a sequence equal to a pass over each of its prefixes.

    Unit: check
    Source: vaswani2017
    """
    w = weights(layers, width)
    (x,) = _matrices([(tokens, width)], seed)
    whole, open_ = decoder(x, w), decoder(x, w, causal=False)
    for length in range(1, tokens + 1):
        agree(decoder(x[:length], w), whole[:length], tolerance, f"{length} tokens: the prefix")
    first = decoder(x[:1], w, causal=False)
    differ(first, open_[:1], np.sqrt(tolerance), "without the mask later tokens change nothing")
    return {"layers": layers, "tokens": tokens, "tolerance": tolerance}


@verifier
def additions(layers: int, width: int = 8, tokens: int = 3) -> int:
    """Count the additions to the one residual stream of a small pre-norm decoder, by running it.

    Formula: 2 · layers, attention's before the feed-forward block's.
    Unit: 1
    Source: vaswani2017
    """
    arguments.counts(layers=layers, width=width, tokens=tokens)
    log: list[str] = []
    decoder(np.arange(tokens * width).reshape(tokens, width), weights(layers, width), log=log)
    assert log == ["attention", "feed-forward"] * layers, "the order is another"
    return len(log)


@verifier
def unseeing_rows(tokens: int, diagonal: int = 1) -> int:
    """Rows of a causal softmax that become undefined, with minus infinity from a diagonal on upwards.

    Formula: 0 where each token still sees itself (diagonal ≥ 1); 1 − diagonal rows, at most all, else.
    Unit: 1
    Source: definition
    """
    arguments.counts(tokens=tokens)
    arguments.counts(0, **{"|diagonal|": abs(diagonal)})
    scores = np.triu(np.full((tokens, tokens), -np.inf), diagonal)
    with np.errstate(invalid="ignore"):  # −∞ − (−∞) is the NaN that is counted
        return int(np.isnan(softmax(scores).sum(axis=1)).sum())


@verifier
def attention_links_every_pair_at_once(
    tokens: int = 9, width: int = 4, floor: float = 1e-6, step: float = 1e-30, seed: int = 0
) -> dict[str, int | float]:
    """Check that one layer carries every input to every output, where a recurrent step reaches one further.

    Unit: check
    Source: vaswani2017
    """
    (x,) = _matrices([(tokens, width)], seed)
    for source in range(tokens):
        moved = x.astype(complex)
        moved.imag[source] = step
        reached = abs(attention(moved, moved, moved).imag / step).max(axis=1) > floor
        assert reached.all(), f"token {source} reaches {int(reached.sum())} outputs only"
    one_step = np.eye(tokens) + np.eye(tokens, k=1)
    steps = [int(np.linalg.matrix_power(one_step, n)[0, -1] > 0) for n in range(1, tokens)]
    assert steps == [0] * (tokens - 2) + [1], "a recurrence carries the first token further"
    return {"tokens": tokens, "width": width, "floor": floor}


@verifier
def cross_attention(queries: int, keys: int, width: int = 8) -> dict[str, int]:
    """Rows, and scores, of a decoder's attention to an encoder's output, by running it.

    Formula: as many rows as the decoder has tokens, decoder tokens · encoder tokens scores.
    Unit: rows=1, scores=1
    Source: vaswani2017
    """
    arguments.counts(queries=queries, keys=keys, width=width)
    q, k = np.ones((queries, width)), np.ones((keys, width))
    return {"rows": len(attention(q, k, k)), "scores": (q @ k.T).size}


@verifier(tolerance=1e-6)
def input_gradient(depth: int, skip: bool = False, width: int = 64, seeds: int = 4) -> float:
    """Simulate the gradient at the input of a ReLU network over that at its output, at initialisation.

    Weights uniform within ±1/√width, PyTorch's default, without biases: each layer multiplies the gradient by √(1/6) on
    average; with skips, x + f(x), it grows by √(7/6) instead.

    Unit: 1
    Source: glorot2010, he2016
    """
    arguments.counts(depth=depth, width=width, seeds=seeds)
    norms = []
    for seed in range(seeds):
        generator = np.random.default_rng([seed, depth])
        x, gradient = generator.standard_normal(width), generator.standard_normal(width)
        start, passed = np.linalg.norm(gradient), []
        for _ in range(depth):
            matrix = generator.uniform(-1, 1, (width, width)) / np.sqrt(width)
            hidden = x @ matrix
            passed.append(matrix * (hidden > 0))
            x = skip * x + relu(hidden)
        for matrix in reversed(passed):
            gradient = skip * gradient + matrix @ gradient
        norms.append(np.linalg.norm(gradient) / start)
    return float(np.exp(np.log(norms).mean()))
