"""Independent ways to the numbers of verifiers/ssm.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import ssm


@witnesses("ssm.discretised")
@pytest.mark.parametrize(("rate", "step"), [(-1.0, 0.1), (-0.3, 2.0), (-5.0, 0.05)])
def test_discretised_is_that_of_scipy(rate: float, step: float) -> None:
    signal = pytest.importorskip("scipy.signal")
    system = (np.array([[rate]]), np.array([[1.0]]), np.array([[1.0]]), np.array([[0.0]]))
    a, b, *_ = signal.cont2discrete(system, step, method="zoh")
    found = ssm.discretised(rate, step)
    assert (found["a"], found["b"]) == pytest.approx((a[0, 0], b[0, 0]))
    a, *_ = signal.cont2discrete(system, step, method="bilinear")
    found = ssm.discretised(rate, step, "bilinear")
    assert found["a"] == pytest.approx(a[0, 0])
    # the trapezoid rule for a constant input: x' = x + step · (rate · (x + x')/2 + 1), from zero
    assert found["b"] == pytest.approx(step * (rate * found["b"] / 2 + 1))


def test_discretised_refuses_growth_and_other_methods() -> None:
    for wrong in ((0.0, 1.0), (1.0, 1.0), (-1.0, 0.0)):
        with pytest.raises(ValueError):
            ssm.discretised(*wrong)
    with pytest.raises(ValueError, match="method"):
        ssm.discretised(-1.0, 1.0, "euler")


@witnesses("ssm.half_life")
def test_half_life_by_repeated_products() -> None:
    for kept in (0.5, 0.9, 0.999):
        assert kept ** ssm.half_life(kept) == pytest.approx(0.5)
    assert ssm.half_life(0.5) == pytest.approx(1)
    for wrong in (0.0, 1.0, -0.1, 1.1):
        with pytest.raises(ValueError):
            ssm.half_life(wrong)


def explicit(a: np.ndarray, b: np.ndarray, c: np.ndarray, u: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Each output as a double sum over what came before."""
    return np.array(
        [
            sum(c[t] @ (a[s + 1 : t + 1].prod(axis=0) * b[s]) * u[s] for s in range(t + 1))
            for t in range(len(u))
        ]
    )


