"""Independent ways to the numbers of verifiers/ratings.py."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import ratings


@witnesses("ratings.expected_score", "ratings.rating_gap")
@pytest.mark.parametrize("gap", [-700, -35, 0, 100, 400, 1000])
def test_score_equals_odds_of_ten_to_the_gap(gap: int) -> None:
    first, second = 10 ** ((gap + 1200) / 400), 10 ** (1200 / 400)
    assert ratings.expected_score(gap) == pytest.approx(first / (first + second), rel=1e-12)
    assert ratings.rating_gap(first / (first + second)) == pytest.approx(gap, abs=1e-9)


def test_scores_of_hopeless_players_do_not_overflow() -> None:
    assert ratings.expected_score(10**6) == 1
    assert ratings.expected_score(-(10**6)) == 0
    assert ratings.expected_score(-4000) == pytest.approx(1e-10, rel=1e-9)


@witnesses("ratings.elo_update")
def test_update_is_a_step_up_the_log_likelihood() -> None:
    """The gradient of y log p + (1 − y) log(1 − p) in the rating is (y − p) ln 10 / 400."""
    for rating, other, score in ((1200, 1000, 1), (900, 1300, 0.5), (1000, 1000, 0)):
        h = 1e-4

        def likelihood(r: float, other: float = other, score: float = score) -> float:
            p = 1 / (1 + math.exp((other - r) * math.log(10) / 400))
            return score * math.log(p) + (1 - score) * math.log(1 - p)

        slope = (likelihood(rating + h) - likelihood(rating - h)) / (2 * h)
        for k in (32, 10):
            expected = rating + k * slope * 400 / math.log(10)
            assert ratings.elo_update(rating, other, score, k) == pytest.approx(expected, abs=1e-5)
    assert ratings.elo_update(1000, 1000, 1) == 1016


@witnesses("ratings.elo_after")
def test_games_equal_a_two_sided_ledger() -> None:
    for scores in ([1] * 5 + [0] * 5, [0.5, 1, 0, 0], []):
        for k, start in ((32, 1000), (16, 1500)):
            book = [float(start), float(start)]
            for score in scores:
                odds = 10 ** ((book[0] - book[1]) / 400)
                gain = k * (score - odds / (1 + odds))
                book = [book[0] + gain, book[1] - gain]
            got = ratings.elo_after(scores, k, start)
            assert [got["first"], got["second"]] == pytest.approx(book, rel=1e-12)
    assert ratings.elo_after([1]) == {"first": 1016, "second": 984}


WINS = (
    [[0, 7], [3, 0]],
    [[0, 5, 2], [1, 0, 4], [3, 6, 0]],
    [[0, 1, 0, 9], [2, 0, 3, 0], [0, 1, 0, 2], [4, 0, 1, 0]],
)


@witnesses("ratings.bradley_terry")
@pytest.mark.parametrize("wins", WINS)
def test_ratings_equal_the_iteration_of_zermelo(wins: list[list[int]]) -> None:
    """strength ← wins / Σ games / (own + other strength), until it no longer moves."""
    players = range(len(wins))
    strength = [1.0 for _ in players]
    for _ in range(5000):
        strength = [
            sum(wins[i])
            / sum((wins[i][j] + wins[j][i]) / (strength[i] + strength[j]) for j in players if j != i)
            for i in players
        ]
        strength = [value / math.prod(strength) ** (1 / len(wins)) for value in strength]
    expected = [400 * math.log10(value) for value in strength]
    assert ratings.bradley_terry(wins) == pytest.approx(expected, abs=1e-6)


@witnesses("ratings.bradley_terry")
def test_ratings_equal_logistic_regression() -> None:
    regression = pytest.importorskip("sklearn.linear_model").LogisticRegression
    wins = WINS[1]
    rows, results = [], []
    for i in range(3):
        for j in range(3):
            for _ in range(wins[i][j]):
                row = np.zeros(3)
                row[i], row[j] = 1, -1
                # each game once from either side, or one class would be empty
                rows += [row, -row]
                results += [1, 0]
    fit = regression(C=1e9, fit_intercept=False, tol=1e-10, max_iter=1000).fit(rows, results)
    expected = (fit.coef_[0] - fit.coef_[0].mean()) * 400 / math.log(10)
    assert ratings.bradley_terry(wins) == pytest.approx(expected.tolist(), abs=0.01)


@witnesses("ratings.bradley_terry")
def test_even_the_most_one_sided_battles_converge() -> None:
    got = ratings.bradley_terry([[0, 10**6], [1, 0]])
    assert got[0] - got[1] == pytest.approx(400 * 6, abs=1e-5)


@witnesses("ratings.bradley_terry")
@pytest.mark.parametrize(
    "wins",
    [
        [[0, 1, 1000, 0], [0, 0, 1000001, 0], [0, 0, 0, 1], [1000000, 0, 0, 0]],
        [
            [0, 10, 0, 0, 0],
            [10**6, 0, 10**6, 0, 0],
            [10, 0, 0, 1000, 10**6],
            [10**6, 0, 0, 0, 1000],
            [1, 0, 0, 1000, 0],
        ],
    ],
)
def test_ratings_expect_the_wins_that_were_seen(wins: list[list[int]]) -> None:
    """At the largest likelihood everybody's expected wins are the observed ones."""
    got = ratings.bradley_terry(wins)
    assert sum(got) == pytest.approx(0, abs=1e-6)
    for i, own in enumerate(got):
        expected = sum(
            (wins[i][j] + wins[j][i]) / (1 + 10 ** ((other - own) / 400))
            for j, other in enumerate(got)
            if j != i
        )
        assert expected == pytest.approx(sum(wins[i]), rel=1e-6)


