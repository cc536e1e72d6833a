"""Names of decks as Anki keeps them."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MARKUP = re.compile(r"[<>]")
"""Anki puts names of decks and tags into cards as they are: with these they would be markup, or a script."""


def read_deck_name(text: str) -> tuple[str, str]:
    """Return a deck's full name in Anki's normal form, and what is wrong with it, if anything."""
    levels = [unicodedata.normalize("NFC", level).strip() for level in text.split("::")]
    name = "::".join(level for level in levels if level)
    if _CONTROL.search(text):
        return _CONTROL.sub("", name), "a control character in the name of a deck"
    if MARKUP.search(text):
        return MARKUP.sub(
            "", name
        ), f"`<` or `>` in the name of the deck `{text}`, which Anki would read as markup"
    return name, "" if all(levels) else f"an empty level in the deck `{text}`"
