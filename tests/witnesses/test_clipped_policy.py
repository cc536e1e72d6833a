"""Witnesses of `verifiers/clipped_policy.py`: PPO and GRPO losses as written in PyTorch, and autograd."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import calculus, clipped_policy

torch = pytest.importorskip("torch")


def torch_surrogate(ratio: Any, advantage: float, epsilon: float) -> Any:
    return torch.min(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage)


@witnesses("clipped_policy.surrogate", "clipped_policy.slope")
@pytest.mark.parametrize("epsilon", [0.1, 0.2])
@pytest.mark.parametrize("advantage", [2.0, -0.5, 0.0])
def test_objective_and_slope_equal_torch(advantage: float, epsilon: float) -> None:
    for ratio in (0.2, 0.85, 0.95, 1.0, 1.05, 1.15, 2.0):
        leaf = torch.tensor(ratio, dtype=torch.float64, requires_grad=True)
        value = torch_surrogate(leaf, advantage, epsilon)
        value.backward()
        assert clipped_policy.surrogate(ratio, advantage, epsilon) == pytest.approx(value.item())
        assert clipped_policy.slope(ratio, advantage, epsilon) == pytest.approx(leaf.grad.item())


def test_the_slope_lasts_up_to_the_edge_and_the_clip_is_a_fifth_by_default() -> None:
    # at the edge itself the surrogate's inner slope counts
    assert clipped_policy.slope(1.5, 1.0, 0.5) == 1 and clipped_policy.slope(0.5, -1.0, 0.5) == -1
    assert (
        clipped_policy.slope(1.5 + 1e-12, 1.0, 0.5) == 0 and clipped_policy.slope(0.5 - 1e-12, -1.0, 0.5) == 0
    )
    assert clipped_policy.surrogate(3.0, 1.0) == clipped_policy.surrogate(3.0, 1.0, 0.2)
    assert [clipped_policy.slope(ratio, 1.0) for ratio in (1.19, 1.21)] == [1.0, 0.0]
    assert clipped_policy.surrogate(2.0, 1.0, 0.0) == 1 and clipped_policy.slope(2.0, 1.0, 0.0) == 0


@witnesses("clipped_policy.slope_is_exact")
def test_a_wrong_slope_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"ratios": 7, "advantages": 4, "epsilon": 0.2, "tolerance": 1e-8}
    assert clipped_policy.slope_is_exact() == tried
    for a in (-1.0, 1.0):
        leaf = torch.tensor([0.7, 0.9, 1.1, 1.3], dtype=torch.float64, requires_grad=True)
        torch_surrogate(leaf, a, 0.2).sum().backward()
        ours = clipped_policy.slope_of(leaf.detach().numpy(), np.array(a), 0.2)
        assert ours == pytest.approx(leaf.grad.numpy())
    # as if the clip stopped both kinds of samples on both sides
    monkeypatch.setattr(clipped_policy, "slope_of", lambda r, a, e: np.where(abs(r - 1) > e, 0.0, a))
    with pytest.raises(AssertionError, match="the slope at ratio"):
        clipped_policy.slope_is_exact()


def torch_objective(
    logits: Any, drawn: Any, advantages: Any, old: Any, reference: Any, epsilon: float, beta: float
) -> Any:
    log_p = torch.log_softmax(logits, 0)[drawn]
    ratio = torch.exp(log_p - old[drawn])
    clipped = torch.min(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages)
    gap = reference[drawn] - log_p
    return (clipped - beta * (gap.exp() - gap - 1)).mean()


@witnesses("clipped_policy.first_update_is_plain")
def test_first_updates_equal_autograd_of_the_plain_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"actions": 5, "group": 6, "seeds": 5, "tolerance": 1e-8}
    assert clipped_policy.first_update_is_plain() == tried
    generator = torch.Generator().manual_seed(0)
    start, old, reference = (torch.randn(4, generator=generator, dtype=torch.float64) for _ in range(3))
    drawn, advantages = torch.tensor([0, 3, 3, 1]), torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    for beta, epsilon in ((0.0, 0.2), (0.3, 0.05)):
        theirs = torch_objective(start, drawn, advantages, old, reference, epsilon, beta).item()
        ours = clipped_policy.group_objective(
            drawn.tolist(), advantages.numpy(), old.numpy(), reference.numpy(), epsilon, beta, start.numpy()
        )
        assert ours == pytest.approx(theirs, rel=1e-12)
    leaf = start.clone().requires_grad_()
    log_p = torch.log_softmax(leaf, 0)
    torch_objective(leaf, drawn, advantages, log_p.detach(), reference, 0.2, 0.0).backward()
    plain = start.clone().requires_grad_()
    (torch.log_softmax(plain, 0)[drawn] * advantages).mean().backward()
    assert torch.allclose(leaf.grad, plain.grad, atol=1e-14)
    each = log_p.detach()[drawn].requires_grad_()
    torch.min((each - log_p.detach()[drawn]).exp() * advantages, 9 * advantages.abs()).mean().backward()
    assert torch.allclose(each.grad, advantages / 4, atol=1e-14)  # A/G for each sample's ln p

    correct = clipped_policy.group_objective
    for broken in (lambda *of: 2 * correct(*of), lambda a, adv, *of: correct(a, np.abs(adv), *of)):
        monkeypatch.setattr(clipped_policy, "group_objective", broken)
        with pytest.raises(AssertionError, match="plain policy gradient"):
            clipped_policy.first_update_is_plain()


def test_the_penalty_is_left_out_of_the_first_update(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    correct = clipped_policy.group_objective
    monkeypatch.setattr(clipped_policy, "group_objective", lambda *of: seen.append(of) or correct(*of))
    clipped_policy.first_update_is_plain(seeds=1, epsilon=0.3)
    assert {of[4:6] for of in seen} == {(0.3, 0.0)}


@witnesses("clipped_policy.reference_enters_by_penalty_alone")
def test_a_reference_matters_to_torchs_loss_through_its_penalty_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = {"actions": 5, "group": 4, "beta": 0.04}
    assert clipped_policy.reference_enters_by_penalty_alone() == tried
    start = torch.randn(3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for beta, same in ((0.0, True), (0.1, False)):
        losses = {
            torch_objective(
                start, torch.tensor([0, 2]), torch.ones(2).double(), start, start * factor, 0.2, beta
            ).item()
            for factor in (1.0, 2.0)
        }
        assert (len(losses) == 1) is same
    correct = clipped_policy.group_objective
    with monkeypatch.context() as patch:
        patch.setattr(
            clipped_policy,
            "group_objective",
            lambda a, adv, o, r, e, b, z: correct(a, adv, o, r, e, b + 0.1, z),
        )
        with pytest.raises(AssertionError, match="without a penalty"):
            clipped_policy.reference_enters_by_penalty_alone()
    monkeypatch.setattr(
        clipped_policy, "group_objective", lambda a, adv, o, r, e, b, z: correct(a, adv, o, r, e, 0.0, z)
    )
    with pytest.raises(AssertionError, match="does not know"):
        clipped_policy.reference_enters_by_penalty_alone()


def test_references_tried_differ_and_only_they(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        clipped_policy, "group_objective", lambda *of: seen.append(of) or float(of[5] * of[3][0])
    )
    clipped_policy.reference_enters_by_penalty_alone(actions=3, group=2, beta=0.5, epsilon=0.1)
    logits, near = calculus.random_logits(3, 0)
    assert [of[5] for of in seen] == [0.0, 0.0, 0.5, 0.5] and all(of[4] == 0.1 for of in seen)
    for of, reference in zip(seen, (near, near[::-1], near, near[::-1]), strict=True):
        assert of[3] == pytest.approx(np.log(reference)) and of[6] == pytest.approx(logits)
        assert of[2] == pytest.approx(calculus.log_softmax(logits)) and of[1].tolist() == [1.0, 1.0]


@witnesses("clipped_policy.overshoot")
@pytest.mark.parametrize("rate", [0.05, 1.0, 5.0])
@pytest.mark.parametrize("seed", [0, 3])
def test_ratios_overshoot_as_far_as_with_autograd(rate: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = torch.from_numpy(generator.standard_normal(5)).requires_grad_()
    drawn = torch.from_numpy(generator.integers(5, size=6))
    advantages = torch.from_numpy(generator.standard_normal(6))
    old = torch.log_softmax(logits, 0).detach()
    furthest = 0.0
    for _ in range(40):
        objective = torch_objective(logits, drawn, advantages, old, old, 0.1, 0.0)
        (slope,) = torch.autograd.grad(objective, logits)
        logits = (logits + rate * slope).detach().requires_grad_()
        ratios = torch.exp(torch.log_softmax(logits, 0) - old)[drawn]
        furthest = max(furthest, (ratios - 1).abs().max().item())
    ours = clipped_policy.overshoot(rate, steps=40, epsilon=0.1, actions=5, group=6, seed=seed)
    assert ours == pytest.approx(furthest, rel=1e-9)


def test_defaults_of_the_overshoot() -> None:
    slow = clipped_policy.overshoot(0.005)
    assert slow == clipped_policy.overshoot(0.005, 100, 0.2, 8, 8, 0)
    for steps in (99, 101):
        assert slow != clipped_policy.overshoot(0.005, steps)
    assert clipped_policy.overshoot(0.5) == clipped_policy.overshoot(0.5, 100, 0.2, 8, 8, 0)
    assert clipped_policy.overshoot(0.1, 1, actions=2, group=2) > 0


@witnesses("clipped_policy.trust_region")
@pytest.mark.parametrize("epsilon", [0.0, 0.2, 0.9])
def test_the_push_ends_at_these_changes_of_log_probability(epsilon: float) -> None:
    ours = clipped_policy.trust_region(epsilon)
    for sign, change in ((1.0, ours["up"]), (-1.0, -ours["down"])):
        assert clipped_policy.slope(math.exp(change * 0.999), sign, epsilon) == sign
        if epsilon:
            assert clipped_policy.slope(math.exp(change * 1.001), sign, epsilon) == 0
        else:
            assert change == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: clipped_policy.surrogate(0.0, 1.0),
        lambda: clipped_policy.surrogate(1.0, 1.0, 1.0),
        lambda: clipped_policy.surrogate(1.0, 1.0, -0.1),
        lambda: clipped_policy.slope(0.0, 1.0),
        lambda: clipped_policy.slope(1.0, 1.0, 1.0),
        lambda: clipped_policy.slope(1.0, 1.0, -0.1),
        lambda: clipped_policy.surrogate(1.0, math.nan),
        lambda: clipped_policy.slope(1.0, math.inf),
        lambda: clipped_policy.overshoot(0.0),
        lambda: clipped_policy.overshoot(0.1, steps=0),
        lambda: clipped_policy.overshoot(0.1, epsilon=0.0),
        lambda: clipped_policy.overshoot(0.1, epsilon=1.0),
        lambda: clipped_policy.overshoot(0.1, actions=1),
        lambda: clipped_policy.overshoot(0.1, group=1),
        lambda: clipped_policy.trust_region(-0.1),
        lambda: clipped_policy.trust_region(1.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_a_clip_that_allows_any_fall_has_no_region() -> None:
    with pytest.raises(ValueError, match="1 − epsilon"):
        clipped_policy.trust_region(1.0)
