"""Witnesses of `verifiers/speculative_exactness.py`: sampling with PyTorch, its attention, broken variants."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import speculative_exactness as exactness

torch = pytest.importorskip("torch")

PAIRS = [
    ((0.5, 0.3, 0.2), (0.2, 0.5, 0.3)),
    ((0.1, 0.0, 0.6, 0.3), (0.25, 0.25, 0.25, 0.25)),
    ((0.5, 0.5), (0.5, 0.5)),
    ((1.0, 0.0), (0.0, 1.0)),
]


def simulated(p: Any, q: Any, resampling: str) -> tuple[float, Any]:
    """Draft, test and replace 200,000 times: the share accepted and the distribution of what is emitted."""
    generator = torch.Generator().manual_seed(0)
    drafts = torch.multinomial(q, 200_000, replacement=True, generator=generator)
    kept = torch.rand(len(drafts), generator=generator, dtype=torch.float64) < p[drafts] / q[drafts]
    rest = torch.relu(p - q) if resampling == "residual" else p
    emitted = drafts.clone()
    if rest.sum() > 0:
        emitted[~kept] = (
            torch.multinomial(rest, int((~kept).sum()), replacement=True, generator=generator)
            if (~kept).any()
            else emitted[~kept]
        )
    return kept.double().mean().item(), torch.bincount(emitted, minlength=len(p)) / len(drafts)


@witnesses("speculative_exactness.acceptance", "speculative_exactness.output_distance")
@pytest.mark.parametrize("target, draft", PAIRS)
def test_rejection_sampling_by_simulation(target: tuple[float, ...], draft: tuple[float, ...]) -> None:
    p, q = (torch.tensor(x, dtype=torch.float64) for x in (target, draft))
    for resampling in ("residual", "target"):
        accepted, emitted = simulated(p, q, resampling)
        assert exactness.acceptance(target, draft) == pytest.approx(accepted, abs=0.005)
        distance = ((emitted - p).abs().sum() / 2).item()
        ours = exactness.output_distance(target, draft, resampling)
        assert ours == pytest.approx(distance, abs=0.005)
    assert exactness.output_distance(target, draft) == 0
    # acceptance is what total variation leaves
    assert exactness.acceptance(target, draft) == pytest.approx(1 - (p - q).abs().sum().item() / 2)


@witnesses("speculative_exactness.output_distance")
def test_distances_by_hand() -> None:
    # rejected half of the time, then drawn from p again: 0.2 + 0.5·0.7 instead of 0.7
    assert exactness.output_distance((0.7, 0.3), (0.2, 0.8), "target") == pytest.approx(0.7 - 0.55)


@witnesses("speculative_exactness.is_lossless")
def test_a_lossy_decoder_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    exactness.is_lossless()
    # two drafts, then at most three tokens: the exact law of a pass by independent means
    target, draft = exactness.random_model(2, 5, 0), exactness.random_model(2, 5, 1)
    found = exactness.one_pass(target, draft, (), 1)
    assert sum(found.values()) == 1
    p, q = target(()), draft(())
    for token in (0, 1):
        kept = q[token] * min(Fraction(1), p[token] / q[token]) if q[token] else Fraction(0)
        for bonus in (0, 1):
            assert found.get((token, bonus), 0) == kept * target((token,))[bonus]
    for name, broken in (
        ("residual", lambda p, q: p),
        ("accept", lambda p, q: q),
        ("residual", lambda p, q: q),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(exactness, name, broken)
            with pytest.raises(AssertionError, match="comes with"):
                exactness.is_lossless()
    right = exactness.one_pass
    with monkeypatch.context() as patch:  # a bonus token from the draft model
        patch.setattr(
            exactness,
            "one_pass",
            lambda target, draft, prefix, drafts: right(target if drafts else draft, draft, prefix, drafts),
        )
        with pytest.raises(AssertionError, match="comes with"):
            exactness.is_lossless()


@witnesses("speculative_exactness.is_lossless")
def test_made_up_models() -> None:
    seen = set()
    for seed in range(4):
        model = exactness.random_model(3, seed, 0)
        for prefix in ((), (0,), (1,), (0, 0), (0, 1), (1, 0)):
            weights = np.random.default_rng([seed, 0, len(prefix), *prefix]).integers(0, 4, 3)
            weights[len(prefix) % 3] += 1
            assert model(prefix) == tuple(Fraction(int(w), int(weights.sum())) for w in weights)
            seen.add(model(prefix))
    assert len(seen) > 12 and any(0 in p for p in seen)


@witnesses("speculative_exactness.is_lossless")
def test_texts_are_cut_to_the_length_asked_for() -> None:
    target, draft = exactness.random_model(2, 9, 0), exactness.random_model(2, 9, 1)
    for drafts in (1, 3):
        found = exactness.decode(target, draft, drafts, 2)
        assert {len(text) for text in found} == {2} and sum(found.values()) == 1


@witnesses("speculative_exactness.one_pass_scores_all_drafts")
def test_causal_attention_equals_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    exactness.one_pass_scores_all_drafts()
    tokens, vocab, width = (3, 0, 2, 2, 1), 5, 4
    normal = np.random.default_rng(8).standard_normal
    embedding, w_in, w_out = (torch.tensor(normal(s)) for s in ((vocab, width), (width, 16), (16, width)))
    x = embedding[list(tokens)]
    q, k, v = (x @ torch.tensor(normal((width, width))) / width for _ in range(3))
    x = x + torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)
    expected = (x + torch.tanh(x @ w_in / width) @ w_out / width) @ embedding.T
    assert np.allclose(exactness.causal_logits(tokens, 8, vocab, width), expected.numpy())
    right = exactness.causal_logits
    monkeypatch.setattr(exactness, "causal_logits", lambda tokens, *rest: right(tokens[::-1], *rest)[::-1])
    with pytest.raises(AssertionError, match="differs"):  # attention to the future
        exactness.one_pass_scores_all_drafts()


@witnesses("speculative_exactness.one_pass_scores_all_drafts")
def test_only_the_last_position_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    right = exactness.causal_logits
    for place in (4, 7, 8):  # the last of the prompt, the last but one draft, the last

        def bent(tokens: Any, *rest: Any, place: int = place) -> Any:
            logits = right(tokens, *rest)
            if len(tokens) == 9:
                logits[place] += 1
            return logits

        monkeypatch.setattr(exactness, "causal_logits", bent)
        if place == 8:  # nothing to compare it with but itself
            exactness.one_pass_scores_all_drafts()
        else:
            with pytest.raises(AssertionError, match=f"position {place + 1} differs"):
                exactness.one_pass_scores_all_drafts()


@pytest.mark.parametrize(
    "call",
    [
        lambda: exactness.acceptance((0.5, 0.5), (1.0,)),
        lambda: exactness.acceptance((0.5, 0.4), (0.5, 0.5)),
        lambda: exactness.acceptance((1.5, -0.5), (0.5, 0.5)),
        lambda: exactness.acceptance((0.5, 0.5), (0.5, 0.4)),
        lambda: exactness.acceptance((0.3333333333, 0.6666666666), (0.5, 0.5)),
        lambda: exactness.output_distance((0.5, 0.5), (0.5, 0.5), "draft"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|unknown|need|cannot"):
        call()
