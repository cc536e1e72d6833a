"""Independent ways to the claims of verifiers/checkpoint_replay.py."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import checkpoint_replay


@witnesses("checkpoint_replay.gradients_are_unchanged")
def test_gradients_equal_those_of_a_hand_made_replay() -> None:
    """Keep only inputs and random states, and rebuild each layer by hand in the backward."""
    torch = pytest.importorskip("torch")
    net = checkpoint_replay.Net(layers=3, width=5, rows=4, dropout=0.3, seed=7)
    layers = checkpoint_replay.stack(net)
    assert [tuple(p.shape) for p in layers.parameters()] == [(5, 5), (5,)] * 3
    assert [layer[2].p for layer in layers] == [0.3] * 3
    expected = checkpoint_replay.gradients(net, checkpoint_replay.plain)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        x = torch.randn(4, 5, dtype=torch.float64)
        inputs, states = [], []
        with torch.no_grad():
            for layer in layers:
                inputs.append(x)
                states.append(torch.get_rng_state())
                x = layer(x)
        upstream, found = 2 * x, []
        for layer, given, state in zip(reversed(layers), inputs[::-1], states[::-1], strict=True):
            torch.set_rng_state(state)
            leaf = given.clone().requires_grad_()
            grads = torch.autograd.grad(layer(leaf), [leaf, *layer.parameters()], upstream)
            upstream = grads[0]
            found = [*grads[1:], *found]
    for ours, theirs in zip(found, expected, strict=True):
        assert np.allclose(ours.numpy(), theirs, atol=1e-12)
    checkpoint_replay.compare(net, lambda layer, x: layer(x) * (1 + 1e-12), 1e-9)
    with pytest.raises(AssertionError, match="a gradient is off by"):
        checkpoint_replay.compare(net, lambda layer, x: layer(x) * (1 + 1e-6), 1e-12)


def test_what_is_seeded_comes_out_the_same_and_leaves_the_random_state_alone() -> None:
    torch = pytest.importorskip("torch")
    net = checkpoint_replay.Net(layers=2, width=3, rows=2, dropout=0.5, seed=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = (checkpoint_replay.gradients(net, checkpoint_replay.plain) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert torch.equal(torch.get_rng_state(), before)
    other = checkpoint_replay.gradients(net._replace(seed=2), checkpoint_replay.plain)
    assert not np.array_equal(one[0], other[0])
    built = checkpoint_replay.stack(net)[0][0].weight
    assert built.dtype == torch.float64
    torch.manual_seed(6)  # whatever was drawn before
    assert torch.equal(checkpoint_replay.stack(net)[0][0].weight, built)


def test_checks_of_replay_run_at_other_sizes_and_fail_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch.utils.checkpoint")
    tried = checkpoint_replay.gradients_are_unchanged(layers=2, width=3, rows=4, dropout=0.5, tolerance=1e-11)
    assert tried == {"layers": 2, "dropout": 0.5, "tolerance": 1e-11}
    real = torch.utils.checkpoint.checkpoint

    def careless(layer: Any, x: Any, use_reentrant: bool) -> Any:
        assert use_reentrant is False
        return real(layer, x, use_reentrant=False, preserve_rng_state=False)

    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", careless)
    with pytest.raises(AssertionError, match="a gradient is off by"):
        checkpoint_replay.gradients_are_unchanged()


@witnesses("checkpoint_replay.autocast_is_replayed")
def test_recomputed_products_have_the_type_of_the_first_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Watch the tensors that a checkpointed layer hands to its backward, not the layer itself."""
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint

    w = torch.randn(5, 5, requires_grad=True)
    types = []

    def layer(x: Any) -> Any:
        y = x @ w
        y.register_hook(lambda gradient: types.append(gradient.dtype))
        return y.tanh()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = checkpoint(layer, torch.randn(3, 5), use_reentrant=False)
    y.float().sum().backward()
    assert types == [torch.bfloat16]
    assert checkpoint_replay.autocast_is_replayed(size=3) == {"runs": 2, "dtype": "bfloat16"}
    with monkeypatch.context() as patch:
        patch.setattr(torch, "autocast", lambda *a, **k: contextlib.nullcontext())
        with pytest.raises(AssertionError, match="float32, then float32"):
            checkpoint_replay.autocast_is_replayed()
    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", lambda layer, x, use_reentrant: layer(x))
    with pytest.raises(AssertionError, match=r"computed in bfloat16$"):
        checkpoint_replay.autocast_is_replayed()


