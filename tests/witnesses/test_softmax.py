"""Independent ways to the numbers of verifiers/softmax.py: exact decimals, PyTorch, broken variants."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import softmax

LOGITS = [(2.0, 1.0, 0.0), (0.0, 0.0), (5.0, -3.0, 5.0, 0.25), (800.0, 799.0)]


@witnesses("softmax.probability")
@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_probability_equals_exact_decimals(logits: tuple[float, ...], temperature: float) -> None:
    with localcontext() as context:
        context.prec = 40
        weights = [(Decimal(z) / Decimal(temperature)).exp() for z in logits]
        exact = [float(weight / sum(weights)) for weight in weights]
    found = [softmax.probability(logits, k, temperature) for k in range(len(logits))]
    assert found == pytest.approx(exact, rel=1e-13)


@witnesses("softmax.probability")
def test_probability_equals_torch() -> None:
    torch = pytest.importorskip("torch")
    expected = torch.softmax(torch.tensor(LOGITS[2], dtype=torch.float64), 0).tolist()
    assert [softmax.probability(LOGITS[2], k) for k in range(4)] == pytest.approx(expected)


@witnesses("softmax.odds")
@pytest.mark.parametrize(("gap", "temperature"), [(1.0, 1.0), (1.0, 0.5), (-2.0, 1.0), (3.0, 2.0)])
def test_odds_are_a_ratio_of_probabilities(gap: float, temperature: float) -> None:
    torch = pytest.importorskip("torch")
    logits = torch.tensor([gap, 0.0, 1.7, -4.0], dtype=torch.float64) / temperature
    p = torch.softmax(logits, 0)
    assert softmax.odds(gap, temperature) == pytest.approx(float(p[0] / p[1]))


@witnesses("softmax.knows_differences_only")
def test_check_catches_functions_that_know_more() -> None:
    torch = pytest.importorskip("torch")
    softmax.knows_differences_only(function=lambda z: torch.softmax(torch.from_numpy(z), 0).numpy())
    broken = (
        lambda z: z**2 / (z**2).sum(),  # a shift changes it
        lambda z: softmax.softmax(np.sign(z - z.mean())),  # scaling does not change it
        lambda z: softmax.softmax(2 * z),  # log odds are not the differences
    )
    for function in broken:
        with pytest.raises(AssertionError):
            softmax.knows_differences_only(function=function)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError):
        softmax.probability([], 0)
    with pytest.raises(ValueError):
        softmax.probability([1.0, 2.0], 2)
    with pytest.raises(ValueError):
        softmax.probability([1.0, 2.0], 0, temperature=0)
    with pytest.raises(ValueError):
        softmax.odds(float("nan"))
