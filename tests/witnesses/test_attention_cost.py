"""Independent ways to the numbers of verifiers/attention_cost.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention_cost


@witnesses("attention_cost.score_bytes")
@pytest.mark.parametrize("tokens", [1, 300, 4096])
def test_score_bytes_equal_those_of_a_tensor(tokens: int) -> None:
    torch = pytest.importorskip("torch")
    q = torch.empty(tokens, 64, dtype=torch.float16, device="meta")
    assert attention_cost.score_bytes(tokens) == (q @ q.T).nbytes


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
    if recompute:
        kept = 3 * forward.get_total_flops()
        total = forward.get_total_flops() + counted
        assert attention_cost.training_flops_ratio() == pytest.approx(total / kept)


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
    monkeypatch.setattr(attention_cost, "traffic_ratio", lambda n, d, r: r / d)
    with pytest.raises(AssertionError, match="not near"):
        attention_cost.traffic_follows_tile_and_width()


@witnesses("attention_cost.ridge")
def test_ridge_is_where_both_limits_take_equally_long() -> None:
    point = attention_cost.ridge(312e12, 2039e9)
    nbytes = 7e9
    assert point * nbytes / 312e12 == pytest.approx(nbytes / 2039e9, rel=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: attention_cost.score_bytes(0),
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
