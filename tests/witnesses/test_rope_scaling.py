"""Independent ways to the numbers of verifiers/rope_scaling.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import rope_scaling

SETTINGS = [(128, 10_000.0, 8.0, 4096), (64, 500_000.0, 4.0, 8192), (32, 1_000.0, 2.5, 300)]


def of_transformers(
    method: str, width: int, base: float, factor: float, trained: int, tokens: int | None = None
) -> tuple[np.ndarray, float]:
    """Speeds of all pairs and the factor on queries and keys, by the library's own functions."""
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    parameters = {"rope_type": method, "rope_theta": base, "factor": factor}
    if method in ("yarn", "llama3"):
        parameters["original_max_position_embeddings"] = trained
    if method == "llama3":
        parameters |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    longer = trained if method == "dynamic" else int(trained * factor)
    config = transformers.LlamaConfig(
        hidden_size=width,
        num_attention_heads=1,
        max_position_embeddings=longer,
        rope_parameters=parameters,
    )
    speeds, scale = ROPE_INIT_FUNCTIONS[method](config, "cpu", seq_len=tokens)
    return speeds.double().numpy(), scale


@witnesses("rope_scaling.ramp_bounds", "rope_scaling.turns_within")
@pytest.mark.parametrize(("width", "base", "factor", "trained"), SETTINGS)
def test_ramp_ends_where_pairs_turn_often_or_hardly(
    width: int, base: float, factor: float, trained: int
) -> None:
    """Simulate the turns: count how often each pair's cosine comes back to its top."""
    bounds = rope_scaling.ramp_bounds(width, trained, base)
    counts = []
    for pair in range(width // 2):
        angle = trained / base ** (2 * pair / width)
        assert rope_scaling.turns_within(pair, trained, width, base) == pytest.approx(angle / (2 * math.pi))
        counts.append(angle / (2 * math.pi))
    often = [pair for pair, count in enumerate(counts) if count >= 32]
    rarely = [pair for pair, count in enumerate(counts) if count < 1]
    assert bounds["first"] == (often[-1] if often else 0)
    assert bounds["last"] == (rarely[0] if rarely else width // 2)
    wider = rope_scaling.ramp_bounds(width, trained, base, fast=64.0, slow=0.5)
    assert wider["first"] <= bounds["first"] and wider["last"] >= bounds["last"]
    assert wider != bounds
    assert bounds == rope_scaling.ramp_bounds(width, trained, base, 32.0, 1.0)


def test_bounds_stay_among_the_dimensions() -> None:
    """A trained length below 32 turns of the fastest pair; and one so long that none turns slowly."""
    assert rope_scaling.ramp_bounds(8, 50)["first"] == 0
    assert rope_scaling.ramp_bounds(64, 20, 1.5) == {"first": 0, "last": 63}
    with pytest.raises(ValueError, match="trained"):
        rope_scaling.ramp_bounds(8, 0)
    assert rope_scaling.ntk_base(2.0, 4, 10.0) == 40
    assert rope_scaling.ramp_bounds(8, 10**9, 10.0, fast=3e7)["last"] == 7


def test_defaults_are_those_of_the_first_llama() -> None:
    angle = rope_scaling.angle
    assert angle(40, 1.0, method="yarn", factor=2.0) == angle(40, 1.0, 128, "yarn", 2.0, 4096, 10_000.0)
    assert angle(40, 1.0, method="llama3", factor=2.0) == angle(40, 1.0, 128, "llama3", 2.0, 4096, 10_000.0)
    assert angle(9, 1.0) == angle(9, 1.0, 128, "none", 1.0, 4096, 10_000.0) == -angle(9, -1.0)
    assert angle(9, 1.0, method="linear") == angle(9, 1.0)
    slowdown = rope_scaling.slowdown
    assert slowdown(40, "yarn", 2.0) == slowdown(40, "yarn", 2.0, 128, 4096, 10_000.0)
    assert slowdown(40, "llama3", 2.0) == slowdown(40, "llama3", 2.0, 128, 4096, 10_000.0)
    assert 1 < slowdown(40, "yarn", 2.0) < 2
    assert 1 < slowdown(40, "llama3", 2.0) < 2
    assert rope_scaling.turns_within(9, 4096) == rope_scaling.turns_within(9, 4096, 128, 10_000.0)
    assert rope_scaling.ntk_base(2.0, 64) == rope_scaling.ntk_base(2.0, 64, 10_000.0)
    assert rope_scaling.dynamic_base(9, 3, 64) == rope_scaling.dynamic_base(9, 3, 64, 1.0, 10_000.0)
    assert rope_scaling.ramp_bounds(128, 4096) == rope_scaling.ramp_bounds(128, 4096, 10_000.0)
    assert rope_scaling.ramp_bounds(128, 4096) != rope_scaling.ramp_bounds(128, 4096, 15_000.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rope_scaling.ntk_base(0.0, 8),
        lambda: rope_scaling.ntk_base(1.0, 2),
        lambda: rope_scaling.ntk_base(1.0, 5),
        lambda: rope_scaling.angle(0, math.inf),
        lambda: rope_scaling.ntk_base(1.0, 8, 0.0),
        lambda: rope_scaling.dynamic_base(0, 1, 8),
        lambda: rope_scaling.dynamic_base(1, 0, 8),
        lambda: rope_scaling.dynamic_base(1, 1, 8, factor=0.0),
        lambda: rope_scaling.ramp_bounds(7, 4096),
        lambda: rope_scaling.ramp_bounds(8, 4096, 1.5),
        lambda: rope_scaling.ramp_bounds(8, 4096, 1.0),
        lambda: rope_scaling.ramp_bounds(8, 4096, fast=0.0),
        lambda: rope_scaling.ramp_bounds(8, 4096, slow=0.0),
        lambda: rope_scaling.ramp_bounds(8, 4096, fast=1.0, slow=1.0),
        lambda: rope_scaling.ramp_bounds(8, 1),
        lambda: rope_scaling.angle(0, 1.0, method="longer"),
        lambda: rope_scaling.angle(0, 1.0, factor=0.0),
        lambda: rope_scaling.angle(0, 1.0, trained=0),
        lambda: rope_scaling.angle(-1, 1.0),
        lambda: rope_scaling.angle(64, 1.0),
        lambda: rope_scaling.slowdown(0, "linear", 0.0),
        lambda: rope_scaling.turns_within(0, 0),
        lambda: rope_scaling.yarn_attention_factor(0.0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


@witnesses("rope_scaling.angle", "rope_scaling.slowdown")
@pytest.mark.parametrize("method", ["linear", "yarn", "llama3"])
@pytest.mark.parametrize(("width", "base", "factor", "trained"), SETTINGS)
def test_speeds_equal_those_of_transformers(
    method: str, width: int, base: float, factor: float, trained: int
) -> None:
    theirs, _scale = of_transformers(method, width, base, factor, trained)
    for pair in range(width // 2):
        ours = rope_scaling.angle(pair, 1.0, width, method, factor, trained, base)
        assert ours == pytest.approx(theirs[pair], rel=1e-5)
        assert rope_scaling.angle(pair, 7.5, width, method, factor, trained, base) == pytest.approx(
            7.5 * ours
        )
        plain = 1 / base ** (2 * pair / width)
        assert rope_scaling.angle(pair, 1.0, width, base=base) == pytest.approx(plain)
        slowed = rope_scaling.slowdown(pair, method, factor, width, trained, base)
        assert slowed == pytest.approx(plain / theirs[pair], rel=1e-5)


@witnesses("rope_scaling.ntk_base", "rope_scaling.dynamic_base")
@pytest.mark.parametrize(("width", "base", "factor", "trained"), SETTINGS)
def test_bases_equal_those_behind_the_speeds_of_transformers(
    width: int, base: float, factor: float, trained: int
) -> None:
    """The slowest pair's speed gives the base away: base = speed^(-width / (width - 2))."""

    def base_of(speeds: np.ndarray) -> float:
        return float(speeds[-1] ** (-width / (width - 2)))

    for tokens in (trained // 2, trained, 3 * trained):
        theirs = base_of(of_transformers("dynamic", width, base, factor, trained, tokens)[0])
        ours = rope_scaling.dynamic_base(tokens, trained, width, factor, base)
        assert ours == pytest.approx(theirs, rel=1e-4)
    # at `factor` times the trained length, a factor of one makes the static base
    theirs = base_of(of_transformers("dynamic", width, base, 1.0, trained, 3 * trained)[0])
    assert rope_scaling.ntk_base(3.0, width, base) == pytest.approx(theirs, rel=1e-4)
    assert rope_scaling.dynamic_base(3 * trained, trained, width, base=base) == pytest.approx(
        theirs, rel=1e-4
    )
    speeds = theirs ** -(np.arange(0, width, 2) / width)
    for pair in (0, 3, width // 2 - 1):
        ours = rope_scaling.angle(pair, 1.0, width, "ntk", 3.0, trained, base)
        assert ours == pytest.approx(speeds[pair], rel=1e-4)


@witnesses("rope_scaling.yarn_attention_factor", "rope_scaling.yarn_temperature")
@pytest.mark.parametrize("factor", [1.0, 2.0, 8.0, 32.0])
def test_attention_factor_equals_that_of_transformers(factor: float) -> None:
    _speeds, scale = of_transformers("yarn", 64, 10_000.0, factor, 4096)
    assert rope_scaling.yarn_attention_factor(factor) == pytest.approx(scale, rel=1e-12)
    q, k = np.random.default_rng(0).standard_normal((2, 8))
    colder = (q @ k) / rope_scaling.yarn_temperature(factor)
    assert (scale * q) @ (scale * k) == pytest.approx(colder, rel=1e-12)
    assert rope_scaling.yarn_attention_factor(0.5) == 1


@witnesses("rope_scaling.slowest_pair_ends_at_its_trained_angle")
@pytest.mark.parametrize("method", ["linear", "yarn", "llama3", "dynamic"])
def test_slowest_pair_of_transformers_ends_at_its_trained_angle(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    width, base, factor, trained = SETTINGS[0]
    given = 1.0 if method == "dynamic" else factor
    speeds, _scale = of_transformers(method, width, base, given, trained, int(factor * trained))
    assert speeds[-1] * factor * trained == pytest.approx(trained / base ** ((width - 2) / width), rel=1e-4)
    tried = rope_scaling.slowest_pair_ends_at_its_trained_angle(methods=("ntk", "linear"), factors=(3, 4))
    assert tried == {"methods": "ntk, linear", "factors": "3, 4", "width": 128, "trained": 4096}
    with pytest.raises(AssertionError, match="none × 2"):
        rope_scaling.slowest_pair_ends_at_its_trained_angle(methods=("none",))
    right = rope_scaling.speeds_of
    monkeypatch.setattr(rope_scaling, "speeds_of", lambda *given: right(*given) * 0.999)
    with pytest.raises(AssertionError, match="the last angle"):
        rope_scaling.slowest_pair_ends_at_its_trained_angle()
