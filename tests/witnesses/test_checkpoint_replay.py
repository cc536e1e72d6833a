"""Independent ways to the claims of verifiers/checkpoint_replay.py."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import checkpoint_replay


@witnesses("checkpoint_replay.gradients_are_unchanged")
def test_gradients_equal_those_of_a_hand_made_replay() -> None:
    """Keep only inputs and random states, and rebuild each layer by hand in the backward."""
    torch = pytest.importorskip("torch")
    layers = checkpoint_replay.stack(0.3)
    expected = checkpoint_replay.gradients(0.3, lambda layer, x: layer(x))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        x = torch.randn(8, 16, dtype=torch.float64)
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
        assert torch.allclose(ours, theirs, atol=1e-12)
    with pytest.raises(AssertionError, match="off by"):
        checkpoint_replay.compare(0.3, lambda layer, x: layer(x) * (1 + 1e-6))


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
    monkeypatch.setattr(torch, "autocast", lambda *a, **k: contextlib.nullcontext())
    with pytest.raises(AssertionError, match="float32, then float32"):
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
    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", lambda layer, x, use_reentrant: layer(x))
    with pytest.raises(AssertionError, match="left the statistics alone"):
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

    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", careful)
    with pytest.raises(AssertionError, match="as it was"):
        checkpoint_replay.fresh_dropout_masks_break_gradients()
