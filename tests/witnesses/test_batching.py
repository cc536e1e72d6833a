"""Independent ways to the numbers of verifiers/batching.py."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import batching


@witnesses("batching.harmonic", "batching.static_utilisation")
@pytest.mark.parametrize("batch", [1, 2, 8, 32])
def test_utilisation_equals_the_mean_over_the_longest_of_many_batches(batch: int) -> None:
    exact = sum(Fraction(1, k) for k in range(1, batch + 1))
    assert batching.harmonic(batch) == pytest.approx(float(exact), rel=1e-14)
    rng = np.random.default_rng(batch)
    for kind, drawn in (
        ("exponential", rng.exponential(size=(40_000, batch))),
        ("uniform", rng.uniform(0, 2, size=(40_000, batch))),
        ("constant", np.ones((10, batch))),
    ):
        found = batching.static_utilisation(batch, kind)
        assert found == pytest.approx(drawn.mean() / drawn.max(axis=1).mean(), rel=0.015)
    assert batching.static_utilisation(batch) == batching.static_utilisation(batch, "exponential")


@pytest.mark.parametrize("n", [1000, 1001, 1002, 5000])
def test_long_harmonic_sums_equal_their_terms(n: int) -> None:
    exact = math.fsum(1 / k for k in range(1, n + 1))
    assert batching.harmonic(n) == pytest.approx(exact, rel=1e-14)
    if n <= 1000:
        assert batching.harmonic(n) == exact
    elif n == 1001:
        assert batching.harmonic(n) == math.log(n) + float(np.euler_gamma) + 1 / 2002 - 1 / (12 * 1001**2)


@witnesses("batching.batch_for_speedup")
def test_one_slot_fewer_falls_short_of_the_speedup() -> None:
    total, slots = Fraction(1), 1
    for speedup in (1.001, 1.2, 1.5, 2.0, 3.1, 5.5):
        while total < Fraction(speedup):
            slots += 1
            total += Fraction(1, slots)
        assert batching.batch_for_speedup(speedup) == slots
    assert batching.batch_for_speedup(23.0) == pytest.approx(math.exp(23 - float(np.euler_gamma)), rel=1e-6)


def replay(lengths: list[int], batch: int, refill: bool) -> int:
    """Step a batch token by token; refill a free slot at once, or only when all slots are free."""
    waiting, slots, steps = list(lengths), [], 0
    while waiting or slots:
        if refill or not slots:
            while waiting and len(slots) < batch:
                slots.append(waiting.pop(0))
        slots = [left - 1 for left in slots if left > 1]
        steps += 1
    return steps


@witnesses("batching.schedule", "batching.simulate")
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("kind", batching.KINDS)
def test_schedules_equal_a_replay_token_by_token(batch: int, kind: str) -> None:
    lengths = batching.draw_lengths(kind, 50, 12, seed=batch)
    static, refilled = replay(lengths, batch, False), replay(lengths, batch, True)
    expected = {
        "static_steps": static,
        "continuous_steps": refilled,
        "static_utilisation": sum(lengths) / (batch * static),
        "continuous_utilisation": sum(lengths) / (batch * refilled),
        "speedup": static / refilled,
    }
    assert batching.schedule(lengths, batch) == pytest.approx(expected)
    assert batching.simulate(batch, kind, 50, 12, batch) == pytest.approx(expected)


def test_drawn_lengths_have_the_mean_asked_for() -> None:
    for kind in batching.KINDS:
        drawn = batching.draw_lengths(kind, 20_000, 50, 1)
        assert len(drawn) == 20_000
        assert min(drawn) >= 1
        assert all(isinstance(length, int) for length in drawn)
        assert np.mean(drawn) == pytest.approx(50.5 if kind == "exponential" else 50, rel=0.02)
    spread = batching.draw_lengths("uniform", 5000, 10, 0)
    assert (min(spread), max(spread)) == (1, 19)
    assert batching.draw_lengths("constant", 3, 10, 0) == [10, 10, 10]


def test_a_speedup_of_thirty_is_the_last_that_floats_tell() -> None:
    assert batching.batch_for_speedup(30) == pytest.approx(math.exp(30 - float(np.euler_gamma)), rel=1e-6)
    for speedup in (30.1, 50, 1000):
        with pytest.raises(ValueError, match="30 - speedup"):
            batching.batch_for_speedup(speedup)


def test_a_speedup_of_one_needs_no_batch() -> None:
    for speedup in (1.0, 0.5):
        with pytest.raises(ValueError, match="speedup - 1 must be above 0"):
            batching.batch_for_speedup(speedup)


def test_the_drawing_names_the_wrong_argument() -> None:
    with pytest.raises(ValueError, match="requests"):
        batching.draw_lengths("uniform", 0, 5, 0)
    with pytest.raises(ValueError, match="mean"):
        batching.draw_lengths("uniform", 5, 0, 0)


def test_defaults_are_exponential_replies_of_200_tokens() -> None:
    named = batching.simulate(8, "exponential", 20_000, 200, 0)
    assert batching.simulate(8) == named
    assert named["static_utilisation"] == pytest.approx(1 / batching.harmonic(8), rel=0.02)


@witnesses("batching.padding_share")
@pytest.mark.parametrize("batch", [1, 4, 7])
def test_padding_equals_the_zeros_of_a_padded_tensor(batch: int) -> None:
    torch = pytest.importorskip("torch")
    source = random.Random(batch)
    lengths = [source.randint(1, 30) for _ in range(23)]
    for by_length in (False, True):
        ordered = sorted(lengths) if by_length else lengths
        cells = pads = 0
        while ordered:
            rows, ordered = ordered[:batch], ordered[batch:]
            filled = [torch.ones(length) for length in rows]
            padded = torch.nn.utils.rnn.pad_sequence(filled, batch_first=True)
            cells += padded.numel()
            pads += int((padded == 0).sum())
        assert batching.padding_share(lengths, batch, by_length) == pytest.approx(pads / cells)
    assert batching.padding_share([1, 9, 1, 9], 2) == pytest.approx(16 / 36)


@witnesses("batching.step_time", "batching.throughput", "batching.throughput_gain")
def test_throughput_equals_tokens_counted_over_many_steps() -> None:
    for batch in (1, 16, 48):
        clock, tokens = 0.0, 0
        for _ in range(100):
            clock += 0.02
            for _ in range(batch):
                clock += 0.0004
                tokens += 1
        assert batching.step_time(batch, 0.02, 0.0004) == pytest.approx(clock / 100)
        assert batching.throughput(batch, 0.02, 0.0004) == pytest.approx(tokens / clock)
        gain = tokens / clock / (16 / 0.0264)
        assert batching.throughput_gain(16, batch, 0.02, 0.0004) == pytest.approx(gain)
    assert batching.step_time(0, 0.02, 1) == 0.02
    assert batching.throughput(0, 0.02, 1) == 0


@witnesses("batching.batch_within")
@pytest.mark.parametrize("target", [0.01, 0.0201, 0.0211, 0.05, 0.1234])
def test_the_next_larger_batch_takes_too_long(target: float) -> None:
    found = batching.batch_within(target, 0.02, 0.001)
    fitting = [batch for batch in range(1, 300) if 0.02 + batch * 0.001 <= target]
    assert found == max(fitting, default=0)


def test_a_step_of_just_the_target_fits() -> None:
    for batch in range(200):
        assert batching.batch_within((200 + batch) / 10_000, 0.02, 0.0001) == batch


@witnesses("batching.device_multiplier")
@pytest.mark.parametrize("speedup", [0.8, 1.0, 2.0, 2.9])
def test_devices_that_serve_the_same_load_with_faster_steps(speedup: float) -> None:
    """Halve the interval of batch sizes until the step has the wanted time; then divide the load."""
    fixed, each, batch = 0.02, 0.001, 40.0
    wanted = (fixed + batch * each) / speedup
    low, high = 0.0, 1000.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if fixed + middle * each < wanted else (low, middle)
    devices = (batch / (fixed + batch * each)) / (high / wanted)
    assert batching.device_multiplier(batch, speedup, fixed, each) == pytest.approx(devices)


@pytest.mark.parametrize(
    "call",
    [
        lambda: batching.harmonic(0),
        lambda: batching.static_utilisation(0, "uniform"),
        lambda: batching.static_utilisation(1, "gauss"),
        lambda: batching.batch_for_speedup(1.0),
        lambda: batching.schedule([1, 2], 0),
        lambda: batching.schedule([], 1),
        lambda: batching.schedule([1, 0], 1),
        lambda: batching.simulate(1, "gauss"),
        lambda: batching.simulate(1, "constant", 0),
        lambda: batching.simulate(1, "constant", 1, 0),
        lambda: batching.padding_share([1, 2], 0),
        lambda: batching.padding_share([], 1),
        lambda: batching.padding_share([1, 0], 1),
        lambda: batching.step_time(-1, 1, 1),
        lambda: batching.step_time(1, 0, 1),
        lambda: batching.step_time(1, 1, 0),
        lambda: batching.throughput_gain(0, 1, 1, 1),
        lambda: batching.batch_within(0, 1, 1),
        lambda: batching.batch_within(1, 0, 1),
        lambda: batching.batch_within(1, 1, 0),
        lambda: batching.device_multiplier(0, 1, 1, 1),
        lambda: batching.device_multiplier(1, 0, 1, 1),
        lambda: batching.device_multiplier(1, 1, 0, 1),
        lambda: batching.device_multiplier(1, 1, 1, 0),
        lambda: batching.device_multiplier(1, 2, 1, 1),
        lambda: batching.device_multiplier(1, 3, 1, 1),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
