"""Witnesses of `verifiers/rare_tokens.py`: the whole table trained by PyTorch."""

from __future__ import annotations

import math

import pytest

from proofdeck import witnesses
from verifiers import rare_tokens


@witnesses("rare_tokens.losses")
@pytest.mark.parametrize("optimiser, rate", [("sgd", 20.0), ("adam", 0.1), ("sign", 0.03)])
def test_a_whole_table_trained_by_torch_ends_alike(optimiser: str, rate: float) -> None:
    torch = pytest.importorskip("torch")
    tokens, certainty = 12, 0.8
    shares = torch.tensor([1 / r for r in range(1, tokens + 1)], dtype=torch.float64)
    shares /= shares.sum()
    target = torch.full((tokens, tokens), (1 - certainty) / (tokens - 1), dtype=torch.float64)
    target[range(tokens), [(i + 1) % tokens for i in range(tokens)]] = certainty
    table = torch.zeros(tokens, tokens, dtype=torch.float64, requires_grad=True)
    rule = torch.optim.Adam([table], lr=rate) if optimiser == "adam" else torch.optim.SGD([table], lr=rate)
    for _ in range(40):
        rule.zero_grad()
        (shares @ -(target * table.log_softmax(1)).sum(1)).backward()
        if optimiser == "sign":
            table.grad = table.grad.sign()
        rule.step()
    excess = (target * (target.log() - table.log_softmax(1))).sum(1)
    ours = rare_tokens.losses(optimiser, rate, 40, tokens, certainty=certainty)
    assert ours["frequent"] == pytest.approx(excess[0].item(), rel=1e-6, abs=1e-12)
    assert ours["rare"] == pytest.approx(excess[-1].item(), rel=1e-6)
    assert ours["mean"] == pytest.approx((shares @ excess).item(), rel=1e-6)


def test_wrong_arguments_are_refused() -> None:
    for wrong in (("lion", 0.1, 5), ("sgd", 0.0, 5), ("sgd", 0.1, 0), ("sgd", 0.1, 5, 1)):
        with pytest.raises(ValueError):
            rare_tokens.losses(*wrong)
    with pytest.raises(ValueError):
        rare_tokens.losses("sgd", 0.1, 5, certainty=1.0)


@witnesses("rare_tokens.tail_share")
def test_tails_are_differences_of_harmonic_numbers() -> None:
    def harmonic(n: int) -> float:
        return math.log(n) + 0.5772156649015329 + 1 / (2 * n) - 1 / (12 * n**2)

    expected = 1 - harmonic(1000) / harmonic(50000)
    assert rare_tokens.tail_share(1000, 50000) == pytest.approx(expected, rel=1e-9)
    assert rare_tokens.tail_share(30, 120, exponent=0.0) == pytest.approx(0.75)
    with pytest.raises(ValueError):
        rare_tokens.tail_share(10, 10)
