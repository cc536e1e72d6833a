"""Blocks built a second time in PyTorch: autograd's Jacobians, its attention, its gradients."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import blocks


def tensors(*arrays: Any) -> list[Any]:
    torch = pytest.importorskip("torch")
    return [torch.tensor(array) for array in arrays]


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([*shape, seed]).standard_normal(shape)


def test_random_matrices_keep_the_length_of_what_they_multiply() -> None:
    generator = np.random.default_rng(5)
    tall, wide = blocks._matrices([(8, 2), (2, 8)], 5)
    np.testing.assert_array_equal(tall, generator.standard_normal((8, 2)) / math.sqrt(8))
    np.testing.assert_array_equal(wide, generator.standard_normal((2, 8)) / math.sqrt(2))


def test_relu_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    x = np.array([-2.0, -0.5, 0.0, 0.25, 3.0])
    np.testing.assert_array_equal(blocks.relu(x), torch.relu(torch.tensor(x)))


def test_one_number_that_differs_by_more_is_enough() -> None:
    first, second = np.array([1.0, 5.0, 2.0]), np.array([1.0, 2.0, 3.0])
    blocks.differ(first, second, 2.9, "alike")
    blocks.differ(second, first, 2.9, "alike")
    with pytest.raises(AssertionError, match="alike"):
        blocks.differ(first, second, 3.0, "alike")


def test_values_by_default() -> None:
    """Where the answer does not depend on an argument, only the signature tells its default."""
    for function, values in (
        (blocks.additions, {"width": 8, "tokens": 3}),
        (blocks.unseeing_rows, {"diagonal": 1}),
        (blocks.cross_attention, {"width": 8}),
    ):
        told = inspect.signature(function).parameters
        assert {name: told[name].default for name in values} == values


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (1, 1), (2, 6), (4, 4)])
def test_attention_is_pytorchs(queries: int, keys: int, causal: bool) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = normal(3, queries, 4), normal(3, keys, 4, seed=1), normal(3, keys, 6, seed=2)
    seen = torch.ones(queries, keys, dtype=torch.bool)
    if causal:  # the last query is the last token
        seen = seen.tril(keys - queries)
    theirs = torch.nn.functional.scaled_dot_product_attention(*tensors(q, k, v), attn_mask=seen)
    np.testing.assert_allclose(blocks.attention(q, k, v, causal), theirs, atol=1e-12)
    if not causal:
        np.testing.assert_allclose(blocks.attention(q, k, v), theirs, atol=1e-12)


def test_huge_scores_do_not_overflow() -> None:
    q = np.full((2, 4), 400.0)
    np.testing.assert_allclose(blocks.attention(q, q, np.eye(2, 3)), np.full((2, 3), [0.5, 0.5, 0]))


@witnesses("blocks.swiglu_gate_is_the_activated_branch")
def test_swiglu_is_that_of_a_llama() -> None:
    torch = pytest.importorskip("torch")
    x, gate, up, down = normal(5, 8), normal(8, 20), normal(8, 20, seed=1), normal(20, 8)
    tx, tg, tu, td = tensors(x, gate, up, down)
    theirs = (torch.nn.functional.silu(tx @ tg) * (tx @ tu)) @ td
    np.testing.assert_allclose(blocks.swiglu(x, gate, up, down), theirs, atol=1e-12)
    modeling = pytest.importorskip("transformers.models.llama.modeling_llama")
    from transformers import LlamaConfig

    mlp = modeling.LlamaMLP(LlamaConfig(hidden_size=8, intermediate_size=20, num_attention_heads=1)).double()
    for layer, weight in ((mlp.gate_proj, tg), (mlp.up_proj, tu), (mlp.down_proj, td)):
        layer.weight.data = weight.T
    np.testing.assert_allclose(blocks.swiglu(x, gate, up, down), mlp(tx).detach(), atol=1e-12)
    assert blocks.swiglu_gate_is_the_activated_branch()["inner"] == 20


def _swapped(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return (blocks.silu(x @ up) * (x @ gate)) @ down


def _bilinear(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return ((x @ gate) * (x @ up)) @ down


def _leaky(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return (np.maximum(x @ gate, 0.01 * (x @ gate)) * (x @ up)) @ down


def _both(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return (blocks.silu(x @ gate) * np.maximum(x @ up, 0)) @ down


def _ungated(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return blocks.silu(x @ gate) @ down


def _ajar(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return ((blocks.silu(x @ gate) + 0.01) * (x @ up)) @ down


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (_ajar, "closed gate"),
        (_swapped, "not linear in W₃"),
        (_bilinear, "linear in W₁"),
        (_leaky, "linear in W₁|closed gate"),
        (_both, "linear branch closes"),
        (_ungated, "not linear in W₃"),
    ],
)
def test_the_gates_check_notices_another_gate(
    monkeypatch: pytest.MonkeyPatch, broken: Any, told: str
) -> None:
    monkeypatch.setattr(blocks, "swiglu", broken)
    with pytest.raises(AssertionError, match=told):
        blocks.swiglu_gate_is_the_activated_branch()


@witnesses("blocks.placements_differ_in_the_skip")
@pytest.mark.parametrize("placement", ["pre", "post"])
def test_jacobians_of_both_placements_by_autograd(placement: str) -> None:
    torch = pytest.importorskip("torch")
    up, down, x = tensors(normal(6, 12), normal(12, 6), normal(6))

    def norm(at: Any) -> Any:
        return torch.nn.functional.layer_norm(at, (6,), eps=0.0)

    def f(at: Any) -> Any:
        return torch.tanh(at @ up) @ down

    jacobian = torch.autograd.functional.jacobian
    one = torch.eye(6, dtype=torch.float64)
    if placement == "pre":
        whole = jacobian(lambda at: at + f(norm(at)), x)
        told = one + jacobian(f, norm(x)) @ jacobian(norm, x)
        ours = blocks.pre_norm(x.numpy(), lambda at: f(torch.tensor(at)).numpy())
        theirs = x + f(norm(x))
    else:
        whole = jacobian(lambda at: norm(at + f(at)), x)
        told = jacobian(norm, x + f(x)) @ (one + jacobian(f, x))
        ours = blocks.post_norm(x.numpy(), lambda at: f(torch.tensor(at)).numpy())
        theirs = norm(x + f(x))
    torch.testing.assert_close(whole, told, atol=1e-12, rtol=0)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert blocks.placements_differ_in_the_skip()["seeds"] == 4


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("pre_norm", lambda x, f: blocks.layer_norm(x) + f(blocks.layer_norm(x))),
        ("pre_norm", lambda x, f: x - f(blocks.layer_norm(x))),
        ("pre_norm", lambda x, f: x + f(x)),
        ("post_norm", lambda x, f: x + blocks.layer_norm(f(x))),
        ("post_norm", lambda x, f: blocks.layer_norm(f(x))),
    ],
)
def test_the_placements_check_notices_another_skip(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any]
) -> None:
    broken.__name__ = name
    monkeypatch.setattr(blocks, name, broken)
    with pytest.raises(AssertionError, match=name):
        blocks.placements_differ_in_the_skip()


def test_the_placements_check_tries_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    right = blocks._matrices

    def matrices(shapes: Any, seed: int) -> Any:
        tried.append(seed)
        assert shapes == [(3, 6), (6, 3), (1, 3)]
        return right(shapes, seed)

    monkeypatch.setattr(blocks, "_matrices", matrices)
    blocks.placements_differ_in_the_skip(width=3, seeds=3)
    assert tried == [0, 1, 2]
    with pytest.raises(AssertionError):
        blocks.placements_differ_in_the_skip(width=3, seeds=1, tolerance=-1.0)


@witnesses("blocks.linear_blocks_collapse")
def test_a_block_without_activation_has_the_rank_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    up, down = torch.nn.Linear(8, 32, bias=False), torch.nn.Linear(32, 8, bias=False)
    x = torch.randn(50, 8)
    one = torch.nn.Linear(8, 8, bias=False)
    one.weight.data = down.weight @ up.weight
    torch.testing.assert_close(one(x), down(up(x)))
    assert torch.linalg.matrix_rank(up.weight.T @ down.weight.T) == 8
    bent = down(torch.relu(up(x)))
    assert (x @ torch.linalg.lstsq(x, bent).solution - bent).abs().max() > 0.01
    assert blocks.linear_blocks_collapse() == {"width": 8, "inner": 32, "tolerance": 1e-12}
    monkeypatch.setattr(blocks, "relu", lambda x: x)  # no activation after all
    with pytest.raises(AssertionError, match="with ReLU"):
        blocks.linear_blocks_collapse()


def test_the_collapse_must_be_exact() -> None:
    with pytest.raises(AssertionError, match="one matrix is off"):
        blocks.linear_blocks_collapse(tolerance=0.0)


@witnesses("blocks.prefixes_equal_the_full_pass")
def test_prefixes_of_a_llama_equal_its_full_pass() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        num_hidden_layers=2, hidden_size=8, intermediate_size=24, num_attention_heads=2, vocab_size=20
    )
    model = transformers.LlamaForCausalLM(config).double().eval()
    tokens = torch.randint(0, 20, (1, 7))
    with torch.no_grad():
        whole = model(tokens).logits
        for length in range(1, 8):
            part = model(tokens[:, :length]).logits
            torch.testing.assert_close(part, whole[:, :length], atol=1e-12, rtol=0)
    assert blocks.prefixes_equal_the_full_pass()["layers"] == 2


def test_the_prefixes_check_notices_a_missing_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    right = blocks.decoder
    monkeypatch.setattr(blocks, "decoder", lambda x, w, causal=True: right(x, w, causal=False))
    with pytest.raises(AssertionError, match="the prefix is off"):
        blocks.prefixes_equal_the_full_pass()
    monkeypatch.setattr(blocks, "decoder", lambda x, w, causal=True: right(x, w, causal=True))
    with pytest.raises(AssertionError, match="change nothing"):
        blocks.prefixes_equal_the_full_pass()


def test_the_prefixes_check_tries_every_length(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    right = blocks.decoder

    def decoder(x: Any, w: Any, causal: bool = True) -> Any:
        lengths.append(len(x) if causal else -len(x))
        return right(x, w, causal)

    monkeypatch.setattr(blocks, "decoder", decoder)
    blocks.prefixes_equal_the_full_pass(layers=1, tokens=4)
    assert sorted(lengths) == [-4, -1, 1, 2, 3, 4, 4]


@witnesses("blocks.additions")
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_a_llama_adds_to_its_stream_twice_a_layer(layers: int) -> None:
    """Count additions of whole states in a trace of PyTorch's operators."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[Any] = []

    class Trace(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.aten.add.Tensor and all(
                torch.is_tensor(a) and a.shape == (1, 3, 8) and a.is_floating_point() for a in args[:2]
            ):
                found.append(args[0])
            return func(*args, **(kwargs or {}))

    config = transformers.LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=8,
        intermediate_size=24,
        num_attention_heads=2,
        vocab_size=20,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    with Trace(), torch.no_grad():
        model(torch.tensor([[1, 2, 3]]), use_cache=False)
    assert blocks.additions(layers) == len(found) == blocks.additions(layers, width=2, tokens=1)


def test_the_small_decoder_is_that_of_the_paper() -> None:
    torch = pytest.importorskip("torch")
    w, x = blocks.weights(2, 6, seed=3), normal(4, 6)
    assert [m.shape for m in w] == ([(6, 6)] * 4 + [(6, 18)] * 2 + [(18, 6)]) * 2
    assert len({float(m[0, 0]) for m in w}) == 14
    assert np.mean([m.std() * math.sqrt(len(m)) for m in w]) == pytest.approx(1, abs=0.15)
    for causal in (False, True):
        state = torch.tensor(x)
        for layer in range(2):
            q, k, v, o, gate, up, down = tensors(*w[7 * layer : 7 * layer + 7])
            n = torch.nn.functional.layer_norm(state, (6,), eps=0.0)
            attended = torch.nn.functional.scaled_dot_product_attention(n @ q, n @ k, n @ v, is_causal=causal)
            state = state + attended @ o
            n = torch.nn.functional.layer_norm(state, (6,), eps=0.0)
            state = state + (torch.nn.functional.silu(n @ gate) * (n @ up)) @ down
        theirs = torch.nn.functional.layer_norm(state, (6,), eps=0.0)
        log: list[str] = []
        np.testing.assert_allclose(blocks.decoder(x, w, causal, log), theirs, atol=1e-12)
        assert log == ["attention", "feed-forward"] * 2
    np.testing.assert_allclose(blocks.decoder(x, w), theirs, atol=1e-12)
    assert all(
        np.array_equal(a, b) for a, b in zip(blocks.weights(1, 4), blocks.weights(1, 4, 0), strict=True)
    )


def test_a_decoder_takes_seven_matrices_a_layer() -> None:
    with pytest.raises(ValueError):
        blocks.decoder(normal(3, 4), blocks.weights(2, 4)[:-1])


@pytest.mark.parametrize("wrong", [(0,), (1, 0), (1, 8, 0)])
def test_impossible_decoders_are_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        blocks.additions(*wrong)


@witnesses("blocks.unseeing_rows")
@pytest.mark.parametrize("diagonal", [-9, -2, -1, 0, 1, 2, 9])
@pytest.mark.parametrize("tokens", [1, 5])
def test_rows_that_see_nothing_are_undefined_in_pytorch(tokens: int, diagonal: int) -> None:
    torch = pytest.importorskip("torch")
    mask = torch.full((tokens, tokens), -torch.inf).triu(diagonal)
    undefined = torch.softmax(mask, dim=-1).isnan().any(dim=-1)
    assert blocks.unseeing_rows(tokens, diagonal) == int(undefined.sum())
    if diagonal == 1:
        assert blocks.unseeing_rows(tokens) == 0
    for wrong, why in (((0,), "tokens must be at least 1"), ((2, 0.5), "diagonal.* must be an integer")):
        with pytest.raises(ValueError, match=why):
            blocks.unseeing_rows(*wrong)


@witnesses("blocks.attention_links_every_pair_at_once")
def test_one_layer_links_every_pair_and_a_recurrence_neighbours() -> None:
    torch = pytest.importorskip("torch")
    x = torch.randn(6, 4, dtype=torch.float64)
    layer = torch.nn.functional.scaled_dot_product_attention
    linked = torch.autograd.functional.jacobian(lambda at: layer(at, at, at), x).abs().amax(dim=(1, 3)) > 0
    assert linked.all()
    cell = torch.nn.RNN(4, 4).double()
    # the state after each step depends on the inputs so far, one matrix product for each step between
    states = torch.autograd.functional.jacobian(lambda at: cell(at)[0], x).abs().amax(dim=(1, 3)) > 0
    assert torch.equal(states, torch.ones(6, 6).tril().bool())
    assert blocks.attention_links_every_pair_at_once()["tokens"] == 9


@pytest.mark.parametrize("width", [1, 3])
def test_the_linking_check_notices_a_mask(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    right = blocks.attention
    monkeypatch.setattr(blocks, "attention", lambda q, k, v: right(q, k, v, causal=True))
    with pytest.raises(AssertionError, match="outputs only"):
        blocks.attention_links_every_pair_at_once(width=width)


def test_the_linking_check_moves_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []
    right = blocks.attention

    def attention(q: Any, k: Any, v: Any) -> Any:
        assert np.array_equal(q, k) and np.array_equal(k, v)
        moved.append(int(np.flatnonzero(q.imag.any(axis=1))[0]))
        return right(q, k, v)

    monkeypatch.setattr(blocks, "attention", attention)
    blocks.attention_links_every_pair_at_once(tokens=5)
    assert moved == [0, 1, 2, 3, 4]
    blocks.attention_links_every_pair_at_once(tokens=4)


def test_the_weakest_link_must_exceed_the_floor() -> None:
    torch = pytest.importorskip("torch")
    (x,) = tensors(*blocks._matrices([(9, 4)], 0))

    def layer(at: Any) -> Any:
        return torch.nn.functional.scaled_dot_product_attention(at, at, at)

    jacobian = torch.autograd.functional.jacobian(layer, x)  # [output, feature, input, feature]
    weakest = float(jacobian.sum(dim=3).abs().amax(dim=1).min())
    blocks.attention_links_every_pair_at_once(floor=weakest * (1 - 1e-9))
    with pytest.raises(AssertionError, match="outputs only"):
        blocks.attention_links_every_pair_at_once(floor=weakest * (1 + 1e-9))


def test_a_link_at_the_floor_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "attention", lambda q, k, v: np.full(q.shape, 0.5j))
    blocks.attention_links_every_pair_at_once(step=0.25, floor=1.9)
    with pytest.raises(AssertionError, match="reaches 0 outputs only"):
        blocks.attention_links_every_pair_at_once(step=0.25, floor=2.0)


@witnesses("blocks.input_gradient")
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("depth", [1, 6, 12])
def test_gradients_at_the_input_by_autograd(depth: int, skip: bool) -> None:
    torch = pytest.importorskip("torch")
    norms = []
    for seed in range(3):
        generator = np.random.default_rng([seed, depth])
        x, upstream = tensors(generator.standard_normal(32), generator.standard_normal(32))
        x.requires_grad_()
        state = x
        for _ in range(depth):
            (weight,) = tensors(generator.uniform(-1, 1, (32, 32)) / math.sqrt(32))
            state = torch.relu(state @ weight) + (state if skip else 0)
        state.backward(upstream)
        norms.append(math.log(float(x.grad.norm() / upstream.norm())))
    told = blocks.input_gradient(depth, skip, width=32, seeds=3)
    assert told == pytest.approx(math.exp(sum(norms) / 3), rel=1e-9)


def test_gradients_shrink_by_a_factor_a_layer_and_not_with_skips() -> None:
    assert blocks.input_gradient(12) == blocks.input_gradient(12, False, 64, 4)
    told = blocks.input_gradient(10, width=256, seeds=8)
    assert told == pytest.approx((1 / 6) ** 5, rel=0.4)
    told = blocks.input_gradient(10, True, width=256, seeds=8)
    assert told == pytest.approx((7 / 6) ** 5, rel=0.4)
    for wrong in ((0,), (1, False, 0), (1, False, 1, 0)):
        with pytest.raises(ValueError):
            blocks.input_gradient(*wrong)


@witnesses("blocks.cross_attention")
def test_cross_attention_has_the_shapes_of_pytorchs_decoder_layer() -> None:
    torch = pytest.importorskip("torch")
    attend = torch.nn.MultiheadAttention(8, 1, batch_first=True)
    for queries, keys in ((3, 7), (7, 3), (1, 1)):
        out, weights = attend(*(torch.randn(1, n, 8) for n in (queries, keys)), torch.randn(1, keys, 8))
        told = blocks.cross_attention(queries, keys)
        assert told == {"rows": out.shape[1], "scores": weights.numel()}
        assert blocks.cross_attention(queries, keys, width=1) == told
    for wrong in ((0, 1), (1, 0), (1, 1, 0)):
        with pytest.raises(ValueError):
            blocks.cross_attention(*wrong)
