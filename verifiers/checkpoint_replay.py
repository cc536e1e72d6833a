"""Gradients of recomputed layers: the same as without, if the randomness is replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofdeck import verifier


def stack(dropout: float) -> Any:
    """Six small layers in float64, seeded."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [
            torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh(), torch.nn.Dropout(dropout))
            for _ in range(6)
        ]
    return torch.nn.ModuleList(layers).double()


def gradients(dropout: float, wrap: Callable[[Any, Any], Any]) -> list[Any]:
    """Gradients of a stack's parameters where each layer is applied by `wrap(layer, x)`."""
    import torch

    layers = stack(dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        x = torch.randn(8, 16, dtype=torch.float64, requires_grad=True)
        for layer in layers:
            x = wrap(layer, x)
        return list(torch.autograd.grad(x.square().sum(), list(layers.parameters())))


def compare(dropout: float, wrap: Callable[[Any, Any], Any]) -> dict[str, int | float]:
    """Compare the gradients of a wrapped stack with those of the plain one."""
    plain = gradients(dropout, lambda layer, x: layer(x))
    for expected, got in zip(plain, gradients(dropout, wrap), strict=True):
        error = (expected - got).abs().max().item()
        assert error < 1e-12, f"a gradient is off by {error:.2g}"
    return {"layers": 6, "dropout": dropout, "tolerance": 1e-12}


@verifier
def gradients_are_unchanged() -> dict[str, int | float]:
    """Check that checkpointed layers give the gradients of plain ones, dropout included.

    Unit: check
    Source: definition
    """
    from torch.utils.checkpoint import checkpoint

    return compare(0.3, lambda layer, x: checkpoint(layer, x, use_reentrant=False))


@verifier
def autocast_is_replayed() -> dict[str, str | int]:
    """Check that a backward outside autocast recomputes in the type that autocast chose.

    Unit: check
    Source: definition
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    seen: list[str] = []

    def layer(x: Any) -> Any:
        y = x @ x.T
        seen.append(str(y.dtype).removeprefix("torch."))
        return y.sin()

    x = torch.ones(4, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = checkpoint(layer, x, use_reentrant=False)
    torch.autograd.grad(y.float().sum(), x)
    assert seen == ["bfloat16"] * 2, f"computed in {', then '.join(seen)}"
    return {"runs": 2, "dtype": seen[0]}


@verifier
def running_statistics_move_twice() -> dict[str, int]:
    """Check that a recomputed batch norm counts its batch, and moves its running mean, twice.

    Unit: check
    Source: definition
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    def count(recompute: bool) -> tuple[int, float]:
        norm = torch.nn.BatchNorm1d(1)
        x = torch.full((4, 1), 10.0, requires_grad=True)
        y = checkpoint(norm, x, use_reentrant=False) if recompute else norm(x)
        torch.autograd.grad(y.sum(), x)
        state = norm.state_dict()
        return state["num_batches_tracked"].item(), round(state["running_mean"].item(), 5)

    assert count(False) == (1, 1.0), "a plain batch norm is not as expected"
    assert count(True) == (2, 1.9), "recomputation left the statistics alone"
    return {"plain": 1, "recomputed": 2}


@verifier
def fresh_dropout_masks_break_gradients() -> dict[str, int | float]:
    """Check that recomputing with new random numbers gives wrong gradients, and only with dropout.

    Unit: check
    Source: definition
    """
    from torch.utils.checkpoint import checkpoint

    def forgetful(layer: Any, x: Any) -> Any:
        return checkpoint(layer, x, use_reentrant=False, preserve_rng_state=False)

    compare(0.0, forgetful)
    plain = gradients(0.3, lambda layer, x: layer(x))
    wrong = gradients(0.3, forgetful)
    for expected, got in zip(plain, wrong, strict=True):
        assert (expected - got).abs().max() > 1e-3, "new masks left a gradient as it was"
    return {"layers": 6, "dropout": 0.3}
