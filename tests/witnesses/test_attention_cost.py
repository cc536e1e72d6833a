"""Independent ways to the numbers of verifiers/attention_cost.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention_cost


@witnesses("attention_cost.score_entries", "attention_cost.score_bytes")
@pytest.mark.parametrize(("tokens", "heads", "layers"), [(1, 1, 1), (300, 3, 2), (4096, 5, 7)])
def test_score_bytes_equal_those_of_a_tensor(tokens: int, heads: int, layers: int) -> None:
    torch = pytest.importorskip("torch")
    q = torch.empty(layers, heads, tokens, 64, dtype=torch.float16, device="meta")
    scores = q @ q.mT
    assert attention_cost.score_entries(tokens, heads, layers) == scores.numel()
    assert attention_cost.score_bytes(tokens, "fp16", heads, layers) == scores.nbytes
    assert attention_cost.score_entries(tokens) == scores[0, 0].numel()
    assert attention_cost.score_bytes(tokens) == scores[0, 0].nbytes


@witnesses(
    "attention_cost.matrix_bytes", "attention_cost.statistics_bytes", "attention_cost.streamed_entries"
)
@pytest.mark.parametrize(("tokens", "head_dim"), [(1, 1), (300, 7), (5, 64)])
def test_bytes_of_operands_equal_those_that_the_fused_kernel_returns(tokens: int, head_dim: int) -> None:
    """PyTorch's flash kernel returns the output and its log-sum-exps."""
    torch = pytest.importorskip("torch")
    q = torch.randn(1, 1, tokens, head_dim, dtype=torch.bfloat16)
    output, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, q, q)
    assert attention_cost.matrix_bytes(tokens, head_dim, "bf16") == output.nbytes == q.nbytes
    assert attention_cost.matrix_bytes(tokens, head_dim) == output.nbytes
    assert attention_cost.statistics_bytes(tokens) == lse.nbytes
    assert attention_cost.statistics_bytes(tokens, "fp64") == 2 * lse.nbytes
    maxima, sums = lse, lse
    assert attention_cost.streamed_entries(tokens, head_dim) == sum(x.numel() for x in (output, maxima, sums))


@witnesses("attention_cost.saved_bytes")
@pytest.mark.parametrize("tiled", [True, False])
def test_saved_bytes_equal_what_autograd_of_torch_keeps(tiled: bool) -> None:
    """Weigh every distinct tensor that PyTorch saves for the backward of each kind."""
    torch = pytest.importorskip("torch")
    tokens, head_dim = 160, 32
    kept: dict[int, int] = {}

    def weigh(tensor: object) -> object:
        storage = tensor.untyped_storage()  # type: ignore[attr-defined]
        if tensor.numel() > 1:  # type: ignore[attr-defined]
            kept[storage.data_ptr()] = tensor.nbytes  # type: ignore[attr-defined]
        return tensor

    q, k, v = (
        torch.randn(1, 1, tokens, head_dim, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)
    )
    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
        if tiled:
            backend = torch.nn.attention.SDPBackend.FLASH_ATTENTION
            with torch.nn.attention.sdpa_kernel(backend):
                torch.nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            # scale the queries out of the graph: autograd would keep a scaled copy of them
            torch.softmax(q @ k.mT, -1) @ v
    assert attention_cost.saved_bytes(tokens, head_dim, "bf16", tiled) == sum(kept.values())
    assert attention_cost.saved_bytes(9, 2) == attention_cost.saved_bytes(9, 2, "fp16", True)


@witnesses(
    "attention_cost.flops",
    "attention_cost.backward_over_forward",
    "attention_cost.training_flops_ratio",
)
@pytest.mark.parametrize("recompute", [True, False])
def test_flops_equal_those_counted_by_torch(recompute: bool) -> None:
    """Plain attention keeps its weights; under a checkpoint around the scores it rebuilds them."""
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint
    from torch.utils.flop_counter import FlopCounterMode

    tokens, head_dim = 48, 16
    q, k, v = (torch.randn(tokens, head_dim, requires_grad=True) for _ in range(3))

    def weights(q: object, k: object) -> object:
        return torch.softmax(q @ k.T / 4, -1)  # type: ignore[attr-defined]

    with FlopCounterMode(display=False) as forward:
        p = checkpoint(weights, q, k, use_reentrant=False) if recompute else weights(q, k)
        loss = (p @ v).sum()
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    assert attention_cost.flops(tokens, head_dim) == forward.get_total_flops()
    counted = backward.get_total_flops()
    assert attention_cost.flops(tokens, head_dim, True, recompute) == counted
    ratio = counted / forward.get_total_flops()
    assert attention_cost.backward_over_forward(recompute) == pytest.approx(ratio)
    both = attention_cost.flops(tokens, head_dim, True, recompute, heads=3, layers=5)
    assert both == 15 * counted
    assert attention_cost.flops(1, 1, True) == attention_cost.flops(1, 1, True, True)
    assert attention_cost.backward_over_forward() == attention_cost.backward_over_forward(True)
    if recompute:
        kept = 3 * forward.get_total_flops()
        total = forward.get_total_flops() + counted
        assert attention_cost.training_flops_ratio() == pytest.approx(total / kept)


