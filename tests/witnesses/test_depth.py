"""Independent ways to the numbers of verifiers/depth.py: the same stacks, through autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import depth, normalisation

torch = pytest.importorskip("torch")


def norm(x: Any) -> Any:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], eps=0.0)


def gradients(
    placement: str, blocks: int, width: int, tokens: int, gain: float, seed: int
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.standard_normal((tokens, width)), requires_grad=True)
    inputs = []
    for _ in range(blocks):
        inputs.append(x)
        up = torch.tensor(rng.standard_normal((width, width))) * (2 / width) ** 0.5
        down = torch.tensor(rng.standard_normal((width, width))) * gain / width**0.5
        branch = torch.relu((norm(x) if placement == "pre" else x) @ up) @ down
        x = {
            "plain": lambda x, b: b,
            "residual": lambda x, b: x + b,
            "pre": lambda x, b: x + b,
            "post": lambda x, b: norm(x + b),
        }[placement](x, branch)
        x.retain_grad()
    for each in inputs:
        each.retain_grad()
    out = norm(x) if placement == "pre" else x
    out.backward(torch.tensor(rng.standard_normal((tokens, width))))
    return float(inputs[-1].grad.norm()), float(inputs[0].grad.norm())


@witnesses("depth.gradient_ratio")
@pytest.mark.parametrize("placement", ["plain", "residual", "pre", "post"])
@pytest.mark.parametrize(("blocks", "gain"), [(1, 1.0), (5, 1.0), (3, 0.5)])
def test_ratio_of_autograds_gradients(placement: str, blocks: int, gain: float) -> None:
    pairs = [gradients(placement, blocks, 12, 5, gain, seed) for seed in range(3)]
    expected = math.prod(first / last for last, first in pairs) ** (1 / 3)
    found = depth.gradient_ratio(placement, blocks, width=12, tokens=5, gain=gain, seeds=3)
    assert found == pytest.approx(expected, rel=1e-9)


def test_ratio_defaults_and_wrong_arguments() -> None:
    assert depth.gradient_ratio("pre", 2) == depth.gradient_ratio("pre", 2, 64, 16, 1.0, 4)
    assert depth.gradient_ratio("pre", 1, width=2, tokens=1, seeds=1) == 1
    right = {"placement": "pre", "blocks": 1}
    for wrong in (
        {"placement": "sandwich"},
        {"blocks": 0},
        {"width": 1},
        {"tokens": 0},
        {"seeds": 0},
        {"gain": 0},
    ):
        with pytest.raises(ValueError):
            depth.gradient_ratio(**right | wrong)


@witnesses("depth.last_weight_gradient")
@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("blocks", [1, 4])
def test_last_weight_gradient_by_autograd(placement: str, blocks: int) -> None:
    """Each token's own gradient of the last matrix, one backward a token."""
    width, tokens, seeds = 6, 3, 2
    total = 0.0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = torch.tensor(rng.standard_normal((tokens, width)))
        for _ in range(blocks):
            up = torch.tensor(rng.standard_normal((width, width))) * (2 / width) ** 0.5
            down = (torch.tensor(rng.standard_normal((width, width))) / width**0.5).requires_grad_()
            x = x + torch.relu((norm(x) if placement == "pre" else x) @ up) @ down
            x = norm(x) if placement == "post" else x
        out = norm(x) if placement == "pre" else x
        upstream = torch.tensor(rng.standard_normal((tokens, width))) / width**0.5
        for token in range(tokens):
            (gradient,) = torch.autograd.grad(out[token] @ upstream[token], down, retain_graph=True)
            total += float(gradient.pow(2).sum()) / tokens
    found = depth.last_weight_gradient(placement, blocks, width, tokens, seeds)
    assert found == pytest.approx(math.sqrt(total / seeds), rel=1e-9)


def test_last_weight_gradient_defaults_and_wrong_arguments() -> None:
    assert depth.last_weight_gradient("post", 2) == depth.last_weight_gradient("post", 2, 64, 64, 8)
    assert depth.last_weight_gradient("post", 1, 2, 1, 1) >= 0
    right = {"placement": "pre", "blocks": 1}
    for wrong in ({"placement": "plain"}, {"blocks": 0}, {"width": 1}, {"tokens": 0}, {"seeds": 0}):
        with pytest.raises(ValueError):
            depth.last_weight_gradient(**right | wrong)


@witnesses("depth.scaling_the_skip_up_scales_the_branch_down")
def test_without_a_norm_the_two_scalings_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    found = depth.scaling_the_skip_up_scales_the_branch_down()
    assert found == {"width": 32, "seeds": 4, "tolerance": 1e-12}
    x, branch = (torch.randn(16, dtype=torch.float64) for _ in "xf")
    assert torch.allclose(norm(3 * x + branch), norm(x + branch / 3))
    monkeypatch.setattr(depth, "layer_norm", lambda x: normalisation.layer_norm(x, eps=0.1))
    with pytest.raises(AssertionError, match="a ="):
        depth.scaling_the_skip_up_scales_the_branch_down()


@witnesses("depth.deepnorm")
def test_deepnorm_is_solved_by_its_condition() -> None:
    """The paper's constants make the expected update 2M·β²/α² of a decoder of M layers a constant: ½."""
    for layers in (1, 8, 96):
        found = depth.deepnorm(layers)
        assert 2 * layers * (found["beta"] / found["alpha"]) ** 2 == pytest.approx(0.5)
        assert found["alpha"] ** 4 == pytest.approx(2 * layers)
    with pytest.raises(ValueError):
        depth.deepnorm(0)
