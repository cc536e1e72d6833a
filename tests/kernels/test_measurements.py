"""Every measurement runs on a CPU at a small size, gives what cards ask of it, and refuses a wrong kernel."""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import re
from pathlib import Path
from typing import Any

import pytest

from proofdeck.api import MARK

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

from tests.kernels.sizes import SMALL, function_of  # noqa: E402
from verifiers.kernels import attention, fusion, products, timing  # noqa: E402

CARDS = Path(__file__).parents[2] / "cards" / "gpu"
ON_GPU = re.compile(r"memory|saving|efficient|cudnn|graph|triton|fused")
"""Entries that need the CUDA allocator, a CUDA kernel, or Triton."""
SHOWN = re.compile(r"kernels\.([a-z_]+\.[a-z_]+)(\([^()]*\))(?:\[\"([^\"]+)\"\])?")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the compiler, which takes most of a minute on a CPU."""
    monkeypatch.setattr(timing, "compiled", lambda function: function)


def shown() -> list[tuple[str, str, str]]:
    text = "".join(path.read_text() for path in sorted(CARDS.glob("*.md")))
    calls = {match.groups(default="") for match in SHOWN.finditer(text)}
    return sorted(c for c in calls if not c[0].startswith("expected."))  # type: ignore[misc]


def test_every_measurement_is_tried() -> None:
    found = {
        f"{path.stem}.{name}"
        for path in (CARDS.parents[1] / "verifiers" / "kernels").glob("*.py")
        if path.stem != "fused"
        for name, value in vars(importlib.import_module(f"verifiers.kernels.{path.stem}")).items()
        if getattr(getattr(value, MARK, None), "kind", "") == "measurement"
        and value.__module__.endswith(path.stem)
    }
    assert found == set(SMALL)
    assert {name for name, _, _ in shown()} <= found


@pytest.mark.parametrize("name", SMALL)
def test_runs_small_and_has_what_cards_show(name: str) -> None:
    record = function_of(name)(**SMALL[name])
    value = record["value"]
    numbers = value.values() if isinstance(value, dict) else [value]
    assert all(math.isfinite(n) for n in numbers if not isinstance(n, str))
    assert record["samples"] >= 4
    assert record["spread"] >= 0 and record["repeat"] >= 0
    assert record["error"] and all(error < 0.1 for error in record["error"].values())
    assert record["roof"] and all(0 <= roof < 20 for roof in record["roof"].values())
    for called, arguments, key in shown():
        if called != name:
            continue
        arguments_of(name, arguments)
        assert bool(key) == isinstance(value, dict)
        if key and name != "fusion.op":
            assert key in value or ON_GPU.search(key) or key.endswith("cost"), key


def arguments_of(name: str, arguments: str) -> tuple[str, tuple[tuple[str, Any], ...]]:
    call = ast.parse("f" + arguments, mode="eval").body
    assert isinstance(call, ast.Call)
    keywords = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
    bound = inspect.signature(function_of(name)).bind(*map(ast.literal_eval, call.args), **keywords)
    return name, tuple(sorted(bound.arguments.items()))


def test_figures_draw_only_what_cards_have_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a card shows is measured; a figure that wants more could never be drawn."""
    pytest.importorskip("matplotlib")
    from figures import kernels

    class Record(dict[str, float]):
        def __missing__(self, key: str) -> float:
            return 1.5

    asked = set()

    def recorder(name: str) -> Any:
        signature = inspect.signature(function_of(name))

        def record(*args: Any, **kwargs: Any) -> Any:
            asked.add((name, tuple(sorted(signature.bind(*args, **kwargs).arguments.items()))))
            return 2.0 if name in ("ceilings.copy", "gemm.rate") else Record()

        return record

    for name in SMALL:
        module, _, function = name.partition(".")
        target = importlib.import_module(f"verifiers.kernels.{module}")
        monkeypatch.setattr(target, function, recorder(name))
    figures = [f for f in vars(kernels).values() if getattr(getattr(f, MARK, None), "kind", "") == "figure"]
    assert len(figures) == 6
    for draw in figures:
        draw()
    monkeypatch.undo()
    assert len(asked) > 20
    assert asked <= {arguments_of(name, arguments) for name, arguments, _ in shown()}


