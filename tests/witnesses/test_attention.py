"""Independent ways to the numbers of verifiers/attention.py."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention


@witnesses("attention.score_variance", "attention.score_std")
@pytest.mark.parametrize(("d_k", "mean"), [(1, 0), (3, 0), (4, 0), (3, 1), (4, 2)])
def test_variance_equals_an_enumeration_of_all_vectors(d_k: int, mean: int) -> None:
    """Components mean ± 1 have variance one; every pair of vectors is enumerated exactly."""
    values = (mean - 1, mean + 1)
    scores = [
        sum(a * b for a, b in zip(q, k, strict=True))
        for q in itertools.product(values, repeat=d_k)
        for k in itertools.product(values, repeat=d_k)
    ]
    count = len(scores)
    exact = Fraction(sum(s * s for s in scores), count) - Fraction(sum(scores), count) ** 2
    assert attention.score_variance(d_k, mean) == exact
    assert attention.score_std(d_k, mean) ** 2 == pytest.approx(float(exact))


@witnesses("attention.score_variance")
@pytest.mark.parametrize(("scale", "divisor"), [("none", 1), ("sqrt", 8), ("linear", 64)])
def test_variance_equals_that_of_gaussian_vectors(scale: str, divisor: int) -> None:
    rng = np.random.default_rng(1)
    q, k = rng.standard_normal((2, 100_000, 64))
    simulated = ((q * k).sum(axis=1) / divisor).var()
    assert attention.score_variance(64, scale=scale) == pytest.approx(simulated, rel=0.02)


@witnesses("attention.score_mean")
@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.5, 1.0])
def test_mean_equals_that_of_correlated_vectors(correlation: float) -> None:
    rng = np.random.default_rng(2)
    q, other = rng.standard_normal((2, 20_000, 128))
    k = correlation * q + math.sqrt(1 - correlation**2) * other
    simulated = ((q * k).sum(axis=1) / math.sqrt(128)).mean()
    assert attention.score_mean(128, correlation) == pytest.approx(simulated, abs=0.03)


@witnesses("attention.saturation", "attention.query_gradient")
@pytest.mark.parametrize(("d_k", "scale"), [(64, "none"), (64, "sqrt"), (512, "none"), (64, "linear")])
def test_saturation_equals_that_of_real_queries_and_keys(d_k: int, scale: str) -> None:
    """Autograd through real q and k, where the verifier draws only norms and scores."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(3)
    divisor = {"none": 1.0, "sqrt": d_k**0.5, "linear": float(d_k)}[scale]
    rows = 1500
    q = torch.randn(rows, d_k, generator=generator, requires_grad=True)
    k = torch.randn(rows, 32, d_k, generator=generator)
    weights = torch.softmax(torch.einsum("rd,rkd->rk", q, k) / divisor, dim=1)
    upstream = torch.randn(rows, 32, generator=generator)
    (gradient,) = torch.autograd.grad((weights * upstream).sum(), q)
    result = attention.saturation(d_k, scale=scale)
    assert result["top"] == pytest.approx(weights.amax(1).mean().item(), abs=0.02)
    jacobians = torch.diag_embed(weights) - weights[:, :, None] * weights[:, None, :]
    traces = jacobians.diagonal(dim1=1, dim2=2).sum(1)
    assert result["trace"] == pytest.approx(traces.mean().item(), abs=0.02)
    norms = gradient.norm(dim=1)
    spread = 4 * norms.std().item() / math.sqrt(rows)
    found = attention.query_gradient(d_k, scale=scale)
    assert found["mean"] == pytest.approx(norms.mean().item(), abs=spread)
    below = (norms < found["median"]).double().mean().item()
    assert below == pytest.approx(0.5, abs=0.05)


@witnesses("attention.largest_weight")
@pytest.mark.parametrize("keys", [2, 10, 4096])
@pytest.mark.parametrize("bound", [0.0, 1.0, 8.0])
def test_no_scores_within_the_bound_give_a_larger_weight(keys: int, bound: float) -> None:
    torch = pytest.importorskip("torch")
    limit = attention.largest_weight(keys, bound)
    extreme = torch.full((keys,), -bound, dtype=torch.float64)
    extreme[0] = bound
    assert torch.softmax(extreme, 0).max().item() == pytest.approx(limit, rel=1e-12)
    generator = torch.Generator().manual_seed(0)
    scores = bound * (2 * torch.rand(200, keys, generator=generator, dtype=torch.float64) - 1)
    assert torch.softmax(scores, 1).max().item() <= limit * (1 + 1e-12)


@witnesses("attention.one_hot_kills_every_entry")
def test_autograd_jacobian_shrinks_with_the_largest_weight() -> None:
    torch = pytest.importorskip("torch")
    for sharpness in (1.0, 5.0, 20.0):
        generator = torch.Generator().manual_seed(0)
        scores = sharpness * torch.randn(12, generator=generator, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, 0), scores)
        assert jacobian.abs().max() <= 1 - torch.softmax(scores, 0).max() + 1e-15
    with pytest.raises(AssertionError, match="exceeds"):
        attention.compare_with_bound(np.diag)


@witnesses("attention.causal_mask_freezes_earlier_rows")
def test_later_tokens_get_no_gradient_from_earlier_rows_of_a_causal_encoder() -> None:
    """PyTorch's own encoder layers: what row 3 puts out depends on no later token if masked."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [
        torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).double() for _ in range(2)
    ]

    def reach(mask: object) -> object:
        x = torch.randn(1, 7, 16, dtype=torch.float64, requires_grad=True)
        y = x
        for layer in layers:
            y = layer(y, src_mask=mask)
        (gradient,) = torch.autograd.grad((y[0, 3] ** 3).sum(), x)
        return gradient[0].abs().amax(dim=1)

    causal = reach(torch.nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64))
    assert (causal[:4] > 0).all()
    assert (causal[4:] == 0).all()
    assert (reach(None) > 0).all()
    with pytest.raises(AssertionError, match="a later token"):
        attention.compare_prefix(lambda t: np.tril(np.ones((t, t), dtype=bool), 1))


@witnesses("attention.saturation_is_not_overflow")
def test_float32_softmax_of_torch_is_finite_and_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    scores = (256 * torch.randn(2000, 32, generator=generator)).requires_grad_()
    weights = torch.softmax(scores, dim=1)
    assert torch.isfinite(weights).all()
    (gradient,) = torch.autograd.grad(weights.amax(dim=1).sum(), scores)
    assert gradient.abs().amax(dim=1).median() < 1e-6

    def naive(scores: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            weights = np.exp(scores)
            return weights / weights.sum(axis=-1, keepdims=True)

    monkeypatch.setattr(attention, "softmax", naive)
    with pytest.raises(AssertionError, match="overflow"):
        attention.saturation_is_not_overflow()


@pytest.mark.parametrize(
    "call",
    [
        lambda: attention.score_variance(0),
        lambda: attention.score_variance(64, scale="cube"),
        lambda: attention.score_mean(64, correlation=1.5),
        lambda: attention.saturation(64, keys=1),
        lambda: attention.query_gradient(1),
        lambda: attention.largest_weight(0, 1.0),
        lambda: attention.largest_weight(4, -1.0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
