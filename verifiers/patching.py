"""Activation patching on small residual networks: what it recovers, costs and approximates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import agree

Array = npt.NDArray[np.float64]
METRICS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "linear": (lambda h: h, lambda h: np.ones_like(h)),
    "quadratic": (lambda h: h**2, lambda h: 2 * h),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
}
"""What reads a head's sum of contributions, and its derivative."""


@verifier
def recovery(clean: float, corrupt: float, patched: float) -> float:
    """Share of what corruption costs a metric that a patch makes good: negative for harm, above one for more.

    Formula: (patched - corrupt) / (clean - corrupt).
    Unit: 1
    Source: zhang2024patching
    """
    arguments.finite(patched=patched)
    arguments.positive(**{"|clean - corrupt|": abs(clean - corrupt)})
    return (patched - corrupt) / (clean - corrupt)


def network(layers: int, width: int, seed: int) -> Array:
    """Weights [layers, 2, d, d] of blocks that mix neighbouring positions and transform each."""
    weights = np.random.default_rng(seed).standard_normal((layers, 2, width, width))
    return np.asarray(weights / np.sqrt(width))


def run(weights: Array, x: Array, patch: dict[int, tuple[slice, Array]] | None = None) -> list[Array]:
    """Residual streams [t, d] after each causal block; `patch` overwrites positions after a layer."""
    streams = []
    mixer = np.tri(len(x)) / np.arange(1, len(x) + 1)[:, None]
    for layer, (mix, transform) in enumerate(weights):
        x = x + np.tanh(mixer @ x @ mix)
        x = x + np.tanh(x @ transform)
        if patch and layer in patch:
            place, values = patch[layer]
            x = x.copy()
            x[place] = values[place]
        streams.append(x)
    return streams


@verifier
def whole_layer_patch_recovers_all(
    layers: int = 4,
    tokens: int = 6,
    width: int = 16,
    corrupted: int = 2,
    seed: int = 0,
    tolerance: float = 1e-12,
) -> dict[str, int | float]:
    """Check that clean activations at all positions after any layer restore the output.

    Those before the corrupted position change nothing, and those after it do not suffice. So a whole layer's
    recovery says nothing of where the work is done.

    Unit: check
    Source: meng2022
    """
    weights, rng = network(layers, width, seed), np.random.default_rng(seed)
    x = rng.standard_normal((tokens, width))
    damaged = x.copy()
    damaged[corrupted] = rng.standard_normal(width)
    clean, corrupt = run(weights, x), run(weights, damaged)
    for layer in range(layers):
        patched = run(weights, damaged, {layer: (slice(None), clean[layer])})[-1]
        agree(patched, clean[-1], tolerance, f"the output, layer {layer} patched,")
        before = run(weights, damaged, {layer: (slice(corrupted), clean[layer])})[-1]
        agree(before, corrupt[-1], tolerance, "the output, positions before the corrupted one patched,")
        after = run(weights, damaged, {layer: (slice(corrupted + 1, None), clean[layer])})[-1]
        assert np.abs(after - clean[-1]).max() > tolerance, "positions after the corrupted one suffice"
    return {"layers": layers, "tokens": tokens, "width": width, "tolerance": tolerance}


def hooked_output(weights: Array, clean: Array, corrupt: Array, layer: int, remove_first: bool) -> Any:
    """Output on `corrupt` with a hook that puts back what another hook stored of `clean` at a layer."""
    import torch

    def linear(weight: Array) -> Any:
        layer = torch.nn.Linear(len(weight), len(weight), bias=False)
        layer.weight = torch.nn.Parameter(torch.from_numpy(weight))
        return layer

    blocks, stored = [linear(weight) for weight in weights], {}
    network = torch.nn.Sequential(*blocks)

    def save(module: object, inputs: object, output: Any) -> None:
        stored["output"] = output

    handle = blocks[layer].register_forward_hook(save)
    network(torch.from_numpy(clean))
    if remove_first:
        handle.remove()
    blocks[layer].register_forward_hook(lambda module, inputs, output: stored["output"])
    return network(torch.from_numpy(corrupt)).detach().numpy()


@verifier
def forgotten_hook_undoes_the_patch(
    layers: int = 3, width: int = 8, layer: int = 1, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that a patch restores the clean output only if the hook that stored it is gone.

    Left in place, it stores the corrupted activation first, which the patch then puts back.

    Unit: check
    Source: definition
    """
    weights = np.stack([mix for mix, _transform in network(layers, width, seed)])
    clean, corrupt = np.random.default_rng(seed).standard_normal((2, width))
    outputs = {}
    for name, x in (("clean", clean), ("corrupt", corrupt)):
        for weight in weights:
            x = x @ weight.T
        outputs[name] = x
    patched = hooked_output(weights, clean, corrupt, layer, remove_first=True)
    agree(patched, outputs["clean"], tolerance, "the patched output")
    stale = hooked_output(weights, clean, corrupt, layer, remove_first=False)
    agree(stale, outputs["corrupt"], tolerance, "the output with both hooks")
    return {"layers": layers, "layer": layer, "width": width, "tolerance": tolerance}


@verifier
def passes(components: int, method: str) -> dict[str, int]:
    """Passes through the model that score every component: by "activation" or "attribution" patching.

    Both run the clean and the corrupted input once; the one then runs each component's patch, the
    other a single backward.

    Unit: forward=1, backward=1
    Source: syed2023
    """
    arguments.counts(components=components)
    if arguments.one_of("method", method, ("activation", "attribution")) == "activation":
        return {"forward": 2 + components, "backward": 0}
    return {"forward": 2, "backward": 1}


@verifier(tolerance=1e-6)
def attribution(metric: str, components: int = 32, width: int = 8, seed: int = 0) -> dict[str, float]:
    """How gradient times change of activation compares with patching each component for real.

    Components add random contributions to `width` heads, each read by a metric: "linear",
    "quadratic" or "tanh", which saturates.

    Formula: estimate_i = f'(Σ corrupt) · (clean_i - corrupt_i).
    Unit: correlation=1, error=1
    Source: syed2023
    """
    arguments.counts(2, components=components)
    arguments.counts(width=width)
    read, slope = METRICS[arguments.one_of("metric", metric, METRICS)]
    clean, corrupt = np.random.default_rng(seed).standard_normal((2, components, width))
    total, change = corrupt.sum(axis=0), clean - corrupt
    estimate = (change * slope(total)).sum(axis=1)
    exact = (read(total + change) - read(total)).sum(axis=1)
    return {
        "correlation": float(np.corrcoef(estimate, exact)[0, 1]),
        # to nine digits, so that an exact estimate reads zero whatever the rounding
        "error": round(float(np.abs(estimate - exact).max()), 9),
    }


def additive(clean: Array, corrupt: Array, patched: Array) -> float:
    """Sum of what components contribute, those that are true on the clean input, the others corrupted."""
    return float(np.where(patched, clean, corrupt).sum())


@verifier
def patched_gain_is_the_contribution(
    components: int = 12, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, int | float]:
    """Check that in an additive model, patched less corrupted is what the component adds, sign and all.

    Unit: check
    Source: definition
    """
    clean, corrupt = np.random.default_rng(seed).standard_normal((2, components))
    before = additive(clean, corrupt, np.zeros(components, dtype=bool))
    gains = [additive(clean, corrupt, row) - before for row in np.eye(components, dtype=bool)]
    agree(gains, clean - corrupt, tolerance, "a gain")
    return {"components": components, "tolerance": tolerance}
