"""Witnesses of `verifiers/normalisation.py`: PyTorch's norms, autograd and real stacks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import normalisation as norms

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def double(*shape: int, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64) + 0.5


@witnesses("normalisation.backward_is_exact")
def test_backward_equals_autograd_and_a_wrong_one_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norms.backward_is_exact()
    gain, upstream = double(3, 32, seed=1)[0], double(3, 32, seed=2)
    for kind, forward in {
        "layer": lambda x: functional.layer_norm(x, (32,), gain, eps=1e-5),
        "rms": lambda x: functional.rms_norm(x, (32,), gain, eps=1e-5),
    }.items():
        x = double(3, 32).requires_grad_()
        forward(x).backward(upstream)
        ours = norms.BACKWARD[kind](x.detach().numpy(), (upstream * gain).numpy(), 1e-5)
        assert np.allclose(ours, x.grad.numpy(), atol=1e-13), kind
    tried = norms.backward_is_exact(widths=(4, 5), seeds=1, eps=(0.25,))
    assert tried == {"d": "4, 5", "seeds": 1, "eps": "0.25", "tolerance": 1e-11}
    # mean and variance taken for constants: the shallow answer; and epsilon forgotten
    shallow = lambda x, g, eps=0.0: g / np.sqrt(x.var() + eps)  # noqa: E731
    forgets = lambda x, g, eps=0.0: norms.layer_norm_backward(x, g)  # noqa: E731
    for broken in (shallow, forgets):
        monkeypatch.setitem(norms.BACKWARD, "layer", broken)
        with pytest.raises(AssertionError, match="layer norm, d=3: the gradient is off"):
            norms.backward_is_exact()


def test_norms_of_numpy_are_those_of_torch() -> None:
    x = double(3, 32)
    for eps in (0.0, 1e-5, 0.5):
        layer = functional.layer_norm(x, (32,), eps=eps).numpy()
        assert np.allclose(norms.layer_norm(x.numpy(), eps), layer, atol=1e-13)
        assert np.allclose(norms.rms_norm(x.numpy(), eps), functional.rms_norm(x, (32,), eps=eps), atol=1e-13)
    assert np.array_equal(norms.layer_norm(x.numpy()), norms.layer_norm(x.numpy(), 0.0))
    assert np.array_equal(norms.rms_norm(x.numpy()), norms.rms_norm(x.numpy(), 0.0))
    for backward in (norms.layer_norm_backward, norms.rms_norm_backward):
        assert np.array_equal(backward(x.numpy(), x.numpy() ** 2), backward(x.numpy(), x.numpy() ** 2, 0.0))
    assert np.allclose(
        norms.batch_norm(x.numpy()),
        functional.batch_norm(x, None, None, training=True, eps=1e-15),
        atol=1e-12,
    )


def test_problems_have_mean_zero_and_differ() -> None:
    x, g = norms.problem(10_000, 0)
    assert x.shape == g.shape == (10_000,)
    assert abs(x @ g) < 400
    assert (norms.problem(10_000, 1)[0] != x).any()


def test_jacobian_equals_autograds() -> None:
    x = double(5)
    matrix = torch.autograd.functional.jacobian(lambda v: torch.stack([v[0] * v[1], v.prod()]), x)
    ours = norms.jacobian(lambda v: np.stack([v[0] * v[1], v.prod()]), x.numpy())
    assert np.allclose(ours, matrix.numpy(), rtol=1e-13)


@witnesses("normalisation.gradient_misses_two_directions")
def test_autograd_gradient_misses_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    norms.gradient_misses_two_directions()
    x = double(4, 64).requires_grad_()
    y = functional.layer_norm(x, (64,), eps=0.0)
    y.backward(double(4, 64, seed=3))
    assert x.grad.sum(-1).abs().max() < 1e-13
    assert (x.grad * y).sum(-1).abs().max() < 1e-12
    tried = norms.gradient_misses_two_directions(widths=(4, 5), seeds=1)
    assert tried == {"d": "4, 5", "seeds": 1, "tolerance": 1e-12}
    right = norms.layer_norm_backward
    broken = {
        "mean": norms.rms_norm_backward,
        "along x̂": lambda x, g: right(x, g) + 1e-6 * norms.layer_norm(x),
    }
    for message, function in broken.items():
        monkeypatch.setitem(norms.BACKWARD, "layer", function)
        with pytest.raises(AssertionError, match=message):
            norms.gradient_misses_two_directions()
    # an eighth of the size along x̂, or of the mean: what the tolerance is held against
    x, _g = norms.problem(8, 0)
    along = norms.layer_norm(x)
    for direction in (np.ones(8), along):
        monkeypatch.setitem(norms.BACKWARD, "layer", lambda x, g, direction=direction: 5 * direction)
        norms.gradient_misses_two_directions(widths=(8,), seeds=1, tolerance=1.001 / 8**0.5)
        with pytest.raises(AssertionError):
            norms.gradient_misses_two_directions(widths=(8,), seeds=1, tolerance=0.999 / 8**0.5)


@witnesses("normalisation.jacobian_rank")
@pytest.mark.parametrize("width", [3, 4, 64])
def test_rank_of_autograds_jacobian(width: int) -> None:
    x = double(width)
    for kind, forward in {
        "layer": lambda v: functional.layer_norm(v, (width,), eps=0.0),
        "rms": lambda v: functional.rms_norm(v, (width,), eps=0.0),
    }.items():
        matrix = torch.autograd.functional.jacobian(forward, x)
        rank = int(torch.linalg.matrix_rank(matrix, rtol=1e-10))
        assert norms.jacobian_rank(kind, width) == rank
    assert norms.jacobian_rank("rms", 512) == 511


@witnesses("normalisation.scale_cancels")
def test_torch_norms_ignore_scale_too(monkeypatch: pytest.MonkeyPatch) -> None:
    norms.scale_cancels()
    gradients = []
    for a in (1.0, 50.0):
        x = (a * double(64)).requires_grad_()
        y = functional.layer_norm(x, (64,), eps=0.0)
        y.backward(double(64, seed=4))
        gradients.append(a * x.grad)
    assert torch.allclose(*gradients, rtol=1e-10)
    tried = norms.scale_cancels(width=4, scales=(2, 3), seeds=1)
    assert tried == {"d": 4, "seeds": 1, "scales": "2, 3", "tolerance": 1e-9}
    monkeypatch.setitem(norms.FORWARD, "layer", lambda x, eps=0.0: norms.layer_norm(x, 1e-2))
    with pytest.raises(AssertionError, match=r"layer norm at scale 0\.01: the output is off"):
        norms.scale_cancels()
    monkeypatch.undo()
    monkeypatch.setitem(norms.BACKWARD, "rms", lambda x, g, eps=0.0: g)
    with pytest.raises(AssertionError, match=r"rms norm at scale 0\.01: the gradient is off"):
        norms.scale_cancels()


@witnesses("normalisation.rms_is_layer_norm_of_centred")
def test_torch_norms_agree_on_centred_input(monkeypatch: pytest.MonkeyPatch) -> None:
    norms.rms_is_layer_norm_of_centred()
    x = double(5, 48)
    rms = functional.rms_norm(x - x.mean(-1, keepdim=True), (48,), eps=0.0)
    assert torch.allclose(rms, functional.layer_norm(x, (48,), eps=0.0), atol=1e-13)
    assert not torch.allclose(functional.rms_norm(x, (48,), eps=0.0), rms, atol=1e-3)
    tried = norms.rms_is_layer_norm_of_centred(widths=(3, 4), seeds=1)
    assert tried == {"d": "3, 4", "seeds": 1, "tolerance": 1e-12}
    monkeypatch.setitem(norms.FORWARD, "layer", lambda x: (x - x.mean()) / x.std(ddof=1))
    with pytest.raises(AssertionError, match="d=8: the output is off"):
        norms.rms_is_layer_norm_of_centred()


@witnesses("normalisation.tokens_do_not_mix")
def test_torch_layer_norm_is_causal_and_batch_norm_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norms.tokens_do_not_mix()
    x = double(6, 32)
    later = x.clone()
    later[3:] = -later[3:]
    layer, batch = torch.nn.LayerNorm(32).double(), torch.nn.BatchNorm1d(32).double()
    assert torch.equal(layer(x)[:3], layer(later)[:3])
    assert (batch(x)[:3] - batch(later)[:3]).abs().max() > 0.1
    assert norms.tokens_do_not_mix(tokens=3, width=4, seeds=1) == {"tokens": 3, "d": 4, "seeds": 1}
    right = norms.batch_norm
    monkeypatch.setitem(norms.FORWARD, "layer", norms.batch_norm)
    with pytest.raises(AssertionError, match="mixes tokens"):
        norms.tokens_do_not_mix()
    monkeypatch.undo()
    given = []
    monkeypatch.setattr(norms, "batch_norm", lambda x: given.append(x) or right(x))
    norms.tokens_do_not_mix(factor=2, seeds=1)
    assert np.array_equal(given[1][1:], 2 * given[0][1:]) and np.array_equal(given[0][0], given[1][0])
    calls = itertools.count()
    monkeypatch.setattr(norms, "batch_norm", lambda x: np.full((6, 2), float(next(calls))))
    norms.tokens_do_not_mix(least=0.9)
    with pytest.raises(AssertionError, match="should have felt"):
        norms.tokens_do_not_mix(least=1)
    monkeypatch.setattr(norms, "batch_norm", norms.layer_norm)
    with pytest.raises(AssertionError, match="should have felt"):
        norms.tokens_do_not_mix()


@witnesses("normalisation.output_rms")
@pytest.mark.parametrize("variance", [1e-8, 1e-5, 1.0, 0.0])
def test_output_rms_equals_torch(variance: float) -> None:
    x = functional.layer_norm(double(512), (512,), eps=0.0) * math.sqrt(variance) + 3
    y = functional.layer_norm(x, (512,), eps=1e-5)
    rms = (y**2).mean().sqrt().item()
    assert norms.output_rms(variance) == pytest.approx(rms, rel=1e-9, abs=1e-12)


@witnesses("normalisation.parameters")
@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_parameters_of_real_norm_modules(kind: str) -> None:
    build = torch.nn.RMSNorm if kind == "rms" else torch.nn.LayerNorm
    modules = torch.nn.ModuleList([build(4096, device="meta") for _ in range(32 * 2 + 1)])
    count = sum(p.numel() for p in modules.parameters())
    assert norms.parameters("llama-2-7b", kind) == {"norms": 65, "parameters": count}
    assert norms.parameters("llama-2-7b") == norms.parameters("llama-2-7b", "rms")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_parameters_of_norms_in_real_models() -> None:
    """Gemma 2 has four norms a layer, GPT-2 norms with a bias, and latent attention norms of its vectors."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3DecoderLayer

    def counted(model: Any) -> dict[str, int]:
        found = [m for m in model.modules() if "Norm" in type(m).__name__]
        return {"norms": len(found), "parameters": sum(p.numel() for m in found for p in m.parameters())}

    with torch.device("meta"):
        gemma = transformers.Gemma2Config(num_hidden_layers=42, hidden_size=3584, num_attention_heads=16)
        assert norms.parameters("gemma-2-9b") == counted(transformers.Gemma2Model(gemma))
        assert norms.parameters("gpt2") == counted(transformers.GPT2Model(transformers.GPT2Config()))
        config = transformers.DeepseekV3Config()
        layer = counted(DeepseekV3DecoderLayer(config, 0))
    expected = {"norms": 61 * layer["norms"] + 1, "parameters": 61 * layer["parameters"] + config.hidden_size}
    assert norms.parameters("deepseek-v3") == expected
    lite = norms.parameters("deepseek-v2-lite")  # it does not compress queries
    assert lite == {"norms": 27 * 3 + 1, "parameters": 27 * (2 * 2048 + 512) + 2048}


@pytest.mark.parametrize(
    "call",
    [
        lambda: norms.jacobian_rank("batch", 8),
        lambda: norms.jacobian_rank("layer", 2),
        lambda: norms.jacobian_rank("layer", 513),
        lambda: norms.output_rms(-1.0),
        lambda: norms.output_rms(1.0, eps=-0.5),
        lambda: norms.output_rms(math.nan),
        lambda: norms.output_rms(0.0, eps=0.0),
        lambda: norms.parameters("llama-9", "rms"),
        lambda: norms.parameters("gpt2", "batch"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
