"""Independent ways to the numbers of verifiers/moe.py."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import moe


@witnesses("moe.counts")
def test_counts_are_those_of_a_model_with_that_routing() -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    config = transformers.MixtralConfig(
        vocab_size=32000, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, num_local_experts=8, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        total = sum(p.numel() for p in transformers.MixtralForCausalLM(config).parameters())
    expert = 3 * 4096 * 14336
    for active in (1, 2, 8):
        found = moe.counts("mixtral-8x7b", active=active)
        assert found == {"total": total, "active": total - 32 * (8 - active) * expert}
    assert moe.counts("mixtral-8x7b")["active"] == total - 32 * 6 * expert
    dense = moe.counts("mixtral-8x7b", dense_layers=2)
    assert total - dense["total"] == 2 * (7 * expert + 8 * 4096)
    assert moe.counts("mixtral-8x7b", dense_layers=32)["total"] == total - 32 * (7 * expert + 8 * 4096)


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        ("llama-2-7b", {}),
        ("mixtral-8x7b", {"active": 0}),
        ("mixtral-8x7b", {"active": 9}),
        ("mixtral-8x7b", {"dense_layers": -1}),
        ("mixtral-8x7b", {"dense_layers": 33}),
    ],
)
def test_routing_that_no_model_has_is_refused(model: str, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        moe.counts(model, **wrong)


@witnesses("moe.router")
def test_router_is_a_linear_layer_without_bias() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(48, 6, bias=False, device="meta")
    assert moe.router(48, 6) == layer.weight.numel()
    for wrong in ((0, 6), (48, 0)):
        with pytest.raises(ValueError):
            moe.router(*wrong)


@witnesses("moe.router_gradient")
@pytest.mark.parametrize("renormalised", [True, False])
@pytest.mark.parametrize(("experts", "active"), [(8, 1), (8, 2), (5, 3), (4, 4), (1, 1)])
def test_router_gradient_is_that_of_autograd(experts: int, active: int, renormalised: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(7)
    logits = torch.tensor(rng.standard_normal(experts), requires_grad=True)
    outputs = torch.tensor(rng.standard_normal(experts))
    weights, index = torch.softmax(logits, 0).topk(active)
    if renormalised:
        weights = weights / weights.sum()
    (weights * outputs[index]).sum().backward()
    found = moe.router_gradient(experts, active, renormalised, seed=7)
    assert found == pytest.approx(float(logits.grad.norm()), abs=1e-12)


def test_router_gradient_defaults() -> None:
    assert moe.router_gradient() == moe.router_gradient(8, 2, True, 0) != moe.router_gradient(8, 2, False, 0)
    assert moe.router_gradient(active=1) == 0
    for wrong in ({"experts": 0}, {"active": 0}, {"experts": 2, "active": 3}):
        with pytest.raises(ValueError):
            moe.router_gradient(**wrong)


@witnesses("moe.capacity")
def test_capacity_is_the_least_whole_number_that_suffices() -> None:
    for tokens, experts, active, factor in [
        (1024, 8, 1, 1.25),
        (10, 3, 2, 1.0),
        (7, 8, 1, 1.0),
        (9, 3, 1, 1.0),
    ]:
        room = moe.capacity(tokens, experts, active, factor)
        assert room * experts >= factor * tokens * active > (room - 1) * experts
    assert moe.capacity(12, 4) == 3
    # 1.1 · 800 is 880.0000000000001 in binary
    assert moe.capacity(800, 8, factor=1.1) == 110
    assert moe.capacity(801, 8, factor=1.1) == 111
    assert moe.capacity(3, 2, active=2, factor=1) == 3
    for wrong in ({"tokens": 0}, {"experts": 0}, {"active": 0}, {"factor": 0}, {"active": 3}):
        with pytest.raises(ValueError):
            moe.capacity(**{"tokens": 8, "experts": 2} | wrong)


@witnesses("moe.dropped")
@pytest.mark.parametrize(
    ("tokens", "experts", "factor"), [(1024, 8, 1.0), (64, 4, 1.25), (40, 8, 1.5), (6, 1, 0.5)]
)
def test_dropped_share_is_that_of_simulated_batches(tokens: int, experts: int, factor: float) -> None:
    rng = np.random.default_rng(3)
    loads = rng.multinomial(tokens, np.full(experts, 1 / experts), 40_000)
    share = np.maximum(loads - math.ceil(factor * tokens / experts), 0).sum(axis=1) / tokens
    error = share.std() / math.sqrt(len(share))
    assert moe.dropped(tokens, experts, factor) == pytest.approx(share.mean(), abs=4 * error + 1e-12)


def test_dropped_share_exactly_for_two_tokens() -> None:
    # both to one of two experts, half the time, drops one of two
    assert moe.dropped(2, 2) == pytest.approx(0.25)
    assert moe.dropped(2, 1) == moe.dropped(2, 1, factor=2) == 0


@witnesses("moe.dropped_when_skewed")
def test_dropped_share_of_a_skewed_router() -> None:
    # draws of a Dirichlet by normalised gamma variables, tokens one by one
    rng = np.random.default_rng(11)
    shares = []
    for _ in range(600):
        weights = rng.gamma(2.0, size=8)
        loads = np.bincount(rng.choice(8, 256, p=weights / weights.sum()), minlength=8)
        shares.append(np.maximum(loads - 40, 0).sum() / 256)
    error = 5 * np.std(shares) / math.sqrt(400)
    assert moe.dropped_when_skewed(256, 8, 1.25) == pytest.approx(np.mean(shares), abs=error)
    assert moe.dropped_when_skewed(256, 8, 1.25, 2.0, 400) == moe.dropped_when_skewed(256, 8, 1.25)
    assert moe.dropped_when_skewed(1024, 8, concentration=1e6) == pytest.approx(
        moe.dropped(1024, 8), rel=0.05
    )
    for wrong in ({"concentration": 0}, {"batches": 0}, {"factor": 0}):
        with pytest.raises(ValueError):
            moe.dropped_when_skewed(64, 4, **wrong)
    moe.dropped_when_skewed(64, 4, batches=1)


@witnesses("moe.balance_loss")
@pytest.mark.parametrize("active", [1, 2])
def test_balance_loss_is_that_of_transformers(active: int) -> None:
    torch = pytest.importorskip("torch")
    modeling = pytest.importorskip("transformers.models.mixtral.modeling_mixtral")
    logits = np.random.default_rng(2).standard_normal((50, 6))
    theirs = modeling.load_balancing_loss_func((torch.tensor(logits),), 6, active)
    # theirs sums over the choices, so it grows with their number
    assert moe.balance_loss(logits.tolist(), active) == pytest.approx(float(theirs) / active)


def test_balance_loss_of_even_and_collapsed_routers() -> None:
    assert moe.balance_loss([[9, 0, 0], [0, 9, 0], [0, 0, 9]]) == pytest.approx(1)
    assert moe.balance_loss([[50, 0, 0]] * 4) == pytest.approx(3)
    assert moe.balance_loss([[1, 0]], active=2) == pytest.approx(1)
    for rows, active in ([[0.0, 1.0]], 0), ([[0.0, 1.0]], 3), ([0.0, 1.0], 1), ([[0.0, math.nan]], 1):
        with pytest.raises(ValueError):
            moe.balance_loss(rows, active)  # type: ignore[arg-type]


@witnesses("moe.balance_step_relieves_the_busiest")
def test_balance_gradient_is_that_of_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    logits = torch.tensor(np.random.default_rng(5).standard_normal((9, 4)), requires_grad=True)
    for active in (1, 2):
        logits.grad = None
        probabilities = torch.softmax(logits, -1)
        hard = torch.zeros_like(probabilities).scatter(-1, probabilities.topk(active).indices, 1.0)
        assert not hard.requires_grad
        (4 * (hard.mean(0) / active * probabilities.mean(0)).sum()).backward()
        np.testing.assert_allclose(
            moe.balance_gradient(logits.detach().numpy(), active), logits.grad, atol=1e-14
        )
    default = moe.balance_gradient(logits.detach().numpy())
    np.testing.assert_array_equal(default, moe.balance_gradient(logits.detach().numpy(), 1))
    found = moe.balance_step_relieves_the_busiest(seeds=2)
    assert found == {"tokens": 64, "experts": 8, "seeds": 2}
    right = moe.balance_gradient
    for wrong in (lambda rows: -right(rows), lambda rows: 0 * right(rows)):
        monkeypatch.setattr(moe, "balance_gradient", wrong)
        with pytest.raises(AssertionError, match="busiest"):
            moe.balance_step_relieves_the_busiest()


def test_the_balance_check_draws_new_skewed_logits_for_each_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    right = moe.balance_gradient
    monkeypatch.setattr(moe, "balance_gradient", lambda rows: right(seen.append(rows) or rows))
    moe.balance_step_relieves_the_busiest(tokens=30, experts=5, skew=2.0, seeds=3)
    for seed, rows in enumerate(seen):
        noise, popularity = np.split(np.random.default_rng(seed).standard_normal(155), [150])
        np.testing.assert_allclose(rows, noise.reshape(30, 5) + 2 * popularity)
    assert len(seen) == 3


def test_the_balance_check_looks_at_the_busiest_expert(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that lowers only the expert chosen most often is enough, and one that lowers any other is not."""

    def lowering(rank: int) -> Callable[[np.ndarray], np.ndarray]:  # type: ignore[type-arg]
        def gradient(rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            first = [row.index(max(row)) for row in rows.tolist()]
            ranked = sorted(range(rows.shape[1]), key=lambda i: (first.count(i), -i))
            return np.eye(rows.shape[1])[[ranked[rank]] * len(rows)]

        return gradient

    monkeypatch.setattr(moe, "balance_gradient", lowering(-1))
    moe.balance_step_relieves_the_busiest(skew=0.5, seeds=8)
    for rank in (0, -2):
        monkeypatch.setattr(moe, "balance_gradient", lowering(rank))
        with pytest.raises(AssertionError, match="busiest"):
            moe.balance_step_relieves_the_busiest(skew=0.5, seeds=1)


def test_a_step_with_a_known_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is one of `step` for each token: with the mean's gradient of 1/tokens it moves logits visibly."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((64, 8)) + rng.standard_normal(8)
    moved = logits - 0.5 * 64 * moe.balance_gradient(logits)
    assert moe.balance_loss_of(moved) < moe.balance_loss_of(logits)
    assert moe.balance_loss_of(logits) == moe.balance_loss(logits.tolist(), 1)
    seen = []
    right = moe.softmax
    monkeypatch.setattr(moe, "softmax", lambda rows: right(seen.append(rows) or rows))
    moe.balance_step_relieves_the_busiest(seeds=1)
    np.testing.assert_allclose(seen[-1], moved)


@witnesses("moe.bias_balancing")
def test_a_bias_balances_the_loads() -> None:
    found = moe.bias_balancing()
    assert found["before"] > 1 and found["after"] < found["before"] / 5
    still = moe.bias_balancing(steps=0)
    assert still["after"] == pytest.approx(still["before"], rel=0.2)
    even = moe.bias_balancing(steps=0, skew=0.0)
    assert 0 < even["before"] < 0.25
    everyone = moe.bias_balancing(experts=4, active=4, tokens=8, steps=1)
    assert everyone == {"before": 0.0, "after": 0.0}
    for wrong in ({"experts": 0}, {"active": 0}, {"tokens": 0}, {"steps": -1}, {"speed": 0}, {"active": 17},
        {"skew": math.nan},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            moe.bias_balancing(**wrong)


def test_bias_balancing_again_with_plain_loops() -> None:
    """The same process written out token by token, with numbers of its own."""
    import random

    rng = random.Random(4)
    experts, active, tokens = 6, 2, 60
    taste = [rng.gauss(0, 1) for _ in range(experts)]

    def loads(bias: list[float], count: int) -> list[int]:
        found = [0] * experts
        for _ in range(count):
            affinity = [1 / (1 + math.exp(-rng.gauss(0, 1) - t)) for t in taste]
            for i in sorted(range(experts), key=lambda i: affinity[i] + bias[i])[-active:]:
                found[i] += 1
        return found

    def imbalance(bias: list[float]) -> float:
        found = loads(bias, 20 * tokens)
        return max(found) * experts / sum(found) - 1

    bias = [0.0] * experts
    before = imbalance(bias)
    for _ in range(300):
        found = loads(bias, tokens)
        bias = [
            b + 0.005 * ((m := sum(found) / experts) > n) - 0.005 * (m < n)
            for b, n in zip(bias, found, strict=True)
        ]
    after = imbalance(bias)
    ours = moe.bias_balancing(experts=experts, active=active, tokens=tokens, steps=300)
    assert after < before / 4 and ours["after"] < ours["before"] / 4
    assert ours["after"] < 0.2


@pytest.mark.parametrize(
    ("experts", "active", "steps", "skew"), [(6, 2, 5, 1.5), (4, 1, 0, -0.5), (3, 2, 1, 0.0)]
)
def test_bias_balancing_with_the_same_numbers_one_by_one(
    experts: int, active: int, steps: int, skew: float
) -> None:
    rng = np.random.default_rng(0)
    taste = [skew * float(rng.standard_normal()) for _ in range(experts)]
    bias = [0.0] * experts

    def loads(tokens: int) -> list[int]:
        found = [0] * experts
        for _ in range(tokens):
            affinity = [1 / (1 + math.exp(-float(rng.standard_normal()) - t)) for t in taste]
            for i in sorted(range(experts), key=lambda i: affinity[i] + bias[i])[-active:]:
                found[i] += 1
        return found

    def imbalance() -> float:
        return max(found := loads(20 * 15)) * experts / sum(found) - 1

    before = imbalance()
    for _ in range(steps):
        found = loads(15)
        mean = 15 * active / experts
        bias = [b + 0.03 * ((n < mean) - (n > mean)) for b, n in zip(bias, found, strict=True)]
    ours = moe.bias_balancing(experts, active, 15, steps, 0.03, skew)
    assert ours == {"before": pytest.approx(before), "after": pytest.approx(imbalance())}


def test_bias_balancing_by_default() -> None:
    assert moe.bias_balancing() == moe.bias_balancing(16, 2, 128, 400, 0.005, 1.0)


def test_dropped_share_of_the_same_draws() -> None:
    rng = np.random.default_rng(0)
    popularity = rng.dirichlet([1.5] * 4, 7)
    over = 0
    for shares in popularity.tolist():
        over += sum(max(0, int(load) - 13) for load in rng.multinomial(41, shares))  # 41 · 1.25 / 4 is 12.8
    assert moe.dropped_when_skewed(41, 4, 1.25, 1.5, 7) == pytest.approx(over / (7 * 41), rel=1e-12)


def test_gates_are_those_of_a_sorted_softmax() -> None:
    logits = np.array([[2.0, 1.0, 3.0, 3.0]])
    odds = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(moe.gates(logits, 1, False), odds * [[0, 0, 1, 0]])
    np.testing.assert_allclose(moe.gates(logits, 2, False), odds * [[0, 0, 1, 1]])
    np.testing.assert_allclose(moe.gates(logits, 2), [[0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(moe.gates(np.zeros((2, 3)), 2), [[0.5, 0.5, 0]] * 2)
    np.testing.assert_allclose(moe.softmax(np.array([1000.0, 1000.0])), [0.5, 0.5])
