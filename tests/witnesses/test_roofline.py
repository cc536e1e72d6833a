"""Independent ways to the numbers of verifiers/roofline.py."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from proofdeck import witnesses
from verifiers import hardware, roofline

A100 = {"peak": hardware.peak("a100-80gb"), "bandwidth": hardware.bandwidth("a100-80gb")}
H100 = {"peak": hardware.peak("h100-sxm"), "bandwidth": hardware.bandwidth("h100-sxm")}
FP8 = hardware.peak("h100-sxm", "fp8")


@witnesses("roofline.matmul_intensity", "roofline.linear_intensity")
@pytest.mark.parametrize(("m", "n", "k"), [(4096, 4096, 4096), (1, 512, 256), (33, 5, 7)])
def test_intensities_equal_counted_flops_over_tensor_bytes(m: int, n: int, k: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    for dtype, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        a, b = (torch.empty(shape, device="meta", dtype=kind) for shape in ((m, k), (k, n)))
        with FlopCounterMode(display=False) as counter:
            c = a @ b
        flops, read = counter.get_total_flops(), a.nbytes + b.nbytes
        assert roofline.matmul_intensity(m, n, k, dtype) == pytest.approx(flops / (read + c.nbytes))
        assert roofline.matmul_intensity(m, n, k, dtype, written=False) == pytest.approx(flops / read)
        assert roofline.linear_intensity(m, k, n, dtype) == pytest.approx(flops / (read + c.nbytes))
        quantised = torch.empty(k, n, device="meta", dtype=torch.int8).nbytes
        moved = a.nbytes + quantised + c.nbytes
        assert roofline.linear_intensity(m, k, n, dtype, "int8") == pytest.approx(flops / moved)
    assert roofline.matmul_intensity(m, n, k) == roofline.matmul_intensity(m, n, k, "bf16", True)
    assert roofline.linear_intensity(m, n, k) == roofline.linear_intensity(m, n, k, "bf16")


@witnesses("roofline.elementwise_intensity")
def test_elementwise_intensity_counts_what_a_function_touches() -> None:
    torch = pytest.importorskip("torch")
    x = torch.randn(100).bfloat16()
    y = torch.relu(x)
    assert roofline.elementwise_intensity() == 100 / (x.nbytes + y.nbytes) == 0.25
    assert roofline.elementwise_intensity(1, 2, 1, "fp32") == pytest.approx(100 / (12 * 100))
    assert roofline.elementwise_intensity(8, 0, 1) == 4
    assert roofline.elementwise_intensity(8, 1, 0) == 4
    assert roofline.elementwise_intensity(1) == roofline.elementwise_intensity(1.0, 1, 1, "bf16")


@witnesses("roofline.attention_intensity")
@pytest.mark.parametrize(("queries", "keys"), [(1, 500), (64, 64), (3, 17)])
@pytest.mark.parametrize("kv_heads", [8, 2, 1])
def test_fused_attention_reads_and_writes_each_tensor_once(queries: int, keys: int, kv_heads: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    for dtype, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        q = torch.empty(kv_heads, 8 // kv_heads * queries, 16, device="meta", dtype=kind)
        k = torch.empty(kv_heads, keys, 16, device="meta", dtype=kind)
        v = torch.empty_like(k)
        with FlopCounterMode(display=False) as counter:
            out = torch.softmax(q @ k.transpose(1, 2), -1) @ v
        moved = sum(tensor.nbytes for tensor in (q, k, v, out))
        found = roofline.attention_intensity(queries, keys, 8, kv_heads, 16, dtype)
        assert found == pytest.approx(counter.get_total_flops() / moved)
    assert roofline.attention_intensity(queries, keys, 8, kv_heads, 16) == pytest.approx(2 * found)


@witnesses("roofline.attainable", "roofline.share_of_peak")
@pytest.mark.parametrize("intensity", [0.25, 100.0, 153.0, 153.1, 1e4])
def test_the_roof_is_the_lower_of_two_rates(intensity: float) -> None:
    """Do a billion FLOPs: move their bytes, then compute, whichever takes longer."""
    flops = 1e9
    time = max(flops / A100["peak"], flops / intensity / A100["bandwidth"])
    assert roofline.attainable(intensity, "a100-80gb") == pytest.approx(flops / time)
    assert roofline.share_of_peak(intensity, "a100-80gb") == pytest.approx(flops / time / A100["peak"])
    time = max(flops / FP8, flops / intensity / H100["bandwidth"])
    assert roofline.attainable(intensity, "h100-sxm", "fp8") == pytest.approx(flops / time)
    assert roofline.share_of_peak(intensity, "h100-sxm", "fp8") == pytest.approx(flops / time / FP8)


@witnesses("roofline.memory_time", "roofline.compute_time", "roofline.time_bound")
def test_times_equal_those_of_counting_down_second_by_second() -> None:
    moved, milliseconds = 0, 0
    while moved < 100 * 2039 * 10**6:
        moved += 2 * 2039 * 10**6
        milliseconds += 1
    assert roofline.memory_time(100 * 2039 * 10**6, "a100-80gb", 2) == pytest.approx(milliseconds / 1e3)
    assert roofline.memory_time(2039 * 10**9, "a100-80gb") == 1
    assert roofline.compute_time(312e12, "a100-80gb") == 1
    assert roofline.compute_time(312e12, "a100-80gb", "bf16", 4, 0.5) == 0.5
    assert roofline.compute_time(FP8, "h100-sxm", "fp8") == 1
    assert roofline.memory_time(0, "l4") == roofline.compute_time(0, "l4") == 0
    slow = roofline.time_bound(312e12, 2 * 2039e9, "a100-80gb")
    assert slow == {"compute": 1, "memory": 2, "time": 2, "limit": "memory"}
    fast = roofline.time_bound(3 * 312e12, 2039e9, "a100-80gb", "bf16", 3)
    assert fast == pytest.approx({"compute": 1, "memory": 1 / 3, "time": 1, "limit": "compute"})
    assert roofline.time_bound(312e12, 2039e9, "a100-80gb")["limit"] == "compute"
    assert roofline.time_bound(FP8, 1, "h100-sxm", "fp8")["compute"] == 1


@witnesses("roofline.square_at_ridge", "roofline.batch_at_ridge")
@pytest.mark.parametrize(("device", "numbers"), [("a100-80gb", A100), ("h100-sxm", H100)])
def test_the_least_size_at_the_ridge(device: str, numbers: dict[str, int]) -> None:
    ridge = Fraction(numbers["peak"], numbers["bandwidth"])
    size = 1
    while Fraction(2 * size**3, 3 * size**2 * 2) < ridge:
        size += 1
    assert roofline.square_at_ridge(device) == size == roofline.square_at_ridge(device, "bf16")
    for weight_dtype, width in (("bf16", 2), ("int8", 1), ("int4", 0.5)):
        tokens = next(t for t in range(1, 999) if Fraction(2 * t) / Fraction(width) >= ridge)
        assert roofline.batch_at_ridge(device, "bf16", weight_dtype) == tokens
    assert roofline.batch_at_ridge(device) == roofline.batch_at_ridge(device, "bf16", "bf16")
    eight = hardware.peak(device, "int8") / numbers["bandwidth"]
    assert roofline.square_at_ridge(device, "int8") == math.ceil(eight * 1.5)
    assert roofline.batch_at_ridge(device, "int8") == math.ceil(eight / 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: roofline.matmul_intensity(0, 1, 1),
        lambda: roofline.matmul_intensity(1, 0, 1),
        lambda: roofline.matmul_intensity(1, 1, 0),
        lambda: roofline.linear_intensity(0, 1, 1),
        lambda: roofline.linear_intensity(1, 0, 1),
        lambda: roofline.linear_intensity(1, 1, 0),
        lambda: roofline.elementwise_intensity(0),
        lambda: roofline.elementwise_intensity(1, 0, 0),
        lambda: roofline.elementwise_intensity(1, -1, 2),
        lambda: roofline.elementwise_intensity(1, 2, -1),
        lambda: roofline.attention_intensity(0, 1, 1, 1, 1),
        lambda: roofline.attention_intensity(1, 0, 1, 1, 1),
        lambda: roofline.attention_intensity(1, 1, 3, 2, 1),
        lambda: roofline.attention_intensity(1, 1, 1, 1, 0),
        lambda: roofline.attainable(0, "l4"),
        lambda: roofline.memory_time(-1, "l4"),
        lambda: roofline.memory_time(1, "l4", 0),
        lambda: roofline.compute_time(-1, "l4"),
        lambda: roofline.compute_time(1, "l4", devices=0),
        lambda: roofline.compute_time(1, "l4", utilisation=0),
        lambda: roofline.compute_time(1, "l4", utilisation=1.1),
        lambda: roofline.square_at_ridge("a101"),
        lambda: roofline.batch_at_ridge("a100-80gb", "fp8"),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
