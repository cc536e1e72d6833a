"""Witnesses of `verifiers/rare_tokens.py`: the whole table trained by PyTorch."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import rare_tokens


def trained(optimiser: str, rate: float, steps: int, tokens: int, certainty: float) -> dict[str, float]:
    """Excess losses of a whole table of logits under Zipf's law, trained by PyTorch."""
    torch = pytest.importorskip("torch")
    # the function behind torch.optim.Adam, whose class takes seconds to load a compiler
    adam = pytest.importorskip("torch.optim.adam").adam
    shares = torch.tensor([1 / r for r in range(1, tokens + 1)], dtype=torch.float64)
    shares /= shares.sum()
    target = torch.full((tokens, tokens), (1 - certainty) / (tokens - 1), dtype=torch.float64)
    target[range(tokens), [(i + 1) % tokens for i in range(tokens)]] = certainty
    table, first, second = torch.zeros(3, tokens, tokens, dtype=torch.float64)
    done = torch.zeros(())
    for _ in range(steps):
        leaf = table.clone().requires_grad_()
        (slope,) = torch.autograd.grad((shares @ -(target * leaf.log_softmax(1)).sum(1)), leaf)
        if optimiser == "adam":
            adam(
                [table], [slope], [first], [second], [], [done], foreach=False, amsgrad=False,
                beta1=0.9, beta2=0.999, lr=rate, weight_decay=0.0, eps=1e-8, maximize=False,
            )  # fmt: skip
        else:
            table -= rate * (slope.sign() if optimiser == "sign" else slope)
    excess = (target * (target.log() - table.log_softmax(1))).sum(1)
    return {"frequent": excess[0].item(), "rare": excess[-1].item(), "mean": (shares @ excess).item()}


@witnesses("rare_tokens.losses")
@pytest.mark.parametrize(
    "optimiser, rate, steps, tokens",
    [
        ("sgd", 20.0, 40, 12),
        ("adam", 0.1, 40, 12),
        ("sign", 0.03, 40, 12),
        ("sgd", 1.0, 3, 2),
        # the first step goes so far that the probability of all others is not a number above zero any more
        ("sgd", 1e4, 1, 12),
        ("sgd", 1e4, 2, 12),
    ],
)
def test_a_whole_table_trained_by_torch_ends_alike(
    optimiser: str, rate: float, steps: int, tokens: int
) -> None:
    ours = rare_tokens.losses(optimiser, rate, steps, tokens, certainty=0.8)
    assert ours == pytest.approx(trained(optimiser, rate, steps, tokens, 0.8), rel=1e-6, abs=1e-12)


def test_a_thousand_tokens_that_are_nine_tenths_certain_are_the_default() -> None:
    ours = rare_tokens.losses("sgd", 5.0, 2)
    assert ours == pytest.approx(trained("sgd", 5.0, 2, 1000, 0.9), rel=1e-9)


def test_wrong_arguments_are_refused() -> None:
    fine: dict[str, Any] = {"optimiser": "sgd", "learning_rate": 0.1, "steps": 5}
    for wrong, name in (
        ({"optimiser": "lion"}, "unknown optimiser"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"steps": 0}, "steps"),
        ({"tokens": 1}, "tokens"),
        ({"certainty": 0.0}, "certainty"),
        ({"certainty": 1.0}, "1 − certainty"),
        ({"exponent": -1.0}, "exponent"),
    ):
        with pytest.raises(ValueError, match=f"^{name} "):
            rare_tokens.losses(**(fine | wrong))


@witnesses("rare_tokens.tail_share")
def test_tails_are_differences_of_harmonic_numbers() -> None:
    def harmonic(n: int) -> float:
        return math.log(n) + 0.5772156649015329 + 1 / (2 * n) - 1 / (12 * n**2)

    expected = 1 - harmonic(1000) / harmonic(50000)
    assert rare_tokens.tail_share(1000, 50000) == pytest.approx(expected, rel=1e-9)
    assert rare_tokens.tail_share(30, 120, exponent=0.0) == pytest.approx(0.75)
    with pytest.raises(ValueError):
        rare_tokens.tail_share(10, 10)
    with pytest.raises(ValueError, match=r"^exponent cannot"):
        rare_tokens.tail_share(1, 10, exponent=-1.0)
