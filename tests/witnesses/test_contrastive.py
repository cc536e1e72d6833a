"""Witnesses of `verifiers/contrastive.py`: PyTorch's losses, autograd, and real matrices of scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import contrastive

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def torch_loss(kind: str, scores: Any) -> Any:
    labels = torch.arange(len(scores))
    if kind == "siglip":
        matched = torch.eye(len(scores), dtype=scores.dtype)
        each = functional.binary_cross_entropy_with_logits(scores, matched, reduction="sum")
        return each / len(scores)
    rows = functional.cross_entropy(scores, labels)
    return rows if kind == "info-nce" else (rows + functional.cross_entropy(scores.T, labels)) / 2


@witnesses("contrastive.loss")
@pytest.mark.parametrize("kind", ["info-nce", "clip", "siglip"])
@pytest.mark.parametrize("temperature, bias", [(0.07, 0.0), (0.5, -2.0), (0.001, 0.0)])
def test_losses_equal_torch(kind: str, temperature: float, bias: float) -> None:
    generator = torch.Generator().manual_seed(0)
    images, texts = (
        functional.normalize(torch.randn(5, 8, generator=generator, dtype=torch.float64), dim=1)
        for _ in range(2)
    )
    similarities = images @ texts.T
    theirs = torch_loss(kind, similarities / temperature + bias).item()
    ours = contrastive.loss(similarities.tolist(), temperature, kind, bias)
    assert ours == pytest.approx(theirs, rel=1e-10)


def test_clip_at_its_first_temperature_is_the_default() -> None:
    similarities = ((0.9, 0.2), (0.4, 0.6))
    assert contrastive.loss(similarities) == contrastive.loss(similarities, 0.07, "clip", 0.0)
    # a bias shifts all scores: only the sigmoid loss sees it
    assert contrastive.loss(similarities, bias=3.0) == pytest.approx(contrastive.loss(similarities))
    assert contrastive.loss(similarities, kind="siglip", bias=3.0) != contrastive.loss(
        similarities, kind="siglip"
    )


@witnesses("contrastive.loss_at_chance", "contrastive.information_bound")
@pytest.mark.parametrize("batch", [1, 2, 100])
def test_equal_scores_are_at_chance(batch: int) -> None:
    chance = torch_loss("clip", torch.zeros(batch, batch, dtype=torch.float64)).item()
    assert contrastive.loss_at_chance(batch) == pytest.approx(chance, abs=1e-15)
    assert contrastive.information_bound(chance, batch) == pytest.approx(0, abs=1e-15)
    assert contrastive.information_bound(0.0, batch) == pytest.approx(math.log(batch))


def test_the_bound_lies_below_the_information_of_two_bits() -> None:
    # views that share one of 4 symbols: ln 4 of information, and the best critic knows the symbol
    generator = np.random.default_rng(0)
    losses = []
    for _ in range(2000):
        symbols = generator.integers(4, size=16)
        scores = torch.from_numpy(np.where(symbols[:, None] == symbols[None], 0.0, -50.0))
        losses.append(torch_loss("info-nce", scores).item())
    proven = contrastive.information_bound(float(np.mean(losses)), 16)
    assert 0.8 * math.log(4) < proven <= math.log(4)


@witnesses("contrastive.least_loss")
@pytest.mark.parametrize("temperature, least", [(1.0, -1.0), (0.2, 0.0), (0.5, 0.9), (1.0, 1.0)])
def test_the_least_loss_is_that_of_extreme_cosines(temperature: float, least: float) -> None:
    for batch in (2, 50) if least >= 0 else (2,):
        scores = torch.full((batch, batch), least, dtype=torch.float64).fill_diagonal_(1.0) / temperature
        reached = torch_loss("info-nce", scores).item()
        ours = contrastive.least_loss(batch, temperature, least)
        assert ours == pytest.approx(reached, rel=1e-9, abs=1e-14)
    assert contrastive.least_loss(9) == contrastive.least_loss(9, 0.07, -1 / 8)


@pytest.mark.parametrize("batch, temperature", [(2, 1.0), (3, 0.5), (5, 0.2)])
def test_no_vectors_found_by_descent_have_less_than_a_simplex(batch: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(batch)
    views = torch.randn(2, batch, 8, generator=generator, dtype=torch.float64)
    for _ in range(800):
        leaf = views.clone().requires_grad_()
        images, texts = functional.normalize(leaf, dim=-1)
        loss = torch_loss("info-nce", images @ texts.T / temperature)
        (slope,) = torch.autograd.grad(loss, leaf)
        views = functional.normalize(views - slope / slope.norm().clamp(min=1e-3) / 10, dim=-1)
    least = contrastive.least_loss(batch, temperature)
    assert least - 1e-12 <= loss.item() <= least * 1.02


@witnesses("contrastive.negative_share", "contrastive.hardest_share")
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_shares_equal_those_of_autograd(temperature: float) -> None:
    negatives = [0.6, 0.1, 0.1, 0.1]
    row = torch.tensor([0.9, *negatives], dtype=torch.float64, requires_grad=True)
    functional.cross_entropy(row[None] / temperature, torch.tensor([0])).backward()
    shares = (row.grad[1:] / row.grad[1:].sum()).tolist()
    for index, share in enumerate(shares):
        assert contrastive.negative_share(negatives, index, temperature) == pytest.approx(share, rel=1e-12)
    assert contrastive.hardest_share(4, 0.5, temperature) == pytest.approx(shares[0], rel=1e-12)
    if temperature == 0.07:
        assert contrastive.negative_share(negatives) == contrastive.negative_share(negatives, 0, 0.07)
        assert contrastive.hardest_share(4, 0.5) == contrastive.hardest_share(4, 0.5, 0.07)
    assert contrastive.hardest_share(5, 0.0, temperature) == pytest.approx(0.2)
    assert contrastive.hardest_share(1, 0.0, temperature) == 1


@witnesses("contrastive.score_bytes")
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_bytes_equal_those_of_score_matrices(devices: int) -> None:
    local = torch.zeros(64 // devices, 8)
    everyone = torch.zeros(64, 8)
    assert contrastive.score_bytes(64, devices) == (local @ everyone.T).nbytes
    assert contrastive.score_bytes(64, devices, chunked=True) == (local @ local.T).nbytes
    assert contrastive.score_bytes(64, devices, "bf16") == (local.bfloat16() @ everyone.bfloat16().T).nbytes
    assert contrastive.score_bytes(64) == contrastive.score_bytes(64, 1, "fp32", False)


@witnesses("contrastive.gradients_are_exact")
def test_gradients_equal_autograd_and_wrong_ones_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = contrastive.gradients_are_exact(batches=(2, 3), seeds=1)
    assert tried == {"batches": "2, 3", "seeds": 1, "tolerance": 1e-12}
    start = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for kind, (_, gradient) in contrastive.LOSSES.items():
        scores = start.clone().requires_grad_()
        torch_loss(kind, scores).backward()
        assert np.allclose(gradient(start.numpy()), scores.grad.numpy(), atol=1e-15)
    for kind, (function, gradient) in contrastive.LOSSES.items():
        transposed = {kind: (function, lambda scores, g=gradient: g(scores) + g(scores).T)}
        with monkeypatch.context() as patch:
            patch.setattr(contrastive, "LOSSES", contrastive.LOSSES | transposed)
            with pytest.raises(AssertionError, match=f"{kind} is off"):
                contrastive.gradients_are_exact()


@pytest.mark.parametrize(
    "call",
    [
        lambda: contrastive.loss(((1.0, 0.0),)),
        lambda: contrastive.loss((1.0, 0.0)),
        lambda: contrastive.loss((((1.0,),),)),
        lambda: contrastive.loss(((1.0,),), temperature=0.0),
        lambda: contrastive.loss(((1.0,),), kind="triplet"),
        lambda: contrastive.loss_at_chance(0),
        lambda: contrastive.information_bound(-0.1, 4),
        lambda: contrastive.least_loss(1),
        lambda: contrastive.loss(((1.0, math.nan), (0.0, 1.0))),
        lambda: contrastive.loss(((1.0, 0.0), (0.0, 1.0)), bias=math.inf),
        lambda: contrastive.negative_share((0.1, math.inf)),
        lambda: contrastive.least_loss(4, 0.0),
        lambda: contrastive.least_loss(2, 1.0, -1.01),
        lambda: contrastive.least_loss(4, 1.0, -0.34),
        lambda: contrastive.least_loss(4, 1.0, 1.01),
        lambda: contrastive.negative_share((0.1,), 1),
        lambda: contrastive.negative_share((0.1, 0.2), -1),
        lambda: contrastive.negative_share((0.1,), 0, 0.0),
        lambda: contrastive.hardest_share(0, 0.1),
        lambda: contrastive.hardest_share(2, -0.1),
        lambda: contrastive.hardest_share(2, 0.1, 0.0),
        lambda: contrastive.score_bytes(10, 4),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
