"""Witnesses of `verifiers/kl_control.py`: gradient ascent, autograd, and drawn estimates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import calculus, kl_control

torch = pytest.importorskip("torch")

REFERENCE, REWARDS = (0.2, 0.3, 0.5), (1.0, 0.0, -1.0)
POLICY = (0.6, 0.3, 0.1)


def climbed(beta: float, steps: int) -> Any:
    """The best policy by gradient ascent on reward less β·KL."""
    reference = torch.tensor(REFERENCE, dtype=torch.float64)
    rewards = torch.tensor(REWARDS, dtype=torch.float64)
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        log_p = torch.log_softmax(logits, 0)
        value = (log_p.exp() * (rewards - beta * (log_p - reference.log()))).sum()
        (slope,) = torch.autograd.grad(value, logits)
        with torch.no_grad():
            logits += slope / beta
    return torch.log_softmax(logits, 0).detach()


@witnesses("kl_control.tilted", "kl_control.tilted_policy")
@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_ascent_ends_at_the_tilted_policy(beta: float) -> None:
    best = climbed(beta, 400)
    for action, share in enumerate(best.exp().tolist()):
        assert kl_control.tilted(REFERENCE, REWARDS, beta, action) == pytest.approx(share, rel=1e-6)
    assert kl_control.tilted(REFERENCE, REWARDS, beta) == kl_control.tilted(REFERENCE, REWARDS, beta, 0)
    ours = kl_control.tilted_policy(REFERENCE, REWARDS, beta)
    reward = float(best.exp() @ torch.tensor(REWARDS, dtype=torch.float64))
    divergence = torch.nn.functional.kl_div(
        torch.tensor(REFERENCE, dtype=torch.float64).log(), best, reduction="sum", log_target=True
    ).item()
    assert ours["reward"] == pytest.approx(reward, rel=1e-6)
    assert ours["kl"] == pytest.approx(divergence, rel=1e-6)
    partition = math.fsum(q * math.exp(r / beta) for q, r in zip(REFERENCE, REWARDS, strict=True))
    assert ours["objective"] == pytest.approx(beta * math.log(partition), rel=1e-9)


def test_the_objective_and_its_gradient_equal_torchs() -> None:
    logits, reference = calculus.random_logits(4, 0)
    rewards = np.array([1.0, -1.0, 0.3, 2.0])
    leaf = torch.from_numpy(logits).requires_grad_()
    policy = torch.distributions.Categorical(logits=leaf)
    target = torch.distributions.Categorical(probs=torch.from_numpy(reference))
    value = policy.probs @ torch.from_numpy(rewards) - 0.3 * torch.distributions.kl_divergence(policy, target)
    assert kl_control.objective(logits, reference, rewards, 0.3) == pytest.approx(value.item(), rel=1e-9)


@witnesses("kl_control.closed_form_is_best")
def test_another_closed_form_is_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"actions": 5, "betas": "0.1, 1, 10", "seeds": 5, "tolerance": 1e-12}
    assert kl_control.closed_form_is_best() == tried
    reference, rewards = np.array(REFERENCE), np.array(REWARDS)
    assert kl_control.tilt(reference, rewards, 0.5) == pytest.approx(
        climbed(0.5, 400).exp().numpy(), rel=1e-6
    )

    def fails(told: str, **patches: Any) -> None:
        with monkeypatch.context() as patch:
            for name, value in patches.items():
                patch.setattr(kl_control, name, value)
            with pytest.raises(AssertionError, match=told):
                kl_control.closed_form_is_best(seeds=1, betas=(1.0,))

    fails("gradient at the closed form", tilt=lambda q, r, beta: calculus.softmax(np.log(q) - r / beta))
    fails("gradient at the closed form", tilt=lambda q, r, beta: calculus.softmax(np.log(q) + r / beta / 2))
    value = kl_control.objective
    fails("the value at the closed form", objective=lambda *of, **named: value(*of, **named) + 0.5)
    flat = {
        "complex_step": lambda *of: np.zeros(5),
        "objective": lambda *of, **named: kl_offset(*of, **named),
    }

    def kl_offset(logits: np.ndarray, reference: np.ndarray, rewards: np.ndarray, beta: float) -> float:
        return float(beta * np.log((reference * np.exp(rewards / beta)).sum()))

    fails("the reward read off it", **flat, tilt=lambda q, r, beta: q)
    fails("what it loses", **flat)
    seen: list[float] = []
    monkeypatch.setattr(kl_control, "agree", lambda *of: None)
    monkeypatch.setattr(kl_control, "log_softmax", lambda z: seen.append(z) or calculus.log_softmax(z))
    kl_control.closed_form_is_best(actions=3, seeds=1, betas=(2.0,), steps=(0.5,))
    rewards, reference = calculus.random_logits(3, 0, scale=1.0)
    best = np.log(calculus.softmax(np.log(reference) + rewards / 2))
    assert seen[-2] == pytest.approx(best + 0.5 * np.random.default_rng(0).standard_normal(3))


def test_the_best_policy_itself_loses_nothing() -> None:
    with pytest.raises(AssertionError, match="does not lose"):
        kl_control.closed_form_is_best(actions=1, seeds=1)


@witnesses("kl_control.estimator")
@pytest.mark.parametrize("name", ["k1", "k2", "k3"])
def test_moments_equal_those_of_drawn_estimates(name: str) -> None:
    p, q = np.array(POLICY), np.array(REFERENCE)
    drawn = np.random.default_rng(0).choice(3, size=400_000, p=p)
    ratio = q[drawn] / p[drawn]
    estimates = {"k1": -np.log(ratio), "k2": np.log(ratio) ** 2 / 2, "k3": ratio - 1 - np.log(ratio)}[name]
    exact = torch.distributions.kl_divergence(
        torch.distributions.Categorical(torch.from_numpy(p)),
        torch.distributions.Categorical(torch.from_numpy(q)),
    ).item()
    ours = kl_control.estimator(POLICY, REFERENCE, name)
    assert ours["mean"] == pytest.approx(estimates.mean(), abs=0.01)
    assert ours["bias"] == pytest.approx(ours["mean"] - exact, abs=1e-15)
    assert ours["variance"] == pytest.approx(estimates.var(), rel=0.02)
    assert ours["negative"] == pytest.approx((estimates < 0).mean(), abs=0.005)
    if name != "k2":
        assert ours["bias"] == pytest.approx(0, abs=1e-15)
    if name == "k3":
        assert kl_control.estimator(POLICY, REFERENCE) == ours


def test_actions_that_are_never_taken_do_not_count() -> None:
    ours = kl_control.estimator((0.0, 1.0), (0.5, 0.5), "k1")
    assert ours["mean"] == pytest.approx(math.log(2)) and ours["variance"] == 0
    # the ratio's mean over what the policy does is 0.5 only
    assert kl_control.estimator((0.0, 1.0), (0.5, 0.5), "k3")["bias"] == pytest.approx(-0.5)
    equal = kl_control.estimator((0.5, 0.5), (0.5, 0.5), "k1")
    assert equal["negative"] == 0


@witnesses("kl_control.gradients_of_estimators")
def test_gradients_of_estimators_equal_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kl_control.gradients_of_estimators() == {"actions": 5, "seeds": 5, "tolerance": 1e-12}
    logits = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor(REFERENCE, dtype=torch.float64)
    samples = torch.softmax(logits, 0).detach()
    losses = {"k1": lambda g: g, "k2": lambda g: g**2 / 2, "k3": lambda g: (-g).exp() - 1 + g}
    for name, loss in losses.items():
        gap = torch.log_softmax(logits, 0) - reference.log()
        (theirs,) = torch.autograd.grad((samples * loss(gap)).sum(), logits)
        ours = kl_control.loss_gradient(name, logits.detach().numpy(), reference.numpy())
        assert ours == pytest.approx(theirs.numpy(), abs=1e-14)
    exact = torch.distributions.Categorical(logits=logits)
    divergence = torch.distributions.kl_divergence(exact, torch.distributions.Categorical(reference))
    (true,) = torch.autograd.grad(divergence, logits)
    ours = kl_control.loss_gradient("k2", logits.detach().numpy(), reference.numpy())
    assert ours == pytest.approx(true.numpy(), abs=1e-14)
    correct = kl_control.loss_gradient
    for broken in ("k1", "k2", "k3"):
        with monkeypatch.context() as patch:
            patch.setattr(
                kl_control, "loss_gradient", lambda n, z, r, b=broken: correct(n, z, r) + (n == b) * 1e-6
            )
            with pytest.raises(AssertionError, match=f"gradient of {broken}"):
                kl_control.gradients_of_estimators()


def test_logits_of_the_estimators_are_spread_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    correct = kl_control.loss_gradient
    monkeypatch.setattr(kl_control, "loss_gradient", lambda n, z, r: seen.append(z) or correct(n, z, r))
    kl_control.gradients_of_estimators(seeds=1)
    assert seen[0] == pytest.approx(calculus.random_logits(5, 0)[0] / 3)


@witnesses("kl_control.after_penalty")
@pytest.mark.parametrize("name", ["k1", "k2", "k3"])
def test_a_descent_of_the_penalty_equals_torchs(name: str) -> None:
    losses = {"k1": lambda g: g, "k2": lambda g: g**2 / 2, "k3": lambda g: (-g).exp() - 1 + g}
    generator = np.random.default_rng(3)
    logits = torch.tensor(POLICY, dtype=torch.float64).log().requires_grad_()
    reference = torch.tensor(REFERENCE, dtype=torch.float64)
    for _ in range(30):
        log_p = torch.log_softmax(logits, 0)
        drawn = torch.from_numpy(generator.choice(3, size=8, p=log_p.exp().detach().numpy()))
        (slope,) = torch.autograd.grad(losses[name]((log_p - reference.log())[drawn]).mean(), logits)
        logits = (logits - 0.3 * slope).detach().requires_grad_()
    ends = []
    for policy in (torch.tensor(POLICY, dtype=torch.float64), torch.softmax(logits, 0).detach()):
        ends.append((policy * (policy.log() - reference.log())).sum().item())
    ours = kl_control.after_penalty(POLICY, REFERENCE, name, 30, 0.3, 8, seed=3)
    assert ours["before"] == pytest.approx(ends[0]) and ours["after"] == pytest.approx(ends[1], rel=1e-6)


def test_defaults_of_the_descent() -> None:
    ours = kl_control.after_penalty(POLICY, REFERENCE)
    assert ours == kl_control.after_penalty(POLICY, REFERENCE, "k1", 500, 0.5, 16, 0)
    short = kl_control.after_penalty(POLICY, REFERENCE, "k1", 1)
    assert short == kl_control.after_penalty(POLICY, REFERENCE, "k1", 1, 0.5, 16, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: kl_control.tilted(REFERENCE, (1.0, 2.0), 1.0),
        lambda: kl_control.tilted(REFERENCE, (1.0, math.nan, 0.0), 1.0),
        lambda: kl_control.tilted_policy(REFERENCE, (1.0, math.inf, 0.0), 1.0),
        lambda: kl_control.tilted(REFERENCE, REWARDS, 0.0),
        lambda: kl_control.tilted(REFERENCE, REWARDS, 1.0, 3),
        lambda: kl_control.tilted(REFERENCE, REWARDS, 1.0, -1),
        lambda: kl_control.tilted((0.5, 0.4), (1.0, 2.0), 1.0),
        lambda: kl_control.tilted((1.0, 0.0), (1.0, 2.0), 1.0),
        lambda: kl_control.tilted_policy(REFERENCE, REWARDS, 0.0),
        lambda: kl_control.estimator(POLICY, REFERENCE, "k4"),
        lambda: kl_control.estimator((0.5, 0.4, 0.0), REFERENCE),
        lambda: kl_control.estimator((1.0, 0.0), (1.0, 0.0)),
        lambda: kl_control.after_penalty(POLICY, REFERENCE, "k4"),
        lambda: kl_control.after_penalty(POLICY, REFERENCE, steps=0),
        lambda: kl_control.after_penalty(POLICY, REFERENCE, batch=0),
        lambda: kl_control.after_penalty(POLICY, REFERENCE, learning_rate=0.0),
        lambda: kl_control.after_penalty((1.0, 0.0, 0.0), REFERENCE),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
