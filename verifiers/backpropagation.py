"""Backpropagation: what reverse mode costs, what accumulates, and what clipping and anomaly mode see."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

from proofdeck import verifier
from verifiers import arguments


@verifier
def perceptron(widths: tuple[int, ...], bias: bool = True) -> int:
    """Parameters of a chain of linear layers.

    Formula: Σ (width_in + bias) · width_out.
    Unit: param
    Source: definition
    """
    if len(widths) < 2:
        raise ValueError(f"a layer needs a width in and a width out, not {widths}")
    arguments.counts(**{f"widths[{index}]": width for index, width in enumerate(widths)})
    return sum((rows + bias) * columns for rows, columns in pairwise(widths))


@verifier
def squared_sum(a: float, b: float, c: float) -> dict[str, float]:
    """Value and gradients of (a·b + c)², by the chain rule from the output back.

    Formula: L = u², u = a·b + c; ∂L/∂u = 2u, ∂L/∂a = 2u·b, ∂L/∂b = 2u·a, ∂L/∂c = 2u.
    Unit: loss=1, a=1, b=1, c=1
    Source: definition
    """
    arguments.finite(a=a, b=b, c=c)
    inner = a * b + c
    return {"loss": inner**2, "a": 2 * inner * b, "b": 2 * inner * a, "c": 2 * inner}


@verifier
def layer_runs(layers: int, stored: bool = True) -> int:
    """Layers run forward for one backward, every layer's input stored, or made again from the first layer's.

    Formula: L; 1 + 2 + … + L = L · (L + 1) / 2 where the backward of layer i needs the first i layers again.
    Unit: 1
    Source: griewank2000
    """
    arguments.counts(layers=layers)
    return layers if stored else math.comb(layers + 1, 2)


@verifier
def passes(inputs: int, outputs: int, mode: str) -> int:
    """Passes that a full Jacobian takes: one a column forward, one a row in reverse.

    Formula: forward: inputs; reverse: outputs.
    Unit: 1
    Source: baydin2018
    """
    arguments.counts(inputs=inputs, outputs=outputs)
    return inputs if arguments.one_of("mode", mode, ("forward", "reverse")) == "forward" else outputs


@verifier
def accumulated(gradient: float, calls: int, zeroed: bool = False) -> float:
    """What a weight's gradient holds after some backward passes, zeroed before each or not.

    Formula: gradient · calls, or gradient.
    Unit: 1
    Source: definition
    """
    arguments.finite(gradient=gradient)
    arguments.counts(calls=calls)
    return gradient if zeroed else gradient * calls


@verifier
def clipped_norm(norm: float, limit: float = 1.0, guard: float = 1e-6) -> float:
    """Norm of a gradient after clipping as PyTorch does it: a little below the limit, and never longer.

    Formula: norm · min(1, limit / (norm + guard)).
    Unit: 1
    Source: pascanu2013
    """
    arguments.non_negative(norm=norm, guard=guard)
    arguments.positive(limit=limit)
    return norm * min(1.0, limit / (norm + guard)) if norm else 0.0


@verifier
def one_bad_entry_spoils_all(entries: int = 5, limit: float = 1.0) -> dict[str, int]:
    """Clipping by the global norm turns one NaN among finite gradients into nothing but NaN.

    An infinite entry leaves zeros and one NaN.

    Unit: check
    Source: definition
    """
    import torch

    for bad in (math.nan, math.inf):
        weight = torch.zeros(entries)
        weight.grad = torch.tensor([bad] + [1.0] * (entries - 1))
        torch.nn.utils.clip_grad_norm_([weight], limit)
        spoiled = int(weight.grad.isnan().sum())
        wanted = entries if math.isnan(bad) else 1
        assert spoiled == wanted, f"{bad} made {spoiled} of {entries} entries NaN, not {wanted}"
        assert math.isnan(bad) or int((weight.grad == 0).sum()) == entries - 1
    return {"entries": entries}


@verifier
def anomaly_mode_sees_the_backward_only(negative: float = -1.0) -> dict[str, float]:
    """Autograd's anomaly mode lets a NaN of the forward pass by, and raises at one made in the backward.

    Unit: check
    Source: definition
    """
    import torch

    with warnings.catch_warnings(), torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("ignore")  # the mode itself warns where it raises
        x = torch.tensor(negative, requires_grad=True)
        y = x.log()
        assert y.isnan(), "the forward made no NaN"
        y.backward()
        assert x.grad == 1 / negative, "the gradient of the logarithm is 1/x, finite"
        z = torch.tensor(0.0, requires_grad=True)
        product = z.sqrt() * 0
        told = ""
        try:
            product.backward()
        except RuntimeError as error:
            told = str(error)
        assert "Sqrt" in told, "a NaN of the backward was not seen, or its step not named"
    return {"negative": negative}
