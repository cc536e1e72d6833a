"""Witnesses of `verifiers/policy_gradient.py`: autograd of enumerated expectations, and drawn estimates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import calculus, policy_gradient

torch = pytest.importorskip("torch")

LOGITS, REWARDS = (0.0, 0.5, -1.0), (1.0, -2.0, 4.0)


def score(action: int, logits: tuple[float, ...] = LOGITS) -> np.ndarray:
    """Gradient of ln p(action) by autograd."""
    leaf = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    torch.log_softmax(leaf, 0)[action].backward()
    return leaf.grad.numpy()


def autograd_of_expected_reward(logits: tuple[float, ...] = LOGITS) -> np.ndarray:
    leaf = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    (torch.softmax(leaf, 0) @ torch.tensor(REWARDS, dtype=torch.float64)).backward()
    return leaf.grad.numpy()


SHARES = torch.softmax(torch.tensor(LOGITS, dtype=torch.float64), 0).numpy()


@witnesses("policy_gradient.discounted_return", "policy_gradient.largest_centred_return")
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_returns_equal_their_sums(gamma: float) -> None:
    rewards = [1.0, -2.0, 0.5, 3.0]
    sums = [sum(gamma ** (k - t) * rewards[k] for k in range(t, 4)) for t in range(4)]
    for t, expected in enumerate(sums):
        assert policy_gradient.discounted_return(rewards, gamma, t) == pytest.approx(expected)
    away = max(abs(x - np.mean(sums)) for x in sums)
    assert policy_gradient.largest_centred_return(rewards, gamma) == pytest.approx(away)
    if gamma == 1:
        assert policy_gradient.discounted_return(rewards) == sum(rewards)
        assert policy_gradient.largest_centred_return(rewards) == pytest.approx(away)


@witnesses("policy_gradient.advantage")
@pytest.mark.parametrize("gamma, smoothing", [(0.9, 0.8), (1.0, 0.0), (0.5, 1.0), (1.0, 1.0)])
def test_advantages_are_weighted_means_of_those_over_n_steps(gamma: float, smoothing: float) -> None:
    rewards, values = [1.0, 0.0, -1.0, 2.0], [0.3, -0.2, 0.8, 0.1, 0.4]
    for step in range(4):
        left = 4 - step
        over = [
            sum(gamma**k * rewards[step + k] for k in range(n)) + gamma**n * values[step + n] - values[step]
            for n in range(1, left + 1)
        ]
        weights = [(1 - smoothing) * smoothing ** (n - 1) for n in range(1, left)] + [smoothing ** (left - 1)]
        expected = float(np.dot(weights, over))
        ours = policy_gradient.advantage(rewards, values, step, gamma, smoothing)
        assert ours == pytest.approx(expected)
    assert policy_gradient.advantage(rewards, values) == policy_gradient.advantage(
        rewards, values, 0, 1.0, 0.95
    )


@witnesses("policy_gradient.group_advantage")
@pytest.mark.parametrize("rewards", [(1, 0, 0, 1), (0.2, 3.0, -1.0), (1, 0)])
def test_group_advantages_equal_torchs(rewards: tuple[float, ...]) -> None:
    group = torch.tensor(rewards, dtype=torch.float64)
    for spread, scale in {
        "sample": group.std() + 0.1,
        "population": group.std(unbiased=False) + 0.1,
        "none": torch.tensor(1.0),
    }.items():
        theirs = (group - group.mean()) / scale
        for sample, expected in enumerate(theirs.tolist()):
            ours = policy_gradient.group_advantage(rewards, sample, spread, epsilon=0.1)
            assert ours == pytest.approx(expected)
    assert policy_gradient.group_advantage(rewards) == pytest.approx(
        ((group - group.mean()) / group.std())[0].item()
    )
    assert policy_gradient.group_advantage((5.0,), spread="none") == 0
    assert policy_gradient.group_advantage((5.0,), spread="population", epsilon=1e-8) == 0


@pytest.mark.parametrize("rewards", [(0.1, 0.1, 0.1), (0.7,) * 6, (1e9 + 0.1,) * 3])
def test_equal_rewards_are_equal_though_their_mean_is_rounded(rewards: tuple[float, ...]) -> None:
    """A mean of 0.1 that is off by one bit must not become an advantage of one standard deviation."""
    assert policy_gradient.group_advantage(rewards, spread="none") == 0
    for spread in ("sample", "population"):
        assert policy_gradient.group_advantage(rewards, spread=spread, epsilon=1e-12) == 0
        with pytest.raises(ValueError, match="standard deviation"):
            policy_gradient.group_advantage(rewards, spread=spread)
    assert policy_gradient.largest_centred_return((0.0,) * 8 + rewards[:1]) == 0


@witnesses("policy_gradient.standardised_rewards")
@pytest.mark.filterwarnings("ignore:std.*degrees of freedom:UserWarning")
def test_standardised_rewards_equal_torchs_and_wrong_ones_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy_gradient.standardised_rewards() == {"group": 8, "seeds": 10, "tolerance": 1e-12}
    assert torch.ones(1).std().isnan() and ((torch.ones(4) - 1) / torch.ones(4).std()).isnan().all()
    correct = policy_gradient.standardised
    one_is_nan = np.array([math.nan, 0.0])
    frees = set()
    with monkeypatch.context() as patch:
        patch.setattr(
            policy_gradient, "standardised", lambda r, free, e: correct(r, frees.add(free) or free, e)
        )
        policy_gradient.standardised_rewards()
    assert frees == {0, 1}

    def fails(told: str, broken: Callable[..., np.ndarray]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(policy_gradient, "standardised", broken)
            with pytest.raises(AssertionError, match=told):
                policy_gradient.standardised_rewards()

    fails("the mean", lambda r, free, e: correct(r, free, e) + 0.1)
    fails("the standard deviation", lambda r, free, e: 2 * correct(r, free, e))
    fails("the standard deviation", lambda r, free, e: correct(r, 0, e))
    fails("the standard deviation", lambda r, free, e: correct(r, 1, e))
    fails("another scale", lambda r, free, e: correct(r, free, e) * np.sign(abs(r).max() - 4))
    fails("without an epsilon", lambda r, free, e: correct(r, free, e or 1e-9 * (np.ptp(r) == 0)))
    fails("without an epsilon", lambda r, free, e: correct(r, free, e) if np.ptp(r) or e else one_is_nan)
    fails("without an epsilon", lambda r, free, e: correct(r, free, e or 1.0 * (np.ptp(r) + free == 0)))
    fails("among equal rewards", lambda r, free, e: correct(r, free, e) + (e > 0) * (free == 0))
    fails("among equal rewards", lambda r, free, e: correct(r, free, e) + (e > 0) * (len(r) > 1))
    fails("a single reward", lambda r, free, e: correct(r, free if len(r) > 1 else 0, e))


@witnesses("policy_gradient.binary_advantages")
@pytest.mark.parametrize("right, group", [(1, 10), (3, 8), (1, 2)])
def test_binary_advantages_equal_those_of_a_group(right: int, group: int) -> None:
    rewards = torch.tensor([1.0] * right + [0.0] * (group - right), dtype=torch.float64)
    theirs = (rewards - rewards.mean()) / rewards.std(unbiased=False)
    ours = policy_gradient.binary_advantages(right / group)
    assert ours["right"] == pytest.approx(theirs[0].item())
    assert ours["wrong"] == pytest.approx(theirs[-1].item())


@witnesses("policy_gradient.own_reward_shrinkage", "policy_gradient.baselines_and_bias")
@pytest.mark.parametrize("group", [2, 4])
def test_drawn_gradients_shrink_with_their_own_reward_in_the_baseline(group: int) -> None:
    drawn = np.random.default_rng(0).choice(3, size=(40_000, group), p=SHARES)
    rewards = np.array(REWARDS)[drawn]
    scores = np.array([score(action) for action in range(3)])[drawn]
    truth = autograd_of_expected_reward()
    for baseline, factor in (
        (rewards.mean(axis=1, keepdims=True), policy_gradient.own_reward_shrinkage(group)),
        ((rewards.sum(axis=1, keepdims=True) - rewards) / (group - 1), 1.0),
    ):
        estimate = ((rewards - baseline)[..., None] * scores).mean(axis=(0, 1))
        assert estimate == pytest.approx(factor * truth, abs=0.03)


def test_a_single_sample_is_its_own_baseline() -> None:
    assert policy_gradient.own_reward_shrinkage(1) == 0


def test_enumerated_estimates_equal_sums_by_hand() -> None:
    for group, baseline in (
        (1, np.zeros_like),
        (2, policy_gradient.leave_one_out),
        (3, policy_gradient.group_mean),
    ):
        expected = np.zeros(3)
        for actions in itertools.product(range(3), repeat=group):
            rewards = np.array([REWARDS[a] for a in actions])
            away = rewards - baseline(rewards)
            estimate = sum(x * score(a) for x, a in zip(away, actions, strict=True)) / group
            expected += math.prod(SHARES[a] for a in actions) * estimate
        ours = policy_gradient.expected_estimate(SHARES, np.array(REWARDS), group, baseline)
        assert ours == pytest.approx(expected, abs=1e-14)
    assert policy_gradient.leave_one_out(np.array([1.0, 2.0, 6.0])).tolist() == [4.0, 3.5, 1.5]
    assert policy_gradient.group_mean(np.array([1.0, 2.0, 6.0])).tolist() == [3.0, 3.0, 3.0]
    true = policy_gradient.true_gradient(np.array(LOGITS), np.array(REWARDS))
    assert true == pytest.approx(autograd_of_expected_reward(), abs=1e-14)
    again = calculus.differences(
        lambda z: (np.exp(calculus.log_softmax(z)) * REWARDS).sum(), np.array(LOGITS)
    )
    assert true == pytest.approx(again, abs=1e-8)


def test_biased_baselines_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = policy_gradient.baselines_and_bias(actions=2, groups=(2, 3), seeds=1)
    assert tried == {"actions": 2, "groups": "2, 3", "seeds": 1, "tolerance": 1e-12}
    for name, told in (("leave_one_out", "mean of the others"), ("group_mean", "mean of all")):
        with monkeypatch.context() as patch:
            patch.setattr(policy_gradient, name, lambda rewards: rewards / 2)
            with pytest.raises(AssertionError, match=told):
                policy_gradient.baselines_and_bias()
    correct = policy_gradient.expected_estimate

    def blind_to(value: float) -> Callable[..., np.ndarray]:
        def broken(
            policy: np.ndarray, rewards: np.ndarray, group: int, baseline: Callable[..., np.ndarray]
        ) -> np.ndarray:
            off = baseline(np.array([5.0, 7.0])).tolist() == [value, value]
            return correct(policy, rewards, group, baseline) + off

        return broken

    for value, told in ((0.0, "no baseline"), (1.0, "a constant")):
        monkeypatch.setattr(policy_gradient, "expected_estimate", blind_to(value))
        with pytest.raises(AssertionError, match=told):
            policy_gradient.baselines_and_bias()


def test_logits_tried_are_spread_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    correct = policy_gradient.true_gradient
    monkeypatch.setattr(policy_gradient, "true_gradient", lambda z, r: seen.append(z) or correct(z, r))
    policy_gradient.baselines_and_bias(groups=(2,), seeds=1)
    assert seen[0] == pytest.approx(calculus.random_logits(3, 0)[0] / 3)


@witnesses("policy_gradient.estimate_variance", "policy_gradient.best_baseline")
@pytest.mark.parametrize("baseline", [0.0, 1.0, -2.5])
def test_variance_equals_that_of_enumerated_estimates(baseline: float) -> None:
    estimates = [(reward - baseline) * score(action) for action, reward in enumerate(REWARDS)]
    mean = sum(p * x for p, x in zip(SHARES, estimates, strict=True))
    variance = sum(p * ((x - mean) ** 2).sum() for p, x in zip(SHARES, estimates, strict=True))
    assert policy_gradient.estimate_variance(LOGITS, REWARDS, baseline) == pytest.approx(variance)
    if not baseline:
        assert policy_gradient.estimate_variance(LOGITS, REWARDS) == pytest.approx(variance)


def test_no_other_baseline_has_less_variance() -> None:
    best = policy_gradient.best_baseline(LOGITS, REWARDS)
    least = policy_gradient.estimate_variance(LOGITS, REWARDS, best)
    slope = calculus.differences(
        lambda b: np.float64(policy_gradient.estimate_variance(LOGITS, REWARDS, float(b[0]))),
        np.array([best]),
    )
    assert slope == pytest.approx([0.0], abs=1e-7)
    assert policy_gradient.estimate_variance(LOGITS, REWARDS, best + 0.1) > least
    assert policy_gradient.best_baseline((0.0, 0.0), (1.0, 3.0)) == 2
    assert policy_gradient.estimate_variance((0.0,), (3.0,)) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: policy_gradient.discounted_return((1.0,), 1.1),
        lambda: policy_gradient.discounted_return((1.0,), 1.0, 1),
        lambda: policy_gradient.discounted_return((1.0, 2.0), 1.0, -1),
        lambda: policy_gradient.largest_centred_return(()),
        lambda: policy_gradient.largest_centred_return((1.0,), -0.1),
        lambda: policy_gradient.advantage((1.0,), (0.0,)),
        lambda: policy_gradient.advantage((1.0,), (0.0, 0.0, 0.0)),
        lambda: policy_gradient.advantage((1.0,), (0.0, 0.0), step=1),
        lambda: policy_gradient.advantage((1.0, 2.0), (0.0, 0.0, 0.0), step=-1),
        lambda: policy_gradient.advantage((1.0,), (0.0, 0.0), gamma=1.1),
        lambda: policy_gradient.advantage((1.0,), (0.0, 0.0), smoothing=1.1),
        lambda: policy_gradient.group_advantage((1.0, 2.0), 2),
        lambda: policy_gradient.group_advantage((1.0, 2.0), -1),
        lambda: policy_gradient.group_advantage((1.0, 2.0), 0, "range"),
        lambda: policy_gradient.group_advantage((1.0, 2.0), epsilon=-1.0),
        lambda: policy_gradient.group_advantage((1.0,)),
        lambda: policy_gradient.group_advantage((1.0, 1.0)),
        lambda: policy_gradient.group_advantage((1.0, 1.0), spread="population"),
        lambda: policy_gradient.binary_advantages(0.0),
        lambda: policy_gradient.binary_advantages(1.0),
        lambda: policy_gradient.own_reward_shrinkage(0),
        lambda: policy_gradient.estimate_variance((0.0, 1.0), (1.0,)),
        lambda: policy_gradient.estimate_variance((), ()),
        lambda: policy_gradient.best_baseline((0.0,), (1.0,)),
        lambda: policy_gradient.best_baseline((0.0, 1.0), (1.0,)),
        lambda: policy_gradient.discounted_return((math.nan,)),
        lambda: policy_gradient.largest_centred_return((1.0, math.inf)),
        lambda: policy_gradient.advantage((math.nan,), (0.0, 0.0)),
        lambda: policy_gradient.advantage((1.0,), (0.0, math.nan)),
        lambda: policy_gradient.group_advantage((1.0, math.inf, 0.0), spread="none"),
        lambda: policy_gradient.estimate_variance((0.0, math.nan), (1.0, 2.0)),
        lambda: policy_gradient.estimate_variance((0.0, 1.0), (1.0, math.nan)),
        lambda: policy_gradient.estimate_variance((0.0, 1.0), (1.0, 2.0), math.nan),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: policy_gradient.largest_centred_return(()), "steps must be at least 1"),
        (lambda: policy_gradient.estimate_variance((), ()), "actions must be at least 1"),
        (lambda: policy_gradient.best_baseline((0.0,), (1.0,)), "actions must be at least 2"),
    ],
)
def test_too_few_steps_or_actions_are_named(call: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        call()
