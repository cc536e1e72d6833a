"""Datasheet numbers against a second way to them: clocks times units times operations each."""

from __future__ import annotations

import pytest

from proofdeck import witnesses
from verifiers import hardware

# streaming multiprocessors, boost clock in GHz, dense FMAs that one does a clock with 16-bit operands
CORES = {
    "v100-16gb": (80, 1.53, 512),
    "v100-32gb": (80, 1.53, 512),
    "a100-40gb": (108, 1.41, 1024),
    "a100-80gb": (108, 1.41, 1024),
    "a100-40gb-pcie": (108, 1.41, 1024),
    "a100-80gb-pcie": (108, 1.41, 1024),
    "h100-sxm": (132, 1.83, 2048),
    "h100-pcie": (114, 1.62, 2048),
    "h200": (132, 1.83, 2048),
    "b200": (148, 1.86, 4096),
    "l4": (58, 2.04, 512),
    "t4": (40, 1.59, 512),
    "a10g": (80, 1.71, 256),
    "rtx-4090": (128, 2.52, 256),
    "mi300x": (304, 2.1, 1024),
}
# bits of the memory bus, gigabits a second on each pin
BUS = {
    "v100-16gb": (4096, 1.752),
    "v100-32gb": (4096, 1.752),
    "a100-40gb": (5120, 2.43),
    "a100-80gb": (5120, 3.186),
    "a100-40gb-pcie": (5120, 2.43),
    "a100-80gb-pcie": (5120, 3.024),
    "h100-sxm": (5120, 5.23),
    "h100-pcie": (5120, 3.19),
    "h200": (6144, 6.25),
    "b200": (7680, 8.0),
    "l4": (192, 12.5),
    "t4": (256, 10.0),
    "a10g": (384, 12.5),
    "rtx-4090": (384, 21.0),
    "mi300x": (8192, 5.2),
}
# links, gigabytes a second of each in one direction
LINKS = {
    "v100-16gb": (6, 25),
    "v100-32gb": (6, 25),
    "a100-40gb": (12, 25),
    "a100-80gb": (12, 25),
    "a100-40gb-pcie": (12, 25),
    "a100-80gb-pcie": (12, 25),
    "h100-sxm": (18, 25),
    "h100-pcie": (12, 25),
    "h200": (18, 25),
    "b200": (18, 50),
    "l4": (16, 2),
    "t4": (16, 1),
    "a10g": (16, 2),
    "rtx-4090": (16, 2),
    "mi300x": (7, 64),
    "tpu-v4": (6, 50),
    "tpu-v5e": (4, 50),
    "tpu-v5p": (6, 100),
}
GIGABYTES = {
    "v100-16gb": 16,
    "v100-32gb": 32,
    "a100-40gb": 40,
    "a100-80gb": 80,
    "a100-40gb-pcie": 40,
    "a100-80gb-pcie": 80,
    "h100-sxm": 80,
    "h100-pcie": 80,
    "h200": 141,
    "b200": 180,
    "l4": 24,
    "t4": 16,
    "a10g": 24,
    "rtx-4090": 24,
    "mi300x": 192,
    "tpu-v5e": 16,
}
GIBIBYTES = {"tpu-v4": 32, "tpu-v5p": 95}
# what narrower or wider operands do to the rate of 16-bit ones
TIMES_BF16 = {"fp8": 2, "int8": 2, "int4": 4, "fp4": 4, "tf32": 0.5}
EXACT = {
    # as printed; the rates of cores other than the tensor cores', and of the TPUs
    "v100-16gb": {"fp64": 7.8, "fp32": 15.7, "fp16": 125},
    "a100-80gb": {"fp64": 9.7, "fp32": 19.5, "tf32": 156, "bf16": 312, "int8": 624, "int4": 1248},
    "h100-sxm": {"fp64": 34, "fp32": 67, "tf32": 494.7, "bf16": 989.4, "fp8": 1978.9, "int8": 1978.9},
    "h100-pcie": {"fp64": 26, "fp32": 51, "tf32": 378, "bf16": 756, "fp8": 1513, "int8": 1513},
    "b200": {"fp64": 37, "fp32": 75, "tf32": 1125, "bf16": 2250, "fp8": 4500, "int8": 4500, "fp4": 9000},
    "l4": {"fp32": 30.3, "tf32": 60, "bf16": 121, "fp8": 242.5, "int8": 242.5},
    "t4": {"fp32": 8.1, "fp16": 65, "int8": 130, "int4": 260},
    "a10g": {"fp32": 35, "tf32": 35, "bf16": 70, "int8": 140, "int4": 280},
    "rtx-4090": {"fp32": 82.6, "tf32": 82.6, "bf16": 165.2, "fp8": 330.3, "int8": 660.6, "int4": 1321.2},
    "mi300x": {"fp64": 81.7, "fp32": 163.4, "tf32": 653.7, "bf16": 1307.4, "fp8": 2614.9, "int8": 2614.9},
    "tpu-v4": {"bf16": 275, "int8": 275},
    "tpu-v5e": {"bf16": 197, "int8": 393},
    "tpu-v5p": {"bf16": 459, "int8": 918},
}
SAME_CHIP = {
    "v100-32gb": "v100-16gb",
    "a100-40gb": "a100-80gb",
    "a100-40gb-pcie": "a100-80gb",
    "a100-80gb-pcie": "a100-80gb",
    "h200": "h100-sxm",
}
L2 = {
    "v100": 6,
    "a100": 40,
    "h100": 50,
    "h200": 50,
    "b200": 126,
    "l4": 48,
    "t4": 4,
    "a10g": 6,
    "rtx": 72,
    "mi300x": 256,
    "tpu": 0,
}
WATTS = {
    "v100-16gb": 300,
    "v100-32gb": 300,
    "a100-40gb": 400,
    "a100-80gb": 400,
    "a100-40gb-pcie": 250,
    "a100-80gb-pcie": 300,
    "h100-sxm": 700,
    "h100-pcie": 350,
    "h200": 700,
    "b200": 1000,
    "l4": 72,
    "t4": 70,
    "a10g": 300,
    "rtx-4090": 450,
    "mi300x": 750,
}


