"""Memory of training and of weights, against tensors, PyTorch's optimisers and shards dealt out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import memory

PARAMS = {"llama-2-7b": 6_738_415_616, "mixtral-8x7b": 46_702_792_704, "llama-2-70b": 68_976_648_192}
ACTIVE = {"mixtral-8x7b": 12_879_925_248}
MIXED = {"weights": 2, "gradients": 2, "master": 4, "moments": 8}
FROM = {"moments": 1, "master": 1, "gradients": 2, "weights": 3}


@witnesses("memory.weights")
def test_weights_take_what_tensors_of_their_type_take() -> None:
    torch = pytest.importorskip("torch")
    for name, count in PARAMS.items():
        for dtype, theirs in (("bf16", torch.bfloat16), ("fp32", torch.float32), ("int8", torch.int8)):
            tensor = torch.empty(count, dtype=theirs, device="meta")
            assert memory.weights(name, dtype) == memory.weights(count, dtype) == tensor.nbytes
    assert memory.weights(7e9) == 14 * 10**9
    assert memory.weights(7, "int4") == 4  # half a byte left over
    for wrong in (0, -1, 1.5, math.inf, "llama"):
        with pytest.raises(ValueError):
            memory.weights(wrong)


@witnesses("memory.training")
@pytest.mark.parametrize(
    ("optimizer", "build"),
    [
        ("adamw", lambda torch, p: torch.optim.AdamW(p)),
        ("adam", lambda torch, p: torch.optim.Adam(p)),
        ("sgd", lambda torch, p: torch.optim.SGD(p)),
        ("momentum", lambda torch, p: torch.optim.SGD(p, momentum=0.9)),
        ("rmsprop", lambda torch, p: torch.optim.RMSprop(p)),
        ("adagrad", lambda torch, p: torch.optim.Adagrad(p)),
    ],
)
def test_states_are_those_that_pytorch_allocates(optimizer: str, build: Any) -> None:
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.ones(30, 7))
    weight.square().sum().backward()
    stepping = build(torch, [weight])
    stepping.step()
    states = [s for s in stepping.state[weight].values() if torch.is_tensor(s) and s.numel() > 1]
    told = memory.training(210, optimizer, "fp32", "fp32", None)
    assert told == {
        "weights": weight.nbytes,
        "gradients": weight.grad.nbytes,
        "master": 0,
        "moments": sum(state.nbytes for state in states),
        "total": weight.nbytes + weight.grad.nbytes + sum(state.nbytes for state in states),
    }


def test_mixed_precision_takes_sixteen_bytes_a_parameter() -> None:
    told = memory.training("llama-2-7b")
    assert told == {k: v * PARAMS["llama-2-7b"] for k, v in MIXED.items()} | {
        "total": 16 * PARAMS["llama-2-7b"]
    }
    assert memory.training(100, "lion")["total"] == 1200
    assert memory.training(100, gradients="fp32")["total"] == 1800
    assert memory.training(100, "adamw", "bf16", "bf16", None, "bf16")["total"] == 800
    assert memory.training(100, "adamw", "int4", "fp8", "fp16", "int8")["total"] == 100 * (0.5 + 1 + 2 + 2)
    for wrong in ({"optimizer": "adamax"}, {"dtype": "fp12"}, {"gradients": "x"}, {"moments": "x"}):
        with pytest.raises(ValueError):
            memory.training(100, **wrong)
    with pytest.raises(ValueError):
        memory.training(100, master="fp0")


@witnesses("memory.zero")
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize(("params", "devices"), [(64, 8), (65, 8), (7, 8), (1, 1), (1001, 3)])
def test_shards_dealt_out_one_parameter_at_a_time(params: int, devices: int, stage: int) -> None:
    held = [0] * devices
    for parameter in range(params):
        held[parameter % devices] += 1
    told = memory.zero(params, devices, stage)
    for part, size in MIXED.items():
        assert told[part] == size * (held[0] if stage >= FROM[part] else params)
    assert told["total"] == sum(told[part] for part in MIXED)


def test_sharding_knows_other_types_and_optimizers() -> None:
    told = memory.zero(100, 4, 3, "momentum", "fp32", "fp16", None, "fp32")
    assert told == {"weights": 100, "gradients": 50, "master": 0, "moments": 100, "total": 250}
    assert memory.zero("llama-2-7b", 1, 3) == memory.training("llama-2-7b")
    for stage in (-1, 4, "2", 1.5, 1.0, True):
        with pytest.raises(ValueError, match="stage"):
            memory.zero(100, 4, stage)
        with pytest.raises(ValueError, match="stage"):
            memory.devices_for_training(100, "t4", stage)
    with pytest.raises(ValueError, match="devices"):
        memory.zero(100, 0, 1)


@witnesses("memory.zero_bytes_per_parameter")
def test_bytes_per_parameter_follow_the_papers_formulas() -> None:
    for n in (1, 2, 8, 64, 1000):
        told = [memory.zero_bytes_per_parameter(n, stage) for stage in range(4)]
        assert told == pytest.approx([16, 4 + 12 / n, 2 + 14 / n, 16 / n], rel=1e-12)
        assert memory.zero_bytes_per_parameter(n, 1, "momentum") == pytest.approx(4 + 8 / n, rel=1e-12)


@witnesses("memory.devices", "memory.devices_for_weights")
def test_devices_are_added_until_all_fits() -> None:
    for nbytes in (1, 79.9e9, 80e9, 80e9 + 1, 800e9, 1.2e12):
        for usable in (1.0, 0.9, 0.5):
            count = 1
            while count * 80e9 * usable < nbytes:
                count += 1
            assert memory.devices(nbytes, "a100-80gb", usable) == count
    assert memory.devices(80e9, "a100-80gb") == 1
    assert memory.devices_for_weights("llama-2-70b", "a100-80gb") == 2
    assert memory.devices_for_weights("llama-2-70b", "a100-80gb", "fp32") == 4
    assert memory.devices_for_weights("llama-2-70b", "a100-80gb", usable=0.5) == 4
    for wrong in ((0, 1.0), (-1, 1.0), (1, 0), (1, 1.1), (1, -0.5)):
        with pytest.raises(ValueError):
            memory.devices(wrong[0], "t4", wrong[1])


@pytest.mark.parametrize("hundredths", [41, 57, 70, 90])
@pytest.mark.parametrize("count", [1, 3])
def test_a_share_of_the_memory_is_the_decimal_that_is_written(hundredths: int, count: int) -> None:
    # 80e9 * 0.41 is less than 32.8e9 in floating point
    usable, room = hundredths / 100, count * hundredths * 800_000_000
    assert memory.devices(room, "a100-80gb", usable) == count
    assert memory.devices(room + 1, "a100-80gb", usable) == count + 1
    assert memory.largest_model("a100-80gb", 2, count, usable) == room / 2
    assert memory.devices_for_training(room // 16, "a100-80gb", 3, usable) == count
    assert memory.devices_for_training(room // 16 + 1, "a100-80gb", 3, usable) == count + 1


@witnesses("memory.devices_for_training")
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("usable", [1.0, 0.8])
@pytest.mark.parametrize("params", [1e9, 1.1e9, 4.2e9, 5e9, 7e9, 12e9, 20e9, 100e9])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_devices_are_added_until_a_share_fits(
    params: float, usable: float, stage: int, optimizer: str
) -> None:
    room = 80e9 * usable
    sizes = MIXED if optimizer == "adamw" else MIXED | {"moments": 0}
    for count in range(1, 200):
        shard = -(-int(params) // count)
        if sum(size * (shard if stage >= FROM[part] else params) for part, size in sizes.items()) <= room:
            assert memory.devices_for_training(params, "a100-80gb", stage, usable, optimizer) == count
            return
    with pytest.raises(ValueError, match="too much"):
        memory.devices_for_training(params, "a100-80gb", stage, usable, optimizer)


def test_a_share_may_fill_a_device_to_the_last_byte() -> None:
    # 20·10⁹ bytes of weights and gradients on 80·10⁹, 60·10⁹ left for the sharded 12 bytes each
    assert memory.devices_for_training(5e9, "a100-80gb", 0) == 1
    assert memory.devices_for_training(5e9, "a100-80gb", 1) == 1
    # 133 devices would do if a parameter could be cut: 4·10⁹ bytes hold 285,714,285.7 times 14
    assert memory.devices_for_training(38e9, "a100-80gb", 2) == 134
    assert memory.devices_for_training("llama-2-70b", "a100-80gb") == 14
    with pytest.raises(ValueError, match="too much"):
        memory.devices_for_training(40e9, "a100-80gb", 2)
    with pytest.raises(ValueError, match="too much"):
        memory.devices_for_training(5e9 + 1, "a100-80gb", 0)
    # one parameter a device needs 14 bytes beyond its share of 2: nothing smaller than one can be dealt out
    with pytest.raises(ValueError, match="too much"):
        memory.devices_for_training(40e9 - 1, "a100-80gb", 2)
    assert memory.devices_for_training(40e9 - 7, "a100-80gb", 2) == 40e9 - 7
    for usable in (0, 1.01):
        with pytest.raises(ValueError, match="usable"):
            memory.devices_for_training(1, "t4", 3, usable)


@witnesses("memory.largest_model")
def test_the_largest_model_just_fits() -> None:
    for each in (2, 16, 0.5):
        for devices in (1, 8):
            largest = int(memory.largest_model("h100-sxm", each, devices))
            assert memory.devices(largest * each, "h100-sxm") == devices
            assert memory.devices((largest + 1) * each, "h100-sxm") == devices + 1
    assert memory.largest_model("h100-sxm", 2, usable=0.5) == 20e9
    for wrong in ((0, 1, 1.0), (2, 0, 1.0), (2, 1, 0), (2, 1, 1.5)):
        with pytest.raises(ValueError):
            memory.largest_model("t4", *wrong)


@witnesses("memory.read_time")
def test_reading_takes_bytes_over_bandwidth() -> None:
    # 2 · 6,738,415,616 B at 2,039 GB/s
    assert memory.read_time("llama-2-7b", "a100-80gb") == pytest.approx(13.476831232 / 2039, rel=1e-12)
    assert memory.read_time("llama-2-7b", "a100-80gb", devices=4) == pytest.approx(13.476831232 / 8156)
    assert memory.read_time(8e9, "h200", "int8") == pytest.approx(8 / 4800)
    for name, active in ACTIVE.items():
        told = memory.read_time(name, "h200", only_active=True)
        assert told == pytest.approx(2 * active / 4.8e12, rel=1e-12)
        assert memory.read_time(name, "h200") == pytest.approx(2 * PARAMS[name] / 4.8e12, rel=1e-12)
    with pytest.raises(ValueError, match="devices"):
        memory.read_time(8e9, "h200", devices=0)


@witnesses("memory.decode_bytes")
def test_a_decode_step_reads_weights_and_caches() -> None:
    torch = pytest.importorskip("torch")
    for batch, context, heads in ((1, 4096, 8), (64, 4096, 64), (3, 17, 8)):
        cache = 2 * 80 * torch.empty(batch, heads, context, 128, dtype=torch.bfloat16, device="meta").nbytes
        weights = 2 * (PARAMS["llama-2-70b"] - 32000 * 8192)  # a table of which rows are looked up
        told = memory.decode_bytes("llama-2-70b", batch, context, None if heads == 8 else heads)
        assert told == {
            "weights": weights,
            "cache": cache,
            "total": weights + cache,
            "cache_share": cache / (weights + cache),
        }
    half = memory.decode_bytes("llama-2-70b", 2, 100, dtype="int8")
    assert half["weights"] == PARAMS["llama-2-70b"] - 32000 * 8192
    assert half["cache"] == 2 * 100 * 80 * 2 * 8 * 128
    # one token visits two experts of eight, many visit all
    mixture = "mixtral-8x7b"
    assert memory.decode_bytes(mixture, 1, 1)["weights"] == 2 * (ACTIVE[mixture] - 32000 * 4096)
    assert memory.decode_bytes(mixture, 999, 1)["weights"] == 2 * (PARAMS[mixture] - 32000 * 4096)
    with pytest.raises(ValueError):
        memory.decode_bytes(mixture, 0, 1)
