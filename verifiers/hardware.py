"""Accelerators by name: dense peaks, memory, bandwidth and links as their vendors print them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments

TERA = 10**12
GIGA = 10**9
MEBI = 2**20
GIBI = 2**30 / GIGA


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator as its datasheet gives it."""

    name: str
    memory: int
    """Bytes, the printed GB read as 10⁹ (TPU v4 and v5p are printed in GiB). The devices hold up to 7 % more,
    as what is printed as 80 GB is 80 GiB of chips, a part of which ECC and the driver keep."""
    bandwidth: int
    """Bytes a second between the device's memory and its chip."""
    peaks: Mapping[str, int]
    """FLOP/s (integers: operations a second) by data type, dense: without the doubling that NVIDIA prints
    for structured sparsity, accumulated in fp32 where tensor cores can. fp64 and fp32 are the vector units',
    which matrix products in these types may exceed on tensor cores (fp64 twice on A100, H100 and MI300X)."""
    l2: int
    """Bytes of the last cache that all cores share; 0 where the vendor prints none."""
    link: int
    """Bytes a second to its neighbours, both directions together, over all links."""
    link_kind: str
    watts: int
    """Printed power of the board; 0 where the vendor prints none."""
    source: str
    """Key in cards/references.yaml."""

    def peak(self, dtype: str) -> int:
        """Return the dense peak in FLOP/s for `dtype`, or say which types the device multiplies."""
        return self.peaks[arguments.one_of(f"data type on {self.name}", dtype, self.peaks)]


def _tera(**rates: float) -> dict[str, int]:
    return {dtype: round(rate * TERA) for dtype, rate in rates.items()}


V100 = _tera(fp64=7.8, fp32=15.7, fp16=125)
A100 = _tera(fp64=9.7, fp32=19.5, tf32=156, fp16=312, bf16=312, int8=624, int4=1248)
HOPPER = _tera(fp64=34, fp32=67, tf32=494.7, fp16=989.4, bf16=989.4, fp8=1978.9, int8=1978.9)
H100_PCIE = _tera(fp64=26, fp32=51, tf32=378, fp16=756, bf16=756, fp8=1513, int8=1513)
B200 = _tera(fp64=37, fp32=75, tf32=1125, fp16=2250, bf16=2250, fp8=4500, int8=4500, fp4=9000)
L4 = _tera(fp32=30.3, tf32=60, fp16=121, bf16=121, fp8=242.5, int8=242.5)
T4 = _tera(fp32=8.1, fp16=65, int8=130, int4=260)
A10G = _tera(fp32=35, tf32=35, fp16=70, bf16=70, int8=140, int4=280)
ADA = _tera(fp32=82.6, tf32=82.6, fp16=165.2, bf16=165.2, fp8=330.3, int8=660.6, int4=1321.2)
MI300X = _tera(fp64=81.7, fp32=163.4, tf32=653.7, fp16=1307.4, bf16=1307.4, fp8=2614.9, int8=2614.9)


def _row(
    name: str,
    gigabytes: float,
    gigabytes_per_second: float,
    peaks: Mapping[str, int],
    l2_mebibytes: int,
    link: int,
    link_kind: str,
    watts: int,
    source: str,
) -> Accelerator:
    memory, bandwidth = round(gigabytes * GIGA), round(gigabytes_per_second * GIGA)
    return Accelerator(
        name, memory, bandwidth, peaks, l2_mebibytes * MEBI, link * GIGA, link_kind, watts, source
    )