@witnesses("hardware.peak")
@pytest.mark.parametrize("name", hardware.TABLE)
def test_peaks_are_printed_ones_and_follow_from_the_clock(name: str) -> None:
    printed = EXACT[SAME_CHIP.get(name, name)]
    for dtype, tera in printed.items():
        assert hardware.peak(name, dtype) == round(tera * 1e12)
    assert set(hardware.get(name).peaks) == set(printed) | ({"fp16"} if "tpu" not in name else set())
    if name in CORES:
        units, clock, fmas = CORES[name]
        assert hardware.peak(name, "fp16") == pytest.approx(2 * units * clock * 1e9 * fmas, rel=0.04)


@pytest.mark.parametrize("name", hardware.TABLE)
def test_narrower_operands_are_faster_by_their_width(name: str) -> None:
    peaks = hardware.get(name).peaks
    base = peaks.get("bf16", peaks.get("fp16"))
    assert peaks.get("fp16", base) == base
    for dtype, factor in TIMES_BF16.items():
        # Ada's consumer cards run int8 at twice the rate of fp8, and TPU v4 has no faster int8
        double = 2 if name == "rtx-4090" and dtype.startswith("int") else 1
        double = 0.5 if name == "tpu-v4" else double
        if dtype in peaks:
            assert peaks[dtype] == pytest.approx(base * factor * double, rel=0.015)
    if "bf16" in peaks:
        assert hardware.peak(name) == peaks["bf16"]


@witnesses("hardware.bandwidth")
@pytest.mark.parametrize("name", BUS)
def test_bandwidth_is_the_buss_width_times_its_rate(name: str) -> None:
    width, rate = BUS[name]
    assert hardware.bandwidth(name) == pytest.approx(width * rate * 1e9 / 8, rel=0.025)


def test_bandwidths_are_printed_ones() -> None:
    printed = {
        900: ("v100-16gb", "v100-32gb"),
        1555: ("a100-40gb", "a100-40gb-pcie"),
        2039: ("a100-80gb",),
        1935: ("a100-80gb-pcie",),
        3350: ("h100-sxm",),
        2000: ("h100-pcie",),
        4800: ("h200",),
        7700: ("b200",),
        300: ("l4",),
        320: ("t4",),
        600: ("a10g",),
        1008: ("rtx-4090",),
        5325: ("mi300x",),
        1200: ("tpu-v4",),
        819: ("tpu-v5e",),
        2765: ("tpu-v5p",),
    }
    for gigabytes, names in printed.items():
        assert [hardware.bandwidth(name) for name in names] == [gigabytes * 10**9] * len(names)
    assert {name for names in printed.values() for name in names} == set(hardware.TABLE)


@witnesses("hardware.link")
@pytest.mark.parametrize("name", hardware.TABLE)
def test_links_add_up_in_both_directions(name: str) -> None:
    links, each = LINKS[name]
    assert hardware.link(name) == 2 * links * each * 10**9


@witnesses("hardware.memory")
@pytest.mark.parametrize("name", hardware.TABLE)
def test_memory_is_the_printed_number_of_gigabytes(name: str) -> None:
    assert hardware.memory(name) == (
        GIGABYTES[name] * 10**9 if name in GIGABYTES else GIBIBYTES[name] * 2**30
    )


def test_a_share_of_the_memory_is_exact() -> None:
    assert hardware.room("a100-80gb") == 80 * 10**9
    assert hardware.room("a100-80gb", 3, 0.41) == 3 * 41 * 8 * 10**8
    assert hardware.room("t4", usable=0) == 0
    for wrong in ((0, 1), (1.5, 1), (1, 1.1), (1, -0.1)):
        with pytest.raises(ValueError):
            hardware.room("t4", *wrong)


@pytest.mark.parametrize("name", hardware.TABLE)
def test_caches_power_and_names_are_printed_ones(name: str) -> None:
    chip = hardware.get(name)
    assert chip.l2 == L2[name.split("-")[0]] * 2**20
    assert chip.watts == WATTS.get(name, 0)
    assert chip.name == name and chip.source and chip.link_kind


@witnesses("hardware.ridge")
def test_at_the_ridge_memory_and_arithmetic_take_equally_long() -> None:
    for name in ("a100-80gb", "h100-sxm", "tpu-v5e"):
        for dtype in ("bf16", "int8"):
            nbytes = 10**9
            flops = nbytes * hardware.ridge(name, dtype)
            assert nbytes / hardware.bandwidth(name) == pytest.approx(flops / hardware.peak(name, dtype))
    assert hardware.ridge("h200") == hardware.ridge("h200", "bf16")


def test_unknown_devices_and_types_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'h100-sxm'"):
        hardware.get("H100-SXM5")
    with pytest.raises(ValueError, match="data type on v100-32gb"):
        hardware.peak("v100-32gb", "bf16")
    for function in (hardware.memory, hardware.bandwidth, hardware.link, hardware.ridge, hardware.peak):
        with pytest.raises(ValueError, match="unknown accelerator"):
            function("abacus")
