"""Training through rounding: the straight-through gradient, and QAT against rounding afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.quantisation import Array, absmax


def forward(x: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Hidden activations and outputs of a network with one tanh layer."""
    hidden = np.tanh(x @ first)
    return hidden, hidden @ second


def gradients(x: Array, y: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Gradients of the mean squared error by both weights."""
    hidden, output = forward(x, first, second)
    by_output = 2 * (output - y) / y.size
    by_hidden = by_output @ second.T * (1 - hidden**2)
    return x.T @ by_hidden, hidden.T @ by_output


def train(x: Array, y: Array, weights: list[Array], bits: int | None, steps: int, rate: float) -> list[Array]:
    """Descent with momentum and a rate falling to 0; with `bits`, gradients are those at rounded weights."""
    kept = list(weights)
    speeds = [np.zeros_like(w) for w in weights]
    for step in range(steps):
        used = kept if bits is None else [absmax(w, bits) for w in kept]
        for index, gradient in enumerate(gradients(x, y, *used)):
            speeds[index] = 0.9 * speeds[index] - rate * (1 - step / steps) * gradient
            kept[index] = kept[index] + speeds[index]
    return kept


@verifier(tolerance=1e-6)
def ptq_against_qat(
    bits: int, steps: int = 600, extra: int = 400, hidden: int = 16, samples: int = 200, seed: int = 0
) -> dict[str, float]:
    """Test error of a small network as trained, rounded afterwards (PTQ), and trained on rounded (QAT).

    Formula: mean squared error over fresh samples; QAT continues from the trained weights for `extra`
    steps with absmax-rounded weights in forward and backward, the update on the unrounded ones; `more` is
    the unrounded network after as many extra steps.
    Unit: float=1, more=1, ptq=1, qat=1
    Source: jacob2018
    """
    arguments.counts(steps=steps, extra=extra, hidden=hidden)
    arguments.counts(2, samples=samples)
    arguments.counts(0, seed=seed)
    normal = np.random.default_rng(seed).standard_normal
    x, fresh = normal((samples, 4)), normal((samples, 4))
    teacher = normal((4, 3))
    y, truth = (np.sin(inputs @ teacher) for inputs in (x, fresh))
    start = [normal((4, hidden)) / 2, normal((hidden, 3)) / np.sqrt(hidden)]
    base = train(x, y, start, None, steps, 0.1)
    more = train(x, y, base, None, extra, 0.1)
    trained = train(x, y, base, bits, extra, 0.1)

    def error(weights: list[Array]) -> float:
        _, output = forward(fresh, *weights)
        return float(((output - truth) ** 2).mean())

    def rounded(weights: list[Array]) -> list[Array]:
        return [absmax(weight, bits) for weight in weights]

    return {
        "float": error(base),
        "more": error(more),
        "ptq": error(rounded(base)),
        "qat": error(rounded(trained)),
    }


def straight_through(w: Any, step: float) -> Any:
    """A tensor rounded to a grid whose gradient is passed on as if nothing had been rounded."""
    return w + ((w / step).round() * step - w).detach()


@verifier
def straight_through_passes_gradients(
    size: int = 50, step: float = 0.25, seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that rounding blocks the gradient, and that a straight-through estimate takes it at ŵ.

    Formula: d round(w)/dw = 0 between the jumps; with ŵ = w + stop(round(w) − w), dL(ŵ)/dw = L′(ŵ).
    Unit: check
    Source: bengio2013
    """
    import torch

    for seed in range(seeds):
        w = torch.tensor(np.random.default_rng(seed).standard_normal(size), requires_grad=True)
        (blocked,) = torch.autograd.grad(torch.round(w).sum(), w)
        assert not np.count_nonzero(blocked), "rounding has a gradient"
        used = straight_through(w, step)
        grid = np.rint(w.detach().numpy() / step) * step
        assert np.allclose(used.detach(), grid, rtol=tolerance, atol=tolerance), "the forward is not rounded"
        (passed,) = torch.autograd.grad(used.pow(3).sum(), w)
        assert np.allclose(passed, 3 * grid**2, rtol=tolerance, atol=tolerance), "the gradient is another"
    return {"size": size, "step": step, "seeds": seeds, "tolerance": tolerance}


@verifier
def dynamic_quantisation_swaps_children(size: int = 8, seed: int = 0) -> dict[str, object]:
    """Check that PyTorch's dynamic quantisation swaps the children of a module, not the module itself.

    Formula: quantize_dynamic(Linear) computes what the float layer does, bit for bit; inside a Sequential
    the layer is swapped for an integer one, whose output differs.
    Unit: check
    Source: pytorch2025
    """
    import warnings

    import torch

    normal = np.random.default_rng(seed).standard_normal
    linear, x = torch.nn.Linear(size, size), torch.tensor(normal((size, size)), dtype=torch.float32)
    for part in linear.parameters():
        part.data = torch.tensor(normal(part.shape), dtype=torch.float32)
    expected = linear(x)
    for module, swapped in ((linear, False), (torch.nn.Sequential(linear), True)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the whole module is deprecated in favour of torchao
            converted = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear})
            differs = not torch.equal(converted(x), expected)
        assert differs == swapped, f"{type(module).__name__}: swapped is {differs}"
    return {"size": size, "bare": "Linear, unchanged", "child": "Sequential(Linear), swapped"}
