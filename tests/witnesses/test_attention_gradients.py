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


def broken(change: str) -> attention_gradients.Backward:
    """Return the closed form with one thing wrong."""

    def backward(q: np.ndarray, k: np.ndarray, v: np.ndarray, do: np.ndarray, causal: bool) -> Gradients:
        dq, dk, dv = attention_gradients.backward(q, k, v, do, causal)
        if change == "unscaled":
            return Gradients(dq * q.shape[1] ** 0.5, dk, dv)
        if change == "no row sum":
            p = attention_gradients.weights(q, k, causal)
            return Gradients(p * (do @ v.T) @ k / q.shape[1] ** 0.5, dk, dv)
        return Gradients(dq, dk, dv + 1e-6)

    return backward


@witnesses("attention_gradients.backward_is_exact")
def test_backward_equals_fused_attention_of_torch_and_breaks_are_caught() -> None:
    for problem in attention_gradients.problems():
        got, expected = attention_gradients.backward(*problem), sdpa_gradients(*problem)
        for ours, theirs in zip(got, expected, strict=True):
            assert np.allclose(ours, theirs, atol=1e-12)
    for change in ("unscaled", "no row sum", "dV nudged"):
        with pytest.raises(AssertionError, match="off by"):
            attention_gradients.compare(broken(change))


@witnesses("attention_gradients.delta_needs_no_weights")
def test_delta_is_the_derivative_of_the_loss_along_a_scaled_output() -> None:
    """dO · O is the change of the loss as the values, hence the output, are scaled: Euler."""
    torch = pytest.importorskip("torch")
    for q, k, v, do, causal in attention_gradients.problems():
        p = torch.from_numpy(attention_gradients.weights(q, k, causal)).requires_grad_()
        loss = (p @ torch.from_numpy(v) * torch.from_numpy(do)).sum()
        (dp,) = torch.autograd.grad(loss, p)
        scale = torch.ones(len(q), 1, dtype=torch.float64, requires_grad=True)
        output = scale * (p.detach() @ torch.from_numpy(v))
        (delta,) = torch.autograd.grad((output * torch.from_numpy(do)).sum(), scale)
        assert torch.allclose(delta[:, 0], (p * dp).sum(1), atol=1e-13)
    with pytest.raises(AssertionError, match="delta"):
        attention_gradients.compare_delta(lambda o, do, v: (do * v[: len(do)]).sum(axis=1))


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
    right = attention_gradients.backward

    def averages(*problem: object) -> Gradients:
        return Gradients(*(g / 2 for g in right(*problem)))  # type: ignore[arg-type]

    monkeypatch.setattr(attention_gradients, "backward", averages)
    with pytest.raises(AssertionError, match="dK"):
        attention_gradients.grouped_gradients_add()


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
