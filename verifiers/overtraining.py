"""Training past the compute optimum: what a smaller model costs to train, and saves while it serves."""

from __future__ import annotations

from collections.abc import Callable

from proofdeck import verifier
from verifiers import arguments, scaling
from verifiers.scaling import Fit


def _crossing(beyond: Callable[[float], bool]) -> float:
    """Return the share of the reducible loss, between 0 and 1, from which on `beyond` holds."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if beyond(middle):
            high = middle
        else:
            low = middle
    return low


@verifier
def smallest_scale(fit: Fit = "chinchilla") -> float:
    """Share of the compute-optimal size below which no amount of tokens reaches the same loss.

    Formula: (1 + α/β)^(−1/α).
    Unit: 1
    Source: hoffmann2022, devries2023
    """
    *_, alpha, beta = scaling.law(fit)
    return float((1 + alpha / beta) ** (-1 / alpha))


@verifier
def overtraining(scale: float, fit: Fit = "chinchilla") -> dict[str, float]:
    """Tokens, compute and tokens per parameter, as multiples of the compute optimum's, of a model of
    `scale` times its size that ends at the same loss.

    Formula: k_D = (1 − (k_N^−α − 1) · β/α)^(−1/β); compute k_N · k_D; ratio k_D / k_N.
    Unit: 1
    Source: hoffmann2022, devries2023
    """
    arguments.positive(scale=scale)
    *_, alpha, beta = scaling.law(fit)
    left = 1 - (scale**-alpha - 1) * beta / alpha
    if left <= 0:
        raise ValueError(f"below {smallest_scale(fit):.3f} of the optimal size no amount of tokens suffices")
    tokens = left ** (-1 / beta)
    return {"tokens": tokens, "compute": scale * tokens, "tokens_per_param": tokens / scale}


@verifier
def size_at_ratio(multiple: float, fit: Fit = "chinchilla") -> dict[str, float]:
    """Size and compute, as multiples of the optimum's, of a model of the same loss that sees `multiple`
    times as many tokens per parameter as the compute-optimal one.

    Formula: k_D / k_N = m, solved by bisection for the share of the reducible loss owed to parameters.
    Unit: 1
    Source: hoffmann2022, devries2023
    """
    arguments.positive(multiple=multiple)
    *_, alpha, beta = scaling.law(fit)
    best = beta / (alpha + beta)

    def scale(share: float) -> float:
        return float((best / share) ** (1 / alpha))

    def ratio(share: float) -> float:
        return float(((1 - best) / (1 - share)) ** (1 / beta) / scale(share))

    params = scale(_crossing(lambda share: ratio(share) > multiple))
    return {"params": params, "compute": multiple * params**2}


@verifier
def lifetime_compute(params: float, tokens: float, served: float) -> float:
    """FLOPs of training a model and of all tokens that it reads or writes afterwards.

    Formula: 6 · N · D + 2 · N · D_served.
    Unit: FLOP
    Source: sardana2024
    """
    arguments.non_negative(served=served)
    return scaling.training_compute(params, tokens) + 2 * params * served


@verifier
def lifetime_optimum(target: float, served: float, fit: Fit = "chinchilla") -> dict[str, float]:
    """Model that reaches a loss and costs least in FLOPs over training and serving together.

    Formula: least 6ND + 2N · D_served with L(N, D) = target, where
    α·A/N^α = β·B/D^β · (1 + D_served / (3D)).
    Unit: params=param, tokens=token, tokens_per_param=1, compute=FLOP, saved=1
    Source: sardana2024
    """
    arguments.non_negative(served=served)
    best = scaling.compute_for_loss(target, fit)
    floor, a, b, alpha, beta = scaling.law(fit)
    excess = target - floor

    def tokens_at(share: float) -> float:
        return float((b / (excess * (1 - share))) ** (1 / beta))

    def too_small(share: float) -> bool:
        return alpha * share > beta * (1 - share) * (1 + served / (3 * tokens_at(share)))

    share = _crossing(too_small)
    params, tokens = (a / (excess * share)) ** (1 / alpha), tokens_at(share)
    compute = lifetime_compute(params, tokens, served)
    alone = lifetime_compute(best["params"], best["tokens"], served)
    return {
        "params": params,
        "tokens": tokens,
        "tokens_per_param": tokens / params,
        "compute": compute,
        "saved": 1 - compute / alone,
    }
