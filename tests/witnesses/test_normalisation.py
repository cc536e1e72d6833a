"""Witnesses of `verifiers/normalisation.py`: PyTorch's norms, autograd and real stacks."""

from __future__ import annotations

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
    # mean and variance taken for constants: the shallow answer
    monkeypatch.setitem(norms.BACKWARD, "layer", lambda x, g, eps=0.0: g / np.sqrt(x.var() + eps))
    with pytest.raises(AssertionError, match="gradient off"):
        norms.backward_is_exact()


@witnesses("normalisation.gradient_misses_two_directions")
def test_autograd_gradient_misses_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    norms.gradient_misses_two_directions()
    x = double(4, 64).requires_grad_()
    y = functional.layer_norm(x, (64,), eps=0.0)
    y.backward(double(4, 64, seed=3))
    assert x.grad.sum(-1).abs().max() < 1e-13
    assert (x.grad * y).sum(-1).abs().max() < 1e-12
    monkeypatch.setitem(norms.BACKWARD, "layer", norms.rms_norm_backward)
    with pytest.raises(AssertionError, match="mean"):
        norms.gradient_misses_two_directions()


@witnesses("normalisation.jacobian_rank")
@pytest.mark.parametrize("width", [4, 64])
def test_rank_of_autograds_jacobian(width: int) -> None:
    x = double(width)
    for kind, forward in {
        "layer": lambda v: functional.layer_norm(v, (width,), eps=0.0),
        "rms": lambda v: functional.rms_norm(v, (width,), eps=0.0),
    }.items():
        matrix = torch.autograd.functional.jacobian(forward, x)
        rank = int(torch.linalg.matrix_rank(matrix, rtol=1e-10))
        assert norms.jacobian_rank(kind, width) == rank


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
    monkeypatch.setitem(norms.FORWARD, "layer", lambda x, eps=0.0: norms.layer_norm(x, 1e-2))
    with pytest.raises(AssertionError, match="feels the scale"):
        norms.scale_cancels()


@witnesses("normalisation.rms_is_layer_norm_of_centred")
def test_torch_norms_agree_on_centred_input(monkeypatch: pytest.MonkeyPatch) -> None:
    norms.rms_is_layer_norm_of_centred()
    x = double(5, 48)
    rms = functional.rms_norm(x - x.mean(-1, keepdim=True), (48,), eps=0.0)
    assert torch.allclose(rms, functional.layer_norm(x, (48,), eps=0.0), atol=1e-13)
    assert not torch.allclose(functional.rms_norm(x, (48,), eps=0.0), rms, atol=1e-3)
    monkeypatch.setitem(norms.FORWARD, "layer", lambda x: (x - x.mean()) / x.std(ddof=1))
    with pytest.raises(AssertionError, match="differ"):
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
    monkeypatch.setitem(norms.FORWARD, "layer", norms.batch_norm)
    with pytest.raises(AssertionError, match="mixes tokens"):
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


@pytest.mark.parametrize(
    "call",
    [
        lambda: norms.jacobian_rank("batch", 8),
        lambda: norms.jacobian_rank("layer", 2),
        lambda: norms.output_rms(-1.0),
        lambda: norms.output_rms(0.0, eps=0.0),
        lambda: norms.parameters("llama-9", "rms"),
        lambda: norms.parameters("gpt2", "batch"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
