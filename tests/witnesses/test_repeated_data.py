"""Independent ways to the numbers of verifiers/repeated_data.py: integrals, roots and single passes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import repeated_data, scaling

integrate = pytest.importorskip("scipy.integrate")
optimize = pytest.importorskip("scipy.optimize")
R_D, R_N = 15.387756, 5.309743


@witnesses("repeated_data.effective_tokens", "repeated_data.worth", "repeated_data.pass_worth")
@pytest.mark.parametrize("epochs, decay", [(1.0, R_D), (4.0, R_D), (40.0, R_D), (2.5, 3.0), (1.5, 0.7)])
def test_effective_tokens_equal_an_integral_of_what_each_is_worth(epochs: float, decay: float) -> None:
    """The first pass counts in full; from then on the worth of a token decays exponentially."""
    repeated, _ = integrate.quad(lambda r: math.exp(-r / decay), 0, epochs - 1)
    found = repeated_data.effective_tokens(7.0, epochs, decay)
    assert found == pytest.approx(7 * (1 + repeated), rel=1e-9)
    assert repeated_data.worth(epochs, decay) == pytest.approx((1 + repeated) / epochs, rel=1e-9)
    step = 1e-6
    later = repeated_data.effective_tokens(1.0, epochs + step, decay)
    slope = (later - repeated_data.effective_tokens(1.0, epochs, decay)) / step
    assert repeated_data.pass_worth(epochs, decay) == pytest.approx(slope, rel=1e-5)


def test_less_than_a_pass_counts_in_full_and_the_papers_decay_is_the_default() -> None:
    assert repeated_data.effective_tokens(8.0, 0.25) == 2 and repeated_data.worth(0.25) == 1
    assert repeated_data.effective_tokens(8.0, 9) == repeated_data.effective_tokens(8.0, 9, R_D)
    assert repeated_data.worth(9) == repeated_data.worth(9, R_D)
    assert repeated_data.pass_worth(9) == repeated_data.pass_worth(9, R_D)
    assert repeated_data.pass_worth(1) == 1


@witnesses("repeated_data.ceiling")
@pytest.mark.parametrize("decay", [R_D, 2.0])
def test_ceiling_is_the_worth_of_endless_repetition(decay: float) -> None:
    assert repeated_data.ceiling(decay) == pytest.approx(repeated_data.effective_tokens(1.0, 1e6, decay))
    assert repeated_data.ceiling() == repeated_data.ceiling(R_D)


@witnesses("repeated_data.deserved_params")
@pytest.mark.parametrize("fit", ["muennighoff", "chinchilla", (1.0, 5.0, 50.0, 0.3, 0.5)])
@pytest.mark.parametrize("tokens", [1e9, 3e11])
def test_deserved_params_are_those_whose_optimum_has_these_tokens(fit: Any, tokens: float) -> None:
    def gap(log_compute: float) -> float:
        return math.log(scaling.optimum(math.exp(log_compute), fit)["tokens"] / tokens)

    compute = math.exp(optimize.brentq(gap, 10, 100, xtol=1e-12))
    expected = scaling.optimum(compute, fit)["params"]
    assert repeated_data.deserved_params(tokens, fit) == pytest.approx(expected, rel=1e-6)
    assert repeated_data.deserved_params(1e9) == repeated_data.deserved_params(1e9, "muennighoff")


@witnesses("repeated_data.loss")
def test_loss_equals_the_papers_closed_form() -> None:
    """L = 521 / N'^0.353 + 1488 / D'^0.353 + 1.87 with U_N = 0.051 · U_D, to the digits printed."""
    for params, unique, epochs in ((1e9, 1e10, 4.0), (2e8, 3e10, 1.0), (8e9, 2e9, 30.0)):
        deserved = 0.051 * unique
        repeated, excess = epochs - 1, max(params / deserved - 1, 0)
        base = min(params, deserved)
        size = base + base * R_N * (1 - math.exp(-excess / R_N))
        data = unique + unique * R_D * (1 - math.exp(-repeated / R_D))
        expected = 521 / size**0.353 + 1488 / data**0.353 + 1.87
        assert repeated_data.loss(params, unique, epochs) == pytest.approx(expected, rel=2e-3)


def test_loss_without_repetition_and_excess_is_the_plain_law() -> None:
    plain = scaling.loss(1e8, 5e10, "chinchilla")
    assert repeated_data.loss(1e8, 5e10, 1, "chinchilla") == pytest.approx(plain, rel=1e-12)
    half = repeated_data.loss(1e8, 1e11, 0.5, "chinchilla")
    assert half == pytest.approx(plain, rel=1e-12)
    oversized = repeated_data.loss(1e10, 1e9, 1)
    assert oversized == pytest.approx(repeated_data.loss(1e10, 2e9, 0.5), rel=1e-12)
    assert oversized > scaling.loss(1e10, 1e9, "muennighoff")
    far = repeated_data.loss(1e10, 1e9, 3, "muennighoff", 1e9, 1e9)
    assert far == pytest.approx(scaling.loss(1e10, 3e9, "muennighoff"), rel=1e-6)


@pytest.mark.parametrize("bad", [0, -1.0, math.inf])
def test_wrong_arguments_are_refused(bad: float) -> None:
    for call in (
        lambda: repeated_data.effective_tokens(bad, 1),
        lambda: repeated_data.effective_tokens(1, bad),
        lambda: repeated_data.effective_tokens(1, 2, bad),
        lambda: repeated_data.worth(bad),
        lambda: repeated_data.ceiling(bad),
        lambda: repeated_data.pass_worth(1, bad),
        lambda: repeated_data.deserved_params(bad),
        lambda: repeated_data.loss(bad, 1, 1),
        lambda: repeated_data.loss(1, bad, 1),
        lambda: repeated_data.loss(1, 1, bad),
        lambda: repeated_data.loss(1, 1, 1, size_decay=bad),
        lambda: repeated_data.loss(1, 1, 1, data_decay=bad),
    ):
        with pytest.raises(ValueError):
            call()


def test_no_pass_comes_before_the_first() -> None:
    for wrong in (0.99, True, "2"):
        with pytest.raises(ValueError, match="epoch"):
            repeated_data.pass_worth(wrong)  # type: ignore[arg-type]