@witnesses("checkpoint_replay.running_statistics_move_twice")
def test_a_counter_in_a_layer_counts_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch.utils.checkpoint")
    runs = []

    def layer(x: Any) -> Any:
        runs.append(1)
        return x.exp()

    x = torch.ones(3, requires_grad=True)
    torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False).sum().backward()
    assert len(runs) == 2
    # by hand: from zero a tenth of the way to ten, and a tenth of the rest
    norm = torch.nn.BatchNorm1d(1)
    for expected in (1.0, 1.9):
        norm(torch.full((4, 1), 10.0))
        assert norm.running_mean.item() == pytest.approx(expected)
    assert checkpoint_replay.running_statistics_move_twice(value=3.0, rows=2, momentum=0.5) == {
        "plain": 1,
        "recomputed": 2,
    }
    seen: list[tuple[float, float]] = []
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_replay, "agree", lambda a, b, *of: seen.append((a, b)))
        checkpoint_replay.running_statistics_move_twice(momentum=0.25)
    assert np.array(seen) == pytest.approx(np.array([(2.5, 2.5), (4.375, 4.375)]))
    real = torch.utils.checkpoint.checkpoint

    def once_more(layer: Any, x: Any, use_reentrant: bool) -> Any:
        with torch.no_grad():
            layer(x)
        return real(layer, x, use_reentrant=use_reentrant)

    def unheeded(layer: Any, x: Any, use_reentrant: bool) -> Any:
        layer.register_buffer("num_batches_tracked", torch.tensor(5))
        return real(layer, x, use_reentrant=use_reentrant)

    for broken, told in (
        (lambda layer, x, use_reentrant: layer(x), "a running mean"),
        (once_more, "a running mean"),
        (unheeded, "batches counted"),
    ):
        monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", broken)
        with pytest.raises(AssertionError, match=told):
            checkpoint_replay.running_statistics_move_twice()


@witnesses("checkpoint_replay.fresh_dropout_masks_break_gradients")
def test_a_mask_replayed_differently_changes_a_gradient_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    x = torch.ones(1000, dtype=torch.float64)
    masks = [(torch.rand(1000, generator=torch.Generator().manual_seed(s)) < 0.7) for s in (0, 1)]
    w = torch.tensor(2.0, dtype=torch.float64)
    # loss Σ (w m x)²: the right derivative uses one mask twice, the wrong one mixes two
    right = (2 * w * x * x * masks[0] * masks[0]).sum()
    wrong = (2 * w * x * x * masks[0] * masks[1]).sum()
    assert (right - wrong).abs() > 100

    pytest.importorskip("torch.utils.checkpoint")
    real = torch.utils.checkpoint.checkpoint

    def careful(layer: Any, x: Any, use_reentrant: bool, preserve_rng_state: bool = True) -> Any:
        return real(layer, x, use_reentrant=use_reentrant)

    tried = checkpoint_replay.fresh_dropout_masks_break_gradients(layers=2, width=6, dropout=0.5, seed=3)
    assert tried == {"layers": 2, "dropout": 0.5}
    with monkeypatch.context() as patch:
        patch.setattr(torch.utils.checkpoint, "checkpoint", careful)
        with pytest.raises(AssertionError, match="as it was"):
            checkpoint_replay.fresh_dropout_masks_break_gradients()
    with monkeypatch.context() as patch:  # wrong without any dropout, too
        patch.setattr(torch.utils.checkpoint, "checkpoint", lambda layer, x, **_: layer(x) * 1.001)
        with pytest.raises(AssertionError, match="a gradient is off by"):
            checkpoint_replay.fresh_dropout_masks_break_gradients()
    for moved, holds in ((0.25, False), (0.26, True)):
        monkeypatch.setattr(
            checkpoint_replay,
            "gradients",
            lambda net, wrap, moved=moved: [
                np.array([0.0, -moved if net.dropout and wrap is not checkpoint_replay.plain else 0.0])
            ],
        )
        if holds:
            checkpoint_replay.fresh_dropout_masks_break_gradients(least=0.25)
        else:
            with pytest.raises(AssertionError, match="as it was"):
                checkpoint_replay.fresh_dropout_masks_break_gradients(least=0.25)
