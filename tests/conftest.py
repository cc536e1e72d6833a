"""Fixtures for tests of the whole pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Any:
    """An empty deck project; `put` notes into it and `build` releases."""
    from tests.helpers import DeckProject

    return DeckProject(tmp_path / "project")


@pytest.fixture
def learners(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes learners with empty collections, and closes them."""
    pytest.importorskip("anki.collection")
    from tests.helpers import Learner

    made: list[Learner] = []

    def make(fsrs: bool = False) -> Learner:
        made.append(Learner(tmp_path / f"learner-{len(made)}", fsrs))
        return made[-1]

    yield make
    for learner in made:
        learner.close()


@pytest.fixture
def learner(learners: Callable[..., Any]) -> Any:
    """A learner with an empty collection."""
    return learners()


class NoteTypes:
    """Changes the engine's note types for one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def style(self, css: str) -> None:
        self._forget()
        self.monkeypatch.setattr("proofdeck.package.notetypes.css", lambda: css)

    def change(self, key: str, **changes: Any) -> Any:
        """Replace parts of the definition of a note type; return the new definition."""
        from proofdeck.package.notetypes import NOTE_TYPES

        self._forget()
        kind = replace(NOTE_TYPES[key], **changes)
        self.monkeypatch.setitem(NOTE_TYPES, key, kind)
        return kind

    def rename_field(self, key: str, old: str, new: str) -> Any:
        """Give a field another name and nothing else; templates follow."""
        from proofdeck.package.notetypes import NOTE_TYPES

        kind = NOTE_TYPES[key]
        fields = tuple(replace(field, name=new) if field.name == old else field for field in kind.fields)
        shown, now = f"{{{{{old}}}}}", f"{{{{{new}}}}}"
        templates = tuple(
            replace(t, front=t.front.replace(shown, now), back=t.back.replace(shown, now))
            for t in kind.templates
        )
        return self.change(key, fields=fields, templates=templates)

    def fill(self, name: str, html: str) -> None:
        """Let every note be rendered with a text in the field `name`."""
        from proofdeck.render.notes import render_note

        def rendered(*args: Any) -> Any:
            note = render_note(*args)
            return replace(note, fields=(*note.fields, (name, html)))

        self.monkeypatch.setattr("proofdeck.assemble.render_note", rendered)

    def _forget(self) -> None:
        from proofdeck.package import collection

        collection._model.cache_clear()


@pytest.fixture
def note_types(monkeypatch: pytest.MonkeyPatch) -> Iterator[NoteTypes]:
    """Lets a test change note types as a later version of the engine might."""
    types = NoteTypes(monkeypatch)
    yield types
    monkeypatch.undo()
    types._forget()
