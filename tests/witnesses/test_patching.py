"""Independent ways to the claims of verifiers/patching.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import patching


@witnesses("patching.recovery")
def test_recovery_is_linear_between_its_ends() -> None:
    clean, corrupt = 3.0, -1.5
    for share in (-0.5, 0.0, 0.25, 1.0, 1.75):
        patched = corrupt + share * (clean - corrupt)
        assert patching.recovery(clean, corrupt, patched) == pytest.approx(share)
        assert patching.recovery(corrupt, clean, clean + corrupt - patched) == pytest.approx(share)
    assert patching.recovery(clean, corrupt, 2 * clean - corrupt) == 2


def residual_streams(torch: object, weights: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    """Run the blocks with causal averaging by loops over positions."""
    streams = []
    for mix, transform in torch.from_numpy(weights):  # type: ignore[attr-defined]
        stream = torch.from_numpy(x)  # type: ignore[attr-defined]
        means = torch.stack([stream[: t + 1].mean(0) for t in range(len(stream))])  # type: ignore[attr-defined]
        stream = stream + torch.tanh(means @ mix)  # type: ignore[attr-defined]
        stream = stream + torch.tanh(stream @ transform)  # type: ignore[attr-defined]
        x = stream.numpy()
        streams.append(x)
    return streams


@witnesses("patching.whole_layer_patch_recovers_all")
def test_runs_equal_those_of_torch_and_patches_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    weights = patching.network(3, 8, 0)
    assert weights.std() == pytest.approx(8**-0.5, rel=0.1)
    x, other = np.random.default_rng(1).standard_normal((2, 5, 8))
    theirs = residual_streams(torch, weights, x)
    assert all(np.allclose(a, b) for a, b in zip(patching.run(weights, x), theirs, strict=True))
    patched = patching.run(weights, other, {1: (slice(2, 4), theirs[1])})
    plain = residual_streams(torch, weights, other)
    assert np.allclose(patched[0], plain[0])
    expected = plain[1].copy()
    expected[2:4] = theirs[1][2:4]
    assert np.allclose(patched[1], expected)
    assert np.allclose(patched[2], residual_streams(torch, weights[2:], expected)[0])
    tried = patching.whole_layer_patch_recovers_all(layers=2, tokens=3, width=4, corrupted=1)
    assert tried == {"layers": 2, "tokens": 3, "width": 4, "tolerance": 1e-12}
    right = patching.run
    full, calls = slice(None), itertools.count()
    patched_places = []

    def spy(weights: np.ndarray, x: np.ndarray, patch: dict | None = None) -> list[np.ndarray]:
        patched_places.extend((layer, place) for layer, (place, _values) in (patch or {}).items())
        return right(weights, x, patch)

    monkeypatch.setattr(patching, "run", spy)
    patching.whole_layer_patch_recovers_all(layers=2)
    places = [slice(None), slice(2), slice(3, None)]
    assert patched_places == [(layer, place) for layer in range(2) for place in places]

    def ignores_patches(weights: np.ndarray, x: np.ndarray, patch: dict | None = None) -> list[np.ndarray]:
        return right(weights, x)

    def whole_layers_always(
        weights: np.ndarray, x: np.ndarray, patch: dict | None = None
    ) -> list[np.ndarray]:
        return right(weights, x, patch and {layer: (full, value[1]) for layer, value in patch.items()})

    def later_suffice(weights: np.ndarray, x: np.ndarray, patch: dict | None = None) -> list[np.ndarray]:
        if patch and next(iter(patch.values()))[0].start is not None:
            return whole_layers_always(weights, x, patch)
        return right(weights, x, patch)

    broken = {
        "layer 0 patched": ignores_patches,
        "before the corrupted": whole_layers_always,
        "after the corrupted": later_suffice,
    }
    for message, function in broken.items():
        monkeypatch.setattr(patching, "run", function)
        with pytest.raises(AssertionError, match=message):
            patching.whole_layer_patch_recovers_all()
    # outputs of the runs in order: clean, corrupted, and one layer patched three ways
    streams = {0: 0.0, 1: 1.0, 2: 0.0, 3: 1.0, 4: 1.0}
    monkeypatch.setattr(patching, "run", lambda *given: [np.array([streams[next(calls)]])])
    with pytest.raises(AssertionError, match="after the corrupted"):
        patching.whole_layer_patch_recovers_all(layers=1, tolerance=1)


@witnesses("patching.forgotten_hook_undoes_the_patch")
def test_hooks_run_in_the_order_of_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    layer, order = torch.nn.Identity(), []
    handles = [layer.register_forward_hook(lambda m, i, o, n=n: order.append(n)) for n in range(3)]
    handles[1].remove()
    layer(torch.zeros(1))
    assert order == [0, 2]
    weights = np.random.default_rng(0).standard_normal((3, 4, 4))
    clean, corrupt = np.random.default_rng(1).standard_normal((2, 1, 4))
    through = clean @ weights[0].T @ weights[1].T @ weights[2].T
    assert np.allclose(patching.hooked_output(weights, clean, corrupt, 1, True), through)
    tried = patching.forgotten_hook_undoes_the_patch(layers=2, width=3, layer=0)
    assert tried == {"layers": 2, "layer": 0, "width": 3, "tolerance": 1e-12}
    right = patching.hooked_output
    broken = {
        "patched output": lambda *given, remove_first: right(*given, remove_first=False),
        "both hooks": lambda *given, remove_first: right(*given, remove_first=True),
    }
    for message, function in broken.items():
        monkeypatch.setattr(patching, "hooked_output", function)
        with pytest.raises(AssertionError, match=message):
            patching.forgotten_hook_undoes_the_patch()


class Counted:
    """An additive model of tanh components that counts its passes."""

    def __init__(self, torch: object, components: int) -> None:
        self.torch, self.components, self.forward, self.backward = torch, components, 0, 0

    def run(self, x: object) -> object:
        self.forward += 1
        return self.torch.tanh(x).sum()  # type: ignore[attr-defined]


@witnesses("patching.passes")
@pytest.mark.parametrize("components", [1, 7])
def test_passes_equal_those_of_both_methods(components: int) -> None:
    torch = pytest.importorskip("torch")
    clean, corrupt = torch.randn(2, components)
    activation = Counted(torch, components)
    activation.run(clean)
    activation.run(corrupt)
    for component in range(components):
        patched = corrupt.clone()
        patched[component] = clean[component]
        activation.run(patched)
    assert patching.passes(components, "activation") == {
        "forward": activation.forward,
        "backward": activation.backward,
    }
    attribution = Counted(torch, components)
    attribution.run(clean)
    leaf = corrupt.clone().requires_grad_()
    leaf.register_hook(lambda gradient: setattr(attribution, "backward", attribution.backward + 1))
    attribution.run(leaf).backward()
    assert patching.passes(components, "attribution") == {
        "forward": attribution.forward,
        "backward": attribution.backward,
    }


@witnesses("patching.attribution")
@pytest.mark.parametrize(("components", "width", "seed"), [(2, 1, 0), (9, 5, 3)])
def test_estimates_equal_gradients_of_torch(components: int, width: int, seed: int) -> None:
    torch = pytest.importorskip("torch")
    metrics = {"linear": lambda h: h, "quadratic": lambda h: h**2, "tanh": torch.tanh}
    clean, corrupt = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, components, width)))
    for name, metric in metrics.items():
        leaf = corrupt.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(metric(leaf.sum(0)).sum(), leaf)
        estimate = (gradient * (clean - corrupt)).sum(1)
        exact = []
        for component in range(components):
            patched = corrupt.clone()
            patched[component] = clean[component]
            exact.append(metric(patched.sum(0)).sum() - metric(corrupt.sum(0)).sum())
        exact = torch.stack(exact)
        found = patching.attribution(name, components, width, seed)
        assert found["correlation"] == pytest.approx(
            torch.corrcoef(torch.stack([estimate, exact]))[0, 1].item()
        )
        assert found["error"] == pytest.approx((estimate - exact).abs().max().item(), abs=1e-9)
        assert round(found["error"], 9) == found["error"]
    assert patching.attribution("linear", components, width, seed)["error"] == 0
    assert patching.attribution("tanh") == patching.attribution("tanh", 32, 8, 0)


@witnesses("patching.patched_gain_is_the_contribution")
def test_gains_equal_those_of_a_sum_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, corrupt = [3.0, -1.0, 0.5], [1.0, 1.0, 1.0]
    before = sum(corrupt)
    for component in range(3):
        present = [clean[i] if i == component else corrupt[i] for i in range(3)]
        mask = np.arange(3) == component
        assert patching.additive(np.array(clean), np.array(corrupt), mask) == sum(present)
        assert sum(present) - before == clean[component] - corrupt[component]
    assert patching.patched_gain_is_the_contribution(components=3) == {"components": 3, "tolerance": 1e-12}
    right = patching.additive
    monkeypatch.setattr(patching, "additive", lambda clean, corrupt, mask: right(corrupt, clean, mask))
    with pytest.raises(AssertionError, match="a gain"):
        patching.patched_gain_is_the_contribution()


@pytest.mark.parametrize(
    "call",
    [
        lambda: patching.recovery(1.0, 1.0, 2.0),
        lambda: patching.recovery(1.0, 0.0, np.nan),
        lambda: patching.recovery(1.0, np.nan, 0.0),
        lambda: patching.recovery(np.inf, 1.0, 0.0),
        lambda: patching.passes(0, "activation"),
        lambda: patching.passes(1, "gradient"),
        lambda: patching.attribution("cubic"),
        lambda: patching.attribution("tanh", components=1),
        lambda: patching.attribution("tanh", width=0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
