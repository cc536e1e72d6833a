"""Speculative decoding: how many tokens a pass over drafts gives, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, product
from operator import mul

import numpy as np

from proofdeck import verifier
from verifiers import arguments


@verifier
def expected_tokens(acceptance: float, drafts: int, bonus: bool = True) -> float:
    """Tokens that one pass of the target model gives on average.

    Formula: (1 − α^(K+1))/(1 − α): accepted drafts, then the replacement or, after K, a bonus token;
    without the bonus (1 − α^K)/(1 − α).
    Unit: token
    Source: leviathan2023
    """
    arguments.shares(acceptance=acceptance)
    arguments.counts(drafts=drafts)
    return sum(float(acceptance) ** accepted for accepted in range(drafts + bonus))


@verifier
def tokens_by_position(rates: Sequence[float]) -> float:
    """Tokens that one pass gives on average when later drafts are accepted at other rates.

    Formula: 1 + Σ_k Π_{i ≤ k} α_i, α_i the acceptance of draft i given that those before it passed.
    Unit: token
    Source: definition
    """
    arguments.shares(**{f"rates[{index}]": rate for index, rate in enumerate(rates)})
    return float(sum(accumulate(rates, mul, initial=1.0)))


@verifier
def speedup(acceptance: float, drafts: int, draft_cost: float, pass_cost: float = 1.0) -> float:
    """How many times faster than plain decoding drafts make it.

    Formula: (1 − α^(K+1))/((1 − α)·(K·c + v)), c the time of a draft step and v that of a pass over all
    K + 1 tokens, both over the time of a target pass over one; v = 1 while reading weights is all that counts.
    Unit: 1
    Source: leviathan2023
    """
    arguments.non_negative(draft_cost=draft_cost)
    arguments.positive(pass_cost=pass_cost)
    return expected_tokens(acceptance, drafts) / (drafts * draft_cost + pass_cost)


@verifier
def extra_arithmetic(acceptance: float, drafts: int, draft_cost: float) -> float:
    """How many times as much arithmetic speculative decoding spends on a token as plain decoding.

    Formula: (1 − α)·(K·ĉ + K + 1)/(1 − α^(K+1)), ĉ the arithmetic of a draft step over a target's.
    Unit: 1
    Source: leviathan2023
    """
    arguments.non_negative(draft_cost=draft_cost)
    return (drafts * draft_cost + drafts + 1) / expected_tokens(acceptance, drafts)


@verifier
def best_drafts(acceptance: float, draft_cost: float, limit: int = 64) -> int:
    """Draft length with the largest speed-up; 0 where none beats plain decoding.

    Formula: argmax over K ≤ limit of (1 − α^(K+1))/((1 − α)·(K·c + 1)), the smallest of equals.
    Unit: token
    Source: leviathan2023
    """
    arguments.counts(limit=limit)
    rates = [1.0] + [speedup(acceptance, drafts, draft_cost) for drafts in range(1, limit + 1)]
    return rates.index(max(rates))


@verifier
def limit_tokens(acceptance: float) -> float:
    """Tokens a pass gives with ever more drafts, all of them free.

    Formula: 1/(1 − α).
    Unit: token
    Source: leviathan2023
    """
    arguments.shares(acceptance=acceptance)
    arguments.positive(**{"1 - acceptance": 1 - acceptance})
    return 1 / (1 - acceptance)


@verifier
def simulated(acceptance: float, drafts: int, passes: int = 20_000, seed: int = 0) -> dict[str, float]:
    """Tokens that passes give when each draft is accepted at random: on average, at least, at most.

    Formula: 1 + the accepted drafts before the first rejected one, K drafts a pass.
    Unit: mean=token, least=token, most=token
    Source: leviathan2023
    """
    arguments.shares(acceptance=acceptance)
    arguments.counts(drafts=drafts, passes=passes)
    arguments.counts(0, seed=seed)
    accepted = np.random.default_rng(seed).random((passes, drafts)) < acceptance
    tokens = 1 + np.logical_and.accumulate(accepted, axis=1).sum(axis=1)
    return {"mean": float(tokens.mean()), "least": int(tokens.min()), "most": int(tokens.max())}


@verifier
def worthwhile_above_cost(
    rates: tuple[float, ...] = (0.05, 0.3, 0.6, 0.9, 0.99),
    costs: tuple[float, ...] = (0.0, 0.02, 0.1, 0.5, 0.95),
    limit: int = 32,
) -> dict[str, object]:
    """Check that some draft length speeds decoding up exactly where acceptance exceeds the draft's cost.

    Formula: max over K of speed-up > 1 ⇔ α > c; one draft gives (1 + α)/(1 + c) already.
    Unit: check
    Source: leviathan2023
    """
    for rate, cost in product(rates, costs):
        gains = bool(best_drafts(rate, cost, limit))
        assert gains == (rate > cost), f"acceptance {rate}, cost {cost}: a gain is {gains}"
    return {"acceptance": str(rates), "cost": str(costs), "drafts": f"1 to {limit}"}
