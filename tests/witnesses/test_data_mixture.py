"""Independent ways to the numbers of verifiers/data_mixture.py: exact fractions and sampling runs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import data_mixture

SIZES = (410, 19, 12, 55, 3)
SHARES = (0.6, 0.22, 0.08, 0.08, 0.02)


@witnesses("data_mixture.epochs", "data_mixture.epochs_by_source")
def test_epochs_equal_a_pass_over_the_sources_token_by_token() -> None:
    """Deal out a run's tokens in turn, each source read round and round, and count the rounds."""
    total, passes = 1000, data_mixture.epochs_by_source(SIZES, SHARES, 1000)
    assert list(passes) == ["0", "1", "2", "3", "4"]
    for size, share, found in zip(SIZES, SHARES, passes.values(), strict=True):
        read = round(total * share)
        places = np.bincount(np.arange(read) % size, minlength=size)
        assert found == pytest.approx(places.mean())
        assert data_mixture.epochs(size, share, total) == found
    assert data_mixture.epochs(5, 1, 0) == data_mixture.epochs(5, 0, 7) == 0


@witnesses("data_mixture.largest_run")
@pytest.mark.parametrize("max_epochs", [1.0, 4.0])
def test_largest_run_exhausts_the_first_source(max_epochs: float) -> None:
    total = data_mixture.largest_run(SIZES, SHARES, max_epochs)
    assert max(data_mixture.epochs_by_source(SIZES, SHARES, total).values()) == pytest.approx(max_epochs)
    exact = min(Fraction(size) / Fraction(str(share)) for size, share in zip(SIZES, SHARES, strict=True))
    assert total == pytest.approx(float(exact * Fraction(max_epochs)))
    assert data_mixture.largest_run((8, 2), (0.5, 0.5)) == 4


@witnesses("data_mixture.temperature_shares", "data_mixture.upsampling")
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 10 / 3])
def test_temperature_shares_equal_a_softmax_of_log_sizes(temperature: float) -> None:
    special = pytest.importorskip("scipy.special")
    found = data_mixture.temperature_shares(SIZES, temperature)
    expected = special.softmax(np.log(SIZES) / temperature)
    assert list(found) == [str(place) for place in range(len(SIZES))]
    assert list(found.values()) == pytest.approx(expected.tolist(), rel=1e-12)
    natural = np.array(SIZES) / sum(SIZES)
    for place in (0, 4):
        ratio = data_mixture.upsampling(SIZES, temperature, place)
        assert ratio == pytest.approx(expected[place] / natural[place], rel=1e-12)
    assert data_mixture.temperature_shares((7, 7, 14)) == {"0": 0.25, "1": 0.25, "2": 0.5}


@witnesses("data_mixture.mixture_loss")
def test_mixture_loss_equals_the_mean_over_tokens() -> None:
    losses, counts = (2.5, 1.0, 3.25), (3, 4, 1)
    tokens = [loss for loss, count in zip(losses, counts, strict=True) for _ in range(count)]
    shares = tuple(count / 8 for count in counts)
    assert data_mixture.mixture_loss(losses, shares) == pytest.approx(float(np.mean(tokens)))


@witnesses("data_mixture.pipeline")
def test_pipeline_equals_filters_applied_in_a_row() -> None:
    documents = np.arange(1000)
    for modulus in (2, 5, 4):
        documents = np.arange(len(documents))[::modulus]
    assert data_mixture.pipeline(1000, (1 / 2, 1 / 5, 1 / 4)) == len(documents) == 25
    assert data_mixture.pipeline(7, ()) == 7
    assert data_mixture.pipeline(0, (1, 0)) == 0


@witnesses("data_mixture.tokens_of_text")
def test_tokens_of_text_equal_pieces_of_a_string() -> None:
    text = "x" * 4000
    pieces = [text[start : start + 4] for start in range(0, len(text), 4)]
    assert data_mixture.tokens_of_text(len(text), 4) == len(pieces)
    assert data_mixture.tokens_of_text(0, 0.5) == 0


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: data_mixture.epochs(0, 0.5, 1),
        lambda: data_mixture.epochs(1, 1.1, 1),
        lambda: data_mixture.epochs(1, 0.5, -1),
        lambda: data_mixture.epochs_by_source((), (), 1),
        lambda: data_mixture.epochs_by_source((1, 2), (1.0,), 1),
        lambda: data_mixture.epochs_by_source((1, 2), (0.5, 0.4), 1),
        lambda: data_mixture.epochs_by_source((1, 0), (0.5, 0.5), 1),
        lambda: data_mixture.largest_run((1, 2), (0.5, 0.5), 0),
        lambda: data_mixture.temperature_shares((1, 2), 0),
        lambda: data_mixture.temperature_shares((1, -2), 1),
        lambda: data_mixture.temperature_shares((), 1),
        lambda: data_mixture.upsampling((1, 2), 1, 2),
        lambda: data_mixture.upsampling((1, 2), 1, -1),
        lambda: data_mixture.mixture_loss((1, 2), (1.0,)),
        lambda: data_mixture.mixture_loss((1, -2), (0.5, 0.5)),
        lambda: data_mixture.mixture_loss((1, 2), (0.5, 0.6)),
        lambda: data_mixture.pipeline(-1, (0.5,)),
        lambda: data_mixture.pipeline(1, (0.5, 1.5)),
        lambda: data_mixture.tokens_of_text(-1, 4),
        lambda: data_mixture.tokens_of_text(1, 0),
    ):
        with pytest.raises(ValueError):
            call()
