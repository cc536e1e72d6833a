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
