"""Witnesses of `verifiers/sampling.py`: masks of real tensors, simulation, autograd."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import sampling

torch = pytest.importorskip("torch")


def mask_of(probabilities: Any, rule: str, threshold: float) -> Any:
    """Which entries survive, by the usual tensor code: sort, cumulate, scatter back."""
    if rule == "min-p":
        return probabilities >= threshold * probabilities.max()
    values, order = torch.sort(probabilities, descending=True, stable=True)
    if rule == "top-k":
        keep = torch.arange(len(values)) < threshold
    else:  # a token stays while the mass before it falls short of p
        keep = values.cumsum(0) - values < threshold - 1e-12
    return torch.zeros_like(keep).scatter(0, order, keep)


@witnesses("sampling.kept")
@pytest.mark.parametrize(
    "rule, threshold",
    [("top-k", 2), ("top-p", 0.9), ("top-p", 0.5), ("top-p", 1.0), ("min-p", 0.2), ("min-p", 1.0)],
)
def test_kept_equals_the_mask_of_a_tensor(rule: str, threshold: float) -> None:
    for probabilities in (
        (0.5, 0.4, 0.1),
        (0.1, 0.2, 0.5, 0.2),
        (0.25, 0.25, 0.25, 0.25),
        (0.97, 0.01, 0.01, 0.01),
    ):
        tensor = torch.tensor(probabilities, dtype=torch.float64)
        expected = int(mask_of(tensor, rule, threshold).sum())
        assert sampling.kept(probabilities, rule, threshold) == expected, probabilities


def zipf_tensor(exponent: float, vocab: int, temperature: float) -> Any:
    ranks = torch.arange(1, vocab + 1, dtype=torch.float64)
    logits = torch.log(ranks**-exponent)
    return torch.softmax(logits / temperature, 0)


@witnesses("sampling.zipf_kept", "sampling.zipf_mass")
@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_zipf_equals_tensors(exponent: float, temperature: float) -> None:
    p = zipf_tensor(exponent, 5000, temperature)
    for rule, threshold in (("top-k", 40), ("top-p", 0.9), ("min-p", 0.105)):
        expected = int(mask_of(p, rule, threshold).sum())
        ours = sampling.zipf_kept(exponent, rule, threshold, temperature, vocab=5000)
        assert ours == expected
    # min-p by pencil: rank^(-s/T) >= 1/10, where rank 10 may stand exactly on the threshold
    by_hand = math.floor(10 ** (temperature / exponent) + 1e-9)
    ours = sampling.zipf_kept(exponent, "min-p", 0.1, temperature, vocab=50_257)
    assert ours == min(by_hand, 50_257)
    mass = sampling.zipf_mass(exponent, 50, temperature, vocab=5000)
    assert mass == pytest.approx(p[:50].sum().item(), rel=1e-10)
    assert sampling.zipf_mass(exponent, 5000, temperature, vocab=5000) == pytest.approx(1)


@witnesses("sampling.zipf_kept", "sampling.zipf_mass", "sampling.effective_tokens", "sampling.kept")
def test_a_gpt_2_vocabulary_at_temperature_one_is_the_default() -> None:
    assert sampling.zipf_kept(1.0, "top-k", 10**9) == 50257
    assert sampling.zipf_kept(1.0, "min-p", 0.01) == 100
    harmonic = math.fsum(1 / rank for rank in range(1, 50258))
    assert sampling.zipf_mass(1.0, 2) == pytest.approx(1.5 / harmonic, rel=1e-12)
    assert sampling.zipf_kept(0.0, "min-p", 1.0, vocab=2) == 2  # flat, the smallest vocabulary
    assert sampling.effective_tokens((0.0, math.log(3))) == pytest.approx(4 / 3**0.75)
    assert sampling.effective_tokens((0.0, -5000.0)) == 1  # its tail underflows
    with pytest.raises(ValueError, match="logits must be"):
        sampling.effective_tokens(())
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="largest logit"):
            sampling.effective_tokens((wrong, 1.0))
    assert sampling.effective_tokens((0.0, -math.inf)) == 1  # a masked token
    # a mass of one is the whole vocabulary, however light its tail
    assert sampling.zipf_kept(5.0, "top-p", 1.0) == 50257
    assert list(sampling.softmax(np.array([0.0, math.log(3)]))) == pytest.approx([0.25, 0.75])
    assert list(sampling.zipf(1.0, 2)) == pytest.approx([2 / 3, 1 / 3])


@witnesses("sampling.effective_tokens")
@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_effective_tokens_equal_torch_perplexity(temperature: float) -> None:
    logits = torch.tensor([3.0, 1.0, 0.5, -2.0], dtype=torch.float64)
    theirs = torch.distributions.Categorical(logits=logits / temperature).perplexity().item()
    ours = sampling.effective_tokens(tuple(logits.tolist()), temperature)
    assert ours == pytest.approx(theirs, rel=1e-10)


@witnesses("sampling.tail_risk")
def test_tail_risk_equals_a_simulation() -> None:
    generator = np.random.default_rng(0)
    for mass, tokens in ((0.01, 200), (0.1, 5), (0.0, 100)):
        hit = (generator.random((20_000, tokens)) < mass).any(axis=1).mean()
        assert sampling.tail_risk(mass, tokens) == pytest.approx(hit, abs=0.012)
    assert sampling.tail_risk(1e-18, 10) == pytest.approx(1e-17, rel=1e-12)
    assert sampling.tail_risk(1.0, 0) == 0
    assert (sampling.tail_risk(0.5, 0), sampling.tail_risk(1.0, 1), sampling.tail_risk(0.5, 3)) == (
        0,
        1,
        0.875,
    )


@witnesses("sampling.entropy_rises_with_temperature")
def test_entropy_slope_equals_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling.entropy_rises_with_temperature()
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, generator=generator, dtype=torch.float64)
    for temperature in (0.3, 1.0, 3.0):
        t = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
        torch.distributions.Categorical(logits=logits / t).entropy().backward()
        ours = sampling.entropy_slope(logits.numpy(), temperature)
        assert ours == pytest.approx(t.grad.item(), rel=1e-10)
    right = sampling.entropy_slope
    monkeypatch.setattr(sampling, "entropy_slope", lambda z, t: right(z, t) * t)  # T² for T³
    with pytest.raises(AssertionError, match="slope off"):
        sampling.entropy_rises_with_temperature()
    monkeypatch.undo()
    with pytest.raises(AssertionError, match="falls"):  # equal logits: nothing rises
        sampling.entropy_rises_with_temperature(spread=0.0)


@witnesses("sampling.cold_limit_is_argmax")
def test_cold_samples_are_the_argmax(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling.cold_limit_is_argmax()
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, generator=generator, dtype=torch.float64)
    cold = torch.softmax(logits / 1e-3, 0)
    draws = torch.multinomial(cold, 1000, replacement=True, generator=generator)
    assert (draws == logits.argmax()).all()
    assert torch.softmax(logits / 0.0, 0).isnan().any()  # zero itself is a case of its own
    right = sampling.softmax
    monkeypatch.setattr(sampling, "softmax", lambda z, t=1.0: right(z * t, 1.0))  # multiplied
    with pytest.raises(AssertionError, match="slower"):
        sampling.cold_limit_is_argmax()
    monkeypatch.setattr(sampling, "softmax", lambda z, t=1.0: right(z, t))
    sampling.cold_limit_is_argmax(tokens=2)

    def twice_the_tail(z: Any, t: float = 1.0) -> Any:
        return np.where(z < z.max(), 2 * np.exp((z - z.max()) / t), 1)

    monkeypatch.setattr(sampling, "softmax", twice_the_tail)
    with pytest.raises(AssertionError, match="slower"):
        sampling.cold_limit_is_argmax(tokens=2)
    monkeypatch.setattr(sampling, "softmax", lambda z, t=1.0: np.arange(len(z)) == z.argmax())
    with pytest.raises(AssertionError, match="share"):
        sampling.cold_limit_is_argmax()


@witnesses("sampling.nucleus_is_smallest_set")
def test_a_nucleus_that_must_exceed_p_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling.nucleus_is_smallest_set()
    p = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)  # exact in binary
    assert mask_of(p, "top-p", 0.75).tolist() == [True, True, False, False]

    def exceeding(ordered: Any, rule: str, threshold: Any) -> int:
        masses = np.cumsum(np.array(ordered, dtype=object))
        return min(int((masses <= threshold).sum()) + 1, len(ordered))

    monkeypatch.setattr(sampling, "count_kept", exceeding)
    with pytest.raises(AssertionError, match="smallest"):
        sampling.nucleus_is_smallest_set()
    monkeypatch.setattr(sampling, "count_kept", lambda p, rule, mass: exceeding(p, rule, mass) - 1)
    with pytest.raises(AssertionError, match="reached"):
        sampling.nucleus_is_smallest_set()


@witnesses("sampling.min_p_is_a_logit_gap")
def test_min_p_mask_equals_the_gap_on_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling.min_p_is_a_logit_gap()
    logits = 3 * torch.randn(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for temperature in (0.5, 2.0):
        mask = mask_of(torch.softmax(logits / temperature, 0), "min-p", 0.07)
        gap = temperature * -math.log(0.07)
        assert torch.equal(mask, logits >= logits.max() - gap)
    sampling.min_p_is_a_logit_gap(fractions=(1.0,))  # the gap is zero and the top token stays
    # an absolute threshold on p is another rule
    monkeypatch.setattr(sampling, "count_kept", lambda p, rule, m: sum(x >= m for x in p))
    with pytest.raises(AssertionError, match="gap"):
        sampling.min_p_is_a_logit_gap()


@witnesses("sampling.top_k_ignores_temperature")
def test_top_k_of_tensors_does_not_move(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling.top_k_ignores_temperature()
    logits = torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sets = [set(torch.softmax(logits / t, 0).topk(50).indices.tolist()) for t in (0.3, 1.0, 4.0)]
    assert sets[0] == sets[1] == sets[2]
    right = sampling.softmax
    monkeypatch.setattr(sampling, "softmax", lambda z, t=1.0: right(abs(z), t))
    with pytest.raises(AssertionError, match="reordered"):
        sampling.top_k_ignores_temperature()


@pytest.mark.parametrize(
    "call",
    [
        lambda: sampling.kept((0.5, 0.4), "top-p", 0.9),
        lambda: sampling.kept((), "top-p", 0.9),
        lambda: sampling.kept((0.5, 0.5), "top-q", 0.9),
        lambda: sampling.kept((0.5, 0.5), "top-k", 1.5),
        lambda: sampling.kept((0.5, 0.5), "top-p", 1.5),
        lambda: sampling.zipf_kept(1.0, "min-p", 0.0),
        lambda: sampling.zipf_kept(1.0, "min-p", 0.1, temperature=0.0),
        lambda: sampling.zipf_kept(-1.0, "min-p", 0.1),
        lambda: sampling.zipf_mass(1.0, 0),
        lambda: sampling.zipf_mass(1.0, 11, vocab=10),
        lambda: sampling.zipf_mass(1.0, 1, vocab=1),
        lambda: sampling.effective_tokens(()),
        lambda: sampling.tail_risk(1.1, 3),
        lambda: sampling.tail_risk(0.1, -1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
