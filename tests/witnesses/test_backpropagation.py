"""Independent ways to the numbers of verifiers/backpropagation.py."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import backpropagation

torch = pytest.importorskip("torch")


@witnesses("backpropagation.perceptron")
@pytest.mark.parametrize("widths", [(512, 2048, 256), (3, 1), (5, 7, 7, 2)])
def test_parameters_of_real_layers(widths: tuple[int, ...]) -> None:
    for bias in (True, False):
        layers = [torch.nn.Linear(a, b, bias=bias, device="meta") for a, b in pairwise(widths)]
        expected = sum(p.numel() for layer in layers for p in layer.parameters())
        assert backpropagation.perceptron(widths, bias) == expected
    assert backpropagation.perceptron((1, 1)) == 2
    for wrong in ((5,), (0, 5), (5, 0), ()):
        with pytest.raises(ValueError):
            backpropagation.perceptron(wrong)


@witnesses("backpropagation.squared_sum")
@pytest.mark.parametrize("point", [(2.0, -3.0, 10.0), (0.5, 4.0, -7.0)])
def test_squared_sum_by_autograd_and_by_differences(point: tuple[float, float, float]) -> None:
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
    loss = (leaves[0] * leaves[1] + leaves[2]) ** 2
    loss.backward()
    found = backpropagation.squared_sum(*point)
    assert found["loss"] == loss.item()
    assert [found[name] for name in "abc"] == [float(leaf.grad) for leaf in leaves]
    for index, name in enumerate("abc"):
        ends = []
        for step in (1e-6, -1e-6):
            moved = list(point)
            moved[index] += step
            ends.append((moved[0] * moved[1] + moved[2]) ** 2)
        assert found[name] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)
        with pytest.raises(ValueError, match=f"{name} must be"):
            backpropagation.squared_sum(**{**dict(zip("abc", point, strict=True)), name: float("inf")})


@witnesses("backpropagation.layer_runs")
@pytest.mark.parametrize("layers", [1, 2, 7, 48])
def test_layer_runs_by_running(layers: int) -> None:
    runs = 0
    for target in reversed(range(layers)):  # forward from the first layer to this one, then its backward
        for _layer in range(target + 1):
            runs += 1
    assert backpropagation.layer_runs(layers, stored=False) == runs
    found = backpropagation.layer_runs(layers, stored=False)
    assert isinstance(found, int)
    assert backpropagation.layer_runs(layers) == backpropagation.layer_runs(layers, stored=True) == layers
    with pytest.raises(ValueError):
        backpropagation.layer_runs(0)


def test_runs_of_a_real_stack_without_stored_inputs() -> None:
    stack = [torch.nn.Linear(3, 3).double() for _ in range(4)]
    runs, upstream, found = 0, None, []
    start = torch.randn(2, 3, dtype=torch.float64)
    for target in reversed(range(4)):
        x = start
        with torch.no_grad():
            for layer in stack[:target]:
                x, runs = layer(x).tanh(), runs + 1
        x.requires_grad_()
        y, runs = stack[target](x).tanh(), runs + 1
        upstream, weight = torch.autograd.grad(y, [x, stack[target].weight], upstream or torch.ones_like(y))
        upstream, found = (upstream,), [weight, *found]
    x = start
    for layer in stack:
        x = layer(x).tanh()
    exact = torch.autograd.grad(x.sum(), [layer.weight for layer in stack])
    assert all(torch.allclose(a, b) for a, b in zip(found, exact, strict=True))
    assert backpropagation.layer_runs(4, stored=False) == runs


@witnesses("backpropagation.passes")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_passes_of_jacobians() -> None:
    calls = {"forward": 0, "reverse": 0}
    matrix = torch.randn(3, 4, dtype=torch.float64)

    def function(x: Any) -> Any:
        return torch.tanh(matrix @ x)

    at = torch.randn(4, dtype=torch.float64)
    columns, rows = [], []
    for unit in torch.eye(4, dtype=torch.float64):
        calls["forward"] += 1
        columns.append(torch.func.jvp(function, (at,), (unit,))[1])
    _, pull = torch.func.vjp(function, at)
    for unit in torch.eye(3, dtype=torch.float64):
        calls["reverse"] += 1
        rows.append(pull(unit)[0])
    assert torch.allclose(torch.stack(columns, 1), torch.stack(rows))
    for mode, count in calls.items():
        assert backpropagation.passes(4, 3, mode) == count
    assert backpropagation.passes(1, 1, "forward") == 1
    for wrong in ((0, 1, "reverse"), (1, 0, "forward"), (1, 1, "mixed")):
        with pytest.raises(ValueError):
            backpropagation.passes(*wrong)


@witnesses("backpropagation.accumulated")
@pytest.mark.parametrize("zeroed", [True, False])
def test_accumulation_by_real_backward_calls(zeroed: bool) -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    for _ in range(3):
        if zeroed:
            weight.grad = None
        (5 * weight).backward()
    assert backpropagation.accumulated(5, 3, zeroed) == float(weight.grad)
    assert backpropagation.accumulated(5, 3) == 15
    assert backpropagation.accumulated(5, 1) == 5
    for wrong in ((5, 0), (float("nan"), 1), (float("inf"), 1)):
        with pytest.raises(ValueError):
            backpropagation.accumulated(*wrong)


@witnesses("backpropagation.clipped_norm")
@pytest.mark.parametrize(("norm", "limit"), [(5.0, 1.0), (5e-4, 1.0), (3.0, 0.1), (1.0, 1.0), (0.5, 0.5)])
def test_clipped_norm_is_that_of_torch(norm: float, limit: float) -> None:
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    weight.grad = torch.tensor([0.6 * norm, 0.8 * norm], dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_([weight], limit)
    assert backpropagation.clipped_norm(norm, limit) == pytest.approx(float(weight.grad.norm()), rel=1e-12)


def test_clipped_norm_without_a_guard_and_its_limits() -> None:
    assert backpropagation.clipped_norm(5.0, guard=0) == 1
    assert backpropagation.clipped_norm(0.0) == 0 == backpropagation.clipped_norm(0.0, guard=0)
    assert backpropagation.clipped_norm(2.0) == backpropagation.clipped_norm(2.0, 1.0, 1e-6)
    for wrong in ((-1.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, -1e-6)):
        with pytest.raises(ValueError):
            backpropagation.clipped_norm(*wrong)


@witnesses("backpropagation.one_bad_entry_spoils_all")
def test_a_clipping_that_skips_bad_entries_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backpropagation.one_bad_entry_spoils_all() == {"entries": 5}
    # the same by hand: a norm of NaN, and of infinity
    assert (torch.tensor([float("nan"), 1.0]).norm()).isnan()
    assert (torch.tensor([float("inf"), 1.0]) / float("inf")).isnan().tolist() == [True, False]
    seen: list[tuple[list[float], float]] = []
    real = torch.nn.utils.clip_grad_norm_
    with monkeypatch.context() as patch:
        patch.setattr(
            torch.nn.utils,
            "clip_grad_norm_",
            lambda weights, limit: seen.append((weights[0].grad.tolist(), limit)) or real(weights, limit),
        )
        assert backpropagation.one_bad_entry_spoils_all(entries=3, limit=0.5) == {"entries": 3}
    assert [entry[1] for entry in seen] == [0.5, 0.5]
    assert str(seen[0][0]) == "[nan, 1.0, 1.0]" and seen[1][0] == [float("inf"), 1.0, 1.0]
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda weights, limit: None)
    with pytest.raises(AssertionError, match="entries NaN"):
        backpropagation.one_bad_entry_spoils_all()

    def all_nan(weights: list[Any], limit: float) -> None:
        weights[0].grad *= float("nan")

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", all_nan)
    with pytest.raises(AssertionError, match="not 1"):
        backpropagation.one_bad_entry_spoils_all()


@witnesses("backpropagation.anomaly_mode_sees_the_backward_only")
def test_anomaly_mode_with_the_mode_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backpropagation.anomaly_mode_sees_the_backward_only() == {"negative": -1.0}
    assert backpropagation.anomaly_mode_sees_the_backward_only(-2.0) == {"negative": -2.0}

    with pytest.raises(AssertionError, match="no NaN"):
        backpropagation.anomaly_mode_sees_the_backward_only(1.0)

    class Off(torch.autograd.set_detect_anomaly):  # type: ignore[misc]
        def __init__(self, mode: bool) -> None:
            super().__init__(False)

    monkeypatch.setattr(torch.autograd, "set_detect_anomaly", Off)
    with pytest.raises(AssertionError, match="not seen"):
        backpropagation.anomaly_mode_sees_the_backward_only()
