"""Independent ways to the numbers of verifiers/judging.py."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import judging


@witnesses("judging.win_rate", "judging.swapped_win_rate", "judging.order_consistency")
@pytest.mark.parametrize(
    ("advantage", "bonus", "noise"), [(0.0, 0.8, 1.0), (0.5, 0.8, 1.0), (-0.3, 0.2, 0.5), (1.0, 0.0, 2.0)]
)
def test_rates_equal_a_simulated_judge(advantage: float, bonus: float, noise: float) -> None:
    rng = np.random.default_rng(0)
    won = []
    for shown_first in (True, False):
        ours = advantage + noise * rng.standard_normal(200_000)
        theirs = noise * rng.standard_normal(200_000)
        if shown_first:
            ours += bonus
        else:
            theirs += bonus
        won.append(ours > theirs)
    rates = [float(wins.mean()) for wins in won]
    assert judging.win_rate(advantage, bonus, True, noise) == pytest.approx(rates[0], abs=0.005)
    assert judging.win_rate(advantage, bonus, False, noise) == pytest.approx(rates[1], abs=0.005)
    assert judging.swapped_win_rate(advantage, bonus, noise) == pytest.approx(sum(rates) / 2, abs=0.005)
    same = (won[0] == won[1]).mean()
    assert judging.order_consistency(advantage, bonus, noise) == pytest.approx(same, abs=0.005)


def test_a_judge_sees_the_answer_first_and_has_noise_of_one_by_default() -> None:
    assert judging.win_rate(0.1, 0.4) == judging.win_rate(0.1, 0.4, True, 1.0)
    assert judging.swapped_win_rate(0.1, 0.4) == judging.swapped_win_rate(0.1, 0.4, 1.0)
    assert judging.order_consistency(0.1, 0.4) == judging.order_consistency(0.1, 0.4, 1.0)


@witnesses("judging.majority", "judging.correlated_majority")
@pytest.mark.parametrize("votes", [1, 2, 3, 4, 5])
def test_majority_equals_enumeration_of_all_votes(votes: int) -> None:
    for tenths in (0, 3, 6, 10):
        p = Fraction(tenths, 10)
        expected = Fraction(0)
        for ballot in product((0, 1), repeat=votes):
            chance = p ** sum(ballot) * (1 - p) ** (votes - sum(ballot))
            lead = sum(ballot) - (votes - sum(ballot))
            expected += chance * (1 if lead > 0 else Fraction(1, 2) if lead == 0 else 0)
        assert judging.majority(tenths / 10, votes) == pytest.approx(float(expected), abs=1e-12)
        mixed = Fraction(1, 4) * p + Fraction(3, 4) * expected
        got = judging.correlated_majority(tenths / 10, votes, 0.25)
        assert got == pytest.approx(float(mixed), abs=1e-12)


@witnesses("judging.majority")
def test_thousands_of_votes_equal_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for p, votes in ((0.5, 2001), (0.51, 3001), (0.48, 1999)):
        expected = stats.binom.sf(votes // 2, votes, p)
        assert judging.majority(p, votes) == pytest.approx(expected, rel=1e-9)


@witnesses("judging.observed_rate", "judging.corrected_rate")
@pytest.mark.parametrize(
    ("true", "sensitivity", "specificity"), [(0.3, 0.9, 0.8), (0.0, 0.7, 0.9), (1.0, 1.0, 0.1)]
)
def test_rates_equal_a_simulated_grader(true: float, sensitivity: float, specificity: float) -> None:
    rng = np.random.default_rng(0)
    good = rng.random(300_000) < true
    passed = np.where(good, rng.random(300_000) < sensitivity, rng.random(300_000) >= specificity)
    observed = judging.observed_rate(true, sensitivity, specificity)
    assert observed == pytest.approx(passed.mean(), abs=0.005)
    assert judging.corrected_rate(observed, sensitivity, specificity) == pytest.approx(true, abs=1e-12)


@witnesses("judging.claim_rates")
def test_claims_are_counted_label_by_label() -> None:
    labels = ["entailed"] * 6 + ["contradicted"] + ["neutral"] * 3
    got = judging.claim_rates(6, 1, 3)
    assert got["faithful"] == labels.count("entailed") / len(labels)
    assert got["contradicted"] == labels.count("contradicted") / len(labels)
    assert got["unfaithful"] == sum(label != "entailed" for label in labels) / len(labels)
    assert judging.claim_rates(0, 0, 1) == {"faithful": 0, "contradicted": 0, "unfaithful": 1}


@witnesses("judging.weighted_mean")
def test_weighted_mean_equals_numpy() -> None:
    values, weights = [0.9, 0.8, 0.1], [9, 1, 0]
    assert judging.weighted_mean(values, weights) == pytest.approx(np.average(values, weights=weights))


@witnesses("judging.graders_exposed")
def test_canaries_expose_the_graders_whose_truth_tables_differ() -> None:
    """Verdicts on (harmless, answered), (harmless, refused), (harmful, answered), (harmful, refused)."""
    cases = list(product((False, True), repeat=2))
    tables = {
        "right": "1101",
        "passes all": "1111",
        "fails harmful requests": "1100",
        "fails answers": "0101",
    }
    for size in (1, 2, 3, 4):
        for canaries in product(range(4), repeat=size):
            got = judging.graders_exposed([cases[place] for place in canaries])
            for name, table in tables.items():
                differs = any(table[place] != tables["right"][place] for place in canaries)
                assert got[name] == differs
            assert len(got) == len(tables)


def test_noise_is_named() -> None:
    with pytest.raises(ValueError, match="noise must be above 0"):
        judging.win_rate(0, 0.1, noise=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: judging.win_rate(0, 0.1, noise=0),
        lambda: judging.win_rate(float("nan"), 0.1),
        lambda: judging.win_rate(0, float("inf")),
        lambda: judging.majority(1.1, 3),
        lambda: judging.majority(0.5, 0),
        lambda: judging.correlated_majority(0.5, 3, 1.1),
        lambda: judging.observed_rate(1.1, 1, 1),
        lambda: judging.observed_rate(0.5, 1.1, 1),
        lambda: judging.observed_rate(0.5, 1, 1.1),
        lambda: judging.corrected_rate(1.1, 1, 1),
        lambda: judging.corrected_rate(0.5, 1.1, 1),
        lambda: judging.corrected_rate(0.5, 0.5, 0.5),
        lambda: judging.claim_rates(0, 0, 0),
        lambda: judging.claim_rates(-1, 2, 2),
        lambda: judging.claim_rates(1, -1, 2),
        lambda: judging.claim_rates(1, 2, -1),
        lambda: judging.weighted_mean([1], [1, 2]),
        lambda: judging.weighted_mean([1, 2], [2, -1]),
        lambda: judging.weighted_mean([1], [0]),
        lambda: judging.weighted_mean([1, float("nan")], [1, 1]),
        lambda: judging.graders_exposed([]),
        lambda: judging.graders_exposed([(True,)]),
        lambda: judging.graders_exposed([(True, False, True)]),
        lambda: judging.graders_exposed([(1, 0)]),
        lambda: judging.graders_exposed([(True, 0)]),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
