"""Witnesses of `verifiers/precision.py`: loops of tensors, GradScaler and optimiser states."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import formats, precision

torch = pytest.importorskip("torch")
adam = pytest.importorskip("torch.optim.adam").adam

DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8_e5m2": torch.float8_e5m2,
    "fp8_e4m3": torch.float8_e4m3fn,
}


class PlainDescent:
    """What GradScaler needs of an optimiser; PyTorch's own import a compiler first."""

    def __init__(self, weight: Any) -> None:
        self.param_groups = [{"params": [weight]}]

    def step(self) -> None:
        with torch.no_grad():
            for weight in self.param_groups[0]["params"]:
                weight -= weight.grad


@witnesses("precision.after_updates")
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("update", [1e-4, 5e-4, 0.004])
def test_updates_equal_a_loop_of_tensors(dtype: str, update: float) -> None:
    weight = torch.tensor(1.0, dtype=DTYPES[dtype])
    for _ in range(100):
        # in float64, then rounded once, as an update computed in high precision is stored
        weight = (weight.double() - update).to(DTYPES[dtype])
    assert precision.after_updates(dtype, 1.0, update, 100) == float(weight)


@witnesses("precision.running_sum")
@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp8_e4m3", "fp8_e5m2"])
def test_running_sum_equals_a_loop_of_tensors(dtype: str) -> None:
    total = torch.zeros((), dtype=DTYPES[dtype])
    for _ in range(3000):
        total = (total.float() + 1).to(DTYPES[dtype])
    assert precision.running_sum(dtype, 3000) == float(total.float())


@pytest.mark.parametrize(
    ("dtype", "numbers"),
    [
        ("fp4_e2m1", [0, 0.5, 1, 1.5, 2, 3, 4, 6]),
        (
            "fp6_e2m3",
            [i / 8 for i in range(16)] + [i / 4 for i in range(8, 16)] + [i / 2 for i in range(8, 16)],
        ),
    ],
)
def test_running_sums_that_saturate_equal_a_loop_over_the_table(dtype: str, numbers: list[float]) -> None:
    total = 0.0
    for terms in range(1, 20):
        # the nearest of all, of two the one whose place in the table is even
        total = min(numbers, key=lambda number: (abs(number - total - 1), numbers.index(number) % 2))
        assert precision.running_sum(dtype, terms) == total


@witnesses("precision.max_scale")
@pytest.mark.parametrize("gradient", [2.0, 1.0, 0.999, 3e-5, 700.0, 65504.0, 65510.0])
def test_the_next_scale_overflows_a_real_tensor(gradient: float) -> None:
    scale = precision.max_scale(gradient)
    half = torch.tensor([gradient * scale, gradient * scale * 2], dtype=torch.float64).half()
    assert torch.isfinite(half).tolist() == [True, False]


@witnesses("precision.gradient_seen")
@pytest.mark.parametrize("gradient", [1e-8, 3e-7, 0.01, 0.3])
def test_gradient_seen_equals_a_cast_there_and_back(gradient: float) -> None:
    for scale in (1, 1024, 65536):
        half = torch.tensor(gradient * scale, dtype=torch.float64).half()
        assert precision.gradient_seen(gradient, scale) == (half.double() / scale).item()


@witnesses("precision.scaling_is_lossless")
def test_scaled_gradients_of_real_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision.scaling_is_lossless() == {
        "format": "fp16",
        "scale": 65536,
        "normal": "2^-14 to 2^-1",
        "tiny": "below 2^-25",
    }
    generator = torch.Generator().manual_seed(0)
    gradients = torch.empty(1000, dtype=torch.float64)
    gradients = gradients.uniform_(2.0**-14, 2.0**-1, generator=generator)
    scaled = (gradients * 65536).half().float() / 65536
    assert torch.equal(scaled, gradients.half().float())
    # a scale that is no power of two moves the rounding: the check must see it
    monkeypatch.setattr(
        precision,
        "unscale",
        lambda g, scale, fmt: (formats.nearest(g * 50_000, fmt) or Fraction(0)) / 50_000,
    )
    with pytest.raises(AssertionError, match="mantissa"):
        precision.scaling_is_lossless()


@witnesses("precision.dynamic_scale")
@pytest.mark.parametrize("gradient, interval", [(8.0, 5), (0.01, 3), (1.0, 7)])
def test_dynamic_scale_equals_grad_scaler(gradient: float, interval: int) -> None:
    steps = 40
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, growth_interval=interval)
    weight = torch.zeros(1, requires_grad=True)
    optimiser = PlainDescent(weight)
    # the gradient passes through fp16 on its way, where it may overflow
    weight.register_hook(lambda g: g.half().float())
    skipped = 0
    for _ in range(steps):
        before = weight.item()
        weight.grad = None
        scaler.scale((weight * gradient).sum()).backward()
        scaler.step(optimiser)
        scaler.update()
        skipped += weight.item() == before
    ours = precision.dynamic_scale(gradient, steps, 2**16, interval)
    assert (ours["scale"], ours["skipped"]) == (scaler.get_scale(), skipped)
    assert ours["share"] == skipped / steps
    assert ours["first"] == max(0, math.ceil(math.log2(gradient * 2**16 / 65504)))


ADAM = {
    "foreach": False, "amsgrad": False, "beta1": 0.9, "beta2": 0.999, "lr": 1e-3,
    "weight_decay": 0.0, "eps": 1e-8, "maximize": False,
}  # fmt: skip


