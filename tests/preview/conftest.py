"""Fixtures of the preview's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.engine.helpers import Deck, make_deck

# a busy machine is no failure
settings.register_profile("preview", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("preview")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def deck_at(tmp_path: Path) -> Callable[..., Deck]:
    """Makes deck projects in a temporary folder: `deck_at(files, cards=body, name="d")`."""

    def make(files: dict[str, str] | None = None, cards: str | None = None, name: str = "deck") -> Deck:
        return make_deck(tmp_path / name, files, cards)

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Deck:
    """A built project that has everything; not to be written in."""
    from tests.preview.helpers import showcase

    return showcase(tmp_path_factory.mktemp("showcase") / "deck")


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Deck:
    """A built copy of this repository's decks; not to be written in."""
    deck = Deck(tmp_path_factory.mktemp("ours") / "project")
    for name in ("cards", "decks", "verifiers", "figures"):
        shutil.copytree(
            ROOT / name, deck.root / name, ignore=shutil.ignore_patterns("__pycache__", "build", "*.tmp")
        )
    shutil.copy(ROOT / "pyproject.toml", deck.root)
    deck.ok("build")
    return deck


def _importer(deck: Deck, folder: Path) -> Any:
    from tests.helpers import Learner

    someone = Learner(folder)
    for package in sorted((deck.root / "decks/build").glob("*.apkg")):
        someone.imports(package)
    return someone


@pytest.fixture(scope="session")
def importer(made: Deck, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Somebody who imported the project that has everything."""
    pytest.importorskip("anki.collection")
    someone = _importer(made, tmp_path_factory.mktemp("importer") / "collection")
    yield someone
    someone.close()


@pytest.fixture(scope="session")
def our_learner(ours: Deck, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Somebody who imported this repository's decks."""
    pytest.importorskip("anki.collection")
    someone = _importer(ours, tmp_path_factory.mktemp("learner") / "collection")
    yield someone
    someone.close()


def _site(deck: Deck, folder: Path) -> Path:
    from proofdeck.preview.site import write_site
    from proofdeck.project import Project

    write_site(Project(deck.root), folder)
    return folder


@pytest.fixture(scope="session")
def site(made: Deck, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the project that has everything; not to be written in."""
    return _site(made, tmp_path_factory.mktemp("site") / "site")


@pytest.fixture(scope="session")
def our_site(ours: Deck, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this repository; not to be written in."""
    return _site(ours, tmp_path_factory.mktemp("site") / "site")
