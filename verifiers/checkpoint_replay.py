"""Gradients of recomputed layers: the same as without, if the randomness is replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from proofdeck import verifier
from verifiers.calculus import agree

Wrap = Callable[[Any, Any], Any]


class Net(NamedTuple):
    """A stack of small layers in float64, and what it is run on."""

    layers: int
    width: int
    rows: int
    dropout: float
    seed: int


def stack(net: Net) -> Any:
    """Build the layers, seeded."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(net.seed)
        layers = [
            torch.nn.Sequential(
                torch.nn.Linear(net.width, net.width), torch.nn.Tanh(), torch.nn.Dropout(net.dropout)
            )
            for _ in range(net.layers)
        ]
    return torch.nn.ModuleList(layers).double()


def gradients(net: Net, wrap: Wrap) -> list[Any]:
    """Gradients of a stack's parameters where each layer is applied by `wrap(layer, x)`."""
    import torch

    layers = stack(net)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(net.seed)
        x = torch.randn(net.rows, net.width, dtype=torch.float64)
        for layer in layers:
            x = wrap(layer, x)
        return [g.numpy() for g in torch.autograd.grad(x.square().sum(), list(layers.parameters()))]


def plain(layer: Any, x: Any) -> Any:
    """Apply a layer and keep what its backward needs."""
    return layer(x)


def compare(net: Net, wrap: Wrap, tolerance: float) -> None:
    """Compare the gradients of a wrapped stack with those of the plain one."""
    for expected, got in zip(gradients(net, plain), gradients(net, wrap), strict=True):
        agree(got, expected, tolerance, "a gradient")


@verifier
def gradients_are_unchanged(
    layers: int = 6,
    width: int = 16,
    rows: int = 8,
    dropout: float = 0.3,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, int | float]:
    """Check that checkpointed layers give the gradients of plain ones, dropout included.

    Unit: check
    Source: definition
    """
    from torch.utils.checkpoint import checkpoint

    net = Net(layers, width, rows, dropout, seed)
    compare(net, lambda layer, x: checkpoint(layer, x, use_reentrant=False), tolerance)
    return {"layers": layers, "dropout": dropout, "tolerance": tolerance}


@verifier
def autocast_is_replayed(size: int = 4) -> dict[str, str | int]:
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

    x = torch.ones(size, size, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = checkpoint(layer, x, use_reentrant=False)
    torch.autograd.grad(y.float().sum(), x)
    chosen = "bfloat16"
    assert seen == [chosen, chosen], f"computed in {', then '.join(seen)}"
    return {"runs": len(seen), "dtype": chosen}


@verifier
def running_statistics_move_twice(
    value: float = 10.0, rows: int = 4, momentum: float = 0.1, tolerance: float = 1e-5
) -> dict[str, int]:
    """Check that a recomputed batch norm counts its batch, and moves its running mean, twice.

    Formula: mean ← (1 − momentum) · mean + momentum · value, from zero, once or twice.
    Unit: check
    Source: definition
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    def batches(recompute: bool, mean: float) -> int:
        norm = torch.nn.BatchNorm1d(1, momentum=momentum)
        x = torch.full((rows, 1), value, requires_grad=True)
        y = checkpoint(norm, x, use_reentrant=False) if recompute else norm(x)
        torch.autograd.grad(y.sum(), x)
        state = norm.state_dict()
        agree(state["running_mean"].item(), mean, tolerance, "a running mean")
        return int(state["num_batches_tracked"])

    once = momentum * value
    twice = once + (1 - momentum) * once
    tracked = {"plain": batches(False, once), "recomputed": batches(True, twice)}
    assert tracked == {"plain": 1, "recomputed": 2}, f"batches counted: {tracked}"
    return tracked


@verifier
def fresh_dropout_masks_break_gradients(
    layers: int = 6,
    width: int = 16,
    rows: int = 8,
    dropout: float = 0.3,
    seed: int = 0,
    tolerance: float = 1e-12,
    least: float = 1e-3,
) -> dict[str, int | float]:
    """Check that recomputing with new random numbers gives wrong gradients, and only with dropout.

    Unit: check
    Source: definition
    """
    from torch.utils.checkpoint import checkpoint

    def forgetful(layer: Any, x: Any) -> Any:
        return checkpoint(layer, x, use_reentrant=False, preserve_rng_state=False)

    net = Net(layers, width, rows, dropout, seed)
    compare(net._replace(dropout=0.0), forgetful, tolerance)
    for expected, got in zip(gradients(net, plain), gradients(net, forgetful), strict=True):
        assert abs(got - expected).max() > least, "new masks left a gradient as it was"
    return {"layers": layers, "dropout": dropout}
