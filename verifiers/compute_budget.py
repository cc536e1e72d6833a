"""Compute budgets in the units they are quoted in: PF-days, accelerator hours at a utilisation, dollars."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments, hardware, roofline

DAY = 86400
HOUR = 3600
PETA = 10**15


@verifier
def pf_days(compute: float) -> float:
    """A number of FLOPs in petaFLOP/s-days.

    Formula: C / (10¹⁵ · 86,400).
    Unit: 1
    Source: definition
    """
    arguments.non_negative(compute=compute)
    return compute / (PETA * DAY)


@verifier
def of_pf_days(days: float) -> float:
    """FLOPs of a number of petaFLOP/s-days.

    Formula: days · 10¹⁵ · 86,400.
    Unit: FLOP
    Source: definition
    """
    arguments.non_negative(days=days)
    return days * PETA * DAY


@verifier
def of_device_hours(hours: float, device: str, mfu: float, dtype: str = "bf16") -> float:
    """FLOPs that accelerators do for a model in a number of hours, all of theirs added up.

    Formula: hours · 3,600 · dense peak · MFU.
    Unit: FLOP
    Source: definition
    """
    arguments.non_negative(hours=hours)
    arguments.shares(mfu=mfu)
    arguments.positive(mfu=mfu)
    return hours * HOUR * hardware.peak(device, dtype) * mfu


@verifier
def device_time(compute: float, device: str, mfu: float, dtype: str = "bf16") -> float:
    """Time that a number of FLOPs takes one accelerator at a utilisation: GPU-hours, told in hours.

    Formula: C / (dense peak · MFU).
    Unit: s
    Source: definition
    """
    return roofline.compute_time(compute, device, dtype, utilisation=mfu)


@verifier
def duration(compute: float, devices: int, device: str, mfu: float, dtype: str = "bf16") -> float:
    """Time that a run takes on a cluster, without restarts.

    Formula: C / (devices · dense peak · MFU).
    Unit: s
    Source: definition
    """
    return roofline.compute_time(compute, device, dtype, devices, mfu)


@verifier
def mfu(compute: float, seconds: float, devices: int, device: str, dtype: str = "bf16") -> float:
    """Model FLOPs utilisation: the model's FLOPs over what the accelerators could have done meanwhile.

    Formula: C / (seconds · devices · dense peak).
    Unit: 1
    Source: chowdhery2022
    """
    arguments.non_negative(compute=compute)
    arguments.positive(seconds=seconds)
    arguments.counts(devices=devices)
    return compute / (seconds * devices * hardware.peak(device, dtype))


@verifier
def price(compute: float, device: str, mfu: float, dollars_per_hour: float, dtype: str = "bf16") -> float:
    """Rent of the accelerator hours that a number of FLOPs takes.

    Formula: device time in hours · dollars per hour.
    Unit: $
    Source: definition
    """
    arguments.non_negative(dollars_per_hour=dollars_per_hour)
    return device_time(compute, device, mfu, dtype) / HOUR * dollars_per_hour
