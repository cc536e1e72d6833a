"""Independent ways to the numbers of verifiers/softmax.py: exact decimals, PyTorch, broken variants."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from proofdeck import witnesses
from verifiers import softmax

LOGITS = [(2.0, 1.0, 0.0), (0.0, 0.0), (5.0, -3.0, 5.0, 0.25), (800.0, 799.0), (0.0, 800.0)]


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


@witnesses("softmax.odds")
def test_odds_are_told_at_temperature_one_unless_said_otherwise() -> None:
    assert softmax.odds(1.0) == pytest.approx(sum(1 / math.factorial(k) for k in range(20)))


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


@witnesses("softmax.knows_differences_only")
def test_check_catches_one_wrong_class_among_many() -> None:
    def shifted(z: NDArray[np.float64]) -> NDArray[np.float64]:
        """A softmax whose last class knows that all logits were raised."""
        p = softmax.softmax(z)
        p[-1] += 0.1 * (z.mean() > 100)
        return p

    def halved(z: NDArray[np.float64]) -> NDArray[np.float64]:
        p = softmax.softmax(z)
        p[2] /= 2
        return p

    for function, wrong in ((shifted, "a shift by 700"), (halved, "log odds")):
        with pytest.raises(AssertionError, match=wrong):
            softmax.knows_differences_only(classes=(5,), function=function)


@witnesses("softmax.knows_differences_only")
def test_check_adds_the_shifts_and_multiplies_by_the_factor() -> None:
    def clamped(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return softmax.softmax(np.minimum(z, 100))

    softmax.knows_differences_only(shifts=(-700.0,), function=clamped)
    with pytest.raises(AssertionError, match="a shift by 700"):
        softmax.knows_differences_only(shifts=(700.0,), function=clamped)
    with pytest.raises(AssertionError, match="scaling changed nothing"):
        softmax.knows_differences_only(factor=1.0)


@witnesses("softmax.knows_differences_only")
def test_check_lets_its_tolerance_through_and_asks_for_more_than_a_thousandth_of_change() -> None:
    """The answers to logits, shifted and scaled logits are given: equal ones, so that log odds miss by the gap."""
    low, high = np.random.default_rng(0).normal(size=2)
    gap, tiny = abs(low - high), 1e-300

    def answered(moved: float, scaled: float) -> None:
        answers = iter([np.array([tiny, last]) for last in (tiny, moved, scaled)])
        softmax.knows_differences_only((2,), (1.0,), 2.0, 1, gap, lambda _: next(answers))

    answered(moved=gap, scaled=0.0012)
    for moved, scaled, wrong in ((1.001 * gap, 1, "a shift"), (gap, 0.001, "scaling changed nothing")):
        with pytest.raises(AssertionError, match=wrong):
            answered(moved, scaled)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError):
        softmax.probability([], 0)
    with pytest.raises(ValueError, match=r"^class 2 of 2 logits"):
        softmax.probability([1.0, 2.0], 2)
    with pytest.raises(ValueError, match=r"^target must be at least 0"):
        softmax.probability([1.0, 2.0], -1)
    with pytest.raises(ValueError, match=r"^logits\[1\] must be a finite number"):
        softmax.probability([1.0, math.inf], 0)
    with pytest.raises(ValueError, match=r"^temperature must be above 0"):
        softmax.probability([1.0, 2.0], 0, temperature=0)
    with pytest.raises(ValueError, match=r"^gap must be a finite number"):
        softmax.odds(float("nan"))
    with pytest.raises(ValueError, match=r"^temperature must be above 0"):
        softmax.odds(1.0, temperature=0)
