"""The CUDA branches without a GPU: a stand-in that computes on the CPU, but allows and forbids what CUDA does.

It shows a typo, a missing attribute, a host that waits inside a timed interval or a captured graph. It cannot
show a tensor on the wrong device, or what a kernel of CUDA's own refuses.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

importlib.import_module("torch._dynamo")  # which looks at what is patched below
from torch.overrides import TorchFunctionMode  # noqa: E402

from tests.kernels.sizes import SMALL, function_of  # noqa: E402
from verifiers.kernels import attention, ceilings, decode, fusion, launch, serving, timing  # noqa: E402

if torch.cuda.is_available():
    pytest.skip("there is a GPU: the other tests use it", allow_module_level=True)

WAITS = {
    torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.__bool__,
    torch.Tensor.__float__, torch.Tensor.__int__, torch.Tensor.__index__, torch.Tensor.nonzero, torch.nonzero,
    torch.Tensor.multinomial, torch.multinomial, torch.masked_select, torch.equal, torch.unique, torch.bincount,
}  # fmt: skip
"""What makes the host wait for the device."""
CLOCK = {"graphs": 0, "graphed": 0, "compiled": 0, "peaks": 0}


class StandIn(TorchFunctionMode):
    """Put on the CPU what is meant for the GPU; raise where the host would wait and must not."""

    forbidden = ""
    """Why the host must not wait now."""
    waits = WAITS

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if StandIn.forbidden and function in StandIn.waits:
            raise RuntimeError(f"{function.__name__} waits for the device {StandIn.forbidden}")
        here = {key: self.here(value) for key, value in (kwargs or {}).items()}
        return function(*(self.here(value) for value in args), **here)

    @staticmethod
    def here(value: Any) -> Any:
        if value == "cuda" if isinstance(value, str) else isinstance(value, torch.device):
            return torch.device("cpu")
        return value


class Event:
    """Between two records of a pair the host must not wait."""

    def __init__(self, *, enable_timing: bool = False) -> None:
        assert enable_timing, "an event without timing has no time"
        self.at = math.nan

    def record(self) -> None:
        StandIn.forbidden = "" if StandIn.forbidden else "between two events"
        self.at = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        assert end.at >= self.at
        return (end.at - self.at) * 1e3


class Stream:
    def wait_stream(self, other: Stream) -> None:
        assert isinstance(other, Stream)


class Graph:
    captured = False

    def replay(self) -> None:
        assert self.captured
        CLOCK["graphed"] += 1


@contextlib.contextmanager
def capture(graph: Graph) -> Iterator[None]:
    StandIn.forbidden = "while a graph is captured"
    yield
    StandIn.forbidden = ""
    graph.captured = True
    CLOCK["graphs"] += 1


def synchronise() -> None:
    assert not StandIn.forbidden, f"synchronised {StandIn.forbidden}"


class Generator(torch.Generator):
    def __new__(cls, device: str = "cpu") -> Any:
        assert device in ("cpu", "cuda")
        return super().__new__(cls, "cpu")


def compiled(function: Any, *, dynamic: bool) -> Any:
    CLOCK["compiled"] += 1
    return lambda: function()


def allocated() -> int:
    CLOCK["peaks"] += 1
    return 1000


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pretend to have a GPU: names that PyTorch lacks cannot be patched, and others are not there."""
    autocast = torch.autocast
    for name, value in {
        "is_available": lambda: True, "Event": Event, "Stream": Stream, "CUDAGraph": Graph, "graph": capture,
        "current_stream": Stream, "stream": contextlib.nullcontext, "synchronize": synchronise,
        "empty_cache": synchronise, "reset_peak_memory_stats": synchronise, "memory_allocated": allocated,
        "max_memory_allocated": lambda: 3000,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(torch, "autocast", lambda device, *args, **kw: autocast("cpu", *args, **kw))
    # every backend is there, and the CPU's own answers for it
    monkeypatch.setattr(torch.nn.attention, "sdpa_kernel", lambda backends: contextlib.nullcontext())
    for module, name, value in (
        (timing, "FLUSH", 64), (timing, "WARM", 1e-4), (timing, "SECONDS", {"cuda": 0.002}),
        (timing, "CALLS", {"cuda": 2}), (timing, "LEAST", 4), (ceilings, "COPIED", {"cuda": 1}),
        (ceilings, "WIDTH", {"cuda": 64}), (attention, "TOKENS", 64),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(timing.gc, "collect", lambda *_: 0)  # a tenth of a second with a compiler imported
    for cached in (ceilings.copy_rate, ceilings.product_rate):
        cached.cache_clear()
    CLOCK.update(dict.fromkeys(CLOCK, 0))
    StandIn.forbidden = ""
    with StandIn():
        yield
    for cached in (ceilings.copy_rate, ceilings.product_rate):
        cached.cache_clear()


def check(record: dict[str, Any]) -> None:
    value = record["value"]
    numbers = value.values() if isinstance(value, dict) else [value]
    assert all(math.isfinite(n) for n in numbers if not isinstance(n, str))
    # Triton is in no package of PyTorch for the CPU, and its interpreter not in every NumPy's favour
    assert all("triton" in name or name == "fused" for name in record["skipped"]), record["skipped"]
    assert all(error < 0.1 for error in record["error"].values())
    assert all(roof >= 0 for roof in record["roof"].values())


@pytest.mark.parametrize("name", SMALL)
def test_every_measurement_takes_its_cuda_branch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "training.optimiser":  # which counts its steps in tensors on the CPU, and reads those
        monkeypatch.setattr(StandIn, "waits", WAITS - {torch.Tensor.item})
    record = function_of(name)(**SMALL[name])
    check(record)
    value = record["value"]
    if name.startswith("attention"):
        assert all(value[f"{kernel} memory"] == 2000 for kernel in ("plain", *attention.KERNELS))
        assert value["over cudnn"] > 0 and value["cudnn share"] > 0
    if name.startswith("launch"):
        assert CLOCK["graphs"] == 1 and CLOCK["compiled"] == 1 and value["graph speedup"] > 0
        assert CLOCK["graphed"] == 2 + timing.CALLS["cuda"] * (1 + 15 * timing.PASSES)
    else:
        assert set(record["seconds to launch"]) == set(record["spreads"])
    if name in ("training.checkpointing", "training.accumulation"):
        assert CLOCK["peaks"] == (3 if name.endswith("checkpointing") else 2)
        assert next(number for key, number in value.items() if key.endswith("saving")) == 1


@pytest.mark.parametrize("name", fusion.CASES)
def test_every_fused_function(name: str) -> None:
    record = fusion.op(name, rows=5, columns=256)
    check(record)
    assert "compiled share" in record["value"]


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "fp16", "bf16", "fp8", "int8"])
def test_every_data_type_and_none_leaves_its_precision_behind(dtype: str) -> None:
    check(function_of("gemm.rate")(n=64, dtype=dtype))
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_host_must_not_wait_where_the_device_is_timed() -> None:
    x = torch.ones(3, device="cuda")
    for wrong in (lambda: x.sum().item(), lambda: torch.multinomial(x, 1), lambda: timing.synchronise()):
        with pytest.raises((RuntimeError, AssertionError), match="between two events"):
            timing._series(wrong, 1)
        StandIn.forbidden = ""
    with pytest.raises(RuntimeError, match="captured"):
        launch._graph(lambda: x.sum().item())


