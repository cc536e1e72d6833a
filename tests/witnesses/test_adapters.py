"""Witnesses of `verifiers/adapters.py`: modules on PyTorch's meta device, and its attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import adapters

torch = pytest.importorskip("torch")

LLAMA_7B, LLAMA_70B = 6_738_415_616, 68_976_648_192
"""Published parameters of Llama 2."""


def empty(*shape: int) -> int:
    return int(torch.empty(*shape, device="meta").numel())


def agrees(ours: dict[str, float], trained: int, base: int) -> bool:
    return ours == {"parameters": trained, "share": trained / base}


@witnesses("adapters.prompt_tuning", "adapters.prefix_tuning", "adapters.ia3")
def test_vectors_equal_tensors() -> None:
    assert agrees(adapters.prompt_tuning("llama-2-7b", 20), empty(20, 4096), LLAMA_7B)
    assert agrees(adapters.prompt_tuning("llama-2-70b", 1), 8192, LLAMA_70B)
    # a prefix is what the cache of so many tokens would be: keys and values of 8 heads of 128
    cache = empty(80, 2, 30, 8, 128)
    assert agrees(adapters.prefix_tuning("llama-2-70b", 30), cache, LLAMA_70B)
    assert agrees(adapters.prefix_tuning("llama-2-7b", 1), empty(32, 2, 32, 128), LLAMA_7B)
    gains = [empty(80, 8 * 128), empty(80, 8 * 128), empty(80, 28672)]
    assert agrees(adapters.ia3("llama-2-70b"), sum(gains), LLAMA_70B)


@witnesses("adapters.bottleneck")
@pytest.mark.parametrize("width, places", [(64, 2), (1, 1), (8, 3)])
def test_bottlenecks_equal_modules(width: int, places: int) -> None:
    one = torch.nn.Sequential(
        torch.nn.Linear(4096, width, device="meta"),
        torch.nn.GELU(),
        torch.nn.Linear(width, 4096, device="meta"),
    )
    trained = 32 * places * sum(p.numel() for p in one.parameters())
    assert agrees(adapters.bottleneck("llama-2-7b", width, places), trained, LLAMA_7B)
    assert adapters.bottleneck("llama-2-7b", width) == adapters.bottleneck("llama-2-7b", width, 2)


OUT_IN = {"q": (8192, 8192), "k": (1024, 8192), "v": (1024, 8192), "o": (8192, 8192)}
OUT_IN |= {"up": (28672, 8192), "gate": (28672, 8192), "down": (8192, 28672)}


@witnesses("adapters.dora", "adapters.vera")
@pytest.mark.parametrize("targets, names", [("qv", "qv"), ("attention", "qkvo"), ("all", tuple(OUT_IN))])
def test_dora_and_vera_equal_parametrised_modules(targets: str, names: Any) -> None:
    magnitudes = factors = gains = 0
    for name in names:
        linear = torch.nn.Linear(*reversed(OUT_IN[name]), bias=False, device="meta")
        # PyTorch's weight norm keeps one magnitude for each output, as DoRA does
        normed = torch.nn.utils.parametrizations.weight_norm(linear)
        magnitudes += 80 * normed.parametrizations.weight.original0.numel()
        a, b = empty(16, OUT_IN[name][1]), empty(OUT_IN[name][0], 16)
        factors += 80 * (a + b)
        gains += 80 * (empty(16) + empty(OUT_IN[name][0]))
    assert agrees(adapters.dora("llama-2-70b", 16, targets), factors + magnitudes, LLAMA_70B)
    assert agrees(adapters.vera("llama-2-70b", 16, targets), gains, LLAMA_70B)
    if targets == "all":
        assert adapters.dora("llama-2-70b", 16) == adapters.dora("llama-2-70b", 16, "all")
        assert adapters.vera("llama-2-70b", 16) == adapters.vera("llama-2-70b", 16, "all")


@witnesses("adapters.fleet")
@pytest.mark.parametrize("dtype, bits", [("fp16", 16), ("fp32", 32), ("nf4", 4)])
def test_fleet_adds_files_up(dtype: str, bits: int) -> None:
    adapter = 80 * sum(16 * sum(shape) for shape in OUT_IN.values())
    full = sum(LLAMA_70B * bits // 8 for _ in range(5))
    files = sum(adapter * bits // 8 for _ in range(5))
    ours = adapters.fleet("llama-2-70b", 5, 16, dtype=dtype)
    assert ours["full"] == full and ours["adapters"] == files
    assert ours["shared"] == LLAMA_70B * bits // 8 + files
    assert ours["ratio"] == pytest.approx(full / (LLAMA_70B * bits // 8 + files))
    one = adapters.fleet("llama-2-70b", 1, 16, "qv", dtype)
    assert one["adapters"] == 80 * 16 * (2 * 8192 + 1024 + 8192) * bits / 8
    assert adapters.fleet("llama-2-70b", 5, 16) == adapters.fleet("llama-2-70b", 5, 16, "all", "fp16")


@witnesses("adapters.prefix_mixes_attention")
def test_a_prefix_mixes_in_pytorchs_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters.prefix_mixes_attention()
    torch.manual_seed(0)
    q, k, v = (torch.randn(4, 8, dtype=torch.float64) for _ in range(3))
    prefix_k, prefix_v = (torch.randn(2, 8, dtype=torch.float64) for _ in range(2))
    attend = torch.nn.functional.scaled_dot_product_attention
    whole = attend(q, torch.cat([prefix_k, k]), torch.cat([prefix_v, v]), scale=1.0)
    share = torch.softmax(q @ torch.cat([prefix_k, k]).T, -1)[:, :2].sum(-1, keepdim=True)
    mixed = share * attend(q, prefix_k, prefix_v, scale=1.0) + (1 - share) * attend(q, k, v, scale=1.0)
    assert torch.allclose(whole, mixed)
    ours, total = adapters.attend(q.numpy(), k.numpy(), v.numpy())
    assert np.allclose(ours, attend(q, k, v, scale=1.0).numpy())
    assert np.allclose(total, (q @ k.T).exp().sum(1, keepdim=True).numpy())
    monkeypatch.setattr(adapters, "attend", lambda q, k, v: (q @ k.T @ v, (q @ k.T).sum(1, keepdims=True)))
    with pytest.raises(AssertionError, match="mix"):  # linear attention that forgot to normalise
        adapters.prefix_mixes_attention()


@witnesses("adapters.gains_merge")
def test_gains_fold_into_a_linear_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters.gains_merge()
    torch.manual_seed(0)
    linear, gains = torch.nn.Linear(8, 12, bias=False), torch.randn(12)
    x = torch.randn(5, 8)
    expected = gains * linear(x)
    linear.weight.data = torch.tensor(adapters.scale_rows(linear.weight.detach().numpy(), gains.numpy()))
    assert torch.allclose(linear(x), expected, atol=1e-6)
    monkeypatch.setattr(adapters, "scale_rows", lambda w, gains: gains.mean() * w)
    with pytest.raises(AssertionError, match="fold"):
        adapters.gains_merge()


def test_a_small_error_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    right = adapters.scale_rows
    monkeypatch.setattr(adapters, "scale_rows", lambda w, gains: right(w, gains) + 1e-6)
    with pytest.raises(AssertionError):
        adapters.gains_merge()


@pytest.mark.parametrize(
    "call",
    [
        lambda: adapters.prompt_tuning("llama-2-7b", 0),
        lambda: adapters.prefix_tuning("llama-2-7b", 0),
        lambda: adapters.prefix_tuning("deepseek-v3", 8),
        lambda: adapters.ia3("mixtral-8x7b"),
        lambda: adapters.bottleneck("llama-2-7b", 0),
        lambda: adapters.bottleneck("llama-2-7b", 8, 0),
        lambda: adapters.dora("llama-2-7b", 0),
        lambda: adapters.vera("llama-2-7b", 0),
        lambda: adapters.vera("llama-2-7b", 8, "mlp"),
        lambda: adapters.fleet("llama-2-7b", 0, 8),
        lambda: adapters.fleet("llama-2-7b", 1, 8, dtype="fp17"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
