"""Text to sentences, each with where it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 4000
"""Characters of a sentence; what is longer is cut."""
_END = re.compile(r"[.!?;][\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9~$])|\n+|\s[|#]+\s|(?<=\S)\s{2,}|\s—\s(?=[A-Z])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|et al|vs|cf|resp|approx|no|fig|eq|sec|ca)\.)$", re.I)


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, sentence)."""
    begin = 0
    for match in _END.finditer(text):
        if text[match.start()] == "." and _ABBREVIATION.search(
            text[max(0, match.start() - 8) : match.start() + 1]
        ):
            continue
        yield from _pieces(text, begin, match.end())
        begin = match.end()
    yield from _pieces(text, begin, len(text))


def _pieces(text: str, begin: int, end: int) -> Iterator[tuple[int, str]]:
    while end - begin > LONGEST:
        cut = text.rfind(" ", begin, begin + LONGEST)
        cut = cut if cut > begin else begin + LONGEST
        yield begin, text[begin:cut]
        begin = cut
    if text[begin:end].strip():
        yield begin, text[begin:end]
