"""The table of token vectors against PyTorch's embedding, tied and not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import token_embeddings


@witnesses("token_embeddings.one_hot_vectors_are_equidistant")
def test_one_hot_vectors_are_all_alike_to_scipy() -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    for vocab in (2, 3, 17):
        rows = token_embeddings.one_hot(vocab)
        assert rows.shape == (vocab, vocab)
        np.testing.assert_allclose(distance.pdist(rows, "cosine"), 1)
        np.testing.assert_allclose(distance.pdist(rows), math.sqrt(2))
    told = token_embeddings.one_hot_vectors_are_equidistant()
    assert told == {"vocabularies": "(2, 3, 50)"}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda vocab: 2 * np.eye(vocab), "orthonormal"),
        (lambda vocab: np.eye(vocab) + 0.1 * np.eye(vocab, k=1), "orthonormal"),
        (lambda vocab: np.where(np.eye(vocab) > 0, np.nan, 0), "orthonormal"),
    ],
)
def test_the_check_notices_other_vectors(monkeypatch: pytest.MonkeyPatch, broken: Any, told: str) -> None:
    monkeypatch.setattr(token_embeddings, "one_hot", broken)
    with pytest.raises(AssertionError, match=told):
        token_embeddings.one_hot_vectors_are_equidistant()


def test_the_check_measures_distances_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(np.ndarray):
        """Rows whose products are those of one-hot vectors, but not their differences."""

        def __matmul__(self, other: Any) -> Any:
            return np.eye(len(self))

    monkeypatch.setattr(token_embeddings, "one_hot", lambda vocab: (3 * np.eye(vocab)).view(Odd))
    with pytest.raises(AssertionError, match="apart"):
        token_embeddings.one_hot_vectors_are_equidistant()


@witnesses("token_embeddings.tying")
def test_parameters_and_flops_of_heads_are_those_that_pytorch_counts() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    table = torch.nn.Embedding(500, 12)
    saved = token_embeddings.tying(500, 12, tokens=7)
    for tied in (False, True):
        head = torch.nn.Linear(12, 500, bias=False)
        if tied:
            head.weight = table.weight
        with FlopCounterMode(display=False) as counter:
            head(torch.ones(7, 12))
        distinct = {id(p): p.numel() for p in (*table.parameters(), *head.parameters())}
        name = "tied" if tied else "untied"
        assert saved[name] == sum(distinct.values())
        assert saved[f"{name}_flops"] == counter.get_total_flops()
    assert token_embeddings.tying(500, 12)["tied_flops"] == 2 * 500 * 12


@witnesses("token_embeddings.shared_mean_cosine")
@pytest.mark.parametrize("ratio", [0.0, 0.1, 1.0, 4.0])
def test_a_common_mean_pushes_cosines_up(ratio: float) -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((60, 3000)) + math.sqrt(ratio)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = (rows @ rows.T)[np.triu_indices(60, 1)]
    assert token_embeddings.shared_mean_cosine(ratio) == pytest.approx(cosines.mean(), abs=0.01)
    with pytest.raises(ValueError):
        token_embeddings.shared_mean_cosine(-0.1)


@witnesses("token_embeddings.tied_initial_loss")
@pytest.mark.parametrize("std", [1.0, 0.3, 0.02])
def test_the_first_loss_of_a_tied_table_in_pytorch(std: float) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    vocab, width = 3000, 256
    table = torch.nn.Embedding(vocab, width)
    torch.nn.init.normal_(table.weight, std=std)
    tokens = torch.randint(0, vocab, (200,))
    logits = (table(tokens) @ table.weight.T).detach()
    targets = (tokens + torch.randint(1, vocab, (200,))) % vocab  # any other token
    loss = torch.nn.functional.cross_entropy(logits, targets)
    others = logits[torch.arange(200), targets]
    told = token_embeddings.tied_initial_loss(vocab, width, std)
    assert told["loss"] == pytest.approx(float(loss), rel=0.06)
    assert told["own_logit"] == pytest.approx(float(logits[torch.arange(200), tokens].mean()), rel=0.06)
    assert told["other_deviation"] == pytest.approx(float(others.std()), rel=0.15)
    assert told["uniform"] == math.log(vocab)


@pytest.mark.parametrize(("vocab", "std"), [(2, 1.0), (3, 0.7), (5, 4.0)])
def test_one_draw_is_pytorchs_cross_entropy(vocab: int, std: float) -> None:
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng([0, vocab])
    square = std**2 * generator.chisquare(4)
    others = std * square**0.5 * generator.standard_normal(vocab - 1)
    logits = torch.tensor([square, *others], dtype=torch.float64)
    told = token_embeddings.tied_initial_loss(vocab, 4, std, seeds=1)
    losses = [torch.nn.functional.cross_entropy(logits, torch.tensor(i)) for i in range(1, vocab)]
    assert told["loss"] == pytest.approx(float(sum(losses)) / len(losses), rel=1e-12)
    assert told["own_logit"] == pytest.approx(square, rel=1e-12)
    assert told["other_deviation"] == pytest.approx(others.std(), rel=1e-12)
    assert told["uniform"] == math.log(vocab)


def test_draws_are_averaged() -> None:
    told = token_embeddings.tied_initial_loss(2, 400, 0.01, seeds=400)
    assert told["own_logit"] == pytest.approx(0.04, rel=0.02)
    assert told["other_deviation"] == 0  # of a single number
    assert told["loss"] == pytest.approx(math.log(2) + 0.02, abs=1e-3)
    assert token_embeddings.tied_initial_loss(9, 4, 1.0) == token_embeddings.tied_initial_loss(9, 4, 1.0, 16)
    assert token_embeddings.tied_initial_loss(2, 1, 1.0, seeds=1)["uniform"] == math.log(2)
    for wrong, name in (((1, 1, 1.0), "vocab"), ((2, 0, 1.0), "d_model"), ((2, 1, 0), "std")):
        with pytest.raises(ValueError, match=name):
            token_embeddings.tied_initial_loss(*wrong)
    with pytest.raises(ValueError, match="seeds"):
        token_embeddings.tied_initial_loss(2, 1, 1.0, 0)
