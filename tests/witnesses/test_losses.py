"""Witnesses of `verifiers/losses.py`: PyTorch's losses and autograd, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import calculus, losses

torch = pytest.importorskip("torch")
functional = torch.nn.functional


@witnesses("losses.cross_entropy")
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_loss_equals_torch(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for target in range(5):
        logits = 5 * torch.randn(1, 5, generator=generator, dtype=torch.float64)
        theirs = functional.cross_entropy(logits, torch.tensor([target]), label_smoothing=smoothing).item()
        ours = losses.cross_entropy(tuple(logits[0].tolist()), target, smoothing)
        assert ours == pytest.approx(theirs, rel=1e-12)
        if not smoothing:
            assert losses.cross_entropy(tuple(logits[0].tolist()), target) == ours


@witnesses("losses.uniform")
def test_a_zeroed_head_starts_at_the_uniform_loss() -> None:
    logits = torch.zeros(4, 50_257)
    targets = torch.tensor([0, 7, 500, 50_256])
    loss = functional.cross_entropy(logits, targets).item()
    assert losses.uniform(50_257) == pytest.approx(loss, rel=1e-6)


@witnesses("losses.slope")
@pytest.mark.parametrize("probability", [1e-4, 0.3, 0.999])
def test_slopes_equal_autograd_through_a_sigmoid(probability: float) -> None:
    logit = torch.tensor(math.log(probability / (1 - probability)), dtype=torch.float64)
    for name, loss in {
        "cross-entropy": lambda p: -p.log(),
        "squared": lambda p: (1 - p) ** 2,
    }.items():
        z = logit.clone().requires_grad_()
        loss(torch.sigmoid(z)).backward()
        assert losses.slope(probability, name) == pytest.approx(z.grad.item(), rel=1e-9)


@witnesses("losses.exp_limit")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_exponentials_overflow_just_past_the_limit(dtype: str) -> None:
    short = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64"}[dtype]
    limit = torch.tensor(losses.exp_limit(short), dtype=torch.float64)
    inside, outside = (limit - 0.01).exp(), (limit + 0.01).exp()
    assert torch.isfinite(inside.to(getattr(torch, dtype)))
    assert not torch.isfinite(outside.to(getattr(torch, dtype)))


@witnesses("losses.softmax_zero_gap")
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
def test_softmax_then_log_loses_the_target_past_the_gap(dtype: str) -> None:
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[dtype]
    gap = losses.softmax_zero_gap(dtype)
    for difference, lost in ((gap - 0.05, False), (gap + 0.05, True)):
        logits = torch.tensor([difference, 0.0], dtype=torch.float64, requires_grad=True)
        # each operation's result is stored in the narrow format
        probability = torch.softmax(logits, 0).to(kind)
        assert (probability[1] == 0).item() is lost
    naive = torch.tensor([gap + 1, 0.0], requires_grad=True)
    loss = -torch.log(torch.softmax(naive, 0))[1]
    loss.backward()
    if dtype == "fp32":
        assert loss.isinf() and naive.grad.isnan().any()
    fused = torch.tensor([gap + 1, 0.0], requires_grad=True)
    functional.cross_entropy(fused[None], torch.tensor([1])).backward()
    assert torch.allclose(fused.grad, torch.tensor([1.0, -1.0]))


@witnesses("losses.double_softmax_floor")
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_optimising_through_two_softmaxes_stops_at_the_floor(classes: int) -> None:
    logits = torch.zeros(1, classes, dtype=torch.float64)
    logits[0, 3 % classes] = 60.0  # as right and as sure as a network can be
    target = torch.tensor([3 % classes])
    reached = functional.cross_entropy(torch.softmax(logits, 1), target).item()
    assert losses.double_softmax_floor(classes) == pytest.approx(reached, rel=1e-9)
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 1.0, 10.0, 100.0):  # and no other logits get below
        others = scale * torch.randn(200, classes, generator=generator, dtype=torch.float64)
        tried = functional.cross_entropy(torch.softmax(others, 1), target.expand(200), reduction="none")
        assert tried.min().item() >= reached - 1e-12


@witnesses("losses.smoothed_optimum")
@pytest.mark.parametrize("classes, smoothing, rate", [(10, 0.1, 8), (5, 0.3, 5), (2, 0.5, 2)])
def test_gradient_descent_settles_at_the_finite_optimum(classes: int, smoothing: float, rate: float) -> None:
    ours = losses.smoothed_optimum(classes, smoothing)
    logits = torch.zeros(1, classes, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0])
    for _ in range(300):
        loss = functional.cross_entropy(logits, target, label_smoothing=smoothing)
        (slope,) = torch.autograd.grad(loss, logits)
        with torch.no_grad():
            logits -= rate * slope
    assert ours["loss"] == pytest.approx(loss.item(), rel=1e-9)
    assert ours["gap"] == pytest.approx((logits[0, 0] - logits[0, 1]).item(), rel=1e-6)
    assert ours["confidence"] == pytest.approx(torch.softmax(logits, 1)[0, 0].item(), rel=1e-6)


@witnesses("losses.gradient_is_p_minus_q")
def test_gradient_equals_autograd_and_a_wrong_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = losses.gradient_is_p_minus_q()
    assert tried == {"classes": "2, 5, 50", "seeds": 4, "smoothing": "0, 0.1, 0.5", "tolerance": 1e-12}
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 6])
    functional.cross_entropy(logits, targets, label_smoothing=0.2, reduction="sum").backward()
    q = 0.8 * functional.one_hot(targets, 7) + 0.2 / 7
    assert torch.allclose(logits.grad, torch.softmax(logits, 1) - q, atol=1e-14)
    with monkeypatch.context() as patch:
        patch.setattr(losses, "cross_entropy_gradient", lambda z, q: np.exp(losses.log_softmax(z)) * (1 - q))
        with pytest.raises(AssertionError, match="p − q is off"):
            losses.gradient_is_p_minus_q()
    monkeypatch.setattr(losses, "confirm_gradient", lambda *rest: None)
    for broken, told in (
        ([0.6, -0.5], "the sum"),
        ([1.4, -0.7, -0.7], "clipped"),
        ([-1.4, 0.7, 0.7], "clipped"),
    ):
        monkeypatch.setattr(losses, "cross_entropy_gradient", lambda z, q, g=broken: np.array(g))
        with pytest.raises(AssertionError, match=told):
            losses.gradient_is_p_minus_q(classes=(2,), seeds=1)


def test_the_target_moves_with_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    correct = losses.smoothed_target
    monkeypatch.setattr(losses, "smoothed_target", lambda *of: seen.append(of) or correct(*of))
    losses.gradient_is_p_minus_q(classes=(2,), seeds=4, smoothing=(0.25,))
    assert seen == [(2, 0, 0.25), (2, 1, 0.25), (2, 0, 0.25), (2, 1, 0.25)]


@witnesses("losses.stable_form_is_exact")
def test_stable_form_equals_torch_and_the_naive_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"logits": "from -1,000 to 1,000", "truth": "50 decimal digits", "tolerance": 1e-12}
    assert losses.stable_form_is_exact() == tried
    logits = torch.tensor([1000.0, 999.0, -1000.0], dtype=torch.float64)
    assert np.allclose(losses.log_softmax(logits.numpy()), torch.log_softmax(logits, 0).numpy())

    def naive(z: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.log(np.exp(z) / np.exp(z).sum())

    monkeypatch.setattr(losses, "log_softmax", naive)
    with pytest.raises(AssertionError, match="log-softmax of"):
        losses.stable_form_is_exact()


def test_the_exact_sum_is_the_same_for_every_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = losses.stable_form_is_exact(
        cases=((1.0, -2.0), (0.5, 0.0)), shifts=(5.0,), digits=60, shift_tolerance=1e-55
    )
    assert (tried["logits"], tried["truth"]) == ("from -2.0 to 1.0", "60 decimal digits")
    # the shift has to come back out: with half the digits it does to half of them
    with pytest.raises(AssertionError, match="shifted by"):
        losses.stable_form_is_exact(cases=((1.0, 2.0),), shifts=(-7.3,), digits=19)
    checked = []
    monkeypatch.setattr(losses, "agree", lambda *of: checked.append(of))
    losses.stable_form_is_exact(cases=((1.0, 2.0),), shifts=(-7.3,), digits=19)
    assert abs(checked[0][0]) < 1e-16 and checked[0][1] == 0
    assert checked[1][0] == pytest.approx(checked[1][1])


@witnesses("losses.cross_entropy_is_entropy_plus_kl")
def test_split_equals_torch_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert losses.cross_entropy_is_entropy_plus_kl() == {"classes": 10, "seeds": 20, "tolerance": 1e-12}
    q = torch.distributions.Categorical(probs=torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))
    p = torch.distributions.Categorical(logits=torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    cross = functional.cross_entropy(p.logits[None], q.probs[None])
    split = q.entropy() + torch.distributions.kl_divergence(q, p)
    assert cross.item() == pytest.approx(split.item(), rel=1e-12)
    with pytest.raises(AssertionError, match="not positive"):  # a single class: p = q
        losses.cross_entropy_is_entropy_plus_kl(classes=1)
    correct = losses.log_softmax
    # what is normalised to another sum has the wrong loss at p = q
    with monkeypatch.context() as patch:
        patch.setattr(losses, "log_softmax", lambda z: correct(z) - 0.1)
        with pytest.raises(AssertionError, match="the loss at p = q"):
            losses.cross_entropy_is_entropy_plus_kl()
    with monkeypatch.context() as patch:
        patch.setattr(losses, "log_softmax", lambda z: z - z.min())
        with pytest.raises(AssertionError):
            losses.cross_entropy_is_entropy_plus_kl()
    seen = []
    monkeypatch.setattr(losses, "agree", lambda ours, truth, *of: seen.append((ours, truth)))
    losses.cross_entropy_is_entropy_plus_kl(classes=3, seeds=1)
    logits, q = calculus.random_logits(3, 0)
    theirs = functional.cross_entropy(torch.from_numpy(logits)[None], torch.from_numpy(q)[None]).item()
    assert seen[0] == pytest.approx((theirs, theirs))
    assert seen[1] == pytest.approx(
        2 * (torch.distributions.Categorical(torch.from_numpy(q)).entropy().item(),)
    )


@witnesses("losses.kl_gradient")
def test_kl_gradient_equals_autograd_and_the_inverse_form_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert losses.kl_gradient() == {"classes": "2, 5, 50", "seeds": 4, "tolerance": 1e-12}
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, generator=generator, dtype=torch.float64, requires_grad=True)
    reference = torch.softmax(torch.randn(6, generator=generator, dtype=torch.float64), 0)
    policy = torch.distributions.Categorical(logits=logits)
    target = torch.distributions.Categorical(probs=reference)
    torch.distributions.kl_divergence(policy, target).backward()
    ours = losses.kl_gradient_in_logits(logits.detach().numpy(), reference.numpy())
    assert np.allclose(ours, logits.grad.numpy(), atol=1e-14)
    # the popular wrong answer, a difference of inverse probabilities
    monkeypatch.setattr(
        losses, "kl_gradient_in_logits", lambda z, r: 1 / np.exp(losses.log_softmax(z)) - 1 / r
    )
    with pytest.raises(AssertionError, match="closed form"):
        losses.kl_gradient()


@pytest.mark.parametrize(
    "call",
    [
        lambda: losses.cross_entropy((1.0,), 0),
        lambda: losses.cross_entropy((1.0, 2.0), 2),
        lambda: losses.cross_entropy((1.0, 2.0), -1),
        lambda: losses.cross_entropy((math.nan, 2.0), 1),
        lambda: losses.cross_entropy((-math.inf, 2.0), 1),
        lambda: losses.softmax_zero_gap("fp64"),
        lambda: losses.cross_entropy((1.0, 2.0), 0, smoothing=1.01),
        lambda: losses.cross_entropy((1.0, 2.0), 0, smoothing=-0.01),
        lambda: losses.uniform(1),
        lambda: losses.slope(1.0),
        lambda: losses.slope(0.0),
        lambda: losses.slope(0.5, "hinge"),
        lambda: losses.exp_limit("fp7"),
        lambda: losses.softmax_zero_gap("fp7"),
        lambda: losses.double_softmax_floor(1),
        lambda: losses.smoothed_optimum(1, 0.1),
        lambda: losses.smoothed_optimum(10, 0.0),
        lambda: losses.smoothed_optimum(10, 1.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_two_classes_are_enough() -> None:
    assert losses.uniform(2) == pytest.approx(math.log(2))
    assert losses.cross_entropy((0.0, 0.0), 1) == pytest.approx(math.log(2))
    assert losses.smoothed_optimum(2, 0.5)["confidence"] == 0.75
