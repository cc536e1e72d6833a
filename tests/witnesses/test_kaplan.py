"""Independent ways to the numbers of verifiers/kaplan.py: printed values, limits and logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import kaplan


@witnesses("kaplan.loss_of_params", "kaplan.loss_of_tokens", "kaplan.loss_of_compute")
@pytest.mark.parametrize(
    "law, unit_loss, exponent",
    [
        (kaplan.loss_of_params, 8.8e13, 0.076),
        (kaplan.loss_of_tokens, 5.4e13, 0.095),
        (kaplan.loss_of_compute, 3.1e8 * 8.64e19, 0.050),
    ],
)
def test_each_law_is_a_line_through_its_scale(
    law: Callable[..., float], unit_loss: float, exponent: float
) -> None:
    assert law(unit_loss) == pytest.approx(1, rel=1e-12)
    for x in (1e6, 3e9, 7e12):
        line = exponent * (math.log(unit_loss) - math.log(x))
        assert math.log(law(x)) == pytest.approx(line, rel=1e-12)
    assert law(1e9, unit_loss / 8.64e19 if law is kaplan.loss_of_compute else unit_loss, exponent) == law(1e9)


@witnesses("kaplan.loss")
def test_joint_loss_has_each_single_law_as_its_limit() -> None:
    endless = 1e40
    assert kaplan.loss(1e9, endless) == pytest.approx(kaplan.loss_of_params(1e9, 6.4e13, 0.076), rel=1e-9)
    assert kaplan.loss(endless, 1e9) == pytest.approx(kaplan.loss_of_tokens(1e9, 1.8e13, 0.103), rel=1e-9)
    both = kaplan.loss(2e9, 3e10, 1e13, 5e12, 0.07, 0.14)
    powers = math.exp(0.5 * math.log(1e13 / 2e9)) + 5e12 / 3e10
    assert both == pytest.approx(math.exp(0.14 * math.log(powers)), rel=1e-12)


@witnesses("kaplan.loss_factor", "kaplan.growth_for_loss")
def test_factors_equal_ratios_of_losses() -> None:
    for multiple in (2, 10, 0.5):
        expected = kaplan.loss_of_params(1e9 * multiple) / kaplan.loss_of_params(1e9)
        assert kaplan.loss_factor(multiple) == pytest.approx(expected, rel=1e-12)
        assert kaplan.growth_for_loss(expected) == pytest.approx(multiple, rel=1e-9)
        expected = kaplan.loss_of_tokens(1e9 * multiple) / kaplan.loss_of_tokens(1e9)
        assert kaplan.loss_factor(multiple, 0.095) == pytest.approx(expected, rel=1e-12)
        assert kaplan.growth_for_loss(expected, 0.095) == pytest.approx(multiple, rel=1e-9)


@witnesses("kaplan.tokens_without_overfitting")
def test_data_for_no_overfitting_keeps_the_joint_loss_near_its_limit() -> None:
    """The paper's rule is its joint law's: about 0.02 above the loss of endless data, relatively."""
    for params in (1e6, 1e8, 1e10):
        tokens = kaplan.tokens_without_overfitting(params)
        assert math.log(tokens) == pytest.approx(math.log(5000) + 0.74 * math.log(params), rel=1e-12)
        excess = kaplan.loss(params, tokens) / kaplan.loss(params, 1e40) - 1
        assert 0.01 < excess < 0.04
    assert kaplan.tokens_without_overfitting(8.0, 3.0, 2.0) == 192


@witnesses("kaplan.critical_batch")
def test_critical_batch_equals_its_line() -> None:
    for loss in (1.0, 2.0, 4.0):
        found = math.log(kaplan.critical_batch(loss))
        assert found == pytest.approx(math.log(2e8) - math.log(loss) / 0.21, rel=1e-12)
    assert kaplan.critical_batch(2.0, 80, 0.5) == pytest.approx(20)


@witnesses("kaplan.optimum")
def test_optimum_equals_the_printed_laws_in_pf_days() -> None:
    day = 1e15 * 24 * 60 * 60
    one = kaplan.optimum(day)
    assert one == {"params": 1.3e9, "batch": 2e6, "steps": 5.4e3, "tokens": 2e10}
    ten = kaplan.optimum(10 * day)
    slopes = {name: math.log10(ten[name] / one[name]) for name in one}
    assert slopes == pytest.approx({"params": 0.73, "batch": 0.24, "steps": 0.03, "tokens": 0.27})


@pytest.mark.parametrize("compute", [1e19, 8.64e19, 1e21])
def test_size_batch_and_steps_spend_the_budget_and_tokens_twice_of_it(compute: float) -> None:
    """The printed factors are rounded, each fitted by itself: 6NBS is C, and 6ND is 2C, to a tenth or so."""
    # Hoffmann et al. read it so in their appendix D.4: 4.68B parameters for 10²¹ FLOPs
    assert kaplan.optimum(1e21 / 2)["params"] == pytest.approx(4.68e9, rel=2e-3)
    found = kaplan.optimum(compute)
    assert 6 * found["params"] * found["batch"] * found["steps"] == pytest.approx(compute, rel=0.1)
    assert 6 * found["params"] * found["tokens"] == pytest.approx(2 * compute, rel=0.12)


@pytest.mark.parametrize("bad", [0, -1.0, math.inf])
def test_wrong_arguments_are_refused(bad: Any) -> None:
    for law in (
        kaplan.loss_of_params,
        kaplan.loss_of_tokens,
        kaplan.loss_of_compute,
        kaplan.tokens_without_overfitting,
        kaplan.critical_batch,
    ):
        for place in range(3):
            with pytest.raises(ValueError):
                law(*(bad if index == place else 1.0 for index in range(3)))
    for place in range(2):
        arguments = [bad if index == place else 1.0 for index in range(2)]
        with pytest.raises(ValueError):
            kaplan.loss_factor(*arguments)
        with pytest.raises(ValueError):
            kaplan.growth_for_loss(*arguments)
    for place in range(6):
        with pytest.raises(ValueError):
            kaplan.loss(*(bad if index == place else 1.0 for index in range(6)))
    with pytest.raises(ValueError):
        kaplan.optimum(bad)