def test_what_does_not_fit_is_recorded_and_the_rest_still_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = attention._kernels(True)

    def kernels(causal: bool) -> Any:
        def full(q: Any, k: Any, v: Any) -> Any:
            if q.shape[1] > 1:  # not for the short piece of the gradients' check
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 128.00 GiB.")
            return plain["math"](q, k, v)

        return plain | {"plain": full, "math": full}

    monkeypatch.setattr(attention, "_kernels", kernels)
    for run in (attention.forward, attention.backward):
        record = run(tokens=32, head_dim=16, heads=2)
        assert set(record["skipped"]) == {"plain", "math"}
        assert "over efficient" in record["value"] and "over plain" not in record["value"]


def test_a_step_counts_its_own_gradients_in_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients left by the step before would be freed by the next, and its peak come out too small."""
    left: list[Any] = []

    def peak(function: Any) -> int:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))
        stack = cells["stack"].cell_contents if "stack" in cells else stacks[-1]
        left.extend(w.grad for part in stack for w in part.parameters())
        function()
        return 10

    from verifiers.kernels import training

    stacks: list[Any] = []
    made = training._stack
    monkeypatch.setattr(training, "_stack", lambda *args: stacks.append(made(*args)) or stacks[-1])
    monkeypatch.setattr(timing, "peak", peak)
    for name in ("checkpointing", "accumulation"):
        getattr(training, name)(**SMALL[f"training.{name}"])
    assert left and all(gradient is None for gradient in left)


def test_a_cache_is_written_in_place_and_read_whole() -> None:
    from verifiers.kernels import decoder

    part = decoder.layer(64, 4)
    keys, values = decoder.cache(4, 9, 3, 16)
    before = keys.clone()
    x = timing.random(1, 3, 64, dtype=torch.bfloat16, seed=5)
    first = decoder.forward(part, x, (keys, values))
    assert torch.equal(keys[:, :, :9], before[:, :, :9]) and not torch.equal(keys[:, :, 9:], before[:, :, 9:])
    assert torch.equal(decoder.forward(part, x, (keys, values)), first)
    # the first new token must not see the ones after it
    alone = decoder.forward(part, x[:, :1], (keys[:, :, :10].clone(), values[:, :, :10].clone()))
    assert timing.error(alone, first[:, :1], 2e-2) >= 0


def test_the_widened_cache_is_no_wider_than_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    kernels = decode._kernels

    def kept(q: Any, k: Any, v: Any) -> Any:
        seen.append(k.dtype)
        return kernels(q, k, v)

    monkeypatch.setattr(decode, "_kernels", kept)
    decode.quantised(**SMALL["decode.quantised"])
    assert set(seen) == {torch.float16}
    assert (torch.ones(2, 2, dtype=torch.int8) * torch.ones(2, 1, dtype=torch.float16)).dtype == torch.float16


def test_a_draw_follows_the_chances() -> None:
    """The draw is made without `multinomial`; over many rows it must come out alike."""
    torch.manual_seed(0)
    chances = torch.tensor([0.5, 0.3, 0.2, 0.0]).repeat(20000, 1)
    drawn = (chances / torch.empty_like(chances).exponential_()).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert torch.allclose(shares, chances[0], atol=0.015) and shares[3] == 0
    assert serving.sampling(vocabulary=300, batch=3)["error"]["sorted"] == 0
