"""One module a format. A sixth is one more file, named in FORMATS.

A reader is a module with

    TITLE                     what the format is, in a few words
    recognise(head) -> float  how sure it is, from 0 to 1, that a document that begins so is of its format
    read(lines) -> items      entries, references and asides, in the order of the document

`read` takes an iterator of (line number, text) and holds no more of the document than the entry at hand
needs. It never raises for what a document says, and no text vanishes: what makes no card is an Aside.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Protocol, cast

from proofdeck.foreign.model import Item

FORMATS = {
    "depth-trees": "depth_trees",
    "modules": "modules",
    "long-answers": "long_answers",
    "question-bank": "question_bank",
    "cheatsheet": "cheatsheet",
    "markdown": "markdown",
}
"""Module by name of the format; where two are equally sure, the first one reads."""

LEAST = 0.3
"""A reader less sure than this has not recognised anything."""

Lines = Iterable[tuple[int, str]]


class Reader(Protocol):
    """What a module of this package offers."""

    TITLE: str

    def recognise(self, head: str) -> float: ...

    def read(self, lines: Lines) -> Iterator[Item]: ...


def reader(name: str) -> Reader:
    """Return the reader of a format."""
    return cast(Reader, importlib.import_module(f"{__name__}.{FORMATS[name]}"))


def recognise(head: str) -> str:
    """Return the format of a document that begins with `head`, or the empty string."""
    sure = {name: reader(name).recognise(head) for name in FORMATS}
    best = max(sure, key=lambda name: sure[name])
    return best if sure[best] >= LEAST else ""
