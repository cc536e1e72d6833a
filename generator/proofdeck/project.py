"""A deck project on disk: its root, its settings, its manifests, its files."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from proofdeck.decknames import read_deck_name
from proofdeck.errors import Problem, UsageError, did_you_mean
from proofdeck.mapping import YamlFile

MANIFEST_KEYS = ("title", "description", "cards", "under")
SETTINGS = ("namespace",)


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder from `start` upwards that holds `cards/` and `decks/`."""
    here = (start or Path.cwd()).resolve()
    if not here.is_dir():
        raise UsageError(f"{here} is not a folder")
    for folder in (here, *here.parents):
        if (folder / "cards").is_dir() and (folder / "decks").is_dir():
            return folder
        if start is not None:
            break
    raise UsageError(
        f"no deck project in {here}: it has no cards/ and decks/; `proofdeck init DIR` starts one"
    )


@dataclass(frozen=True, slots=True)
class Manifest:
    """`decks/NAME.yaml`: which cards go into a package, and what it is called."""

    name: str
    file: str
    title: str
    description: str
    cards: tuple[str, ...]
    """Globs from the project root, in curriculum order."""
    under: str
    """Parent deck in Anki; empty means that the cards' own deck names stand alone."""


class Project:
    """Paths and settings of a deck project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.evidence_lock = root / "verifiers" / "evidence.lock"
        self.history_lock = root / "decks" / "history.lock"
        self.figures_lock = root / "figures" / "drawn.lock"
        self.drawn = root / "figures" / "drawn"
        self.references = root / "cards" / "references.yaml"
        self.packages = root / "decks" / "build"
        self.state = root / ".proofdeck"

    def namespace(self) -> str:
        """Return what keeps this project's note ids apart from other projects'."""
        path = self.root / "pyproject.toml"
        if not path.exists():
            return "proofdeck"
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("proofdeck", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"pyproject.toml: {error}") from None
        for key in settings:
            if key not in SETTINGS:
                raise UsageError(
                    f"pyproject.toml: unknown setting tool.proofdeck.{key}; known: {', '.join(SETTINGS)}"
                )
        return str(settings.get("namespace", "proofdeck"))

    def card_files(self) -> list[str]:
        """Return every card file, as paths from the root."""
        found = []
        for folder, folders, files in os.walk(self.root / "cards"):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            base = Path(folder).relative_to(self.root).as_posix()
            found += [f"{base}/{name}" for name in files if name.endswith(".md") and not name.startswith(".")]
        return sorted(found)

    def manifests(self, problems: list[Problem]) -> list[Manifest]:
        """Read every manifest; add what is wrong to `problems`."""
        paths = sorted((self.root / "decks").glob("*.yaml"))
        if not paths:
            problems.append(
                Problem("decks", 0, 0, "no deck manifest", "write decks/NAME.yaml with title: and cards:")
            )
        return [manifest for path in paths if (manifest := self._manifest(path, problems))]

    def _manifest(self, path: Path, problems: list[Problem]) -> Manifest | None:
        file = path.relative_to(self.root).as_posix()
        manifest = YamlFile(path, file, problems)
        data = manifest.read()
        if data is None:
            return None
        before = len(problems)
        for key in data:
            if key not in MANIFEST_KEYS:
                hint = did_you_mean(str(key), MANIFEST_KEYS) or f"keys are: {' '.join(MANIFEST_KEYS)}"
                manifest.wrong(f"unknown key `{key}`", hint, key)
        texts = {key: data.get(key, "") for key in ("title", "description", "under")}
        for key, value in texts.items():
            if not isinstance(value, str):
                manifest.wrong(f"`{key}` is not a text", f"write `{key}: …`", key)
        if isinstance(texts["under"], str) and texts["under"]:
            texts["under"], wrong = read_deck_name(texts["under"])
            if wrong:
                manifest.wrong(f"`under`: {wrong}", "write `Parent::Child`", "under")
        cards = data.get("cards", ["cards/**/*.md"])
        if not texts["title"]:
            manifest.wrong("no title", "write `title: …`", "title")
        if not isinstance(cards, list) or not all(isinstance(glob, str) for glob in cards):
            manifest.wrong("`cards` is not a list of globs", "write `cards: [cards/**/*.md]`", "cards")
        if len(problems) > before:
            return None
        return Manifest(
            path.stem, file, texts["title"], texts["description"].strip(), tuple(cards), texts["under"]
        )

    def select(self, manifest: Manifest, files: Iterable[str], problems: list[Problem]) -> list[str]:
        """Return the card files of a manifest, in its order."""
        chosen: dict[str, None] = {}
        every = list(files)
        for glob in manifest.cards:
            matched = [file for file in every if matches(file, glob)]
            if not matched:
                source = YamlFile(self.root / manifest.file, manifest.file, problems)
                source.wrong(f"no card file matches `{glob}`", "for example cards/**/*.md", "cards", glob)
            chosen.update(dict.fromkeys(matched))
        return list(chosen)


def matches(file: str, glob: str) -> bool:
    """Say whether a path matches a glob, `**` standing for any number of folders."""
    import re

    pieces = re.split(r"(\*\*/|\*|\?)", glob)
    table = {"**/": r"(?:[^/]+/)*", "*": r"[^/]*", "?": r"[^/]"}
    return re.fullmatch("".join(table.get(piece, re.escape(piece)) for piece in pieces), file) is not None
