"""Witnesses of `verifiers/replayed_types.py`: the chain rule by hand, and a check that lets all pass."""

from __future__ import annotations

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