@witnesses("precision.bytes_per_parameter")
@pytest.mark.parametrize(
    "recipe, compute, gradient, master, state",
    [
        ("fp32", torch.float32, torch.float32, None, torch.float32),
        ("mixed", torch.bfloat16, torch.bfloat16, torch.float32, torch.float32),
        ("mixed_fp32_gradients", torch.bfloat16, torch.float32, torch.float32, torch.float32),
        ("pure_16bit", torch.bfloat16, torch.bfloat16, None, torch.bfloat16),
    ],
)
def test_bytes_equal_those_of_real_training_tensors(
    recipe: str, compute: Any, gradient: Any, master: Any, state: Any
) -> None:
    n = 1000
    working = torch.randn(n).to(compute).requires_grad_()
    working.sum().backward()
    grad = working.grad.to(gradient)
    owner = working if master is None else working.detach().to(master).requires_grad_()
    owner.grad = grad.to(owner.dtype)
    moments = [torch.zeros_like(owner), torch.zeros_like(owner)]
    count = torch.tensor(0.0)
    with torch.no_grad():
        adam([owner], [owner.grad], *([m] for m in moments), [], [count], **ADAM)
    assert all(m.dtype == state and m.abs().sum() > 0 for m in moments)
    tensors = [working, grad, *moments, *([] if master is None else [owner])]
    assert precision.bytes_per_parameter(recipe)["total"] * n == sum(t.nbytes for t in tensors)


@pytest.mark.parametrize(
    "call",
    [
        lambda: precision.after_updates("fp16", steps=-1),
        lambda: precision.after_updates("fp16", steps=100_001),
        lambda: precision.after_updates("fp16", weight=1e9, steps=0),
        lambda: precision.after_updates("fp8_e4m3", weight=448.0, update=-400.0, steps=2),
        lambda: precision.running_sum("bf16", -1),
        lambda: precision.max_scale(0.0),
        lambda: precision.max_scale(math.inf),
        lambda: precision.max_scale(True),
        lambda: precision.gradient_seen(math.inf, 1),
        lambda: precision.after_updates("fp16", weight=math.inf),
        lambda: precision.after_updates("fp16", update=math.inf),
        lambda: precision.gradient_seen(1e-8, 3),
        lambda: precision.gradient_seen(1e-8, 0),
        lambda: precision.gradient_seen(2.0, 65536),
        lambda: precision.max_scale(1e9),
        lambda: precision.dynamic_scale(0.0, 10),
        lambda: precision.dynamic_scale(1.0, 0),
        lambda: precision.dynamic_scale(1.0, 1, initial=0),
        lambda: precision.dynamic_scale(1.0, 1, interval=0),
        lambda: precision.bytes_per_parameter("fp4"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_a_gradient_that_overflows_alone_has_no_scale() -> None:
    for gradient in (1e5, 1e9):
        with pytest.raises(ValueError, match="overflows fp16 without"):
            precision.max_scale(gradient)


def test_the_longest_runs_are_allowed() -> None:
    assert precision.after_updates("fp16", steps=100_000) == 1
    assert precision.after_updates("fp8_e4m3", update=0.0, steps=0) == 1
    assert precision.running_sum("fp32", 10**5) == 10**5
    assert precision.running_sum("bf16", 0) == 0 and precision.running_sum("fp32", 10**9) == 2**24
    assert precision.running_sum("fp4_e2m1", 99) == 4
    assert precision.gradient_seen(1.0, 1) == 1


def test_defaults_are_those_of_the_recipe() -> None:
    assert precision.after_updates("fp32") == precision.after_updates("fp32", 1.0, 1e-4, 1000)
    assert precision.dynamic_scale(0.01, 1999)["scale"] == 2**16
    assert precision.dynamic_scale(0.01, 2000)["scale"] == 2**17
    assert precision.max_scale(-3.0) == 16384
    assert precision.max_scale(3.0, "fp8_e5m2") == 16384


def test_each_part_of_the_scaling_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = precision.unscale
    fp16 = formats.get_format("fp16")

    def check(broken: Callable[..., Any], told: str, **arguments: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(precision, "unscale", broken)
            with pytest.raises(AssertionError, match=told):
                precision.scaling_is_lossless(**{"numerators": (101, 1000, 300)} | arguments)

    check(lambda g, s, f: correct(g, s, f) if g < 65504 else Fraction(1), "should overflow")
    check(lambda g, s, f: correct(g, s, f) if g > 2**-20 else Fraction(0), "is lost in spite")
    off = 1 + Fraction(1, 2**10)
    check(lambda g, s, f: correct(g, s, f) if g > 2**-20 else g * off, "lost bits")
    near = 1 + Fraction(1, 2**11)
    with monkeypatch.context() as patch:  # just inside the allowed error
        patch.setattr(precision, "unscale", lambda g, s, f: correct(g, s, f) if g > 2**-20 else g * near)
        precision.scaling_is_lossless()
    check(correct, "does not underflow", tiny=-24)
    check(correct, "mantissa", normal=(-16, -14))
    assert precision.unscale(Fraction(3), 2, fp16) == 3
    seen: list[Fraction] = []
    with monkeypatch.context() as patch:
        patch.setattr(precision, "unscale", lambda g, s, f: seen.append(g) or correct(g, s, f))
        precision.scaling_is_lossless(normal=(-3, -1), tiny=-25, numerators=(250, 1000, 500))
    quarters = [Fraction(5, 4) / 8, Fraction(5, 4) / 4, Fraction(1, 4) / 2**25]
    quarters += [Fraction(7, 4) / 8, Fraction(7, 4) / 4, Fraction(3, 4) / 2**25, Fraction(65504)]
    assert seen == quarters
