"""Witnesses of `verifiers/sampling_filters.py`: the warpers of transformers, tensors, simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import sampling_filters as filters

torch = pytest.importorskip("torch")
process = pytest.importorskip("transformers.generation.logits_process")


def warp(logits: Any, temperature: float, k: int, top_p: float) -> Any:
    """Distribution that generate() of transformers would draw from."""
    chain = [process.TemperatureLogitsWarper(temperature), process.TopKLogitsWarper(k)]
    if top_p < 1:
        chain.append(process.TopPLogitsWarper(top_p))
    scores = torch.as_tensor(logits, dtype=torch.float64)[None]
    for step in chain:
        scores = step(None, scores)
    return torch.softmax(scores, -1)[0]


@witnesses("sampling_filters.left_after")
@pytest.mark.parametrize(
    "temperature, k, top_p", [(1.0, 300, 1.0), (0.3, 300, 0.9), (2.0, 40, 0.5), (1.0, 1, 0.1)]
)
@pytest.mark.parametrize("exponent", [1.0, 2.5])
def test_filters_equal_transformers(exponent: float, temperature: float, k: int, top_p: float) -> None:
    ranks = torch.arange(1, 301, dtype=torch.float64)
    p = warp(-exponent * ranks.log(), temperature, k, top_p)
    ours = filters.left_after(exponent, temperature, top_p, k, 300)
    assert ours["kept"] == int((p > 0).sum())
    assert ours["effective"] == pytest.approx(torch.distributions.Categorical(p).perplexity().item())


@witnesses("sampling_filters.left_after")
def test_a_gpt_2_vocabulary_unfiltered_is_the_default() -> None:
    assert filters.left_after(1.0) == filters.left_after(1.0, 1.0, 1.0, 50257, 50257)
    assert filters.left_after(0.0) == {"kept": 50257, "effective": pytest.approx(50257)}
    assert filters.left_after(1.0, top_k=60_000)["kept"] == 50257
    assert filters.left_after(1.0, vocab=60_000)["kept"] == 50257  # k stays what it was
    assert filters.left_after(0.0, top_p=0.5, vocab=10)["kept"] == 5  # a prefix holds exactly half
    # probabilities that underflow are kept by top-p = 1, yet weigh nothing
    cold = filters.left_after(3.0, 0.01, vocab=100)
    assert cold == {"kept": 100, "effective": 1.0}


@witnesses("sampling_filters.two_draws_differ")
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_two_draws_by_simulation(temperature: float) -> None:
    logits = (2.0, 1.0, 0.5)
    p = torch.softmax(torch.tensor(logits, dtype=torch.float64) / temperature, 0)
    draws = torch.multinomial(p, 40_000, replacement=True, generator=torch.Generator().manual_seed(0))
    differ = (draws[::2] != draws[1::2]).double().mean().item()
    ours = filters.two_draws_differ(logits, temperature)
    assert ours == pytest.approx(differ, abs=0.015)
    assert ours == pytest.approx(1 - sum(x**2 for x in p.tolist()))
    assert filters.two_draws_differ(logits) == filters.two_draws_differ(logits, 1.0)
    assert filters.two_draws_differ((1.0,)) == 0


@witnesses("sampling_filters.kept_by_threshold")
@pytest.mark.parametrize("logits", [(1.0, 1.0, 1.0, 0.0), (3.0, 2.0, 2.0, 2.0), (4.0, 3.0, 2.0, 1.0)])
def test_ties_equal_transformers(logits: tuple[float, ...]) -> None:
    for k in range(1, 5):
        kept = int((warp(logits, 1.0, k, 1.0) > 0).sum())
        assert filters.kept_by_threshold(logits, k) == kept >= k


@witnesses("sampling_filters.kept_exceeding")
def test_reached_is_not_exceeded() -> None:
    for weights in ((4, 2, 1, 1), (2, 2, 2, 2), (1, 7, 0, 0)):
        ordered = np.sort(weights)[::-1]
        for eighths in range(9):
            kept = next((n for n in range(1, 5) if ordered[:n].sum() > eighths), 4)
            assert filters.kept_exceeding([w / 8 for w in weights], eighths / 8) == kept
    assert filters.kept_exceeding((0.5, 0.3, 0.2), 0.8) == 3  # 0.8 as written, not its binary neighbour


@witnesses("sampling_filters.sorting_and_masking_agree")
def test_both_ways_equal_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    filters.sorting_and_masking_agree()
    logits = np.random.default_rng(3).standard_normal(40)
    for temperature, k, top_p in ((0.7, 20, 0.9), (1.3, 40, 0.5), (1.0, 5, 0.999), (1.0, 40, 0.01)):
        theirs = warp(logits, temperature, k, top_p).numpy()
        for ours in (filters.by_sorting, filters.by_masking):
            assert np.allclose(ours(logits, temperature, k, top_p), theirs)
    right = filters.by_masking
    # top-p before top-k is another filter, and so is a temperature applied after them
    wrong = (
        lambda z, t, k, p: right(right_logits(right(z, t, len(z), p)), 1.0, k, 1.0),
        lambda z, t, k, p: right(z, 1, k, p),
    )
    for broken in wrong:
        monkeypatch.setattr(filters, "by_masking", broken)
        with pytest.raises(AssertionError, match="differ"):
            filters.sorting_and_masking_agree()


def right_logits(p: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(p)


@witnesses("sampling_filters.sorting_and_masking_agree")
def test_the_boundary_is_reached_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    quarters = np.zeros(4)  # exact in binary: two of four hold one half
    assert filters.by_sorting(quarters, 1.0, 4, 0.5).tolist() == [0.5, 0.5, 0, 0]
    halves = np.log([0.5, 0.25, 0.125, 0.125])
    for top_p, kept in ((0.5, 1), (0.51, 2), (0.75, 2), (0.76, 4)):
        assert np.count_nonzero(filters.by_masking(halves, 1.0, 4, top_p)) == kept


@pytest.mark.parametrize(
    "call",
    [
        lambda: filters.left_after(1.0, top_k=0),
        lambda: filters.left_after(1.0, top_p=0.0),
        lambda: filters.left_after(1.0, top_p=1.1),
        lambda: filters.left_after(1.0, temperature=0.0),
        lambda: filters.left_after(-1.0),
        lambda: filters.left_after(1.0, vocab=1),
        lambda: filters.two_draws_differ(()),
        lambda: filters.two_draws_differ((1.0,), 0.0),
        lambda: filters.kept_by_threshold((1.0, 2.0), 0),
        lambda: filters.kept_by_threshold((1.0, 2.0), 3),
        lambda: filters.kept_by_threshold((1.0, float("nan")), 1),
        lambda: filters.kept_exceeding((0.5, 0.4), 0.5),
        lambda: filters.kept_exceeding((0.5, 0.5), 1.1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|fewer"):
        call()
