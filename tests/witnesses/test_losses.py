"""Witnesses of `verifiers/losses.py`: PyTorch's losses and autograd, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import losses

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
@pytest.mark.parametrize("classes, smoothing", [(10, 0.1), (5, 0.3), (1000, 0.1)])
def test_gradient_descent_settles_at_the_finite_optimum(classes: int, smoothing: float) -> None:
    ours = losses.smoothed_optimum(classes, smoothing)
    logits = torch.zeros(1, classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")
    target = torch.tensor([0])

    def closure() -> object:
        optimiser.zero_grad()
        loss = functional.cross_entropy(logits, target, label_smoothing=smoothing)
        loss.backward()
        return loss

    optimiser.step(closure)
    final = closure().item()
    assert ours["loss"] == pytest.approx(final, rel=1e-7)
    assert ours["gap"] == pytest.approx((logits[0, 0] - logits[0, 1]).item(), rel=1e-4)
    assert ours["confidence"] == pytest.approx(torch.softmax(logits, 1)[0, 0].item(), rel=1e-4)


@witnesses("losses.gradient_is_p_minus_q")
def test_gradient_equals_autograd_and_a_wrong_one_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses.gradient_is_p_minus_q()
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 6])
    functional.cross_entropy(logits, targets, label_smoothing=0.2, reduction="sum").backward()
    q = 0.8 * functional.one_hot(targets, 7) + 0.2 / 7
    assert torch.allclose(logits.grad, torch.softmax(logits, 1) - q, atol=1e-14)
    monkeypatch.setattr(
        losses, "cross_entropy_gradient", lambda z, q: np.exp(losses.log_softmax(z)) * (1 - q)
    )
    with pytest.raises(AssertionError, match="p − q is off"):
        losses.gradient_is_p_minus_q()


@witnesses("losses.stable_form_is_exact")
def test_stable_form_equals_torch_and_the_naive_one_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses.stable_form_is_exact()
    logits = torch.tensor([1000.0, 999.0, -1000.0], dtype=torch.float64)
    assert np.allclose(losses.log_softmax(logits.numpy()), torch.log_softmax(logits, 0).numpy())

    def naive(z: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.log(np.exp(z) / np.exp(z).sum())

    monkeypatch.setattr(losses, "log_softmax", naive)
    with pytest.raises(AssertionError, match="not finite"):
        losses.stable_form_is_exact()


@witnesses("losses.cross_entropy_is_entropy_plus_kl")
def test_split_equals_torch_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    losses.cross_entropy_is_entropy_plus_kl()
    q = torch.distributions.Categorical(probs=torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))
    p = torch.distributions.Categorical(logits=torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    cross = functional.cross_entropy(p.logits[None], q.probs[None])
    split = q.entropy() + torch.distributions.kl_divergence(q, p)
    assert cross.item() == pytest.approx(split.item(), rel=1e-12)
    # a log-softmax that is not normalised makes the divergence negative
    monkeypatch.setattr(losses, "log_softmax", lambda z: z - z.min())
    with pytest.raises(AssertionError):
        losses.cross_entropy_is_entropy_plus_kl()


@witnesses("losses.kl_gradient")
def test_kl_gradient_equals_autograd_and_the_inverse_form_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses.kl_gradient()
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
        lambda: losses.cross_entropy((1.0, 2.0), 0, smoothing=1.5),
        lambda: losses.uniform(1),
        lambda: losses.slope(1.0),
        lambda: losses.slope(0.5, "hinge"),
        lambda: losses.exp_limit("fp7"),
        lambda: losses.softmax_zero_gap("fp7"),
        lambda: losses.double_softmax_floor(0),
        lambda: losses.smoothed_optimum(10, 0.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
