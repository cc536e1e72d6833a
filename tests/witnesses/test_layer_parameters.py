"""Parameters of single layers, counted on PyTorch's own layers."""

from __future__ import annotations

from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import layer_parameters


def size(*modules: Any) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@witnesses("layer_parameters.attention")
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("d_model", "heads", "kv_heads", "head_dim"),
    [(48, 6, None, None), (48, 6, 2, None), (48, 6, 3, 5), (64, 8, 1, None), (9, 1, 1, 1), (10, 3, 3, 7)],
)
def test_attention_is_four_linear_maps(
    d_model: int, heads: int, kv_heads: int | None, head_dim: int | None, bias: bool
) -> None:
    nn = pytest.importorskip("torch").nn
    width = head_dim or d_model // heads
    inner, keys = heads * width, (kv_heads or heads) * width
    maps = [(d_model, inner), (d_model, keys), (d_model, keys), (inner, d_model)]
    built = size(*(nn.Linear(*shape, bias=bias, device="meta") for shape in maps))
    assert layer_parameters.attention(d_model, heads, kv_heads, head_dim, bias) == built


def test_attention_without_shared_heads_equals_that_of_pytorch() -> None:
    nn = pytest.importorskip("torch").nn
    for heads in (1, 2, 8, 12):
        for bias in (False, True):
            theirs = nn.MultiheadAttention(96, heads, bias=bias, device="meta")
            assert layer_parameters.attention(96, heads, bias=bias) == size(theirs)
            assert layer_parameters.attention(96, heads) == 4 * 96**2


@pytest.mark.parametrize(
    "shape", [(0, 1), (8, 0), (8, 3), (8, 4, 3), (8, 4, 0), (8, 4, 2, 0), (8.0, 2), (0, 1, 1, 1)]
)
def test_impossible_attention_is_refused(shape: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError):
        layer_parameters.attention(*shape)


@witnesses("layer_parameters.latent_attention")
@pytest.mark.parametrize(
    ("d", "heads", "width", "kv_rank", "rope", "q_rank"), [(40, 4, 8, 12, 6, 0), (40, 3, 7, 12, 5, 9)]
)
def test_latent_attention_is_its_linear_maps(
    d: int, heads: int, width: int, kv_rank: int, rope: int, q_rank: int
) -> None:
    nn = pytest.importorskip("torch").nn
    queries = heads * (width + rope)
    maps = [(d, kv_rank + rope), (kv_rank, heads * 2 * width), (heads * width, d)]
    maps += [(d, q_rank), (q_rank, queries)] if q_rank else [(d, queries)]
    built = size(*(nn.Linear(*shape, bias=False, device="meta") for shape in maps))
    assert layer_parameters.latent_attention(d, heads, width, kv_rank, rope, q_rank) == built
    if not q_rank:
        assert layer_parameters.latent_attention(d, heads, width, kv_rank, rope) == built


def test_impossible_latent_attention_is_refused() -> None:
    smallest = (1, 1, 1, 1, 1, 0)
    assert layer_parameters.latent_attention(*smallest) == 2 + 2 + 2 + 1
    for index in range(6):
        wrong = [*smallest[:index], -1 if index == 5 else 0, *smallest[index + 1 :]]
        with pytest.raises(ValueError):
            layer_parameters.latent_attention(*wrong)


@witnesses("layer_parameters.feed_forward")
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gated", [False, True])
def test_a_feed_forward_block_is_two_or_three_linear_maps(gated: bool, bias: bool) -> None:
    nn = pytest.importorskip("torch").nn
    inwards = [nn.Linear(24, 70, bias=bias, device="meta") for _ in range(1 + gated)]
    built = size(*inwards, nn.Linear(70, 24, bias=bias, device="meta"))
    assert layer_parameters.feed_forward(24, 70, gated, bias) == built
    assert layer_parameters.feed_forward(24, 70) == 2 * 24 * 70
    assert layer_parameters.feed_forward(1, 1) == 2
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            layer_parameters.feed_forward(*wrong)


@witnesses("layer_parameters.embedding")
def test_a_tied_head_is_the_embedding() -> None:
    nn = pytest.importorskip("torch").nn
    table = nn.Embedding(500, 12, device="meta")
    own, shared = (nn.Linear(12, 500, bias=False, device="meta") for _ in range(2))
    shared.weight = table.weight
    distinct = {id(parameter): parameter.numel() for parameter in (table.weight, shared.weight)}
    assert layer_parameters.embedding(500, 12) == sum(distinct.values())
    assert layer_parameters.embedding(500, 12, tied=False) == size(table, own)
    assert layer_parameters.embedding(1, 1) == 1
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            layer_parameters.embedding(*wrong)


@witnesses("layer_parameters.gated_width")
@pytest.mark.parametrize(
    ("d_model", "multiple", "multiplier", "released"),
    [
        # llama 7b, 13b, 33b, 65b; llama 2 and 3 70b; llama 3 8b; llama 3.2 1b
        (4096, 256, 1.0, 11008),
        (5120, 256, 1.0, 13824),
        (6656, 256, 1.0, 17920),
        (8192, 256, 1.0, 22016),
        (8192, 4096, 1.3, 28672),
        (4096, 1024, 1.3, 14336),
        (2048, 256, 1.5, 8192),
    ],
)
def test_the_rule_gives_the_released_widths(
    d_model: int, multiple: int, multiplier: float, released: int
) -> None:
    assert layer_parameters.gated_width(d_model, multiple, multiplier) == released
    if multiplier == 1:
        assert layer_parameters.gated_width(d_model) == released


def test_the_rule_rounds_down_twice_and_up_once() -> None:
    for d_model in range(1, 200):
        for multiple, multiplier in ((1, 1.0), (1, 1.3), (7, 0.9), (32, 1.0)):
            inner = int(2 * (4 * d_model) / 3)
            inner = int(multiplier * inner)
            while inner % multiple:
                inner += 1
            assert layer_parameters.gated_width(d_model, multiple, multiplier) == inner
    for wrong in ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0), (1, 1, -1)):
        with pytest.raises(ValueError):
            layer_parameters.gated_width(*wrong)


@witnesses("layer_parameters.equal_width")
def test_equal_widths_hold_equal_parameters() -> None:
    assert layer_parameters.equal_width(4 * 768) == 8 * 768 / 3
    for d_ff, matrices, instead_of in ((30, 3, 2), (30, 2, 3), (1, 1, 1), (96, 4, 2)):
        width = layer_parameters.equal_width(d_ff, matrices, instead_of)
        assert matrices * width == instead_of * d_ff
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError):
            layer_parameters.equal_width(*wrong)
