"""Independent ways to the numbers of verifiers/sparse_autoencoder.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import sparse_autoencoder
from verifiers.sparse_autoencoder import Autoencoder


@witnesses("sparse_autoencoder.latents", "sparse_autoencoder.parameters", "sparse_autoencoder.training_bytes")
@pytest.mark.parametrize(("width", "expansion"), [(1, 1), (8, 4), (4096, 64)])
def test_sizes_equal_those_of_modules(width: int, expansion: int) -> None:
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        encoder = torch.nn.Linear(width, expansion * width)
        decoder = torch.nn.Linear(expansion * width, width)
    assert sparse_autoencoder.latents(width, expansion) == encoder.out_features
    weights = [*encoder.parameters(), *decoder.parameters()]
    assert sparse_autoencoder.parameters(width, expansion) == sum(w.numel() for w in weights)
    kept = [
        copy for w in weights for copy in (w, torch.empty_like(w), torch.zeros_like(w), torch.zeros_like(w))
    ]
    assert sparse_autoencoder.training_bytes(width, expansion) == sum(t.nbytes for t in kept)
    once = sum(w.nbytes for w in weights)
    assert sparse_autoencoder.training_bytes(width, expansion, "bf16", copies=3) == 3 * once // 2


@witnesses("sparse_autoencoder.summed_penalty")
def test_both_conventions_give_one_loss_up_to_a_factor() -> None:
    rng = np.random.default_rng(0)
    error, active = rng.standard_normal((20, 8)), rng.random((20, 32))
    means = (error**2).mean() + 0.3 * active.mean()
    summed = sparse_autoencoder.summed_penalty(0.3, 8, 32)
    assert ((error**2).sum(axis=1).mean() + summed * active.sum(axis=1).mean()) / 8 == pytest.approx(means)
    beside_mean = sparse_autoencoder.summed_penalty(0.3, 8, 32, summed_error=False)
    assert (error**2).mean() + beside_mean * active.sum(axis=1).mean() == pytest.approx(means)
    assert sparse_autoencoder.summed_penalty(0, 1, 1) == 0


def test_samples_are_sparse_sums_of_unit_directions() -> None:
    rng = np.random.default_rng(4)
    directions = rng.standard_normal((6, 3))
    directions /= np.sqrt((directions**2).sum(axis=1))[:, None]
    on = rng.binomial(1, 0.3, (5, 6))
    strengths = rng.uniform(0.5, 1.5, (5, 6))
    expected = [
        sum(s * d for s, d, o in zip(strengths[n], directions, on[n], strict=True) if o) for n in range(5)
    ]
    found = sparse_autoencoder.superposed(5, 3, 6, 0.3, 4)
    assert np.allclose(found, np.stack([np.broadcast_to(row, 3) for row in expected]), atol=1e-14)


def by_torch(
    torch: Any, model: Autoencoder, x: np.ndarray, penalty: float, steps: int, unit: bool
) -> list[np.ndarray]:
    """Train by autograd and PyTorch's Adam."""
    weights = [torch.tensor(w, requires_grad=True) for w in model]
    optimiser = torch.optim.Adam(weights, lr=0.01)
    inputs = torch.from_numpy(x)
    for _step in range(steps):
        optimiser.zero_grad()
        encoder, encoder_bias, decoder, decoder_bias = weights
        features = torch.relu(inputs @ encoder + encoder_bias)
        error = features @ decoder + decoder_bias - inputs
        loss = (error**2).sum(1).mean() + penalty * features.sum(1).mean()
        loss.backward()
        optimiser.step()
        if unit:
            with torch.no_grad():
                decoder /= decoder.norm(dim=1, keepdim=True)
    return [w.detach().numpy() for w in weights]


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_training_equals_that_of_torch(unit: bool, penalty: float) -> None:
    torch = pytest.importorskip("torch")
    x = sparse_autoencoder.superposed(40, 4, 8, 0.2, 1)
    model = sparse_autoencoder.start(4, 12, -0.1, 1)
    assert np.allclose(np.linalg.norm(model.decoder, axis=1), 1)
    assert np.array_equal(model.encoder, model.decoder.T)
    assert (model.encoder_bias == -0.1).all() and (model.decoder_bias == 0).all()
    assert [w.shape for w in model] == [(4, 12), (12,), (12, 4), (4,)]
    ours = sparse_autoencoder.fit(model, x, penalty, 12, 0.01, unit)
    theirs = by_torch(torch, model, x, penalty, 12, unit)
    for one, other in zip(ours, theirs, strict=True):
        assert np.allclose(one, other, atol=1e-11, rtol=0)


