"""The backward pass of attention, against autograd and differences, with masks and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree, differences, softmax
from verifiers.gradients import softmax_backward

Array = npt.NDArray[np.float64]


class Gradients(NamedTuple):
    """Gradients at queries [m, d], keys [n, d] and values [n, d]."""

    dq: Array
    dk: Array
    dv: Array


Shapes = tuple[tuple[int, int], ...]
Backward = Callable[[Array, Array, Array, Array, bool], Gradients]


def weights(q: Array, k: Array, causal: bool) -> Array:
    """Softmax of q kᵀ / √d, q [m, d], k [n, d], the last query level with the last key."""
    scores = q @ k.T / np.sqrt(q.shape[1])
    if causal:
        rows, columns = scores.shape
        visible = np.tril(np.ones(scores.shape, dtype=bool), columns - rows)
        scores = np.where(visible, scores, -np.inf)
    return softmax(scores)


def score_gradient(q: Array, k: Array, v: Array, do: Array, causal: bool) -> Array:
    """Gradient at the scaled scores, dS [m, n]."""
    return softmax_backward(weights(q, k, causal), do @ v.T)


def backward(q: Array, k: Array, v: Array, do: Array, causal: bool) -> Gradients:
    """Gradients of O = P v, P = softmax(q kᵀ / √d), from do [m, d], the gradient at O."""
    ds = score_gradient(q, k, v, do, causal) / np.sqrt(q.shape[1])
    return Gradients(dq=ds @ k, dk=ds.T @ q, dv=weights(q, k, causal).T @ do)


def problems(shapes: Shapes, width: int) -> Iterator[tuple[Array, Array, Array, Array, bool]]:
    """Yield q, k, v, do and whether the mask is causal, for scores of each shape, with and without."""
    for seed, (rows, columns) in enumerate(shapes):
        for causal in (False, True):
            rng = np.random.default_rng(seed)
            q, do = rng.standard_normal((2, rows, width))
            k, v = rng.standard_normal((2, columns, width))
            yield q, k, v, do, causal


def listed(shapes: Shapes) -> str:
    """Write shapes as 6x6, 3x8."""
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def _loss(arrays: tuple[Array, Array, Array], index: int, do: Array, causal: bool, flat: Array) -> Array:
    """Sum of O ∘ do with one of q, k, v replaced by `flat`."""
    q, k, v = (flat.reshape(a.shape) if i == index else a for i, a in enumerate(arrays))
    return np.array((weights(q, k, causal) @ v * do).sum())


@verifier
def backward_is_exact(
    shapes: Shapes = ((6, 6), (3, 8)),
    width: int = 4,
    autograd_tolerance: float = 1e-12,
    difference_tolerance: float = 1e-8,
) -> dict[str, str | int | float]:
    """Check dQ, dK and dV against autograd in float64 and against central differences.

    Formula: dV = Pᵀ dO; dP = dO Vᵀ; dS = P ∘ (dP - rowsum(P ∘ dP)); dQ = dS K / √d;
    dK = dSᵀ Q / √d.
    Unit: check
    Source: dao2022
    """
    import torch

    for q, k, v, do, causal in problems(shapes, width):
        got = backward(q, k, v, do, causal)
        leaves = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
        scores = leaves[0] @ leaves[1].T / width**0.5
        if causal:
            visible = torch.ones(scores.shape, dtype=torch.bool).tril(len(k) - len(q))
            scores = scores.masked_fill(~visible, -torch.inf)
        output = torch.softmax(scores, 1) @ leaves[2]
        exact = torch.autograd.grad(output, leaves, torch.from_numpy(do))
        for index, (name, gradient) in enumerate(got._asdict().items()):
            agree(gradient, exact[index].numpy(), autograd_tolerance, f"{name} (autograd)")
            loss = partial(_loss, (q, k, v), index, do, causal)
            numeric = differences(loss, (q, k, v)[index].ravel())
            agree(gradient.ravel(), numeric, difference_tolerance, f"{name} (difference)")
    return {
        "shapes": listed(shapes),
        "masks": "none, causal",
        "autograd_tolerance": autograd_tolerance,
        "difference_tolerance": difference_tolerance,
    }


def score_gradient_is(candidate: Callable[[Array, Array], Array], p: Array, tolerance: float) -> None:
    """Check that a gradient at scores, given weights and their gradient, is linear with rows summing to 0."""
    rng = np.random.default_rng(len(p))
    one, other = rng.standard_normal((2, *p.shape))
    mixed = candidate(p, 3 * one - other)
    agree(mixed, 3 * candidate(p, one) - candidate(p, other), tolerance, "the gradient of a sum")
    agree(mixed.sum(axis=1), np.zeros(len(p)), tolerance, "the sum of a row")


@verifier
def score_gradient_is_linear_and_centred(
    shapes: Shapes = ((6, 6), (3, 8)), width: int = 4, tolerance: float = 1e-13
) -> dict[str, str | float]:
    """Check that dS is linear in dP and that each of its rows adds up to zero.

    Softmax has a derivative, and adding a constant to a row of scores changes nothing.

    Formula: dS_i = (diag(p_i) - p_i p_iᵀ) dP_i.
    Unit: check
    Source: definition
    """
    for q, k, _v, _do, causal in problems(shapes, width):
        score_gradient_is(softmax_backward, weights(q, k, causal), tolerance)
    return {"shapes": listed(shapes), "masks": "none, causal", "tolerance": tolerance}


def delta(o: Array, do: Array) -> Array:
    """Row sums of dO ∘ O, [m]."""
    return np.asarray((do * o).sum(axis=1))


@verifier
def delta_needs_no_weights(
    shapes: Shapes = ((6, 6), (3, 8)), width: int = 4, tolerance: float = 1e-13
) -> dict[str, str | float]:
    """Check that rowsum(P ∘ dP) equals rowsum(dO ∘ O), so that it needs neither P nor dP.

    Unit: check
    Source: dao2022
    """
    for q, k, v, do, causal in problems(shapes, width):
        p = weights(q, k, causal)
        agree(delta(p @ v, do), (p * (do @ v.T)).sum(axis=1), tolerance, "delta")
    return {"shapes": listed(shapes), "masks": "none, causal", "tolerance": tolerance}


@verifier
def masked_pairs_get_no_gradient(shapes: Shapes = ((6, 6), (3, 8)), width: int = 4) -> dict[str, str]:
    """Check that dS is exactly zero at masked pairs and where one key is visible, nowhere else.

    Unit: check
    Source: definition
    """
    for q, k, v, do, causal in problems(shapes, width):
        ds = score_gradient(q, k, v, do, causal)
        visible = np.tril(np.ones(ds.shape, dtype=bool), len(k) - len(q) if causal else len(k))
        # A row with a single visible key has a constant weight of one: no gradient there either.
        alone = visible.sum(axis=1) == 1
        assert (ds[~visible] == 0).all(), "a masked pair has a gradient"
        assert (ds[alone] == 0).all(), "a row with one visible key has a gradient"
        assert (ds[visible & ~alone[:, None]] != 0).all(), "a visible pair has none"
    return {"shapes": listed(shapes), "masks": "none, causal"}


@verifier
def grouped_gradients_add(
    query_heads: int = 4,
    kv_heads: int = 2,
    tokens: int = 7,
    width: int = 8,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, int | float]:
    """Check that a shared head's dK and dV are the sums of its query heads' own dK and dV.

    Unit: check
    Source: definition
    """
    import torch

    arguments.divides(query_heads, kv_heads, "query heads")
    rng = np.random.default_rng(seed)
    q, do = rng.standard_normal((2, query_heads, tokens, width))
    k, v = rng.standard_normal((2, kv_heads, tokens, width))
    leaves = [torch.from_numpy(a)[None].requires_grad_() for a in (q, k, v)]
    output = torch.nn.functional.scaled_dot_product_attention(
        leaves[0], leaves[1], leaves[2], is_causal=True, enable_gqa=True
    )
    _, dk, dv = torch.autograd.grad(output, leaves, torch.from_numpy(do)[None])
    size = query_heads // kv_heads
    for group in range(kv_heads):
        members = range(group * size, group * size + size)
        own = [backward(q[h], k[group], v[group], do[h], True) for h in members]
        agree(np.sum([g.dk for g in own], axis=0), dk.squeeze(0)[group].numpy(), tolerance, "dK")
        agree(np.sum([g.dv for g in own], axis=0), dv.squeeze(0)[group].numpy(), tolerance, "dV")
    return {"query_heads": query_heads, "kv_heads": kv_heads, "tolerance": tolerance}


@verifier
def saturation_spares_values(
    seeds: int = 8,
    tokens: int = 16,
    head_dim: int = 32,
    gain: float = 1000.0,
    causal: bool = False,
    threshold: float = 1e-6,
) -> dict[str, int | float | str]:
    """Check that one-hot weights leave dQ and dK next to nothing, and dV as large as ever.

    Queries and keys are scaled up together until every row is one-hot.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        q, k, v, do = rng.standard_normal((4, tokens, head_dim))
        soft, hard = (backward(c * q, c * k, v, do, causal) for c in (1, gain))
        dq, dk, dv = (np.linalg.norm(hard[i]) / np.linalg.norm(soft[i]) for i in range(3))
        assert max(dq, dk) < threshold, f"dQ or dK survive: {dq:.2g}, {dk:.2g}"
        assert dv > 1, f"dV shrinks to {dv:.2g}"
    return {"seeds": seeds, "tokens": tokens, "head_dim": head_dim, "threshold": threshold}
