"""Independent ways to the claims of verifiers/masks.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import masks

SIZES = [(5, 5), (2, 5), (1, 7), (6, 4)]


@witnesses("masks.visible_keys", "masks.visible_pairs")
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_visible_pairs_equal_triangles_of_torch(queries: int, keys: int) -> None:
    torch = pytest.importorskip("torch")
    for corner, diagonal in (("upper-left", 0), ("lower-right", keys - queries)):
        allowed = torch.ones(queries, keys, dtype=torch.bool).tril(diagonal).numpy()
        assert masks.visible_pairs(queries, keys, corner) == allowed.sum()
        counts = [masks.visible_keys(row, queries, keys, corner) for row in range(queries)]
        assert counts == allowed.sum(axis=1).tolist()
    assert masks.visible_pairs(queries, keys) == masks.visible_pairs(queries, keys, "lower-right")
    assert masks.visible_keys(0, queries, keys) == masks.visible_keys(0, queries, keys, "lower-right")


@pytest.mark.parametrize(("queries", "keys"), SIZES)
@pytest.mark.parametrize("corner", ["upper-left", "lower-right"])
@pytest.mark.parametrize("window", [1, 3, 100])
def test_windows_equal_a_count_by_hand(queries: int, keys: int, corner: str, window: int) -> None:
    total = 0
    for row in range(queries):
        place = row + (keys - queries if corner == "lower-right" else 0)
        seen = [j for j in range(keys) if j <= place and place - j < window]
        assert masks.visible_keys(row, queries, keys, corner, window) == len(seen)
        total += len(seen)
    assert masks.visible_pairs(queries, keys, corner, window) == total


def self_attention(torch: object, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """PyTorch's fused attention of tokens [t, d] to themselves, without projections."""
    tensor = torch.from_numpy(x)[None]  # type: ignore[attr-defined]
    given = None if mask is None else torch.from_numpy(mask)  # type: ignore[attr-defined]
    functional = torch.nn.functional  # type: ignore[attr-defined]
    return functional.scaled_dot_product_attention(tensor, tensor, tensor, attn_mask=given)[0].numpy()


