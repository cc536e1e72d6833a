"""Where imported cards go: into a project's cards, or into a folder that becomes a project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from proofdeck import atomic
from proofdeck.errors import UsageError
from proofdeck.foreign.notes import slug
from proofdeck.project import Project, find_root, matches


@dataclass(frozen=True)
class Target:
    """A place for card files."""

    root: Path
    cards: Path
    """The folder below which each document gets one of its own."""
    project: Project | None
    """The project that is there already."""
    deck: str = "Imported::"

    @classmethod
    def at(cls, out: Path, root: Path | None = None) -> Target:
        """Find the project that `out` belongs to, `root` where it is given; raise UsageError where cards cannot go there."""
        here = out.resolve()
        if here.exists() and not here.is_dir():
            raise UsageError(f"{out} is a file; name a folder")
        for folder in (find_root(root),) if root else (here, *here.parents):
            if (folder / "cards").is_dir() and (folder / "decks").is_dir():
                break
        else:
            return cls(here, here / "cards" / "imported", None)
        if here == folder:
            return cls(folder, folder / "cards" / "imported", Project(folder))
        if not here.is_relative_to(folder / "cards") or here == folder / "cards":
            raise UsageError(
                f"{out} is in the project {folder}, but not below its cards/: write to {folder.name}/cards/NAME"
            )
        return cls(folder, here, Project(folder))

    @property
    def name(self) -> str:
        """The name of the deck's manifest."""
        return slug(self.cards.name) or "imported"

    def finish(self, folders: Iterable[str]) -> None:
        """See to it that the cards are in a deck: write a manifest where none selects them."""
        (self.root / "cards").mkdir(parents=True, exist_ok=True)
        decks = self.root / "decks"
        decks.mkdir(exist_ok=True)
        manifests = Project(self.root).manifests([])
        wanted = [
            f"{Path(folder).resolve().relative_to(self.root.resolve()).as_posix()}/x.md" for folder in folders
        ]
        if all(any(matches(file, glob) for m in manifests for glob in m.cards) for file in wanted):
            return
        path = decks / f"{self.name}.yaml"
        number = 2
        while path.exists():
            path = decks / f"{self.name}-{number}.yaml"
            number += 1
        where = self.cards.resolve().relative_to(self.root.resolve()).as_posix()
        text = (
            f"title: Imported notes\ndescription: >\n  Notes of other people, as they were found. Nothing in them has been tested.\n"
            f"cards:\n  - {where}/**/*.md\n"
        )
        atomic.write(path, text)
