"""Price of tokens: calls, agent loops that resend their history, routing, cascades, break-even."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from proofdeck import verifier
from verifiers import arguments

PER = 1_000_000
"""Prices are quoted for a million tokens."""


@verifier
def call(
    input_tokens: float, output_tokens: float, input_price: float, output_price: float, calls: float = 1
) -> float:
    """Price of `calls` equal calls, at prices in $ per million tokens.

    Formula: calls · (input tokens · input price + output tokens · output price) / 10⁶.
    Unit: $
    Source: definition
    """
    arguments.non_negative(
        input_tokens=input_tokens, output_tokens=output_tokens, input_price=input_price,
        output_price=output_price, calls=calls,
    )  # fmt: skip
    return calls * (input_tokens * input_price + output_tokens * output_price) / PER


@verifier
def monthly(
    requests_per_day: float, input_tokens: float, output_tokens: float, input_price: float,
    output_price: float, days: float = 30,
) -> float:  # fmt: skip
    """Price of a month of equal requests, at prices in $ per million tokens.

    Formula: requests per day · days · price of one request.
    Unit: $
    Source: definition
    """
    arguments.non_negative(requests_per_day=requests_per_day, days=days)
    return call(input_tokens, output_tokens, input_price, output_price, requests_per_day * days)


@verifier
def traffic(
    per_second: float, seconds: float, input_tokens: float, output_tokens: float, input_price: float,
    output_price: float,
) -> float:  # fmt: skip
    """Price of the traffic of `seconds` seconds: a bad deployment costs this until it is noticed.

    Formula: requests per second · seconds · price of one request.
    Unit: $
    Source: definition
    """
    arguments.non_negative(per_second=per_second, seconds=seconds)
    return call(input_tokens, output_tokens, input_price, output_price, per_second * seconds)


@verifier
def blended_price(input_price: float, output_price: float, output_share: float) -> float:
    """Mean price per million tokens where `output_share` of all tokens are output.

    Formula: (1 − share) · input price + share · output price.
    Unit: $
    Source: definition
    """
    arguments.non_negative(input_price=input_price, output_price=output_price)
    arguments.shares(output_share=output_share)
    return (1 - output_share) * input_price + output_share * output_price


@verifier
def cost_per_success(cost: float, success: float) -> float:
    """Price of one solved task, failed tries included, where each try succeeds with `success`.

    Formula: cost / success, the mean of a geometric number of tries.
    Unit: $
    Source: definition
    """
    arguments.non_negative(cost=cost)
    arguments.positive(success=success)
    arguments.shares(success=success)
    return cost / success


@verifier
def loop_tokens(turns: int, added: int, base: int = 0, window: int | None = None) -> int:
    """Input tokens that a loop of calls processes when each call resends everything before it.

    Turn i reads the `base` prompt and i pieces of `added` tokens; a `window` cuts what is older.

    Formula: n · base + added · n · (n + 1) / 2 without a window.
    Unit: token
    Source: definition
    """
    arguments.counts(turns=turns)
    arguments.counts(0, added=added, base=base)
    if window is None:
        return turns * base + added * turns * (turns + 1) // 2
    arguments.counts(max(base, 1), window=window)
    return sum(min(base + added * turn, window) for turn in range(1, turns + 1))


@verifier
def loop_ratio(turns: int, growth: float) -> float:
    """Input cost of a loop over that of its first call, each turn adding `growth` first prompts.

    Formula: n + growth · n · (n − 1) / 2.
    Unit: 1
    Source: definition
    """
    arguments.counts(turns=turns)
    arguments.non_negative(growth=growth)
    return turns + growth * turns * (turns - 1) / 2


@verifier
def loop_cost(
    turns: int, base: int, added: int, output: int, input_price: float, output_price: float,
    write: float = 1.0, read: float = 1.0,
) -> float:  # fmt: skip
    """Price of a loop that resends its history, each turn caching its whole prompt for the next.

    New tokens are billed at `write` times, tokens of the previous prompt at `read` times the input price;
    both are 1 without a cache. Turn i holds base + (i − 1) · added tokens and writes `output`; what of its
    output stays in the history counts among the `added`.

    Formula: (write · (base + (n − 1) · added) + read · Σᵢ₌₁ⁿ⁻¹ (base + (i − 1) · added)) · price + n · output.
    Unit: $
    Source: definition
    """
    arguments.counts(turns=turns)
    arguments.counts(0, base=base, added=added, output=output)
    arguments.non_negative(input_price=input_price, output_price=output_price, write=write, read=read)
    fresh = base + (turns - 1) * added
    resent = (turns - 1) * base + added * (turns - 1) * (turns - 2) / 2
    return ((write * fresh + read * resent) * input_price + turns * output * output_price) / PER


@verifier
def routing_saving(share: float, ratio: float) -> float:
    """Share of the cost saved by sending `share` of equal requests to a model `ratio` times cheaper.

    Formula: 1 − ((1 − share) + share / ratio).
    Unit: 1
    Source: definition
    """
    arguments.shares(share=share)
    arguments.positive(ratio=ratio)
    return share - share / ratio


@verifier
def batch_saving(share: float, discount: float) -> float:
    """Share of the cost saved when `share` of it can wait for a batch that is `discount` cheaper.

    Formula: share · discount.
    Unit: 1
    Source: definition
    """
    arguments.shares(share=share, discount=discount)
    return share * discount


@verifier
def cascade_cost(costs: Sequence[float], passes: Sequence[float]) -> float:
    """Mean cost of trying models in turn until an answer passes; tries are independent.

    Formula: Σᵢ costᵢ · Πⱼ (1 − passⱼ) over the stages j before i.
    Unit: $
    Source: chen2023b
    """
    total, reached = 0.0, 1.0
    for cost, passed in zip(costs, passes, strict=True):
        arguments.non_negative(cost=cost)
        arguments.shares(passed=passed)
        total += reached * cost
        reached *= 1 - passed
    return total


@verifier
def cascade_break_even(cheap: float, dear: float) -> float:
    """Rate of passing above which trying the cheap model first costs less than the dear one alone.

    Formula: cheap + (1 − p) · dear < dear ⇔ p > cheap / dear.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(cheap=cheap)
    arguments.positive(dear=dear)
    return cheap / dear


def cost_per_pass(costs: Sequence[float], passes: Sequence[float]) -> list[int]:
    """Order of a cascade by cost over rate of passing."""
    return sorted(range(len(costs)), key=lambda stage: costs[stage] / passes[stage])


@verifier
def cascade_order_is_best(stages: int = 5, seeds: int = 6, tolerance: float = 1e-12) -> dict[str, float]:
    """Check that trying stages by cost over rate of passing is the cheapest of all orders.

    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        generator = np.random.default_rng([stages, seed])
        costs, passes = generator.uniform(size=(2, stages))

        def mean(order: Sequence[int], costs: object = costs, passes: object = passes) -> float:
            return cascade_cost([costs[i] for i in order], [passes[i] for i in order])  # type: ignore[index]

        least = min(map(mean, permutations(range(stages))))
        assert mean(cost_per_pass(costs, passes)) <= least + tolerance, f"seed {seed}: an order is cheaper"
    return {"stages": stages, "seeds": seeds, "tolerance": tolerance}


@verifier
def break_even_calls(fixed: float, before: float, after: float) -> float:
    """Calls after which a fixed expense is earned back by a lower price of each call.

    Formula: fixed / (before − after).
    Unit: 1
    Source: definition
    """
    arguments.non_negative(fixed=fixed, after=after)
    arguments.positive(**{"before − after": before - after})
    return fixed / (before - after)
