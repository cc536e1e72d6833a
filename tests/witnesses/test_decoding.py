"""Witnesses of `verifiers/decoding.py`: the processors of transformers, enumeration, rejection sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import decoding

torch = pytest.importorskip("torch")
process = pytest.importorskip("transformers.generation.logits_process")

LOGITS = (2.0, 0.0, -2.0, 0.5, -0.5)


def probabilities(scores: Any) -> Any:
    return torch.softmax(torch.as_tensor(scores, dtype=torch.float64), -1)


@witnesses("decoding.repetition_penalty")
@pytest.mark.parametrize(
    "counts", [(0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (3, 0, 0, 0, 1), (1, 1, 1, 1, 1), (0, 2, 0, 0, 0)]
)
@pytest.mark.parametrize("penalty", [1.0, 1.2, 2.0, 0.8])
def test_repetition_equals_transformers(counts: tuple[int, ...], penalty: float) -> None:
    seen = [token for token, count in enumerate(counts) for _ in range(count)]
    scores = torch.tensor([LOGITS], dtype=torch.float64)
    after = process.RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([seen]), scores.clone())
    mask = torch.tensor(counts) > 0
    ours = decoding.repetition_penalty(LOGITS, counts, penalty)
    assert ours["before"] == pytest.approx(probabilities(scores)[0][mask].sum().item())
    assert ours["after"] == pytest.approx(probabilities(after)[0][mask].sum().item())
    divided = torch.where(mask, scores[0] / penalty, scores[0])
    naive = decoding.repetition_penalty(LOGITS, counts, penalty, sign_aware=False)
    assert naive["after"] == pytest.approx(probabilities(divided)[mask].sum().item())


@witnesses("decoding.additive_penalty")
def test_additive_penalties_count_appearances() -> None:
    counts = (3, 0, 1, 0, 0)
    frequency, presence = 0.5, 0.25
    text = torch.tensor([0, 0, 2, 0])
    scores = torch.tensor(LOGITS, dtype=torch.float64)
    for token in text:
        scores[token] -= frequency
    for token in text.unique():
        scores[token] -= presence
    ours = decoding.additive_penalty(LOGITS, counts, frequency, presence)
    assert ours["before"] == pytest.approx(probabilities(LOGITS)[[0, 2]].sum().item())
    assert ours["after"] == pytest.approx(probabilities(scores)[[0, 2]].sum().item())
    none = decoding.additive_penalty(LOGITS, counts)
    assert none["before"] == none["after"]


SAMPLES = [
    (0.5, 0.2, 0.14, 0.09, 0.07),
    (0.96, 0.02, 0.01, 0.007, 0.003),
    (0.25, 0.25, 0.25, 0.25, 0.0),
    (0.4, 0.3, 0.15, 0.1, 0.05),
    (0.05, 0.7, 0.03, 0.2, 0.02),
]


@witnesses("decoding.typical")
@pytest.mark.parametrize("p", [p for p in SAMPLES if len(set(p)) > 2])  # it keeps all that tie with the last
@pytest.mark.parametrize("mass", [0.05, 0.33, 0.52, 0.92, 0.99])
def test_typical_equals_transformers(p: tuple[float, ...], mass: float) -> None:
    present = torch.tensor([[x for x in p if x]], dtype=torch.float64).log()
    kept = process.TypicalLogitsWarper(mass)(None, present)[0] > -1e9
    ours = decoding.typical(p, mass)
    assert ours["kept"] == int(kept.sum())
    assert ours["top"] == int(kept[present.argmax()])


@witnesses("decoding.typical")
def test_typical_sets_may_miss_the_top_token_and_reach_their_mass() -> None:
    # a top token is atypical where many others share the rest
    many = (0.4, *([0.05] * 12))
    assert decoding.typical(many, 0.5) == {"kept": 10, "top": 0}
    assert decoding.typical(many, 0.6) == {"kept": 12, "top": 0}
    assert decoding.typical(many, 0.61) == {"kept": 13, "top": 1}
    assert decoding.typical((0.25,) * 4, 0.5) == {"kept": 2, "top": 1}  # exactly half is enough
    assert decoding.typical((0.25,) * 4, 1.0)["kept"] == 4


@witnesses("decoding.eta")
@pytest.mark.parametrize("p", SAMPLES)
@pytest.mark.parametrize("epsilon", [0.0003, 0.02, 0.09, 0.5, 0.99])
def test_eta_equals_transformers(p: tuple[float, ...], epsilon: float) -> None:
    present = torch.tensor([[x for x in p if x]], dtype=torch.float64).log()
    kept = process.EtaLogitsWarper(epsilon)(None, present)[0] > -1e9
    ours = decoding.eta(p, epsilon)
    assert ours["kept"] == int(kept.sum())
    entropy = torch.distributions.Categorical(torch.tensor(p, dtype=torch.float64)).entropy().item()
    assert ours["threshold"] == pytest.approx(min(epsilon, epsilon**0.5 * np.exp(-entropy)))


@witnesses("decoding.eta")
def test_a_token_on_the_threshold_stays_and_so_does_the_top_one() -> None:
    assert decoding.eta((0.5, 0.25, 0.25), 0.25) == {"threshold": pytest.approx(0.5 * 2**-1.5), "kept": 3}
    assert decoding.eta((1.0,), 1.0) == {"threshold": 1.0, "kept": 1}
    assert decoding.eta((0.98, 0.01, 0.01), 0.01) == {"threshold": 0.01, "kept": 3}
    assert decoding.eta((0.4, 0.3, 0.3), 0.99)["kept"] == 1  # none reaches 0.33 but the first
    for tokens in range(1, 30):  # each stands exactly on the threshold
        assert decoding.eta((1 / tokens,) * tokens, 1.0)["kept"] == tokens
    assert decoding.eta((0.125, *([0.0625] * 14)), 1.0)["kept"] == 1


@witnesses("decoding.mask_bias")
@pytest.mark.parametrize("first, legal", [((0.5, 0.5), (0.1, 0.9)), ((0.2, 0.3, 0.5), (1.0, 0.0, 0.4))])
def test_masking_against_rejection_sampling(first: tuple[float, ...], legal: tuple[float, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    p, ends = torch.tensor(first), torch.tensor(legal)
    tokens = torch.multinomial(p, 200_000, replacement=True, generator=generator)
    kept = tokens[torch.rand(len(tokens), generator=generator) < ends[tokens]]
    conditioned = torch.bincount(kept, minlength=len(p)) / len(kept)
    masked = torch.softmax(p.log().masked_fill(ends == 0, -torch.inf), 0)
    ours = decoding.mask_bias(first, legal)
    assert ours["legal"] == pytest.approx(len(kept) / len(tokens), abs=0.005)
    assert ours["distance"] == pytest.approx(((masked - conditioned).abs().sum() / 2).item(), abs=0.005)
    assert decoding.mask_bias(first, (1.0,) * len(first)) == {"distance": pytest.approx(0), "legal": 1}


@witnesses("decoding.masking_renormalises")
def test_masked_tensors_are_renormalised(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding.masking_renormalises()
    z = torch.randn(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    legal = torch.arange(9) % 3 == 0
    p = torch.where(legal, torch.softmax(z, 0), 0)
    ours = decoding.masked_softmax(z.numpy(), legal.numpy())
    assert np.allclose(ours, (p / p.sum()).numpy())
    assert np.allclose(ours, torch.softmax(z.masked_fill(~legal, -torch.inf), 0).numpy())
    monkeypatch.setattr(
        decoding, "masked_softmax", lambda z, legal: decoding.softmax(np.where(legal, z, -5.0))
    )
    with pytest.raises(AssertionError, match="odds"):
        decoding.masking_renormalises()


@witnesses("decoding.only_subtraction_ignores_shifts")
def test_shifts_under_each_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding.only_subtraction_ignores_shifts()
    z = torch.tensor([LOGITS], dtype=torch.float64)
    divide = process.RepetitionPenaltyLogitsProcessor(1.2)
    shifted = probabilities(divide(torch.tensor([[0]]), z - 5))
    assert not torch.allclose(shifted, probabilities(divide(torch.tensor([[0]]), z.clone())))
    assert decoding.repetition_penalty(tuple((z - 5)[0].tolist()), (1, 0, 0, 0, 0), 1.2)[
        "after"
    ] == pytest.approx(shifted[0, 0].item())
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "additive", lambda z, counts, *penalties: np.where(counts, z / 1.2, z))
        with pytest.raises(AssertionError, match="True"):
            decoding.only_subtraction_ignores_shifts()
    right = decoding.repetition
    for bent in (True, False):  # one of the two rules subtracts
        monkeypatch.setattr(
            decoding,
            "repetition",
            lambda z, seen, penalty, sign_aware, bent=bent: (
                np.where(seen, z - 1, z) if sign_aware is bent else right(z, seen, penalty, sign_aware)
            ),
        )
        with pytest.raises(AssertionError, match="False"):
            decoding.only_subtraction_ignores_shifts()


@pytest.mark.parametrize(
    "call",
    [
        lambda: decoding.repetition_penalty((1.0, 2.0), (0, 0), 1.2),
        lambda: decoding.repetition_penalty((1.0, 2.0), (1,), 1.2),
        lambda: decoding.repetition_penalty((1.0, 2.0), (1, -1), 1.2),
        lambda: decoding.repetition_penalty((1.0, 2.0), (1, 0), 0.0),
        lambda: decoding.additive_penalty((1.0, 2.0), (0, 0), 1.0),
        lambda: decoding.additive_penalty((1.0, 2.0), (1, 0), np.inf),
        lambda: decoding.additive_penalty((1.0, 2.0), (1, 0), presence=np.nan),
        lambda: decoding.additive_penalty((1.0, np.nan), (1, 0)),
        lambda: decoding.typical((0.5, 0.4), 0.9),
        lambda: decoding.typical((0.5, 0.5), 0.0),
        lambda: decoding.typical((0.5, 0.5), 1.1),
        lambda: decoding.eta((0.5, 0.4), 0.1),
        lambda: decoding.eta((0.5, 0.5), 1.1),
        lambda: decoding.mask_bias((0.5, 0.4), (1.0, 1.0)),
        lambda: decoding.mask_bias((0.5, 0.5), (1.0, 1.1)),
        lambda: decoding.mask_bias((0.5, 0.5), (1.0,)),
        lambda: decoding.mask_bias((0.5, 0.5), (0.0, 0.0)),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|needed|needs"):
        call()
