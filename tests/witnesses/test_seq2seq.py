"""Independent ways to the numbers of verifiers/seq2seq.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import encoders, seq2seq
from verifiers.masks import Array, Mask


def sees(kind: str, source: int, row: int, column: int) -> bool:
    """Whether a row sees a column, told from the definitions, one pair at a time."""
    if kind == "encoder":
        return True
    if kind == "causal":
        return column <= row
    return column < source or (row >= source and column <= row)


@witnesses("seq2seq.pairs")
@pytest.mark.parametrize("kind", seq2seq.KINDS)
@pytest.mark.parametrize(("source", "target"), [(1, 1), (5, 3), (2, 9)])
def test_pairs_counted_one_by_one(kind: str, source: int, target: int) -> None:
    n = source + target
    counted = np.array([[sees(kind, source, r, c) for c in range(n)] for r in range(n)])
    found = seq2seq.pairs(kind, source, target)
    assert isinstance(found, int)
    assert found == counted.sum()
    assert (seq2seq.mask(kind, source, target) == counted).all()


@witnesses("seq2seq.pairs")
def test_pairs_refuse_empty_sides_and_unknown_kinds() -> None:
    for source, target, named in ((0, 3, "source"), (3, 0, "target")):
        with pytest.raises(ValueError, match=f"^{named} must be at least 1"):
            seq2seq.pairs("causal", source, target)
    with pytest.raises(ValueError, match=r"^unknown kind 'window'"):
        seq2seq.pairs("window", 3, 3)
    with pytest.raises(ValueError, match=r"^unknown kind 'window'"):
        seq2seq.mask("window", 3, 3)


@witnesses("seq2seq.pairs")
def test_pairs_of_torchs_encoder_decoder() -> None:
    torch = pytest.importorskip("torch")
    s, t = 5, 3
    causal = torch.nn.Transformer.generate_square_subsequent_mask(t)
    inside = int(torch.isfinite(causal).sum())
    layer = torch.nn.MultiheadAttention(4, 1, batch_first=True)
    crossed = layer(torch.ones(1, t, 4), torch.ones(1, s, 4), torch.ones(1, s, 4))[1].numel()
    encoded = layer(*[torch.ones(1, s, 4)] * 3)[1].numel()
    assert seq2seq.pairs("encoder-decoder", s, t) == encoded + crossed + inside


@witnesses("seq2seq.predicted")
def test_predicted_tokens_of_shifted_labels_and_drawn_masks() -> None:
    tokens = np.arange(512)
    assert seq2seq.predicted("causal", 512) == len(tokens[1:])
    assert seq2seq.predicted("prefix", 512, prefix=200) == len(tokens[200:])
    assert seq2seq.predicted("prefix", 512, prefix=1) == len(tokens[1:])
    assert seq2seq.predicted("causal", 2) == len(tokens[:2][1:])
    drawn = np.random.default_rng(0).random((20000, 512)) < 0.15
    assert seq2seq.predicted("masked", 512) == pytest.approx(drawn.sum(axis=1).mean(), rel=0.005)
    for wrong in ({"tokens": 1}, {"tokens": 8, "masked": 1.5}, {"tokens": 8, "prefix": 9}):
        with pytest.raises(ValueError):
            seq2seq.predicted("masked", **wrong)
    with pytest.raises(ValueError):
        seq2seq.predicted("span", 512)
    with pytest.raises(ValueError, match="prefix must be at least 1"):
        seq2seq.predicted("prefix", 512)


@witnesses("seq2seq.visited")
@pytest.mark.parametrize("model", ["t5-small", "whisper-tiny"])
def test_visited_parameters_of_allocated_matrices(model: str) -> None:
    t5 = model == "t5-small"
    layers, d, inner, ff = (6, 512, 512, 2048) if t5 else (4, 384, 384, 1536)
    bias = not t5

    def project(rows: int, columns: int, biased: bool) -> int:
        return np.empty((rows, columns)).size + (columns if biased else 0)

    attention = 2 * project(d, inner, bias) + project(d, inner, False) + project(inner, d, bias)
    forward = project(d, ff, bias) + project(ff, d, bias)
    norm = d * (1 + bias)
    cross_kv = project(d, inner, False) + project(d, inner, bias)
    encoder = layers * (attention + forward + 2 * norm)
    decoder = layers * (2 * attention + forward + 3 * norm)
    found = seq2seq.visited(model)
    assert all(isinstance(count, int) for count in found.values())
    assert found["layers"] == encoder + decoder
    assert found["source"] == encoder + layers * cross_kv
    assert found["target"] == decoder - layers * cross_kv
    with pytest.raises(ValueError, match="not an encoder-decoder"):
        seq2seq.visited("bert-base")


@witnesses("seq2seq.visited")
def test_visited_parameters_of_torchs_layers_whose_keys_have_a_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch keeps queries, keys and values in one matrix and one bias, a third of the rows each."""
    torch = pytest.importorskip("torch")
    d, heads, ff, layers = 8, 2, 20, 3
    read, write = (encoders.Stack(layers, d, heads, ff, cross=cross) for cross in (False, True))
    monkeypatch.setitem(encoders.TABLE, "torch", encoders.Whisper(read, write, 10, 4, ""))
    encoder = torch.nn.TransformerEncoderLayer(d, heads, ff)
    decoder = torch.nn.TransformerDecoderLayer(d, heads, ff)
    joined = decoder.multihead_attn
    moved = joined.in_proj_weight[d:].numel() + joined.in_proj_bias[d:].numel()
    reads, writes = (sum(p.numel() for p in layer.parameters()) for layer in (encoder, decoder))
    assert seq2seq.visited("torch") == {
        "source": layers * (reads + moved),
        "target": layers * (writes - moved),
        "layers": layers * (reads + writes),
    }


