"""One writer at a time: builds of the same project queue behind each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from proofdeck import atomic
from proofdeck.project import Project


@contextmanager
def exclusive(project: Project) -> Iterator[None]:
    """Hold the project's lock file; the system releases it even if this process is killed."""
    from filelock import FileLock

    project.state.mkdir(exist_ok=True)
    with FileLock(project.state / "writer.lock"):
        for folder in (
            project.packages,
            project.drawn,
            project.root / "verifiers",
            project.root / "decks",
            project.root / "figures",
        ):
            if folder.is_dir():
                atomic.sweep(folder)
        yield
