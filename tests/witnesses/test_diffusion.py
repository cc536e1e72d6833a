"""Independent ways to the numbers of verifiers/diffusion.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import diffusion


def written_out(schedule: str, steps: int) -> list[float]:
    """The papers' schedules, step by step; the linear one as published for a thousand steps."""
    if schedule == "linear":
        assert steps == 1000
        return [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]

    def level(t: float) -> float:
        return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2

    return [min(1 - level(t + 1) / level(t), 0.999) for t in range(steps)]


@witnesses("diffusion.kept")
@pytest.mark.parametrize(("schedule", "steps"), [("linear", 1000), ("cosine", 1000), ("cosine", 50)])
def test_kept_is_what_many_noised_samples_hold(schedule: str, steps: int) -> None:
    product = 1.0
    for step, beta in enumerate(written_out(schedule, steps), start=1):
        product *= 1 - beta
        if step in (1, 2, steps // 2, steps):
            found = diffusion.kept(schedule, steps, step)
            assert found["product"] == pytest.approx(product, rel=1e-9)
            assert found["signal"] == pytest.approx(product**0.5)
            assert found["signal"] ** 2 + found["noise"] ** 2 == pytest.approx(1)
    assert diffusion.kept(schedule, steps) == diffusion.kept(schedule, steps, steps)


def test_fewer_linear_steps_add_as_much_noise_in_all() -> None:
    assert diffusion.betas("linear", 250).sum() == pytest.approx(diffusion.betas("linear", 1000).sum())
    assert diffusion.betas("linear", 10).max() == 0.999
    assert diffusion.betas("linear", 2).tolist() == [pytest.approx(0.05), 0.999]


def test_schedules_that_do_not_exist_are_refused() -> None:
    for call in (
        lambda: diffusion.kept("square", 10),
        lambda: diffusion.kept("linear", 1),
        lambda: diffusion.kept("linear", 10, 0),
        lambda: diffusion.kept("linear", 10, 11),
    ):
        with pytest.raises(ValueError):
            call()


@witnesses("diffusion.one_jump_equals_all_steps")
def test_one_jump_against_simulated_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = 2 + 0.5 * rng.standard_normal(200_000)
    for beta in diffusion.betas("cosine", 20)[:12]:
        x = math.sqrt(1 - beta) * x + math.sqrt(beta) * rng.standard_normal(x.size)
    walked = diffusion.moments(diffusion.betas("cosine", 20)[:12], 2, 0.25)
    assert walked == pytest.approx((x.mean(), x.var()), abs=0.01)
    assert diffusion.one_jump_equals_all_steps() == {"steps": 300, "tolerance": 1e-12}
    right = diffusion.moments
    for wrong in (
        lambda *a: (right(*a)[0] + 1e-9, right(*a)[1]),
        lambda *a: (right(*a)[0], right(*a)[1] * 1.01),
    ):
        monkeypatch.setattr(diffusion, "moments", wrong)
        with pytest.raises(AssertionError, match="is off"):
            diffusion.one_jump_equals_all_steps()


@witnesses("diffusion.reverse_mean_is_the_posterior_mean")
def test_reverse_mean_against_a_regression_on_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given x_0, the mean of x_{t−1} at x_t is the regression line through drawn pairs."""
    rng = np.random.default_rng(1)
    beta, before, clean = 0.3, 0.6, 1.7
    earlier = math.sqrt(before) * clean + math.sqrt(1 - before) * rng.standard_normal(400_000)
    later = math.sqrt(1 - beta) * earlier + math.sqrt(beta) * rng.standard_normal(earlier.size)
    slope, intercept = np.polyfit(later, earlier, 1)
    product = before * (1 - beta)
    for x in (-1.0, 0.5, 2.0):
        noise = (x - math.sqrt(product) * clean) / math.sqrt(1 - product)
        assert diffusion.reverse_mean(x, noise, beta, product) == pytest.approx(
            slope * x + intercept, abs=0.01
        )
    found = diffusion.reverse_mean_is_the_posterior_mean()
    assert found == {"steps": 1000, "stride": 37, "tolerance": 1e-9}
    seen: list[float] = []
    right = diffusion.reverse_mean
    monkeypatch.setattr(diffusion, "reverse_mean", lambda *of: seen.append(of[3]) or right(*of))
    diffusion.reverse_mean_is_the_posterior_mean(steps=5, stride=1)
    added = np.array([1e-4, 0.005075, 0.01005, 0.015025, 0.02]) * 200
    assert seen == pytest.approx(np.cumprod(1 - np.minimum(added, 0.999))[1:].tolist())
    monkeypatch.setattr(
        diffusion, "reverse_mean", lambda x, e, b, p: (x - b / math.sqrt(p) * e) / math.sqrt(1 - b)
    )
    with pytest.raises(AssertionError, match="is off"):
        diffusion.reverse_mean_is_the_posterior_mean()


@witnesses("diffusion.sampled")
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_sampled_moments_are_those_of_drawn_samples(schedule: str) -> None:
    """Runs the sampler on many particles, its noise predicted from the posterior of the clean value."""
    rng = np.random.default_rng(2)
    steps, mean, variance = 100, 2.0, 0.25
    added = diffusion.betas(schedule, steps)
    products = np.cumprod(1 - added)
    x = rng.standard_normal(100_000)
    for t in reversed(range(steps)):
        a = products[t]
        clean = (variance * math.sqrt(a) * x + (1 - a) * mean) / (a * variance + 1 - a)
        noise = (x - math.sqrt(a) * clean) / math.sqrt(1 - a)
        x = (x - added[t] / math.sqrt(1 - a) * noise) / math.sqrt(1 - added[t])
        if t:
            x += math.sqrt(added[t]) * rng.standard_normal(x.size)
    found = diffusion.sampled(schedule, steps, mean, variance)
    assert found["mean"] == pytest.approx(x.mean(), abs=0.01)
    assert found["std"] == pytest.approx(x.std(), rel=0.01)
    with pytest.raises(ValueError):
        diffusion.sampled(schedule, steps, mean, 0)
    with pytest.raises(ValueError):
        diffusion.sampled(schedule, steps, math.nan, 1)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [2, 3, 5])
def test_few_steps_exactly_from_the_sources_of_noise(schedule: str, steps: int) -> None:
    """The sampler is affine in its start and in each step's noise; their effects add up in squares."""
    added = diffusion.betas(schedule, steps)
    mean, variance = -1.0, 0.6

    def run(sources: np.ndarray) -> float:  # type: ignore[type-arg]
        x = sources[steps - 1]
        for t in reversed(range(steps)):
            a = math.prod(1 - beta for beta in added[: t + 1])
            clean = (variance * math.sqrt(a) * x + (1 - a) * mean) / (a * variance + 1 - a)
            noise = (x - math.sqrt(a) * clean) / math.sqrt(1 - a)
            x = (x - added[t] / math.sqrt(1 - a) * noise) / math.sqrt(1 - added[t])
            if t:
                x += math.sqrt(added[t]) * sources[t - 1]
        return float(x)

    quiet = run(np.zeros(steps))
    effects = [run(row) - quiet for row in np.eye(steps)]
    found = diffusion.sampled(schedule, steps, mean, variance)
    assert found["mean"] == pytest.approx(quiet, rel=1e-9)
    assert found["std"] == pytest.approx(math.hypot(*effects), rel=1e-9)


@witnesses("diffusion.guided")
def test_guidance_walks_along_a_line() -> None:
    assert diffusion.guided(0.25, 1.5, 0) == 0.25
    assert diffusion.guided(0.25, 1.5, 1) == 1.5
    assert diffusion.guided(0.25, 1.5, 3) == pytest.approx(np.polyval(np.polyfit([0, 1], [0.25, 1.5], 1), 3))


def test_guidance_of_what_is_no_number_is_refused() -> None:
    for wrong in ((math.nan, 0.0, 1.0), (0.0, math.inf, 1.0), (0.0, 0.0, math.nan)):
        with pytest.raises(ValueError):
            diffusion.guided(*wrong)


@witnesses("diffusion.guided_normal")
@pytest.mark.parametrize(
    ("weight", "prior_mean", "prior_variance"), [(3.0, 0.0, 1.0), (0.5, -1.0, 2.0), (1.0, 0.3, 0.5)]
)
def test_guided_normal_is_the_tilted_density(weight: float, prior_mean: float, prior_variance: float) -> None:
    grid = np.linspace(-30, 30, 200_001)

    def log_density(mean: float, variance: float) -> np.ndarray:  # type: ignore[type-arg]
        return -((grid - mean) ** 2) / (2 * variance)

    tilted = (1 - weight) * log_density(prior_mean, prior_variance) + weight * log_density(2.0, 0.25)
    density = np.exp(tilted - tilted.max())
    density /= density.sum()
    mean = float((density * grid).sum())
    std = math.sqrt((density * (grid - mean) ** 2).sum())
    found = diffusion.guided_normal(weight, 2.0, 0.25, prior_mean, prior_variance)
    assert (found["mean"], found["std"]) == pytest.approx((mean, std), rel=1e-6)
    if prior_mean == 0:
        assert diffusion.guided_normal(weight, 2.0, 0.25) == found


def test_guidance_that_leaves_no_density_is_refused() -> None:
    for wrong in (
        (2.0, 0.0, 2.0), (3.0, 0.0, 4.0), (1.0, 0.0, 0.0), (math.nan, 0.0, 1.0), (1.0, math.nan, 1.0),
        (1.0, 0.0, 1.0, math.nan),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            diffusion.guided_normal(*wrong)
    with pytest.raises(ValueError):
        diffusion.guided_normal(1.0, 0.0, 1.0, prior_variance=0)
    assert diffusion.guided_normal(1.5, 0.0, 2.0)["std"] == pytest.approx(2)


@witnesses("diffusion.loss_of_silence")
def test_silence_scores_the_mean_square_of_a_normal() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert diffusion.loss_of_silence(2000, 100) == pytest.approx(stats.norm.moment(2), abs=0.02)
    assert diffusion.loss_of_silence() == diffusion.loss_of_silence(4096, 64)
    assert diffusion.loss_of_silence(1, 1) == np.random.default_rng(0).standard_normal() ** 2
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            diffusion.loss_of_silence(*wrong)


@witnesses("diffusion.latent")
def test_latent_is_the_size_of_its_array() -> None:
    image = np.zeros((3, 96, 64))
    code = np.zeros((4, 96 // 8, 64 // 8))
    assert diffusion.latent(96, 64) == {"values": code.size, "reduction": image.size / code.size}
    assert isinstance(diffusion.latent(96, 64)["values"], int)
    wide = np.zeros((16, 96 // 4, 64 // 4))
    assert diffusion.latent(96, 64, 4, 16) == {"values": wide.size, "reduction": image.size / wide.size}
    assert diffusion.latent(1, 1, 1, 1)["reduction"] == 3
    for wrong in ((12, 8), (8, 12), (8, 8, 0), (8, 8, 8, 0)):
        with pytest.raises(ValueError):
            diffusion.latent(*wrong)


@witnesses("diffusion.passes", "diffusion.time")
@pytest.mark.parametrize("conditions", [0, 1, 2])
def test_passes_are_those_of_a_sampler_that_counts(conditions: int) -> None:
    calls: list[str] = []
    for _step in range(7):
        calls.append("unconditional")
        calls += ["conditional"] * conditions
    assert diffusion.passes(7, conditions) == len(calls)
    seconds = sum(3e12 / 0.4 / 1e14 for _ in calls)
    assert diffusion.time(3e12, 7, 1e14, 0.4, conditions) == pytest.approx(seconds)


def test_passes_defaults_and_wrong_arguments() -> None:
    assert diffusion.passes(7) == 14 and diffusion.time(1, 7, 1, 1) == 14
    for call in (
        lambda: diffusion.passes(0),
        lambda: diffusion.passes(1, -1),
        lambda: diffusion.time(0, 1, 1, 1),
        lambda: diffusion.time(1, 1, 0, 1),
        lambda: diffusion.time(1, 1, 1, 0),
        lambda: diffusion.time(1, 1, 1, 1.1),
    ):
        with pytest.raises(ValueError):
            call()
