"""Independent ways to the numbers of verifiers/checkpointing.py."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import checkpointing, models

TINY = models.Architecture("tiny", 3, 32, 4, 4, 8, 128, False, 99, 64, True, "none")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> models.Architecture:
    """Add a small architecture, whose blocks can really be run."""
    monkeypatch.setitem(models.TABLE, "tiny", TINY)
    return TINY


def simulate(layers: int, segment: int, inside: int) -> int:
    """Run forward and backward over a chain, with a set of all activations held by name."""
    starts = list(range(0, layers, segment))
    held = {("inside", start, 0) for start in starts}  # unit 0 of a layer is its input
    most = len(held)
    for start in reversed(starts):
        for layer in range(start, min(start + segment, layers)):
            held |= {("inside", layer, unit) for unit in range(inside)}
        most = max(most, len(held))
        held -= {item for item in held if item[1] >= start}
    return most


@witnesses("checkpointing.peak", "checkpointing.best_segment", "checkpointing.best_peak")
@pytest.mark.parametrize("layers", [1, 7, 16, 30])
@pytest.mark.parametrize("inside", [1, 5])
def test_peak_equals_a_simulated_backward(layers: int, inside: int) -> None:
    peaks = {s: simulate(layers, s, inside) for s in range(1, layers + 1)}
    for segment, most in peaks.items():
        assert checkpointing.peak(layers, segment, inside) == most
    assert checkpointing.best_peak(layers, inside) == min(peaks.values())
    assert peaks[checkpointing.best_segment(layers, inside)] == min(peaks.values())


def test_segments_of_uneven_length_and_layers_of_any_weight() -> None:
    assert checkpointing.peak(5, 5, 2.5) == 12.5
    assert checkpointing.peak(7, 3, 2.5) == 8.5  # two whole segments and a short one
    assert checkpointing.peak(7, 6, 2.5) == 15.0
    assert checkpointing.best_peak(12) == checkpointing.best_peak(12, 1.0) == 6
    assert checkpointing.best_segment(12) == 3  # the shortest of the equal ones
    assert checkpointing.best_segment(35) == min(range(1, 36), key=lambda s: simulate(35, s, 1)) == 6
    assert checkpointing.peak(12, 4) == 6


@witnesses("checkpointing.least_peak_is_at_the_root")
@pytest.mark.parametrize(("layers", "inside", "root"), [(64, 1, 8), (36, 4, 3), (50, 2, 5)])
def test_simulated_peak_is_least_at_the_root(layers: int, inside: int, root: int) -> None:
    even = [s for s in range(1, layers + 1) if layers % s == 0]
    peaks = {s: simulate(layers, s, inside) for s in even}
    assert min(peaks, key=lambda s: peaks[s]) == root
    assert peaks[root] == 2 * math.isqrt(layers * inside) - 1


def test_each_part_of_the_check_of_the_root_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = checkpointing.least_peak_is_at_the_root(cases=((64, 1), (50, 2)))
    assert tried == {"layers": "64, 50", "inside": "1, 2"}
    right = checkpointing.peak

    def fails(told: str, cases: tuple[tuple[int, int], ...] = ((64, 1),), **patches: Any) -> None:
        with monkeypatch.context() as patch:
            for name, value in patches.items():
                patch.setattr(checkpointing, name, value)
            with pytest.raises(AssertionError, match=told):
                checkpointing.least_peak_is_at_the_root(cases, tolerance=1e-6)

    for wrong in (1, 4, 8, 64):  # each of the lengths is looked at
        fails("formula", peak=lambda n, s, a, wrong=wrong: right(n, s, a) + 1e-5 * (s == wrong))
    fails("best peak", best_peak=lambda n, a: right(n, 1, a))
    fails("best peak", best_peak=lambda n, a: right(n, 8, a) - 1e-5)
    fails("beaten", agree=lambda *of: None, peak=lambda n, s, a: 15 - 2e-6)
    agreed: list[tuple[float, float, str]] = []
    monkeypatch.setattr(checkpointing, "agree", lambda a, b, tolerance, what: agreed.append((a, b, what)))
    monkeypatch.setattr(checkpointing, "best_peak", lambda n, a: 12.0)
    monkeypatch.setattr(checkpointing, "peak", lambda n, s, a: 20.0 if n == 25 else 13.0 - 1e-9)
    checkpointing.least_peak_is_at_the_root(((25, 2), (49, 1)))  # the first has no root among its divisors
    assert [what for *_, what in agreed].count("the peak at the root") == 1
    assert (12.0, 13.0, "the best peak") in agreed
    uneven = {f"{b:g}" for _, b, what in agreed if "formula" in what}
    assert uneven == {"26", "14", "50", "49", "13"}


def block(arch: models.Architecture, recompute: str, dropout: bool = True) -> tuple[Any, list[Any]]:
    """Return one pre-norm block as a function of x [b, s, h], and its parameters."""
    import torch
    from torch.utils.checkpoint import checkpoint

    h, heads = arch.d_model, arch.heads
    shapes = ([h, h],) * 4 + ([h, arch.d_ff], [arch.d_ff, h])
    weights = [torch.randn(s, dtype=torch.bfloat16).div(8).requires_grad_() for s in shapes]
    w_q, w_k, w_v, w_o, w_up, w_down = weights

    def drop(x: Any) -> Any:
        return torch.ops.aten.native_dropout(x, 0.1, True)[0] if dropout else x

    def norm(x: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (h,))

    def core(q: Any, k: Any, v: Any) -> Any:
        return drop(torch.softmax(q @ k.mT / arch.head_dim**0.5, -1)) @ v

    def inner(x: Any) -> Any:
        y = norm(x)
        q, k, v = (
            (y @ w).unflatten(-1, (heads, arch.head_dim)).transpose(1, 2).contiguous()
            for w in (w_q, w_k, w_v)
        )
        if recompute == "selective":
            mixed = checkpoint(core, q, k, v, use_reentrant=False)
        else:
            mixed = core(q, k, v)
        x = x + drop(mixed.transpose(1, 2).flatten(2) @ w_o)
        return x + drop(torch.nn.functional.gelu(norm(x) @ w_up) @ w_down)

    if recompute == "full":
        return (lambda x: checkpoint(inner, x, use_reentrant=False)), weights
    return inner, weights


@witnesses("checkpointing.layer_bytes", "checkpointing.inside_ratio", "checkpointing.model_bytes")
@pytest.mark.parametrize("recompute", checkpointing.KINDS)
def test_layer_bytes_equal_what_autograd_keeps(tiny: models.Architecture, recompute: str) -> None:
    torch = pytest.importorskip("torch")
    tokens, batch = 24, 2
    function, weights = block(tiny, recompute)
    parameters = {w.untyped_storage().data_ptr() for w in weights}
    kept: dict[int, int] = {}
    alive = []

    def weigh(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        # the norms' means and deviations, one number a token, are not counted by the formula
        if storage.data_ptr() not in parameters and tensor.numel() > tokens * batch:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    x = torch.randn(batch, tokens, tiny.d_model, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
        function(x)
    counted = sum(kept.values())
    assert checkpointing.layer_bytes("tiny", tokens, batch, recompute) == counted
    full = checkpointing.layer_bytes("tiny", tokens, batch)
    assert checkpointing.model_bytes("tiny", tokens, batch, recompute) == 2 * counted + full
    ratio = checkpointing.inside_ratio("tiny", tokens, recompute)
    assert ratio == pytest.approx(counted / x.nbytes)


@witnesses("checkpointing.extra_flops", "checkpointing.core_share")
@pytest.mark.parametrize("early_stop", [False, True])
@pytest.mark.parametrize("recompute", checkpointing.KINDS)
def test_extra_flops_equal_those_counted_by_torch(
    tiny: models.Architecture, recompute: str, early_stop: bool
) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import set_checkpoint_early_stop
    from torch.utils.flop_counter import FlopCounterMode

    def count(kind: str) -> tuple[int, int]:
        function, _ = block(tiny, kind, dropout=False)
        x = torch.randn(1, 24, tiny.d_model, dtype=torch.bfloat16, requires_grad=True)
        with set_checkpoint_early_stop(early_stop):
            with FlopCounterMode(display=False) as forward:
                y = function(x)
            with FlopCounterMode(display=False) as backward:
                y.sum().backward()
        return forward.get_total_flops(), backward.get_total_flops()

    forward, backward = count("none")
    total = sum(count(recompute))
    extra = total / (forward + backward) - 1
    got = checkpointing.extra_flops("tiny", 24, recompute, early_stop)
    assert got == pytest.approx(extra, abs=1e-12)
    core = 2 * 2 * 24 * 24 * tiny.d_model
    assert checkpointing.core_share("tiny", 24) == pytest.approx(core / forward)


class Chain:
    """Layers that are run by number, with a count of runs and of activations held."""

    def __init__(self, layers: int) -> None:
        self.next = layers - 1
        self.runs = self.held = self.most = 0

    def hold(self, count: int) -> None:
        self.held += count
        self.most = max(self.most, self.held)

    def back(self, layer: int) -> None:
        assert layer == self.next, "layers must be reversed from last to first"
        self.next -= 1


def nested(chain: Chain, first: int, count: int) -> None:
    """Reverse `count` layers whose first input is held by the caller."""
    if count == 1:
        chain.runs += 1
        chain.back(first)
        return
    half = count // 2
    chain.runs += half
    chain.hold(1)
    nested(chain, first + half, half)
    chain.hold(-1)
    nested(chain, first, half)


def segmented(chain: Chain, layers: int, segment: int) -> None:
    """Run forward keeping segment inputs, then rebuild and reverse segment by segment."""
    for _layer in range(layers):
        chain.runs += 1
    chain.hold(layers // segment)
    for start in reversed(range(0, layers, segment)):
        chain.runs += segment
        chain.hold(segment - 1)
        for layer in reversed(range(start, start + segment)):
            chain.back(layer)
        chain.hold(-segment)


@witnesses("checkpointing.schedules")
@pytest.mark.parametrize("layers", [1, 4, 16, 64, 256])
def test_schedules_equal_a_count_of_running_them(layers: int) -> None:
    rows = {row["schedule"]: row for row in checkpointing.schedules(layers)}
    root = math.isqrt(layers)
    runs = {
        "keep all": Chain(layers),
        "segments of √n": Chain(layers),
        "nested halves": Chain(layers),
    }
    runs["keep all"].runs = runs["keep all"].most = layers
    segmented(runs["segments of √n"], layers, root)
    runs["nested halves"].hold(1)
    nested(runs["nested halves"], 0, layers)
    for name, chain in runs.items():
        assert rows[name]["stored"] == chain.most
        assert rows[name]["forwards"] == chain.runs / layers
        assert rows[name]["cost"] == pytest.approx((chain.runs + 2 * layers) / (3 * layers))


@pytest.mark.parametrize(
    "call",
    [
        lambda: checkpointing.peak(0, 1),
        lambda: checkpointing.peak(4, 0),
        lambda: checkpointing.peak(4, 5),
        lambda: checkpointing.peak(4.0, 1),
        lambda: checkpointing.peak(4, True),
        lambda: checkpointing.peak(4, 1, inside=0.99),
        lambda: checkpointing.peak(4, 1, inside=math.nan),
        lambda: checkpointing.peak(4, 1, inside=True),
        lambda: checkpointing.best_segment(4, inside=0.99),
        lambda: checkpointing.layer_bytes("gpt2", 10.5),
        lambda: checkpointing.layer_bytes("gpt2", 10, batch=0),
        lambda: checkpointing.extra_flops("gpt2", 10, recompute="some"),
        lambda: checkpointing.schedules(0),
        lambda: checkpointing.schedules(2),
        lambda: checkpointing.schedules(12),
        lambda: checkpointing.layer_bytes("llama-2-7b", 10),
        lambda: checkpointing.layer_bytes("gpt2", 0),
        lambda: checkpointing.layer_bytes("gpt2", 10, recompute="some"),
        lambda: checkpointing.extra_flops("gpt2", 0),
        lambda: checkpointing.core_share("gpt2", -1),
        lambda: checkpointing.schedules(8),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: checkpointing.best_segment(0),
        lambda: checkpointing.best_peak(0),
        lambda: checkpointing.schedules(0),
    ],
)
def test_no_layers_are_named(call: Any) -> None:
    with pytest.raises(ValueError, match="layers must be at least 1"):
        call()


@pytest.mark.parametrize("changed", [{"gated": True}, {"kv_heads": 2}, {"d_ff": 127}])
def test_other_blocks_than_the_formulas_are_refused(
    changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(models.TABLE, "other", dataclasses.replace(TINY, **changed))
    for call in (checkpointing.layer_bytes, checkpointing.core_share, checkpointing.extra_flops):
        with pytest.raises(ValueError, match="four times as wide"):
            call("other", 10)


def test_one_sequence_with_all_recomputed_is_the_default(tiny: models.Architecture) -> None:
    assert checkpointing.layer_bytes("tiny", 9) == checkpointing.layer_bytes("tiny", 9, 1, "none")
    assert checkpointing.model_bytes("tiny", 9) == checkpointing.model_bytes("tiny", 9, 1, "none")
    assert checkpointing.inside_ratio("tiny", 9) == checkpointing.inside_ratio("tiny", 9, "none")
    assert checkpointing.extra_flops("tiny", 9) == checkpointing.extra_flops("tiny", 9, "full", False)


def test_a_chain_of_one_layer_is_the_smallest() -> None:
    assert [row["stored"] for row in checkpointing.schedules(1)] == [1, 1, 1]
    assert checkpointing.peak(1, 1) == 1