@pytest.mark.parametrize("name", fusion.CASES)
def test_fused_functions_agree_with_float64(name: str) -> None:
    record = fusion.op(name, rows=9, columns=256)
    assert {"primitive", "compiled"} <= set(record["error"])
    keys = {key for called, arguments, key in shown() if called == "fusion.op" and f'"{name}"' in arguments}
    assert all(key in record["value"] or "triton" in key for key in keys)


@pytest.mark.parametrize("dtype", products.LIMITS)
def test_products_agree_with_float64(dtype: str) -> None:
    assert products.product(dtype, 32, 64, 48).error <= products.LIMITS[dtype]


def test_a_wrong_kernel_is_never_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fusion.CASES["softmax"](4, 64)
    wrong = fusion.Case(lambda: right.primitive() * 1.1, None, right.triton, right.reference, right.nbytes)
    monkeypatch.setitem(fusion.CASES, "softmax", lambda rows, columns: wrong)
    with pytest.raises(AssertionError, match="relative error"):
        fusion.op("softmax", rows=4, columns=64)
    monkeypatch.setattr(torch, "mm", lambda a, b: a.new_full((a.shape[0], b.shape[1]), float("nan")))
    with pytest.raises(AssertionError, match="nan"):
        products.product("fp32", 8, 8, 8)


def test_attention_reference_is_plain_attention() -> None:
    q, k, v = attention._inputs(1, 2, 24, 8)
    for causal in (True, False):
        got = attention._kernels(causal)["plain"](q.double(), k.double(), v.double())[0, 0, -5:]
        assert torch.allclose(got, attention.reference_rows(q, k, v, 5, causal), atol=1e-12)


def test_what_does_not_run_here_is_recorded_not_hidden() -> None:
    def absent() -> Any:
        raise NotImplementedError("no such kernel")

    functions, skipped = timing.usable({"here": lambda: lambda: 1, "absent": absent})
    assert list(functions) == ["here"]
    assert skipped == {"absent": "NotImplementedError: no such kernel"}
    with pytest.raises(RuntimeError, match="no variant runs here"):
        timing.usable({"absent": absent})


def test_sample_and_error() -> None:
    found = timing.sample([[1.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    assert (found.median, found.repeat, found.count) == (2.0, 0.5, 6)
    assert timing.sample([[1.0] * 4, [1.0] * 4]).spread == 0
    one = torch.ones(3)
    assert timing.error(one * 1.5, one, 1.0) == pytest.approx(0.5)
    for wrong in (one * float("nan"), one * 2, one * float("inf")):
        with pytest.raises(AssertionError):
            timing.error(wrong, one, 0.1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("gemm.rate", {"n": 0, "dtype": "bf16"}),
        ("gemm.rate", {"n": 8, "dtype": "fp7"}),
        ("gemm.rate", {"n": 8, "dtype": "bf16", "data": "ones"}),
        ("attention.forward", {"tokens": -1}),
        ("decode.attention", {"tokens": 8, "heads": 6}),
        ("fusion.op", {"name": "gelu", "rows": 1, "columns": 1}),
        ("serving.verify", {"k": 0}),
        ("decode.recompute", {"tokens": 4, "width": 10, "heads": 3}),
    ],
)
def test_wrong_arguments_are_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|unknown|divide|groups"):
        function_of(name)(**arguments)


def test_two_runs_are_compared_by_time_and_rate_only() -> None:
    import json

    from verifiers.kernels import compare

    def lock(time: float, rate: float) -> list[str]:
        record = {"machine": "a-gpu"}
        return [
            json.dumps({"format": "proofdeck evidence lock", "version": 1}),
            json.dumps({"call": "x.y()", "value": 3, "unit": "B"}),
            json.dumps({"call": "k.f()", "value": {"a": time, "size": 7, "best": "a"}, "unit": "s, size=B, best=text", "record": record}),
            json.dumps({"call": "k.g()", "value": rate, "unit": "FLOP/s", "record": record}),
        ]  # fmt: skip

    found = compare.differences(compare.timings(lock(1.0, 10.0)), compare.timings(lock(1.1, 10.0)))
    assert found == [(pytest.approx(0.1), "a-gpu: k.f() a"), (0.0, "a-gpu: k.g()")]
