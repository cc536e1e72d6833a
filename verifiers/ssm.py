"""State-space layers: discretisation, recurrence against convolution, and the state that replaces a cache."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, dtypes

Array = npt.NDArray[np.float64]


@verifier
def discretised(rate: float, step: float, method: str = "zoh") -> dict[str, float]:
    """One channel x' = rate · x + u in steps: how much of the state is kept, and how much input taken in.

    Formula: zoh a = e^(rate·step), b = (a − 1)/rate; bilinear a = (1 + rate·step/2)/(1 − rate·step/2),
    b = step/(1 − rate·step/2).
    Unit: 1
    Source: gu2022
    """
    arguments.one_of("method", method, ("zoh", "bilinear"))
    arguments.positive(step=step, **{"−rate": -rate})
    if method == "zoh":
        return {"a": math.exp(rate * step), "b": math.expm1(rate * step) / rate}
    half = rate * step / 2
    return {"a": (1 + half) / (1 - half), "b": step / (1 - half)}


@verifier
def half_life(kept: float) -> float:
    """Tokens after which half of an input has left a state that keeps the share `kept` at each token.

    Formula: ln ½ / ln kept.
    Unit: token
    Source: definition
    """
    arguments.positive(kept=kept, **{"1 − kept": 1 - kept})
    return math.log(0.5) / math.log(kept)


def recurrence(a: Array, b: Array, c: Array, u: Array) -> Array:
    """Outputs (tokens,) of h ← a·h + b·u, y = c·h with a diagonal state; a, b and c (tokens, state)."""
    state, outputs = np.zeros(a.shape[1]), np.zeros(len(u))
    for t in range(len(u)):
        state = a[t] * state + b[t] * u[t]
        outputs[t] = c[t] @ state
    return outputs


def convolution(a: Array, b: Array, c: Array, u: Array) -> Array:
    """Outputs as a causal convolution with the kernel c·a^k·b, of coefficients that do not change."""
    kernel = (c[0] * a[0] ** np.arange(len(u))[:, None] * b[0]).sum(axis=1)
    return np.convolve(kernel, u)[: len(u)]


def scan(a: Array, b: Array, c: Array, u: Array) -> Array:
    """Outputs by a parallel prefix scan: (a₁, x₁) ∘ (a₂, x₂) = (a₁·a₂, a₂·x₁ + x₂), in log₂ rounds."""
    factors, states = a.copy(), b * u[:, None]
    reach = 1
    while reach < len(u):
        states[reach:] = factors[reach:] * states[:-reach] + states[reach:]
        factors[reach:] = factors[reach:] * factors[:-reach]
        reach *= 2
    return np.asarray((c * states).sum(axis=1))


def _agree(
    other: Callable[[Array, Array, Array, Array], Array], fixed: bool, tokens: int, state: int, seeds: int
) -> float:
    """Return the largest difference between the recurrence and another way."""
    worst = 0.0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        rows = 1 if fixed else tokens
        a = np.tile(rng.uniform(0.3, 0.99, (rows, state)), (tokens // rows, 1))
        b, c = (np.tile(rng.standard_normal((rows, state)), (tokens // rows, 1)) for _ in "bc")
        u = rng.standard_normal(tokens)
        worst = max(worst, float(np.abs(other(a, b, c, u) - recurrence(a, b, c, u)).max()))
    return worst


@verifier
def recurrence_is_a_convolution(
    tokens: int = 64, state: int = 8, seeds: int = 4, tolerance: float = 1e-9
) -> dict[str, int | float]:
    """With coefficients that never change, the recurrence is one causal convolution, so training is parallel.

    Unit: check
    Source: gu2022
    """
    error = _agree(convolution, True, tokens, state, seeds)
    assert error <= tolerance, f"the two differ by {error:.2g}"
    return {"tokens": tokens, "state": state, "seeds": seeds, "tolerance": tolerance}


@verifier
def selection_breaks_the_convolution(
    tokens: int = 64, state: int = 8, seeds: int = 4, least: float = 0.1
) -> dict[str, int | float]:
    """With coefficients that depend on the token no such kernel exists: it misses by far.

    Unit: check
    Source: gu2023
    """
    error = _agree(convolution, False, tokens, state, seeds)
    assert error >= least, f"the kernel of the first token differs by {error:.2g} only"
    return {"tokens": tokens, "state": state, "seeds": seeds, "least": least}


@verifier
def scan_equals_the_recurrence(
    tokens: int = 61, state: int = 8, seeds: int = 4, tolerance: float = 1e-9
) -> dict[str, int | float]:
    """A parallel prefix scan gives the states of a recurrence whose coefficients change at every token.

    Unit: check
    Source: gu2023
    """
    error = _agree(scan, False, tokens, state, seeds)
    assert error <= tolerance, f"the two differ by {error:.2g}"
    return {"tokens": tokens, "state": state, "seeds": seeds, "tolerance": tolerance}


@verifier
def state_bytes(
    d_model: int, layers: int, state: int = 16, expand: int = 2, convolution: int = 4, dtype: str = "fp16"
) -> int:
    """Bytes that one request's state takes in a Mamba-like model, at any length.

    Formula: layers · expand · d_model · (state + convolution width) · bytes per element.
    Unit: B
    Source: gu2023
    """
    arguments.counts(d_model=d_model, layers=layers, state=state, expand=expand, convolution=convolution)
    return dtypes.nbytes(layers * expand * d_model * (state + convolution), dtype)


@verifier
def crossover(state_bytes: int, cache_bytes_per_token: int) -> int:
    """Tokens from which a key/value cache takes more memory than a fixed state.

    Formula: ⌊state / cache per token⌋ + 1.
    Unit: token
    Source: definition
    """
    arguments.counts(state_bytes=state_bytes, cache_bytes_per_token=cache_bytes_per_token)
    return state_bytes // cache_bytes_per_token + 1
