"""Witnesses of `verifiers/preference.py`: the losses as written in PyTorch, autograd, and trained policies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import preference

torch = pytest.importorskip("torch")
functional = torch.nn.functional

PAIRS = [(1.0, 0.0), (-3.0, 4.5), (800.0, -800.0), (-800.0, 800.0), (2.0, 2.0)]


def tensor(number: float) -> Any:
    return torch.tensor(number, dtype=torch.float64)


@witnesses("preference.preference", "preference.reward_loss")
@pytest.mark.parametrize("chosen, rejected", PAIRS)
def test_preferences_equal_torchs_softmax_of_two(chosen: float, rejected: float) -> None:
    both = torch.tensor([chosen, rejected], dtype=torch.float64)
    assert preference.preference(chosen, rejected) == pytest.approx(
        torch.softmax(both, 0)[0].item(), abs=1e-300
    )
    cost = functional.cross_entropy(both[None], torch.tensor([0])).item()
    assert preference.reward_loss(chosen, rejected) == pytest.approx(cost, rel=1e-12, abs=1e-300)
    margin = -functional.logsigmoid(both[0] - both[1] - 0.7).item()
    assert preference.reward_loss(chosen, rejected, margin=0.7) == pytest.approx(
        margin, rel=1e-12, abs=1e-300
    )


@witnesses("preference.dpo_loss", "preference.dpo_slope")
@pytest.mark.parametrize("beta", [0.1, 1.0])
@pytest.mark.parametrize(
    "of", [(-5.0, -10.0, -4.0, -6.0), (-50.0, -20.0, -40.0, -21.0), (-9000.0, -1.0, -1.0, -1.0)]
)
def test_dpo_equals_its_loss_in_torch(of: tuple[float, ...], beta: float) -> None:
    chosen, rejected, ref_chosen, ref_rejected = (tensor(x).requires_grad_() for x in of)
    margin = (chosen - ref_chosen) - (rejected - ref_rejected)
    loss = -functional.logsigmoid(beta * margin)
    loss.backward()
    assert preference.dpo_loss(*of, beta=beta) == pytest.approx(loss.item(), rel=1e-12)
    assert preference.dpo_slope(margin.item(), beta) == pytest.approx(chosen.grad.item(), rel=1e-12)
    assert rejected.grad == -chosen.grad
    if beta == 0.1:
        assert preference.dpo_loss(*of) == preference.dpo_loss(*of, beta=0.1)
        assert preference.dpo_slope(margin.item()) == preference.dpo_slope(margin.item(), 0.1)


@witnesses("preference.dpo_gradient")
def test_the_gradient_equals_autograd_and_a_wrong_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preference.dpo_gradient() == {"betas": "0.1, 1", "seeds": 10, "tolerance": 1e-12}
    leaf = torch.tensor([-5.0, -6.0, -4.0, -4.5], dtype=torch.float64, requires_grad=True)
    (-functional.logsigmoid(0.3 * ((leaf[0] - leaf[2]) - (leaf[1] - leaf[3])))).backward()
    ours = preference.dpo_gradient_of(leaf.detach().numpy(), 0.3)
    assert ours == pytest.approx(leaf.grad.numpy(), rel=1e-12)
    loss = preference.dpo_of(leaf.detach().numpy(), 0.3)
    assert loss == pytest.approx(preference.dpo_loss(*leaf.tolist(), beta=0.3))
    # a reference that takes part in the training would be pushed as well, the other way
    monkeypatch.setattr(preference, "dpo_gradient_of", lambda x, b: b * np.array([-0.5, 0.5, 0.5, -0.5]))
    with pytest.raises(AssertionError, match="the gradient"):
        preference.dpo_gradient()


def test_log_probabilities_tried_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        preference, "confirm_gradient", lambda ours, f, at, *of: seen.append((at, f(at), ours))
    )
    preference.dpo_gradient(betas=(0.5,), spread=2.0, seeds=1)
    at = 2 * np.random.default_rng(0).standard_normal(4)
    assert seen[0][0] == pytest.approx(at) and len(seen) == 1
    assert seen[0][1] == pytest.approx(preference.dpo_loss(*at.tolist(), beta=0.5))


@witnesses("preference.ipo_loss", "preference.simpo_loss", "preference.orpo_penalty")
def test_relatives_of_dpo_equal_their_losses_in_torch() -> None:
    for margin in (-3.0, 0.0, 5.0, 7.0):
        for beta in (0.1, 0.5):
            theirs = functional.mse_loss(tensor(margin), tensor(1 / (2 * beta))).item()
            assert preference.ipo_loss(margin, beta) == pytest.approx(theirs)
        assert preference.ipo_loss(margin) == preference.ipo_loss(margin, 0.1)
    for chosen, rejected, lengths in ((-10.0, -30.0, (5, 7)), (-30.0, -10.0, (5, 20))):
        means = tensor(chosen) / lengths[0], tensor(rejected) / lengths[1]
        for beta, target in ((2.0, 1.0), (0.5, 0.0)):
            theirs = -functional.logsigmoid(beta * (means[0] - means[1]) - target).item()
            ours = preference.simpo_loss(chosen, rejected, *lengths, beta=beta, target=target)
            assert ours == pytest.approx(theirs, rel=1e-12)
        assert preference.simpo_loss(chosen, rejected, *lengths) == preference.simpo_loss(
            chosen, rejected, *lengths, beta=2.0, target=1.0
        )
        odds = [torch.logit(mean.exp()) for mean in means]
        theirs = -functional.logsigmoid(odds[0] - odds[1]).item()
        assert preference.orpo_penalty(means[0].item(), means[1].item()) == pytest.approx(theirs, rel=1e-9)


@witnesses("preference.dpo_trained")
@pytest.mark.parametrize(
    "features, chosen, rejected",
    [(np.eye(4).tolist(), 0, 1), ([[1], [0], [2], [0]], 0, 1), ([[1, 2], [0, 1], [3, 0]], 2, 1)],
)
def test_a_trained_policy_equals_torchs(features: list[list[float]], chosen: int, rejected: int) -> None:
    matrix = torch.tensor(features, dtype=torch.float64)
    weights = torch.zeros(matrix.shape[1], dtype=torch.float64, requires_grad=True)
    reference = torch.log_softmax(matrix @ weights, 0).detach()
    for _ in range(40):
        gap = torch.log_softmax(matrix @ weights, 0) - reference
        loss = -functional.logsigmoid(0.3 * (gap[chosen] - gap[rejected]))
        (slope,) = torch.autograd.grad(loss, weights)
        weights = (weights - 0.7 * slope).detach().requires_grad_()
    policy = torch.softmax(matrix @ weights, 0)
    ours = preference.dpo_trained(features, chosen, rejected, beta=0.3, steps=40, learning_rate=0.7)
    assert ours["chosen_before"] == pytest.approx(reference.exp()[chosen].item())
    assert ours["chosen"] == pytest.approx(policy[chosen].item(), rel=1e-9)
    assert ours["rejected"] == pytest.approx(policy[rejected].item(), rel=1e-9)
    assert ours["margin"] == pytest.approx((policy[chosen] / policy[rejected]).log().item(), rel=1e-9)


def test_defaults_of_the_training() -> None:
    table = ((1, 0), (0, 1))
    assert preference.dpo_trained(table) == preference.dpo_trained(table, 0, 1, 0.1, 2000, 1.0)
    assert preference.dpo_trained(table, steps=1) == preference.dpo_trained(table, 0, 1, 0.1, 1, 1.0)
    assert preference.dpo_trained(table, 1, 0, steps=1)["margin"] == pytest.approx(0.1)


@witnesses("preference.models")
def test_bytes_equal_those_of_the_models_in_memory() -> None:
    def trained(count: int = 1) -> int:
        # 16-bit weights and gradients, fp32 master weights and two moments
        kinds = [torch.bfloat16, torch.bfloat16, torch.float32, torch.float32, torch.float32]
        return count * sum(torch.zeros(1, dtype=kind).nbytes for kind in kinds)

    frozen = torch.zeros(1, dtype=torch.bfloat16).nbytes
    held = {
        "sft": (["policy"], [], ["sft"]),
        "dpo": (["policy"], ["reference"], ["sft", "dpo"]),
        "simpo": (["policy"], [], ["sft", "simpo"]),
        "orpo": (["policy"], [], ["orpo"]),
        "ppo": (["policy", "value"], ["reference", "reward"], ["sft", "reward model", "ppo"]),
        "grpo": (["policy"], ["reference", "reward"], ["sft", "reward model", "grpo"]),
        "grpo-verifiable": (["policy"], ["reference"], ["sft", "grpo"]),
    }
    assert set(held) == set(preference.METHODS)
    for method, (learns, stands, stages) in held.items():
        assert preference.models(method) == {
            "trained": len(learns),
            "frozen": len(stands),
            "stages": len(stages),
            "states": trained(len(learns)) + frozen * len(stands),
        }


@witnesses("preference.reference_needs_no_graph")
def test_only_a_frozen_or_detached_reference_stays_out_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preference.reference_needs_no_graph() == {"ways": "open, frozen, detached", "size": 4}
    reference = torch.nn.Linear(2, 2)
    assert reference(torch.ones(2)).requires_grad
    with torch.no_grad():
        assert not reference(torch.ones(2)).requires_grad
    assert not reference.requires_grad_(False)(torch.ones(2)).requires_grad

    def fails(told: str, target: Any, name: str, value: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            with pytest.raises(AssertionError, match=told):
                preference.reference_needs_no_graph()

    softmax = torch.log_softmax
    # a graph for every reference, or for none
    leaf = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    fails("frozen: the graph", torch, "log_softmax", lambda x, dim: softmax(x, dim) + leaf)
    fails("open: the graph", torch, "log_softmax", lambda x, dim: softmax(x, dim).detach())
    fails("detached: the reference has", torch.Tensor, "detach", lambda self: self)
    softplus = functional.softplus
    fails(
        "open: the reference has",
        functional,
        "softplus",
        lambda gap: torch.zeros((), requires_grad=True) + gap.detach(),
    )
    steps = iter((1.0, 1.0, 2.0))
    fails("gradient differs", functional, "softplus", lambda gap: next(steps) * softplus(gap))


def test_references_are_those_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    softmax = torch.log_softmax
    monkeypatch.setattr(
        torch, "log_softmax", lambda x, dim: seen.append(x.detach().clone()) or softmax(x, dim)
    )
    preference.reference_needs_no_graph(seed=3, size=2)
    start = torch.randn(2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert all(torch.equal(x, start * factor) for x, factor in zip(seen, (1, 2) * 3, strict=True))


@pytest.mark.parametrize(
    "call",
    [
        lambda: preference.reward_loss(1.0, 0.0, -0.1),
        lambda: preference.dpo_loss(0.0, 0.0, 0.0, 0.0, 0.0),
        lambda: preference.dpo_slope(0.0, 0.0),
        lambda: preference.ipo_loss(0.0, -1.0),
        lambda: preference.simpo_loss(-1.0, -1.0, 0, 1),
        lambda: preference.simpo_loss(-1.0, -1.0, 1, 0),
        lambda: preference.simpo_loss(-1.0, -1.0, 1, 1, beta=0.0),
        lambda: preference.simpo_loss(-1.0, -1.0, 1, 1, target=-0.1),
        lambda: preference.orpo_penalty(0.0, -1.0),
        lambda: preference.orpo_penalty(-1.0, 0.0),
        lambda: preference.dpo_trained(((1.0,),)),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), chosen=2),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), chosen=-1),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), rejected=2),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), rejected=-1),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), steps=0),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), beta=0.0),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), learning_rate=0.0),
        lambda: preference.models("rlaif"),
        lambda: preference.dpo_trained(((1.0,), (0.0,)), chosen=1, rejected=1),
        lambda: preference.dpo_trained((1.0, 0.0)),  # type: ignore[arg-type]
        lambda: preference.dpo_trained(((1.0,), (math.nan,))),
        lambda: preference.preference(math.nan, 0.0),
        lambda: preference.preference(0.0, math.nan),
        lambda: preference.reward_loss(math.nan, 0.0),
        lambda: preference.reward_loss(0.0, math.inf),
        lambda: preference.dpo_loss(math.nan, 0.0, 0.0, 0.0),
        lambda: preference.dpo_loss(0.0, math.nan, 0.0, 0.0),
        lambda: preference.dpo_loss(0.0, 0.0, math.nan, 0.0),
        lambda: preference.dpo_loss(0.0, 0.0, 0.0, math.nan),
        lambda: preference.dpo_slope(math.nan),
        lambda: preference.ipo_loss(math.nan),
        lambda: preference.simpo_loss(math.nan, -1.0, 1, 1),
        lambda: preference.simpo_loss(-1.0, math.nan, 1, 1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_losses_stay_finite_far_out() -> None:
    assert math.isclose(preference.reward_loss(0.0, 5000.0), 5000.0)
    assert preference.reward_loss(5000.0, 0.0) == 0
