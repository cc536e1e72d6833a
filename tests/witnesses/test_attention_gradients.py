"""Independent ways to the claims of verifiers/attention_gradients.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention_gradients, gradients
from verifiers.attention_gradients import Gradients


def sdpa_gradients(q: np.ndarray, k: np.ndarray, v: np.ndarray, do: np.ndarray, causal: bool) -> Gradients:
    """Gradients by PyTorch's own fused attention, its mask given as booleans."""
    torch = pytest.importorskip("torch")
    leaves = [torch.from_numpy(a)[None].requires_grad_() for a in (q, k, v)]
    mask = None
    if causal:
        offset = len(k) - len(q)
        mask = torch.tensor([[j <= i + offset for j in range(len(k))] for i in range(len(q))])
    output = torch.nn.functional.scaled_dot_product_attention(*leaves, attn_mask=mask)
    grads = torch.autograd.grad(output, leaves, torch.from_numpy(do)[None])
    return Gradients(*(g[0].numpy() for g in grads))


SHAPES = ((6, 6), (3, 8))


def broken(change: str) -> attention_gradients.Backward:
    """Return the closed form with one thing wrong."""
    right = attention_gradients.backward

    def backward(q: np.ndarray, k: np.ndarray, v: np.ndarray, do: np.ndarray, causal: bool) -> Gradients:
        dq, dk, dv = right(q, k, v, do, causal)
        if change == "unscaled":
            return Gradients(dq * q.shape[1] ** 0.5, dk, dv)
        if change == "no row sum":
            p = attention_gradients.weights(q, k, causal)
            return Gradients(p * (do @ v.T) @ k / q.shape[1] ** 0.5, dk, dv)
        if change == "dK nudged":
            return Gradients(dq, dk + 1e-9, dv)
        return Gradients(dq, dk, dv + 1e-9)

    return backward


@witnesses("attention_gradients.backward_is_exact")
def test_backward_equals_fused_attention_of_torch_and_breaks_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for problem in attention_gradients.problems(SHAPES, 4):
        got, expected = attention_gradients.backward(*problem), sdpa_gradients(*problem)
        for ours, theirs in zip(got, expected, strict=True):
            assert np.allclose(ours, theirs, atol=1e-12)
    tried = attention_gradients.backward_is_exact(shapes=((2, 5),), width=9)
    assert (tried["shapes"], tried["masks"]) == ("2x5", "none, causal")
    with pytest.raises(AssertionError, match="autograd"):
        attention_gradients.backward_is_exact(autograd_tolerance=1e-20)
    with pytest.raises(AssertionError, match="difference"):
        attention_gradients.backward_is_exact(difference_tolerance=1e-20)
    for change in ("unscaled", "no row sum", "dK nudged", "dV nudged"):
        monkeypatch.setattr(attention_gradients, "backward", broken(change))
        with pytest.raises(AssertionError, match="off by"):
            attention_gradients.backward_is_exact()
        monkeypatch.undo()


def test_problems_are_of_each_shape_with_and_without_a_mask() -> None:
    found = list(attention_gradients.problems(SHAPES, 4))
    assert [(len(q), len(k), causal) for q, k, _v, _do, causal in found] == [
        (6, 6, False),
        (6, 6, True),
        (3, 8, False),
        (3, 8, True),
    ]
    assert {array.shape[1] for *arrays, _causal in found for array in arrays} == {4}


def misquoted(p: np.ndarray, g: np.ndarray) -> np.ndarray:
    """A form seen in print, quadratic in the gradient that comes in."""
    return p * g - p * (p * g) * g


