"""Witnesses of `verifiers/residual.py`: stacks of real modules, and autograd through them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import residual

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def double(*shape: int, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64) + 0.5


def stack(placement: str, blocks: int, x: Any, cut_branches: bool = False) -> Any:
    """Real modules: tanh branches instead of ReLU ones, scaled to unit variance."""
    norm = torch.nn.LayerNorm(x.shape[-1], elementwise_affine=False, dtype=torch.float64)
    for block in range(blocks):
        weight = double(x.shape[-1], x.shape[-1], seed=1000 + block) - 0.5
        branch = (norm(x) if placement == "pre" else x) @ weight
        branch = branch / branch.std().detach() * (1 if placement == "pre" else x.std().detach())
        branch = branch.detach() if cut_branches else branch
        x = norm(x + branch) if placement == "post" else x + branch
    return x


@witnesses("residual.variance", "residual.block_share")
@pytest.mark.parametrize("blocks", [1, 12, 48])
def test_a_stack_of_modules_grows_alike(blocks: int) -> None:
    start = functional.layer_norm(double(32, 256), (256,))
    for placement in ("pre", "post") if blocks > 12 else ("pre", "post", "none"):
        theirs = stack(placement, blocks, start).var().item()
        assert residual.variance(placement, blocks) == pytest.approx(theirs, rel=0.25)
    expected = {"pre": blocks + 1.0, "post": 1.0, "none": 2.0**blocks}
    for placement, value in expected.items():
        assert residual.variance(placement, blocks) == pytest.approx(value, rel=0.35)
    for placement in ("pre", "none"):  # the variance that the last block added
        before = stack(placement, blocks - 1, start).var().item()
        share = 1 - before / stack(placement, blocks, start).var().item()
        assert residual.block_share(placement, blocks) == pytest.approx(share, abs=0.06)
    assert residual.block_share("post", blocks) == 0.5


@witnesses("residual.variance")
@pytest.mark.parametrize("placement", ["pre", "post", "none"])
@pytest.mark.parametrize(("blocks", "width", "tokens"), [(0, 6, 3), (1, 2, 1), (4, 6, 3)])
def test_variance_equals_that_of_the_same_matrices_in_torch(
    placement: str, blocks: int, width: int, tokens: int
) -> None:
    def norm(x: Any) -> Any:
        return functional.layer_norm(x, x.shape[-1:], eps=0.0)

    rng = np.random.default_rng(0)
    x = norm(torch.from_numpy(rng.standard_normal((tokens, width))))
    for _ in range(blocks):
        up, down = (
            torch.from_numpy(rng.standard_normal(s)) for s in ((width, 2 * width), (2 * width, width))
        )
        block = torch.nn.Sequential(
            torch.nn.Linear(width, 2 * width, bias=False),
            torch.nn.ReLU(),
            torch.nn.Linear(2 * width, width, bias=False),
        ).double()
        block[0].weight.data = up.T * math.sqrt(2 / width)
        block[2].weight.data = down.T / math.sqrt(2 * width)
        with torch.no_grad():
            added = x + block(norm(x) if placement == "pre" else x)
            x = norm(added) if placement == "post" else added
    found = residual.variance(placement, blocks, width, tokens)
    assert found == pytest.approx(float(x.var(unbiased=False)), rel=1e-9)


def test_defaults_and_largest_arguments() -> None:
    assert residual.variance("pre", 2) == residual.variance("pre", 2, 256, 32)
    assert residual.variance("pre", 0, 2, 2**17) == pytest.approx(1)
    assert residual.skip_gain("pre", 512) == 513**-0.5
    assert residual.skip_gain("pre", 0) == residual.skip_gain("post", 0) == 1
    assert residual.block_share("pre", 1) == residual.block_share("none", 1) == 0.5
    assert residual.block_share("pre", 512) == 1 / 513


@witnesses("residual.skip_gain")
@pytest.mark.parametrize("blocks", [1, 8, 24])
def test_gradient_through_the_skip_path_alone(blocks: int) -> None:
    for placement in ("pre", "post", "none"):
        x = functional.layer_norm(double(32, 512), (512,)).requires_grad_()
        out = stack(placement, blocks, x, cut_branches=True)
        if placement == "pre":
            out = functional.layer_norm(out, (512,))
        upstream = double(32, 512, seed=9) - 0.5
        out.backward(upstream)
        gain = (x.grad.norm() / upstream.norm()).item()
        assert residual.skip_gain(placement, blocks) == pytest.approx(gain, rel=0.2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: residual.variance("middle", 3),
        lambda: residual.variance("pre", -1),
        lambda: residual.variance("pre", 1, width=1),
        lambda: residual.variance("pre", 1, tokens=0),
        lambda: residual.variance("pre", 0, 5, 52_429),  # one more than 2^18
        lambda: residual.skip_gain("pre", 10_000),
        lambda: residual.skip_gain("pre", 513),
        lambda: residual.skip_gain("sandwich", 1),
        lambda: residual.block_share("sandwich", 1),
        lambda: residual.block_share("pre", 513),
        lambda: residual.block_share("pre", 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