@witnesses("attention_cost.layer_flops", "attention_cost.quadratic_share")
@pytest.mark.parametrize(("tokens", "width"), [(48, 16), (5, 32), (128, 64)])
def test_layer_flops_equal_those_counted_by_torch(tokens: int, width: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    layer = torch.nn.MultiheadAttention(width, 4, batch_first=True)
    x = torch.randn(1, tokens, width, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        layer(x, x, x, need_weights=True)
    total = counter.get_total_flops()
    quadratic = counter.get_flop_counts()["Global"][torch.ops.aten.bmm]
    assert attention_cost.layer_flops(tokens, width) == total
    assert attention_cost.quadratic_share(tokens, width) == pytest.approx(quadratic / total, rel=1e-15)
    assert attention_cost.quadratic_share(2 * width, width) == 0.5


@witnesses("attention_cost.additive_entries")
def test_additive_scores_need_a_hidden_layer_a_pair() -> None:
    torch = pytest.importorskip("torch")
    q, k = torch.randn(6, 5), torch.randn(7, 5)
    first, second, v = torch.randn(5, 4), torch.randn(5, 4), torch.randn(4)
    hidden = torch.tanh((q @ first)[:, None] + (k @ second)[None])
    one = torch.tanh(first.T @ q[2] + second.T @ k[3]) @ v
    assert torch.allclose((hidden @ v)[2, 3], one, atol=1e-5)
    assert attention_cost.additive_entries(6, 7, 4) == hidden.numel()


@witnesses("attention_cost.rescaling_share")
@pytest.mark.parametrize(("rows", "columns", "head_dim"), [(3, 1, 5), (16, 64, 8)])
def test_rescaling_share_equals_counted_operations_of_a_tile(rows: int, columns: int, head_dim: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    q, k, v = torch.randn(rows, head_dim), torch.randn(columns, head_dim), torch.randn(columns, head_dim)
    with FlopCounterMode(display=False) as products:
        accumulator = (q @ k.T) @ v
    multiplications = accumulator.numel()
    assert attention_cost.rescaling_share(columns) == multiplications / products.get_total_flops()


class Device:
    """Device memory that counts the bytes read from it and written to it."""

    def __init__(self) -> None:
        self.moved = 0

    def read(self, array: np.ndarray) -> np.ndarray:
        self.moved += array.nbytes
        return array.copy()

    def write(self, place: np.ndarray, array: np.ndarray) -> None:
        place[...] = array
        self.moved += place.nbytes


@witnesses("attention_cost.traffic", "attention_cost.traffic_ratio", "attention_cost.intensity")
@pytest.mark.parametrize(("tokens", "head_dim", "rows"), [(64, 8, 16), (50, 4, 7), (30, 16, 30)])
def test_traffic_equals_that_of_an_instrumented_memory(tokens: int, head_dim: int, rows: int) -> None:
    """Run both algorithms on arrays whose every transfer is counted."""
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, tokens, head_dim)).astype(np.float16)
    scores, weights = np.empty((2, tokens, tokens), dtype=np.float16)
    output, lse = np.empty_like(q), np.empty(tokens, dtype=np.float32)

    plain = Device()
    plain.write(scores, plain.read(q) @ plain.read(k).T / np.sqrt(head_dim))
    loaded = plain.read(scores).astype(float)
    exponentials = np.exp(loaded - loaded.max(axis=1, keepdims=True))
    plain.write(weights, exponentials / exponentials.sum(axis=1, keepdims=True))
    plain.write(output, plain.read(weights) @ plain.read(v))
    reference = output.copy()

    tiled = Device()
    for start in range(0, tokens, rows):
        block = slice(start, start + rows)
        tile = tiled.read(q[block]).astype(float)
        pieces = []
        for j in range(0, tokens, 5):
            keys, values = tiled.read(k[j : j + 5]), tiled.read(v[j : j + 5])
            pieces.append((tile @ keys.T.astype(float) / np.sqrt(head_dim), values))
        scored = np.concatenate([p[0] for p in pieces], axis=1)
        top = scored.max(axis=1, keepdims=True)
        exponentials = np.exp(scored - top)
        total = exponentials.sum(axis=1, keepdims=True)
        tiled.write(output[block], exponentials / total @ np.concatenate([p[1] for p in pieces]))
        tiled.write(lse[block], (top + np.log(total))[:, 0])

    assert np.allclose(output, reference, atol=5e-3)
    assert attention_cost.traffic(tokens, head_dim) == plain.moved
    assert attention_cost.traffic(1, 1) == 16
    assert attention_cost.traffic(tokens, head_dim, rows) == tiled.moved
    ratio = plain.moved / tiled.moved
    assert attention_cost.traffic_ratio(tokens, head_dim, rows) == pytest.approx(ratio)
    products = 2 * 2 * tokens * tokens * head_dim
    assert attention_cost.intensity(tokens, head_dim) == pytest.approx(products / plain.moved)


@witnesses("attention_cost.traffic_follows_tile_and_width")
def test_saving_nears_its_limit_by_halving_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the counts as polynomials: 4n² elements over 2 n² d / r, the rest of lower order."""
    for rows, head_dim in ((128, 64), (128, 128)):
        gaps = []
        for tokens in (2**14, 2**15, 2**16):
            plain = 4 * tokens**2 + 4 * tokens * head_dim
            tiled = 2 * tokens * head_dim + 2 * tokens**2 * head_dim // rows + 2 * tokens
            assert attention_cost.traffic(tokens, head_dim) == 2 * plain
            assert attention_cost.traffic(tokens, head_dim, rows) == 2 * tiled
            gaps.append(2 * rows / head_dim - plain / tiled)
        assert gaps[1] / gaps[0] == pytest.approx(0.5, rel=0.02)
        assert gaps[2] / gaps[1] == pytest.approx(0.5, rel=0.02)
    tried = attention_cost.traffic_follows_tile_and_width(rows=(8, 16), head_dims=(4, 2))
    assert tried == {"tokens": 2**20, "rows": "8, 16", "head_dim": "4, 2"}
    monkeypatch.setattr(attention_cost, "traffic_ratio", lambda n, d, r: 2 * r / d)
    attention_cost.traffic_follows_tile_and_width(tolerance=1e-15)
    for factor in (0.5, 1.998, 2.003):
        monkeypatch.setattr(attention_cost, "traffic_ratio", lambda n, d, r, factor=factor: factor * r / d)
        with pytest.raises(AssertionError, match="the saving"):
            attention_cost.traffic_follows_tile_and_width()


@witnesses("attention_cost.ridge")
def test_ridge_is_where_both_limits_take_equally_long() -> None:
    point = attention_cost.ridge(312e12, 2039e9)
    nbytes = 7e9
    assert point * nbytes / 312e12 == pytest.approx(nbytes / 2039e9, rel=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: attention_cost.score_entries(0),
        lambda: attention_cost.score_entries(1, heads=0),
        lambda: attention_cost.score_entries(1, layers=0),
        lambda: attention_cost.score_bytes(0),
        lambda: attention_cost.matrix_bytes(0, 1),
        lambda: attention_cost.matrix_bytes(1, 0),
        lambda: attention_cost.statistics_bytes(0),
        lambda: attention_cost.streamed_entries(0, 1),
        lambda: attention_cost.streamed_entries(1, 0),
        lambda: attention_cost.flops(1, 0),
        lambda: attention_cost.layer_flops(1, -1),
        lambda: attention_cost.quadratic_share(0, 1),
        lambda: attention_cost.additive_entries(0, 1, 1),
        lambda: attention_cost.additive_entries(1, 0, 1),
        lambda: attention_cost.additive_entries(1, 1, 0),
        lambda: attention_cost.rescaling_share(0),
        lambda: attention_cost.ridge(1.0, 0.0),
        lambda: attention_cost.score_bytes(8, "fp99"),
        lambda: attention_cost.saved_bytes(8, 0),
        lambda: attention_cost.flops(-1, 8),
        lambda: attention_cost.traffic(8, 8, rows=0),
        lambda: attention_cost.traffic_ratio(0, 8, 8),
        lambda: attention_cost.intensity(0, 8),
        lambda: attention_cost.ridge(0.0, 1.0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
