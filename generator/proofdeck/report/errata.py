"""Errata: what is often said and does not hold, what holds instead, and the checks that refute it.

Rows of the claims tables with `said:`. The engine's other stations need neither `said` nor `because`, so both
are read here, where a page shows them, and remembered until their table changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from proofdeck.cache import Cache
from proofdeck.report.claims import Statement
from proofdeck.sources import Source

KIND = "said"
"""What the cache files the readings of tables under."""
_DOC = re.compile(r'\A(?:\s*#[^\n]*\n)*\s*[rR]?(?:"""|\'\'\')(.+?)(?:"""|\'\'\')', re.S)


@dataclass(frozen=True, slots=True)
class Erratum:
    """Something that is said, and why it is off."""

    said: tuple[str, ...]
    because: tuple[str, ...]
    statement: Statement


@dataclass(frozen=True, slots=True)
class Chapter:
    """Errata of one claims table."""

    name: str
    title: str
    errata: tuple[Erratum, ...]


def read_errata(
    root: Path, tables: Iterable[Source], statements: Iterable[Statement], cache: Cache
) -> list[Chapter]:
    """Return the errata of every claims table that has any."""
    known = cache.all(KIND)
    by_place = {(each.file, each.line): each for each in statements}
    chapters: list[Chapter] = []
    fresh: list[tuple[str, str, dict[int, tuple[tuple[str, ...], tuple[str, ...]]]]] = []
    for table in tables:
        digest, rows = known.get(table.file, ("", None))
        if digest != table.digest or rows is None:
            rows = said_in((root / table.file).read_bytes())
            fresh.append((table.file, table.digest, rows))
        # what nobody has measured yet refutes nothing
        errata = [
            Erratum(said, because, statement)
            for line, (said, because) in sorted(rows.items())
            if (statement := by_place.get((table.file, line))) and statement.state != "missing"
        ]
        if errata:
            name = table.file.rpartition("/")[2].removesuffix(".yaml")
            chapters.append(Chapter(name, title_of(root, name), tuple(errata)))
    cache.put(KIND, fresh)
    return sorted(chapters, key=lambda chapter: chapter.title.casefold())


def said_in(data: bytes) -> dict[int, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return `said` and `because` of a claims table's rows, by the line a row begins on."""
    try:
        root = yaml.compose(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):  # told by `check`
        return {}
    found = {}
    for row in root.value if isinstance(root, yaml.SequenceNode) else ():
        if isinstance(row, yaml.MappingNode):
            texts = {str(key.value): _texts(value) for key, value in row.value}
            if texts.get("said"):
                found[row.start_mark.line + 1] = texts["said"], texts.get("because", ())
    return found


def _texts(node: yaml.Node) -> tuple[str, ...]:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return tuple(str(item.value).strip() for item in items if isinstance(item, yaml.ScalarNode))


def title_of(root: Path, module: str) -> str:
    """Return what a module is about, in the words of its docstring: up to the first colon or full stop."""
    doc = doc_of(root, module)
    short = re.split(r"[:;.,(]| and what |\s[–—]\s", doc, maxsplit=1)[0].strip()
    plain = module.rpartition(".")[2].replace("_", " ")
    title = short if 1 < len(short) <= 60 else plain
    return title[:1].upper() + title[1:]


def doc_of(root: Path, module: str) -> str:
    """Return the first paragraph of a verifier module's docstring; empty where there is none."""
    path = root.joinpath("verifiers", *module.split(".")).with_suffix(".py")
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        match = _DOC.match(file.read(4000))
    return " ".join(match[1].split("\n\n")[0].split()) if match else ""