@witnesses("attention_gradients.score_gradient_is_linear_and_centred")
def test_gradient_at_scores_of_torch_is_linear_with_rows_of_sum_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    scores, one, other = torch.randn(3, 4, 7, dtype=torch.float64, generator=generator)
    p = torch.softmax(scores.requires_grad_(), 1)
    grads = [torch.autograd.grad(p, scores, g, retain_graph=True)[0] for g in (one, other, one - 2 * other)]
    assert torch.allclose(grads[2], grads[0] - 2 * grads[1], atol=1e-15)
    assert torch.allclose(grads[2].sum(1), torch.zeros(4, dtype=torch.float64), atol=1e-15)
    assert not np.allclose(misquoted(p.detach().numpy(), one.numpy()), grads[0].numpy(), atol=0.1)
    attention_gradients.score_gradient_is_linear_and_centred()
    attention_gradients.score_gradient_is_linear_and_centred(shapes=((2, 3),), width=5)
    wrong = {
        "a sum": misquoted,
        "a row": lambda p, g: p * g,
    }
    for message, formula in wrong.items():
        monkeypatch.setattr(attention_gradients, "softmax_backward", formula)
        with pytest.raises(AssertionError, match=message):
            attention_gradients.score_gradient_is_linear_and_centred()


@witnesses("attention_gradients.delta_needs_no_weights")
def test_delta_is_the_derivative_of_the_loss_along_a_scaled_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """dO · O is the change of the loss as the values, hence the output, are scaled: Euler."""
    torch = pytest.importorskip("torch")
    for q, k, v, do, causal in attention_gradients.problems(SHAPES, 4):
        p = torch.from_numpy(attention_gradients.weights(q, k, causal)).requires_grad_()
        loss = (p @ torch.from_numpy(v) * torch.from_numpy(do)).sum()
        (dp,) = torch.autograd.grad(loss, p)
        scale = torch.ones(len(q), 1, dtype=torch.float64, requires_grad=True)
        output = scale * (p.detach() @ torch.from_numpy(v))
        (delta,) = torch.autograd.grad((output * torch.from_numpy(do)).sum(), scale)
        assert torch.allclose(delta[:, 0], (p * dp).sum(1), atol=1e-13)
        assert np.allclose(attention_gradients.delta(output.detach().numpy(), do), delta[:, 0], atol=1e-13)
    attention_gradients.delta_needs_no_weights()
    monkeypatch.setattr(attention_gradients, "delta", lambda o, do: (do * o).sum(axis=1) + 1e-9)
    with pytest.raises(AssertionError, match="delta"):
        attention_gradients.delta_needs_no_weights()


@witnesses("attention_gradients.masked_pairs_get_no_gradient")
def test_no_gradient_flows_to_keys_after_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, 6, 4))
    for row in range(6):
        do = np.zeros((6, 4))
        do[row] = 1.0
        dq, dk, dv = sdpa_gradients(q, k, v, do, True)
        assert np.abs(dq[0]).max() < 1e-15  # the first query sees one key
        assert (dk[row + 1 :] == 0).all()
        assert (dv[row + 1 :] == 0).all()
        assert (dv[: row + 1] != 0).any(axis=1).all()
    leaky = attention_gradients.weights
    monkeypatch.setattr(attention_gradients, "weights", lambda q, k, causal: leaky(q, k, False))
    with pytest.raises(AssertionError, match="masked pair"):
        attention_gradients.masked_pairs_get_no_gradient()
    monkeypatch.undo()
    right = attention_gradients.score_gradient

    def nudged(q: np.ndarray, k: np.ndarray, v: np.ndarray, do: np.ndarray, causal: bool) -> np.ndarray:
        ds = right(q, k, v, do, causal)
        ds[0, 0] += 1e-9 * (causal and len(q) == len(k))
        return ds

    def silent(q: np.ndarray, k: np.ndarray, v: np.ndarray, do: np.ndarray, causal: bool) -> np.ndarray:
        ds = right(q, k, v, do, causal)
        ds[-1, 0] *= causal
        return ds

    for message, function in {"one visible key": nudged, "has none": silent}.items():
        monkeypatch.setattr(attention_gradients, "score_gradient", function)
        with pytest.raises(AssertionError, match=message):
            attention_gradients.masked_pairs_get_no_gradient()
    monkeypatch.undo()
    assert attention_gradients.masked_pairs_get_no_gradient(shapes=((4, 4),)) == {
        "shapes": "4x4",
        "masks": "none, causal",
    }


