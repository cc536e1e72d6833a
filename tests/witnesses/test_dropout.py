"""Independent ways to the numbers of verifiers/dropout.py."""

from __future__ import annotations

from fractions import Fraction

import pytest

from proofdeck import witnesses
from verifiers import dropout


@witnesses("dropout.moments")
@pytest.mark.parametrize(("p", "mean", "variance"), [(0.3, 0.0, 1.0), (0.5, 2.0, 0.25), (0.0, 1.0, 3.0)])
def test_moments_of_torchs_dropout(p: float, mean: float, variance: float) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x = mean + variance**0.5 * torch.randn(1_000_000, dtype=torch.float64)
    y = torch.nn.functional.dropout(x, p)
    found = dropout.moments(p, mean, variance)
    assert found["mean"] == pytest.approx(float(y.mean()), abs=0.01)
    assert found["variance"] == pytest.approx(float(y.var()), rel=0.01)


def test_moments_at_their_limits() -> None:
    assert dropout.moments(0.5) == {"mean": 0.0, "variance": 2.0} == dropout.moments(0.5, 0.0, 1.0)
    assert dropout.moments(0.0, 3.0, 0.0) == {"mean": 3.0, "variance": 0.0}
    assert dropout.moments(0.5, -2.0) == {"mean": -2.0, "variance": 6.0}
    for wrong in ({"p": 1.0}, {"p": -0.1}, {"p": 0.1, "variance": -1.0}, {"p": 0.1, "mean": float("inf")}):
        with pytest.raises(ValueError):
            dropout.moments(**wrong)


@witnesses("dropout.linear_layers_keep_their_mean")
def test_a_mean_that_moves_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dropout.linear_layers_keep_their_mean() == {"masks": "8", "p": "30 %"}
    assert dropout.linear_layers_keep_their_mean((1, 2), (3, 4), 50) == {"masks": "4", "p": "50 %"}
    assert dropout.inverted(Fraction(3), True, Fraction(1, 4)) == 4
    assert dropout.inverted(Fraction(3), False, Fraction(1, 4)) == 0
    right, seen = dropout.inverted, []

    def spy(x: Fraction, kept: bool, p: Fraction) -> Fraction:
        seen.append(p)
        return right(x, kept, p)

    monkeypatch.setattr(dropout, "inverted", spy)
    dropout.linear_layers_keep_their_mean(percent=30)
    assert set(seen) == {Fraction(3, 10)}
    with pytest.raises(ValueError):
        dropout.linear_layers_keep_their_mean((1, 2), (3,))
    # without the division, as in the first papers, the mean shrinks
    monkeypatch.setattr(dropout, "inverted", lambda x, kept, p: x if kept else Fraction(0))
    with pytest.raises(AssertionError, match="the mean is"):
        dropout.linear_layers_keep_their_mean()
