"""The backward pass of attention, against autograd and differences, with masks and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers.gradients import close, differences, softmax, softmax_backward

Array = npt.NDArray[np.float64]


class Gradients(NamedTuple):
    """Gradients at queries [m, d], keys [n, d] and values [n, d]."""

    dq: Array
    dk: Array
    dv: Array


Backward = Callable[[Array, Array, Array, Array, bool], Gradients]


def weights(q: Array, k: Array, causal: bool) -> Array:
    """Softmax of q kᵀ / √d, q [m, d], k [n, d], the last query level with the last key."""
    scores = q @ k.T / np.sqrt(q.shape[1])
    if causal:
        rows, columns = scores.shape
        hidden = np.triu(np.ones(scores.shape, dtype=bool), columns - rows + 1)
        scores = np.where(hidden, -np.inf, scores)
    return softmax(scores)


def score_gradient(q: Array, k: Array, v: Array, do: Array, causal: bool) -> Array:
    """Gradient at the scaled scores, dS [m, n]."""
    return softmax_backward(weights(q, k, causal), do @ v.T)


def backward(q: Array, k: Array, v: Array, do: Array, causal: bool) -> Gradients:
    """Gradients of O = P v, P = softmax(q kᵀ / √d), from do [m, d], the gradient at O."""
    ds = score_gradient(q, k, v, do, causal) / np.sqrt(q.shape[1])
    return Gradients(dq=ds @ k, dk=ds.T @ q, dv=weights(q, k, causal).T @ do)


def problems() -> Iterator[tuple[Array, Array, Array, Array, bool]]:
    """Yield q, k, v, do and whether the mask is causal, for square and oblong scores."""
    for seed, (rows, columns, causal) in enumerate(
        ((6, 6, False), (6, 6, True), (3, 8, False), (3, 8, True))
    ):
        rng = np.random.default_rng(seed)
        q, do = rng.standard_normal((2, rows, 4))
        k, v = rng.standard_normal((2, columns, 4))
        yield q, k, v, do, causal


def _loss(arrays: tuple[Array, Array, Array], index: int, do: Array, causal: bool, flat: Array) -> Array:
    """Sum of O ∘ do with one of q, k, v replaced by `flat`."""
    q, k, v = (flat.reshape(a.shape) if i == index else a for i, a in enumerate(arrays))
    return np.array((weights(q, k, causal) @ v * do).sum())


def compare(candidate: Backward) -> dict[str, str | int | float]:
    """Compare a backward with autograd in float64 and with central differences of the loss."""
    import torch

    for q, k, v, do, causal in problems():
        got = candidate(q, k, v, do, causal)
        leaves = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
        scores = leaves[0] @ leaves[1].T / q.shape[1] ** 0.5
        if causal:
            hidden = np.triu(np.ones(scores.shape, dtype=bool), len(k) - len(q) + 1)
            scores = scores.masked_fill(torch.from_numpy(hidden), -torch.inf)
        output = torch.softmax(scores, -1) @ leaves[2]
        exact = torch.autograd.grad(output, leaves, torch.from_numpy(do))
        for index in range(3):
            name, gradient = Gradients._fields[index], got[index]
            close(f"{name} (autograd)", gradient, exact[index].numpy(), 1e-12)
            loss = partial(_loss, (q, k, v), index, do, causal)
            numeric = differences(loss, (q, k, v)[index].ravel())
            close(f"{name} (difference)", gradient.ravel(), numeric, 1e-8)
    return {
        "shapes": "6x6, 3x8",
        "masks": "none, causal",
        "autograd_tolerance": 1e-12,
        "difference_tolerance": 1e-8,
    }


@verifier
def backward_is_exact() -> dict[str, str | int | float]:
    """Check dQ, dK and dV against autograd in float64 and against central differences.

    Formula: dV = Pᵀ dO; dP = dO Vᵀ; dS = P ∘ (dP - rowsum(P ∘ dP)); dQ = dS K / √d;
    dK = dSᵀ Q / √d.
    Unit: check
    Source: dao2022
    """
    return compare(backward)


def compare_delta(delta: Callable[[Array, Array, Array], Array]) -> dict[str, str | float]:
    """Compare a delta, given o, do and v, with the row sums of P ∘ dP."""
    for q, k, v, do, causal in problems():
        p = weights(q, k, causal)
        close("delta", delta(p @ v, do, v), (p * (do @ v.T)).sum(axis=1), 1e-13)
    return {"shapes": "6x6, 3x8", "masks": "none, causal", "tolerance": 1e-13}


@verifier
def delta_needs_no_weights() -> dict[str, str | float]:
    """Check that rowsum(P ∘ dP) equals rowsum(dO ∘ O), so that it needs neither P nor dP.

    Unit: check
    Source: dao2022
    """
    return compare_delta(lambda o, do, v: np.asarray((do * o).sum(axis=1)))


@verifier
def masked_pairs_get_no_gradient() -> dict[str, str]:
    """Check that dS is exactly zero at masked pairs and where one key is visible, nowhere else.

    Unit: check
    Source: definition
    """
    for q, k, v, do, causal in problems():
        ds = score_gradient(q, k, v, do, causal)
        offset = len(k) - len(q)
        hidden = [[causal and j > i + offset for j in range(len(k))] for i in range(len(q))]
        # A row with a single visible key has a constant weight of one: no gradient there either.
        alone = np.array([[causal and i + offset == 0] * len(k) for i in range(len(q))])
        assert (ds[np.array(hidden)] == 0).all(), "a masked pair has a gradient"
        assert (ds[alone] == 0).all(), "a row with one visible key has a gradient"
        assert (ds[~np.array(hidden) & ~alone] != 0).all(), "a visible pair has none"
    return {"shapes": "6x6, 3x8", "masks": "none, causal"}


@verifier
def grouped_gradients_add() -> dict[str, int | float]:
    """Check that a shared head's dK and dV are the sums of its query heads' own dK and dV.

    Unit: check
    Source: definition
    """
    import torch

    rng = np.random.default_rng(0)
    q, do = rng.standard_normal((2, 4, 7, 8))
    k, v = rng.standard_normal((2, 2, 7, 8))
    leaves = [torch.from_numpy(a)[None].requires_grad_() for a in (q, k, v)]
    output = torch.nn.functional.scaled_dot_product_attention(
        leaves[0], leaves[1], leaves[2], is_causal=True, enable_gqa=True
    )
    _, dk, dv = torch.autograd.grad(output, leaves, torch.from_numpy(do)[None])
    heads = [backward(q[h], k[h // 2], v[h // 2], do[h], True) for h in range(4)]
    for group in range(2):
        first, second = heads[2 * group : 2 * group + 2]
        close("dK", first.dk + second.dk, dk[0, group].numpy(), 1e-12)
        close("dV", first.dv + second.dv, dv[0, group].numpy(), 1e-12)
    return {"query_heads": 4, "kv_heads": 2, "tolerance": 1e-12}


@verifier
def saturation_spares_values() -> dict[str, int | float | str]:
    """Check that one-hot weights leave dQ and dK next to nothing, and dV as large as ever.

    Queries and keys are scaled up together until every row is one-hot.

    Unit: check
    Source: definition
    """
    for seed in range(8):
        rng = np.random.default_rng(seed)
        q, k, v, do = rng.standard_normal((4, 16, 32))
        soft, hard = (backward(c * q, c * k, v, do, False) for c in (1.0, 1000.0))
        shrunk = {
            n: np.linalg.norm(getattr(hard, n)) / np.linalg.norm(getattr(soft, n)) for n in Gradients._fields
        }
        assert max(shrunk["dq"], shrunk["dk"]) < 1e-6, f"dQ or dK survive: {shrunk}"
        assert shrunk["dv"] > 1, f"dV shrinks: {shrunk}"
    return {"seeds": 8, "tokens": 16, "head_dim": 32, "threshold": 1e-6}
