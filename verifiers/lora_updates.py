"""LoRA updates at work: their size, their sum, merging gone wrong, and what a step moves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments, lora
from verifiers.quantisation import absmax

SLIPS = ("alpha/r", "branch", "nothing")


@verifier
def update_rms(
    rank: int, alpha: float, columns: int, rule: str = "alpha/r", a_std: float = 1.0, b_std: float = 1.0
) -> float:
    """Root mean square of what an adapter adds to its output, for independent factors and inputs.

    Formula: s·σ_A·σ_B·√(r·k) for inputs [k] of unit variance: the product grows as √r, so s = alpha/r
    shrinks it with the rank and s = alpha/√r keeps it.
    Unit: 1
    Source: kalajdzievski2023
    """
    arguments.counts(rank=rank, columns=columns)
    arguments.positive(alpha=alpha, a_std=a_std, b_std=b_std)
    return lora.scale_of(alpha, rank, rule) * a_std * b_std * math.sqrt(rank * columns)


@verifier
def merging_error(forgotten: str, rank: int = 3, alpha: float = 6.0, seed: int = 0) -> float:
    """Relative error of a layer's output after a merge that forgets something.

    Formula: ‖y − (W·x + s·B·A·x)‖/‖W·x‖; "alpha/r": y = (W + B·A)·x; "branch": the merged layer still
    adds s·B·A·x; "nothing": the right merge.
    Unit: 1
    Source: hu2022
    """
    arguments.one_of("slip", forgotten, SLIPS)
    arguments.counts(rank=rank)
    arguments.counts(0, seed=seed)
    arguments.positive(alpha=alpha)
    x, w, a, b, _ = lora.random_case(seed, rank, 5, 16, 24)
    scale = lora.scale_of(alpha, rank)
    base = x @ w.T
    added = {
        "alpha/r": x @ lora.merge(w, a, b, 1.0).T,
        "branch": lora.adapter_forward(x, lora.merge(w, a, b, scale), a, b, scale),
        "nothing": x @ lora.merge(w, a, b, scale).T,
    }[forgotten] - lora.adapter_forward(x, w, a, b, scale)
    return float(np.linalg.norm(added) / np.linalg.norm(base))


@verifier
def sum_rank(ranks: tuple[int, ...], rows: int = 32, columns: int = 48) -> int:
    """Rank of the sum of several low-rank updates with random factors.

    Formula: rank(Σ BᵢAᵢ) = min(Σ rᵢ, d, k) for factors in general position.
    Shapes: Bᵢ [d, rᵢ], Aᵢ [rᵢ, k].
    Unit: 1
    Source: definition
    """
    arguments.counts(updates=len(ranks), rows=rows, columns=columns)
    arguments.counts(**{f"ranks[{index}]": rank for index, rank in enumerate(ranks)})
    normal = np.random.default_rng(ranks).standard_normal
    updates = [normal((rows, rank)) @ normal((rank, columns)) for rank in ranks]
    return int(np.linalg.matrix_rank(np.sum(updates, axis=0)))


@verifier
def taking_off_restores_base(
    ranks: tuple[int, ...] = (1, 4),
    seeds: int = 4,
    scale: float = 2.0,
    sizes: tuple[int, int, int] = (5, 16, 24),
) -> dict[str, object]:
    """Check that an adapter changes the output while it is on and that none of it stays when it is off.

    Formula: y_on = W·x + s·B·A·x ≠ W·x; without the branch y = W·x bit for bit, as W was not written.
    Shapes: x [n, k], W [d, k]; `sizes` are n, d, k.
    Unit: check
    Source: hu2022
    """
    for rank in ranks:
        for seed in range(seeds):
            x, w, a, b, _ = lora.random_case(seed, rank, *sizes)
            before = x @ w.T
            assert not np.allclose(lora.adapter_forward(x, w, a, b, scale), before), "no effect while on"
            assert np.array_equal(x @ w.T, before), "the base weight was written"
    return {"ranks": ", ".join(map(str, ranks)), "seeds": seeds, "output": "equal bit for bit"}


def trained(weight: Any, a: Any, b: Any) -> list[Any]:
    """What the optimiser of a LoRA run is given."""
    return [a, b]


@verifier
def only_factors_train(
    ranks: tuple[int, ...] = (1, 4),
    seeds: int = 2,
    rate: float = 1e-3,
    bits: int = 4,
    scale: float = 2.0,
    sizes: tuple[int, int, int] = (5, 16, 24),
    history: tuple[str, ...] = ("B", "AB", "AB"),
) -> dict[str, object]:
    """Check that gradients pass through a frozen quantised weight while only A and B are updated.

    Formula: y = Ŵ·x + s·B·A·x from B = 0: dL/dx = (Ŵ + s·B·A)ᵀ·dL/dy; descent on L moves B first, A from
    the second step on, Ŵ never.
    Unit: check
    Source: dettmers2023
    """
    import torch

    for rank in ranks:
        for seed in range(seeds):
            x, w, a, b, g = map(torch.tensor, lora.random_case(seed, rank, *sizes))
            parts = {"W": torch.tensor(absmax(w.numpy(), bits)), "A": a, "B": torch.zeros_like(b)}
            moving = trained(*parts.values())
            for part in (x, *moving):
                part.requires_grad_()
            losses: list[Any] = []
            for expected in history:
                before = {name: part.detach().clone() for name, part in parts.items()}
                y = x @ parts["W"].T + scale * (x @ parts["A"].T) @ parts["B"].T
                losses.append((y * g).sum())
                passed, *gradients = torch.autograd.grad(losses[-1], [x, *moving])
                through = g @ (before["W"] + scale * before["B"] @ before["A"])
                assert torch.allclose(passed, through), "the input's gradient is another"
                with torch.no_grad():
                    for index, part in enumerate(moving):
                        part -= rate * gradients[index]
                moved = "".join(n for n, part in parts.items() if not torch.equal(part.detach(), before[n]))
                assert moved == expected, f"a step moves {moved}, not {expected}"
            assert losses == sorted(losses, reverse=True), "the loss does not fall"
    return {"ranks": ", ".join(map(str, ranks)), "seeds": seeds, "bits": bits, "steps": len(history)}
