"""A headless Chromium, and the sites that it is shown."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from .helpers import CHROMIUM, Watched, watched
from .project import write_project

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """A site on disk."""

    folder: Path

    @property
    def home(self) -> str:
        return self.folder.as_uri() + "/"


def write_site(root: Path, folder: Path) -> None:
    from proofdeck.preview import site
    from proofdeck.project import Project

    site.write_site(Project(root), folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for the tests of a module: while Playwright runs, no other test could use asyncio."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'proofdeck[test]'"
    )
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core is not installed: pip install 'proofdeck[test]'")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Makes a folder once in a test run, for all its processes."""
    base = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        base = base.parent  # each process has a folder of its own below the run's

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = base / f"browser-{name}"
        with FileLock(f"{folder}.lock"):
            if not (done := folder / "done").exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def small(once: Callable[..., Path]) -> Site:
    """The site of a project of our own, with all that a site can show."""

    def fill(folder: Path) -> None:
        write_project(folder / "project")
        write_site(folder / "project", folder / "site")

    return Site(once("small", fill) / "site")


@pytest.fixture(scope="session")
def large(once: Callable[..., Path]) -> Site:
    """The site of this repository."""
    return Site(once("large", lambda folder: write_site(ROOT, folder / "site")) / "site")


@pytest.fixture
def at_small(browser: Any, small: Site) -> Iterator[Watched]:
    """A window on the small site, which must not complain of anything."""
    with watched(browser, small.home) as window:
        yield window
    assert not window.faults