def coefficients(rows: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(9)
    shapes = rng.uniform(0.2, 0.9, (rows, 3)), rng.standard_normal((rows, 3)), rng.standard_normal((rows, 3))
    return [np.tile(part, (12 // rows, 1)) for part in shapes] + [rng.standard_normal(12)]


@witnesses(
    "ssm.recurrence_is_a_convolution",
    "ssm.scan_equals_the_recurrence",
    "ssm.selection_breaks_the_convolution",
)
def test_every_way_is_the_explicit_sum() -> None:
    fixed, moving = coefficients(1), coefficients(12)
    np.testing.assert_allclose(ssm.recurrence(*moving), explicit(*moving))
    np.testing.assert_allclose(ssm.scan(*moving), explicit(*moving))
    np.testing.assert_allclose(ssm.convolution(*fixed), explicit(*fixed))
    assert np.abs(ssm.convolution(*moving) - explicit(*moving)).max() > 0.1
    sizes = {"tokens": 64, "state": 8, "seeds": 4}
    assert ssm.recurrence_is_a_convolution() == sizes | {"tolerance": 1e-9}
    assert ssm.scan_equals_the_recurrence() == sizes | {"tokens": 61, "tolerance": 1e-9}
    assert ssm.selection_breaks_the_convolution() == sizes | {"least": 0.1}


def test_the_checks_see_a_broken_way(monkeypatch: pytest.MonkeyPatch) -> None:
    right, scan, recurrence = ssm.convolution, ssm.scan, ssm.recurrence
    for broken in (lambda *given: right(*given) * 1.001, lambda *given: right(*given) * np.nan):
        monkeypatch.setattr(ssm, "convolution", broken)
        with pytest.raises(AssertionError, match="output is off"):
            ssm.recurrence_is_a_convolution()
    for broken in (lambda a, b, c, u: scan(a, b, c, np.roll(u, 1)), lambda *given: scan(*given) * np.nan):
        monkeypatch.setattr(ssm, "scan", broken)
        with pytest.raises(AssertionError, match="output is off"):
            ssm.scan_equals_the_recurrence()
    # with one set of coefficients there is a kernel, and the check for none must say so
    monkeypatch.setattr(ssm, "recurrence", right)
    with pytest.raises(AssertionError, match="answered as before"):
        ssm.selection_breaks_the_convolution()
    fixed = ssm.drawn
    monkeypatch.setattr(ssm, "recurrence", recurrence)
    monkeypatch.setattr(ssm, "drawn", lambda _fixed, *sizes: fixed(True, *sizes))
    with pytest.raises(AssertionError, match="answered as before"):
        ssm.selection_breaks_the_convolution(least=1e-12)


def test_the_kernel_is_that_of_the_first_token() -> None:
    a, b, c, u = coefficients(12)
    kernel = [float((c[0] * a[0] ** k * b[0]).sum()) for k in range(12)]
    expected = [sum(kernel[t - s] * u[s] for s in range(t + 1)) for t in range(12)]
    np.testing.assert_allclose(ssm.convolution(a, b, c, u), expected)


def test_the_checks_allow_their_limits_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = ssm.convolution
    monkeypatch.setattr(ssm, "convolution", ssm.recurrence)
    assert ssm.recurrence_is_a_convolution(tolerance=0)["tolerance"] == 0
    monkeypatch.setattr(ssm, "scan", ssm.recurrence)
    assert ssm.scan_equals_the_recurrence(tolerance=0)["tolerance"] == 0
    # right for coefficients that stand still is not enough for a scan
    monkeypatch.setattr(ssm, "scan", kernel)
    with pytest.raises(AssertionError, match="output is off"):
        ssm.scan_equals_the_recurrence()
    monkeypatch.setattr(ssm, "recurrence", kernel)
    assert ssm.selection_breaks_the_convolution(least=0)["least"] == 0


def test_impulses_are_answered_by_the_coefficients_of_their_tokens() -> None:
    """The least of the gaps that the check sees is that of outputs written out as products."""
    gaps = []
    for seed in range(4):
        a, b, c, _ = ssm.drawn(False, 6, 2, seed)
        first = [c[t] @ (a[1 : t + 1].prod(axis=0) * b[0]) for t in range(5)]
        second = [c[t] @ (a[2 : t + 1].prod(axis=0) * b[1]) for t in range(1, 6)]
        gaps.append(max(abs(x - y) for x, y in zip(first, second, strict=True)))
    ssm.selection_breaks_the_convolution(tokens=6, state=2, least=min(gaps) * (1 - 1e-9))
    with pytest.raises(AssertionError, match=f"seed {int(np.argmin(gaps))}:"):
        ssm.selection_breaks_the_convolution(tokens=6, state=2, least=min(gaps) * (1 + 1e-9))


def test_coefficients_drawn_stand_still_or_move() -> None:
    for fixed, sets in ((True, 1), (False, 8)):
        a, b, c, u = ssm.drawn(fixed, 8, 2, 0)
        assert [len(np.unique(part, axis=0)) for part in (a, b, c)] == [sets] * 3
        assert a.shape == b.shape == c.shape == (8, 2) and u.shape == (8,)
        assert (a > 0).all() and (a < 1).all() and not np.array_equal(b, c)
    assert ssm.drawn(True, 8, 2, 0)[3][0] != ssm.drawn(True, 8, 2, 1)[3][0]


@witnesses("ssm.state_bytes")
def test_state_bytes_are_those_of_a_real_cache() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.MambaConfig(
        hidden_size=64, num_hidden_layers=3, state_size=8, expand=2, conv_kernel=4, vocab_size=10
    )
    model = transformers.MambaForCausalLM(config).to(torch.float16)
    inner = model.backbone.layers[0].mixer
    held = (
        inner.intermediate_size * (inner.ssm_state_size + inner.conv_kernel_size) * config.num_hidden_layers
    )
    assert ssm.state_bytes(64, 3, state=8) == 2 * held
    assert ssm.state_bytes(64, 3, 8, expand=3, convolution=2, dtype="fp32") == 4 * 3 * 3 * 64 * 10
    assert ssm.state_bytes(1, 1, 1, 1, 1) == 4
    assert ssm.state_bytes(64, 3) == ssm.state_bytes(64, 3, 16, 2, 4, "fp16")
    right = {"d_model": 1, "layers": 1, "state": 1, "expand": 1, "convolution": 1}
    for name in right:
        with pytest.raises(ValueError):
            ssm.state_bytes(**right | {name: 0})


@witnesses("ssm.crossover")
def test_crossover_by_growing_a_cache() -> None:
    for state, token in ((100, 7), (98, 7), (5, 9), (1, 1)):
        tokens = 0
        while tokens * token <= state:
            tokens += 1
        assert ssm.crossover(state, token) == tokens
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            ssm.crossover(*wrong)
    assert math.isfinite(ssm.crossover(1, 1))
