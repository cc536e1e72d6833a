"""Independent ways to the numbers of verifiers/abstention.py."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest

from proofdeck import witnesses
from verifiers import abstention


@witnesses("abstention.guess_score", "abstention.threshold")
@pytest.mark.parametrize("penalty", [0, 1, 3, 9])
def test_a_guess_is_worth_its_mean_over_all_outcomes(penalty: int) -> None:
    """Of a hundred guesses p are right and the rest wrong; the sign changes at the threshold."""
    for right in range(101):
        points = [1] * right + [-penalty] * (100 - right)
        assert abstention.guess_score(right / 100, penalty) == pytest.approx(sum(points) / 100)
        pays = Fraction(right, 100) > Fraction(penalty, 1 + penalty)
        assert (abstention.guess_score(right / 100, penalty) > 1e-12) == pays
    assert abstention.threshold(penalty) == pytest.approx(penalty / (penalty + 1))
    assert abstention.guess_score(abstention.threshold(penalty), penalty) == pytest.approx(0)


@witnesses("abstention.exam")
def test_the_exam_is_what_a_simulated_pupil_gets() -> None:
    confidences = (0.95, 0.9, 0.6, 0.5, 0.2)
    draw = random.Random(0)
    runs = 40_000
    for least, penalty in ((0.0, 0.0), (0.5, 1.0), (0.6, 3.0)):
        totals: Counter[str] = Counter()
        for _ in range(runs):
            for p in confidences:
                if p >= least:
                    right = draw.random() < p
                    totals["answered"] += 1
                    totals["right" if right else "wrong"] += 1
                    totals["score"] += 1 if right else -penalty
        got = abstention.exam(confidences, least, penalty)
        for key in ("answered", "right", "wrong", "score"):
            assert got[key] == pytest.approx(totals[key] / runs / 5, abs=0.01), key
        assert got["precision"] == pytest.approx(totals["right"] / totals["answered"], abs=0.01)
    assert abstention.exam((0.5, 0.25), 0.25) == {
        "score": 0.375,
        "right": 0.375,
        "wrong": 0.625,
        "answered": 1,
        "precision": 0.375,
    }
    assert abstention.guess_score(0.4) == 0.4
    assert abstention.exam((0.3,), 0.5) == {"score": 0, "right": 0, "wrong": 0, "answered": 0, "precision": 1}


@witnesses("abstention.seen_once", "abstention.once_estimates_unseen")
@pytest.mark.parametrize(("facts", "mentions", "exponent"), [(50, 40, 0.0), (300, 100, 1.0), (20, 1, 2.0)])
def test_facts_seen_once_are_counted_in_drawn_corpora(facts: int, mentions: int, exponent: float) -> None:
    draw, runs = random.Random(1), 3000
    weights = [(i + 1) ** -exponent for i in range(facts)]
    once = unseen = 0.0
    for _ in range(runs):
        corpus = Counter(draw.choices(range(facts), weights, k=mentions))
        once += sum(1 for n in corpus.values() if n == 1) / mentions
        unseen += sum(w for i, w in enumerate(weights) if i not in corpus) / sum(weights)
    got = abstention.seen_once(facts, mentions, exponent)
    assert got["once"] == pytest.approx(once / runs, abs=0.02)
    assert got["unseen"] == pytest.approx(unseen / runs, abs=0.02)


@witnesses("abstention.once_estimates_unseen")
def test_the_check_fails_for_a_wrong_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    abstention.once_estimates_unseen()
    abstention.once_estimates_unseen(facts=(1,), mentions=(1,), exponents=(0.0,))  # the bound is reached
    abstention.once_estimates_unseen(facts=(1,), mentions=(2,), exponents=(0.0,), tolerance=0.0)
    assert abstention.seen_once(30, 9) == abstention.seen_once(30, 9, 1.0) != abstention.seen_once(30, 9, 1.5)
    for wrong in ({"once": 0.1, "unseen": 0.3}, {"once": 0.3, "unseen": 0.1}, {"once": 0.3, "unseen": 0.15}):
        monkeypatch.setattr(abstention, "seen_once", lambda *_, found=wrong: found)
        with pytest.raises(AssertionError):
            abstention.once_estimates_unseen(mentions=(10,))


@pytest.mark.parametrize(
    "call",
    [
        lambda: abstention.guess_score(1.1),
        lambda: abstention.guess_score(0.5, -1),
        lambda: abstention.threshold(-0.1),
        lambda: abstention.exam((), 0.5),
        lambda: abstention.exam((1.2,), 0.5),
        lambda: abstention.exam((-0.2,), 0.5),
        lambda: abstention.exam((0.2,), 1.5),
        lambda: abstention.seen_once(0, 1),
        lambda: abstention.seen_once(1, 0),
        lambda: abstention.seen_once(1, 1, -1),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
    assert abstention.seen_once(1, 1, 0) == {"once": 1, "unseen": 0}