@witnesses("seq2seq.cached")
def test_cached_keys_are_those_that_are_appended() -> None:
    held: list[int] = []
    for _ in range(12):
        keys = [0] * 40
        for _ in range(8):
            keys.append(0)
        held.append(len(keys))
    assert seq2seq.cached("decoder", 12, 40, 8) == sum(held)
    halved = seq2seq.cached("encoder-decoder", 12, 40, 8)
    assert isinstance(halved, int)
    assert halved == sum(held[:6])
    for wrong in (("encoder-decoder", 3, 4, 4), ("encoder", 4, 4, 4), ("decoder", 0, 4, 4)):
        with pytest.raises(ValueError):
            seq2seq.cached(*wrong)


@witnesses("seq2seq.a_longer_prefix_rewrites_all_of_it")
def test_a_prefix_by_torch_and_a_wrong_mask_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    assert seq2seq.a_longer_prefix_rewrites_all_of_it()["prefix"] == 6
    torch.manual_seed(0)
    x = torch.randn(1, 1, 9, 8, dtype=torch.float64)

    def first(prefix: int, tokens: int) -> Any:
        seen = torch.ones(tokens, tokens).tril().bool()
        seen[:, :prefix] = True
        y = x[:, :, :tokens]
        return torch.nn.functional.scaled_dot_product_attention(y, y, y, attn_mask=seen)[0, 0, :6]

    assert torch.allclose(first(6, 6), first(6, 9))
    assert (first(6, 6) - first(9, 9)).abs().amax(1).min() > 1e-3
    assert torch.allclose(first(0, 6), first(0, 9))
    right = seq2seq.mask
    monkeypatch.setattr(seq2seq, "mask", lambda kind, s, t: right("encoder", s, t))
    with pytest.raises(AssertionError, match="answered"):
        seq2seq.a_longer_prefix_rewrites_all_of_it()
    monkeypatch.setattr(seq2seq, "mask", lambda kind, s, t: right("causal", s, t))
    with pytest.raises(AssertionError, match="stayed"):
        seq2seq.a_longer_prefix_rewrites_all_of_it()
    monkeypatch.setattr(seq2seq, "mask", lambda kind, s, t: right(kind.replace("causal", "encoder"), s, t))
    with pytest.raises(AssertionError, match="a causal prompt that got longer"):
        seq2seq.a_longer_prefix_rewrites_all_of_it()


@witnesses("seq2seq.a_longer_prefix_rewrites_all_of_it")
def test_states_are_torchs_attention_added_to_its_input() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x, projections = torch.randn(5, 4).double(), torch.randn(3, 4, 4).double()
    seen = torch.ones(5, 5).tril().bool()
    q, k, v = (x @ projection for projection in projections)
    expected = x + torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    found = seq2seq.states(x.numpy(), seen.numpy(), projections.numpy())
    assert found == pytest.approx(expected.numpy(), rel=1e-12)


@witnesses("seq2seq.a_longer_prefix_rewrites_all_of_it")
def test_every_row_of_a_longer_prefix_must_move_in_one_component_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stand-ins move rows by how many tokens the first row sees: in one component, or all rows but the first."""

    def one_component(x: Array, seen: Mask, projections: Array) -> Array:
        return np.asarray(x + np.eye(x.shape[1])[0] * seen[0].sum())

    def all_but_the_first_row(x: Array, seen: Mask, projections: Array) -> Array:
        return np.asarray(x + (np.arange(len(x)) > 0)[:, None] * seen[0].sum())

    monkeypatch.setattr(seq2seq, "states", one_component)
    seq2seq.a_longer_prefix_rewrites_all_of_it()
    monkeypatch.setattr(seq2seq, "states", all_but_the_first_row)
    for least in (0.0, 1e-3):
        with pytest.raises(AssertionError, match="stayed as it was"):
            seq2seq.a_longer_prefix_rewrites_all_of_it(least=least)
