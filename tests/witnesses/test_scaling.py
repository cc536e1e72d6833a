"""Independent ways to the numbers of verifiers/scaling.py: counted FLOPs and numerical minimisation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import scaling

optimize = pytest.importorskip("scipy.optimize")
FITS = [*scaling.FITS, (0.5, 3.0, 40.0, 0.3, 0.6), (0.0, 9.0, 2.0, 0.5, 0.25)]


def predicted(params: float, tokens: float, fit: Any) -> float:
    floor, a, b, alpha, beta = scaling.FITS[fit] if isinstance(fit, str) else fit
    return floor + math.exp(math.log(a) - alpha * math.log(params)) + b / math.exp(beta * math.log(tokens))


@witnesses("scaling.forward_compute", "scaling.training_compute")
@pytest.mark.parametrize("width, depth, tokens", [(8, 3, 5), (16, 1, 7)])
def test_compute_equals_the_flops_that_torch_counts(width: int, depth: int, tokens: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    layers = torch.nn.Sequential(*(torch.nn.Linear(width, width, bias=False) for _ in range(depth)))
    params = sum(p.numel() for p in layers.parameters())
    x = torch.randn(tokens, width, requires_grad=True)
    with FlopCounterMode(display=False) as forward:
        y = layers(x)
    assert forward.get_total_flops() == scaling.forward_compute(params, tokens)
    with FlopCounterMode(display=False) as backward:
        y.sum().backward()
    assert backward.get_total_flops() == 2 * forward.get_total_flops()
    both = forward.get_total_flops() + backward.get_total_flops()
    assert both == scaling.training_compute(params, tokens)


@witnesses("scaling.attention_excess")
@pytest.mark.parametrize("width, context, layers, vocab", [(64, 32, 1, 0), (32, 48, 3, 100), (48, 7, 2, 11)])
def test_attention_excess_equals_the_share_that_torch_counts(
    width: int, context: int, layers: int, vocab: int
) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    def block(x: Any) -> Any:
        weights = [torch.randn(width, out) for out in (width, width, width, width, 4 * width)]
        down = torch.randn(4 * width, width)
        q, k, v = (x @ w for w in weights[:3])
        with FlopCounterMode(display=False) as counter:
            mixed = torch.softmax(q @ k.T, -1) @ v
        attention.append(counter.get_total_flops())
        return torch.relu((mixed @ weights[3]) @ weights[4]) @ down

    attention: list[int] = []
    x = torch.randn(context, width)
    with FlopCounterMode(display=False) as whole:
        for _ in range(layers):
            x = block(x)
        _ = x @ torch.randn(width, vocab)
    spent = sum(attention)
    expected = spent / (whole.get_total_flops() - spent)
    assert scaling.attention_excess(width, context, layers, vocab) == pytest.approx(expected, rel=1e-12)


@witnesses("scaling.allocation")
@pytest.mark.parametrize("compute, ratio", [(1e24, 20.0), (3e20, 7.0), (5e19, 0.5)])
def test_allocation_spends_the_budget_at_the_ratio(compute: float, ratio: float) -> None:
    found = scaling.allocation(compute, ratio)
    params = optimize.brentq(lambda n: 6 * n * n * ratio - compute, 1, 1e15, xtol=1e-3, rtol=1e-14)
    assert found["params"] == pytest.approx(params, rel=1e-9)
    assert found["tokens"] == pytest.approx(compute / 6 / params, rel=1e-9)
    assert scaling.allocation(compute) == scaling.allocation(compute, 20)


@witnesses("scaling.constants", "scaling.loss", "scaling.loss_terms")
@pytest.mark.parametrize("fit", FITS)
def test_loss_equals_its_law_in_logarithms(fit: Any) -> None:
    found = scaling.constants(fit)
    named = (found["E"], found["A"], found["B"], found["alpha"], found["beta"])
    for params, tokens in ((7e9, 2e12), (1.0, 1.0), (3e11, 5e8)):
        assert scaling.loss(params, tokens, fit) == pytest.approx(predicted(params, tokens, fit), rel=1e-12)
        assert scaling.loss(params, tokens, named) == scaling.loss(params, tokens, fit)
        terms = scaling.loss_terms(params, tokens, fit)
        assert terms["floor"] == pytest.approx(predicted(1e300, 1e300, fit), abs=1e-12)
        without_data = predicted(params, 1e300, fit) - terms["floor"]
        assert terms["params"] == pytest.approx(without_data, rel=1e-6, abs=1e-12)
        assert sum(terms.values()) == pytest.approx(scaling.loss(params, tokens, fit), rel=1e-12)


@witnesses("scaling.constants")
def test_constants_are_those_that_the_papers_print() -> None:
    printed = {
        "chinchilla": (1.69, 406.4, 410.7, 0.34, 0.28),
        "chinchilla-unrounded": (1.6934, 406.4, 410.7, 0.3392, 0.2849),
        "besiroglu": (1.8172, 482.01, 2085.43, 0.3478, 0.3658),
        "muennighoff": (1.87, 521, 1488, 0.353, 0.353),
    }
    for fit, values in printed.items():
        assert tuple(scaling.constants(fit).values()) == pytest.approx(values, rel=1e-3)
    assert list(scaling.constants("besiroglu").values()) == list(printed["besiroglu"])
    assert list(scaling.constants().values()) == list(printed["chinchilla"])


def least(compute: float, fit: Any) -> Any:
    """Return the minimum of the loss over log N, by a bounded search."""

    def at(log_n: float) -> float:
        return predicted(math.exp(log_n), compute / 6 / math.exp(log_n), fit)

    return optimize.minimize_scalar(at, bounds=(-5, 120), method="bounded", options={"xatol": 1e-9})


@witnesses("scaling.optimum")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("compute", [1e19, 5.76e23])
def test_optimum_equals_the_numerical_minimum(fit: Any, compute: float) -> None:
    found, minimum = scaling.optimum(compute, fit), least(compute, fit)
    assert math.log(found["params"]) == pytest.approx(minimum.x, abs=1e-5)
    assert found["loss"] == pytest.approx(minimum.fun, rel=1e-12)
    assert 6 * found["params"] * found["tokens"] == pytest.approx(compute, rel=1e-12)
    assert found["tokens_per_param"] == pytest.approx(found["tokens"] / found["params"], rel=1e-12)
    assert scaling.optimum(compute) == scaling.optimum(compute, "chinchilla")


@witnesses("scaling.exponents")
@pytest.mark.parametrize("fit", FITS)
def test_exponents_equal_slopes_between_two_minima(fit: Any) -> None:
    low, high = 1e20, 1e21
    before, after = least(low, fit), least(high, fit)
    found = scaling.exponents(fit)
    assert found["params"] == pytest.approx((after.x - before.x) / math.log(10), abs=1e-5)
    assert found["tokens"] == pytest.approx(1 - (after.x - before.x) / math.log(10), abs=1e-5)
    floor = scaling.constants(fit)["E"]
    fall = math.log10((before.fun - floor) / (after.fun - floor))
    assert found["loss"] == pytest.approx(fall, rel=1e-6)
    assert scaling.exponents() == scaling.exponents("chinchilla")


@witnesses("scaling.compute_for_loss")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("excess", [0.05, 0.4])
def test_compute_for_loss_equals_a_numerical_search(fit: Any, excess: float) -> None:
    target = scaling.constants(fit)["E"] + excess
    log_compute = optimize.brentq(lambda c: least(math.exp(c), fit).fun - target, 5, 115, xtol=1e-10)
    found = scaling.compute_for_loss(target, fit)
    assert math.log(found["compute"]) == pytest.approx(log_compute, abs=1e-6)
    assert math.log(found["params"]) == pytest.approx(least(math.exp(log_compute), fit).x, abs=1e-4)
    assert 6 * found["params"] * found["tokens"] == pytest.approx(found["compute"], rel=1e-12)


@witnesses("scaling.tokens_for_loss")
@pytest.mark.parametrize("fit", FITS)
def test_tokens_for_loss_equals_a_root(fit: Any) -> None:
    params = 7e9
    target = predicted(params, 3e11, fit)
    root = optimize.brentq(lambda d: predicted(params, math.exp(d), fit) - target, 1, 60, xtol=1e-13)
    assert scaling.tokens_for_loss(params, target, fit) == pytest.approx(math.exp(root), rel=1e-6)
    assert scaling.tokens_for_loss(params, target, fit) == pytest.approx(3e11, rel=1e-6)


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf])
def test_wrong_arguments_are_refused(bad: float) -> None:
    calls = [
        lambda: scaling.forward_compute(bad, 1),
        lambda: scaling.forward_compute(1, bad),
        lambda: scaling.training_compute(bad, 1),
        lambda: scaling.training_compute(1, bad),
        lambda: scaling.allocation(bad),
        lambda: scaling.allocation(1, bad),
        lambda: scaling.loss(bad, 1),
        lambda: scaling.loss(1, bad),
        lambda: scaling.optimum(bad),
        lambda: scaling.compute_for_loss(bad, (0.0, 1.0, 1.0, 1.0, 1.0)),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()
    for place in range(1, 5):
        constants: Any = [1.0] * 5
        constants[place] = bad
        with pytest.raises(ValueError):
            scaling.loss(1, 1, tuple(constants))


def test_limits_of_the_laws_are_refused() -> None:
    with pytest.raises(ValueError, match="besiroglu"):
        scaling.loss(1, 1, "besiroglou")
    with pytest.raises(ValueError):
        scaling.loss(1, 1, (-0.1, 1.0, 1.0, 1.0, 1.0))
    for wrong_fit in (3, None, (), (1.0,) * 4, (1.0,) * 6):
        with pytest.raises(ValueError, match="a fit is"):
            scaling.loss(1, 1, wrong_fit)  # type: ignore[arg-type]
    assert scaling.loss(1, 1, [1.0] * 5) == 3  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="floor"):
        scaling.compute_for_loss(1.69)
    with pytest.raises(ValueError, match="floor"):
        scaling.tokens_for_loss(7e9, 1.69 + 406.4 / 7e9**0.34)
    assert scaling.compute_for_loss(1.6901)["compute"] > 1e40
    for wrong in ({"d_model": 0}, {"context": 0}, {"layers": 0}, {"vocab": -1}):
        with pytest.raises(ValueError):
            scaling.attention_excess(**{"d_model": 8, "context": 8, **wrong})
    assert scaling.attention_excess(1, 1) == 2 / 12
    assert scaling.attention_excess(8, 8, vocab=3) == 16 / 99
