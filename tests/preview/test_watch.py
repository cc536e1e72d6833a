"""What wakes a running preview, and what does not."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proofdeck.preview.watch import Watcher, concerns

PATIENCE = 60
"""Seconds that a loaded machine is given."""


class Ear(Watcher):
    """A watcher that remembers what it counted."""

    def __init__(self, root: Path, skip: Path) -> None:
        self.event = threading.Event()
        self.heard: set[str] = set()
        super().__init__(root, self.event, skip)

    def _concerns(self, change: object, path: str) -> bool:
        counts = super()._concerns(change, path)
        if counts:
            self.heard.add(Path(path).relative_to(self._root).as_posix())
        return counts


def until(done: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def save(path: Path, text: str = "text\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("cards/part", "decks/build", "verifiers", "figures/drawn", ".proofdeck/site"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def ear(root: Path) -> Iterator[Ear]:
    with Ear(root, root / ".proofdeck" / "site") as ear:
        yield ear


SOURCES = (
    "cards/part/a.md",
    "cards/references.yaml",
    "cards/part/picture.svg",
    "verifiers/shapes.py",
    "verifiers/evidence.lock",
    "figures/line.py",
    "decks/demo.yaml",
    "pyproject.toml",
)
OTHERS = (
    "figures/drawn/line-0123.svg",
    "figures/drawn.lock",
    "decks/build/demo.apkg",
    "decks/history.lock",
    ".proofdeck/cache.db",
    ".proofdeck/site/index.html",
    "verifiers/__pycache__/shapes.cpython-311.pyc",
    "verifiers/.evidence.lock.x1y2.tmp",
    "cards/part/.a.md.swp",
    "cards/part/.#a.md",
    "cards/part/#a.md#",
    "cards/part/a.md~",
    "cards/part/4913",
    "README.md",
    "tests/test_a.py",
    ".git/index",
)


@pytest.mark.parametrize("path", SOURCES)
def test_a_source_counts(path: str) -> None:
    assert concerns(path)


@pytest.mark.parametrize("path", [*OTHERS, "", "cardsandmore/a.md", "decks/sub/demo.yaml"])
def test_nothing_else_counts(path: str) -> None:
    assert not concerns(path)


@pytest.mark.parametrize("path", SOURCES)
def test_a_save_is_heard(root: Path, ear: Ear, path: str) -> None:
    save(root / path)
    assert ear.event.wait(PATIENCE)
    assert ear.heard == {path}


@pytest.mark.parametrize("path", ["cards/part/a.md", "pyproject.toml", "verifiers/evidence.lock"])
def test_a_file_that_is_replaced_is_heard_every_time(root: Path, ear: Ear, path: str) -> None:
    for number in range(3):
        save(root / "elsewhere.txt", str(number))
        ear.heard.clear()
        os.replace(root / "elsewhere.txt", root / path)
        until(lambda: ear.heard == {path})
    assert ear.event.wait(PATIENCE)


def test_a_removed_file_is_heard(root: Path) -> None:
    save(root / "cards/part/a.md")
    with Ear(root, root / "site") as ear:
        (root / "cards/part/a.md").unlink()
        assert ear.event.wait(PATIENCE)


def test_what_builds_and_editors_leave_is_not_heard(root: Path, ear: Ear) -> None:
    for path in OTHERS:
        save(root / path)
    # the system tells of changes in their order, so what was to be heard has been heard by now
    save(root / "cards/part/a.md")
    assert ear.event.wait(PATIENCE)
    assert ear.heard == {"cards/part/a.md"}


def test_the_site_itself_may_stand_among_the_sources(root: Path) -> None:
    with Ear(root, root / "cards" / "site") as ear:
        save(root / "cards/site/index.html")
        save(root / "cards/site/cards/a.html")
        save(root / "cards/part/a.md")
        assert ear.event.wait(PATIENCE)
        assert ear.heard == {"cards/part/a.md"}


@pytest.mark.parametrize("folder", ["cards/new", "cards/part/deep/deeper", "figures/more"])
def test_a_file_in_a_new_folder_is_heard(root: Path, ear: Ear, folder: str) -> None:
    (root / folder).mkdir(parents=True)
    assert ear.event.wait(PATIENCE)
    save(root / folder / "a.md")
    until(lambda: f"{folder}/a.md" in ear.heard)


@pytest.mark.parametrize("folder", ["verifiers", "figures"])
def test_a_folder_that_a_project_did_not_have_is_heard(root: Path, folder: str) -> None:
    shutil.rmtree(root / folder)
    with Ear(root, root / "site") as ear:
        (root / folder).mkdir()
        assert ear.event.wait(PATIENCE)
        save(root / folder / "a.py")
        until(lambda: f"{folder}/a.py" in ear.heard)


def test_a_folder_that_goes_and_comes_back_is_watched_again(root: Path, ear: Ear) -> None:
    for number in range(2):
        ear.event.clear()
        shutil.rmtree(root / "cards")
        assert ear.event.wait(PATIENCE)
        (root / "cards" / "part").mkdir(parents=True)
        # a second time: the watch may still be about to see that the folder is back
        until(lambda: saved_and_heard(ear, root, f"cards/part/again-{number}.md"))  # noqa: B023


def saved_and_heard(ear: Ear, root: Path, path: str) -> bool:
    save(root / path)
    return path in ear.heard


def test_a_linked_project_is_watched_where_it_stands(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "project"
    link.symlink_to(root)
    with Ear(link, link / "site") as ear:
        save(link / "cards/part/a.md")
        assert ear.event.wait(PATIENCE)
        assert ear.heard == {"cards/part/a.md"}


def test_a_watch_that_the_system_refuses_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: str, **options: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", refuse)
    with Ear(root, root / "site") as ear:
        assert ear.event.wait(PATIENCE)
        assert ear.failed == "OS file watch limit reached"


def test_a_watch_ends(root: Path) -> None:
    before = threading.active_count()
    with Ear(root, root / "site"):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
