"""Witnesses of `verifiers/optimiser_states.py`: real states, PyTorch's quantised tensors and Muon's matrices."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import optimiser_states

torch = pytest.importorskip("torch")

STATES = {
    "sgd": [],
    "momentum": ["velocity"],
    "lion": ["velocity"],
    "muon": ["velocity"],
    "rmsprop": ["square"],
    "adam": ["velocity", "square"],
    "adamw": ["velocity", "square"],
}


def adafactor_tensors(shape: tuple[int, ...]) -> list[torch.Tensor]:
    """The factors that Shazeer and Stern keep: means along the last and along the last but one dimension."""
    squares = torch.rand(shape)
    if squares.ndim < 2:
        return [squares]
    return [squares.mean(dim=-1), squares.mean(dim=-2)]


@witnesses("optimiser_states.values")
@pytest.mark.parametrize("shape", [(7,), (3, 4), (5, 3, 4), (1, 1), (2, 5, 3, 4)])
def test_values_equal_those_of_allocated_states(shape: tuple[int, ...]) -> None:
    weight = torch.zeros(shape)
    for rule, names in STATES.items():
        held = sum(torch.zeros_like(weight).numel() for _ in names)
        assert optimiser_states.values(rule, shape) == held
    factors = sum(tensor.numel() for tensor in adafactor_tensors(shape))
    assert optimiser_states.values("adafactor", shape) == factors
    assert optimiser_states.values("adafactor", shape, momentum=True) == factors + weight.numel()


@witnesses("optimiser_states.nbytes")
@pytest.mark.parametrize("rule", STATES)
def test_bytes_equal_those_of_tensors(rule: str) -> None:
    count, block = 4096, 256
    for dtype, kind in {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}.items():
        plain = [torch.zeros(count, dtype=kind) for _ in STATES[rule]]
        scales = [torch.zeros(count // block) for _ in STATES[rule]]
        ours = optimiser_states.nbytes(count, rule, dtype)
        assert ours == sum(tensor.nbytes for tensor in plain)
        blocked = optimiser_states.nbytes(count, rule, dtype, block=block)
        assert blocked == sum(tensor.nbytes for tensor in (*plain, *scales))
    assert optimiser_states.nbytes(0, rule) == 0
    assert optimiser_states.nbytes(10, rule, block=1) == 80 * len(STATES[rule])


def test_adam_in_full_precision_is_the_default() -> None:
    assert optimiser_states.nbytes(100) == 800


@witnesses("optimiser_states.factored_states")
def test_factors_equal_those_of_transformers_and_wrong_ones_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert optimiser_states.factored_states(rows=3, columns=2, seeds=1)["seeds"] == 1
    squares = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # as Adafactor is written: a normalised row factor times a column factor of means
    rows, columns = squares.mean(dim=-1), squares.mean(dim=-2)
    inverse = (rows / rows.mean()).rsqrt().unsqueeze(-1) * columns.rsqrt().unsqueeze(-2)
    assert np.allclose(optimiser_states.factored(squares.numpy()), (inverse**-2).numpy(), rtol=1e-12)


def test_each_property_of_the_factors_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = optimiser_states.factored

    def fails(told: str, **patches: object) -> None:
        with monkeypatch.context() as patch:
            for name, value in patches.items():
                patch.setattr(optimiser_states, name, value)
            with pytest.raises(AssertionError, match=told):
                optimiser_states.factored_states()

    columns_only = {"factored": lambda v: np.ones_like(v) * v.sum(axis=0) / len(v)}
    rows_only = {"factored": lambda v: np.ones_like(v) * v.sum(axis=1, keepdims=True) / v.shape[1]}
    fails("sums along axis 1", **columns_only)
    fails("sums along axis 0", **rows_only)
    calls = []

    def changes_its_mind(v: np.ndarray) -> np.ndarray:
        calls.append(v)
        return correct(v) * (1 if len(calls) % 2 else 1.01)

    fails("rank one", factored=changes_its_mind)
    fails("nearer", generalised_divergence=lambda v, estimate: 1.0)
    divergence = optimiser_states.generalised_divergence
    fails("nearer", generalised_divergence=lambda v, estimate: -divergence(v, estimate))


def test_the_divergence_is_the_generalised_one() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.random((3, 2)), rng.random((3, 2))
    theirs = torch.nn.functional.kl_div(
        torch.from_numpy(two).log(), torch.from_numpy(one), reduction="sum"
    ).item()
    ours = optimiser_states.generalised_divergence(one, two)
    assert ours == pytest.approx(theirs - one.sum() + two.sum(), rel=1e-12)


def test_matrices_tried_have_rows_and_columns_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    monkeypatch.setattr(
        optimiser_states, "generalised_divergence", lambda v, e: seen.append(e) or float(len(seen))
    )
    optimiser_states.factored_states(rows=3, columns=2, seeds=1, steps=(0.5, 2.0))
    generator = np.random.default_rng([3, 2, 0])
    generator.exponential(size=(3, 2))
    for step, tried in zip((0.5, 2.0), seen[1:], strict=True):
        rows, columns = (
            np.exp(step * generator.standard_normal(3)),
            np.exp(step * generator.standard_normal(2)),
        )
        assert np.allclose(tried / seen[0], rows[:, None] * columns)


@witnesses("optimiser_states.blockwise_error")
@pytest.mark.parametrize("bits, block", [(8, 4), (8, 64), (4, 7), (2, 5)])
def test_errors_equal_those_of_integer_tensors(bits: int, block: int) -> None:
    numbers = torch.randn(64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    numbers[:8] = 0
    numbers[9] = 1e-9
    kept = []
    for part in numbers.split(block):
        top = 2 ** (bits - 1) - 1
        scale = part.abs().max() / top
        kept.append((part / scale).round().to(torch.int8).double() * scale if scale else part)
    error = (torch.cat(kept) - numbers).abs()
    ours = optimiser_states.blockwise_error(numbers.tolist(), block, bits)
    assert ours["largest"] == pytest.approx(error.max().item(), rel=1e-12)
    assert ours["mean"] == pytest.approx(error.mean().item(), rel=1e-12)
    assert ours["zeroed"] == int(((torch.cat(kept) == 0) & (numbers != 0)).sum()) > 0
    assert optimiser_states.blockwise_error(numbers.tolist(), block) == optimiser_states.blockwise_error(
        numbers.tolist(), block, 8
    )


@witnesses("optimiser_states.outlier_stays_in_its_block")
def test_an_outlier_that_gets_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert optimiser_states.outlier_stays_in_its_block(count=64, block=16)["block"] == 16
    numbers = torch.randn(64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spoilt = numbers.clone()
    spoilt[0] = 1e4
    for first, last in ((0, 16), (16, 64)):
        error = [
            abs(optimiser_states.blockwise(x.numpy(), 16, 8) - x.numpy())[first:last].max()
            for x in (numbers, spoilt)
        ]
        assert error[0] == error[1] if first else error[1] > 100 * error[0]

    correct = optimiser_states.blockwise

    def fails(told: str, broken: Callable[..., np.ndarray]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(optimiser_states, "blockwise", broken)
            with pytest.raises(AssertionError, match=told):
                optimiser_states.outlier_stays_in_its_block(count=64, block=16)

    fails("without the outlier", lambda x, block, bits: correct(x, len(x), bits))
    first_beyond = np.arange(64) == 16
    fails(
        "without the outlier",
        lambda x, block, bits: correct(x, block, bits) + (x[0] == 1e4) * first_beyond / 2,
    )
    fails("unharmed", lambda x, block, bits: x)
    fails("one block", lambda x, block, bits: correct(x, min(block, 16), bits))


def test_an_outlier_only_has_to_be_worse_than_the_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    def fixed(errors: dict[str, float]) -> Callable[..., np.ndarray]:
        def broken(x: np.ndarray, block: int, bits: int) -> np.ndarray:
            kind = "together" if block == len(x) else "apart" if x[0] == 1e4 else "calm"
            out = x.copy()
            out[0] += errors[kind] if kind != "together" else 0
            out[-1] += errors[kind] if kind == "together" else 0
            return out

        return broken

    for errors, told in (
        ({"calm": 1.0, "apart": 1.0, "together": 9.0}, "unharmed"),
        ({"calm": 1.0, "apart": 9.0, "together": 1.0}, "one block"),
        ({"calm": 1.0, "apart": 1.5, "together": 1.5}, ""),
    ):
        monkeypatch.setattr(optimiser_states, "blockwise", fixed(errors))
        if told:
            with pytest.raises(AssertionError, match=told):
                optimiser_states.outlier_stays_in_its_block(count=64, block=16)
        else:
            optimiser_states.outlier_stays_in_its_block(count=64, block=16)


@witnesses("optimiser_states.newton_schulz")
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_singular_values_equal_those_of_iterated_matrices(steps: int) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    matrix /= matrix.norm()
    u, sizes, v = torch.linalg.svd(matrix, full_matrices=False)
    for _ in range(steps):
        gram = matrix @ matrix.T
        matrix = 3.4445 * matrix + (-4.7750 * gram + 2.0315 * gram @ gram) @ matrix
    ours = torch.tensor([optimiser_states.newton_schulz(size, steps) for size in sizes.tolist()]).double()
    assert torch.allclose(u @ torch.diag(ours) @ v, matrix, atol=1e-6)
    if steps == 5:
        assert [
            optimiser_states.newton_schulz(size) for size in sizes.tolist()
        ] == ours.tolist() or torch.allclose(
            torch.tensor([optimiser_states.newton_schulz(size) for size in sizes.tolist()]).double(), ours
        )


def test_values_without_steps_stay() -> None:
    assert optimiser_states.newton_schulz(0.3, 0) == 0.3
    assert optimiser_states.newton_schulz(0.0) == 0
    assert math.isfinite(optimiser_states.newton_schulz(1.0))


@pytest.mark.parametrize("numbers, block", [((), 2), ((1.0,), 0)])
def test_nothing_to_quantise_is_refused(numbers: tuple[float, ...], block: int) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        optimiser_states.blockwise_error(numbers, block)


@pytest.mark.parametrize(
    "call",
    [
        lambda: optimiser_states.values("adamax", (2, 2)),
        lambda: optimiser_states.values("adam", (2, 0)),
        lambda: optimiser_states.nbytes(-1),
        lambda: optimiser_states.nbytes(1, "adafactor"),
        lambda: optimiser_states.nbytes(1, block=-1),
        lambda: optimiser_states.nbytes(1, dtype="fp7"),
        lambda: optimiser_states.blockwise_error((), 2),
        lambda: optimiser_states.blockwise_error((1.0,), 0),
        lambda: optimiser_states.blockwise_error((1.0,), 2, 1),
        lambda: optimiser_states.blockwise_error((1.0, math.nan), 2),
        lambda: optimiser_states.newton_schulz(1.1),
        lambda: optimiser_states.newton_schulz(0.5, -1),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