@witnesses("masks.masked_weights_are_exactly_zero")
def test_softmax_of_torch_is_zero_above_the_diagonal(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(9, 9, generator=torch.Generator().manual_seed(0))
    hidden = torch.ones(9, 9, dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.masked_fill(hidden, -torch.inf), 1)
    assert (weights[hidden] == 0).all() and (weights[~hidden] > 0).all()
    assert masks.masked_weights_are_exactly_zero(tokens=3, seeds=2) == {"tokens": 3, "seeds": 2}
    right = masks.attend
    leaky = {
        "a masked pair": lambda q, k, v, mask: right(q, k, v, mask) + 1e-9 * np.eye(len(q), k=len(q) - 1),
        "a visible pair": lambda q, k, v, mask: right(q, k, v, mask) * (1 - np.eye(len(q))),
    }
    for message, broken in leaky.items():
        monkeypatch.setattr(masks, "attend", broken)
        with pytest.raises(AssertionError, match=message):
            masks.masked_weights_are_exactly_zero()


def test_counts_need_no_room_for_the_mask() -> None:
    """A mask of a hundred thousand tokens would take ten gigabytes."""
    assert masks.visible_pairs(100_000, 100_000) == sum(range(100_001))
    assert masks.visible_pairs(3, 100_000, window=5) == 15
    assert masks.visible_keys(99_999, 100_000, 100_000) == 100_000


@pytest.mark.parametrize("shape", [(7, 4), (3, 7, 4)])
def test_attention_equals_that_of_torch(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = np.random.default_rng(0).standard_normal((3, *shape))
    mask = masks.visible(7, 7, "lower-right")
    tensors = (torch.from_numpy(a)[None] for a in (q, k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, attn_mask=torch.from_numpy(mask))
    assert np.allclose(masks.attend(q, k, v, mask), expected[0].numpy(), atol=1e-12)


@witnesses("masks.order_needs_a_mask_or_positions")
def test_attention_of_torch_permutes_with_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, order = rng.standard_normal((9, 4)), rng.permutation(9)
    assert np.allclose(
        self_attention(torch, x[order], None), self_attention(torch, x, None)[order], atol=1e-12
    )
    causal = np.tri(9, dtype=bool)
    moved = self_attention(torch, x[order], causal) - self_attention(torch, x, causal)[order]
    assert np.abs(moved).max() > 0.1
    early = np.append(rng.permutation(8), 8)
    assert np.allclose(
        self_attention(torch, x[early], causal)[-1], self_attention(torch, x, causal)[-1], atol=1e-12
    )
    again = [self_attention(torch, self_attention(torch, rows, causal), causal)[-1] for rows in (x, x[early])]
    assert np.abs(again[0] - again[1]).max() > 0.01
    tried = masks.order_needs_a_mask_or_positions(tokens=5, seeds=2)
    assert (tried["tokens"], tried["seeds"]) == (5, 2)
    right = masks.layer
    place = np.arange(12)[:, None]

    def one_apart(projections: np.ndarray, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Tell order under the mask by one, and only in the first row."""
        return np.where(place == 0, float(not mask.all() and x[0, 0] > x[1, 0]), 0.0)

    broken = {
        "permuted output": lambda w, x, mask: right(w, x, mask) + place * mask.all(),
        "mask is blind": lambda w, x, mask: right(w, x, np.full_like(mask, True)),
        "last token": lambda w, x, mask: right(w, x, mask) + x[0] * (not mask.all()),
        "causal mask is blind": lambda w, x, mask: np.ones_like(x),
        "two layers": lambda w, x, mask: np.where(mask.all() or place < 11, right(w, x, mask), 1.0),
    }
    for message, function in broken.items():
        monkeypatch.setattr(masks, "layer", function)
        with pytest.raises(AssertionError, match=message):
            masks.order_needs_a_mask_or_positions()
    monkeypatch.setattr(masks, "layer", one_apart)
    with pytest.raises(AssertionError, match="mask is blind"):
        masks.order_needs_a_mask_or_positions(tolerance=1)

    def one_apart_in_the_second_layer(projections: np.ndarray, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Mark the order by two in the first row, and the mark by one in the last row of the next layer."""
        first = 2.0 * (not mask.all() and x[0, 0] > x[1, 0])
        marks = np.where(place == 0, first, np.where(place == 11, float(x[0, 0] == 2), 0.0))
        return np.append(marks, np.zeros((12, 1)), axis=1)

    monkeypatch.setattr(masks, "layer", one_apart_in_the_second_layer)
    masks.order_needs_a_mask_or_positions(seeds=1, tolerance=0.9)
    with pytest.raises(AssertionError, match="two layers"):
        masks.order_needs_a_mask_or_positions(seeds=1, tolerance=1)


@witnesses("masks.padding_needs_a_mask")
def test_encoder_of_torch_ignores_masked_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(1, 7, 8)
    padding = torch.arange(7)[None] >= 5
    alone = attention(x[:, :5], x[:, :5], x[:, :5])[0]
    assert torch.allclose(attention(x, x, x, key_padding_mask=padding)[0][:, :5], alone, atol=1e-6)
    assert not torch.allclose(attention(x, x, x)[0][:, :5], alone, atol=1e-2)
    tried = masks.padding_needs_a_mask(tokens=2, padding=1)
    assert (tried["tokens"], tried["padding"]) == (2, 1)
    right = masks.layer
    broken = {
        "masked padding": lambda w, x, mask: right(w, x, np.full_like(mask, True)),
        "not masked": lambda w, x, mask: right(w, x, mask & (np.arange(len(mask)) < 8)),
    }
    for message, function in broken.items():
        monkeypatch.setattr(masks, "layer", function)
        with pytest.raises(AssertionError, match=message):
            masks.padding_needs_a_mask()
    monkeypatch.setattr(masks, "layer", lambda w, x, mask: x * 0 + (mask.all() and len(x) == 11))
    with pytest.raises(AssertionError, match="not masked"):
        masks.padding_needs_a_mask(tolerance=1)


@witnesses("masks.mask_of_heads_broadcasts_wrongly_without_them")
def test_torch_too_adds_an_axis_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    q = torch.randn(2, 5, 8)
    mask = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    output = torch.softmax((q @ q.mT).masked_fill(~mask, -torch.inf), -1) @ q
    assert output.shape == (2, 2, 5, 8)
    heads = q[:, None].expand(2, 3, 5, 8)
    assert torch.nn.functional.scaled_dot_product_attention(heads, heads, heads, mask).shape == (2, 3, 5, 8)
    tried = masks.mask_of_heads_broadcasts_wrongly_without_them(batch=3, heads=2, tokens=4, width=2)
    assert (tried["batch"], tried["heads"], tried["tokens"], tried["width"]) == (3, 2, 4, 2)
    right, given = masks.attend, []

    def spy(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
        given.append(mask)
        return right(q, k, v, mask)

    monkeypatch.setattr(masks, "attend", spy)
    masks.mask_of_heads_broadcasts_wrongly_without_them(batch=50, tokens=20)
    assert given[0].shape == (50, 1, 1, 20)
    assert given[0][..., 0].all()
    assert 0.4 < given[0][..., 1:].mean() < 0.6

    def mixes_sequences(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return right(q, k[::-1], v[::-1], mask) if q.ndim == 4 else right(q, k, v, mask)

    broken = {
        "with heads": lambda q, k, v, mask: right(q, k, v, mask)[..., :1],
        "a sequence": mixes_sequences,
        "without heads": lambda q, k, v, mask: right(
            q, k, v, mask if q.ndim == 4 or mask.ndim < 4 else mask[:, 0]
        ),
    }
    for message, function in broken.items():
        monkeypatch.setattr(masks, "attend", function)
        with pytest.raises(AssertionError, match=message):
            masks.mask_of_heads_broadcasts_wrongly_without_them()


@pytest.mark.parametrize(
    "call",
    [
        lambda: masks.visible_pairs(0, 1),
        lambda: masks.visible_pairs(1, 0),
        lambda: masks.visible_pairs(1, 1, "lower-left"),
        lambda: masks.visible_pairs(1, 1, window=0),
        lambda: masks.visible_pairs(1, 1, window=True),
        lambda: masks.visible(0, 1, "upper-left"),
        lambda: masks.visible_keys(-1, 2, 2),
        lambda: masks.visible_keys(2, 2, 2),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
