"""Witnesses of `verifiers/information.py`: SciPy's entropies, PyTorch's divergences and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import calculus, information, scaling

torch = pytest.importorskip("torch")
stats = pytest.importorskip("scipy.stats")
distance = pytest.importorskip("scipy.spatial.distance")

PAIRS = [
    ((0.9, 0.1), (0.5, 0.5)),
    ((0.2, 0.3, 0.5), (0.6, 0.3, 0.1)),
    ((0.0, 1.0), (0.25, 0.75)),
    ((1.0,), (1.0,)),
]


@witnesses("information.entropy", "information.kl_divergence", "information.cross_entropy")
@pytest.mark.parametrize("p, q", PAIRS)
def test_entropies_equal_scipy(p: tuple[float, ...], q: tuple[float, ...]) -> None:
    assert information.entropy(p) == pytest.approx(stats.entropy(p), abs=1e-15)
    assert information.kl_divergence(p, q) == pytest.approx(stats.entropy(p, q), abs=1e-15)
    log_q = torch.tensor(q, dtype=torch.float64).log()
    theirs = torch.nn.functional.cross_entropy(log_q[None], torch.tensor([p], dtype=torch.float64))
    assert information.cross_entropy(p, q) == pytest.approx(theirs.item(), abs=1e-14)


@witnesses("information.js_divergence", "information.total_variation")
@pytest.mark.parametrize("p, q", [*PAIRS, ((1.0, 0.0), (0.0, 1.0))])
def test_symmetric_divergences_equal_scipy_and_every_event(
    p: tuple[float, ...], q: tuple[float, ...]
) -> None:
    assert information.js_divergence(p, q) == pytest.approx(distance.jensenshannon(p, q) ** 2, abs=1e-14)
    moved = [
        abs(sum(x - y for i, (x, y) in enumerate(zip(p, q, strict=True)) if event >> i & 1))
        for event in range(2 ** len(p))
    ]
    assert information.total_variation(p, q) == pytest.approx(max(moved), abs=1e-15)


@witnesses("information.perplexity", "information.loss", "information.text_perplexity")
def test_perplexity_is_that_of_a_uniform_choice_and_of_drawn_text() -> None:
    logits = torch.zeros(3, 50_257, dtype=torch.float64)
    cost = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 9, 50_256])).item()
    assert information.perplexity(cost) == pytest.approx(50_257, rel=1e-12)
    assert information.loss(50_257) == pytest.approx(cost, rel=1e-12)
    assert information.perplexity(0) == 1 and information.loss(1) == 0
    # the model that drew the text: its perplexity comes near the exponential of its entropy
    shares = np.array([0.7, 0.2, 0.1])
    drawn = np.random.default_rng(0).choice(3, size=20_000, p=shares)
    measured = information.text_perplexity(shares[drawn].tolist())
    assert measured == pytest.approx(math.exp(stats.entropy(shares)), rel=0.02)
    assert information.text_perplexity([0.5, 0.125]) == pytest.approx(stats.gmean([2, 8]))
    assert information.text_perplexity([1.0]) == 1


@witnesses("information.bits")
def test_bits_are_the_length_of_an_ideal_code() -> None:
    # a uniform choice of 256 takes eight bits, whatever a token is
    assert information.bits(math.log(256)) == pytest.approx(8)
    assert information.bits(math.log(256), 4) == pytest.approx(2)
    assert information.bits(math.log(10), 4.8) == pytest.approx(math.log2(10) / 4.8)
    assert information.bits(0) == 0


@witnesses("information.compute_factor")
@pytest.mark.parametrize("fit", ["chinchilla", (0.0, 3.0, 2.0, 0.1, 0.1), (1.0, 300.0, 500.0, 0.4, 0.3)])
def test_the_factor_leads_from_one_perplexity_to_the_other(fit: scaling.Fit) -> None:
    start = 1e20
    before = scaling.optimum(start, fit)["loss"]
    after = 1 + (before - 1) * 0.9 if fit != "chinchilla" else 1.69 + (before - 1.69) * 0.9
    times = information.compute_factor(math.exp(before), math.exp(after), fit)
    assert scaling.optimum(start * times, fit)["loss"] == pytest.approx(after, rel=1e-9)


def test_the_default_law_is_chinchillas() -> None:
    assert information.compute_factor(100, 20) == information.compute_factor(100, 20, "chinchilla")


@witnesses("information.truth_has_least_loss")
def test_a_model_that_beats_the_truth_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert information.truth_has_least_loss(classes=3, seeds=2)["classes"] == 3
    with monkeypatch.context() as patch:
        patch.setattr(information, "entropy", lambda p: 1.001 * stats.entropy(p))
        with pytest.raises(AssertionError, match="loss of the truth"):
            information.truth_has_least_loss(classes=3, seeds=2, steps=())
    with monkeypatch.context() as patch:  # no model is better than another one
        patch.setattr(information, "cross_entropy", lambda p, q: stats.entropy(p))
        patch.setattr(information, "entropy", stats.entropy)
        with pytest.raises(AssertionError, match="beats the entropy"):
            information.truth_has_least_loss(classes=3, seeds=1)
    with monkeypatch.context() as patch:  # the models tried have to differ from the truth
        seen: list[float] = []
        patch.setattr(information, "cross_entropy", lambda p, q: seen.append(max(q)) or 9 + stats.entropy(p))
        information.truth_has_least_loss(classes=3, seeds=1, tolerance=10.0, steps=(1.0,))
        direction, p = calculus.random_logits(3, 0)
        moved = torch.softmax(torch.from_numpy(np.log(p) + direction), 0).max().item()
        assert seen == pytest.approx([max(p), moved])


@witnesses("information.pinsker")
def test_pinskers_bound_is_tight_to_its_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert information.pinsker(classes=3, seeds=5)["seeds"] == 5
    # near the uniform pair the bound is reached, so a constant a little smaller is too small
    p, q = (0.5, 0.5), (0.501, 0.499)
    bound = math.sqrt(stats.entropy(p, q) / 2)
    assert 0.999 * bound < information.total_variation(p, q) <= bound
    for moved, divergence, holds in (
        (1.0, 2.0, True),
        (1.01, 2.0, False),
        (0.5, 0.5, True),
        (0.6, 0.5, False),
    ):
        monkeypatch.setattr(information, "total_variation", lambda p, q, moved=moved: moved)
        monkeypatch.setattr(information, "kl_divergence", lambda p, q, divergence=divergence: divergence)
        if holds:
            information.pinsker(seeds=1)
        else:
            with pytest.raises(AssertionError, match="more than KL"):
                information.pinsker(seeds=1)


def test_pinsker_tries_distributions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr(information, "total_variation", lambda p, q: seen.append(q[0]) or 0.0)
    information.pinsker(classes=3, seeds=1, scales=(1.0, 2.0))
    direction, p = calculus.random_logits(3, 0)
    expected = [torch.softmax(torch.from_numpy(np.log(p) + s * direction), 0)[0].item() for s in (1.0, 2.0)]
    assert seen == pytest.approx(expected)


@witnesses("information.entropy_gradient")
def test_entropy_gradient_equals_autograd_and_a_wrong_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert information.entropy_gradient(classes=(3,), seeds=2)["classes"] == "3"
    logits = torch.tensor([1.0, -0.5, 2.0, 0.1], dtype=torch.float64, requires_grad=True)
    torch.distributions.Categorical(logits=logits).entropy().backward()
    ours = information.entropy_gradient_in_logits(logits.detach().numpy())
    assert ours == pytest.approx(logits.grad.numpy(), abs=1e-14)
    monkeypatch.setattr(information, "entropy_gradient_in_logits", lambda z: -np.exp(calculus.log_softmax(z)))
    with pytest.raises(AssertionError, match="dH/dz"):
        information.entropy_gradient()


@pytest.mark.parametrize(
    "call",
    [
        lambda: information.entropy((0.5, 0.4)),
        lambda: information.entropy((1.5, -0.5)),
        lambda: information.kl_divergence((0.5, 0.5), (0.5, 0.4)),
        lambda: information.kl_divergence((0.5, 0.4), (0.5, 0.5)),
        lambda: information.kl_divergence((0.5, 0.5), (1.0,)),
        lambda: information.kl_divergence((1.0,), (0.5, 0.5)),
        lambda: information.kl_divergence((0.5, 0.5), (1.0, 0.0)),
        lambda: information.perplexity(-0.1),
        lambda: information.loss(0.99),
        lambda: information.loss(True),
        lambda: information.text_perplexity(()),
        lambda: information.text_perplexity((0.0,)),
        lambda: information.text_perplexity((1.1,)),
        lambda: information.bits(-0.1),
        lambda: information.bits(1.0, 0.0),
        lambda: information.compute_factor(100, 5),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
