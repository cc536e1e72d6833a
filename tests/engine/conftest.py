"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .helpers import FIGURES, Deck, make_deck

# a busy machine is no failure
settings.register_profile("engine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("engine")


@pytest.fixture
def deck_at(tmp_path: Path) -> Callable[..., Deck]:
    """Makes deck projects in a temporary folder: `deck_at(files, cards=body, name="d")`."""

    def make(files: dict[str, str] | None = None, cards: str | None = None, name: str = "deck") -> Deck:
        return make_deck(tmp_path / name, files, cards)

    return make


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What `{figure}`plots.line`` leaves under figures/, drawn once a session."""
    deck = make_deck(
        tmp_path_factory.mktemp("drawn"),
        {"figures/plots.py": FIGURES},
        "{judgement}`x`\n\n{figure}`plots.line`",
    )
    deck.ok("build")
    paths = [deck.root / "figures/drawn.lock", *(deck.root / "figures/drawn").iterdir()]
    return {path.relative_to(deck.root).as_posix(): path.read_bytes() for path in paths}