@witnesses("sparse_autoencoder.trained")
@pytest.mark.parametrize(
    ("penalty", "bias", "unit"), [(0.1, 0.0, True), (1.0, -0.5, False), (0.1, -1.5, True)]
)
def test_results_equal_those_of_torch(penalty: float, bias: float, unit: bool) -> None:
    torch = pytest.importorskip("torch")
    x = sparse_autoencoder.superposed(512, 6, 12, 0.05, 3)
    model = sparse_autoencoder.start(6, 10, bias, 3)
    encoder, encoder_bias, decoder, decoder_bias = by_torch(torch, model, x, penalty, 30, unit)
    features = np.clip(x @ encoder + encoder_bias, 0, None)
    error = features @ decoder + decoder_bias - x
    found = sparse_autoencoder.trained(penalty, 6, 10, bias, unit, 30, 3)
    assert found == pytest.approx(
        {
            "unexplained": (error**2).sum() / ((x - x.mean(axis=0)) ** 2).sum(),
            "active": np.count_nonzero(features) / 512,
            "dead": np.mean([not column.any() for column in features.T]),
            "sum": features.sum() / 512,
            "length": np.sqrt((decoder**2).sum(axis=1)).mean(),
        },
        rel=1e-7,
    )


def test_defaults_of_the_training() -> None:
    trained = sparse_autoencoder.trained
    assert trained(0.1, steps=2) == trained(0.1, 16, 64, 0.0, True, 2, 0)
    assert trained(0.1, 4, 8, steps=300) == trained(0.1, 4, 8)
    assert trained(0, 1, 1, steps=1)["length"] == pytest.approx(1)


@witnesses("sparse_autoencoder.rescaling_dodges_the_penalty")
def test_rescaled_modules_of_torch_reconstruct_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    encoder, decoder, x = torch.nn.Linear(4, 9), torch.nn.Linear(9, 4), torch.randn(5, 4)
    before = torch.relu(encoder(x))
    output = decoder(before)
    with torch.no_grad():
        encoder.weight /= 10
        encoder.bias /= 10
        decoder.weight *= 10
    after = torch.relu(encoder(x))
    assert torch.allclose(decoder(after), output, atol=1e-5)
    assert torch.allclose(10 * after.sum(), before.sum())
    tried = sparse_autoencoder.rescaling_dodges_the_penalty(factor=3, width=4, latents=8)
    assert tried == {"factor": 3, "width": 4, "latents": 8, "tolerance": 1e-10}
    right, seen = sparse_autoencoder.rescaled, []

    def spy(model: Autoencoder, factor: float) -> Autoencoder:
        seen.append((model, factor))
        return right(model, factor)

    monkeypatch.setattr(sparse_autoencoder, "rescaled", spy)
    sparse_autoencoder.rescaling_dodges_the_penalty()
    assert seen[0][1] == 10
    assert seen[0][0].encoder.shape == (16, 64)
    broken = {
        "reconstruction": lambda m, f: right(m, f)._replace(decoder=m.decoder),
        "the penalty": lambda m, f: Autoencoder(
            *[np.repeat(w, 2, -1) / 2 for w in m[:2]], m.decoder.repeat(2, 0), m[3]
        ),
    }
    for message, function in broken.items():
        monkeypatch.setattr(sparse_autoencoder, "rescaled", function)
        with pytest.raises(AssertionError, match=message):
            sparse_autoencoder.rescaling_dodges_the_penalty()
    monkeypatch.undo()
    start = sparse_autoencoder.start

    def long_rows(*sizes: float) -> Autoencoder:
        model = start(*sizes)
        return model._replace(decoder=2 * model.decoder)

    monkeypatch.setattr(sparse_autoencoder, "start", long_rows)
    with pytest.raises(AssertionError, match="rows of length one"):
        sparse_autoencoder.rescaling_dodges_the_penalty()


@pytest.mark.parametrize(
    "call",
    [
        lambda: sparse_autoencoder.latents(0, 1),
        lambda: sparse_autoencoder.latents(1, 0),
        lambda: sparse_autoencoder.training_bytes(1, 1, copies=0),
        lambda: sparse_autoencoder.summed_penalty(-0.1, 1, 1),
        lambda: sparse_autoencoder.summed_penalty(0.1, 0, 1),
        lambda: sparse_autoencoder.summed_penalty(0.1, 1, 0),
        lambda: sparse_autoencoder.trained(-0.1),
        lambda: sparse_autoencoder.trained(0.1, width=0),
        lambda: sparse_autoencoder.trained(0.1, latents=0),
        lambda: sparse_autoencoder.trained(0.1, steps=0),
        lambda: sparse_autoencoder.trained(0.1, bias=np.nan, steps=1),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
