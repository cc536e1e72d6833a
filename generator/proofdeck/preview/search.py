"""The search index: what a reader sees of each note, as plain text by note id."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping

from proofdeck.assemble import Built
from proofdeck.package.notetypes import NOTE_TYPES
from proofdeck.preview.topics import NoteView

_MARKUP = re.compile(r"<[^<>]*>")
_CLOZE = re.compile(r"\{\{c\d+::(.*?)(?:::.*?)?\}\}", re.S)
_LEFT_OUT = ("Proof", "Source", "Status", "Id", "Title")


def index_of(notes: Iterable[NoteView], built: Mapping[str, list[Built]]) -> dict[str, str]:
    """Return the text of every note that was rendered: questions and answers, without what proves them."""
    rendered = {note.id: note for file in built.values() for note in file}
    return {note.id: _text(rendered[note.id]) for note in notes if note.id in rendered}


def _text(note: Built) -> str:
    names = NOTE_TYPES[note.row.type].field_names
    fields = zip(names, note.row.fields.split("\x1f"), strict=True)
    shown = " ".join(text for name, text in fields if text and not name.endswith(_LEFT_OUT))
    return " ".join(html.unescape(_MARKUP.sub(" ", _CLOZE.sub(r"\1", shown))).split())
