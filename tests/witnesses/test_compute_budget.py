"""Independent ways to the numbers of verifiers/compute_budget.py: clusters counted second by second."""

from __future__ import annotations

from fractions import Fraction

import pytest

from proofdeck import witnesses
from verifiers import compute_budget

A100 = 312 * 10**12


@witnesses("compute_budget.pf_days", "compute_budget.of_pf_days")
def test_a_pf_day_is_a_day_of_a_petaflop_machine() -> None:
    machine = sum(10**15 * 60 * 60 for _ in range(24))
    assert compute_budget.of_pf_days(1) == machine
    assert compute_budget.of_pf_days(3640) == 3640 * machine
    assert compute_budget.pf_days(machine) == 1
    assert compute_budget.pf_days(7 * machine / 2) == pytest.approx(3.5)
    assert compute_budget.pf_days(0) == compute_budget.of_pf_days(0) == 0


@witnesses("compute_budget.of_device_hours", "compute_budget.device_time", "compute_budget.duration")
@pytest.mark.parametrize("hours, devices, mfu", [(1, 1, 0.5), (30, 6, 0.4), (1000, 8, 1)])
def test_hours_equal_a_cluster_counted_hour_by_hour(hours: int, devices: int, mfu: float) -> None:
    done = sum(A100 * Fraction(str(mfu)) * 3600 for _ in range(hours))
    found = compute_budget.of_device_hours(hours, "a100-80gb", mfu)
    assert found == pytest.approx(float(done), rel=1e-12)
    seconds = compute_budget.device_time(float(done), "a100-80gb", mfu)
    assert seconds == pytest.approx(3600 * hours, rel=1e-12)
    together = compute_budget.duration(float(done), devices, "a100-80gb", mfu)
    assert together == pytest.approx(3600 * hours / devices, rel=1e-12)


def test_the_data_type_chooses_the_peak() -> None:
    halves = compute_budget.of_device_hours(1, "a100-80gb", 0.5, "int8")
    assert halves == 2 * compute_budget.of_device_hours(1, "a100-80gb", 0.5)
    assert compute_budget.device_time(halves, "a100-80gb", 0.5, "int8") == 3600
    assert compute_budget.duration(halves, 2, "a100-80gb", 0.5, "int8") == 1800
    assert compute_budget.mfu(halves, 1800, 2, "a100-80gb", "int8") == 0.5
    assert compute_budget.price(halves, "a100-80gb", 0.5, 3.0, "int8") == 3.0


@witnesses("compute_budget.mfu")
def test_mfu_is_what_was_done_over_what_could_have_been() -> None:
    could = sum(A100 for _ in range(50 * 4))
    assert compute_budget.mfu(could, 50, 4, "a100-80gb") == 1
    assert compute_budget.mfu(could / 4, 50, 4, "a100-80gb") == 0.25
    assert compute_budget.mfu(0, 1, 1, "a100-80gb") == 0


@witnesses("compute_budget.price")
def test_price_equals_an_invoice_by_the_hour() -> None:
    compute = 250 * 3600 * A100 * 0.4
    invoice = sum(2.5 for _ in range(250))
    assert compute_budget.price(compute, "a100-80gb", 0.4, 2.5) == pytest.approx(invoice)
    assert compute_budget.price(compute, "a100-80gb", 0.4, 0) == 0


def test_wrong_arguments_are_refused() -> None:
    gpu = "a100-80gb"
    assert compute_budget.device_time(0, gpu, 1.0) == compute_budget.of_device_hours(0, gpu, 1) == 0
    assert compute_budget.price(0, gpu, 1.0, 1) == compute_budget.duration(0, 1, gpu, 1) == 0
    for call in (
        lambda: compute_budget.pf_days(-1),
        lambda: compute_budget.of_pf_days(-1),
        lambda: compute_budget.of_device_hours(-1, gpu, 0.4),
        lambda: compute_budget.of_device_hours(1, gpu, 0),
        lambda: compute_budget.of_device_hours(1, gpu, 1.1),
        lambda: compute_budget.of_device_hours(1, "a1000", 0.4),
        lambda: compute_budget.device_time(-1, gpu, 0.4),
        lambda: compute_budget.duration(1, 0, gpu, 0.4),
        lambda: compute_budget.duration(-1, 1, gpu, 0.4),
        lambda: compute_budget.mfu(-1, 1, 1, gpu),
        lambda: compute_budget.mfu(1, 0, 1, gpu),
        lambda: compute_budget.mfu(1, 1, 0, gpu),
        lambda: compute_budget.price(1, gpu, 0.4, -1),
    ):
        with pytest.raises(ValueError):
            call()
