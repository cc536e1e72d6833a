"""The scaling laws of Kaplan et al. (2020): power laws without a floor, in parameters, tokens and compute."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments

PF_DAY = 10**15 * 86400


@verifier
def loss_of_params(params: float, scale: float = 8.8e13, exponent: float = 0.076) -> float:
    """Loss of a model trained to convergence on enough data, by its parameters without embeddings.

    Formula: L(N) = (N_c / N)^α_N.
    Unit: nat
    Source: kaplan2020
    """
    arguments.positive(params=params, scale=scale, exponent=exponent)
    return float((scale / params) ** exponent)


@verifier
def loss_of_tokens(tokens: float, scale: float = 5.4e13, exponent: float = 0.095) -> float:
    """Loss of a large model stopped early, by the tokens of its data set.

    Formula: L(D) = (D_c / D)^α_D.
    Unit: nat
    Source: kaplan2020
    """
    arguments.positive(tokens=tokens, scale=scale, exponent=exponent)
    return float((scale / tokens) ** exponent)


@verifier
def loss_of_compute(compute: float, pf_days: float = 3.1e8, exponent: float = 0.050) -> float:
    """Loss by compute, spent on the best size at a small batch.

    Formula: L(C) = (C_c / C)^α_C, C_c in PF-days.
    Unit: nat
    Source: kaplan2020
    """
    arguments.positive(compute=compute, pf_days=pf_days, exponent=exponent)
    return float((pf_days * PF_DAY / compute) ** exponent)


@verifier
def loss(
    params: float,
    tokens: float,
    params_scale: float = 6.4e13,
    tokens_scale: float = 1.8e13,
    params_exponent: float = 0.076,
    tokens_exponent: float = 0.103,
) -> float:
    """Loss where both the parameters and the data are limited, with early stopping.

    Formula: L(N, D) = ((N_c / N)^(α_N/α_D) + D_c / D)^α_D.
    Unit: nat
    Source: kaplan2020
    """
    arguments.positive(params=params, tokens=tokens, params_scale=params_scale, tokens_scale=tokens_scale)
    arguments.positive(params_exponent=params_exponent, tokens_exponent=tokens_exponent)
    by_params = (params_scale / params) ** (params_exponent / tokens_exponent)
    return float((by_params + tokens_scale / tokens) ** tokens_exponent)


@verifier
def loss_factor(multiple: float, exponent: float = 0.076) -> float:
    """By what a power law's loss is multiplied when its parameters, data or compute grow `multiple` times.

    Formula: m^(−α).
    Unit: 1
    Source: kaplan2020
    """
    arguments.positive(multiple=multiple, exponent=exponent)
    return float(multiple**-exponent)


@verifier
def growth_for_loss(factor: float, exponent: float = 0.076) -> float:
    """How many times parameters, data or compute must grow to multiply a power law's loss by `factor`.

    Formula: f^(−1/α).
    Unit: 1
    Source: kaplan2020
    """
    arguments.positive(factor=factor, exponent=exponent)
    return float(factor ** (-1 / exponent))


@verifier
def tokens_without_overfitting(params: float, scale: float = 5e3, exponent: float = 0.74) -> float:
    """Tokens above which a larger data set lowers a model's loss by no more than about 0.02.

    Formula: D = 5000 · N^0.74.
    Unit: token
    Source: kaplan2020
    """
    arguments.positive(params=params, scale=scale, exponent=exponent)
    return float(scale * params**exponent)


@verifier
def critical_batch(loss: float, scale: float = 2e8, exponent: float = 0.21) -> float:
    """Batch in tokens at which training takes twice its least steps and twice its least tokens.

    Formula: B = B_* / L^(1/α_B).
    Unit: token
    Source: kaplan2020, mccandlish2018
    """
    arguments.positive(loss=loss, scale=scale, exponent=exponent)
    return float(scale / loss ** (1 / exponent))


@verifier
def optimum(compute: float) -> dict[str, float]:
    """Size without embeddings, critical batch, least steps and tokens that spend a budget best, pre-Chinchilla.

    The budget is the least compute that reaches the loss, at batches far below the critical one B; with
    the least steps S it is 6 · N · B · S. Training at B takes twice of it, which D is for: 6ND is about 2C.

    Formula: N = 1.3·10⁹ · C^0.73, B = 2·10⁶ · C^0.24, S = 5.4·10³ · C^0.03, D = 2·10¹⁰ · C^0.27,
    C in PF-days.
    Unit: params=param, batch=token, steps=1, tokens=token
    Source: kaplan2020
    """
    arguments.positive(compute=compute)
    pf_days = compute / PF_DAY
    laws = {"params": (1.3e9, 0.73), "batch": (2e6, 0.24), "steps": (5.4e3, 0.03), "tokens": (2e10, 0.27)}
    return {name: factor * pf_days**exponent for name, (factor, exponent) in laws.items()}
