"""Scaling laws of pre-training: 6ND, the parametric loss of Chinchilla and its optimum in closed form."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments

FITS = {
    "chinchilla": (1.69, 406.4, 410.7, 0.34, 0.28),
    "chinchilla-unrounded": (
        math.exp(0.5267228),
        math.exp(6.0073404),
        math.exp(6.0179186),
        0.33917084,
        0.2849083,
    ),
    "besiroglu": (1.8172, 482.01, 2085.43, 0.3478, 0.3658),
    "muennighoff": (math.exp(0.6254804), math.exp(6.255414), math.exp(7.3049974), 0.3526596, 0.3526596),
}
"""E, A, B, α and β of L = E + A/N^α + B/D^β: as printed by Hoffmann et al. and as they stand in its
source text, the fit of Besiroglu et al. to the same runs, and the one of Muennighoff et al. on C4."""

Fit = str | tuple[float, float, float, float, float]


def law(fit: Fit) -> tuple[float, float, float, float, float]:
    """Return E, A, B, α, β of a named fit, or of one that is given as such a tuple."""
    if isinstance(fit, str):
        return FITS[arguments.one_of("fit", fit, FITS)]
    if not isinstance(fit, tuple | list) or len(fit) != 5:
        raise ValueError(f"a fit is a name or E, A, B, α, β, not {fit!r}")
    floor, a, b, alpha, beta = fit
    arguments.non_negative(floor=floor)
    arguments.positive(a=a, b=b, alpha=alpha, beta=beta)
    return floor, a, b, alpha, beta


@verifier
def forward_compute(params: float, tokens: float) -> float:
    """FLOPs of a forward pass, without attention's scores: a multiplication and an addition a weight.

    Formula: 2 · N · D.
    Unit: FLOP
    Source: kaplan2020
    """
    arguments.positive(params=params, tokens=tokens)
    return 2 * params * tokens


@verifier
def training_compute(params: float, tokens: float) -> float:
    """FLOPs of a training run, without attention's scores: one forward, and a backward of twice that.

    Formula: C = 6 · N · D.
    Unit: FLOP
    Source: kaplan2020, hoffmann2022
    """
    arguments.positive(params=params, tokens=tokens)
    return 6 * params * tokens


@verifier
def attention_excess(d_model: int, context: int, layers: int = 1, vocab: int = 0) -> float:
    """FLOPs of attention's scores and values over the 2 · N that a token's matrices cost, no token masked.

    Kaplan et al. count half of them, which is what a causal mask leaves.

    Formula: 4 · n · d · layers / (2 · (12 · d² · layers + vocab · d)).
    Unit: 1
    Source: chowdhery2022, kaplan2020
    """
    arguments.counts(d_model=d_model, context=context, layers=layers)
    arguments.counts(0, vocab=vocab)
    return 2 * context * layers / (12 * d_model * layers + vocab)


@verifier
def allocation(compute: float, tokens_per_param: float = 20.0) -> dict[str, float]:
    """Parameters and tokens that spend a compute budget at a fixed number of tokens per parameter.

    Formula: N = √(C / (6 · r)), D = r · N.
    Unit: params=param, tokens=token
    Source: hoffmann2022
    """
    arguments.positive(compute=compute, tokens_per_param=tokens_per_param)
    params = math.sqrt(compute / (6 * tokens_per_param))
    return {"params": params, "tokens": tokens_per_param * params}


@verifier
def constants(fit: Fit = "chinchilla") -> dict[str, float]:
    """Constants of a fitted law L(N, D) = E + A/N^α + B/D^β.

    Unit: E=nat, A=1, B=1, alpha=1, beta=1
    Source: hoffmann2022, besiroglu2024, muennighoff2023
    """
    floor, a, b, alpha, beta = law(fit)
    return {"E": floor, "A": a, "B": b, "alpha": alpha, "beta": beta}


@verifier
def loss_terms(params: float, tokens: float, fit: Fit = "chinchilla") -> dict[str, float]:
    """Loss by what it is owed to: text's own entropy, too few parameters, too few tokens.

    Formula: E, A / N^α, B / D^β.
    Unit: nat
    Source: hoffmann2022
    """
    arguments.positive(params=params, tokens=tokens)
    floor, a, b, alpha, beta = law(fit)
    return {"floor": floor, "params": a / params**alpha, "tokens": b / tokens**beta}


@verifier
def loss(params: float, tokens: float, fit: Fit = "chinchilla") -> float:
    """Loss per token that a fitted law predicts.

    Formula: L(N, D) = E + A / N^α + B / D^β.
    Unit: nat
    Source: hoffmann2022, besiroglu2024
    """
    return math.fsum(loss_terms(params, tokens, fit).values())


@verifier
def exponents(fit: Fit = "chinchilla") -> dict[str, float]:
    """Powers of the compute by which the best parameters and tokens grow and the reducible loss falls.

    Formula: a = β / (α + β), b = α / (α + β), c = α · β / (α + β).
    Unit: 1
    Source: hoffmann2022
    """
    *_, alpha, beta = law(fit)
    whole = alpha + beta
    return {"params": beta / whole, "tokens": alpha / whole, "loss": alpha * beta / whole}


@verifier
def optimum(compute: float, fit: Fit = "chinchilla") -> dict[str, float]:
    """Parameters and tokens of least loss for a compute budget C = 6ND.

    Formula: N = G · (C/6)^(β/(α+β)), D = (C/6) / N, G = (α·A / (β·B))^(1/(α+β)).
    Unit: params=param, tokens=token, tokens_per_param=1, loss=nat
    Source: hoffmann2022
    """
    arguments.positive(compute=compute)
    _, a, b, alpha, beta = law(fit)
    params = (alpha * a / (beta * b) * (compute / 6) ** beta) ** (1 / (alpha + beta))
    tokens = compute / 6 / params
    return {
        "params": params,
        "tokens": tokens,
        "tokens_per_param": tokens / params,
        "loss": loss(params, tokens, fit),
    }


def _excess(target: float, floor: float) -> float:
    arguments.positive(target=target)
    if target <= floor:
        raise ValueError(f"a loss of {target} lies below what can be reached: the floor is {floor:.4f}")
    return target - floor


@verifier
def compute_for_loss(target: float, fit: Fit = "chinchilla") -> dict[str, float]:
    """Least compute that reaches a loss, with its parameters and tokens.

    Formula: N = (A · (1 + α/β) / (L − E))^(1/α), D = (B · (1 + β/α) / (L − E))^(1/β), C = 6ND.
    Unit: compute=FLOP, params=param, tokens=token
    Source: hoffmann2022
    """
    floor, a, b, alpha, beta = law(fit)
    excess = _excess(target, floor)
    params = (a * (1 + alpha / beta) / excess) ** (1 / alpha)
    tokens = (b * (1 + beta / alpha) / excess) ** (1 / beta)
    return {"compute": 6 * params * tokens, "params": params, "tokens": tokens}


@verifier
def tokens_for_loss(params: float, target: float, fit: Fit = "chinchilla") -> float:
    """Tokens after which a model of given size reaches a loss; an error where it never does.

    Formula: D = (B / (L − E − A/N^α))^(1/β).
    Unit: token
    Source: hoffmann2022
    """
    terms = loss_terms(params, 1, fit)
    left = _excess(target, terms["floor"] + terms["params"])
    return float((terms["tokens"] / left) ** (1 / law(fit)[-1]))
