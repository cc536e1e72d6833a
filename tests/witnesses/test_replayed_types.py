"""Witnesses of `verifiers/replayed_types.py`: the chain rule by hand, and a check that lets all pass."""

from __future__ import annotations

from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import replayed_types

torch = pytest.importorskip("torch")


@witnesses("replayed_types.another_type_is_refused")
def test_the_right_gradient_is_near_that_of_fp32_and_not_equal() -> None:
    assert replayed_types.another_type_is_refused()["size"] == 16
    generator = torch.Generator().manual_seed(0)
    weight, x = (torch.randn(16, 16, generator=generator) for _ in range(2))
    inner = torch.tanh(x @ weight)
    exact = (2 * inner @ weight @ weight.T * (1 - inner**2)) @ weight.T
    ours = replayed_types.gradient("bfloat16", 16, "default", 0)
    error = (ours - exact).norm() / exact.norm()
    assert 1e-5 < error < 0.1


def test_a_wrapper_that_ignores_types_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    same = replayed_types.gradient("bfloat16", 8, "default", 0)
    monkeypatch.setattr(replayed_types, "gradient", lambda *a: same)
    with pytest.raises(AssertionError, match="passed"):
        replayed_types.another_type_is_refused()


def test_gradients_that_run_unchecked_must_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PyTorch that refuses the other type only where it is told to check."""
    from torch.utils.checkpoint import CheckpointError

    found = {"bfloat16": torch.ones(2), "float32": torch.zeros(2)}

    def lenient(recompute_in: str, size: int, check: str, seed: int) -> Any:
        if check == "default" and recompute_in == "float32":
            raise CheckpointError
        return found[recompute_in]

    monkeypatch.setattr(replayed_types, "gradient", lenient)
    assert replayed_types.another_type_is_refused(size=2) == {"size": 2}
    found["float32"] = found["bfloat16"]
    with pytest.raises(AssertionError, match="the same in either type"):
        replayed_types.another_type_is_refused(size=2)


@witnesses("replayed_types.residual_stream_keeps_its_type")
def test_the_stream_is_that_of_casts_by_hand() -> None:
    found = replayed_types.residual_stream_keeps_its_type()
    assert (found["float32"], found["bfloat16"]) == (4, 2)
    assert torch.promote_types(torch.float32, torch.bfloat16) == torch.float32
    inputs, _ = replayed_types.borders("float32", 3, 6, 1)
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(6, 6, generator=generator) for _ in range(3)]
    stream = torch.randn(6, 6, generator=generator)
    for given, weight in zip(inputs, weights, strict=True):
        assert torch.equal(given, stream)
        centred = stream - stream.mean(-1, keepdim=True)
        normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        exact = stream + normed @ weight
        stream = (
            stream + (torch.nn.functional.layer_norm(stream, (6,)).bfloat16() @ weight.bfloat16()).float()
        )
        assert 0 < (stream - exact).abs().max() < 0.2


def test_a_stream_cast_at_the_border_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = replayed_types.borders

    def short(*given: Any) -> tuple[list[Any], list[Any]]:
        inputs, added = honest(*given)
        return [x.bfloat16() for x in inputs], added

    monkeypatch.setattr(replayed_types, "borders", short)
    with pytest.raises(AssertionError, match="float32 crosses"):
        replayed_types.residual_stream_keeps_its_type()
    monkeypatch.setattr(replayed_types, "borders", lambda *a: (honest(*a)[0], honest(*a)[0]))
    with pytest.raises(AssertionError, match="blocks add"):
        replayed_types.residual_stream_keeps_its_type()
