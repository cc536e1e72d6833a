"""Independent ways to the numbers of verifiers/positions.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import positions


def table(places: int, width: int, base: float = 10_000.0) -> np.ndarray:
    """Sinusoids [places, width] entry by entry, as in the paper: even sines, odd cosines."""
    return np.array(
        [
            [(math.sin if j % 2 == 0 else math.cos)(p / base ** ((j - j % 2) / width)) for j in range(width)]
            for p in range(places)
        ]
    )


@witnesses("positions.wavelength")
@pytest.mark.parametrize(("pair", "width", "base"), [(0, 8, 10_000.0), (3, 8, 10_000.0), (5, 16, 500.0)])
def test_pair_is_back_after_one_wavelength_and_not_after_half(pair: int, width: int, base: float) -> None:
    length = positions.wavelength(pair, width, base)
    encodings = positions.sinusoids(np.array([3.0, 3.0 + length, 3.0 + length / 2]), width, base)[:, pair]
    assert np.allclose(encodings[1], encodings[0], atol=1e-9)
    assert np.allclose(encodings[2], -encodings[0], atol=1e-9)
    rows = table(50, width, base).reshape(50, -1, 2)
    assert np.allclose(positions.sinusoids(np.arange(50.0), width, base), rows, atol=1e-12)
    assert positions.wavelength(1, 4) == pytest.approx(200 * math.pi)


@witnesses("positions.dot", "positions.rises", "positions.first_rise")
@pytest.mark.parametrize(("width", "base"), [(8, 10_000.0), (64, 10_000.0), (512, 10_000.0), (6, 100.0)])
def test_dot_products_equal_those_of_a_table(width: int, base: float) -> None:
    rows = table(70, width, base)
    products = [float(rows[5] @ rows[5 + k]) for k in range(61)]
    assert [positions.dot(k, width, base) for k in range(61)] == pytest.approx(products, abs=1e-11)
    assert positions.dots(60, width, base) == pytest.approx(products, abs=1e-11)
    rising = [k for k in range(1, 61) if products[k] > products[k - 1]]
    assert positions.rises(width, 60, base) == len(rising)
    assert positions.first_rise(width, 60, base) == rising[0]
    assert positions.first_rise(width, rising[0], base) == rising[0]
    assert positions.first_rise(width, rising[0] - 1, base) == 0
    assert positions.rises(width, 1, base) == 0


def test_an_equal_product_is_no_rise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "dots", lambda distances, width, base: np.array([3.0, 3.0, 2.0, 4.0]))
    assert positions.rises(8, 3) == 1
    assert positions.first_rise(8, 3) == 3


def test_base_is_ten_thousand_unless_told_otherwise() -> None:
    base = 10_000.0
    assert positions.wavelength(1, 8) == positions.wavelength(1, 8, base)
    assert positions.dot(3, 8) == positions.dot(3, 8, base)
    assert positions.rises(64, 500) == positions.rises(64, 500, base) != positions.rises(64, 500, 1.5 * base)
    assert positions.first_rise(38, 500) == positions.first_rise(38, 500, base)
    assert positions.first_rise(38, 500) != positions.first_rise(38, 500, 1.5 * base)
    assert positions.linear_fit(8, 50) == positions.linear_fit(8, 50, base)


@witnesses("positions.linear_fit")
@pytest.mark.parametrize(("width", "places", "base"), [(8, 20, 10_000.0), (64, 200, 10_000.0), (6, 2, 7.0)])
def test_fit_equals_least_squares(width: int, places: int, base: float) -> None:
    rows = table(places, width, base)
    design = np.stack([np.ones(places), np.arange(places)], axis=1)
    fitted = design @ np.linalg.lstsq(design, rows, rcond=None)[0]
    around = rows - rows.mean(axis=0)
    share = 1 - ((rows - fitted) ** 2).sum() / (around**2).sum()
    assert positions.linear_fit(width, places, base) == pytest.approx(share, abs=1e-12)


@witnesses("positions.shift_is_one_rotation_everywhere")
def test_least_squares_finds_one_orthogonal_map_for_a_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(60, 8)
    before, after = rows[:50], rows[9:59]
    found, *_ = np.linalg.lstsq(before, after, rcond=None)
    assert np.abs(before @ found - after).max() < 1e-9
    rotations = positions.rotation(9 * positions.frequencies(8, 10_000.0))
    assert rotations.shape == (4, 2, 2)
    turned = rotations @ before.reshape(50, 4, 2, 1)
    assert np.allclose(turned.reshape(50, 8), after, atol=1e-12)
    right = positions.rotation
    assert np.allclose(right(np.array([0.3])) @ right(np.array([0.3])).swapaxes(1, 2), np.eye(2), atol=1e-15)
    tried = positions.shift_is_one_rotation_everywhere(width=4, shifts=(2, 3), positions=5)
    assert tried == {"width": 4, "shifts": "2, 3", "positions": 5, "tolerance": 1e-12}
    monkeypatch.setattr(positions, "rotation", lambda angle: right(-angle))
    with pytest.raises(AssertionError, match="the shift by 1 is off"):
        positions.shift_is_one_rotation_everywhere()


@witnesses("positions.dot_depends_on_distance_only")
def test_products_of_a_table_are_constant_along_diagonals(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(30, 16)
    products = rows @ rows.T
    for distance in (0, 1, 7):
        assert np.ptp(np.diagonal(products, distance)) < 1e-12
    tried = positions.dot_depends_on_distance_only(width=4, distances=(2, 3), positions=5)
    assert tried == {"width": 4, "distances": "2, 3", "positions": 5, "tolerance": 1e-12}
    right = positions.sinusoids
    monkeypatch.setattr(positions, "sinusoids", lambda *given: right(*given)[..., :1])
    with pytest.raises(AssertionError, match="the product at 0"):
        positions.dot_depends_on_distance_only()


@witnesses("positions.learned_parameters")
def test_table_of_torch_ends_with_its_last_row() -> None:
    torch = pytest.importorskip("torch")
    embedding = torch.nn.Embedding(7, 5)
    assert positions.learned_parameters(7, 5) == sum(p.numel() for p in embedding.parameters())
    embedding(torch.tensor([6]))
    with pytest.raises(IndexError):
        embedding(torch.tensor([7]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: positions.wavelength(-1, 8),
        lambda: positions.wavelength(4, 8),
        lambda: positions.wavelength(0, 7),
        lambda: positions.wavelength(0, 8, 0.0),
        lambda: positions.dot(1, 3),
        lambda: positions.dot(math.inf, 8),
        lambda: positions.rises(8, 0),
        lambda: positions.first_rise(8, 0),
        lambda: positions.linear_fit(8, 1),
        lambda: positions.learned_parameters(0, 1),
        lambda: positions.learned_parameters(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
