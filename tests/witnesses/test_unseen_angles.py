"""Independent ways to the numbers of verifiers/unseen_angles.py."""

from __future__ import annotations

import math

import pytest

from proofdeck import witnesses
from verifiers import rope_scaling, unseen_angles


@witnesses("unseen_angles.unfinished")
@pytest.mark.parametrize(("trained", "width"), [(4096, 128), (512, 512), (100, 64)])
def test_unfinished_pairs_by_walking_every_position(trained: int, width: int) -> None:
    found = 0
    for pair in range(width // 2):
        step = 10000.0 ** (-2 * pair / width)
        quarters = {math.floor((p * step) % (2 * math.pi) / (math.pi / 2)) for p in range(trained + 1)}
        found += trained * step < 2 * math.pi
        # a pair counted as unfinished has not come back to its start; most miss a whole quarter
        if trained * step < 1.5 * math.pi:
            assert len(quarters) < 4
    assert unseen_angles.unfinished(trained, width) == found


@witnesses("unseen_angles.count")
@pytest.mark.parametrize("method", ["none", "linear", "ntk", "yarn", "llama3"])
def test_unseen_pairs_one_by_one(method: str) -> None:
    found = 0
    for pair in range(64):
        met = rope_scaling.angle(pair, 4096)
        asked = rope_scaling.angle(pair, 32768, method=method, factor=8.0)
        turns = rope_scaling.turns_within(pair, 4096)
        found += turns < 1 and asked > met + 1e-7
    assert unseen_angles.count(method, 8.0) == found


@witnesses("unseen_angles.unfinished")
def test_wavelengths_longer_than_4096_positions_at_the_default_width_are_18() -> None:
    longer = [pair for pair in range(64) if 2 * math.pi * 10000 ** (pair / 64) > 4096]
    assert unseen_angles.unfinished(4096) == len(longer) == 18


@witnesses("unseen_angles.count")
def test_contexts_are_trained_at_4096_positions_unless_said_otherwise() -> None:
    """Of two pairs the slower turns once in a few positions more or fewer than 4,096."""
    for wavelength, unfinished in ((4095.5, 0), (4096.5, 1)):
        base = (wavelength / (2 * math.pi)) ** 2
        assert unseen_angles.count("none", 2.0, width=4, base=base) == unfinished


@witnesses("unseen_angles.count")
def test_a_pair_that_ends_on_a_full_turn_has_met_every_angle() -> None:
    about = (4096 / math.tau) ** 2
    bases = [about + steps * math.ulp(about) for steps in range(-8, 9)]
    exact = [base for base in bases if rope_scaling.angle(1, 4096, 4, base=base) == math.tau]
    assert exact
    assert [unseen_angles.count("none", 2.0, 4096, 4, base) for base in exact] == [0] * len(exact)


@witnesses("unseen_angles.count")
def test_a_billionth_beyond_the_trained_angle_is_still_the_trained_one() -> None:
    """At one position the fast one of two components' pairs has turned by exactly one radian."""
    found = [unseen_angles.count("none", 1 + beyond, 1, 2) for beyond in (1e-12, 1e-9, 1.2e-9, 1e-3)]
    assert found == [0, 0, 1, 1]


@witnesses("unseen_angles.count")
def test_any_base_above_one_turns_later_pairs_slower() -> None:
    """Within three positions no pair finishes a turn, whatever the base."""
    assert unseen_angles.count("none", 2.0, 3, 8, base=1.5) == 4
    assert unseen_angles.unfinished(3, 8, base=1.5) == 4
    for base in (1.0, 0.5):
        with pytest.raises(ValueError, match=r"^base − 1 must be above 0"):
            unseen_angles.count("none", 2.0, 3, 8, base)


def test_wrong_arguments() -> None:
    for method, factor, trained, width, named in (
        ("dynamic", 2.0, 4096, 128, "^unknown method 'dynamic'"),
        ("none", 1.0, 4096, 128, "^factor − 1 must be above 0"),
        ("none", math.nan, 4096, 128, "^factor must be a finite number"),
        ("none", 2.0, 4096, 7, "^7 components do not divide"),
        ("none", 2.0, 4096, 0, "^width must be at least 1"),
        ("none", 2.0, 0, 128, "^trained must be at least 1"),
    ):
        with pytest.raises(ValueError, match=named):
            unseen_angles.count(method, factor, trained, width)
