"""The first page: what the project holds in numbers, its packages as shelves, and what can be filtered by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from proofdeck.preview.reading import STATES, Reading
from proofdeck.preview.topics import NoteView, Topic
from proofdeck.verify import KINDS


def summary(reading: Reading, notes: list[NoteView]) -> dict[str, Any]:
    kinds: Counter[str] = sum((note.kinds for note in notes), Counter())
    states = Counter(note.state for note in notes)
    return {
        "counts": {"notes": len(notes), "cards": sum(note.cards for note in notes)},
        "kinds": [(kind, kinds[kind]) for kind in KINDS if kinds[kind]],
        "states": [(state, states[state], why) for state, why in STATES.items() if states[state]],
        "decks": _with_parents({note.deck for note in notes}),
        "tags": sorted({tag for note in notes for tag in note.tags}),
        "documents": sorted({item.partition("/")[0] for note in notes for item in note.covers}),
        "verifiers": sum(function.kind == "verifier" for function in reading.found.code.functions.values()),
        "statements": sum(len(source.notes) for source in reading.found.statements),
    }


def shelves(reading: Reading, topics: list[Topic]) -> list[tuple[str, Any, list[Topic]]]:
    """Return title, description and topics of every package, the largest first.

    A topic stands in the first package, by name, that holds it.
    """
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    left = {topic.file: topic for topic in topics}
    found: list[tuple[str, Any, list[Topic]]] = []
    for manifest in reading.found.manifests:
        mine = [left.pop(file) for file in reading.found.selection[manifest.name] if file in left]
        about = MarkdownIt("commonmark", {"html": False}).render(manifest.description)
        found.append((manifest.title, Markup(about), mine))
    found.sort(key=lambda shelf: -sum(len(topic.notes) for topic in shelf[2]))
    if left:
        found.append(("In no deck", "No manifest under decks/ selects these files.", list(left.values())))
    return found


def _with_parents(decks: Iterable[str]) -> list[str]:
    every = set()
    for deck in decks:
        levels = deck.split("::")
        every |= {"::".join(levels[: depth + 1]) for depth in range(len(levels))}
    return sorted(every)
