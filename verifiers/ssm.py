"""State-space layers: discretisation, recurrence against convolution, and the state that replaces a cache."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, dtypes
from verifiers.calculus import agree

Array = npt.NDArray[np.float64]


@verifier
def discretised(rate: float, step: float, method: str = "zoh") -> dict[str, float]:
    """One channel x' = rate · x + u in steps: how much of the state is kept, and how much input taken in.

    Formula: zoh a = e^(rate·step), b = (a − 1)/rate; bilinear a = (1 + rate·step/2)/(1 − rate·step/2),
    b = step/(1 − rate·step/2).
    Unit: 1
    Source: gu2022, gu2023
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


def drawn(fixed: bool, tokens: int, state: int, seed: int) -> tuple[Array, Array, Array, Array]:
    """Random coefficients a, b and c, one set for all tokens or one for each, and an input."""
    rng = np.random.default_rng(seed)
    shape = (1 if fixed else tokens, state)
    kinds = rng.uniform(0.3, 0.99, shape), rng.standard_normal(shape), rng.standard_normal(shape)
    a, b, c = (np.broadcast_to(kind, (tokens, state)) for kind in kinds)
    return a, b, c, rng.standard_normal(tokens)


def _confirm(
    other: Callable[[Array, Array, Array, Array], Array],
    fixed: bool,
    tokens: int,
    state: int,
    seeds: int,
    tolerance: float,
) -> dict[str, int | float]:
    """Hold another way to the outputs against the recurrence; return the inputs tried."""
    for seed in range(seeds):
        given = drawn(fixed, tokens, state, seed)
        agree(other(*given), recurrence(*given), tolerance, f"seed {seed}: the output")
    return {"tokens": tokens, "state": state, "seeds": seeds, "tolerance": tolerance}


@verifier
def recurrence_is_a_convolution(
    tokens: int = 64, state: int = 8, seeds: int = 4, tolerance: float = 1e-9
) -> dict[str, int | float]:
    """With coefficients that never change, the recurrence is one causal convolution, so training is parallel.

    Unit: check
    Source: gu2022
    """
    return _confirm(convolution, True, tokens, state, seeds, tolerance)


@verifier
def selection_breaks_the_convolution(
    tokens: int = 64, state: int = 8, seeds: int = 4, least: float = 0.1
) -> dict[str, int | float]:
    """With coefficients that change from token to token no such kernel exists.

    A convolution answers an impulse one token later with the same outputs one token later; here they differ.

    Unit: check
    Source: gu2023
    """
    first, second = np.eye(tokens)[:2]
    for seed in range(seeds):
        a, b, c, _input = drawn(False, tokens, state, seed)
        gap = np.abs(recurrence(a, b, c, second)[1:] - recurrence(a, b, c, first)[:-1]).max()
        assert gap >= least, f"seed {seed}: an impulse a token later is answered as before, to {gap:.2g}"
    return {"tokens": tokens, "state": state, "seeds": seeds, "least": least}


@verifier
def scan_equals_the_recurrence(
    tokens: int = 61, state: int = 8, seeds: int = 4, tolerance: float = 1e-9
) -> dict[str, int | float]:
    """A parallel prefix scan gives the states of a recurrence whose coefficients change at every token.

    Unit: check
    Source: gu2023
    """
    return _confirm(scan, False, tokens, state, seeds, tolerance)


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
