"""Many samples of one question: votes, verifiers, and the scores of a chain's steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array

MOST = 300
"""Samples beyond which the exact vote takes too long."""


def _poisson(mean: float, most: int) -> Array:
    """Probabilities of 0 … most of a Poisson distribution."""
    logs = [count * math.log(mean) - mean - math.lgamma(count + 1) for count in range(most + 1)]
    return np.exp(logs)


@verifier(tolerance=1e-9)
def majority_vote(right: float, wrong: Sequence[float], samples: int) -> float:
    """Probability that the answer named most often by independent samples is right, ties broken by lot.

    Formula: Σ_k P(right named k times, every wrong one less often, or t of them as often)/(1 + t), exactly,
    over the multinomial distribution: counts are independent Poisson numbers given their sum.
    Unit: 1
    Source: wang2022
    """
    arguments.counts(samples=samples, **{f"{MOST + 1} − samples": MOST + 1 - samples})
    arguments.positive(right=right, **{f"wrong[{index}]": share for index, share in enumerate(wrong)})
    arguments.distribution((right, *wrong))
    counts = [_poisson(share * samples, samples) for share in (right, *wrong)]
    sure = 0.0
    for k in range(1, samples + 1):
        # a row for each number of ties: distribution of the sum of all counts so far
        tied = np.zeros((len(counts), samples + 1))
        tied[0, k] = counts[0][k]
        for weights in counts[1:]:
            fewer = np.array([np.convolve(sums, weights[:k])[: samples + 1] for sums in tied])
            fewer[1:, k:] += tied[:-1, :-k] * weights[k]
            tied = fewer
        sure += (tied[:, samples] / np.arange(1, len(counts) + 1)).sum()
    return float(sure / _poisson(samples, samples)[samples])


@verifier
def any_right(right: float, samples: int) -> float:
    """Probability that at least one of the samples is right: what a perfect verifier would reach.

    Formula: 1 − (1 − p)^n.
    Unit: 1
    Source: brown2024
    """
    arguments.shares(right=right)
    arguments.counts(samples=samples)
    # a power of 1 − p would lose the digits of a small p
    return -math.expm1(samples * math.log1p(-right)) if right < 1 else 1.0


@verifier
def verified_choice(
    right: float, samples: int, accepts_right: float = 1.0, accepts_wrong: float = 0.0
) -> float:
    """Probability of choosing a right answer by lot among those that a verifier accepts, of all if it accepts none.

    Formula: (1 − (1 − a)^n)·p·t/a + (1 − a)^n·p·(1 − t)/(1 − a), a = p·t + (1 − p)·f; the verifier's errors
    are independent of each other.
    Unit: 1
    Source: definition
    """
    arguments.shares(right=right, accepts_right=accepts_right, accepts_wrong=accepts_wrong)
    arguments.counts(samples=samples)
    good, bad = right * accepts_right, (1 - right) * accepts_wrong
    none = (1 - good - bad) ** samples
    # by symmetry the chosen one is as often right as any accepted, or any refused one
    picked = (1 - none) * good / (good + bad) if good + bad else 0.0
    return picked + (none * (right - good) / (1 - good - bad) if none else 0.0)


@verifier
def verified_limit(right: float, accepts_right: float, accepts_wrong: float) -> float:
    """Share of right answers among those that a verifier accepts: where more samples lead.

    Formula: p·t / (p·t + (1 − p)·f).
    Unit: 1
    Source: definition
    """
    arguments.shares(right=right, accepts_right=accepts_right, accepts_wrong=accepts_wrong)
    good = right * accepts_right
    accepted = good + (1 - right) * accepts_wrong
    arguments.positive(accepted=accepted)
    return good / accepted


@verifier
def vote_share(answers: Sequence[str], answer: str, scores: Sequence[float] = ()) -> float:
    """Share of a vote that goes to an answer, each sample counting as much as its score, or one.

    Formula: Σ_{i: answer_i = a} score_i / Σ_i score_i; the largest share wins.
    Unit: 1
    Source: wang2022, li2023
    """
    weights = scores or [1.0] * len(answers)
    arguments.non_negative(**{f"scores[{index}]": score for index, score in enumerate(weights)})
    arguments.positive(**{"the sum of scores": math.fsum(weights)})
    named = [weight for given, weight in zip(answers, weights, strict=True) if given == answer]
    return math.fsum(named) / math.fsum(weights)


@verifier
def chain_score(steps: Sequence[float], how: str = "product") -> float:
    """Score of a chain of reasoning from the scores of its steps.

    Formula: product Π p_i, which falls with length; min; mean; geometric (Π p_i)^(1/n); last.
    Unit: 1
    Source: lightman2023
    """
    arguments.counts(steps=len(steps))
    arguments.shares(**{f"steps[{index}]": step for index, step in enumerate(steps)})
    whole = math.prod(steps)
    ways = {
        "product": whole,
        "min": min(steps),
        "mean": math.fsum(steps) / len(steps),
        "geometric": whole ** (1 / len(steps)),
        "last": steps[-1],
    }
    return ways[arguments.one_of("way", how, ways)]


@verifier
def chain_success(step: float, steps: int) -> float:
    """Probability that every step of a chain is right when each is with the same probability.

    Formula: p^n.
    Unit: 1
    Source: definition
    """
    arguments.shares(step=step)
    arguments.counts(0, steps=steps)
    return step**steps


@verifier
def label_error(success: float, rollouts: int) -> float:
    """Standard error of a step's Monte Carlo label, the share of its rollouts that end right.

    Formula: √(p·(1 − p)/n).
    Unit: 1
    Source: wang2024
    """
    arguments.shares(success=success)
    arguments.counts(rollouts=rollouts)
    return math.sqrt(success * (1 - success) / rollouts)


@verifier
def marked_scores(marks: Sequence[Sequence[int]]) -> dict[str, int]:
    """Scores that a process reward head returns when a mask picks the step ends of a batch.

    Formula: one for each mark, row after row, in one flat list.
    Unit: scores=1, rows=1, longest=1
    Source: definition
    """
    arguments.counts(rows=len(marks))
    sums = [sum(bool(mark) for mark in row) for row in marks]
    return {"scores": sum(sums), "rows": len(sums), "longest": max(sums)}


@verifier
def decode_passes(samples: int, tokens: int) -> int:
    """Decode passes of generating several answers, counted answer by answer, one token a pass.

    Formula: n · T.
    Unit: 1
    Source: definition
    """
    arguments.counts(samples=samples, tokens=tokens)
    return samples * tokens