TABLE = {
    device.name: device
    for device in (
        _row("v100-16gb", 16, 900, V100, 6, 300, "NVLink 2", 300, "nvidia2020v100"),
        _row("v100-32gb", 32, 900, V100, 6, 300, "NVLink 2", 300, "nvidia2020v100"),
        _row("a100-40gb", 40, 1555, A100, 40, 600, "NVLink 3", 400, "nvidia2020a100"),
        _row("a100-80gb", 80, 2039, A100, 40, 600, "NVLink 3", 400, "nvidia2021"),
        _row("a100-40gb-pcie", 40, 1555, A100, 40, 600, "NVLink 3 bridge", 250, "nvidia2020a100"),
        _row("a100-80gb-pcie", 80, 1935, A100, 40, 600, "NVLink 3 bridge", 300, "nvidia2021"),
        _row("h100-sxm", 80, 3350, HOPPER, 50, 900, "NVLink 4", 700, "nvidia2022h100"),
        _row("h100-pcie", 80, 2000, H100_PCIE, 50, 600, "NVLink 4 bridge", 350, "nvidia2022h100"),
        _row("h200", 141, 4800, HOPPER, 50, 900, "NVLink 4", 700, "nvidia2023"),
        # as the HGX board's; the DGX pages print 64 TB/s for eight, drivers tell 7,680 bits, 7.67 TB/s each
        _row("b200", 180, 7700, B200, 126, 1800, "NVLink 5", 1000, "nvidia2024b200"),
        _row("l4", 24, 300, L4, 48, 64, "PCIe 4", 72, "nvidia2023l4"),
        _row("t4", 16, 320, T4, 4, 32, "PCIe 3", 70, "nvidia2018turing"),
        _row("a10g", 24, 600, A10G, 6, 64, "PCIe 4", 300, "nvidia2022a10g"),
        _row("rtx-4090", 24, 1008, ADA, 72, 64, "PCIe 4", 450, "nvidia2022ada"),
        _row("mi300x", 192, 5325, MI300X, 256, 896, "Infinity Fabric", 750, "amd2023mi300x"),
        _row("tpu-v4", 32 * GIBI, 1200, _tera(bf16=275, int8=275), 0, 600, "ICI", 0, "jouppi2023"),
        _row("tpu-v5e", 16, 819, _tera(bf16=197, int8=393), 0, 400, "ICI", 0, "google2023v5e"),
        _row("tpu-v5p", 95 * GIBI, 2765, _tera(bf16=459, int8=918), 0, 1200, "ICI", 0, "google2023v5p"),
    )
}


def get(name: str) -> Accelerator:
    """Return the accelerator called `name`, or say which name was probably meant."""
    return TABLE[arguments.one_of("accelerator", name, TABLE)]


def room(device: str, devices: int = 1, usable: float = 1.0) -> Fraction:
    """Bytes of the usable share of so many devices' memory, exact: 0.41 means 41 hundredths."""
    arguments.counts(devices=devices)
    arguments.shares(usable=usable)
    return devices * get(device).memory * Fraction(str(usable))


@verifier
def memory(device: str) -> int:
    """Bytes of a device's memory as its vendor prints them, a GB read as 10⁹.

    Unit: B
    Source: nvidia2021, nvidia2022h100
    """
    return get(device).memory


@verifier
def bandwidth(device: str) -> int:
    """Bytes a second between a device's memory and its chip.

    Unit: B/s
    Source: nvidia2021, nvidia2022h100
    """
    return get(device).bandwidth


@verifier
def peak(device: str, dtype: str = "bf16") -> int:
    """Dense peak rate, without structured sparsity: tf32 and 16 bits and below on tensor cores.

    That of fp32 and fp64 is the vector units'.

    Unit: FLOP/s
    Source: nvidia2021, nvidia2022h100
    """
    return get(device).peak(dtype)


@verifier
def link(device: str) -> int:
    """Bytes a second over all of a device's links to its neighbours, both directions together.

    Unit: B/s
    Source: nvidia2021, nvidia2022h100
    """
    return get(device).link


@verifier
def ridge(device: str, dtype: str = "bf16") -> float:
    """Arithmetic intensity from which on a kernel can be limited by compute instead of bandwidth.

    Formula: dense peak / memory bandwidth.
    Unit: FLOP/B
    Source: williams2009
    """
    chip = get(device)
    return chip.peak(dtype) / chip.bandwidth
