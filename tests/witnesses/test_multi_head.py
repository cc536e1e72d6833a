"""Independent ways to the results of verifiers/multi_head.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import multi_head
from verifiers.attention import Array


@witnesses("multi_head.shapes", "multi_head.concatenation_is_a_sum_of_heads")
def test_shapes_and_output_of_torchs_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True, dtype=torch.float64)
    x = torch.randn(1, 5, 12, dtype=torch.float64)
    out, weights = layer(x, x, x, average_attn_weights=False)
    matrices = [*layer.in_proj_weight.detach().chunk(3), layer.out_proj.weight.detach()]
    found = multi_head.run(x[0].numpy(), np.stack([m.T.numpy() for m in matrices]), 3)
    assert found["output"] == pytest.approx(out[0].detach().numpy(), abs=1e-12)
    rows = {row["array"]: row["shape"] for row in multi_head.shapes(5, 12, 3)}
    assert rows["scores and weights"] == " × ".join(map(str, weights.shape[1:])) == "3 × 5 × 5"
    assert rows == {name: " × ".join(map(str, array.shape)) for name, array in found.items()}
    assert multi_head.concatenation_is_a_sum_of_heads()["seeds"] == 3
    for wrong in ((0, 8, 2), (4, 8, 3)):
        with pytest.raises(ValueError):
            multi_head.shapes(*wrong)
    right = multi_head.run

    def broken(x: Array, projections: Array, heads: int) -> dict[str, Array]:
        arrays = right(x, projections, heads)
        return arrays | {"output": arrays["joined"]}

    monkeypatch.setattr(multi_head, "run", broken)
    with pytest.raises(AssertionError, match="sum over"):
        multi_head.concatenation_is_a_sum_of_heads()


@witnesses("multi_head.concatenation_is_a_sum_of_heads")
def test_check_tries_four_projections_that_keep_the_size_of_what_they_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So scores are neither all alike to the softmax nor saturate it."""
    right, spreads = multi_head.run, []

    def spied(x: Array, projections: Array, heads: int) -> dict[str, Array]:
        assert projections.shape == (4, 16, 16)
        spreads.append((x @ projections).std())
        return right(x, projections, heads)

    monkeypatch.setattr(multi_head, "run", spied)
    multi_head.concatenation_is_a_sum_of_heads(heads=(2,), tokens=64, seeds=20)
    assert np.mean(spreads) == pytest.approx(1, abs=0.05)


@witnesses("multi_head.concatenation_is_a_sum_of_heads")
def test_check_catches_a_head_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    right = multi_head.run

    def doubled(x: Array, projections: Array, heads: int) -> dict[str, Array]:
        arrays = right(x, projections, heads)
        outputs = arrays["heads' outputs"]
        return arrays | {"heads' outputs": np.concatenate([outputs, outputs[:1]])}

    monkeypatch.setattr(multi_head, "run", doubled)
    with pytest.raises(ValueError, match="zip"):
        multi_head.concatenation_is_a_sum_of_heads()