@witnesses("attention_gradients.grouped_gradients_add")
def test_gradient_of_a_copied_head_is_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy one head inside the graph: autograd adds what the copies receive."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    q, do = rng.standard_normal((2, 3, 6, 4))
    k, v = rng.standard_normal((2, 6, 4))
    key = torch.from_numpy(k).requires_grad_()
    output = torch.nn.functional.scaled_dot_product_attention(
        torch.from_numpy(q), key.expand(3, 6, 4), torch.from_numpy(v).expand(3, 6, 4)
    )
    (shared,) = torch.autograd.grad(output, key, torch.from_numpy(do))
    single = sum(sdpa_gradients(q[h], k, v, do[h], False).dk for h in range(3))
    assert np.allclose(shared.numpy(), single, atol=1e-12)
    attention_gradients.grouped_gradients_add()
    tried = attention_gradients.grouped_gradients_add(query_heads=6, kv_heads=2, tokens=3, width=2)
    assert (tried["query_heads"], tried["kv_heads"]) == (6, 2)
    right = attention_gradients.backward
    for name in ("dk", "dv"):

        def halved(*problem: object, name: str = name) -> Gradients:
            found = right(*problem)  # type: ignore[arg-type]
            return found._replace(**{name: getattr(found, name) / 2})

        monkeypatch.setattr(attention_gradients, "backward", halved)
        with pytest.raises(AssertionError, match=f"d{name[1].upper()}"):
            attention_gradients.grouped_gradients_add()
    with pytest.raises(ValueError, match="query heads"):
        attention_gradients.grouped_gradients_add(query_heads=3, kv_heads=2)


@witnesses("attention_gradients.saturation_spares_values")
def test_one_hot_rows_pass_gradient_to_values_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    q, k, v, do = rng.standard_normal((4, 12, 16))
    dq, dk, dv = sdpa_gradients(1000 * q, 1000 * k, v, do, False)
    assert max(np.abs(dq).max(), np.abs(dk).max()) < 1e-6
    chosen = (q @ k.T).argmax(axis=1)
    expected = np.zeros_like(v)
    np.add.at(expected, chosen, do)
    assert np.allclose(dv, expected, atol=1e-9)
    wrong = gradients.WRONG["no_row_sum"]
    monkeypatch.setattr(attention_gradients, "softmax_backward", wrong)
    with pytest.raises(AssertionError, match="survive"):
        attention_gradients.saturation_spares_values()
    monkeypatch.undo()
    right = attention_gradients.backward
    hard, given = 30.0, []

    def spy(q: np.ndarray, k: np.ndarray, *rest: object) -> Gradients:
        given.append((q, k))
        return right(q, k, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(attention_gradients, "backward", spy)
    attention_gradients.saturation_spares_values(seeds=1, gain=500.0)
    (q, k), scaled = given
    assert np.allclose(scaled, (500 * q, 500 * k))
    assert np.array_equal((q, k), np.random.default_rng(0).standard_normal((4, 16, 32))[:2])

    def fixed(*sizes: float) -> attention_gradients.Backward:
        """Gradients of size two while soft, and of these times two where scaled up."""

        def backward(q: np.ndarray, *_rest: object) -> Gradients:
            return Gradients(*(np.array([2 * size if np.abs(q).max() > hard else 2.0]) for size in sizes))

        return backward

    for sizes, message in {
        (1e-6, 0.0, 2.0): "survive",
        (0.0, 1e-6, 2.0): "survive",
        (0.0, 0.0, 1.0): "shrinks",
    }.items():
        monkeypatch.setattr(attention_gradients, "backward", fixed(*sizes))
        with pytest.raises(AssertionError, match=message):
            attention_gradients.saturation_spares_values()
    monkeypatch.setattr(attention_gradients, "backward", fixed(9e-7, 9e-7, 1.1))
    assert attention_gradients.saturation_spares_values(seeds=2)["seeds"] == 2
    monkeypatch.setattr(attention_gradients, "backward", right)
