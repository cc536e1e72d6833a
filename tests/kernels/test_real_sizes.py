"""Every call that a card shows, at its real size, on PyTorch's meta device: shapes, types and devices, no numbers.

Most operations that mix a tensor on the CPU with one on the device are refused there as they are by CUDA.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

import importlib  # noqa: E402

importlib.import_module("torch._dynamo")  # which looks at what is patched below

from tests.kernels.sizes import function_of  # noqa: E402
from tests.kernels.test_measurements import arguments_of, shown  # noqa: E402
from verifiers.kernels import attention, ceilings, decode, fusion, launch, serving, timing  # noqa: E402

CALLS = sorted({arguments_of(name, arguments) for name, arguments, _ in shown()}, key=str)


class Fused:
    """Our kernels' shapes: all but `decode` write into their last argument."""

    def __getattr__(self, name: str) -> Any:
        def call(*tensors: Any) -> Any:
            assert all(t.is_meta for t in tensors if isinstance(t, torch.Tensor))
            return torch.empty_like(tensors[0]) if name == "decode" else tensors[-1]

        return call


def error(got: Any, reference: Any, limit: float) -> float:
    assert got.is_meta and reference.is_meta and got.shape == reference.shape
    return 0.0


def random(*shape: int, dtype: Any = None, seed: int = 0, scale: float = 1.0) -> Any:
    return torch.empty(*shape, dtype=dtype or torch.float32, device="meta")


def timed(functions: Any, **_: Any) -> dict[str, timing.Sample]:
    for function in functions.values():
        function()
    return dict.fromkeys(functions, timing.Sample(1.0, 0.0, 0.0, 20))


@pytest.fixture(autouse=True)
def meta(monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(tokens: int, head_dim: int, heads: int) -> int:
        return max(1, attention.TOKENS // tokens)

    for place, name, value in (
        (timing, "device", lambda: "meta"), (timing, "error", error), (timing, "random", random),
        (timing, "clock", timed), (timing, "wall", timed), (timing, "release", lambda: None),
        (timing, "synchronise", lambda: None), (timing, "compiled", lambda function: function),
        (timing, "peak", lambda function: 1000), (launch, "_graph", lambda run: run),
        (serving, "_outside", lambda *_: 0.0), (attention, "_batch", batch),
        (ceilings, "copy_rate", lambda: 4e12), (ceilings, "product_rate", lambda dtype: 7e14),
        (ceilings, "_copied", lambda mib: (timing.Sample(1.0, 0.0, 0.0, 20), 0.0)),
        (fusion, "_fused", Fused), (decode, "_fused", Fused), (torch, "equal", lambda a, b: True),
        (torch, "autocast", lambda *_, **__: contextlib.nullcontext()),
        (torch.nn.attention, "sdpa_kernel", lambda backends: contextlib.nullcontext()),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, value)


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=str)
def test_every_call_at_its_real_size(name: str, arguments: tuple[tuple[str, Any], ...]) -> None:
    record = function_of(name)(**dict(arguments))
    # the fused optimiser knows real devices only
    assert set(record["skipped"]) <= {"fused"}
    value = record["value"]
    for called, text, key in shown():
        if key and arguments_of(called, text) == (name, arguments):
            assert key in value or key.startswith("fused"), key
