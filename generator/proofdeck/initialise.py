"""`init`: a small deck project that verifies, builds and imports, to be overwritten with one's own."""

from __future__ import annotations

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from proofdeck.errors import UsageError


def initialise(folder: Path, title: str = "") -> list[Path]:
    """Write a new project into `folder`; raise UsageError where it would overwrite anything."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "deck"
    title = title or name.replace("-", " ").capitalize()
    if re.search(r'["\\\n:]', title):
        raise UsageError(f"`{title}` is no title: leave out quotes, backslashes and colons")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder")
    written: list[Path] = []
    _copy(resources.files("proofdeck") / "template", folder, {"NAME": name, "TITLE": title}, written)
    return written


def _copy(source: Traversable, target: Path, words: dict[str, str], written: list[Path]) -> None:
    for item in sorted(source.iterdir(), key=lambda each: each.name):
        if item.name == "__pycache__":
            continue
        name = item.name.replace("dot-", ".", 1) if item.name.startswith("dot-") else item.name
        path = target / name.replace("NAME", words["NAME"])
        if item.is_dir():
            _copy(item, path, words, written)
            continue
        text = item.read_text(encoding="utf-8")
        if not name.endswith((".py", ".md", ".yml")) or name == "README.md":
            for word, value in words.items():
                text = re.sub(rf"\b{word}\b", value, text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
