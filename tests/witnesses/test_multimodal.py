"""Independent ways to the numbers of verifiers/multimodal.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import masks, multimodal


@witnesses("multimodal.projector")
def test_projector_has_the_parameters_of_its_layers() -> None:
    torch = pytest.importorskip("torch")

    def size(*widths: int) -> int:
        layers = [torch.nn.Linear(a, b, device="meta") for a, b in itertools.pairwise(widths)]
        return sum(p.numel() for layer in layers for p in layer.parameters())

    assert multimodal.projector(24, 40) == size(24, 40)
    assert multimodal.projector(24, 40, hidden=32) == size(24, 32, 40)
    assert multimodal.projector(1, 1, 1) == size(1, 1, 1)
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, -1)):
        with pytest.raises(ValueError):
            multimodal.projector(*wrong)


@witnesses("multimodal.cross_attention")
@pytest.mark.parametrize(
    ("vision", "width", "blocks", "d_ff"), [(24, 40, 3, 0), (64, 32, 1, 48), (1, 1, 1, 0)]
)
def test_cross_attention_has_the_parameters_of_its_blocks(
    vision: int, width: int, blocks: int, d_ff: int
) -> None:
    torch = pytest.importorskip("torch")
    total = 0
    for _ in range(blocks):
        attention = torch.nn.MultiheadAttention(width, 1, bias=False, kdim=vision, vdim=vision, device="meta")
        inner = d_ff or 4 * width
        block = [torch.nn.Linear(width, inner, bias=False), torch.nn.Linear(inner, width, bias=False)]
        # torch keeps one matrix for all three where the widths agree
        total += sum(p.numel() for module in (attention, *block) for p in module.parameters())
        total += sum(torch.zeros(1).numel() for _gate in ("attention", "feed-forward"))
    assert multimodal.cross_attention(vision, width, blocks, d_ff) == total
    for wrong in ((0, 1, 1, 0), (1, 0, 1, 0), (1, 1, 0, 0), (1, 1, 1, -1)):
        with pytest.raises(ValueError):
            multimodal.cross_attention(*wrong)


@witnesses("multimodal.score_entries")
def test_score_entries_are_those_of_real_products() -> None:
    image, text = np.zeros((7, 3)), np.zeros((5, 3))
    both = np.vstack([image, text])
    assert multimodal.score_entries(7, 5) == multimodal.score_entries(7, 5, True) == (both @ both.T).size
    assert multimodal.score_entries(7, 5, joined=False) == (text @ text.T).size + (text @ image.T).size
    assert multimodal.score_entries(1, 1) == 4
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            multimodal.score_entries(*wrong)


@witnesses("multimodal.image_first_never_sees_the_text")
def test_a_model_without_the_mask_lets_the_image_see_the_text() -> None:
    assert multimodal.image_first_never_sees_the_text() == {"image": 6, "text": 4, "layers": 3, "seeds": 4}

    def open_stack(x: np.ndarray, weights: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        for projections in weights:
            x = x + masks.layer(projections, x, np.ones((len(x), len(x)), dtype=bool))
        return x

    with pytest.raises(AssertionError, match="the image saw the text"):
        multimodal.image_first_never_sees_the_text(model=open_stack)
    with pytest.raises(AssertionError, match="the text saw no image"):
        multimodal.image_first_never_sees_the_text(model=lambda x, weights: x)


def test_the_causal_stack_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, weights = rng.standard_normal((5, 4)), rng.standard_normal((2, 3, 4, 4))
    theirs = torch.tensor(x)
    for layer in torch.tensor(weights):
        q, k, v = (theirs @ matrix for matrix in layer)
        theirs = theirs + torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(multimodal.causal_stack(x, weights), theirs, atol=1e-12)


@witnesses("multimodal.untrained_loss")
def test_untrained_loss_with_torch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    torch.manual_seed(0)
    losses = []
    for _ in range(30):
        image, text = (functional.normalize(torch.randn(64, 128), dim=1) for _ in "it")
        scores, labels = image @ text.T / 0.1, torch.arange(64)
        losses.append(
            float(functional.cross_entropy(scores, labels) + functional.cross_entropy(scores.T, labels)) / 2
        )
    found = multimodal.untrained_loss(64, 128, 0.1, batches=30)
    assert found == pytest.approx(np.mean(losses), abs=5 * np.std(losses) * (2 / 30) ** 0.5)
    assert found == pytest.approx(np.log(64) + 1 / (2 * 128 * 0.1**2), abs=0.1)
    assert multimodal.untrained_loss(16, 32) == multimodal.untrained_loss(16, 32, 0.07, 8)
    assert multimodal.untrained_loss(16, 32, batches=1) != multimodal.untrained_loss(16, 32, batches=2)
    assert multimodal.untrained_loss(1, 1, batches=1) == 0
    for wrong in ({"batch": 0}, {"width": 0}, {"batches": 0}, {"temperature": 0}):
        with pytest.raises(ValueError):
            multimodal.untrained_loss(**{"batch": 2, "width": 2} | wrong)


def test_cosines_of_copies_are_near_one() -> None:
    near = multimodal.cosines(5, 400, 0, noise=0.5)
    assert np.diag(near) == pytest.approx(np.full(5, 1 / np.sqrt(1.25)), abs=0.1)
    assert np.abs(near - np.diag(np.diag(near))).max() < 0.25
    assert np.abs(multimodal.cosines(5, 400, 0)).max() < 0.25
    assert np.diag(multimodal.cosines(5, 400, 3, noise=0.0)) == pytest.approx(np.ones(5))


@witnesses("multimodal.learned_temperature")
@pytest.mark.parametrize("logarithmic", [True, False])
@pytest.mark.parametrize(("steps", "rate"), [(1, 0.01), (4, 0.01), (12, 0.003), (40, 0.1)])
def test_learned_temperature_with_torchs_adam(logarithmic: bool, steps: int, rate: float) -> None:
    torch = pytest.importorskip("torch")
    similarities = torch.tensor(multimodal.cosines(16, 64, 0, noise=0.5))
    start = -np.log(0.07) if logarithmic else 0.07
    value = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([value], lr=rate)
    labels = torch.arange(16)
    for _ in range(steps):
        scores = similarities * value.exp() if logarithmic else similarities / value
        loss = torch.nn.functional.cross_entropy(scores, labels) + torch.nn.functional.cross_entropy(
            scores.T, labels
        )
        optimiser.zero_grad()
        (loss / 2).backward()
        optimiser.step()
        if logarithmic:
            value.data.clamp_(max=np.log(100))
        elif value <= 0:
            break
    expected = float(torch.exp(-value.detach())) if logarithmic else float(value.detach())
    assert multimodal.learned_temperature(steps, rate, logarithmic) == pytest.approx(expected, rel=1e-6)


def test_learned_temperature_ends_where_it_must() -> None:
    assert multimodal.learned_temperature(0) == pytest.approx(0.07)
    assert multimodal.learned_temperature(3) == multimodal.learned_temperature(3, 0.01, True, 0.01, 0.07)
    assert 0.01 < multimodal.learned_temperature(400, 0.1) < 0.05
    assert multimodal.learned_temperature(400, 0.1, least=0.05) == pytest.approx(0.05)
    assert multimodal.learned_temperature(400, logarithmic=False) <= 0
    assert multimodal.learned_temperature(0, start=0.5, logarithmic=False) == 0.5
    for wrong in ({"steps": -1}, {"rate": 0}, {"least": 0}, {"start": 0}):
        with pytest.raises(ValueError):
            multimodal.learned_temperature(**{"steps": 1} | wrong)
