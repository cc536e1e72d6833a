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
    assert attention.score_mean(128, correlation, "none") == 128 * correlation


@witnesses("attention.saturation", "attention.jacobian_entries", "attention.query_gradient")
@pytest.mark.parametrize(("d_k", "scale"), [(64, "none"), (64, "sqrt"), (512, "none"), (3, "linear")])
def test_saturation_equals_that_of_real_queries_and_keys(d_k: int, scale: str) -> None:
    """Autograd through real q and k, where the verifier draws only norms and scores."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(3)
    divisor = {"none": 1.0, "sqrt": d_k**0.5, "linear": float(d_k)}[scale]
    rows, keys = 1500, 32
    q = torch.randn(rows, d_k, generator=generator, requires_grad=True)
    k = torch.randn(rows, keys, d_k, generator=generator)
    weights = torch.softmax(torch.einsum("rd,rkd->rk", q, k) / divisor, dim=1)
    upstream = torch.randn(rows, keys, generator=generator)
    (gradient,) = torch.autograd.grad((weights * upstream).sum(), q)
    result = attention.saturation(d_k, scale=scale)
    assert result["top"] == pytest.approx(weights.amax(1).mean().item(), abs=0.02)
    jacobians = torch.diag_embed(weights) - weights[:, :, None] * weights[:, None, :]
    diagonals = jacobians.diagonal(dim1=1, dim2=2)
    assert result["trace"] == pytest.approx(diagonals.sum(1).mean().item(), abs=0.02)
    entries = attention.jacobian_entries(d_k, scale=scale)
    assert entries["diagonal"] == pytest.approx(diagonals.mean().item(), rel=0.15)
    off_diagonal = jacobians.abs()[:, ~torch.eye(keys, dtype=bool)].mean().item()
    assert entries["off_diagonal"] == pytest.approx(off_diagonal, rel=0.15)
    norms = gradient.norm(dim=1)
    spread = 4 * norms.std().item() / math.sqrt(rows)
    found = attention.query_gradient(d_k, scale=scale)
    assert found["mean"] == pytest.approx(norms.mean().item(), abs=spread)
    below = (norms < found["median"]).double().mean().item()
    assert below == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", ["saturation", "query_gradient"])
def test_simulations_repeat_themselves_with_twenty_thousand_draws(name: str) -> None:
    simulate = getattr(attention, name)
    assert simulate(8) == simulate(8, 32, "none", 20_000, 0)
    assert attention.jacobian_entries(8) == attention.jacobian_entries(8, 32)
    trace = attention.saturation(8, 3)["trace"]
    assert attention.jacobian_entries(8, 3) == {"diagonal": trace / 3, "off_diagonal": trace / 6}


def test_softmax_equals_that_of_torch_and_never_overflows() -> None:
    torch = pytest.importorskip("torch")
    scores = np.random.default_rng(0).standard_normal((3, 4, 5)) * 500
    expected = torch.softmax(torch.from_numpy(scores), -1).numpy()
    assert np.allclose(attention.softmax(scores), expected, atol=1e-14)


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
def test_autograd_jacobian_shrinks_with_the_largest_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    for sharpness in (1.0, 5.0, 20.0):
        generator = torch.Generator().manual_seed(0)
        scores = sharpness * torch.randn(12, generator=generator, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, 0), scores)
        ours = attention.softmax_jacobian(attention.softmax(scores.numpy()))
        assert np.allclose(ours, jacobian.numpy(), atol=1e-15)
        assert jacobian.abs().max() <= 1 - torch.softmax(scores, 0).max() + 1e-15
    tried = attention.one_hot_kills_every_entry(keys=4, score_std=(2, 3), trials=5)
    assert tried == {"keys": 4, "score_std": "2, 3", "trials": 10}
    spreads, softmax = [], attention.softmax

    def spy(scores: np.ndarray) -> np.ndarray:
        spreads.append(scores.std())
        return softmax(scores)

    monkeypatch.setattr(attention, "softmax", spy)
    attention.one_hot_kills_every_entry()
    assert spreads == pytest.approx([0.1, 1, 8, 32], rel=0.1)
    monkeypatch.setattr(attention, "softmax_jacobian", lambda p: np.full((1, 1), 1 - p.max()))
    attention.one_hot_kills_every_entry(tolerance=0)
    for broken in (np.diag, lambda p: np.full((1, 1), -1.001 * (1 - p.max()))):
        monkeypatch.setattr(attention, "softmax_jacobian", broken)
        with pytest.raises(AssertionError, match="exceeds"):
            attention.one_hot_kills_every_entry()


@witnesses("attention.causal_mask_freezes_earlier_rows")
def test_later_tokens_get_no_gradient_from_earlier_rows_of_a_causal_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
    right = attention.keys_and_values
    attention.causal_mask_freezes_earlier_rows()
    monkeypatch.setattr(attention, "causal", lambda t: np.tri(t, k=1, dtype=bool))
    with pytest.raises(AssertionError, match="later tokens masked"):
        attention.causal_mask_freezes_earlier_rows()
    monkeypatch.undo()

    spreads = []

    def spy(x: np.ndarray, projections: np.ndarray, visible: np.ndarray) -> np.ndarray:
        spreads.append((projections.mean(), projections.std()))
        return right(x, projections, visible)

    monkeypatch.setattr(attention, "keys_and_values", spy)
    attention.causal_mask_freezes_earlier_rows()
    assert np.allclose(spreads, [(0, 0.25)], atol=0.01)

    def moves_by_one_unmasked(x: np.ndarray, projections: np.ndarray, visible: np.ndarray) -> np.ndarray:
        return np.full((1, 2, len(x), 1), float(visible.all() and len(x) == 9))

    monkeypatch.setattr(attention, "keys_and_values", moves_by_one_unmasked)
    attention.causal_mask_freezes_earlier_rows(tolerance=0.9)
    with pytest.raises(AssertionError, match="without a mask, too"):
        attention.causal_mask_freezes_earlier_rows(tolerance=1.0)

    def first_layer_only(x: np.ndarray, projections: np.ndarray, visible: np.ndarray) -> np.ndarray:
        return right(x, projections[:1], visible)

    monkeypatch.setattr(attention, "keys_and_values", first_layer_only)
    with pytest.raises(AssertionError, match="without a mask, too"):
        attention.causal_mask_freezes_earlier_rows()


def test_keys_and_values_of_three_layers_equal_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, projections = rng.standard_normal((5, 4)), rng.standard_normal((3, 3, 4, 4))
    ours = attention.keys_and_values(x, projections, attention.causal(5))
    stream = torch.from_numpy(x)
    for layer, (query, key, value) in enumerate(torch.from_numpy(projections)):
        q, k, v = (stream @ matrix for matrix in (query, key, value))
        assert np.allclose(ours[layer, 0], k.numpy(), atol=1e-12)
        assert np.allclose(ours[layer, 1], v.numpy(), atol=1e-12)
        seen = torch.nn.functional.scaled_dot_product_attention(
            q[None], k[None], v[None], is_causal=True, scale=1.0
        )
        stream = torch.tanh(stream + seen[0])


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
    monkeypatch.setattr(attention, "softmax", lambda scores: np.exp(scores - scores.max()))
    with pytest.raises(AssertionError, match="row sum"):
        attention.saturation_is_not_overflow(widths=(4,))


def test_saturation_at_narrow_heads_is_mild(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = attention.saturation_is_not_overflow(widths=(64, 256), keys=16, most_trace=0.2)
    assert tried == {"d_k": "64, 256", "dtype": "float32", "keys": 16}
    normal = np.random.default_rng(5).standard_normal((3, 1000, 16))
    traces = [float(1 - (attention.softmax(8 * row) ** 2).sum(axis=1).mean()) for row in normal]
    with pytest.raises(AssertionError, match="trace"):
        attention.saturation_is_not_overflow(widths=(64,), keys=16, most_trace=0.85 * min(traces))
    attention.saturation_is_not_overflow(widths=(64,), keys=16, most_trace=1.15 * max(traces))
    monkeypatch.setattr(attention, "softmax", lambda scores: np.eye(16)[:1].repeat(len(scores), axis=0))
    with pytest.raises(AssertionError, match="trace is still 0"):
        attention.saturation_is_not_overflow(keys=16, most_trace=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: attention.score_variance(0),
        lambda: attention.score_variance(64, scale="cube"),
        lambda: attention.score_variance(64, math.inf),
        lambda: attention.score_std(64, math.nan),
        lambda: attention.score_mean(64, correlation=1.5),
        lambda: attention.score_mean(64, correlation=True),
        lambda: attention.score_mean(64, correlation=-1.5),
        lambda: attention.saturation(64, keys=1),
        lambda: attention.saturation(64, draws=0),
        lambda: attention.query_gradient(64, draws=0),
        lambda: attention.jacobian_entries(64, keys=1),
        lambda: attention.query_gradient(1),
        lambda: attention.query_gradient(2, keys=1),
        lambda: attention.largest_weight(0, 1.0),
        lambda: attention.largest_weight(4, -1.0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


def test_smallest_arguments_work() -> None:
    assert attention.score_variance(1) == 1
    assert attention.score_std(9) == 3
    assert attention.score_variance(2, -1) == attention.score_variance(2, 1) == 6
    assert set(attention.saturation(1, keys=2, draws=1)) == {"top", "trace"}
    assert set(attention.query_gradient(2, keys=2, draws=1)) == {"mean", "median"}
    assert attention.largest_weight(1, 0) == 1
