"""Witnesses of `verifiers/lora_updates.py`: real layers in PyTorch, and simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import lora, lora_updates

torch = pytest.importorskip("torch")


@witnesses("lora_updates.update_rms")
@pytest.mark.parametrize("rank", [1, 4, 64])
@pytest.mark.parametrize("rule, power", [("alpha/r", 1.0), ("alpha/sqrt(r)", 0.5)])
def test_update_rms_equals_a_simulation(rank: int, rule: str, power: float) -> None:
    generator = torch.Generator().manual_seed(rank)

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    squares = []
    for _ in range(40):
        x, a, b = normal(32, 48), 0.5 * normal(rank, 48), 3 * normal(32, rank)
        squares.append(((8 / rank**power) * (x @ a.T) @ b.T).square().mean())
    ours = lora_updates.update_rms(rank, 8, 48, rule, a_std=0.5, b_std=3)
    assert ours == pytest.approx(torch.stack(squares).mean().sqrt().item(), rel=0.08)
    unit = lora_updates.update_rms(rank, 8, 48, rule)
    assert unit == pytest.approx(8 / rank**power * (rank * 48) ** 0.5)
    assert lora_updates.update_rms(rank, 8, 48) == lora_updates.update_rms(rank, 8, 48, "alpha/r", 1, 1)


@witnesses("lora_updates.merging_error")
@pytest.mark.parametrize("rank, alpha, seed", [(3, 6.0, 0), (1, 16.0, 1), (8, 4.0, 0)])
def test_merging_error_of_a_layer(rank: int, alpha: float, seed: int) -> None:
    x, w, a, b, _ = map(torch.tensor, lora.random_case(seed, rank, 5, 16, 24))
    layer = torch.nn.Linear(24, 16, bias=False, dtype=torch.float64)
    update = torch.linalg.multi_dot([b, a, x.T]).T
    wanted = x @ w.T + alpha / rank * update
    size = torch.linalg.norm(x @ w.T)

    def error(merged: Any, branch: Any) -> float:
        layer.weight.data = merged
        return (torch.linalg.norm(layer(x) + branch - wanted) / size).item()

    right = w + alpha / rank * b @ a
    assert lora_updates.merging_error("alpha/r", rank, alpha, seed) == pytest.approx(error(w + b @ a, 0))
    twice = lora_updates.merging_error("branch", rank, alpha, seed)
    assert twice == pytest.approx(error(right, alpha / rank * update))
    assert lora_updates.merging_error("nothing", rank, alpha, seed) == pytest.approx(
        error(right, 0), abs=1e-13
    )
    assert lora_updates.merging_error("branch") == lora_updates.merging_error("branch", 3, 6.0, 0)


@witnesses("lora_updates.sum_rank")
@pytest.mark.parametrize("ranks", [(3, 3), (1,), (4, 8, 16), (30, 30)])
def test_sum_of_updates_has_as_many_singular_values(ranks: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(32, 48, dtype=torch.float64)
    for rank in ranks:
        factors = [
            torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((32, rank), (rank, 48))
        ]
        total += factors[0] @ factors[1]
    large = torch.linalg.svdvals(total) > 1e-9
    assert lora_updates.sum_rank(ranks) == int(large.sum()) == min(sum(ranks), 32)
    assert lora_updates.sum_rank(ranks, 5, 6) == min(sum(ranks), 5)


def test_default_shape_of_a_sum_is_32_by_48() -> None:
    assert lora_updates.sum_rank((40,)) == 32
    assert lora_updates.sum_rank((60,), rows=60) == 48


@witnesses("lora_updates.taking_off_restores_base")
def test_a_layer_without_its_branch_is_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    lora_updates.taking_off_restores_base()
    linear = torch.nn.Linear(6, 6, bias=False)
    x, before = torch.randn(3, 6), linear.weight.clone()
    branch = linear.register_forward_hook(lambda _, args, out: out + args[0].flip(-1))
    assert not torch.equal(linear(x), x @ before.T)
    branch.remove()
    assert torch.equal(linear(x), x @ before.T)
    right = lora.adapter_forward
    monkeypatch.setattr(lora, "adapter_forward", lambda x, w, a, b, scale: x @ w.T)
    with pytest.raises(AssertionError, match="no effect"):
        lora_updates.taking_off_restores_base()

    def writes(x: Any, w: Any, a: Any, b: Any, scale: float) -> Any:
        out = right(x, w, a, b, scale)
        w += scale * b @ a
        return out

    monkeypatch.setattr(lora, "adapter_forward", writes)
    with pytest.raises(AssertionError, match="written"):
        lora_updates.taking_off_restores_base()


@witnesses("lora_updates.only_factors_train")
def test_autograd_leaves_a_frozen_weight_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lora_updates.only_factors_train()
    torch.manual_seed(0)
    frozen = torch.nn.Linear(6, 5, bias=False).requires_grad_(False)
    a, b = torch.nn.Linear(6, 2, bias=False), torch.nn.Linear(2, 5, bias=False)
    torch.nn.init.zeros_(b.weight)
    x = torch.randn(3, 6, requires_grad=True)
    (frozen(x) + b(a(x))).square().sum().backward()
    assert frozen.weight.grad is None and not a.weight.grad.any() and b.weight.grad.all()
    assert torch.allclose(x.grad, 2 * frozen(x) @ frozen.weight)  # through the frozen weight alone
    for wrong in (lambda w, a, b: [w, a, b], lambda w, a, b: [b], lambda w, a, b: [a]):
        monkeypatch.setattr(lora_updates, "trained", wrong)
        with pytest.raises(AssertionError, match="moves"):
            lora_updates.only_factors_train()


@witnesses("lora_updates.only_factors_train")
def test_the_weight_is_quantised_and_the_loss_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(lora_updates, "absmax", lambda w, bits: seen.append((w, bits)) or np.round(w))
    lora_updates.only_factors_train(ranks=(2,), seeds=1, bits=3)
    assert [bits for _, bits in seen] == [3]
    with pytest.raises(AssertionError, match="fall"):
        lora_updates.only_factors_train(rate=-1e-3)
    right = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda loss, parts: [0 * part for part in right(loss, parts)])
    with pytest.raises(AssertionError, match="another"):
        lora_updates.only_factors_train()


@pytest.mark.parametrize(
    "call",
    [
        lambda: lora_updates.update_rms(0, 1.0, 4),
        lambda: lora_updates.update_rms(1, 1.0, 0),
        lambda: lora_updates.update_rms(1, 0.0, 4),
        lambda: lora_updates.update_rms(1, 1.0, 4, "r"),
        lambda: lora_updates.update_rms(1, 1.0, 4, a_std=0.0),
        lambda: lora_updates.update_rms(1, 1.0, 4, b_std=-1.0),
        lambda: lora_updates.merging_error("scale"),
        lambda: lora_updates.merging_error("branch", 0),
        lambda: lora_updates.merging_error("branch", alpha=0.0),
        lambda: lora_updates.merging_error("branch", seed=-1),
        lambda: lora_updates.sum_rank(()),
        lambda: lora_updates.sum_rank((0,)),
        lambda: lora_updates.sum_rank((1,), rows=0),
        lambda: lora_updates.sum_rank((1,), columns=0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|unknown|cannot"):
        call()
