"""Mixtures of experts: routing, capacity, balance, and what the router can learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from proofdeck import verifier
from verifiers import arguments, models, parameters
from verifiers.calculus import softmax

Array = npt.NDArray[np.float64]


def chosen(scores: Array, active: int) -> npt.NDArray[np.bool_]:
    """Mark the `active` best experts of each row; of equal ones the first."""
    order = np.argsort(-scores, axis=-1, kind="stable")[..., :active]
    mask = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(mask, order, True, axis=-1)
    return mask


def gates(logits: Array, active: int, renormalised: bool = True) -> Array:
    """Weights of the experts, zero for those not chosen."""
    weights = softmax(logits) * chosen(logits, active)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True)) if renormalised else weights


def known_routing(experts: int, active: int) -> None:
    """Raise ValueError unless a token can visit so many experts."""
    arguments.counts(experts=experts, active=active)
    if active > experts:
        raise ValueError(f"a token cannot visit {active} of {experts} experts")


@verifier
def counts(model: str, active: int | None = None, dense_layers: int | None = None) -> dict[str, int]:
    """Parameters of a mixture, total and active for one token, with other routing than the released one.

    Unit: total=param, active=param
    Source: jiang2024, deepseek2024
    """
    arch = models.get(model)
    if arch.mixture is None:
        raise ValueError(f"{model} has no experts")
    mixture = arch.mixture
    visited = mixture.active if active is None else active
    dense = mixture.dense_layers if dense_layers is None else dense_layers
    arguments.counts(active=visited)
    arguments.counts(0, dense_layers=dense)
    if visited > mixture.experts or dense > arch.layers:
        raise ValueError(f"{model} has {mixture.experts} experts in {arch.layers} layers")
    changed = replace(arch, mixture=replace(mixture, active=visited, dense_layers=dense))
    return {
        "total": parameters.by_part(changed)["total"],
        "active": parameters.by_part(changed, active=True)["total"],
    }


@verifier
def router(d_model: int, experts: int) -> int:
    """Parameters of one layer's router, which is all that one more expert adds to a token's work.

    Formula: d_model · experts.
    Unit: param
    Source: shazeer2017
    """
    arguments.counts(d_model=d_model, experts=experts)
    return d_model * experts


@verifier(tolerance=1e-9)
def router_gradient(experts: int = 8, active: int = 2, renormalised: bool = True, seed: int = 0) -> float:
    """Norm of the task loss's gradient at a router's logits, for random logits and expert outputs.

    Formula: y = Σ w_i e_i over the chosen; ∂y/∂z_j = w_j (e_j − y) where weights are renormalised, else
    w_j e_j·[j chosen] − p_j y, p the softmax over all experts.
    Unit: 1
    Source: shazeer2017, fedus2022
    """
    known_routing(experts, active)
    rng = np.random.default_rng(seed)
    logits, outputs = rng.standard_normal(experts), rng.standard_normal(experts)
    weights = gates(logits, active, renormalised)
    mean = weights @ outputs
    shares = weights if renormalised else softmax(logits)
    return float(np.linalg.norm(weights * outputs - shares * mean))


@verifier
def capacity(tokens: int, experts: int, active: int = 1, factor: float = 1.0) -> int:
    """Tokens that one expert takes of a batch; what is routed to it beyond that is dropped.

    Formula: ⌈factor · tokens · active / experts⌉.
    Unit: token
    Source: fedus2022
    """
    known_routing(experts, active)
    arguments.counts(tokens=tokens)
    arguments.positive(factor=factor)
    # the factor as written: 1.1 in binary is a little more, and would make room for a token too many
    return math.ceil(Fraction(str(factor)) * tokens * active / experts)


@verifier(tolerance=1e-9)
def dropped(tokens: int, experts: int, factor: float = 1.0) -> float:
    """Expected share of tokens dropped where each chooses one expert uniformly at random.

    Formula: experts · E[max(0, X − capacity)] / tokens, X binomial(tokens, 1/experts).
    Unit: 1
    Source: fedus2022
    """
    limit = capacity(tokens, experts, factor=factor)
    if experts == 1:
        return max(0, tokens - limit) / tokens
    p = 1 / experts
    above = 0.0
    for load in range(limit, tokens + 1):
        ways = math.lgamma(tokens + 1) - math.lgamma(load + 1) - math.lgamma(tokens - load + 1)
        chance = math.exp(ways + load * math.log(p) + (tokens - load) * math.log1p(-p))
        above += (load - limit) * chance
    return experts * above / tokens


@verifier(tolerance=1e-9)
def dropped_when_skewed(
    tokens: int, experts: int, factor: float = 1.0, concentration: float = 2.0, batches: int = 400
) -> float:
    """Mean share of tokens dropped where experts are popular by a Dirichlet draw, one a batch.

    Shapes: popularity (experts,), loads (batches, experts).
    Unit: 1
    Source: fedus2022
    """
    limit = capacity(tokens, experts, factor=factor)
    arguments.positive(concentration=concentration)
    arguments.counts(batches=batches)
    rng = np.random.default_rng(0)
    popularity = rng.dirichlet(np.full(experts, concentration), batches)
    loads = np.array([rng.multinomial(tokens, shares) for shares in popularity])
    return float(np.maximum(loads - limit, 0).sum() / (batches * tokens))


def balance_loss_of(logits: Array, active: int = 1) -> float:
    """N · Σ f_i P_i: f the share of tokens sent to expert i, P the mean of its softmax probability."""
    experts = logits.shape[1]
    sent = chosen(logits, active).mean(axis=0) / active
    return float(experts * (sent * softmax(logits).mean(axis=0)).sum())


def balance_gradient(logits: Array, active: int = 1) -> Array:
    """Gradient of the balance loss at the logits; it flows through P only, f being a count."""
    tokens, experts = logits.shape
    probabilities = softmax(logits)
    sent = chosen(logits, active).mean(axis=0) / active
    mean = (probabilities * sent).sum(axis=1, keepdims=True)
    return np.asarray(experts / tokens * probabilities * (sent - mean))


@verifier
def balance_loss(logits: Sequence[Sequence[float]], active: int = 1) -> float:
    """Load-balancing loss of a batch before its coefficient: one for an even router, N for a collapsed one.

    Formula: N · Σ_i f_i · P_i, f_i the share of choices that fall on expert i, P_i its mean probability.
    Shapes: logits (tokens, experts).
    Unit: 1
    Source: fedus2022
    """
    rows = np.array(logits, dtype=float)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"logits must be finite, (tokens, experts), not {logits}")
    known_routing(rows.shape[1], active)
    return balance_loss_of(rows, active)


@verifier
def balance_step_relieves_the_busiest(
    tokens: int = 64, experts: int = 8, step: float = 0.5, skew: float = 1.0, seeds: int = 4
) -> dict[str, int]:
    """A gradient step on the balance loss lowers the mean probability of the busiest expert.

    Unit: check
    Source: fedus2022
    """
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        logits = rng.standard_normal((tokens, experts)) + skew * rng.standard_normal(experts)
        busiest = int(np.bincount(logits.argmax(axis=1)).argmax())
        before = softmax(logits)[:, busiest].mean()
        after = softmax(logits - step * tokens * balance_gradient(logits))[:, busiest].mean()
        assert after < before, f"seed {seed}: probability of the busiest expert rose: {before} → {after}"
    return {"tokens": tokens, "experts": experts, "seeds": seeds}


@verifier(tolerance=1e-9)
def bias_balancing(
    experts: int = 16,
    active: int = 2,
    tokens: int = 128,
    steps: int = 400,
    speed: float = 0.005,
    skew: float = 1.0,
) -> dict[str, float]:
    """Imbalance, max load / mean load − 1, before and after biases that rise for idle experts and fall for busy.

    The bias enters the choice only, never the weights.

    Formula: b_i ← b_i + speed · sign(mean load − load_i) after each batch; the loads of twenty batches.
    Unit: before=1, after=1
    Source: wang2024balance
    """
    known_routing(experts, active)
    arguments.counts(tokens=tokens)
    arguments.counts(0, steps=steps)
    arguments.positive(speed=speed)
    arguments.finite(skew=skew)
    rng = np.random.default_rng(0)
    taste = skew * rng.standard_normal(experts)

    def loads(bias: Array, batches: int) -> Array:
        affinity = 1 / (1 + np.exp(-rng.standard_normal((batches * tokens, experts)) - taste))
        return np.asarray(chosen(affinity + bias, active).sum(axis=0))

    def imbalance(bias: Array) -> float:
        load = loads(bias, 20)
        return float(load.max() / load.mean() - 1)

    bias = np.zeros(experts)
    before = imbalance(bias)
    for _ in range(steps):
        load = loads(bias, 1)
        bias += speed * np.sign(load.mean() - load)
    return {"before": before, "after": imbalance(bias)}