@witnesses("ratings.gap_half_width")
def test_half_width_of_two_players_in_closed_form() -> None:
    """The logit of a rate has the standard error 1 / √(n p (1 − p))."""
    stats = pytest.importorskip("scipy.stats")
    for won, lost, confidence in ((7, 3, 0.95), (50, 50, 0.9)):
        n, p = won + lost, won / (won + lost)
        z = stats.norm.isf((1 - confidence) / 2)
        expected = z / math.sqrt(n * p * (1 - p)) * 400 / math.log(10)
        got = ratings.gap_half_width([[0, won], [lost, 0]], 0, 1, confidence)
        assert got == pytest.approx(expected, rel=1e-6)
    assert ratings.gap_half_width([[0, 1], [1, 0]], 1, 0) == pytest.approx(
        ratings.gap_half_width([[0, 1], [1, 0]], 0, 1, 0.95)
    )


@witnesses("ratings.gap_half_width")
@pytest.mark.parametrize(("a", "b"), [(0, 1), (2, 1), (0, 2)])
def test_half_width_equals_the_curvature_of_the_profile(a: int, b: int) -> None:
    """Fix player b at zero: the inverse of the numerical Hessian gives the variance of a's strength."""
    wins = np.array(WINS[1], float)
    best = np.array(ratings.bradley_terry(WINS[1])) / (400 / math.log(10))
    free = [player for player in range(3) if player != b]

    def loss(moved: np.ndarray) -> float:
        strength = best - best[b]
        strength[free] += moved
        gap = strength[:, None] - strength[None, :]
        return float((wins * np.log1p(np.exp(-gap))).sum())

    h = 1e-4
    hessian = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            e, f = np.eye(2)[i] * h, np.eye(2)[j] * h
            hessian[i, j] = (loss(e + f) - loss(e - f) - loss(f - e) + loss(-e - f)) / (4 * h * h)
    place = free.index(a)
    error = math.sqrt(np.linalg.inv(hessian)[place, place])
    got = ratings.gap_half_width(WINS[1], a, b)
    assert got == pytest.approx(1.959964 * error * 400 / math.log(10), rel=1e-4)


@witnesses("ratings.battles_needed")
@pytest.mark.parametrize("gap", [20, 50, 100, 300])
def test_battles_equal_a_search_with_expected_results(gap: float) -> None:
    """Give the players their expected wins, and add battles until the interval leaves zero out."""
    p = 10 ** (gap / 400) / (1 + 10 ** (gap / 400))
    for confidence in (0.95, 0.8):
        n = ratings.battles_needed(gap, confidence)
        for battles, wide in ((n, False), (n - 1, True)):
            wins = [[0, p * battles], [(1 - p) * battles, 0]]
            assert (ratings.gap_half_width(wins, 0, 1, confidence) > gap) == wide
    assert ratings.battles_needed(gap) == ratings.battles_needed(gap, 0.95)


@witnesses("ratings.smoothed_rate")
def test_smoothed_rate_is_a_posterior_mean() -> None:
    """Beta(weight · prior, weight · (1 − prior)), updated by the trials, on a fine grid."""
    grid = np.linspace(0, 1, 200_001)[1:-1]
    for successes, trials, prior, weight in ((3, 10, 0.2, 10), (0, 0, 0.4, 5), (7, 7, 0.5, 4)):
        a, b = weight * prior + successes, weight * (1 - prior) + trials - successes
        density = grid ** (a - 1) * (1 - grid) ** (b - 1)
        expected = (grid * density).sum() / density.sum()
        assert ratings.smoothed_rate(successes, trials, prior, weight) == pytest.approx(expected, abs=1e-4)
    assert ratings.smoothed_rate(1, 4, 0.9, 0) == 0.25


