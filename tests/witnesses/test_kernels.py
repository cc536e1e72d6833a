"""Independent ways to what bytes and arithmetic predict for kernels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers.kernels import expected, timing


@witnesses("kernels.expected.fusion_gain")
@pytest.mark.parametrize("name", ["softmax", "rms_norm", "swiglu", "cross_entropy"])
def test_fusion_gain_is_what_the_operations_really_touch(name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from verifiers.kernels import fusion

    class Traffic(TorchDispatchMode):  # type: ignore[misc]
        """Sums the bytes of every operation's distinct inputs and of its outputs; views are free.

        A gather touches no more of its input than it returns.
        """

        nbytes = 0

        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = op(*args, **(kwargs or {}))
            tensors = [t for t in tree_leaves((args, result)) if isinstance(t, torch.Tensor)]
            storages = {t.untyped_storage().data_ptr(): t.numel() * t.element_size() for t in tensors}
            if op is torch.ops.aten.gather.default:
                self.nbytes += 2 * result.numel() * result.element_size()
            elif len(storages) > 1:
                self.nbytes += sum(storages.values())
            return result

    case = fusion.CASES[name](64, 4096)
    with Traffic() as traffic:
        case.primitive()
    assert traffic.nbytes / case.nbytes == pytest.approx(expected.fusion_gain(name), rel=0.01)


@witnesses("kernels.expected.intensity")
@pytest.mark.parametrize(("batch", "width"), [(1, 64), (8, 128), (100, 32)])
def test_intensity_is_counted_flops_over_allocated_bytes(batch: int, width: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    x, w = torch.zeros(batch, width, dtype=torch.bfloat16), torch.zeros(width, width, dtype=torch.bfloat16)
    with FlopCounterMode(display=False) as counter:
        y = x @ w
    total = counter.get_total_flops() / (x.nbytes + w.nbytes + y.nbytes)
    assert total == pytest.approx(expected.intensity(batch, width), rel=1e-12)
    assert total / 2 == pytest.approx(expected.intensity(batch, width, nbytes=4), rel=1e-12)


@witnesses("kernels.expected.knee")
@pytest.mark.parametrize(
    ("flops", "bandwidth", "width"), [(989e12, 4.8e12, 8192), (312e12, 2e12, 4096), (1e3, 1e2, 64)]
)
def test_knee_is_where_the_two_times_meet(flops: float, bandwidth: float, width: int) -> None:
    def waits(batch: float) -> bool:
        return (width**2 + 2 * batch * width) * 2 / bandwidth > 2 * batch * width**2 / flops

    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if waits(middle) else (low, middle)
    assert expected.knee(flops, bandwidth, width) == pytest.approx(low, rel=1e-9)
    # half the bytes an element meet the same ceilings as twice the bandwidth
    halved = expected.knee(flops, bandwidth / 2, width, nbytes=1)
    assert halved == pytest.approx(low, rel=1e-9)


def test_knee_is_infinite_for_a_layer_too_narrow() -> None:
    assert expected.knee(1e12, 1e9, 64) == float("inf")
    # the ridge equals the intensity of the activations alone, which no batch exceeds
    assert expected.knee(32, 1, 64) == float("inf")
    assert expected.knee(31.999, 1, 64) > 1e5


@witnesses("kernels.expected.launch_bytes", "kernels.expected.decode_floor")
def test_bytes_and_time_are_inverse() -> None:
    for nbytes in (1e6, 14e9, 3.5e12):
        assert expected.launch_bytes(expected.decode_floor(nbytes, 4.8e12), 4.8e12) == pytest.approx(nbytes)
    assert expected.decode_floor(10, 5) == 2


@witnesses("kernels.expected.overall")
@pytest.mark.parametrize(("share", "speedup"), [(0.1, 3), (0.5, 2), (0.9, 100), (1, 4), (0, 4)])
def test_overall_is_the_ratio_of_two_sums(share: float, speedup: float) -> None:
    parts = [Fraction(share).limit_denominator(10), 1 - Fraction(share).limit_denominator(10)]
    after = parts[0] / Fraction(speedup) + parts[1]
    assert expected.overall(share, speedup) == pytest.approx(float(1 / after))


@witnesses("kernels.expected.backward_ratio", "kernels.expected.checkpoint_overhead")
def test_backward_and_checkpointing_by_counted_flops() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop
    from torch.utils.flop_counter import FlopCounterMode

    layers = torch.nn.Sequential(*(torch.nn.Linear(32, 32) for _ in range(3)))
    x = torch.randn(8, 32, requires_grad=True)

    def count(run: Any) -> int:
        with FlopCounterMode(display=False) as counter:
            run()
        return int(counter.get_total_flops())

    plain = x.detach()
    assert count(lambda: layers[0](plain).sum().backward()) == 2 * count(lambda: layers[0](plain))
    assert expected.backward_ratio(first=True) == 1

    forward = count(lambda: layers(x))
    step = count(lambda: layers(x).sum().backward())
    with set_checkpoint_early_stop(False):
        again = count(lambda: checkpoint(layers, x, use_reentrant=False).sum().backward())
    assert (step - forward) / forward == expected.backward_ratio()
    assert again / step - 1 == pytest.approx(expected.checkpoint_overhead())


@witnesses("kernels.expected.adamw_bytes")
def test_adamw_bytes_are_those_of_its_tensors() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.zeros(1000, requires_grad=True)
    weight.grad = torch.ones(1000)
    optimiser = torch.optim.AdamW([weight])
    optimiser.step()
    moments = [optimiser.state[weight][name] for name in ("exp_avg", "exp_avg_sq")]
    read = [weight, weight.grad, *moments]
    written = [weight, *moments]
    assert sum(t.nbytes for t in read + written) == expected.adamw_bytes(1000)


@witnesses("kernels.expected.adapter_share")
def test_adapter_share_by_counted_flops() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    x, w, a, b = (torch.zeros(*s) for s in ((5, 64), (64, 64), (64, 4), (4, 64)))
    with FlopCounterMode(display=False) as base:
        x @ w
    with FlopCounterMode(display=False) as adapter:
        (x @ a) @ b
    assert adapter.get_total_flops() / base.get_total_flops() == expected.adapter_share(64, 4)


@witnesses("kernels.expected.quantised_ratio")
def test_quantised_ratio_by_allocated_bytes() -> None:
    torch = pytest.importorskip("torch")
    from verifiers.kernels import decode

    cache = timing.random(3, 10, 128, dtype=torch.float16)
    codes, scales = decode._quantise(cache)
    assert cache.nbytes / (codes.nbytes + scales.to(torch.float32).nbytes) == expected.quantised_ratio(128)
    packed, groups = torch.zeros(3, 10, 64, dtype=torch.uint8), torch.zeros(3, 10, 4, dtype=torch.float16)
    found = expected.quantised_ratio(128, bits=4, scale_bytes=2, group=32)
    assert cache.nbytes / (packed.nbytes + groups.nbytes) == found
    assert cache.nbytes / codes.nbytes == expected.quantised_ratio(128, scale_bytes=0) == 2


@witnesses("kernels.expected.peak_bytes")
def test_peak_bytes_are_those_of_the_scores() -> None:
    torch = pytest.importorskip("torch")
    q = torch.zeros(3, 40, 8, dtype=torch.float16)
    scores = q @ q.transpose(1, 2)
    assert scores.nbytes == expected.peak_bytes(40, 3)
    assert scores.nbytes + scores.softmax(-1).nbytes == expected.peak_bytes(40, 3, copies=2)
    assert scores.float().nbytes == expected.peak_bytes(40, 3, nbytes=4)


WRONG = {
    "fusion_gain": {"name": "gelu"},
    "intensity": {"batch": 0, "width": 0, "nbytes": 0},
    "knee": {"flops": 0, "bandwidth": 0, "width": 0, "nbytes": 0},
    "launch_bytes": {"launch": 0, "bandwidth": 0},
    "decode_floor": {"nbytes": 0, "bandwidth": 0},
    "overall": {"share": 2, "speedup": 0},
    "adamw_bytes": {"params": 0},
    "adapter_share": {"width": 0, "rank": 0},
    "quantised_ratio": {"head_dim": 0, "bits": 0, "scale_bytes": -1, "group": 48},
    "peak_bytes": {"tokens": 0, "heads": 0, "nbytes": 0, "copies": 0},
}
RIGHT = {
    "flops": 1e12, "bandwidth": 1e12, "width": 64, "batch": 2, "nbytes": 2, "launch": 1e-6, "share": 0.5, "speedup": 2,
    "params": 10, "rank": 2, "head_dim": 128, "bits": 8, "scale_bytes": 4, "group": 0, "tokens": 8, "heads": 2,
    "copies": 1, "name": "softmax",
}  # fmt: skip


@pytest.mark.parametrize(
    ("function", "name", "value"), [(f, n, v) for f, wrong in WRONG.items() for n, v in wrong.items()]
)
def test_wrong_arguments_are_refused(function: str, name: str, value: Any) -> None:
    right = {key: RIGHT[key] for key in WRONG[function]}
    assert getattr(expected, function)(**right) > 0
    with pytest.raises(ValueError, match=r"must|unknown|divide|negative"):
        getattr(expected, function)(**right | {name: value})


def test_counts_of_things_are_integers() -> None:
    for call in (lambda: expected.adamw_bytes(1.5), lambda: expected.peak_bytes(8.5, 2)):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must be an integer"):
            call()
