"""Shards built as PyTorch layers, and their partial outputs put together in right and wrong ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import models, tensor_parallel


@witnesses("tensor_parallel.traffic")
@pytest.mark.parametrize("devices", [1, 2, 8])
def test_every_block_sums_its_output_twice_a_pass(devices: int) -> None:
    one = 2 * (devices - 1) * 5 * 8192 * 2 / devices  # an all-reduce of five tokens in 16 bits
    assert tensor_parallel.traffic("llama-2-70b", 5, devices) == pytest.approx(80 * 2 * one)
    assert tensor_parallel.traffic("llama-2-70b", 5, devices, training=True) == pytest.approx(80 * 4 * one)
    told = tensor_parallel.traffic("llama-2-70b", 5, devices, dtype="fp32")
    assert told == pytest.approx(80 * 2 * 2 * one)
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            tensor_parallel.traffic("llama-2-70b", *wrong)


@witnesses("tensor_parallel.shard")
@pytest.mark.parametrize(
    ("name", "devices"),
    [
        *(("llama-2-7b", devices) for devices in (1, 4, 32)),
        *(("llama-2-70b", devices) for devices in (1, 8, 16, 64)),
        *(("gpt2", devices) for devices in (3, 4)),
        *(("mixtral-8x7b", devices) for devices in (2, 16)),
        ("gemma-2-2b", 8),
    ],
)
def test_a_device_holds_its_heads_columns_and_rows(name: str, devices: int) -> None:
    m = models.get(name)
    group = m.heads // m.kv_heads
    for device in (0, devices - 1):
        heads = range(device * m.heads // devices, (device + 1) * m.heads // devices)
        shared = {head // group for head in heads}
        attention = (2 * len(heads) + 2 * len(shared)) * m.head_dim * m.d_model
        columns = range(device * m.d_ff // devices, (device + 1) * m.d_ff // devices)
        fed = (3 if m.gated else 2) * len(columns) * m.d_model
        if m.mixture:
            fed = 8 * fed + 8 * m.d_model
        rows = min(m.vocab, 10**9) // devices + (m.vocab % devices > 0)
        tables = rows * m.d_model * (1 if name in ("gpt2", "gemma-2-2b") else 2)
        told = tensor_parallel.shard(name, devices)
        assert all(isinstance(count, int) for count in told.values())
        assert told == {
            "attention": m.layers * attention,
            "feed_forward": m.layers * fed,
            "embedding": tables,
            "total": m.layers * (attention + fed) + tables,
        }


def test_uneven_splits_are_refused() -> None:
    for name, devices in (("gpt2", 5), ("gpt2", 0), ("gpt2", 24), ("qwen2.5-0.5b", 7)):
        with pytest.raises(ValueError):
            tensor_parallel.shard(name, devices)
    with pytest.raises(ValueError, match="latent"):
        tensor_parallel.shard("deepseek-v3", 1)


@pytest.mark.parametrize("name", ["column_then_row_is_exact", "heads_split_is_exact"])
@pytest.mark.parametrize(
    "broken",
    [
        lambda partials: partials[0],
        lambda partials: np.asarray(sum(partials)) / len(partials),
        lambda partials: np.asarray(sum(partials)) + 1e-6,
        # an all-to-all: each device ends with one piece of every partial output
        lambda partials: np.concatenate(
            [np.array_split(partial, len(partials), axis=1)[i] for i, partial in enumerate(partials)], axis=1
        ),
    ],
)
def test_the_checks_notice_any_other_exchange(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Any
) -> None:
    check = getattr(tensor_parallel, name)
    assert check()["tolerance"] == 1e-10
    monkeypatch.setattr(tensor_parallel, "add", broken)
    with pytest.raises(AssertionError, match="off by"):
        check()


@pytest.mark.parametrize(
    ("name", "helper"),
    [("column_then_row_is_exact", "block_partials"), ("heads_split_is_exact", "attention_partials")],
)
def test_the_checks_notice_devices_that_hold_everything(
    monkeypatch: pytest.MonkeyPatch, name: str, helper: str
) -> None:
    right = getattr(tensor_parallel, helper)

    def whole_on_the_first(*call: Any) -> list[Any]:
        parts = right(*call)
        return [sum(parts), *(0 * part for part in parts[1:])]

    monkeypatch.setattr(tensor_parallel, helper, whole_on_the_first)
    with pytest.raises(AssertionError, match="without any exchange"):
        getattr(tensor_parallel, name)()


def test_a_split_may_be_off_by_its_tolerance() -> None:
    zero, one = np.zeros(3), np.ones(3)

    def total(partials: Sequence[Any]) -> Any:
        return sum(partials)

    tensor_parallel.confirm_split(total, [one, one], 2 * one + 0.25, 0.25)
    with pytest.raises(AssertionError, match="off by"):
        tensor_parallel.confirm_split(total, [one, one], 2 * one + 0.25, 0.24)
    tensor_parallel.confirm_split(total, [one], one, 0.0)
    # one entry is enough to be wrong, or to need the exchange
    bent = np.array([0.0, 0.0, 1.0])
    with pytest.raises(AssertionError, match="off by"):
        tensor_parallel.confirm_split(total, [one, one], 2 * one + bent, 0.25)
    tensor_parallel.confirm_split(total, [one - bent, bent], one, 0.25)
    # a device that is off by no more than the root of the tolerance needs no exchange
    with pytest.raises(AssertionError, match="exchange"):
        tensor_parallel.confirm_split(total, [0.5 * one, zero], zero + 0.5, 0.25)
    with pytest.raises(AssertionError, match="exchange"):
        tensor_parallel.confirm_split(total, [one, -0.5 * one], 0.5 * one, 0.25)


@witnesses("tensor_parallel.column_then_row_is_exact")
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_partial_blocks_are_those_of_pytorchs_layers(devices: int) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    up, down = (torch.randn(shape, dtype=torch.float64) for shape in ((6, 8), (8, 6)))
    x = torch.randn(3, 6, dtype=torch.float64)
    parts = tensor_parallel.block_partials(x.numpy(), up.numpy(), down.numpy(), devices)
    whole = torch.nn.functional.relu(x @ up) @ down
    np.testing.assert_allclose(sum(parts), whole, atol=1e-12)
    each = 8 // devices
    for i, part in enumerate(parts):
        own = slice(i * each, (i + 1) * each)
        np.testing.assert_allclose(part, torch.relu(x @ up[:, own]) @ down[own], atol=1e-12)


@witnesses("tensor_parallel.heads_split_is_exact")
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_partial_heads_are_those_of_pytorchs_attention(devices: int) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    w = [torch.randn(6, 8, dtype=torch.float64) for _ in range(3)]
    w.append(torch.randn(8, 6, dtype=torch.float64))
    x = torch.randn(5, 6, dtype=torch.float64)
    q, k, v = ((x @ matrix).view(5, 4, 2).transpose(0, 1) for matrix in w[:3])
    heads = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    parts = tensor_parallel.attention_partials(x.numpy(), [m.numpy() for m in w], 4, devices)
    assert len(parts) == devices
    for i, part in enumerate(parts):
        own = range(i * 4 // devices, (i + 1) * 4 // devices)
        expected = sum(heads[head] @ w[3][2 * head : 2 * head + 2] for head in own)
        np.testing.assert_allclose(part, expected, atol=1e-12)