@witnesses("ratings.newcomer_rank")
@pytest.mark.parametrize(("quality", "weight"), [(0.35, 50.0), (0.05, 1.0), (1.0, 200.0)])
def test_ranks_equal_sorted_lists(quality: float, weight: float) -> None:
    for items, trials, shape, seed in ((1000, 200, 2.0, 0), (300, 5, 1.0, 4)):
        rng = np.random.default_rng(seed)
        truths = rng.beta(shape, 4 * shape, items).tolist()
        counts = [int(n) for n in rng.binomial(trials, truths)]
        mean = sum(counts) / items / trials
        smooth = [(count + weight * mean) / (trials + weight) for count in counts]
        expected = {
            "raw": sorted([*counts, 0], reverse=True).index(0) + 1,
            "smoothed": sorted([*smooth, mean], reverse=True).index(mean) + 1,
            "true": sorted([*truths, quality], reverse=True).index(quality) + 1,
        }
        got = ratings.newcomer_rank(quality, weight, items, trials, shape, seed)
        assert got["raw"] == expected["raw"] and got["true"] == expected["true"]
        # a rate that equals the mean but for rounding may stand on either side of it
        assert abs(got["smoothed"] - expected["smoothed"]) <= sum(abs(s - mean) < 1e-12 for s in smooth)
    tied = ratings.newcomer_rank(truths[3], weight, items, trials, shape, seed)
    assert tied["true"] == sorted(truths, reverse=True).index(truths[3]) + 1
    assert ratings.newcomer_rank(0.5, 4.0, items=1, trials=4)["smoothed"] == 1
    default = ratings.newcomer_rank(quality, weight)
    assert default == ratings.newcomer_rank(quality, weight, 1000, 200, 2.0, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ratings.expected_score(math.inf),
        lambda: ratings.expected_score(math.nan),
        lambda: ratings.rating_gap(0),
        lambda: ratings.rating_gap(1),
        lambda: ratings.elo_update(1, 1, 1.5),
        lambda: ratings.elo_update(1, 1, 1, 0),
        lambda: ratings.bradley_terry([[0]]),
        lambda: ratings.bradley_terry([[0, 1, 1], [1, 0, 1]]),
        lambda: ratings.bradley_terry([[0, -1], [1, 0]]),
        lambda: ratings.bradley_terry([[0, 5, -0.5], [2, 0, 1], [1, 1, 0]]),
        lambda: ratings.bradley_terry([[1, 1], [1, 0]]),
        lambda: ratings.bradley_terry([[0, 1, math.nan], [1, 0, 1], [1, 1, 0]]),
        lambda: ratings.bradley_terry([[0, math.inf], [1, 0]]),
        lambda: ratings.bradley_terry([[0, 1], [0, 0]]),
        lambda: ratings.bradley_terry([[0, 1, 0], [1, 0, 0], [0, 0, 0]]),
        lambda: ratings.gap_half_width(WINS[0], 0, 0),
        lambda: ratings.gap_half_width(WINS[0], 0, 2),
        lambda: ratings.gap_half_width(WINS[0], -1, 1),
        lambda: ratings.gap_half_width(WINS[0], 0, 1, 0),
        lambda: ratings.gap_half_width(WINS[0], 0, 1, 1),
        lambda: ratings.battles_needed(0),
        lambda: ratings.battles_needed(10, 1),
        lambda: ratings.battles_needed(10, 0),
        lambda: ratings.smoothed_rate(-1, 1, 0.5, 1),
        lambda: ratings.smoothed_rate(2, 1, 0.5, 1),
        lambda: ratings.smoothed_rate(1, 1, 1.5, 1),
        lambda: ratings.smoothed_rate(1, 1, 0.5, -0.5),
        lambda: ratings.smoothed_rate(0, 0, 0.5, 0),
        lambda: ratings.newcomer_rank(1.5, 1),
        lambda: ratings.newcomer_rank(0.5, 0),
        lambda: ratings.newcomer_rank(0.5, 1, shape=0),
        lambda: ratings.newcomer_rank(0.5, 1, shape=math.nan),
        lambda: ratings.newcomer_rank(0.5, 1, items=0),
        lambda: ratings.newcomer_rank(0.5, 1, trials=0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_a_confidence_lies_between_zero_and_one() -> None:
    for call in (lambda c: ratings.gap_half_width(WINS[0], 0, 1, c), lambda c: ratings.battles_needed(10, c)):
        with pytest.raises(ValueError, match="1 − confidence"):
            call(1)


def test_a_ring_of_wins_links_everybody() -> None:
    assert ratings.bradley_terry([[0, 1, 0], [0, 0, 1], [1, 0, 0]]) == pytest.approx([0, 0, 0], abs=1e-9)
