"""Witnesses of `verifiers/reasoning.py`: enumerated votes, exact fractions and drawn samples."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import reasoning

stats = pytest.importorskip("scipy.stats")


def enumerated_vote(shares: tuple[float, ...], samples: int) -> float:
    """Over every list of answers; 0 is right."""
    sure = 0.0
    for answers in itertools.product(range(len(shares)), repeat=samples):
        counts = Counter(answers)
        most = max(counts.values())
        leaders = [answer for answer, count in counts.items() if count == most]
        sure += math.prod(shares[a] for a in answers) * (0 in leaders) / len(leaders)
    return sure


@witnesses("reasoning.majority_vote")
@pytest.mark.parametrize("shares", [(0.3, 0.4, 0.3), (0.6, 0.4), (0.25, 0.25, 0.25, 0.25), (1.0,)])
def test_votes_equal_enumerated_ones(shares: tuple[float, ...]) -> None:
    for samples in (1, 2, 3, 5, 6):
        ours = reasoning.majority_vote(shares[0], shares[1:], samples)
        assert ours == pytest.approx(enumerated_vote(shares, samples), rel=1e-11)


def test_long_votes_equal_binomial_tails_and_drawn_ones() -> None:
    for right, samples in ((0.45, 41), (0.55, 201)):
        tail = stats.binom.sf(samples // 2, samples, right)
        assert reasoning.majority_vote(right, (1 - right,), samples) == pytest.approx(tail, rel=1e-9)
    assert reasoning.majority_vote(0.5, (0.5,), reasoning.MOST) == pytest.approx(0.5, rel=1e-9)
    shares = np.array([0.3, *[0.07] * 10])
    counts = np.random.default_rng(0).multinomial(21, shares, size=40_000)
    leads = counts == counts.max(axis=1, keepdims=True)
    drawn = (leads[:, 0] / leads.sum(axis=1)).mean()
    assert reasoning.majority_vote(0.3, (0.07,) * 10, 21) == pytest.approx(drawn, abs=0.01)


@witnesses("reasoning.any_right", "reasoning.verified_choice", "reasoning.verified_limit")
@pytest.mark.parametrize(
    "right, good, bad",
    [(0.3, 0.9, 0.2), (0.5, 1.0, 0.0), (0.2, 0.0, 0.0), (0.9, 1.0, 1.0), (0.4, 0.5, 0.5), (0.5, 0.5, 0.5)],
)
def test_choices_equal_enumerated_ones(right: float, good: float, bad: float) -> None:
    kinds = {  # (right, accepted): probability
        (True, True): right * good,
        (True, False): right * (1 - good),
        (False, True): (1 - right) * bad,
        (False, False): (1 - right) * (1 - bad),
    }
    for samples in (1, 2, 4):
        picked = hit = 0.0
        for drawn in itertools.product(kinds, repeat=samples):
            chance = math.prod(kinds[kind] for kind in drawn)
            pool = [is_right for is_right, accepted in drawn if accepted] or [
                is_right for is_right, _ in drawn
            ]
            picked += chance * sum(pool) / len(pool)
            hit += chance * any(is_right for is_right, _ in drawn)
        assert reasoning.verified_choice(right, samples, good, bad) == pytest.approx(picked)
        assert reasoning.any_right(right, samples) == pytest.approx(hit)
    if good + bad:
        limit = reasoning.verified_limit(right, good, bad)
        assert limit == pytest.approx(reasoning.verified_choice(right, 2000, good, bad))
        assert limit == pytest.approx(kinds[True, True] / (kinds[True, True] + kinds[False, True]))


def test_a_perfect_verifier_is_the_default() -> None:
    assert reasoning.verified_choice(0.3, 4) == pytest.approx(reasoning.any_right(0.3, 4))
    assert reasoning.any_right(1e-15, 1000) == pytest.approx(1e-12, rel=1e-9)
    assert reasoning.any_right(0.0, 5) == 0 and reasoning.any_right(1.0, 5) == 1
    assert reasoning.verified_choice(0.0, 2) == 0 and reasoning.verified_choice(1.0, 2) == 1


@witnesses("reasoning.vote_share")
def test_shares_equal_sums_over_the_samples() -> None:
    answers, scores = ["a", "b", "a", "c"], [0.5, 1.0, 0.0, 2.5]
    for answer, weighted, plain in (("a", 0.125, 0.5), ("b", 0.25, 0.25), ("c", 0.625, 0.25), ("d", 0, 0)):
        named = np.array(answers) == answer
        assert reasoning.vote_share(answers, answer, scores) == pytest.approx(weighted)
        assert weighted == pytest.approx(np.average(named, weights=scores))
        assert reasoning.vote_share(answers, answer) == pytest.approx(plain) == pytest.approx(named.mean())


@witnesses("reasoning.chain_score", "reasoning.chain_success")
@pytest.mark.parametrize("steps", [(0.9, 0.5, 0.8), (1.0,), (0.0, 0.7)])
def test_scores_of_chains_equal_numpys(steps: tuple[float, ...]) -> None:
    values = np.array(steps)
    assert reasoning.chain_score(steps) == pytest.approx(values.prod())
    assert reasoning.chain_score(steps, "min") == values.min()
    assert reasoning.chain_score(steps, "mean") == pytest.approx(values.mean())
    assert reasoning.chain_score(steps, "last") == values[-1]
    geometric = stats.gmean(values) if values.all() else 0.0
    assert reasoning.chain_score(steps, "geometric") == pytest.approx(geometric)
    for count in (0, 1, 7):
        drawn = reasoning.chain_score((0.9,) * count) if count else 1.0
        assert reasoning.chain_success(0.9, count) == pytest.approx(drawn)


@witnesses("reasoning.label_error")
@pytest.mark.parametrize("success, rollouts", [(0.5, 8), (0.1, 16), (1.0, 3)])
def test_the_error_is_the_spread_of_drawn_labels(success: float, rollouts: int) -> None:
    labels = np.random.default_rng(0).binomial(rollouts, success, size=100_000) / rollouts
    assert reasoning.label_error(success, rollouts) == pytest.approx(labels.std(), rel=0.02, abs=1e-12)


@witnesses("reasoning.marked_scores")
def test_a_mask_picks_as_many_scores_in_torch() -> None:
    torch = pytest.importorskip("torch")
    marks = ((0, 1, 0, 1), (1, 1, 0, 1), (0, 0, 0, 0))
    mask = torch.tensor(marks, dtype=torch.bool)
    scores = torch.nn.Linear(5, 1)(torch.zeros(3, 4, 5)).squeeze(-1)[mask]
    ours = reasoning.marked_scores(marks)
    assert scores.shape == (ours["scores"],)
    assert (ours["rows"], ours["longest"]) == (len(marks), int(mask.sum(dim=1).max()))


@witnesses("reasoning.decode_passes")
def test_every_token_of_every_sample_takes_a_pass() -> None:
    passes = 0
    for _sample in range(3):
        text: list[int] = []
        while len(text) < 7:
            passes += 1
            text.append(passes)
    assert reasoning.decode_passes(3, 7) == passes


@pytest.mark.parametrize(
    "call",
    [
        lambda: reasoning.majority_vote(0.3, (0.6,), 3),
        lambda: reasoning.majority_vote(0.0, (1.0,), 3),
        lambda: reasoning.majority_vote(1.0, (0.0,), 3),
        lambda: reasoning.majority_vote(0.5, (0.5,), 0),
        lambda: reasoning.majority_vote(0.5, (0.5,), reasoning.MOST + 1),
        lambda: reasoning.any_right(1.1, 3),
        lambda: reasoning.any_right(0.5, 0),
        lambda: reasoning.verified_choice(1.1, 3),
        lambda: reasoning.verified_choice(0.5, 3, 1.1),
        lambda: reasoning.verified_choice(0.5, 3, 1.0, -0.1),
        lambda: reasoning.verified_choice(0.5, 0),
        lambda: reasoning.verified_limit(1.1, 0.5, 0.5),
        lambda: reasoning.verified_limit(0.5, 1.1, 0.5),
        lambda: reasoning.verified_limit(0.5, 0.5, 1.1),
        lambda: reasoning.verified_limit(0.5, 0.0, 0.0),
        lambda: reasoning.vote_share((), "a"),
        lambda: reasoning.vote_share(("a",), "a", (0.0,)),
        lambda: reasoning.vote_share(("a", "b"), "a", (2.0, -1.0)),
        lambda: reasoning.vote_share(("a", "b"), "a", (1.0,)),
        lambda: reasoning.chain_score(()),
        lambda: reasoning.chain_score((1.1,)),
        lambda: reasoning.chain_score((0.5,), "median"),
        lambda: reasoning.chain_success(1.1, 2),
        lambda: reasoning.chain_success(0.5, -1),
        lambda: reasoning.label_error(1.1, 8),
        lambda: reasoning.label_error(0.5, 0),
        lambda: reasoning.marked_scores(()),
        lambda: reasoning.decode_passes(0, 1),
        lambda: reasoning.decode_passes(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda: reasoning.majority_vote(0.5, (0.5,), 0), "samples must"),
        (lambda: reasoning.majority_vote(0.0, (1.0,), 3), "right must"),
        (lambda: reasoning.majority_vote(1.0, (0.0,), 3), r"wrong\[0\] must"),
        (lambda: reasoning.majority_vote(0.5, (0.5,), 2.0), "samples must"),  # type: ignore[arg-type]
        (lambda: reasoning.vote_share(("a",), "a", (0.0,)), "the sum of scores must"),
        (lambda: reasoning.chain_score(()), "steps must"),
        (lambda: reasoning.majority_vote(0.5, (0.5,), reasoning.MOST + 1), "^301 − samples must"),
        (lambda: reasoning.label_error(1.1, 8), "success must"),
        (lambda: reasoning.marked_scores(()), "rows must"),
    ],
)
def test_wrong_arguments_are_told_by_name(call: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()


def test_the_longest_vote_is_allowed() -> None:
    assert reasoning.MOST == 300
